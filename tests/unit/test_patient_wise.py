"""Stages that are split by patients: each cohort to its own end, tested by other hands; what a scenario may not ask."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test
from scipy.stats import chi2, multivariate_normal, norm

from tests.unit.test_multi_arm import EFFECTS, going_on, seen
from trialsim.contracts import Status
from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.errors import ScenarioError
from trialsim.policies.select_arms import SelectArms
from trialsim.report.story import Story, explain
from trialsim.scenario.advice import notes
from trialsim.scenario.load import scenario_from
from trialsim.simulation import simulate
from trialsim.stats.combination.fisher import fisher_critical
from trialsim.timegrid import TICKS_PER_DAY

BY = {"by": {"endpoint": "response", "direction": "higher"}}
TREE: dict[str, Any] = {
    "name": "cohorts",
    "arms": ["control", "low", "high"],
    "accrual": {"evenly_spaced": {"rate": "1 per day"}},
    "population": {"traits": {"prognosis": {"sd": 1}}},
    "endpoints": {
        "response": {"kind": "continuous", "readout": "10 days", "mean": 0, "sd": 0.5, "effect": {"low": 0, "high": 0.2},
                     "effect_kind": "conditional", "latent": {"prognosis": 1}},
        "death": {"kind": "survival", "baseline": {"median": "90 days"}, "effect": {"low": 1, "high": 0.5},
                  "effect_kind": "conditional", "latent": {"prognosis": -1}},
    },
    "hypotheses": {
        arm: {"endpoint": "death", "arms": [arm, "control"], "analysis": "logrank", "direction": "lower"}
        for arm in ("low", "high")
    },
    "dropout": {"baseline": {"median": "5 years"}},
    "truths": {"effect": {}},
    "designs": {
        "only": {
            "kind": "multi_arm_multi_stage",
            "n": 120,
            "allocation": "alternating",
            "looks": [{"when": {"readouts": {"count": 45, "endpoint": "response"}}}, {"when": {"events": 60}}],
            "tests": {"low": {"alpha": 0.025}, "high": {"alpha": 0.025}},
            "selection": {"select_best": BY},
            "stages": {"patient_wise": {"events": [40, 30]}},
        }
    },
}  # fmt: skip
INCREMENTS = {"stages": "increments", "information": [0.3, 1], "bounds": {"efficacy_z": [None, 1.96]}}


def asked(**changes: Any) -> dict[str, Any]:
    tree = copy.deepcopy(TREE)
    design = tree["designs"]["only"]
    for key, value in changes.items():
        if value is None:
            design.pop(key, None)
        else:
            design[key] = value
    return tree


def ran(engine: str, replicates: range | list[int], tree: dict[str, Any]) -> ChunkResult:
    plan = build_plan(scenario_from(tree), "only", "effect", 1)
    return conduct(start_engine(plan, engine).start(np.array(replicates)))


def cohorts_of(story: Story) -> list[pd.DataFrame]:
    """Return the patients of each stage as of its end: the look's cut parts them, its events end them."""
    cut, people = story.replay.looks[0].cut / TICKS_PER_DAY, story.patients
    found = []
    for members, count in ((people["RANDDT"] <= cut, 40), (people["RANDDT"] > cut, 30)):
        stage = people[members].copy()
        died = stage["RANDDT"] + stage["DEATH_TIME"]
        end = np.sort(died[stage["DEATH_CNSR"] == 0])[count - 1]
        stage = stage[stage["RANDDT"] <= end]
        stage["TIME"] = np.minimum(died, end) - stage["RANDDT"]
        stage["EVENT"] = (stage["DEATH_CNSR"] == 0) & (died <= end)
        assert stage["EVENT"].sum() == count
        found.append(stage)
    return found


def statistic(stage: pd.DataFrame, arm: str) -> float:
    """Return lifelines' log-rank statistic of a stage's patients, positive where the arm has fewer deaths."""
    one, other = stage[stage["ARM"] == arm], stage[stage["ARM"] == "control"]
    test = logrank_test(one["TIME"], other["TIME"], one["EVENT"], other["EVENT"])
    pair = pd.concat([one, other])
    expected = sum(
        (one["TIME"] >= time).sum() / (pair["TIME"] >= time).sum() for time in pair.loc[pair["EVENT"], "TIME"]
    )
    return float(np.sqrt(test.test_statistic) * np.sign(expected - one["EVENT"].sum()))


