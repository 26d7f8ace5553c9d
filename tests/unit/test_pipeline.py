"""The pipeline at the deciding cut: counted anew from event logs, in closed form, and told by a story."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trialsim
from tests.twins.exhaustive import every
from tests.twins.lives import SCENARIOS
from tests.twins.test_mutations import Mutation, load, outdated
from trialsim.conformance import check_twins
from trialsim.contracts import Kind, LogRow
from trialsim.engines import fast, reference
from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.plan import Plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import chunk_of
from trialsim.report.story import explain
from trialsim.report.story_replay import replay
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

REPLICATES = 30
SLIPS = [
    Mutation(
        "those who died are waited for", "reference_cut",
        "end in (self.lost, self.ended, self.closed.get(e))", "end in (self.lost, self.closed.get(e))",
    ),
    Mutation(
        "an event on its way is lost with its patient", "reference_cut",
        "if seen <= tick < self.refused.get(e, NEVER):", "if False:",
    ),
    Mutation(
        "those who died are waited for", "fast_pipeline",
        "np.minimum(_of(chunk.dropout, rows), _of(chunk.complete, rows))", "_of(chunk.dropout, rows)",
    ),
    Mutation(
        "those without a visit to come are waited for", "fast_pipeline",
        "found &= chunk.lives.last_visits(rows) > cut", "pass",
    ),
    Mutation(
        "reports come at once", "fast_pipeline", "        if wait:\n", "        if False:\n",
    ),
]  # fmt: skip


def waited_for(plan: Plan, log: list[LogRow], cut: int) -> set[int]:
    """Return which patients are waited for at a cut, going through the log up to it as it was written."""
    e, life, outcomes = plan.primary, plan.world.life, plan.world.outcomes
    makes_known = Kind.EVENT if outcomes[e].kind == "survival" else Kind.READOUT
    if outcomes[e].readout_ticks:
        makes_known = Kind.READOUT
    closing: set[int] = set()
    if life is not None:
        survival, reading = life.numbers.survival, life.numbers.reading
        closing = {
            int(each)
            for each in (*survival.endpoints[survival.detected], *reading.readouts[reading.at_visit])
        }
        if outcomes[e].kind == "survival":
            c = [int(each) for each in survival.endpoints].index(e)
            if survival.report_law[c, 0] >= 0:
                makes_known = Kind.READOUT
            if survival.verdict_law[c, 0] >= 0:
                makes_known = Kind.ADJUDICATED
    known: set[int] = set()
    gone: set[int] = set()
    on_its_way: set[int] = set()
    visited: set[int] = set()
    over: dict[int, set[int]] = {}
    for row in log:
        if row.tick > cut:
            break
        i = row.id
        if row.kind == Kind.RANDOMISATION:
            over[i] = set()
        elif row.kind in (Kind.DROPOUT, Kind.DEATH):
            gone.add(i)
        elif (
            row.kind == Kind.VISIT
            and life is not None
            and int(row.value) == len(life.numbers.visiting.visits)
        ):
            visited.add(i)
        if row.kind == Kind.EVENT or (row.kind == Kind.READOUT and outcomes[row.part].kind != "survival"):
            over[i].add(row.part)
        if row.kind in (Kind.EVENT, Kind.READOUT, Kind.ADJUDICATED) and row.part == e:
            on_its_way.add(i)
            if row.kind == makes_known:
                on_its_way.remove(i)
                known |= {i} if row.kind != Kind.ADJUDICATED or row.value else set()
    # Whoever has had the last visit is seen no more; an event that is on its way may still be confirmed.
    gone |= visited if e in closing else set()
    gone |= {i for i, had in over.items() if len(had | (closing if i in visited else set())) == len(outcomes)}
    return (set(over) - known) & (on_its_way | (set(over) - gone))


def tree_of(endpoints: dict[str, Any], looks: list[dict[str, Any]], **parts: Any) -> dict[str, Any]:
    """Return a scenario in which follow-up goes on after the primary outcome, the first endpoint."""
    analyses = {"survival": "logrank", "continuous": "t_test", "binary": "score_test"}
    hypotheses = {
        name: {
            "endpoint": name,
            "arms": ["treatment", "control"],
            "analysis": analyses[endpoint["kind"]],
            "direction": "lower" if endpoint["kind"] == "survival" else "higher",
        }
        for name, endpoint in endpoints.items()
    }
    design = {
        "kind": "group_sequential",
        "n": 60,
        "allocation": "alternating",
        "looks": looks,
        "bounds": {"efficacy_z": [1.5] * len(looks)},
        "tests": {name: {"alpha": 0.025} for name in hypotheses},
    }
    tree = {
        "name": "followed_on",
        "horizon": "400 days",
        "arms": ["control", "treatment"],
        "accrual": {"uniform": {"over": "100 days"}},
        "endpoints": endpoints,
        "dropout": {"baseline": {"median": "150 days"}},
        "hypotheses": hypotheses,
        "truths": {"here": {}},
        "designs": {"only": design},
    }
    return tree | parts


def event(median: str, **more: Any) -> dict[str, Any]:
    return {"kind": "survival", "baseline": {"median": median}, "effect": {"treatment": 0.7}} | more


def value(readout: str) -> dict[str, Any]:
    return {"kind": "continuous", "readout": readout, "mean": 0, "sd": 1, "effect": {"treatment": 0.3}}


BY_DATE = [{"when": {"calendar": "50 days"}}, {"when": {"calendar": "95 days"}}]
ANSWER = {
    "kind": "binary",
    "readout": "30 days",
    "rate": 0.4,
    "effect": {"treatment": 0.6},
    "effect_measure": "rate",
}
AT_VISITS = {"answer": ANSWER | {"detected": "visits"}, "death": event("80 days", terminal=True)}
VISITS = {"at": ["30 days", "40 days"], "missed": 0.5}
FOLLOWED_ON = {
    "two survival endpoints": tree_of({"relapse": event("40 days"), "spread": event("90 days")}, BY_DATE),
    "the slower of two": tree_of({"spread": event("90 days"), "relapse": event("20 days")}, BY_DATE),
    "reports": tree_of(
        {"relapse": event("40 days", readout="15 days"), "spread": event("90 days")}, BY_DATE
    ),
    "an event before a read-out": tree_of({"relapse": event("20 days"), "score": value("60 days")}, BY_DATE),
    "a read-out before an event": tree_of({"score": value("20 days"), "relapse": event("80 days")}, BY_DATE),
    "a read-out before another": tree_of({"early": value("20 days"), "late": value("60 days")}, BY_DATE),
    "a read-out after another": tree_of({"late": value("60 days"), "early": value("20 days")}, BY_DATE),
    "death before the event": tree_of(
        {"relapse": event("60 days"), "death": event("60 days", terminal=True)}, BY_DATE
    ),
    "a read-out at visits that may be missed": tree_of(AT_VISITS, BY_DATE, visits=VISITS),
    "one endpoint": tree_of({"relapse": event("40 days", readout="15 days")}, BY_DATE),
    "until the horizon": tree_of(
        {"relapse": event("40 days"), "spread": event("90 days")},
        [{"when": {"events": {"count": 60, "endpoint": "relapse"}}}],
        horizon="170 days",
    ),
}  # fmt: skip


def orders(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a scenario with each of its endpoints as the primary one, and looks of its own or by the calendar besides."""
    for first in tree["hypotheses"]:
        turned = copy.deepcopy(tree)
        designs = turned["designs"]
        for design in designs.values():
            design["tests"] = {first: design["tests"][first]} | design["tests"]
        looks = [{"when": {"calendar": f"{day} days"}} for day in (12, 31, 52)]
        designs["by_date"] = designs[next(iter(designs))] | {
            "looks": looks,
            "bounds": {"efficacy_z": [1.5] * 3},
        }
        yield turned


