"""The way from contact to analysis counts each candidate once, and agrees with the event log, candidate by candidate."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.recruitment_scenario import RECRUITING
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.columns import Cell, Records, records_of
from trialsim.oc.in_memory import Collected, collect
from trialsim.report.funnel import KNOWN, came_again, counts_of_steps, funnel
from trialsim.report.recruitment_figures import funnel_pictures
from trialsim.report.recruitment_tables import losses_table
from trialsim.report.story import explain
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.schema import Scenario

REPLICATES, SEED, LOGS = 40, 3, 6
CELL = Cell("one", "base")
LONG = {"log_normal": {"median": "50 days", "sd_log": 0.3}}
WORLDS: dict[str, dict[str, Any]] = {
    "rescreening": {},
    "no rescreening": {"rescreening": None},
    "again and again": {
        "rescreening": {"probability": 0.9, "after": "5 days", "eligible": 0.3, "attempts": 3},
        "consent": {"probability": 0.6, "duration": "3 days"},
    },
    "wrongly randomised": {"wrongly_randomised": 0.4, "when_enrolment_closes": "keep"},
    "closed while some are screened": {"duration": LONG, "window": None},
    "kept while they are screened": {"duration": LONG, "window": None, "when_enrolment_closes": "keep"},
    "cut short": {"duration": LONG, "window": None},
}


def world(name: str) -> Scenario:
    tree: Any = parse_yaml(RECRUITING)
    for key, value in WORLDS[name].items():
        if value is None:
            del tree["screening"][key]
        else:
            tree["screening"][key] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenario = scenario_from(tree)
    return scenario.model_copy(update={"horizon": 120.0}) if name == "cut short" else scenario


@pytest.fixture(scope="module", params=list(WORLDS))
def simulated(request: pytest.FixtureRequest) -> tuple[str, Scenario, Collected, Records]:
    scenario = world(request.param)
    found = collect(scenario, ["one"], ["base"], REPLICATES, SEED)
    return request.param, scenario, found, records_of(found)


Simulated = tuple[str, Scenario, Collected, Records]


def by_the_log(events: pd.DataFrame) -> tuple[Counter[str], Counter[str]]:
    """Return what became of each candidate last, and of those who came again how many did and were randomised."""
    last: dict[tuple[str, int], str] = {}
    consented, again = set(), Counter[tuple[str, int]]()
    for row in events.itertuples():
        if row.kind not in ("arrival", "screening", "reneging", "released", "candidate"):
            continue
        who = (row.site, int(row.candidate))
        if row.kind == "arrival" and row.attempt > 1:
            again[who] += 1
            last[who] = "way"
        elif row.kind == "arrival":
            last[who] = "way" if row.result == "passed" else "records"
        elif row.kind == "reneging":
            last[who] = "withdrew"
        elif row.kind == "candidate":
            last[who] = "randomised"
        elif row.kind == "released":
            last[who] = "way"
        elif row.result == "refused":
            last[who] = "refused"
        elif row.result == "failed":
            last[who] = f"failed: {row.reason}"
        elif row.result == "consented":
            consented.add(who)
            last[who] = "way"
    states = Counter(
        f"{state}, {'after' if who in consented else 'before'} consent" for who, state in last.items()
    )
    told = Counter(
        rescreened=len(again),
        rescreenings=sum(again.values()),
        rescreened_randomised=sum(last[who] == "randomised" for who in again),
    )
    return states, told


def test_each_trial_counts_its_candidates_as_its_log_has_them(simulated: Simulated) -> None:
    _, scenario, _, records = simulated
    steps = {step.name: step for step in counts_of_steps(records, CELL)}
    for replicate in range(LOGS):
        events = explain(scenario, design="one", truth="base", replicate=replicate, seed=SEED).events
        states, again = by_the_log(events)
        losses = {
            (name, why): int(values[replicate])
            for name, step in steps.items()
            for why, values in step.losses
            if name != KNOWN
        }
        expected = {
            ("records passed", "records did not pass"): states["records, before consent"],
            ("consented", "refused"): states["refused, before consent"],
            ("consented", "withdrew while waiting"): states["withdrew, before consent"],
            ("consented", "waiting or asked at a closure"): states["way, before consent"],
            ("randomised", "refused on coming again"): states["refused, after consent"],
            ("randomised", "withdrew while waiting again"): states["withdrew, after consent"],
            ("randomised", "under way at a closure"): states["way, after consent"],
        } | {
            ("randomised", f"failed: {reason}"): states[f"failed: {reason}, after consent"]
            for reason in ("labs", "imaging", "window")
            if ("randomised", f"failed: {reason}") in losses
        }
        assert losses == expected
        assert sum(states.values()) == steps["candidates"].left[replicate]
        assert states["randomised, after consent"] == steps["randomised"].left[replicate]
        for name, value in again.items():
            assert records.numbers("trials", name, CELL)[replicate] == value


def test_every_step_and_what_is_lost_there_are_the_step_before_trial_by_trial_and_in_the_mean(
    simulated: Simulated,
) -> None:
    name, _, _, records = simulated
    for before, step in pairwise(counts_of_steps(records, CELL)):
        lost = sum((values for _, values in step.losses), start=np.zeros(REPLICATES))
        np.testing.assert_array_equal(step.left + lost, before.left)
        assert (step.left >= 0).all() and all((values >= 0).all() for _, values in step.losses)
    steps = funnel(records, CELL)
    assert [step.name for step in steps] == [
        "candidates",
        "records passed",
        "consented",
        "randomised",
        KNOWN,
    ]
    for before, step in pairwise(steps):
        total = step.left.value + sum(value.value for _, value in step.losses)
        assert total == pytest.approx(before.left.value, abs=1e-9)
    reasons = {why for step in steps for why, _ in step.losses}
    assert ("refused on coming again" in reasons) <= (name != "no rescreening")
    assert bool(came_again(records, CELL)) == (name != "no rescreening")
    if name in ("closed while some are screened", "kept while they are screened", "cut short"):
        assert "under way at a closure" in reasons
    if name in ("rescreening", "again and again", "no rescreening"):
        assert "waiting or asked at a closure" in reasons


def measured(found: OperatingCharacteristics, name: str) -> float:
    (row,) = found.select(name, reason=None, site=None)
    return row.value


def test_the_steps_are_the_measures_or_add_up_to_them(simulated: Simulated) -> None:
    name, _, collected, records = simulated
    found = operating_characteristics(collected)
    steps = {step.name: step for step in funnel(records, CELL)}
    losses = {why: value.value for step in steps.values() for why, value in step.losses}
    assert steps["candidates"].left.value == measured(found, "candidates")
    assert steps["consented"].left.value == measured(found, "consented")
    assert steps["randomised"].left.value == measured(found, "enrolled")
    assert losses["records did not pass"] == measured(found, "prescreen_failures")
    both = losses["refused"] + losses.get("refused on coming again", 0.0)
    assert both == pytest.approx(measured(found, "refusals"))
    both = losses.get("withdrew while waiting", 0.0) + losses.get("withdrew while waiting again", 0.0)
    assert both == pytest.approx(measured(found, "withdrawals"))
    by_reason = {str(row.reason): row.value for row in found.select("screened_out") if row.reason is not None}
    assert {f"failed: {reason}": value for reason, value in by_reason.items() if value} == {
        why: value for why, value in losses.items() if why.startswith("failed: ")
    }
    assert sum(by_reason.values()) == pytest.approx(measured(found, "screened_out"))
    # Every attempt that fails is the last, or another follows it.
    attempts = measured(found, "screen_failures") - measured(found, "rescreenings")
    assert attempts == pytest.approx(measured(found, "screened_out"))
    assert measured(found, "consented") <= measured(found, "screened")
    if name == "again and again":  # some came again twice or three times
        assert measured(found, "rescreenings") > measured(found, "rescreened")
    told = dict(came_again(records, CELL))
    again = [measured(found, each) for each in ("rescreened", "rescreenings", "rescreened_randomised")]
    assert [value.value for value in told.values()] == (again if told else [])
    if not told:
        assert again == [0.0, 0.0, 0.0] and measured(found, "consented") == measured(found, "screened")


def test_both_engines_count_the_same(simulated: Simulated) -> None:
    _, scenario, collected, _ = simulated
    slow = collect(scenario, ["one"], ["base"], LOGS, SEED, engine="reference")
    for table, rows in (("trials", 1), ("sites", 5), ("screening", None)):
        ours, theirs = getattr(collected, table).to_pandas(), getattr(slow, table).to_pandas()
        counted = [
            name
            for name in ours.columns
            if "again" in name or "rescreen" in name or name in ("consented", "screened_out")
        ]
        assert counted
        length = len(theirs) if rows is None else rows * LOGS
        assert len(theirs) == length
        pd.testing.assert_frame_equal(ours.loc[: length - 1, counted], theirs[counted])


def test_the_table_and_the_picture_tell_who_came_again_apart(simulated: Simulated) -> None:
    name, _, _, records = simulated
    table = losses_table(records)
    assert table is not None
    apart = [row[1][0] for row in table.rows if row[0][0] == "of those who consented"]
    (picture,) = funnel_pictures(records)
    if name == "no rescreening":
        assert apart == [] and "came again" not in picture.alternative
    else:
        assert apart == [
            "came again after a failed screening",
            "times that they came again",
            "of them randomised",
        ]
        came, _, randomised = (value.value for _, value in came_again(records, CELL))
        said = re.search(
            r"came again after failing: ([0-9.]+) .* of them randomised: ([0-9.]+)", picture.alternative
        )
        assert said is not None
        assert (float(said[1]), float(said[2])) == pytest.approx((came, randomised), abs=0.06)
    for row in table.rows:
        if row[0][0] == "of those who consented":
            continue
        assert row[2] == ("–",) or row[2][1].endswith("%")


def test_runs_that_did_not_count_candidates_once_have_no_funnel() -> None:
    found = collect(world("rescreening"), ["one"], ["base"], 3, SEED)
    older = found.trials.select(
        [name for name in found.trials.column_names if name not in ("consented", "rescreened")]
    )
    records = records_of(replace(found, trials=older))
    assert funnel(records, CELL) == () and came_again(records, CELL) == ()
    assert losses_table(records) is None and funnel_pictures(records) == []
