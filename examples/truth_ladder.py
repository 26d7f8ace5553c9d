"""Put a ladder of truths of your own into a shipped scenario, and climb it.

Run from the root of the repository: ``python examples/truth_ladder.py``
"""

from __future__ import annotations

import sys
from pathlib import Path

import trialsim
from trialsim.scenario.load import scenario_from

SCENARIO = Path(__file__).parents[1] / "scenarios" / "binary_sequential" / "binary_sequential.yaml"
RATES = [0.30, 0.35, 0.40, 0.45, 0.50]


def main(replicates: int = 10_000) -> None:
    """Print how often each design rejects, and how large it gets, at each rung."""
    shipped = trialsim.load_scenario(SCENARIO)
    ladder = {"ladder": {"grid": {"endpoints.response.effect.treatment": RATES}}}
    scenario = scenario_from({**shipped.dump(), "truths": ladder}, shipped.folder)

    simulation = trialsim.simulate(scenario, truths="ladder", replicates=replicates, seed=1)
    truths = simulation.cells().query("design == 'fixed'").set_index("truth")["true_value"]
    table = simulation.operating_characteristics()
    for design in simulation.designs:
        print(f"{design}\n  true difference   P(reject)  (mcse)   enrolled")
        for truth in simulation.truths:
            own = table.query("design == @design and truth == @truth").set_index("name")
            reject, enrolled = own.loc["reject_any"], own.loc["enrolled"]
            power = f"{reject['value']:10.4f}  ({reject['mcse']:.4f})"
            print(f"  {truths[truth]:15.2f}  {power}  {enrolled['value']:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
