"""The re-randomisation test that runs the rule again holds its level whatever the drift, where the naive test does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.twins.exhaustive import every
from trialsim.engines.runner import run
from trialsim.scenario.load import load_scenario

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


def test_thompson_under_the_strongest_drift() -> None:
    # The naive test rejects a quarter of these trials.
    holds("thompson_rerandomised", "drift_04", 150)


@pytest.mark.slow
@pytest.mark.parametrize("truth", every(3, DRIFTS))
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_at_every_drift(rule: str, truth: str) -> None:
    holds(f"{rule}_rerandomised", truth, 1000)


@pytest.mark.slow
def test_it_has_power() -> None:
    assert rejections("tempered_capped_rerandomised", "effect", 400).mean() > 0.6
