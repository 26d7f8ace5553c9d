"""Bounds that follow the information seen: what they spend, where they stay, and that both engines use the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import multivariate_normal, norm

from trialsim.conformance import check_twins
from trialsim.designs.boundaries import group_sequential
from trialsim.designs.followed_bounds import FollowedBounds
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError
from trialsim.report.story import explain
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.simulation import simulate

FILE = Path(__file__).resolve().parents[2] / "scenarios" / "computed_bounds" / "computed_bounds.yaml"
ALPHA = 0.025
CALENDAR: dict[str, Any] = yaml.safe_load("""
name: calendar
horizon: 6 years
accrual: {poisson: {rate: 30 per month}}
arms: [control, treatment]
endpoints:
  death: {kind: survival, baseline: {median: 8 months}, effect: {treatment: 0.7}}
hypotheses:
  primary: {endpoint: death, arms: [treatment, control], analysis: logrank, direction: lower}
truths: {effect: {}}
designs:
  sequential:
    kind: group_sequential
    n: 400
    allocation: alternating
    looks: [{when: {calendar: 9 months}}, {when: {calendar: 15 months}}, {when: {calendar: 20 months}}]
    information: [0.3, 0.7, 1]
    events: 260
    tests: {primary: {alpha: 0.025}}
    efficacy: lan_demets_obrien_fleming