def finished(tree: dict[str, Any]) -> Iterator[ChunkResult]:
    scenario = scenario_from(tree)
    for design in scenario.designs:
        yield conduct(chunk_of(scenario, design, "here", list(range(REPLICATES)), 4, "fast"))


def agree(tree: dict[str, Any]) -> tuple[int, int]:
    """Compare the column with the logs; return patients in the pipeline, and how many a plain difference is off."""
    patients = off = 0
    for result in finished(tree):
        trials, plan = columns_of(result)["trials"], result.chunk.plan
        arms = columns_of(result)["arms"]
        lost = arms["dropouts"].reshape(REPLICATES, -1).sum(axis=1)
        survival = plan.world.outcomes[plan.primary].kind == "survival"
        for row in range(REPLICATES):
            log, cut = result.chunk.log(row), int(result.ends.cut[row])
            counted = waited_for(plan, log, cut)
            assert trials["pipeline"][row] == len(counted), (tree["name"], row)
            come = sum(each.kind == Kind.RANDOMISATION and each.tick <= cut for each in log)
            known = trials["events"][row] if survival else trials["analysed"][row]
            patients += len(counted)
            off += abs(max(come - known - lost[row], 0) - len(counted))
    return patients, off


@pytest.mark.parametrize("name", FOLLOWED_ON)
def test_it_is_who_is_waited_for_by_the_log(name: str) -> None:
    patients, off = agree(FOLLOWED_ON[name])
    assert patients > 0
    assert (off > 0) == (name not in ("one endpoint", "a read-out after another"))
    assert not check_twins(scenario_from(FOLLOWED_ON[name]), replicates=range(6), seed=4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SCENARIOS if "strategies" not in name])