def dunnett(z: float) -> float:
    """Return Dunnett's p value of the larger of two statistics with as many patients in every arm."""
    return float(1.0 - multivariate_normal(cov=[[1.0, 0.5], [0.5, 1.0]]).cdf([z, z]))


@pytest.mark.parametrize(("combination", "replicate"), [("inverse_normal", 0), ("fisher", 1)])
def test_the_closed_statistic_is_that_of_lifelines_tests_of_the_cohorts(
    combination: str, replicate: int
) -> None:
    scenario = scenario_from(asked(combination=combination))
    story = explain(scenario, "only", "effect", replicate, 1)
    first, last = story.replay.looks
    (arm,) = {"low", "high"} - {
        story.replay.plan.arms[row.id] for row in story.replay.log if row.kind.name == "ARM_CLOSED"
    }
    early, late = cohorts_of(story)
    z = {name: statistic(early, name) for name in ("low", "high")}
    second = norm.sf(statistic(late, arm))
    sets = (dunnett(max(z.values())), norm.sf(z[arm]))
    if combination == "fisher":
        closed = min(norm.isf(p * second) for p in sets)
    else:
        w, v = np.sqrt(40 / 70), np.sqrt(30 / 70)
        closed = min(w * norm.isf(p) + v * norm.isf(second) for p in sets)
    place = story.replay.test_names.index(arm)
    assert last.z[place] == pytest.approx(closed, abs=2e-5)
    assert last.stage_z is not None
    assert last.stage_z[0] == pytest.approx([z["low"], z["high"]], abs=1e-9)
    assert last.efficacy_z[place] == pytest.approx(
        norm.isf(np.exp(-chi2.isf(0.025, 4) / 2)) if combination == "fisher" else norm.isf(0.025), abs=1e-9
    )
    assert not np.isfinite(first.efficacy_z).any()


def test_the_critical_product_is_bauers_and_koehnes() -> None:
    c = fisher_critical(0.025, 2)
    assert c * (1 - np.log(c)) == pytest.approx(0.025, rel=1e-12)


def test_what_is_decided_moves_neither_end_nor_statistic_of_the_first_stage() -> None:
    """Whatever goes on, and by whatever it was chosen: what the first stage shows was fixed before."""
    rules: list[Any] = [
        {"select_best": BY}, {"select_best": {}}, "keep_all", {"select_best": {"by": {**BY["by"], "direction": "lower"}}},
    ]  # fmt: skip
    found = [ran("fast", range(300), asked(selection=rule)) for rule in rules]
    last = [result.looks[-1].cohorts for result in found]
    assert all(one is not None and (one.ends > 0).all() for one in last)
    kept = np.stack([result.looks[0].decision.open_arms for result in found])
    assert (kept[0] != kept[1]).any() and (kept[0] != kept[3]).any()
    for one in last[1:]:
        assert np.array_equal(one.ends[:, 0], last[0].ends[:, 0])  # type: ignore[union-attr]
        assert np.array_equal(one.z[:, 0], last[0].z[:, 0])  # type: ignore[union-attr]


def test_events_after_the_end_of_their_stage_are_counted_as_untested() -> None:
    """All that is known at the last look but the 40 and 30 with which the stages end."""
    simulated = simulate(scenario_from(TREE), replicates=200, seed=1)
    trials = simulated.trials()
    assert (trials["events_untested"] == trials["events"] - 70).all()
    (row,) = simulated.characteristics.select("events_untested")
    assert row.value == pytest.approx(trials["events"].mean() - 70)
    assert row.value > 1


