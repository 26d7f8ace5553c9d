"""Notes on plans that the scenario contradicts; what they expect by a time, against the integrals of sample sizes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from trialsim.designs.expected_events import events_by_the_horizon
from trialsim.scenario.advice import notes
from trialsim.scenario.expected_pace import Pace, pace_of
from trialsim.scenario.load import load_scenario, scenario_from

ROOT = Path(__file__).resolve().parent.parent.parent


def tree(family: str) -> dict[str, Any]:
    found = copy.deepcopy(load_scenario(ROOT / "scenarios" / family / f"{family}.yaml").dump())
    for hypothesis in found["hypotheses"].values():
        hypothesis.pop("follow_up", None)
    return found


@pytest.mark.parametrize("months", [13, 18, 40])
@pytest.mark.parametrize("ratio", [{}, {"control": 1, "treatment": 2}])
def test_events_are_those_of_the_integrals(months: int, ratio: dict[str, int]) -> None:
    changed = tree("nph_oncology") | {"horizon": f"{months} months"}
    design = changed["designs"]["fixed"] | {"looks": [{"when": {"calendar": f"{months} months"}}]}
    design["allocation"] = {"simple": {"ratio": ratio} if ratio else {}}
    scenario = scenario_from(changed | {"designs": {"fixed": design}})
    resolved = scenario.dump()
    pace = pace_of(resolved, resolved["designs"]["fixed"])
    assert pace is not None
    day = scenario.horizon
    expected = events_by_the_horizon(scenario.world("proportional"), scenario.designs["fixed"])
    assert pace.events(day) == pytest.approx(expected, rel=1e-9)
    found = pace.day_of("events", 20)
    assert found is not None
    assert pace.events(found) == pytest.approx(20.0, abs=1e-6)


PIECES = {
    "hazard": {"baseline": {"hazard": "0.06 per month"}},
    "hazards": {
        "baseline": {
            "piecewise": [
                {"from": "0 months", "hazard": "0 per month"},
                {"from": "2 months", "hazard": "0.09 per month"},
                {"from": "9 months", "hazard": "0.05 per month"},
            ]
        },
    },
    "ratios": {
        "effect": {
            "treatment": [
                {"from": "0 months", "hazard_ratio": 1.2},
                {"from": "4 months", "hazard_ratio": 0.5},
            ]
        }
    },
}


@pytest.mark.parametrize("law", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("day", [20.0, 200.0, 700.0])
def test_events_of_laws_and_accrual_in_pieces_are_the_integral(law: dict[str, Any], day: float) -> None:
    """Midpoints over the times since entry, patients entering as the rates say, apart from all closed forms."""
    given = tree("nph_oncology")
    given["truths"] = {"world": {}}
    given["endpoints"]["death"] |= law
    rates = [("0 months", 90.0), ("2 months", 0.0), ("3 months", 30.0), ("8 months", 5.0)]
    pieces = [{"from": start, "rate": f"{rate} per month"} for start, rate in rates]
    given["accrual"] = {"piecewise": {"rates": pieces}}
    given["dropout"] = {
        "baseline": {
            "piecewise": [
                {"from": "0 months", "hazard": "0.03 per month"}, {"from": "5 months", "hazard": "0.01 per month"}
            ]
        }
    }  # fmt: skip
    scenario = scenario_from(given | {"designs": {"fixed": given["designs"]["fixed"]}})
    resolved = scenario.dump()
    pace = pace_of(resolved, resolved["designs"]["fixed"])
    assert pace is not None

    step, month = 0.02, 365.25 / 12
    time = np.arange(step / 2, day, step)
    starts, paces = (
        np.array([float(start.split()[0]) for start, _ in rates]),
        np.array([rate for _, rate in rates]),
    )
    each = paces[np.searchsorted(starts * month, time, side="right") - 1] / month
    come = np.minimum(np.concatenate(([0.0], np.cumsum(each) * step)), scenario.designs["fixed"].n)
    waiting = 0.5 * (come[1:] + come[:-1])[::-1]  # entered by `day - time`
    endpoint = scenario.world("world").endpoints["death"]
    begins, hazards = (np.array(part) for part in endpoint.baseline.segments())
    hazard = hazards[np.searchsorted(begins, time, side="right") - 1]
    ratio = endpoint.effect["treatment"]
    turns, factors = ((0.0,), (ratio,)) if isinstance(ratio, float) else zip(*ratio, strict=True)
    changed = hazard * np.array(factors)[np.searchsorted(np.array(turns), time, side="right") - 1]
    leave = np.where(time < 5 * month, 0.03, 0.01) / month
    events = 0.0
    for arm in (hazard, changed):
        free = np.exp(-(np.cumsum(arm + leave) - 0.5 * (arm + leave)) * step)
        events += 0.5 * float(np.sum(arm * free * waiting)) * step
    assert pace.events(day) == pytest.approx(events, rel=2e-4)


@pytest.mark.parametrize("day", [100.0, 400.0, 900.0])
def test_deaths_of_another_endpoint_end_follow_up(day: float) -> None:
    """Cumulative incidence in the presence of death, of patients who enter evenly, each arm with its own hazards."""
    given = tree("nph_oncology")
    given["truths"] = {"world": {}}
    given["endpoints"]["progression"] = {
        "kind": "survival", "baseline": {"hazard": "0.002 per day"}, "effect": {"treatment": 0.7},
    }  # fmt: skip
    given["endpoints"]["death"] |= {
        "terminal": True,
        "baseline": {"hazard": "0.01 per day"},
        "effect": {"treatment": 0.5},
    }
    given["hypotheses"]["primary"]["endpoint"] = "progression"
    given["accrual"] = {"evenly_spaced": {"over": "200 days"}}
    given["dropout"] = {"baseline": {"hazard": "0.001 per day"}}
    fixed = given["designs"]["fixed"] | {"looks": [{"when": {"calendar": "900 days"}}]}
    resolved = scenario_from(given | {"designs": {"fixed": fixed}}).dump()
    pace = pace_of(resolved, resolved["designs"]["fixed"])
    assert pace is not None
    events = 0.0
    for hazard, death in ((0.002, 0.01), (0.0014, 0.005)):
        out = hazard + death + 0.001
        seen = quad(lambda entry: -np.expm1(-out * (day - entry)), 0.0, min(day, 200.0))[0]  # noqa: B023
        events += 0.5 * fixed["n"] / 200.0 * hazard / out * seen
    assert pace.events(day) == pytest.approx(events, rel=1e-9)

    death = given["endpoints"]["death"]
    death["baseline"] = {"weibull": {"shape": 1.2, "median": "100 days"}}
    resolved = scenario_from(given | {"designs": {"fixed": fixed}}).dump()
    assert pace_of(resolved, resolved["designs"]["fixed"]) is None


def test_read_outs_come_after_their_wait() -> None:
    pace = Pace(442, ((0.0, 8 / 7),), readout=182.0)
    assert pace.day_of("readouts", 208) == pytest.approx(364.0)
    assert pace.enrolled(364.0) == pytest.approx(416.0)
    assert pace.day_of("readouts", 443) is None


def about(given: dict[str, Any]) -> list[str]:
    return list(notes(scenario_from(given).dump()))


def test_a_size_for_proportional_hazards_is_noted_where_a_truth_has_a_late_effect() -> None:
    given = tree("nph_oncology")
    solved = {
        "kind": "group_sequential", "n": 400, "allocation": "alternating", "looks": 3, "power": 0.9,
        "under": "proportional", "tests": {"primary": {"alpha": 0.025}}, "efficacy": "lan_demets_obrien_fleming",
    }  # fmt: skip
    found = about(given | {"designs": {"solved": solved}})
    assert len(found) == 1
    assert "under “proportional”, but under “delayed” that of “death” changes in time" in found[0]
    late = given["truths"].pop("delayed")
    assert about(given | {"designs": {"solved": solved}}) == []
    other = copy.deepcopy(given) | {"arms": ["control", "treatment", "other"]}
    other["endpoints"]["death"]["effect"]["other"] = 0.7
    other["truths"]["elsewhere"] = {"endpoints.death.effect.other": late["endpoints.death.effect.treatment"]}
    assert about(other | {"designs": {"solved": solved | {"arms": ["control", "treatment"]}}}) == []
    given["truths"] = {
        "proportional": {"endpoints.death.effect.treatment": 0.7},
        "as_it_stands": {},  # what the world itself says
        "whichever": {"endpoints.*.effect.*": 0.8},
    }
    given["endpoints"]["death"]["effect"] = {"treatment": late["endpoints.death.effect.treatment"]}
    (found,) = (note for note in about(given | {"designs": {"solved": solved}}) if "The size" in note)
    assert "but under “as_it_stands” that of “death” changes in time" in found


def test_information_counted_in_events_is_noted_for_weighted_tests() -> None:
    given = tree("late_effect")
    design = given["designs"]["group_sequential"]
    design.pop("computed")
    given["designs"] = {"late": design}
    assert about(given) == []
    (found,) = about(given | {"designs": {"late": design | {"information": [0.33, 0.67, 1]}}})
    assert "is the fraction of events (0.33, 0.67, 1.00)" in found
    bounds = {key: part for key, part in design.items() if key not in ("information", "efficacy")}
    (found,) = about(given | {"designs": {"late": bounds | {"bounds": {"efficacy_z": [3.7, 2.5, 1.99]}}}})
    assert "make sure that they are for the information of fleming_harrington" in found


def test_more_events_than_patients_can_give_are_noted() -> None:
    given = tree("nph_oncology")
    assert about(given) == []
    found = about(given | {"horizon": "20 months"})
    assert any("waits for 259 events, and 400 patients are expected to have about" in note for note in found)


FRONT = [{"from": "0 months", "rate": "190 per month"}, {"from": "2 months", "rate": "5 per month"}]


@pytest.mark.parametrize(
    "accrual", [{"evenly_spaced": {"over": "2 months"}}, {"piecewise": {"rates": FRONT}}]
)
def test_accrual_ahead_of_information_is_noted(accrual: dict[str, Any]) -> None:
    given = tree("nph_oncology")
    given["accrual"] = accrual
    found = about(given)
    assert any(
        "When look 1 of “group_sequential” is taken (86 events), about" in note
        and "accrual runs ahead" in note
        for note in found
    )
    assert not any("“fixed”" in note for note in found)


@pytest.mark.parametrize(
    "seen",
    [
        {"readout": "14 days"},
        {"report_delay": "14 days"},
        {"adjudication": {"delay": "1 day", "confirmed": 0.6}},
    ],
    ids=["readout", "report_delay", "adjudication"],
)
def test_events_that_are_seen_later_or_not_confirmed_are_passed_over(seen: dict[str, Any]) -> None:
    given = tree("nph_oncology")
    assert pace_of(given, given["designs"]["fixed"]) is not None
    given["endpoints"]["death"] |= seen
    resolved = scenario_from(given).dump()
    assert pace_of(resolved, resolved["designs"]["fixed"]) is None


def test_a_world_without_closed_form_is_passed_over() -> None:
    given = tree("actg175")
    assert all(pace_of(given, design) is None for design in given["designs"].values())
