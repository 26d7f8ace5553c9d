"""Combination tests against rpact and the tables of Bauer and Köhne."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from trialsim.designs import group_sequential
from trialsim.stats.combination.adaptive import closed_statistics, intersection_p
from trialsim.stats.combination.fisher import (
    fisher_conditional_error,
    fisher_conditional_power,
    fisher_design,
    fisher_final_p,
    fisher_products,
)
from trialsim.stats.combination.inverse_normal import inverse_normal
from trialsim.stats.inference.repeated import repeated_p
from trialsim.stats.multiplicity.dunnett import control_loadings

HERE = Path(__file__).parent
ROWS = pd.read_csv(HERE / "combination.csv")
FISHER = ROWS[ROWS.combination == "Fisher"]
NORMAL = ROWS[ROWS.combination == "inverse normal"]
ANALYSED = pd.read_csv(HERE / "ci.csv")
CONDITIONAL = pd.read_csv(HERE / "condpower.csv")
METHODS = {"equalAlpha": "equal_levels", "fullAlpha": "full_last_level", "noInteraction": "no_interaction"}
FAMILIES = {
    "OF": "obrien_fleming",
    "P": "pocock",
    "asOF": "lan_demets_obrien_fleming",
    "asP": "lan_demets_pocock",
}


@pytest.mark.parametrize("call", sorted(set(FISHER.call)))
def test_fishers_critical_values_are_rpacts(call: str) -> None:
    rows = FISHER[FISHER.call == call]
    first = rows.iloc[0]
    found = fisher_design(first.alpha, int(first.kMax), first.alpha0, METHODS[first.method])
    assert found.critical == pytest.approx(rows.critical.to_numpy(), rel=1e-11)
    assert found.spent == pytest.approx(rows.alpha_spent.to_numpy(), abs=1e-12)
    assert found.levels == pytest.approx(rows.stage_level.to_numpy(), abs=1e-12)


BAUER_KOEHNE = {0.05: (0.0233, 0.0087), 0.025: (0.0102, 0.0038)}
"""Critical values of the first p value and of the product, futility bound 0.5."""


@pytest.mark.parametrize("alpha", BAUER_KOEHNE)
def test_bauer_and_koehne(alpha: float) -> None:
    """Bauer and Köhne (1994): futility bound 0.5."""
    found = fisher_design(alpha, 2, 0.5, "full_last_level").critical
    assert tuple(round(float(each), 4) for each in found) == BAUER_KOEHNE[alpha]


@pytest.mark.parametrize("call", sorted(set(NORMAL.call)))
def test_the_inverse_normal_bounds_are_rpacts(call: str) -> None:
    rows = NORMAL[NORMAL.call == call]
    stages = int(rows.kMax.iloc[0])
    found = group_sequential(
        [(k + 1) / stages for k in range(stages)],
        alpha=rows.alpha.iloc[0],
        efficacy=FAMILIES[rows.method.iloc[0]],
    )
    assert found.efficacy_z == pytest.approx(rows.critical.to_numpy(), abs=1e-6)
    assert found.alpha_spent == pytest.approx(rows.alpha_spent.to_numpy(), abs=2e-8)


@pytest.mark.parametrize("design", ["IN3", "IN2"])
def test_combined_statistics_are_rpacts(design: str) -> None:
    rows = ANALYSED[(ANALYSED.design == design) & ANALYSED.final_p.notna()]
    assert len(rows) == 1
    whole = ANALYSED[ANALYSED.case == rows.case.iloc[0]]
    found = inverse_normal(whole.stage_p.to_numpy(), whole.info_rate.to_numpy())
    assert found == pytest.approx(whole.combined_stat.to_numpy(), abs=1e-9)


def test_analysis_by_fishers_product_is_rpacts() -> None:
    rows = ANALYSED[ANALYSED.design == "FI2"]
    design = fisher_design(0.025, 2, 0.5, "equal_levels")
    assert design.critical == pytest.approx(rows.critical.to_numpy(), rel=1e-10)
    products = fisher_products(rows.stage_p.to_numpy())
    assert products == pytest.approx(rows.combined_stat.to_numpy(), rel=1e-12)
    assert fisher_final_p(design, 1, products[1]) == pytest.approx(rows.final_p.iloc[1], abs=1e-12)
    assert fisher_conditional_error(design, 0, products[0]) == pytest.approx(rows.crp.iloc[0], abs=1e-12)
    for stage in (0, 1):

        def far(level: float, stage: int = stage) -> float:
            return -math.log(fisher_design(level, 2, 0.5, "equal_levels").critical[stage])

        found = repeated_p(-math.log(products[stage]), far, 1e-6, 0.45)
        assert found == pytest.approx(rows.repeated_p.iloc[stage], abs=2e-6)


def test_what_may_still_come_under_fishers_product_is_rpacts() -> None:
    """The futility bounds 0.6 and 0.4 are not in the file: of a grid of them these alone give both conditional errors."""
    rows = CONDITIONAL[CONDITIONAL.case == "M8 means Fisher3 interim2"].set_index("stage")
    design = fisher_design(0.025, 3, [0.6, 0.4], "equal_levels")
    products = fisher_products([t.sf(0.3 / math.sqrt(2 / 50), 98), t.sf(0.2 / math.sqrt(2 / 40), 78)])
    for stage in (0, 1):
        found = fisher_conditional_error(design, stage, products[stage])
        assert found == pytest.approx(rows.crp[stage + 1], abs=1e-10)
    power = fisher_conditional_power(design, products[1], 0.3, 80 / 4)
    assert float(power) == pytest.approx(rows.conditional_power[3], abs=1e-10)


@pytest.mark.slow
def test_selecting_the_best_of_three_arms_has_rpacts_power() -> None:
    """Closed Dunnett tests combined over two stages, the best arm and control in the second; 20,000 simulated trials."""
    row = pd.read_csv(HERE / "sim_oc_multiarm.csv").iloc[0]
    n, size = 20_000, 50
    rng = np.random.default_rng(17)
    rates = np.array([0.3, 0.3, 0.35, 0.45])  # control first

    def stage() -> np.ndarray:
        events = rng.binomial(size, rates, (n, 4))
        pooled = (events[:, 1:] + events[:, :1]) / (2 * size)
        return (events[:, 1:] - events[:, :1]) / size / np.sqrt(pooled * (1 - pooled) * 2 / size)

    first, second = stage(), stage()
    chosen = np.arange(3) == first.argmax(axis=1)[:, None]
    factors = control_loadings(size, np.full(3, size))
    stages = [intersection_p(first, "dunnett", factors), intersection_p(second, "dunnett", factors, chosen)]
    bounds = group_sequential([0.5, 1.0]).efficacy_z
    early = closed_statistics(stages[0][:, None], [0.5, 1.0]) >= bounds[0]
    late = (closed_statistics(np.stack(stages, axis=1), [0.5, 1.0]) >= bounds[1]) & chosen
    shown = early | (late & ~early.any(axis=1, keepdims=True))
    power, expected = shown.any(axis=1).mean(), row.reject_overall
    assert abs(power - expected) < 5 * math.sqrt(expected * (1 - expected) * (1 / n + 1 / row.nrep))
    per_arm = [
        float(each) for each in row.rejected_arms_per_stage_by_arm.split(";")
    ]  # arm by arm, stage 1 and 2
    for arm in range(3):
        for found, reference in zip((early, shown & ~early), per_arm[2 * arm : 2 * arm + 2]):
            spread = math.sqrt(max(reference, 1e-3) * (1 / n + 1 / row.nrep))
            assert abs(found[:, arm].mean() - reference) < 5 * spread, (arm, reference)


def test_dunnetts_intersections_are_at_the_level_of_their_arms() -> None:
    """The p value of one arm alone is its own, and of all three single-step Dunnett's smallest."""
    z = np.array([2.1, 0.4, 1.0])
    found = intersection_p(z, "dunnett", control_loadings(100, np.full(3, 100)))
    assert found[[0, 1, 3]] == pytest.approx(norm.sf(z), abs=1e-13)