def test_it_is_who_is_waited_for_where_patients_have_lives(name: str) -> None:
    found = [agree(tree) for tree in orders(SCENARIOS[name][0])]
    assert all(patients > 0 for patients, _ in found)
    assert sum(off for _, off in found) > 0 or len(found) == 1


def hazard(days: float) -> dict[str, Any]:
    return {"hazard": f"{1 / days} per day"}


@pytest.mark.parametrize("dies", [False, True], ids=["another event", "death"])
def test_its_mean_is_that_in_closed_form(dies: bool) -> None:
    # Constant hazards and uniform accrual; a second event ends nothing, death ends the follow-up.
    rates = {"relapse": 1 / 50, "other": 1 / 80, "loss": 1 / 120}
    endpoints = {
        "relapse": event("50 days") | {"baseline": hazard(50), "effect": {"treatment": 1}},
        "other": event("80 days", terminal=dies) | {"baseline": hazard(80), "effect": {"treatment": 1}},
    }
    tree = tree_of(endpoints, [{"when": {"calendar": "130 days"}}], dropout={"baseline": hazard(120)})
    tree["designs"]["only"] |= {"n": 120, "allocation": "simple", "bounds": {"efficacy_z": [1.5]}}
    tree["accrual"] = {"poisson": {"rate": "0.4 per day"}}
    run = trialsim.simulate(scenario_from(tree), None, None, replicates=4000, seed=9)
    found = run.trials()["pipeline"].to_numpy()
    waited = rates["relapse"] + rates["loss"] + (rates["other"] if dies else 0.0)
    wanted = 0.4 * (1 - np.exp(-waited * 130)) / waited
    assert abs(found.mean() - wanted) < 5 * found.std() / np.sqrt(len(found))
    table = run.operating_characteristics()
    assert table.loc[table["name"] == "pipeline", "value"].iloc[0] == pytest.approx(found.mean())


def test_predictive_probabilities_are_of_those_who_can_still_be_read_out() -> None:
    # Whoever dies before, or has no visit left, is not: both engines count anew, by arm.
    tree = tree_of(AT_VISITS, [{"when": {"enrolled": 30}}, {"when": {"readouts": 30}}], visits=VISITS)
    tree["hypotheses"] = {
        "answer": tree["hypotheses"]["answer"] | {"analysis": {"beta_binomial": {"prior": [1, 1]}}}
    }
    tree["designs"]["only"] |= {
        "kind": "bayesian",
        "tests": {"answer": {"alpha": 0.025, "posterior": 0.9}},
        "decisions": [{"do": "stop_for_futility", "when": {"predictive": {"at": "current", "below": 0.2}}}],
        "bounds": None,
    }
    scenario = scenario_from(tree)
    assert not check_twins(scenario, replicates=range(12), seed=4)
    for replicate in range(4):
        for engine in ("fast", "reference"):
            chunk = chunk_of(scenario, "only", "here", [replicate], 4, engine)
            first = chunk.advance()
            assert first is not None
            _, _, pending = chunk.seen(first, chunk.plan.primary)
            told = replay(scenario, "only", "here", replicate, 4)
            waited = waited_for(told.plan, list(told.log), int(first.tick[0]))
            arms = [told.courses[i].arm for i in waited]
            assert pending[0].tolist() == [arms.count(0), arms.count(1)]


def told_at_the_end(scenario: Scenario, replicate: int) -> str:
    return explain(scenario, "only", "here", replicate, 4).sentences[-1]


def test_a_story_ends_with_it() -> None:
    scenario = scenario_from(FOLLOWED_ON["two survival endpoints"])
    for replicate in range(3):
        told = replay(scenario, "only", "here", replicate, 4)
        number = len(waited_for(told.plan, list(told.log), told.cut))
        sentence = f"{number} patients randomised before it were still waited for, with no event of relapse known yet"
        assert sentence in told_at_the_end(scenario, replicate)


def disagreement() -> str | None:
    """Return the first disagreement of the engines on scenarios in which follow-up goes on, or None."""
    names = ("reports", "a read-out at visits that may be missed", "two survival endpoints")
    trees = [*(FOLLOWED_ON[name] for name in names), *orders(SCENARIOS["visited"][0])]
    for tree in trees:
        found = check_twins(scenario_from(tree), replicates=range(12), seed=4)
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
    elif slip is not None:
        monkeypatch.setattr(fast, "patients_waited_for", load(slip, tmp_path).patients_waited_for)
    found = disagreement()
    assert (found is None) == (slip is None)
    assert found is None or "pipeline of trials differs" in found
