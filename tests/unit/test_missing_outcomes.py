"""Outcomes missing at the deciding cut: counted anew from event logs, in closed form, told by reports and stories."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trialsim
from tests.twins.exhaustive import every
from tests.twins.lives import SCENARIOS
from tests.twins.test_mutations import Mutation, load, outdated
from tests.unit.recruitment_scenario import STRAIGHT
from tests.unit.test_pipeline import (
    ANSWER,
    AT_VISITS,
    FOLLOWED_ON,
    VISITS,
    event,
    finished,
    hazard,
    orders,
    tree_of,
    value,
)
from trialsim.conformance import check_twins
from trialsim.contracts import Kind, LogRow
from trialsim.engines import fast, reference
from trialsim.engines.plan import Plan
from trialsim.engines.records import columns_of
from trialsim.oc.columns import Cell, records_of
from trialsim.oc.in_memory import collect
from trialsim.oc.missing import in_arms
from trialsim.report.funnel import counts_of_steps
from trialsim.report.missing_table import IN_WORDS, missing_table
from trialsim.report.page import page
from trialsim.report.story import explain
from trialsim.report.story_missing import why_missing
from trialsim.report.story_patient_lives import patient_sentences
from trialsim.report.story_replay import replay
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml

LEFT = {(Kind.DROPOUT, 0): "lost", (Kind.DROPOUT, 1): "withdrawn"}
REASONS = ("lost", "withdrawn", "died", "visits_missed")
SLIPS = [
    Mutation(
        "who withdrew was lost", "reference_cut", "return WITHDRAWN if withdrew else LOST", "return LOST",
    ),
    Mutation(
        "a last visit makes an event missing", "reference_cut",
        "return None if survival else VISITS_MISSED", "return VISITS_MISSED",
    ),
    Mutation(
        "who is waited for is due", "reference_tally",
        "tick and not p.awaits(e, tick, law.readout_ticks)", "tick",
    ),
    Mutation(
        "visits come to no end", "fast_missing",
        "if lives.seen_at_visits", "if False and lives.seen_at_visits",
    ),
    Mutation(
        "an end of follow-up is known at once", "fast_missing", "outcome.known_at)", "outcome.exit_at)",
    ),
    Mutation(
        "nobody but the lost leave", "fast_missing", "lives.left, failed,", "np.minimum(lives.left, 2), failed,",
    ),
    Mutation(
        "who is lost after the outcome misses it", "fast_missing", "if not parts_add_up(chunk):", "if False:",
    ),
    Mutation(
        "who is to be read out is due", "fast_missing", "rows, ticks - wait, chunk.entry", "rows, ticks, chunk.entry",
    ),
    Mutation(
        "a death that is not confirmed is a failure", "fast_missing", "if lives.is_death(outcome.index):", "if False:",
    ),
    Mutation(
        "who is a failure is missing", "reference_tally", "and not _has_failed(trial, p, tick)", "",
    ),
    Mutation(
        "a failure can come after the read-out is due", "fast_missing",
        "np.where(first < chunk.entry + outcome.law.readout_ticks, first, NEVER)", "first",
    ),
]  # fmt: skip


def read_from(plan: Plan, log: list[LogRow], cut: int) -> tuple[dict[int, str], set[int], dict[int, int]]:
    """Return whose outcome is missing at a cut and why, who was due, and the arms: who is no failure by strategy."""
    unknown, due, arms = unknown_from(plan, log, cut)
    failures = failures_from(plan, log, cut)
    return {i: why for i, why in unknown.items() if i not in failures}, due, arms


def failures_from(plan: Plan, log: list[LogRow], cut: int) -> set[int]:
    """Return whom the strategy of the first test takes for failures by a cut, by what the log says they went through."""
    test, life = plan.tests[0], plan.world.life
    if test.strategy != "composite":
        return set()
    assert life is not None
    law, survival = plan.world.outcomes[test.endpoint], life.numbers.survival
    kinds = {Kind.DISCONTINUED, Kind.DEATH}
    if survival.terminal >= 0 and survival.endpoints[survival.terminal] == test.endpoint:
        kinds.remove(Kind.DEATH)
    entry = {row.id: row.tick for row in log if row.kind == Kind.RANDOMISATION}
    return {
        row.id
        for row in log
        if row.kind in kinds
        and row.tick <= cut
        and (law.kind == "survival" or row.tick < entry[row.id] + law.readout_ticks)
    }


def unknown_from(plan: Plan, log: list[LogRow], cut: int) -> tuple[dict[int, str], set[int], dict[int, int]]:
    """Return who has no outcome at a cut and why, who was due, and the arms, going through the log as it was written."""
    e, life, law = plan.primary, plan.world.life, plan.world.outcomes[plan.primary]
    last_visit, seen_at_visits = 0, False
    if life is not None:
        numbers = life.numbers
        last_visit = len(numbers.visiting.visits)
        ending = [*numbers.survival.endpoints[numbers.survival.detected]]
        ending += [*numbers.reading.readouts[numbers.reading.at_visit]]
        seen_at_visits = e in ending
    arms: dict[int, int] = {}
    entry: dict[int, int] = {}
    known, closed, refused = set[int](), set[int](), set[int]()
    gone: dict[int, str] = {}
    for row in log:
        if row.tick > cut:
            break
        i = row.id
        if row.kind == Kind.RANDOMISATION:
            arms[i], entry[i] = int(row.value), row.tick
        elif row.kind == Kind.DROPOUT:
            gone[i] = LEFT[row.kind, row.part]
        elif row.kind == Kind.DEATH:
            gone[i] = "died"
        elif row.kind == Kind.VISIT and int(row.value) == last_visit and i not in gone:
            closed.add(i)
        elif row.kind == Kind.ADJUDICATED and row.part == e and not row.value:
            refused.add(i)
        if row.part == e and row.kind == (Kind.EVENT if law.kind == "survival" else Kind.READOUT):
            known.add(i)
    known -= refused
    closed = closed if seen_at_visits else set()
    missing = {i: why for i, why in gone.items() if i not in known | closed}
    if law.kind == "survival":
        return missing, set(arms), arms
    missing |= dict.fromkeys(closed - known, "visits_missed")
    come = {i for i, tick in entry.items() if tick + law.readout_ticks <= cut}
    return missing, come & (known | set(missing)), arms


def agree(tree: dict[str, Any]) -> Counter[str]:
    """Compare the columns with the logs; return how many outcomes were missing for each reason."""
    found = Counter[str]()
    for result in finished(tree):
        tables, plan = columns_of(result), result.chunk.plan
        shape = (len(result.chunk.replicates), len(plan.arms))
        columns = {name: column.reshape(shape) for name, column in tables["arms"].items()}
        for row in range(shape[0]):
            cut = int(result.ends.cut[row])
            missing, due, arms = read_from(plan, result.chunk.log(row), cut)
            for arm in range(shape[1]):
                where = (tree["name"], plan.design, row, arm)
                mine = Counter(why for i, why in missing.items() if arms[i] == arm)
                for reason in REASONS:
                    told = columns.get(f"missing:{reason}")
                    assert (0 if told is None else told[row, arm]) == mine[reason], (*where, reason)
                assert columns["outcomes_due"][row, arm] == sum(arms[i] == arm for i in due), where
                both = sum(arms[i] == arm for i in due & set(missing))
                assert columns["due_missing"][row, arm] == both, where
                found += mine
            if plan.world.outcomes[plan.primary].kind != "survival":
                log = result.chunk.log(row)
                failures = failures_from(plan, log, cut) & set(unknown_from(plan, log, cut)[0])
                whole = columns["readouts"][row].sum() + tables["trials"]["pipeline"][row]
                whole += len(missing) + len(failures)
                assert whole == len(arms), (tree["name"], plan.design, row)
    return found


@pytest.mark.parametrize("name", FOLLOWED_ON)
def test_they_are_those_of_the_log(name: str) -> None:
    found = agree(FOLLOWED_ON[name])
    assert found["lost"] > 0
    assert (found["died"] > 0) == ("death" in FOLLOWED_ON[name]["endpoints"])
    assert (found["visits_missed"] > 0) == (name == "a read-out at visits that may be missed")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SCENARIOS if "strategies" not in name])
def test_they_are_those_of_the_log_where_patients_have_lives(name: str) -> None:
    found = sum((agree(tree) for tree in orders(SCENARIOS[name][0])), Counter[str]())
    assert (sum(found.values()) > 0) == (name != "graded")


RATES = {"died": 1 / 80, "lost": 1 / 120, "withdrawn": 1 / 150}


def leaving(looks: list[dict[str, Any]], answer: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a scenario in which patients die, are lost and withdraw at constant rates, whatever their arm."""
    death = event("80 days", terminal=True) | {"baseline": hazard(80), "effect": {"treatment": 1}}
    rest = {"dropout": {"baseline": hazard(120)}, "withdrawal": {"baseline": hazard(150)}}
    tree = tree_of({"answer": answer, "death": death}, looks, **{**rest, **parts})
    tree["designs"]["only"] |= {"n": 150, "allocation": "simple"}
    tree["accrual"] = {"poisson": {"rate": "0.8 per day"}}
    return tree


