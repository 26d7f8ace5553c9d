"""Adverse events over time: the table adds up, the curve is the integrated intensity, and its error is the jackknife's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.twins.lives import everything
from tests.unit.recruitment_scenario import straight
from trialsim.engines.adverse_event_records import period_ends
from trialsim.engines.plan import build_plan
from trialsim.oc.adverse_events import (
    ALL,
    SERIOUS,
    AdverseEventCurve,
    adverse_event_curves,
    mean_cumulative,
)
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import Cell, records_of
from trialsim.oc.in_memory import Collected, collect
from trialsim.report.adverse_event_figures import adverse_event_picture
from trialsim.report.page import page
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY

RATES = {"control": 0.02, "treatment": 0.03}
CHANGE, LATER = 60.0, 2.5
HERE = Cell("fixed", "here")


def steady() -> dict[str, Any]:
    """Return a scenario with adverse events of an intensity that changes once, and patients who leave."""
    return {
        "name": "steady",
        "horizon": "500 days",
        "accrual": {"uniform": {"over": "60 days"}},
        "arms": list(RATES),
        "endpoints": {
            "death": {
                "kind": "survival",
                "baseline": {"median": "300 days"},
                "effect": {"treatment": 0.8},
            }
        },
        "dropout": {"baseline": {"median": "200 days"}},
        "treatment": {"duration": "180 days"},
        "adverse_events": {
            "rash": {
                "baseline": {
                    "piecewise": [
                        {"from": "0 days", "hazard": f"{RATES['control']} per day"},
                        {"from": f"{CHANGE:.0f} days", "hazard": f"{RATES['control'] * LATER} per day"},
                    ]
                },
                "effect": {"treatment": RATES["treatment"] / RATES["control"]},
                "severity": {"mild": 0.7, "severe": 0.3},
                "serious": {"severe": 0.5},
                "window": "20 days",
            },
            "cough": {
                "baseline": {"hazard": "0.01 per day"},
                "severity": {"mild": 0.7, "severe": 0.3},
                "window": "0 days",
            },
        },
        "hypotheses": {
            "primary": {"endpoint": "death", "arms": ["treatment", "control"], "analysis": "logrank", "direction": "lower"}
        },
        "truths": {"here": {}},
        "designs": {
            "fixed": {
                "kind": "fixed",
                "n": 60,
                "allocation": "simple",
                "looks": [{"when": {"calendar": "400 days"}}],
                "tests": {"primary": {"alpha": 0.025}},
            }
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Collected:
    return collect(scenario_from(steady()), ["fixed"], ["here"], 400, 3)


def curve(found: Collected, arm: str, term: str) -> AdverseEventCurve:
    every = adverse_event_curves(records_of(found), HERE)
    return next(each for each in every if (each.arm, each.term) == (arm, term))


@pytest.mark.parametrize("arm", RATES)
def test_the_curve_is_the_integrated_intensity(found: Collected, arm: str) -> None:
    rash, serious, cough, both = (curve(found, arm, term) for term in ("rash", SERIOUS, "cough", ALL))
    expected = RATES[arm] * (rash.days + (LATER - 1.0) * np.maximum(rash.days - CHANGE, 0.0))
    # Within a period the intensity changes once, and those at risk hardly do.
    for one, truth in ((rash, expected), (serious, 0.15 * expected), (cough, 0.01 * cough.days)):
        assert one.trials == 400 and one.days.size >= 20
        assert np.all(np.abs(one.mean - truth) < 5.0 * one.mcse + 1e-3 * truth)
        assert np.all(one.mcse < 0.2 * truth)
    assert both.mean == pytest.approx(rash.mean + cough.mean[: rash.days.size])


def test_the_table_says_what_the_table_of_arms_says(found: Collected) -> None:
    assert found.adverse_events is not None
    rows, arms = found.adverse_events.to_pandas(), found.arms.to_pandas()
    for arm in RATES:
        for term in ("rash", "cough"):
            mine = rows[(rows["arm"] == arm) & (rows["term"] == term)]
            own = arms[arms["arm"] == arm]
            counts = {name: own[f"{name}:{term}:mild"].sum() + own[f"{name}:{term}:severe"].sum()
                      for name in ("adverse_events", "serious")}  # fmt: skip
            assert mine["events"].sum() == counts["adverse_events"] > 0
            assert mine["serious"].sum() == counts["serious"]
            assert mine["risk_days"].sum() == pytest.approx(365.25 * own[f"risk_years:{term}"].sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "trials"),
    [pytest.param({"chunk": 7}, 70, marks=pytest.mark.exhaustive), ({"engine": "reference"}, 20)],
)
def test_neither_chunks_nor_the_engine_move_a_number(how: dict[str, Any], trials: int) -> None:
    scenario = scenario_from(everything())
    design, truth = next(iter(scenario.designs)), next(iter(scenario.truths))
    tables = [collect(scenario, [design], [truth], trials, 5, **given).adverse_events for given in ({}, how)]
    assert tables[0] is not None and tables[0].equals(tables[1])


def test_the_error_is_that_of_the_jackknife_over_groups() -> None:
    rng = np.random.default_rng(4)
    ends = np.array([10.0, 20.0, 50.0])
    risk = rng.uniform(50.0, 100.0, size=(50, 2, 3))
    events = rng.poisson(0.05 * risk).astype(np.float64)
    value, error = mean_cumulative(events, risk, ends)
    by_hand = np.cumsum((events.sum(axis=0) / risk.sum(axis=0) * np.array([10.0, 10.0, 30.0])).sum(axis=0))
    assert value == pytest.approx(by_hand)
    rest = np.array(
        [
            mean_cumulative(np.delete(events, g, axis=0), np.delete(risk, g, axis=0), ends)[0]
            for g in range(50)
        ]
    )
    jackknife = np.sqrt(49 / 50 * np.sum((rest - rest.mean(axis=0)) ** 2, axis=0))
    assert error == pytest.approx(jackknife, rel=0.02)
    assert np.isnan(mean_cumulative(events[:1], risk[:1], ends)[1]).all()


def test_periods_hold_whatever_can_happen() -> None:
    scenario = scenario_from(steady())
    life = build_plan(scenario, "fixed", "here", 1).world.life
    assert life is not None
    ends = period_ends(life.numbers, 500 * TICKS_PER_DAY)
    assert len(ends) == 24 and ends[-1] == 200 * TICKS_PER_DAY
    for days in (1000, 20000):
        treatment = life.numbers.treatment._replace(duration=days * TICKS_PER_DAY)
        endless = life.numbers._replace(treatment=treatment)
        ends = period_ends(endless, 9000 * TICKS_PER_DAY)
        assert ends[-1] == min(days + 20, 9000) * TICKS_PER_DAY
        assert (np.diff(ends) > 0).all() and ends[0] == 28 * TICKS_PER_DAY
    assert len(period_ends(life.numbers, 5)) == 5


@pytest.mark.slow
def test_the_report_shows_them_where_there_are_any(found: Collected) -> None:
    records = records_of(found)
    picture = adverse_event_picture(records)
    assert picture is not None
    assert "serious ones on treatment" in picture.alternative and "rash on control" in picture.alternative
    html = page(steady(), {}, operating_characteristics(records), records, {})
    assert "<h2>Adverse events and visits</h2>" in html and "mean cumulative function" in html
    without = records_of(collect(straight(), ["one"], ["base"], 3, 1))
    assert adverse_event_picture(without) is None
    assert "<h2>Adverse events and visits</h2>" not in page(
        {}, {}, operating_characteristics(without), without, {}
    )
