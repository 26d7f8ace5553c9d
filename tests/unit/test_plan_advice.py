"""Notes on plans that the scenario contradicts; what they expect by a time, against the integrals of sample sizes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

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


def test_read_outs_come_after_their_wait() -> None:
    pace = Pace(442, 8 / 7, readout=182.0)
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
    del given["truths"]["delayed"]
    assert about(given | {"designs": {"solved": solved}}) == []


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


def test_accrual_ahead_of_information_is_noted() -> None:
    given = tree("nph_oncology")
    given["accrual"] = {"evenly_spaced": {"over": "2 months"}}
    found = about(given)
    assert any(
        "When look 1 of “group_sequential” is taken (86 events), about 400 of its 400" in note
        for note in found
    )
    assert not any("“fixed”" in note for note in found)


def test_a_world_without_closed_form_is_passed_over() -> None:
    given = tree("actg175")
    assert all(pace_of(given, design) is None for design in given["designs"].values())
