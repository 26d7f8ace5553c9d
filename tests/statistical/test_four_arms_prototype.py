"""Four arms of which one works, against an independent prototype: each bound calibrated in null trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trialsim

PATH = Path(__file__).parents[2] / "scenarios" / "claims" / "losers_dropped.yaml"
TRIALS = 6000
FIGURES = {
    "equal": (0.5785, 4000),
    "more_control": (0.597, 4000),
    "drop_the_losers": (0.777, 300_000),
    "dropped_at_80": (0.792, 300_000),
    "protected_control": (0.791, 4000),
}
"""Power of the prototype and the fewest trials behind it (200 patients, null rate 0.3, alternative 0.55)."""


@pytest.mark.slow
@pytest.mark.parametrize("design", FIGURES)
def test_power_at_a_familywise_level(design: str) -> None:
    """Within 5 standard errors of both simulations, that of either calibrated bound included."""
    found = trialsim.simulate(
        trialsim.load_scenario(PATH), designs=design, replicates=TRIALS, seed=6, workers=1
    )
    trials, arms = found.trials(), found.records.arms.to_pandas()
    z = {}
    for truth in ("none_works", "one_works"):
        here = trials[trials["truth"] == truth].sort_values("replicate")
        rows = arms[arms["truth"] == truth].sort_values("replicate", kind="stable")
        dropped = rows["dropped_look"].to_numpy().reshape(TRIALS, 4)[:, 1:] > 0
        values = here[["z:a", "z:b", "z:c"]].to_numpy(dtype=float)
        z[truth] = np.where(dropped | ~np.isfinite(values), -np.inf, values)
    null, works = np.sort(z["none_works"].max(axis=1)), z["one_works"][:, 1]

    def power_at(level: float) -> float:
        return float((works > null[int(np.ceil((1.0 - level) * TRIALS)) - 1]).mean())

    power, behind = FIGURES[design]
    error = np.sqrt(power * (1 - power) * (1 / TRIALS + 1 / behind))
    # What the level's own error moves the power by, on either side.
    off = np.sqrt(0.025 * 0.975 * (1 / TRIALS + 1 / behind))
    slope = (power_at(0.025 + off) - power_at(0.025 - off)) / 2.0
    assert abs(power_at(0.025) - power) < 5 * np.hypot(error, slope)
