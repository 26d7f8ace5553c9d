"""Trials of four arms whose allocation a network decides at ten reviews, trained first in the same trials (not timed).

Two sizes: 220 patients with a review every 20, and 1,100 with one every 100; a binary outcome, one look. Prints processor
seconds of 20,000 trials, of which how many are spent in the policy, and the same trials with equal allocation. Target:
20,000 trials in 60 seconds on two cores, which is 120 processor seconds.

``python benchmarks/bench_learned_allocation.py [TRIALS]``
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from measure import calibration

from trialsim.engines.runner import Job
from trialsim.engines.runner import _Workshop as Workshop
from trialsim.learning.allocation_training import train_allocation
from trialsim.learning.request import ALLOCATION, ALLOCATION_OPTIONS, TrainingRequest
from trialsim.policies.learned_allocation import LearnedAllocation
from trialsim.scenario.load import load_scenario

TRIALS, TARGET, CHUNK = 20_000, 120.0, 2000
SIZES = ((220, 20), (1100, 100))
"""Patients, and patients between two reviews."""

SCENARIO = """
name: four_arms
accrual: {evenly_spaced: {rate: 1 per day}}
arms: [control, a, b, c]
endpoints:
  response: {kind: binary, readout: 0.5 days, rate: 0.3, effect: {a: 0.3, b: 0.3, c: 0.55}, effect_measure: rate}
hypotheses:
  c: {endpoint: response, arms: [c, control], analysis: score_test, direction: higher}
truths: {one_works: {}}
designs:
  equal:
    kind: fixed
    n: PATIENTS
    allocation: simple
    reviews: {every: {enrolled: EVERY}}
    looks: [{when: {readouts: PATIENTS}}]
    tests: {c: {alpha: 0.025}}
  learned: {extends: equal, policies: {randomisation: POLICY}}
"""


class Clock:
    """Counts how long and about how many trials the policy is asked."""

    def __init__(self) -> None:
        self.seconds, self.rows = 0.0, 0
        self._decide = LearnedAllocation.decide

    def decide(self, policy: LearnedAllocation, view: Any, memory: Any) -> Any:
        """Ask the policy and look at the clock."""
        before = process_time()
        found = self._decide(policy, view, memory)
        self.seconds += process_time() - before
        self.rows += len(view.replicate)
        return found


def main() -> None:
    """Train, run, and print."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    slow = False
    for patients, every in SIZES:
        with tempfile.TemporaryDirectory() as name:
            slow |= _measure(Path(name), patients, every, trials)
    print(f"a Philox double takes {calibration():.2f} ns here")
    if slow:
        raise SystemExit("too slow")


def _measure(folder: Path, patients: int, every: int, trials: int) -> bool:
    """Print what trials of one size take; return whether that is too long."""
    text = SCENARIO.replace("PATIENTS", str(patients)).replace("EVERY", str(every))
    path = folder / "world.yaml"
    path.write_text(text.replace("POLICY", "{thompson: {minimum: 0.1}}"), encoding="utf-8")
    options: dict[str, Any] = {key: default for key, (default, *_) in ALLOCATION_OPTIONS.items()}
    options |= {"iterations": 10, "trials": 500, "hidden": (16, 16)}
    trained = train_allocation(
        TrainingRequest(ALLOCATION, path, "learned", None, "", 0, 1, options), folder / "rule.unfinished"
    )
    digest = trained.write(folder / "rule.safetensors")
    path.write_text(
        text.replace("POLICY", f"{{learned: {{checkpoint: rule.safetensors, digest: {digest}}}}}")
    )
    clock = Clock()
    LearnedAllocation.decide = lambda policy, view, memory: clock.decide(policy, view, memory)  # type: ignore[method-assign]
    seconds = {}
    for design in ("equal", "learned"):
        workshop = Workshop(Job(load_scenario(path), 1))
        workshop.run(design, "one_works", 0, 64)  # compiles and loads
        clock.seconds, clock.rows = 0.0, 0
        processor, wall, enrolled = process_time(), perf_counter(), 0
        for first in range(0, trials, CHUNK):
            columns = workshop.run(design, "one_works", first, min(first + CHUNK, trials))
            enrolled += int(columns["trials"]["enrolled"].sum())
        seconds[design] = process_time() - processor
        print(
            f"{design}, n {patients}, 1 look: {trials:,} trials in {seconds[design]:.2f} processor seconds, "
            f"{perf_counter() - wall:.2f} on the clock"
        )
        if enrolled != trials * patients:
            raise SystemExit(f"{enrolled:,} patients; {trials * patients:,} were to be enrolled")
    LearnedAllocation.decide = clock._decide  # type: ignore[method-assign]
    policy, whole = 1e3 * clock.seconds / trials, seconds["learned"] * TRIALS / trials
    print(
        f"learned, n {patients}: {clock.rows / trials:.1f} reviews a trial; the policy {policy:.4f} ms a trial beside the "
        f"engine's {1e3 * seconds['learned'] / trials - policy:.4f}; 20,000 trials: {whole:.1f} processor seconds, "
        f"target {TARGET:.0f}"
    )
    return whole > TARGET


if __name__ == "__main__":
    main()
