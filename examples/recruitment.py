"""How many weeks it saves to call the likeliest candidates first: that depends on what limits recruitment.

Run from the root of the repository: ``python examples/recruitment.py`` (its output: recruitment.out)
"""

from __future__ import annotations

import sys
from pathlib import Path

import trialsim

WORLDS = Path(__file__).parents[1] / "scenarios" / "recruitment_worlds"
SHOWN = {
    "last_patient_in": "last patient in, weeks",
    "screen_failure_rate": "screen failures",
    "reject_any": "power",
}


def main(replicates: int = 60) -> None:
    """Print what an emulated score of each quality does where coordinators limit, and where arrivals do."""
    for world, what in (("backlog", "coordinators limit"), ("arrivals", "arrivals limit")):
        print(f"{world}: {what}; {replicates} trials of each, Monte Carlo standard errors in parentheses")
        designs = ["as_they_come", "ranked_70", "ranked_90"]
        simulation = trialsim.simulate(
            WORLDS / f"{world}.yaml", designs=designs, replicates=replicates, seed=1
        )
        table = simulation.operating_characteristics()
        for design in simulation.designs:
            own = table[table["design"] == design].set_index("name")
            cells = []
            for name, title in SHOWN.items():
                row, scale = own.loc[[name]].iloc[0], 1 / 7 if name == "last_patient_in" else 1.0
                cells.append(f"{title} {scale * row['value']:.3f} ({scale * row['mcse']:.3f})")
            print(f"  {design:13} {'; '.join(cells)}")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
