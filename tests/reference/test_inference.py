"""Inference after looks against rpact, lrstat and gsDesign."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from trialsim.designs import group_sequential
from trialsim.stats.inference.conditional import combination_power, conditional_power, predictive_power
from trialsim.stats.inference.repeated import repeated_interval, repeated_p
from trialsim.stats.inference.stagewise import adjusted_inference, stagewise_p

HERE = Path(__file__).parent
LRSTAT = pd.read_csv(HERE / "lrstat_ci.csv")
CONDITIONAL = pd.read_csv(HERE / "condpower.csv")
RPACT = pd.read_csv(HERE / "ci.csv")
THIRDS = np.array([1 / 3, 2 / 3, 1.0])
DESIGNS: dict[str, dict[str, Any]] = {
    "PO2": {"information": [0.5, 1.0], "efficacy": "pocock"},
    "IN2": {"information": [0.5, 1.0]},
    "IN3": {"information": THIRDS.tolist(), "efficacy": "obrien_fleming"},
    "GS3": {"information": THIRDS.tolist()},
    "GSu": {"information": [0.3, 0.7, 1.0], "efficacy": "hwang_shih_decani", "efficacy_parameter": -2},
}


def none(n_looks: int) -> Any:
    return np.full(n_looks, -np.inf)


@pytest.mark.parametrize("row", list(LRSTAT[LRSTAT.what.str.startswith("stagewise")].itertuples()), ids=str)
def test_stagewise_inference_is_lrstats(row: Any) -> None:
    found = adjusted_inference(
        100 * THIRDS, none(3), group_sequential(THIRDS.tolist()).efficacy_z, row.stage - 1, row.z, row.cilevel
    )
    assert found.p_value[0] == pytest.approx(row.p, abs=2e-8)
    assert found.estimate[0] == pytest.approx(row.estimate, abs=2e-7)
    assert (found.lower[0], found.upper[0]) == pytest.approx((row.lower, row.upper), abs=1e-6)
    if row.stage == 1:  # a trial that ended at its first look is a fixed one
        centre = row.z / math.sqrt(100 / 3)
        half = norm.ppf(0.975) / math.sqrt(100 / 3)
        assert (found.lower[0], found.upper[0]) == pytest.approx((centre - half, centre + half), abs=1e-12)


@pytest.mark.parametrize("row", list(LRSTAT[LRSTAT.what.str.contains("repeated")].itertuples()), ids=str)
def test_repeated_inference_is_lrstats(row: Any) -> None:
    look = row.stage - 1
    bound = group_sequential(THIRDS.tolist()).efficacy_z[look]
    lower, upper = repeated_interval(row.z, 100 * THIRDS[look], bound)
    assert (float(lower), float(upper)) == pytest.approx((row.lower, row.upper), abs=1e-9)
    assert row.z / math.sqrt(100 * THIRDS[look]) == pytest.approx(row.estimate, abs=1e-12)
    found = repeated_p(row.z, lambda alpha: bound_at("GS3", look, alpha), 1e-6, 0.5)
    assert found == pytest.approx(row.p, abs=3e-7)


def bound_at(design: str, look: int, alpha: float) -> float:
    return float(group_sequential(**DESIGNS[design], alpha=alpha, power=0.9).efficacy_z[look])


def statistic_of(row: Any) -> float:
    """Return what the design tests: all data in a group sequential one, the weighted sum in a combination."""
    return float(row.combined_stat if row.design.startswith("IN") else norm.isf(row.overall_p))


def stages_seen() -> list[Any]:
    kept = RPACT[RPACT.design.isin(list(DESIGNS)) & RPACT.repeated_p.notna()]
    return list(kept.itertuples())


@pytest.mark.parametrize("row", stages_seen(), ids=lambda row: f"{row.case}-{row.stage}")
def test_repeated_p_values_are_rpacts(row: Any) -> None:
    assert bound_at(row.design, row.stage - 1, 0.025) == pytest.approx(row.critical, abs=1e-7)
    found = repeated_p(statistic_of(row), lambda alpha: bound_at(row.design, row.stage - 1, alpha), 1e-6, 0.5)
    assert found == pytest.approx(row.repeated_p, abs=2e-6)


@pytest.mark.parametrize(
    "row",
    list(RPACT[RPACT.final_p.notna() & RPACT.design.isin(list(DESIGNS))].itertuples()),
    ids=lambda row: str(row.case),
)
def test_final_p_values_are_rpacts(row: Any) -> None:
    design = group_sequential(**DESIGNS[row.design])
    found = stagewise_p(
        design.information_rates,
        none(len(design.information_rates)),
        design.efficacy_z,
        row.stage - 1,
        statistic_of(row),
    )
    assert found[0] == pytest.approx(row.final_p, abs=2e-8)


def test_intervals_of_hazard_ratios_are_rpacts() -> None:
    rows = RPACT[RPACT.case.str.startswith("S") & RPACT.rci_lower.notna()]
    assert len(rows) == 3
    for row, events in zip(rows.itertuples(), (86, 173, 120)):
        lower, upper = repeated_interval(row.overall_stat, events / 4, row.critical)
        assert np.exp([lower, upper]) == pytest.approx([row.rci_lower, row.rci_upper], rel=2e-6)


@pytest.mark.parametrize(
    ("case", "design", "look", "z"),
    [
        ("M6 means IN2 interim", "IN2", 1, norm.isf(t.sf(0.35 * math.sqrt(30), 118))),
        ("S1 survival GS3 stage2", "GS3", 1, 1.5),
        ("S1 survival GS3 stage2", "GS3", 2, 2.2),
        ("S3 survival IN2 interim", "IN2", 1, 1.8),
    ],
)
def test_conditional_errors_are_rpacts(case: str, design: str, look: int, z: float) -> None:
    rows = CONDITIONAL[(CONDITIONAL.case == case) & (CONDITIONAL.stage == look)]
    planned = group_sequential(**DESIGNS[design])
    found = conditional_power(planned.information_rates, planned.efficacy_z, look - 1, z, 0.0)
    assert found.sum() == pytest.approx(rows.crp.iloc[0], abs=1e-7)


@pytest.mark.parametrize(
    ("case", "design", "look", "z", "effect", "ahead"),
    [
        ("M6 means IN2 interim", "IN2", 1, norm.isf(t.sf(0.35 * math.sqrt(30), 118)), 0.3, 160 / 4),
        ("S1 survival GS3 stage2", "GS3", 2, 2.2, math.log(1.5), 86 / 4),
        ("S3 survival IN2 interim", "IN2", 1, 1.8, math.log(1.4), 120 / 4),
    ],
)
def test_conditional_power_of_a_combination_is_rpacts(
    case: str, design: str, look: int, z: float, effect: float, ahead: float
) -> None:
    rows = CONDITIONAL[(CONDITIONAL.case == case) & CONDITIONAL.conditional_power.notna()]
    planned = group_sequential(**DESIGNS[design])
    share = planned.information_rates[look - 1]
    found = combination_power(z, share, planned.efficacy_z[-1], effect, ahead)
    assert float(found) == pytest.approx(rows.conditional_power.iloc[0], abs=1e-7)


GSDESIGN = CONDITIONAL[CONDITIONAL.package == "gsDesign"]
GS_INFORMATION = np.array([33.7284164336043, 67.4568328672086, 101.185249300813])


def gsdesign_power(row: Any) -> float:
    """Return what gsDesign's row gives: conditional power, or predictive power under its prior."""
    look, z = int(row.stage) - 1, float(re.findall(r"z=([\d.]+)", row.case)[0])
    upper = group_sequential(THIRDS.tolist()).efficacy_z
    if row.case.startswith("gsCP"):
        theta = float(row.assumed.removeprefix("theta="))
        return float(conditional_power(GS_INFORMATION, upper, look, z, theta).sum())
    delta = float(row.data.removeprefix("delta="))
    return float(predictive_power(GS_INFORMATION, upper, look, z, delta, (2 / delta) ** 2).sum())


@pytest.mark.parametrize("row", list(GSDESIGN.itertuples()), ids=lambda row: f"{row.case}-{row.assumed}")
def test_conditional_and_predictive_power_are_gsdesigns(row: Any) -> None:
    close = 1e-7 if row.case.startswith("gsCP") else 2e-7  # gsDesign's own grid of the prior (r = 18)
    assert gsdesign_power(row) == pytest.approx(row.conditional_power, abs=close)