""")


def follower(**changes: Any) -> FollowedBounds | None:
    """Return what follows, with keys of the design changed, or left out where None."""
    design = {
        key: value
        for key, value in (CALENDAR["designs"]["sequential"] | changes).items()
        if value is not None
    }
    scenario = scenario_from(CALENDAR | {"designs": {"sequential": design}})
    found = build_plan(scenario, "sequential", "effect", 1).tests[0].follower
    assert found is None or isinstance(found, FollowedBounds)
    return found


def crossing(counts: Sequence[float], bounds: Sequence[float]) -> float:
    """Return the chance that a standard process crosses upper bounds (multivariate normal probabilities, Genz 1992)."""
    finite = [k for k, bound in enumerate(bounds) if math.isfinite(bound)]
    rates = np.array([counts[k] for k in finite], dtype=float)
    covariance = np.sqrt(np.minimum.outer(rates, rates) / np.maximum.outer(rates, rates))
    law = multivariate_normal(np.zeros(len(rates)), covariance, allow_singular=True, abseps=1e-9, releps=1e-9)
    return 1.0 - float(law.cdf(np.array([bounds[k] for k in finite])))


def obrien_fleming_spent(fraction: float) -> float:
    """Return the error spent by a fraction (Lan and DeMets 1983)."""
    return float(2.0 * norm.sf(norm.isf(ALPHA / 2.0) / math.sqrt(min(fraction, 1.0))))


@pytest.mark.parametrize("path", [(60, 150, 220), (90, 200, 310), (40, 259, 261), (1, 2, 260)])
def test_what_was_seen_is_spent_and_the_last_look_spends_the_rest(path: tuple[int, ...]) -> None:
    found = follower()
    assert found is not None
    bounds = [found.at(path[: look + 1], look == 2)[0] for look in range(3)]
    for look in (0, 1):
        spent = crossing(path[: look + 1], bounds[: look + 1])
        assert spent == pytest.approx(obrien_fleming_spent(path[look] / 260), abs=1e-6)
    assert crossing(path, bounds) == pytest.approx(ALPHA, abs=1e-6)


def test_planned_counts_have_the_planned_bounds() -> None:
    found = follower()
    assert found is not None
    path = (78, 182, 260)
    for look, planned in enumerate(found.planned.efficacy_z):
        assert found.at(path[: look + 1], look == 2)[0] == pytest.approx(float(planned), abs=1e-9)


def test_all_is_spent_once_the_maximum_is_reached() -> None:
    found = follower()
    assert found is not None
    bounds = [found.at((100, 265)[: look + 1], last=False)[0] for look in (0, 1)]
    assert crossing((100, 265), bounds) == pytest.approx(ALPHA, abs=1e-6)
    assert math.isinf(found.at((100, 265, 300), last=True)[0])


def test_nothing_new_spends_nothing_but_at_the_last_look() -> None:
    found = follower()
    assert found is not None
    assert found.at((0,), last=False) == (math.inf, -math.inf)
    assert found.at((100, 100), last=False) == (math.inf, -math.inf)
    assert found.at((0, 0, 0), last=True) == (math.inf, -math.inf)
    # With the same statistic seen twice, the second bound alone decides: it is that of a design without the first look.
    assert found.at((50, 100, 100), last=True) == found.at((50, 100), last=True)


def test_futility_that_spends_follows_too() -> None:
    found = follower(futility={"hwang_shih_decani": -2}, power=0.9)
    assert found is not None
    early, late = (found.at((count,), last=False)[1] for count in (40, 120))
    assert early < float(found.planned.futility_z[0]) < late
    rule = follower(futility={"z": [0, 0.5]})
    assert rule is not None
    assert [rule.at((40, 200)[: look + 1], last=False)[1] for look in (0, 1)] == [0.0, 0.5]


@pytest.mark.parametrize(
    "changes",
    [
        {"efficacy": "obrien_fleming"},
        {"efficacy": {"user_defined": [0.001, 0.01, 0.025]}},
        {"events": None},
        {"futility": {"z": 0}, "futility_binding": True},
    ],
)
def test_bounds_that_stay_as_planned(changes: dict[str, Any]) -> None:
    assert follower(**changes) is None


def test_looks_at_the_planned_events_are_judged_by_the_planned_bounds() -> None:
    looks = simulate(FILE, "solved_survival", "effect", 300, 1).looks()
    bounds = load_scenario(FILE).designs["solved_survival"].efficacy_z("hazard")
    for number, bound in enumerate(bounds, start=1):
        assert set(looks.loc[looks["look"] == number, "efficacy_z"]) == {bound}


def test_looks_by_the_calendar_are_judged_by_the_events_seen() -> None:
    looks = simulate(FILE, "calendar_survival", "effect", 200, 1).looks()
    first = looks[looks["look"] == 1]
    spent = ALPHA * np.log(
        1.0 + (math.e - 1.0) * first["events"] / 273
    )  # Lan and DeMets (1983), Pocock's form
    assert first["efficacy_z"].to_numpy() == pytest.approx(norm.isf(spent), abs=1e-8)
    assert first["efficacy_z"].nunique() > 10


LEAVING = yaml.safe_load("""
name: leaving
horizon: 6 years
accrual: {evenly_spaced: {over: 12 months}}
arms: [control, low, high]
endpoints:
  death: {kind: survival, baseline: {hazard: 0.1 per year}, effect: {low: 1, high: 1}, terminal: true}
  relapse: {kind: survival, baseline: {hazard: 0.6 per year}, effect: {low: 1, high: 1}}
discontinuation: {other: {baseline: {hazard: 0.7 per year}}}
hypotheses:
  failing: {endpoint: relapse, arms: [low, control], analysis: logrank, direction: lower, strategy: composite}
  during: {endpoint: relapse, arms: [high, control], analysis: logrank, direction: lower, strategy: while_on_treatment}
  without: {endpoint: relapse, arms: [high, control], analysis: logrank, direction: lower, strategy: hypothetical}
truths: {none: {}}
designs:
  gs:
    kind: group_sequential
    n: 300
    allocation: alternating
    looks: [{when: {calendar: 11 months}}, {when: {calendar: 20 months}}, {when: {calendar: 50 months}}]
    information: [0.3, 0.7, 1]
    events: 190
    tests: {failing: {alpha: 0.025}, during: {alpha: 0.025}, without: {alpha: 0.025}}
    efficacy: lan_demets_pocock