def composite(looks: list[dict[str, Any]], **parts: Any) -> dict[str, Any]:
    """Return that scenario where they discontinue too, which with death counts as failure in the first test."""
    answer = ANSWER | ({"detected": "visits"} if "visits" in parts else {})
    tree = leaving(
        looks, answer, treatment={}, discontinuation={"toxicity": {"baseline": hazard(60)}}, **parts
    )
    tree["hypotheses"]["answer"]["strategy"] = "composite"
    return tree


def near(found: Any, wanted: float) -> bool:
    """Return whether a measure is within 5 standard errors of what it is to be."""
    return bool(abs(found.value - wanted) <= 5 * found.mcse)


def test_they_are_those_of_competing_rates_in_closed_form() -> None:
    # Patients come at a constant rate until the cut, so that many of them have left before their read-out was due.
    cut, wait, total = 75.0, 30.0, sum(RATES.values())
    scenario = scenario_from(leaving([{"when": {"calendar": f"{cut} days"}}], ANSWER))
    found = trialsim.simulate(scenario, None, None, replicates=3000, seed=5).characteristics
    left = 0.8 * (wait - (1 - np.exp(-total * wait)) / total + (cut - wait) * (1 - np.exp(-total * wait)))
    (whole,) = found.select("missing", arm=None, reason=None)
    assert near(whole, left)
    for reason, rate in RATES.items():
        (here,) = found.select("missing", arm=None, reason=reason)
        assert near(here, left * rate / total)
        for arm in ("control", "treatment"):
            (here,) = found.select("missing", arm=arm, reason=reason)
            assert near(here, left * rate / total / 2)
    shares = found.select("outcomes_missing")
    assert [share.arm for share in shares] == [None, "control", "treatment"]
    for share in shares:
        assert near(share, 1 - np.exp(-total * wait))
        assert share.n + share.n_failed == 3000
    assert {row.reason for row in found.select("missing")} == {None, "lost", "withdrawn", "died"}


