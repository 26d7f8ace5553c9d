"""Compare a fixed design with a group sequential one on the same patients.

Run from the root of the repository: ``python examples/compare_designs.py``
"""

from __future__ import annotations

import sys
from pathlib import Path

import trialsim

SCENARIO = Path(__file__).parents[1] / "scenarios" / "binary_sequential" / "binary_sequential.yaml"


def main(replicates: int = 10_000) -> None:
    """Print power, patients and duration of each design, what the looks save, and one trial told."""
    simulation = trialsim.simulate(SCENARIO, replicates=replicates, seed=1)

    table = simulation.operating_characteristics()
    shown = table[table["name"].isin(["reject_any", "enrolled", "duration"])]
    wide = shown.pivot(index=["truth", "design"], columns="name", values=["value", "mcse"])
    print(wide.swaplevel(axis="columns").sort_index(axis="columns").round(4).to_string())

    print("\nFixed minus group sequential, paired by replicate:")
    for row in simulation.comparisons():
        if row["name"] in ("enrolled", "duration"):
            value = f"{row['value']:.1f} {row['unit']} (mcse {row['mcse']:.2f})"
            print(f"  {row['truth']}, {row['name']}: {value}")

    trials = simulation.trials().query("design == 'group_sequential' and stop_reason == 'efficacy'")
    first = int(trials["replicate"].iloc[0])
    print(f"\nThe first trial that stopped for efficacy, replicate {first}:")
    print(simulation.explain("group_sequential", "alternative", first).text())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
