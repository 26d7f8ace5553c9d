"""Stages split by patients that are tested at their own look too: the parts by other hands, and what may not be asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal, norm

from tests.unit.test_patient_wise import BY, TREE, asked, dunnett, ran, statistic
from trialsim.errors import ScenarioError
from trialsim.report.computed_design import computed_sentences
from trialsim.report.story import Story, explain
from trialsim.scenario.load import scenario_from
from trialsim.simulation import simulate
from trialsim.stats.combination.cohort_parts import look_rates, part_bounds, part_weights
from trialsim.timegrid import TICKS_PER_DAY

SPLIT = {"events": [40, 30], "interim_information": [0.4]}
AT_LOOKS: dict[str, Any] = {"stages": {"patient_wise": SPLIT}, "efficacy": "lan_demets_pocock"}
LONG = [{"when": {"enrolled": 40}}, {"when": {"events": 30}}, {"when": {"events": 60}}]


def as_of(people: pd.DataFrame, day: float) -> pd.DataFrame:
    """Return what is known of some patients at a time."""
    known = people[people["RANDDT"] <= day].copy()
    died = known["RANDDT"] + known["DEATH_TIME"]
    known["TIME"] = np.minimum(died, day) - known["RANDDT"]
    known["EVENT"] = (known["DEATH_CNSR"] == 0) & (died <= day)
    return known


def score(stage: pd.DataFrame, arm: str) -> np.ndarray:
    """Return the log-rank score, positive where the arm has fewer deaths than expected, and its variance."""
    pair = stage[stage["ARM"].isin([arm, "control"])]
    found = np.zeros(2)
    for time in pair.loc[pair["EVENT"], "TIME"]:
        at_risk = pair[pair["TIME"] >= time]
        share = (at_risk["ARM"] == arm).mean()
        found += share - (pair.loc[pair["TIME"] == time, "ARM"] == arm).sum(), share * (1 - share)
    assert found[0] / np.sqrt(found[1]) == pytest.approx(statistic(stage, arm), abs=1e-9)
    return found


def closed_z(parts: list[tuple[float, dict[str, float]]], arm: str) -> float:
    """Return the least combined statistic of the sets with an arm, each part by the arms that it has."""
    sets = ({arm}, {"low", "high"})
    total = {len(members): 0.0 for members in sets}
    for weight, z in parts:
        for members in sets:
            there = [z[each] for each in members if each in z]
            total[len(members)] += weight * norm.isf(
                dunnett(max(there)) if len(there) == 2 else norm.sf(there[0])
            )
    return min(total.values()) / np.sqrt(sum(weight**2 for weight, _ in parts))


def told(story: Story) -> str:
    return " ".join(story.sentences)


@pytest.mark.parametrize("replicate", [0, 1])
def test_the_closed_statistics_are_those_of_scores_taken_by_hand(replicate: int) -> None:
    story = explain(scenario_from(asked(**AT_LOOKS)), "only", "effect", replicate, 1)
    first, last = story.replay.looks
    people, cut = story.patients, first.cut / TICKS_PER_DAY
    early, late = people[people["RANDDT"] <= cut], people[people["RANDDT"] > cut]
    assert last.stage_ends is not None
    ends = last.stage_ends / TICKS_PER_DAY
    arms = ("low", "high")
    (kept,) = set(arms) - {
        story.replay.plan.arms[row.id] for row in story.replay.log if row.kind.name == "ARM_CLOSED"
    }
    at_look = {arm: score(as_of(early, cut), arm) for arm in arms}
    since = {arm: score(as_of(early, ends[0]), arm) - at_look[arm] for arm in arms}
    assert as_of(early, ends[0])["EVENT"].sum() == 40
    z = {arm: u / np.sqrt(v) for arm, (u, v) in at_look.items()}
    z_since = {arm: u / np.sqrt(v) for arm, (u, v) in since.items()}
    second = {kept: statistic(as_of(late, ends[1]), kept)}
    w = np.sqrt([0.4 * 40 / 70, 0.6 * 40 / 70, 30 / 70])
    tests = story.replay.test_names
    for arm in arms:
        assert first.z[tests.index(arm)] == pytest.approx(closed_z([(w[0], z)], arm), abs=2e-5)
    expected = closed_z([(w[0], z), (w[1], z_since), (w[2], second)], kept)
    assert last.z[tests.index(kept)] == pytest.approx(expected, abs=2e-5)
    assert last.stage_interim_z is not None
    assert last.stage_since_z is not None
    assert last.stage_interim_z[0] == pytest.approx([z["low"], z["high"]], abs=1e-9)
    assert last.stage_since_z[0] == pytest.approx([z_since["low"], z_since["high"]], abs=1e-9)


def test_bounds_are_those_of_two_looks_of_which_the_first_has_the_first_part() -> None:
    scenario = scenario_from(asked(**AT_LOOKS))
    computed = scenario.designs["only"].computed
    assert computed is not None
    t = 0.4 * 40 / 70
    assert computed.information["low"] == pytest.approx((t, 1.0))
    first, last = computed.bounds["low"].efficacy_z
    assert first is not None
    assert last is not None
    assert norm.sf(first) == pytest.approx(0.025 * np.log1p((np.e - 1) * t), abs=1e-9)
    inside = multivariate_normal(cov=[[1, np.sqrt(t)], [np.sqrt(t), 1]]).cdf([first, last])
    assert inside == pytest.approx(0.975, abs=1e-6)
    (text,) = [line for line in computed_sentences(scenario) if "every arm" in line]
    assert "each to its own end: 40, 30 events; tested at its own look too, planned with 0.4" in text


def test_weights_of_parts_are_shares_of_the_planned_information() -> None:
    weights = part_weights((0.5, 0.8, 1.0), (0.2, 0.5))
    assert weights**2 == pytest.approx([0.1, 0.15, 0.4, 0.15, 0.2])
    assert look_rates((0.5, 0.8, 1.0), (0.2, 0.5)) == pytest.approx((0.1, 0.25, 1.0))
    assert part_bounds((3.0, 2.5, 2.0)).tolist() == [3.0, 2.5, np.inf, np.inf, 2.0]


def test_what_is_decided_moves_no_part_of_the_first_stage() -> None:
    """Whatever goes on, and by whatever it was chosen: both parts of the first stage were fixed before."""
    worst = {"select_best": {"by": {**BY["by"], "direction": "lower"}}}
    rules: list[Any] = [{"select_best": BY}, "keep_all", worst]
    found = [ran("fast", range(300), asked(**AT_LOOKS, selection=rule)) for rule in rules]
    everyone = found[1].looks[-1]
    assert everyone.cohorts is not None
    place = {row: k for k, row in enumerate(everyone.point.rows.tolist())}
    kept = np.stack([result.looks[0].decision.open_arms for result in found])
    assert (kept[0] != kept[2]).any()
    for result in found:
        last = result.looks[-1]
        assert last.cohorts is not None
        at = [k for k, row in enumerate(last.point.rows.tolist()) if row in place]
        there = [place[last.point.rows[k]] for k in at]
        assert len(at) > 200
        for name in ("interim_z", "since_z", "z"):
            ours, theirs = getattr(last.cohorts, name)[at, 0], getattr(everyone.cohorts, name)[there, 0]
            assert np.array_equal(ours, theirs, equal_nan=True)


def test_the_first_look_rejects_and_ends_trials() -> None:
    tree = asked(**AT_LOOKS)
    tree["endpoints"]["death"]["effect"]["high"] = 0.05
    result = ran("fast", range(300), tree)
    rejected = result.reject_look[:, 1]
    assert (rejected == 1).sum() > 30
    assert (rejected == 2).sum() > 30
    assert (result.looks[0].z[rejected == 1, 1] >= result.looks[0].efficacy_z[rejected == 1, 1]).all()
    stopped = ~np.isin(np.arange(300), result.looks[-1].point.rows)
    assert stopped.sum() > 10
    assert (result.rejected[stopped].any(axis=1)).all()
    trials = simulate(scenario_from(tree), replicates=300, seed=1).trials()
    assert trials["events_untested"].isna().equals(trials["stop_look"] == 1)


def test_a_stage_that_ended_before_its_look_has_no_second_part() -> None:
    """Its patients are tested with what was known at its end, and the last look counts p = 1 for what came since."""
    early = {"calendar": ["40 days", "150 days"], "interim_information": [0.4]}
    tree = asked(
        stages={"patient_wise": early},
        efficacy="lan_demets_pocock",
        information=[0.6, 1],
        selection="keep_all",
    )
    result = ran("fast", range(100), tree)
    story = explain(scenario_from(tree), "only", "effect", 3, 1)
    first = story.replay.looks[0]
    people = story.patients[story.patients["RANDDT"] <= first.cut / TICKS_PER_DAY]
    assert first.cut > 40 * TICKS_PER_DAY
    assert first.stage_interim_z is not None
    assert first.stage_interim_z[0, 1] == pytest.approx(statistic(as_of(people, 40.0), "high"), abs=1e-9)
    last = result.looks[-1].cohorts
    assert last is not None
    assert np.isnan(last.since_z[:, 0]).all()
    assert set(np.unique(result.reject_look)) <= {0, 1}


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_a_look_before_the_first_event_gives_an_arm_up(engine: str) -> None:
    looks = [{"when": {"readouts": {"count": 6, "endpoint": "response"}}}, {"when": {"events": 20}}]
    tree = asked(**AT_LOOKS, looks=looks)
    tree["endpoints"]["death"]["baseline"] = {"median": "2000 days"}
    run = simulate(scenario_from(tree), replicates=10, seed=1, engine=engine)
    looked = run.looks()
    nothing = looked[(looked["look"] == 1) & (looked["events"] == 0)]
    assert len(nothing) > 10
    assert set(nothing["status"].astype(str)) == {"not_analysed"}
    assert "has no statistic yet, which counts as p = 1" in told(
        explain(scenario_from(tree), "only", "effect", 0, 1)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"selection": "keep_all", "intersection_test": "simes"},
        {"stages": {"patient_wise": {"calendar": ["100 days", "150 days"], "interim_information": [0.3]}},
         "information": [0.5, 1],
         "looks": [{"when": {"enrolled": 60}, "decision_lag": "9 days"}, {"when": {"events": 60}}]},
        {"looks": LONG, "stages": {"patient_wise": {"events": [20, 20, 15], "interim_information": [0.3, 0.5]}},
         "selection": {"within_epsilon": {"epsilon": 0.1, **BY}}},
    ],
)  # fmt: skip
def test_parts_are_the_same_in_both_engines(changes: dict[str, Any]) -> None:
    tree = asked(**(AT_LOOKS | changes))
    fast = ran("fast", range(6), tree)
    seen = 0
    for replicate in range(6):
        for look in ran("reference", [replicate], tree).looks:
            ((record, k),) = [
                (each, k)
                for each in fast.looks
                for k in np.flatnonzero(
                    (each.point.rows == replicate) & (each.point.number == look.point.number)
                )
            ]
            assert look.cohorts is not None
            assert record.cohorts is not None
            for name in ("ends", "z", "interim_z", "since_z", "untested"):
                ours, theirs = getattr(look.cohorts, name)[0], getattr(record.cohorts, name)[k]
                assert np.array_equal(ours, theirs, equal_nan=True)
            assert np.array_equal(look.z[0], record.z[k], equal_nan=True)
            seen += int(np.isfinite(look.cohorts.interim_z).sum())
    assert seen > 10


@pytest.mark.slow
def test_without_an_effect_parts_are_standard_normal_and_independent_of_the_choice() -> None:
    """The arm goes on that responds best, by patients still followed: what they show later is not independent of that.

    Yet over all trials both parts of their stage are standard normal, and among trials in which the arm went on the next
    stage knows nothing of either.
    """
    never = {"efficacy": None, "bounds": {"efficacy_z": [9.0, 1.96]}}
    tree = asked(**AT_LOOKS | never | {"stages": {"patient_wise": SPLIT | {"events": [34, 30]}}})
    tree["endpoints"]["response"] |= {"sd": 0.1, "effect": {"low": 0, "high": 0}}
    tree["endpoints"]["death"] |= {"latent": {"prognosis": -2}, "effect": {"low": 1, "high": 1}}
    result = ran("fast", range(4000), tree)
    last = result.looks[-1]
    assert last.cohorts is not None
    at_look = result.looks[0].cohorts.interim_z[last.point.rows, 0, 1]  # type: ignore[union-attr]
    since, second = last.cohorts.since_z[:, 0, 1], last.cohorts.z[:, 1, 1]
    went_on = np.isfinite(second)
    assert 1500 < went_on.sum() < 2500
    for z in (at_look, since, second[went_on]):
        few = np.sqrt(len(z))
        assert abs(z.mean()) < 5 / few
        assert abs(z.var() - 1) < 5 * np.sqrt(2) / few
    few = np.sqrt(went_on.sum())
    assert abs(np.corrcoef(at_look, since)[0, 1]) < 5 / np.sqrt(len(since))
    for part in (at_look, since):
        assert abs(np.corrcoef(part[went_on], second[went_on])[0, 1]) < 5 / few
    assert since[went_on].mean() > 5 / few


AT = "designs.only"
SHARES = f"{AT}.stages.patient_wise.interim_information"
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"stages": {"patient_wise": SPLIT | {"interim_information": [0.4, 0.4]}}}, SHARES, "2 shares for 2 looks"),
    ({"stages": {"patient_wise": SPLIT | {"interim_information": [1]}}}, SHARES, "below 1"),
    ({"efficacy": None}, SHARES, "no look before the last has a bound"),
    ({"efficacy": None, "bounds": {"efficacy_z": [None, 1.96]}}, SHARES, "no look before the last has a bound"),
    ({"efficacy": None, "combination": "fisher"}, SHARES, "use inverse_normal"),
    ({"looks": [{"when": {"events": 40}}, {"when": {"events": 60}}]}, f"{AT}.looks[0].when", "nothing would be left"),
    ({"stages": {"patient_wise": {"events": [40, 30]}}}, f"{AT}.efficacy", "interim_information: [...]"),
    ({"stages": {"patient_wise": {"interim_information": [0.4]}}}, f"{AT}.stages.patient_wise",
     "exactly one of events, calendar"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "path", "words"), REFUSED, ids=lambda part: part if isinstance(part, str) else ""
)
def test_what_is_refused_is_refused_with_a_sentence(changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        scenario_from(asked(**(AT_LOOKS | changes)))
    assert any(p.path.startswith(path) and words in p.message for p in refusal.value.problems), [
        str(p) for p in refusal.value.problems
    ]


def test_other_analyses_have_no_independent_increments() -> None:
    tree = asked(**AT_LOOKS)
    for hypothesis in tree["hypotheses"].values():
        hypothesis["analysis"] = "cox"
    with pytest.raises(ScenarioError, match="which cox has not"):
        scenario_from(tree)
    tree["designs"]["only"] |= {"stages": TREE["designs"]["only"]["stages"]}
    del tree["designs"]["only"]["efficacy"]
    scenario_from(tree)  # a cohort that is tested once may be tested by any analysis


def test_bounds_may_be_written_out() -> None:
    scenario = scenario_from(
        asked(**AT_LOOKS | {"efficacy": None, "bounds": {"efficacy_z": [2.5, 2.0], "futility_z": [-1, None]}})
    )
    assert scenario.designs["only"].computed is None
    again = scenario_from(scenario.dump())
    assert again.digest() == scenario.digest()
    trials = simulate(scenario, replicates=50, seed=1)
    looks = trials.looks()
    assert (looks.loc[looks["look"] == 1, "efficacy_z"] == 2.5).all()


def test_a_story_tells_both_parts() -> None:
    text = told(explain(scenario_from(asked(**AT_LOOKS)), "only", "effect", 0, 1))
    assert "below the efficacy bound 2.396" in text
    assert "Stage 1, the " in text
    assert " is tested with " in text
    assert ": 40 events of death, z low " in text
    assert ", of which look 1 tested z low " in text
    assert "and this one what came since, z low " in text
    assert "which is no test" not in text