def test_failures_by_a_composite_strategy_are_not_missing_in_closed_form() -> None:
    # Missing is whose first event before the read-out, of all four, is loss or withdrawal.
    cut, wait, total = 75.0, 30.0, sum(RATES.values()) + 1 / 60
    scenario = scenario_from(composite([{"when": {"calendar": f"{cut} days"}}]))
    found = trialsim.simulate(scenario, None, None, replicates=3000, seed=5).characteristics
    left = 0.8 * (wait - (1 - np.exp(-total * wait)) / total + (cut - wait) * (1 - np.exp(-total * wait)))
    for reason in ("lost", "withdrawn"):
        (here,) = found.select("missing", arm=None, reason=reason)
        assert near(here, left * RATES[reason] / total)
    assert not found.select("missing", reason="died")
    (share,) = found.select("outcomes_missing", arm=None)
    chance = (RATES["lost"] + RATES["withdrawn"]) / total
    assert near(share, chance * (1 - np.exp(-total * wait)))


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_nothing_is_missing_where_a_composite_test_analyses_all(engine: str) -> None:
    tree = composite([{"when": {"calendar": "390 days"}}])
    del tree["dropout"], tree["withdrawal"]
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=5, seed=5, engine=engine)
    arms, shares = found.arms(), found.characteristics.select("outcomes_missing")
    assert (arms["outcomes_due"] == arms["enrolled"]).all() and not arms["due_missing"].any()
    assert not arms["missing:died"].any() and (arms["readouts"] < arms["enrolled"]).all()
    assert len(shares) == 3 and not any(share.value for share in shares)
    assert missing_table(found.characteristics) is None


