"""Which ten of thirty sites to open: those with the best record, those that promise most, or those that nature favours.

Run from the root of the repository: ``python examples/sites.py`` (its output: sites.out)
"""

from __future__ import annotations

import sys
from pathlib import Path

import trialsim

SCENARIO = Path(__file__).parents[1] / "scenarios" / "site_selection" / "site_selection.yaml"

MONTH = 365.25 / 12


def main(replicates: int = 100) -> None:
    """Print months to the last patient and cost by how sites are chosen."""
    simulation = trialsim.simulate(SCENARIO, replicates=replicates, seed=1)
    table = simulation.operating_characteristics()
    print(f"{replicates} trials of each, Monte Carlo standard errors in parentheses")
    for design in simulation.designs:
        own = table[table["design"] == design].set_index("name")
        (months, cost) = (own.loc[[name]].iloc[0] for name in ("last_patient_in", "cost"))
        print(
            f"  {design:13} last patient in {months['value'] / MONTH:6.2f} ({months['mcse'] / MONTH:.2f}) months, "
            f"cost {cost['value'] / 1000:7,.0f} ({cost['mcse'] / 1000:.0f}) thousand"
        )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
