"""Training of every shipped policy as the benchmarks train it: processor seconds of each, target ten minutes on two cores.

``python benchmarks/bench_training.py [POLICY ...]``, of logistic, gradient_boosting, mlp, allocation, sites, stopping;
all by default.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from measure import calibration

import trialsim.learning
from trialsim.learning import allocation_benchmark, benchmark, site_benchmark, stopping_benchmark
from trialsim.learning.allocation_training import train_allocation
from trialsim.learning.request import (
    ALLOCATION,
    ALLOCATION_OPTIONS,
    OPTIONS,
    SITE_OPTIONS,
    SITES,
    TrainingRequest,
)
from trialsim.learning.site_training import train_sites
from trialsim.learning.stopping_training import StoppingTask, train_stopping
from trialsim.learning.training import train

TARGET = 1200.0
WORLDS = Path(trialsim.learning.__file__).parent / "worlds"


def _defaults(options: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the usual options with some changed."""
    return {key: default for key, (default, *_) in options.items()} | changes


def _ranking(kind: str, folder: Path) -> None:
    """Train a ranking on the log of 100 trials."""
    hidden = {"hidden": (32, 16)} if kind == "mlp" else {}
    options = _defaults(OPTIONS[kind], **hidden)
    world = WORLDS / "interactions.yaml"
    train(TrainingRequest(kind, world, None, None, "randomised", benchmark.FULL.training, 1, options))


def _allocation(folder: Path) -> None:
    """Train an allocation rule of two arms."""
    full = allocation_benchmark.FULL
    options = _defaults(
        ALLOCATION_OPTIONS, iterations=full.iterations, trials=full.trials, minimum=0.0, hidden=(16, 16)
    )
    world = WORLDS / "two_arms.yaml"
    train_allocation(
        TrainingRequest(ALLOCATION, world, full.design, None, "", 0, 1, options), folder / "a.unfinished"
    )


def _sites(folder: Path) -> None:
    """Train a choice of ten of thirty sites."""
    full = site_benchmark.FULL
    options = _defaults(
        SITE_OPTIONS,
        diversity_weight=20.0,
        iterations=full.iterations,
        trials=full.trials,
        hidden=(16, 16),
    )
    world = WORLDS / "sites.yaml"
    train_sites(TrainingRequest(SITES, world, "chosen", None, "", 0, 1, options), folder / "s.unfinished")


def _stopping(folder: Path) -> None:
    """Train a stopping rule of five looks."""
    full = stopping_benchmark.FULL
    task = StoppingTask((0.2, 0.4, 0.6, 0.8, 1.0), 0.025, 0.9, 1.1)
    train_stopping(task, 1, full.iterations, full.paths, folder / "t.unfinished")


TRAININGS: dict[str, Callable[[Path], None]] = {
    **{kind: (lambda folder, kind=kind: _ranking(kind, folder)) for kind in OPTIONS},  # type: ignore[misc]
    "allocation": _allocation,
    "sites": _sites,
    "stopping": _stopping,
}


def main() -> None:
    """Train and print."""
    slow = []
    for name in sys.argv[1:] or list(TRAININGS):
        with tempfile.TemporaryDirectory() as folder:
            processor, wall = process_time(), perf_counter()
            TRAININGS[name](Path(folder))
            took = process_time() - processor
            print(
                f"{name}: {took:.1f} processor seconds, {perf_counter() - wall:.1f} on the clock; target {TARGET:.0f}"
            )
            slow += [name] if took > TARGET else []
    print(f"a Philox double takes {calibration():.2f} ns here")
    if slow:
        raise SystemExit(f"too slow: {', '.join(slow)}")


if __name__ == "__main__":
    main()