COMPOSITE = {
    "an answer": composite([{"when": {"calendar": "95 days"}}]),
    "an answer at visits": composite([{"when": {"calendar": "95 days"}}], visits=VISITS),
}


@pytest.mark.parametrize("name", COMPOSITE)
def test_those_under_a_composite_strategy_are_those_of_the_log(name: str) -> None:
    found = agree(COMPOSITE[name])
    assert found["lost"] > 0 and found["withdrawn"] > 0
    assert (found["died"] > 0) == (found["visits_missed"] > 0) == ("visits" in name)


def refused_deaths() -> dict[str, Any]:
    """Return a scenario whose first test is of deaths, some of them not confirmed, under a composite strategy."""
    tree = composite([{"when": {"calendar": "95 days"}}])
    tree["endpoints"]["death"]["adjudication"] = {"confirmed": 0.5, "delay": "2 days"}
    tree["hypotheses"]["death"]["strategy"] = "composite"
    tests = tree["designs"]["only"]["tests"]
    tree["designs"]["only"]["tests"] = {name: tests[name] for name in ("death", "answer")}
    return tree


def test_a_death_that_is_not_confirmed_is_no_failure() -> None:
    assert agree(refused_deaths())["died"] > 0
    told = replay(scenario_from(refused_deaths()), "only", "here", 1, 4)
    missing, _, arms = read_from(told.plan, list(told.log), told.cut)
    assert {i: why_missing(told, told.courses[i], told.plan.primary, told.cut) for i in arms} == {
        i: missing.get(i, "") for i in arms
    }


def under_composite() -> list[dict[str, Any]]:
    """Return scenarios with a composite hypothesis of each endpoint first: one told at once, or late, or read out."""
    trees = (tree for name in ("strategies", "told_strategies") for tree in orders(SCENARIOS[name][0]))
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for tree in trees:
        first = tree["hypotheses"][next(iter(tree["designs"]["by_date"]["tests"]))]
        if first.get("strategy") == "composite":
            found[tree["name"], first["endpoint"]] = tree
    return list(found.values())


@pytest.mark.slow
@pytest.mark.parametrize("place", range(5))
def test_those_under_a_composite_strategy_are_those_of_the_log_where_patients_have_lives(place: int) -> None:
    tree = under_composite()[place]
    assert len(under_composite()) == 5
    assert sum(agree(tree).values()) > 0
    assert not check_twins(scenario_from(tree), replicates=range(8), seed=4)


