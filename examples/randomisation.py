"""Whether it pays to allocate more patients to the arm that looks better: patients gained, and power paid.

Run from the root of the repository: ``python examples/randomisation.py`` (its output: randomisation.out)
"""

from __future__ import annotations

import sys
from pathlib import Path

import trialsim

SCENARIO = Path(__file__).parents[1] / "scenarios" / "rar_drift" / "rar_drift.yaml"
DESIGNS = ["equal", "thompson", "thompson_capped", "tempered_capped", "target_rosenberger"]


def main(replicates: int = 1000) -> None:
    """Print power, patients on the better arm, and the error of the naive test without an effect, by rule."""
    simulation = trialsim.simulate(
        SCENARIO, designs=DESIGNS, truths=["effect", "no_drift"], replicates=replicates, seed=1
    )
    table = simulation.operating_characteristics()
    table = table[table["name"] == "reject"].set_index(["design", "hypothesis", "truth"]).sort_index()
    arms = simulation.arms().query("truth == 'effect'")
    shares = arms.groupby(["design", "arm"], observed=True)["enrolled"].mean().unstack()
    print(f"{replicates:,} trials of each; nominal error 0.025 one-sided, no drift")
    for design in simulation.designs:
        own = table.loc[(design, "naive")]
        power, error = own.loc["effect"], own.loc["no_drift"]
        print(
            f"  {design:19} power {power['value']:.3f} ({power['mcse']:.3f}), error {error['value']:.3f} "
            f"({error['mcse']:.3f}), {shares.loc[design, 'treatment'] / shares.loc[design].sum():.1%} on the better arm"
        )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
