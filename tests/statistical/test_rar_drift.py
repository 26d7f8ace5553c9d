"""The re-randomisation test that runs the rule again holds its level whatever the drift, where the naive test does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml

from tests.twins.exhaustive import every
from trialsim.engines.runner import run
from trialsim.scenario.load import load_scenario, scenario_from

PATH = Path(__file__).resolve().parents[2] / "scenarios" / "rar_drift" / "rar_drift.yaml"
RULES = ("thompson", "thompson_capped", "tempered_capped", "target_rosenberger", "target_neyman")
DRIFTS = ("no_drift", "drift_01", "drift_02", "drift_04")
LEVEL = 0.025


def rejections(design: str, truth: str, replicates: int) -> np.ndarray:
    found: list[pa.Table] = []

    def keep(tables: dict[str, Any]) -> None:
        found.append(tables["trials"])

    run(load_scenario(PATH), [design], [truth], replicates, 7, "fast", 1, keep)
    return pa.concat_tables(found)["reject:rerandomised"].to_numpy()


def holds(design: str, truth: str, replicates: int) -> None:
    error = np.sqrt(LEVEL * (1 - LEVEL) / replicates)
    assert rejections(design, truth, replicates).mean() <= LEVEL + 5 * error


@pytest.mark.slow
def test_thompson_under_the_strongest_drift() -> None:
    # The naive test rejects a quarter of these trials.
    holds("thompson_rerandomised", "drift_04", 150)


@pytest.mark.slow
@pytest.mark.parametrize("truth", every(3, DRIFTS))
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_without_drift_and_with_the_strongest(rule: str, truth: str) -> None:
    holds(f"{rule}_rerandomised", truth, 400)


@pytest.mark.exhaustive
@pytest.mark.parametrize("truth", DRIFTS)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_at_every_drift(rule: str, truth: str) -> None:
    holds(f"{rule}_rerandomised", truth, 1000)


@pytest.mark.slow
def test_it_has_power() -> None:
    assert rejections("tempered_capped_rerandomised", "effect", 400).mean() > 0.6


@pytest.mark.slow
def test_a_threshold_for_one_control_rate_does_not_carry_to_others() -> None:
    # An independent simulation, 40,000 trials a rate: calibrated at 0.3, Thompson's rule errs by 0.004, 0.034 and 0.041.
    replicates, z = 3000, {}
    for rate in (0.1, 0.3, 0.5, 0.9):
        tree = yaml.safe_load(PATH.read_text(encoding="utf-8"))
        tree["endpoints"]["response"] |= {"rate": rate, "effect": {"treatment": rate}}
        tree |= {"truths": {"here": {}}, "designs": {"thompson": tree["designs"]["thompson"]}}
        found: list[pa.Table] = []
        run(
            scenario_from(tree),
            None,
            None,
            replicates,
            5,
            "fast",
            1,
            lambda t, kept=found: kept.append(t["trials"]),
        )
        z[rate] = pa.concat_tables(found)["z:naive"].to_numpy()
    bound = np.quantile(z[0.3], 1 - LEVEL)
    # The bound itself is off by as much as moves the error at 0.3 by its standard error.
    for rate, wanted in ((0.1, 0.004), (0.5, 0.034), (0.9, 0.041)):
        spread = 5 * np.sqrt(
            wanted * (1 - wanted) * (1 / replicates + 1 / 40_000) + LEVEL / replicates * (wanted / LEVEL) ** 2
        )
        assert (z[rate] > bound).mean() == pytest.approx(wanted, abs=spread + 0.0005)