def test_missed_visits_and_deaths_are_those_in_closed_form() -> None:
    # Read out on day 30, or on day 40 where the first visit was missed: with probability 1/2, as the second.
    tree = leaving([{"when": {"calendar": "390 days"}}], ANSWER | {"detected": "visits"}, visits=VISITS)
    tree["designs"]["only"]["n"] = 60
    del tree["dropout"], tree["withdrawal"]
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=1500, seed=5).characteristics
    alive = np.exp(-np.array([30.0, 40.0]) / 80)
    died, unseen = 1 - alive[0] + 0.5 * (alive[0] - alive[1]), 0.25 * alive[1]
    (share,) = found.select("outcomes_missing", arm=None)
    assert near(share, died + unseen)
    for reason, chance in {"died": died, "visits_missed": unseen}.items():
        (here,) = found.select("missing", arm=None, reason=reason)
        assert near(here, 60 * chance)
    assert not found.select("missing", reason="lost")


def test_who_is_censored_early_is_missing_of_a_survival_endpoint() -> None:
    # The event at 1/50 and loss at 1/120 a day compete for those who came at a constant rate up to the cut.
    endpoints = {"relapse": event("50 days") | {"baseline": hazard(50), "effect": {"treatment": 1}}}
    tree = tree_of(endpoints, [{"when": {"calendar": "130 days"}}], dropout={"baseline": hazard(120)})
    tree["designs"]["only"] |= {"n": 150, "allocation": "simple", "bounds": {"efficacy_z": [1.5]}}
    tree["accrual"] = {"poisson": {"rate": "0.6 per day"}}
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=3000, seed=5).characteristics
    total = 1 / 50 + 1 / 120
    left = (1 / 120 / total) * (130 - (1 - np.exp(-total * 130)) / total)
    (here,) = found.select("missing", arm=None, reason="lost")
    assert near(here, 0.6 * left)
    (share,) = found.select("outcomes_missing", arm=None)
    assert near(share, left / 130)


def test_they_are_counted_at_the_horizon_where_no_look_is_reached() -> None:
    tree = leaving([{"when": {"readouts": 60}}], ANSWER, horizon="60 days")
    tree["designs"]["only"]["n"] = 60
    tree["accrual"] = {"uniform": {"over": "50 days"}}
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=20, seed=5)
    assert not found.trials()["stop_look"].any() and not found.trials()["analysed"].any()
    assert all(agree(tree)[reason] > 0 for reason in RATES)
    (share,) = found.characteristics.select("outcomes_missing", arm=None)
    assert near(share, 1 - np.exp(-sum(RATES.values()) * 30))


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_who_leaves_before_anything_is_due_is_missing_and_not_due(engine: str) -> None:
    tree = leaving([{"when": {"calendar": "25 days"}}], ANSWER)
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=20, seed=5, engine=engine)
    arms = found.arms()
    assert not arms["outcomes_due"].any() and not arms["due_missing"].any()
    assert (arms[[f"missing:{reason}" for reason in RATES]].to_numpy().sum(axis=0) > 0).all()
    assert not found.characteristics.select("outcomes_missing")


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("reason", ["died", "visits_missed"])
def test_all_outcomes_can_be_missing(engine: str, reason: str) -> None:
    tree = leaving([{"when": {"calendar": "390 days"}}], ANSWER | {"detected": "visits"})
    del tree["dropout"], tree["withdrawal"]
    tree["visits"] = VISITS | {"missed": 1.0 if reason == "visits_missed" else 0.0}
    rate = "1 per day" if reason == "died" else "0.0000000001 per day"
    tree["endpoints"]["death"]["baseline"] = {"hazard": rate}
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=5, seed=5, engine=engine)
    arms = found.arms()
    assert (arms[f"missing:{reason}"] == arms["enrolled"]).all()
    assert (arms["due_missing"] == arms["enrolled"]).all() and (
        arms["outcomes_due"] == arms["enrolled"]
    ).all()
    assert not found.trials()["pipeline"].any()