def test_a_look_before_the_first_event_chooses_and_nothing_has_failed() -> None:
    tree = asked(
        looks=[{"when": {"readouts": {"count": 6, "endpoint": "response"}}}, {"when": {"events": 60}}]
    )
    tree["endpoints"]["death"]["baseline"] = {"median": "2000 days"}
    tree["designs"]["only"]["stages"] = {"patient_wise": {"events": [3, 40]}}
    trials = simulate(scenario_from(tree), replicates=100, seed=1).trials()
    assert (trials["status"] == "ok").all()
    assert (trials["stop_look"] == 2).all()
    told = " ".join(explain(scenario_from(tree), "only", "effect", 0, 1).sentences)
    assert "has no statistic yet, not selected (select_best by response)" in told


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_increments_have_not_failed_either_where_an_arm_is_given_up_before_its_first_event(
    engine: str,
) -> None:
    looks = [{"when": {"readouts": {"count": 6, "endpoint": "response"}}}, {"when": {"events": 20}}]
    tree = asked(looks=looks, **INCREMENTS)
    tree["endpoints"]["death"]["baseline"] = {"median": "2000 days"}
    run = simulate(scenario_from(tree), replicates=10, seed=1, engine=engine)
    trials, looked = run.trials(), run.looks()
    assert (trials["status"] == "ok").all()
    assert (trials["stop_look"] == 2).all()
    early = looked[(looked["look"] == 1) & (looked["events"] == 0)]
    assert len(early) > 10
    assert set(early["status"].astype(str)) == {"not_analysed"}
    given_up = (trials[["status:low", "status:high"]] == "not_analysed").sum(axis=1)
    assert (given_up == 1).sum() > 5  # of the arm that was not selected nothing was ever estimated
    told = " ".join(explain(scenario_from(tree), "only", "effect", 0, 1).sentences)
    assert "has no statistic yet, which counts as p = 1, not selected (select_best by response)" in told


def test_increments_have_failed_where_the_last_look_has_no_event() -> None:
    looks = [{"when": {"readouts": {"count": 6, "endpoint": "response"}}}, {"when": {"calendar": "60 days"}}]
    tree = asked(looks=looks, **INCREMENTS)
    tree["endpoints"]["death"]["baseline"] = {"median": "900 years"}
    trials = simulate(scenario_from(tree), replicates=10, seed=1).trials()
    assert (trials["status"] == "failed").all()


def test_before_the_last_look_nothing_is_rejected() -> None:
    tree = asked(selection="keep_all")
    tree["endpoints"]["death"]["effect"]["high"] = 0.05
    result = ran("fast", range(200), tree)
    assert (result.looks[0].z[:, 1] > 3).any()
    assert (result.reject_look[:, 1] == 2).mean() > 0.5
    assert set(np.unique(result.reject_look)) <= {0, 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"stages": {"patient_wise": {"calendar": ["100 days", "150 days"]}}, "information": [0.5, 1]},
        {"looks": [{"when": {"enrolled": 40}}, {"when": {"events": 30}}, {"when": {"events": 60}}],
         "stages": {"patient_wise": {"events": [20, 20, 15]}}, "combination": "fisher",
         "selection": {"within_epsilon": {"epsilon": 0.1, **BY}}},
        {"looks": [{"when": {"enrolled": 60}, "decision_lag": "9 days"},
                   {"when": {"events": 60, "no_later_than": "140 days"}}]},
    ],
)  # fmt: skip
def test_stages_are_the_same_in_both_engines(changes: dict[str, Any]) -> None:
    tree = asked(**changes)
    fast = ran("fast", range(6), tree)
    for replicate in range(6):
        one = ran("reference", [replicate], tree)
        for look in one.looks:
            (other,) = [
                (each, k)
                for each in fast.looks
                for k in np.flatnonzero(
                    (each.point.rows == replicate) & (each.point.number == look.point.number)
                )
            ]
            record, k = other
            assert look.cohorts is not None and record.cohorts is not None
            assert np.array_equal(look.cohorts.ends[0], record.cohorts.ends[k])
            assert np.array_equal(look.cohorts.z[0], record.cohorts.z[k], equal_nan=True)
            assert np.array_equal(look.z[0], record.z[k], equal_nan=True)
            assert np.array_equal(look.cohorts.untested[0], record.cohorts.untested[k], equal_nan=True)
            assert np.array_equal(look.worth[0], record.worth[k], equal_nan=True)  # type: ignore[index]


def test_an_end_by_the_calendar_is_that_time() -> None:
    tree = asked(stages={"patient_wise": {"calendar": ["100 days", "150 days"]}}, information=[0.5, 1])
    last = ran("fast", range(20), tree).looks[-1]
    assert last.cohorts is not None
    assert (last.cohorts.ends == np.array([100, 150]) * TICKS_PER_DAY).all()
    assert (last.point.tick >= 150 * TICKS_PER_DAY).all()


