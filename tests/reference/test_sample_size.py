"""Sample sizes against rpact, gsDesign and lrstat, each by the formula that the package uses."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from trialsim.stats.sample_size import means, proportions
from trialsim.stats.sample_size.means import MeansDesign
from trialsim.stats.sample_size.piecewise_events import Steps, SurvivalPlan, constant, expected_course
from trialsim.stats.sample_size.proportions import ProportionsDesign
from trialsim.stats.sample_size.survival import (
    LogrankDesign,
    critical_hazard_ratio,
    hazards_of_survival,
    required_events,
    solve_accrual,
    solve_follow_up,
    solve_patients,
)

with (Path(__file__).parent / "samplesize.csv").open(encoding="utf-8") as _file:
    ROWS = {row["row_id"]: row for row in csv.DictReader(_file)}

DROPOUT = constant(-math.log(0.95) / 12)
HAZARD = math.log(2) / 8

# rpact finds the size of a t test by a search whose result moves by up to 3e-7 of itself (its z rows, in closed form, agree
# to 15 digits; so does ours with statsmodels and with direct integration, in the unit tests).
T_SEARCH = 3e-7
EXACT = 1e-12


def figure(row: str, column: str) -> float:
    return float(ROWS[row][column])


MEANS = {
    "C01": (MeansDesign(0.5, 1.0), 0.9, T_SEARCH),
    "C02": (MeansDesign(0.5, 1.0, test="z"), 0.9, EXACT),
    "C03": (MeansDesign(0.3, 1.2, ratio=2.0), 0.8, T_SEARCH),
    "C05": (MeansDesign(1.25, 0.5, null=1.0, scale="ratio"), 0.9, T_SEARCH),
    "C06": (MeansDesign(0.4, 1.0, samples=1), 0.9, T_SEARCH),
}


@pytest.mark.parametrize("row", MEANS)
def test_means_are_those_of_rpact(row: str) -> None:
    design, power, tolerance = MEANS[row]
    total = means.means_sample_size(design, power)
    assert total == pytest.approx(figure(row, "n_total"), rel=tolerance)
    bound = means.critical_effect(design, *design.split(total))
    assert bound == pytest.approx(figure(row, "critical_effect_scale"), rel=max(tolerance, 1e-10))


PROPORTIONS = {
    "C09": (ProportionsDesign(0.5, 0.3), 0.9),
    "C10": (ProportionsDesign(0.5, 0.3, ratio=2.0), 0.8),
    "C12": (ProportionsDesign(0.5, 0.3, null=1.0, scale="ratio"), 0.9),
    "C29": (ProportionsDesign(0.5, 0.3), 0.9),
}


@pytest.mark.parametrize("row", PROPORTIONS)
def test_proportions_are_the_farrington_manning_sizes_of_rpact_and_gsdesign(row: str) -> None:
    design, power = PROPORTIONS[row]
    total = proportions.proportions_sample_size(design, power)
    assert total == pytest.approx(figure(row, "n_total"), rel=EXACT)
    if ROWS[row]["critical_effect_scale"]:
        bound = proportions.critical_effect(design, *design.split(total))
        assert bound == pytest.approx(figure(row, "critical_effect_scale"), rel=1e-9)


def uniform(hazard: float, ratio: float, dropout: Steps, allocation: float = 1.0) -> SurvivalPlan:
    return SurvivalPlan(constant(hazard), constant(ratio), constant(1.0), 12.0, dropout, dropout, allocation)


NONE = constant(0.0)
EVENT_HAZARD, EVENT_RATIO = hazards_of_survival(1 - 0.6, 1 - 0.4, 12.0)
PATIENTS = {
    "C17": (LogrankDesign(0.7), uniform(HAZARD, 0.7, NONE), 12.0),
    "C19": (LogrankDesign(0.7, ratio=2.0, method="hsieh-freedman"), uniform(HAZARD, 0.7, NONE, 2.0), 12.0),
    "C20": (LogrankDesign(EVENT_RATIO), uniform(EVENT_HAZARD, EVENT_RATIO, NONE), 6.0),
    "C21": (LogrankDesign(0.7), uniform(HAZARD, 0.7, DROPOUT), 12.0),
    "C33": (LogrankDesign(0.7, method="lachin-foulkes"), uniform(HAZARD, 0.7, DROPOUT), 12.0),
}


@pytest.mark.parametrize("row", PATIENTS)
def test_patients_and_events_are_those_of_rpact_and_gsdesign(row: str) -> None:
    design, plan, follow_up = PATIENTS[row]
    solved = solve_patients(design, plan, follow_up, 0.9)
    events = expected_course(solved, 12.0 + follow_up).events
    assert solved.patients == pytest.approx(figure(row, "n_total"), rel=EXACT)
    assert events == pytest.approx(figure(row, "events"), rel=EXACT)
    if design.method != "lachin-foulkes":
        assert required_events(design, 0.9) == pytest.approx(events, rel=EXACT)
        bound = critical_hazard_ratio(design, events)
        assert bound == pytest.approx(figure(row, "critical_effect_scale"), rel=EXACT)


def piecewise() -> SurvivalPlan:
    hazard = Steps((0.0, 6.0, 12.0), (0.06, 0.08, 0.05))
    return SurvivalPlan(hazard, constant(0.7), Steps((0.0, 6.0), (10.0, 25.0)), 99.0, DROPOUT, DROPOUT)


def test_accrual_is_open_as_long_as_gsdesign_says() -> None:
    # gsDesign solves for the duration by uniroot with its default tolerance, 1.2e-4.
    solved = solve_accrual(LogrankDesign(0.7, method="lachin-foulkes"), piecewise(), 12.0, 0.9)
    time = solved.accrual_duration + 12.0
    assert time == pytest.approx(figure("C35", "study_duration"), abs=1.2e-4)
    assert solved.patients == pytest.approx(figure("C35", "n_total"), abs=25.0 * 1.2e-4)
    assert expected_course(solved, time).events == pytest.approx(figure("C35", "events"), abs=25.0 * 1.2e-4)


def test_follow_up_is_that_of_lrstat() -> None:
    # lrstat reaches a power of 0.899999999227, its events fall short by as much.
    plan = SurvivalPlan(constant(HAZARD), constant(0.7), constant(40.0), 12.0)
    follow_up = solve_follow_up(LogrankDesign(0.7), plan, float(ROWS["C36"]["power"]))
    assert 12.0 + follow_up == pytest.approx(figure("C36", "study_duration"), rel=1e-9)
    assert plan.patients == pytest.approx(figure("C36", "n_total"), rel=EXACT)
    events = required_events(LogrankDesign(0.7), float(ROWS["C36"]["power"]))
    assert events == pytest.approx(figure("C36", "events"), rel=1e-9)