def test_nothing_is_counted_where_nobody_can_leave() -> None:
    tree = tree_of({"score": value("20 days")}, [{"when": {"readouts": 60}}])
    del tree["dropout"]
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=5, seed=5)
    assert not [name for name in found.arms().columns if "missing" in name or "due" in name]
    assert not found.characteristics.select("missing") and missing_table(found.characteristics) is None


def test_a_report_has_them_by_arm_and_reason() -> None:
    tree = leaving([{"when": {"calendar": "95 days"}}], ANSWER | {"detected": "visits"}, visits=VISITS)
    found = trialsim.simulate(scenario_from(tree), None, None, replicates=40, seed=5)
    assert (found.trials()["status"] == "ok").all()
    table = missing_table(found.characteristics)
    assert table is not None and table.headings == (
        "truth",
        "design",
        "what",
        "control",
        "treatment",
        "all arms",
    )
    told = {row[2][0]: row[3:] for row in table.rows}
    arms = found.arms()
    assert set(told) == {"missing", *IN_WORDS.values()}
    for reason, what in IN_WORDS.items():
        by_trial = arms.pivot(index="replicate", columns="arm", values=f"missing:{reason}")
        wanted = [by_trial["control"].mean(), by_trial["treatment"].mean(), by_trial.sum(axis=1).mean()]
        for lines, number in zip(told[what], wanted, strict=True):
            shown = re.split(r" ", lines[0])[0]
            assert float(shown) == pytest.approx(number, abs=0.51 * 10.0 ** -len(shown.partition(".")[2]))
    sums = arms.groupby("replicate")[["outcomes_due", "due_missing"]].sum()
    share = 100 * (sums["due_missing"] / sums["outcomes_due"]).mean()
    assert told["missing"][2][1] == f"{share:.1f}% of those due"
    text = page({"name": "x"}, {}, found.characteristics, records_of(found.records), {})
    assert text.count("<h2>Missing outcomes</h2>") == 1


@pytest.mark.parametrize("name", ["a read-out at visits that may be missed", "two survival endpoints"])
def test_a_story_says_how_many_and_why(name: str) -> None:
    scenario, said = scenario_from(FOLLOWED_ON[name]), Counter[str]()
    endpoint = next(iter(FOLLOWED_ON[name]["hypotheses"]))
    words = {"lost to follow-up": "lost", "died": "died", "missed the visits": "visits_missed"}
    for replicate in range(6):
        told = replay(scenario, "only", "here", replicate, 4)
        missing, _, arms = read_from(told.plan, list(told.log), told.cut)
        (sentence,) = (
            each for each in explain(scenario, "only", "here", replicate, 4).sentences if each.startswith("Of the ")
        )  # fmt: skip
        assert f"Of the {len(arms)} patients randomised" in sentence
        tail = f"{len(missing)} had " if len(missing) != 1 else "1 had "
        assert tail in sentence and f"of {endpoint}" in sentence
        counted = {
            words[match[2]]: int(match[1])
            for match in re.finditer(rf"(\d+) ({'|'.join(words)})", sentence.partition(": ")[2])
        }
        assert counted == Counter(missing.values())
        said += Counter(counted)
        for number, course in enumerate(told.courses):
            assert why_missing(told, course, told.plan.primary, told.cut) == missing.get(number, "")
    assert said["lost"] > 0 and (said["visits_missed"] > 0) == ("visits" in name)


@pytest.mark.parametrize("name", COMPOSITE)
def test_a_story_and_its_data_set_tell_failures_from_what_is_missing(name: str) -> None:
    scenario = scenario_from(COMPOSITE[name])
    for replicate in range(3):
        told = replay(scenario, "only", "here", replicate, 4)
        missing, _, arms = read_from(told.plan, list(told.log), told.cut)
        unknown, _, _ = unknown_from(told.plan, list(told.log), told.cut)
        story = explain(scenario, "only", "here", replicate, 4)
        (sentence,) = (each for each in story.sentences if each.startswith("Of the "))
        apart = f"not counting {len(unknown) - len(missing)} whom the composite strategy takes as failures"
        assert f", {len(missing)} had no read-out of answer and never will, {apart}: " in sentence
        assert len(unknown) > len(missing) > 0
        assert story.patients["ANSWER_REASND"].fillna("").tolist() == [
            missing.get(i, "") for i in sorted(arms)
        ]