def test_arms_are_chosen_by_the_other_endpoint_even_where_the_tests_have_nothing_yet() -> None:
    worth = np.array([[0.1, np.nan, 0.3, 0.2]])
    status = np.full((1, 4), Status.NO_EVENTS, dtype=np.int8)
    at = seen(EFFECTS, worth=worth, status=status)
    assert going_on(SelectArms("select_best"), at) == [[False, False, True, False]]
    assert going_on(SelectArms("drop_the_losers", keep=(2,)), at) == [[False, False, True, True]]
    assert going_on(SelectArms("within_epsilon", epsilon=0.15), at) == [[False, False, True, True]]
    assert going_on(SelectArms("all_promising", threshold=0.15), at) == [[False, False, True, True]]


FISHER = {"combination": {"fisher": {"futility_p": 0.5}}}
AT = "designs.only"
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"stages": None, "bounds": {"efficacy_z": [None, 1.96]}, "information": [0.3, 1]}, f"{AT}.selection.select_best.by",
     "increments of the log-rank score are not independent of the choice"),
    ({"stages": {"patient_wise": {}}}, f"{AT}.stages.patient_wise", "exactly one of events, calendar"),
    ({"stages": "patient_wise"}, f"{AT}.stages", "patient_wise needs events"),
    (INCREMENTS | {"bounds": None, "efficacy": "pocock", "power": 0.9, "under": "effect"}, f"{AT}.under",
     "chosen by the endpoint of the tests"),
    ({"stages": "by_patient"}, f"{AT}.stages", "allowed: increments, patient_wise"),
    ({"stages": {"patient_wise": {"events": [40]}}}, f"{AT}.stages.patient_wise", "1 ends for 2 looks"),
    ({"stages": {"patient_wise": {"events": [90, 40]}}}, f"{AT}.stages.patient_wise.events", "130 events exceed the 120"),
    ({"stages": {"patient_wise": {"calendar": ["1 year", "99 years"]}}}, f"{AT}.stages.patient_wise.calendar",
     "beyond the horizon"),
    ({"stages": {"patient_wise": {"calendar": ["1 year", "2 years"]}}}, f"{AT}.information", "weights of the stages"),
    ({"information": [0.5, 1]}, f"{AT}.information", "follow from the events of each"),
    ({"efficacy": "pocock"}, f"{AT}.efficacy", "no look before it rejects"),
    ({"bounds": {"efficacy_z": [2.8, 1.98]}}, f"{AT}.bounds.efficacy_z", "write null"),
    (FISHER, f"{AT}.combination.fisher.futility_p", "known at the last look alone"),
    ({"combination": {"fisher": {"method": "full_last_level"}}}, f"{AT}.combination.fisher.method", "leave method out"),
    ({"selection": {"select_best": {"by": {"endpoint": "death", "direction": "lower"}}}},
     f"{AT}.selection.select_best.by.endpoint", "what the tests are about"),
    ({"selection": {"select_best": {"by": {"endpoint": "respons", "direction": "lower"}}}},
     f"{AT}.selection.select_best.by.endpoint", "response"),
    ({"kind": "group_sequential"}, f"{AT}.stages", "belongs to a design of kind: multi_arm_multi_stage"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "path", "words"), REFUSED, ids=lambda part: part if isinstance(part, str) else ""
)
def test_what_is_refused_is_refused_with_a_sentence(changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        scenario_from(asked(**changes))
    assert any(p.path.startswith(path) and words in p.message for p in refusal.value.problems), [
        str(p) for p in refusal.value.problems
    ]


def test_increments_that_are_asked_for_in_spite_of_the_choice_are_warned_of() -> None:
    asked_for = scenario_from(asked(**INCREMENTS))
    assert any("its familywise error is not held" in note for note in notes(asked_for.dump()))
    assert not any("familywise error is not held" in note for note in notes(scenario_from(TREE).dump()))


def test_a_resolved_scenario_is_read_again_as_the_same() -> None:
    scenario = scenario_from(asked())
    again = scenario_from(scenario.dump())
    assert again.digest() == scenario.digest()
    assert again.designs["only"].computed == scenario.designs["only"].computed


def test_a_story_tells_the_stages_and_what_is_left_over() -> None:
    told = " ".join(explain(scenario_from(asked()), "only", "effect", 0, 1).sentences)
    assert "from all data so far, which is no test" in told
    assert "Arms were compared by the effect on response: low " in told
    assert "the ends of the stages (40 of stage 1 and 30 of stage 2)" in told
    assert "Stage 1, the " in told and ": 40 events of death, z low " in told
    assert "more that came later are not tested" in told
