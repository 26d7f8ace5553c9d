"""Tabulate power over the sample size, and find the smallest one with 90% power.

Run from the root of the repository: ``python examples/sweep_sample_size.py``
"""

from __future__ import annotations

import sys
from pathlib import Path

import trialsim

SCENARIO = Path(__file__).parents[1] / "scenarios" / "binary_sequential" / "binary_sequential.yaml"

# The one look waits for every patient's readout: both numbers vary together.
N = "designs.fixed.n+designs.fixed.looks[0].when.readouts"


def main(replicates: int = 10_000) -> None:
    """Print a table of power by sample size, then the answer."""
    found = trialsim.sweep(SCENARIO, f"{N}=200:500:50", truths="alternative", replicates=replicates)
    table = found.to_frame().rename(columns={N: "patients"})
    print(table[["patients", "value", "mcse", "lower", "upper"]].round(4).to_string(index=False))

    solution = trialsim.solve(
        SCENARIO, f"{N}=200:600:4", target=0.9, truths="alternative", replicates=replicates
    ).solution
    assert solution is not None
    if solution.at is None:
        print("\nNo sample size up to 600 has a power of 0.9.")
        return
    power = solution.at.measure
    print(f"\nSmallest n with a power of at least 0.9: {solution.value} (power {power.value:.4f},")
    print(f"95% interval {power.lower:.4f} to {power.upper:.4f}, {solution.tried} sizes tried)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