def test_the_story_of_a_patient_and_the_data_set_say_why_an_outcome_is_missing() -> None:
    scenario = scenario_from(tree_of(AT_VISITS, [{"when": {"calendar": "150 days"}}], visits=VISITS))
    told = replay(scenario, "only", "here", 1, 4)
    missing, _, arms = read_from(told.plan, list(told.log), told.cut)
    data = explain(scenario, "only", "here", 1, 4).patients
    assert data["ANSWER_REASND"].fillna("").tolist() == [missing.get(i, "") for i in sorted(arms)]
    assert {"lost", "died", "visits_missed"} <= set(missing.values())
    by_the_end, _, _ = read_from(told.plan, list(told.log), told.end)
    words = {
        "lost": "the patient was lost to follow-up before",
        "died": "the patient died before",
        "visits_missed": "no visit was held at which it could be read out",
    }
    for i in arms:
        about = [
            each for each in patient_sentences(told, i) if each.startswith("There is no read-out of answer: ")
        ]
        assert about == (
            [f"There is no read-out of answer: {words[by_the_end[i]]}."] if i in by_the_end else []
        )


def test_the_funnel_takes_them_apart_from_those_still_waited_for() -> None:
    tree: Any = parse_yaml(STRAIGHT)
    tree["dropout"] = {"baseline": {"median": "60 days"}}
    tree["designs"]["one"]["looks"] = [{"when": {"readouts": 100}}]
    records = records_of(collect(scenario_from(tree), ["one"], ["base"], 20, 1))
    cell = Cell("one", "base")
    step = counts_of_steps(records, cell)[-1]
    parts = dict(step.losses)
    pipeline = records.numbers("trials", "pipeline", cell)
    lost = in_arms(records, cell, None, ["missing:lost"])[None]
    assert records.numbers("trials", "stop_look", cell).all() and pipeline.any() and lost.any()
    np.testing.assert_array_equal(parts["not read out by the deciding cut"], pipeline)
    np.testing.assert_array_equal(parts["missing: lost to follow-up"], lost)


def disagreement() -> str | None:
    """Return the first disagreement of the engines on scenarios in which outcomes are missing, or None."""
    for tree in (
        leaving([{"when": {"calendar": "75 days"}}], ANSWER | {"detected": "visits"}, visits=VISITS),
        COMPOSITE["an answer at visits"],
        refused_deaths(),
        *orders(SCENARIOS["visited"][0]),
        *orders(SCENARIOS["told_late"][0]),
        FOLLOWED_ON["a read-out before another"],
        FOLLOWED_ON["reports"],
    ):
        found = check_twins(scenario_from(tree), replicates=range(8), seed=4)
        if found:
            return found[0]
    return None


def test_every_slip_can_still_be_made() -> None:
    assert not outdated(SLIPS)


@pytest.mark.parametrize(
    "slip",
    [pytest.param(None, marks=pytest.mark.slow), *every(3, SLIPS)],
    ids=lambda slip: f"{slip.file}: {slip.slip}" if slip else "none",
)
def test_a_slip_is_found(slip: Mutation | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if slip is not None and slip.file == "reference_cut":
        monkeypatch.setattr(reference, "Patient", load(slip, tmp_path).Patient)
    elif slip is not None and slip.file == "reference_tally":
        monkeypatch.setattr(reference, "missing_of", load(slip, tmp_path).missing_of)
    elif slip is not None:
        monkeypatch.setattr(fast, "missing_outcomes", load(slip, tmp_path).missing_outcomes)
    found = disagreement()
    assert (found is None) == (slip is None)
    assert found is None or "of arms differs" in found
