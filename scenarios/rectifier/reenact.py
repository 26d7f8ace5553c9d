"""Set trials of ``rectifier.yaml`` beside the real comparison of prescreening by hand and with help.

``python scenarios/rectifier/reenact.py`` draws 4,000 pairs of lists with the fast engine and prints where the published
figures lie among them. In the real trial each patient was on one list; so the two of a pair come from different
replicates, which share no candidate.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trialsim.engines.runner import run
from trialsim.scenario.load import load_scenario

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from reenactments import Figure, figure_among  # noqa: E402

Floats = NDArray[np.float64]
CANDIDATES = 2238
REAL = {"manual": (284 / 2234, 19 / 2234), "assisted": (458 / 2242, 35 / 2242)}


def lists(design: str, replicates: int, seed: int) -> tuple[Floats, Floats]:
    """Return the shares found eligible and enrolled, ``[replicate]`` each."""
    found: list[Floats] = []
    enrolled: list[Floats] = []

    def keep(tables: dict[str, object]) -> None:
        trials, failures = (tables[name].to_pandas() for name in ("trials", "screening"))  # type: ignore[attr-defined]
        missed = failures[failures["reason"] == "ineligible"].set_index("replicate")["failures"]
        found.append((trials["screened"] - trials["replicate"].map(missed)).to_numpy(float))
        enrolled.append(trials["enrolled"].to_numpy(float))

    run(load_scenario(HERE / "rectifier.yaml"), [design], ["expected"], replicates, seed, "fast", 1, keep)
    return np.concatenate(found) / CANDIDATES, np.concatenate(enrolled) / CANDIDATES


def figures(replicates: int, seed: int = 1) -> list[Figure]:
    """Return the published figures among simulated ones."""
    shares = {design: lists(design, replicates, seed) for design in REAL}
    listed = []
    for k, what in enumerate(("found eligible, %", "enrolled, %")):
        for design, real in REAL.items():
            listed.append(figure_among(design, what, 100 * real[k], 100 * shares[design][k]))
    for k, what in enumerate(("ratio of those found", "ratio of those enrolled")):
        ratio = shares["assisted"][k] / np.roll(shares["manual"][k], 1)
        listed.append(figure_among("both", what, REAL["assisted"][k] / REAL["manual"][k], ratio))
    return listed


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=4000, help="lists of each kind (default 4000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of every draw (default 1)")
    options = parser.parse_args(arguments)
    print(
        "| prescreening | figure | published | simulated mean | 2.5% to 97.5% | percentile of the published value |"
    )
    print("|---|---|---|---|---|---|")
    for one in figures(options.replicates, options.seed):
        print(
            f"| {one.arm} | {one.name} | {one.real:.2f} | {one.mean:.2f} | {one.low:.2f} to {one.high:.2f} | "
            f"{one.percentile:.0f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
