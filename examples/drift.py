"""What drift of the response rate over calendar time does to each test of an adaptively allocated trial.

Run from the root of the repository: ``python examples/drift.py`` (its output: drift.out)
"""

from __future__ import annotations

import sys
from pathlib import Path

import trialsim

SCENARIO = Path(__file__).parents[1] / "scenarios" / "rar_drift" / "rar_drift.yaml"
DRIFTS = ["no_drift", "drift_01", "drift_02", "drift_04"]


def main(replicates: int = 1000) -> None:
    """Print the type I error of the naive test, of the one by block and of the weighted one, as drift grows."""
    simulation = trialsim.simulate(
        SCENARIO, designs=["equal", "thompson"], truths=DRIFTS, replicates=replicates, seed=1
    )
    table = simulation.operating_characteristics()
    table = table[table["name"] == "reject"].set_index(["design", "hypothesis", "truth"]).sort_index()
    print(
        f"Type I error, nominal 0.025; {replicates:,} trials of each, Monte Carlo standard errors in parentheses"
    )
    print(f"  {'':20}" + "".join(f"{truth:>16}" for truth in DRIFTS))
    for design in simulation.designs:
        for test in ("naive", "by_block", "weighted"):
            found = (table.loc[(design, test, truth)] for truth in DRIFTS)
            texts = (f"{row['value']:.3f} ({row['mcse']:.3f})" for row in found)
            cells = "".join(f"{text:>16}" for text in texts)
            print(f"  {f'{design}, {test}':20}{cells}")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