""")


@pytest.mark.parametrize("replicate", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_bounds_go_by_the_events_of_all_arms_whatever_a_strategy_makes_of_them(replicate: int) -> None:
    story = explain(scenario_from(LEAVING), "gs", "none", replicate, 1)
    events = story.events
    relapses = events[(events["kind"] == "event") & (events["endpoint"] == "relapse")]["tick"]
    looks = story.replay.looks
    seen = [int((relapses <= look.cut).sum()) for look in looks]
    spent = [ALPHA * math.log(1.0 + (math.e - 1.0) * min(count / 190, 1.0)) for count in seen]
    told = [
        text
        for text in story.sentences
        if text.startswith("Spending goes by the events of relapse known in all")
    ]
    assert len(told) == len(looks) == 3
    for k, look in enumerate(looks):
        assert len(set(look.efficacy_z.tolist())) == 1
        bounds = [float(each.efficacy_z[0]) for each in looks[: k + 1]]
        wanted = ALPHA if k == 2 else spent[k]
        assert crossing(seen[: k + 1], bounds) == pytest.approx(wanted, abs=1e-6)
        path = ", ".join(str(count) for count in seen[:k])
        path += f"{' and ' if k else ''}{seen[k]} of 190 at the looks so far"
        assert f"whatever a strategy makes of them: {path}, so that the bounds of look {k + 1} are" in told[k]
        # None of the tests takes as many, nor has it the same share of what it takes in the end.
        used = [sum(each.event for each in taken or ()) for taken in look.used]
        assert seen[k] not in used


@pytest.mark.parametrize(
    ("clock", "own", "family", "level"),
    [
        ((0.28, 0.724, 1.0), (0.376, 0.838, 1.0), "lan_demets_pocock", 0.0232),
        pytest.param(
            (0.28, 0.724, 1.0),
            (0.376, 0.838, 1.0),
            "lan_demets_obrien_fleming",
            0.0238,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            (1 / 3, 2 / 3, 1.0), (0.2, 0.5, 1.0), "lan_demets_pocock", 0.0272, marks=pytest.mark.slow
        ),
        pytest.param(
            (1 / 3, 2 / 3, 1.0), (0.2, 0.5, 1.0), "lan_demets_obrien_fleming", 0.0262, marks=pytest.mark.slow
        ),
    ],
)
def test_the_level_where_a_test_has_other_shares_of_its_own_events_is_the_one_stated(
    clock: tuple[float, ...], own: tuple[float, ...], family: str, level: float
) -> None:
    bounds = group_sequential(clock, alpha=ALPHA, efficacy=family).efficacy_z
    assert crossing(clock, bounds) == pytest.approx(ALPHA, abs=1e-6)
    assert round(crossing(own, bounds), 4) == level
    page = (FILE.parents[2] / "docs" / "why.md").read_text(encoding="utf-8")
    assert f"{level:.4f}" in page


def test_nothing_is_said_of_bounds_that_are_those_planned() -> None:
    story = explain(load_scenario(FILE), "solved_survival", "effect", 0, 1)
    assert not any("Spending goes by" in text for text in story.sentences)
    assert any("efficacy bound" in text for text in story.sentences)


@pytest.mark.slow
def test_the_engines_use_the_same_bounds() -> None:
    assert not check_twins(load_scenario(FILE), ["calendar_survival"], ["no_effect"], range(20))
    one, other = (
        simulate(FILE, "calendar_survival", "no_effect", 20, 7, engine=engine).looks()
        for engine in ("fast", "reference")
    )
    assert one["efficacy_z"].tolist() == other["efficacy_z"].tolist()


def test_a_maximum_beside_looks_that_count_is_refused() -> None:
    with pytest.raises(ScenarioError, match="leave one out"):
        follower(looks=[{"when": {"events": 100}}, {"when": {"events": 260}}], information=None)
