"""Generated trials of every mixture of features: the engines agree, and records say what the log says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, event, given, reject, settings
from hypothesis import strategies as st

from tests.twins.generated import FOLDER, SmallTrial, small_trials
from trialsim.conformance import twin_difference
from trialsim.contracts import Kind, Stop
from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.records import columns_of, joined
from trialsim.engines.runner import start_engine
from trialsim.errors import ScenarioError
from trialsim.scenario.load import patient_table, scenario_from
from trialsim.timegrid import TICKS_PER_DAY

REPLICATES = 5


def plan_of(trial: SmallTrial) -> Plan:
    """Return the plan of a generated trial, unless the scenario's rules refuse it."""
    try:
        scenario = scenario_from(trial.tree, FOLDER)
        return build_plan(scenario, "only", "world", trial.seed, trial.grid, patient_table(scenario))
    except ScenarioError as refused:
        event(f"refused: {refused.problems[0].path.split('.')[0]}")
        reject()


def run(plan: Plan, replicates: range | list[int] = range(REPLICATES)) -> ChunkResult:
    return conduct(start_engine(plan, "fast").start(np.array(replicates)))


@pytest.mark.slow
@settings(max_examples=120)
@given(small_trials())
def test_the_engines_agree_on_generated_trials(trial: SmallTrial) -> None:
    difference = twin_difference(plan_of(trial), range(REPLICATES))
    assert difference is None, str(difference)


@pytest.mark.slow
@settings(max_examples=60)
@given(small_trials())
def test_records_say_what_the_log_says(trial: SmallTrial) -> None:
    plan = plan_of(trial)
    result = run(plan)
    tables = columns_of(result)
    for row in range(REPLICATES):
        log = result.chunk.log(row)
        of_kind = {kind: [entry for entry in log if entry.kind == kind] for kind in Kind}
        trials = {name: values[row] for name, values in tables["trials"].items()}
        (end,) = of_kind[Kind.END]
        assert log[-1] == end
        assert [entry.tick for entry in log] == sorted(entry.tick for entry in log)
        assert int(end.value) == trials["stop_reason"]
        assert trials["enrolled"] == len(of_kind[Kind.RANDOMISATION])
        assert trials["decision_time"] == end.tick / TICKS_PER_DAY
        for index, test in enumerate(plan.tests):
            said = [entry for entry in of_kind[Kind.REJECTED] if entry.id == index]
            assert len(said) == int(trials[f"reject:{test.name}"]), test.name
            assert (trials[f"reject_look:{test.name}"] > 0) == bool(said)
        if trials["stop_reason"] != Stop.HORIZON:
            decisions = of_kind[Kind.DECISION]
            assert decisions[-1].id + 1 == trials["stop_look"]
            assert decisions[-1].tick == end.tick
            cut = trials["cut_time"] * TICKS_PER_DAY
            assert trials["enrolled"] - trials["overrun"] == sum(
                e.tick <= cut for e in of_kind[Kind.RANDOMISATION]
            )


@pytest.mark.slow
@settings(max_examples=30)
@given(small_trials(), st.permutations(range(REPLICATES)))
def test_neither_chunks_nor_order_change_a_record(trial: SmallTrial, order: list[int]) -> None:
    plan = plan_of(trial)
    whole = columns_of(run(plan))
    single = joined([columns_of(run(plan, [replicate])) for replicate in range(REPLICATES)])
    turned = columns_of(run(plan, order))
    for table, columns in whole.items():
        for name, values in columns.items():
            real = values.dtype.kind == "f"
            assert np.array_equal(values, single[table][name], equal_nan=real), (table, name)
            moved = turned[table][name]
            if "replicate" in columns:  # a table of sums over replicates has no rows to put in order
                at = turned[table]["replicate"]
                place = [np.flatnonzero(at == replicate) for replicate in range(REPLICATES)]
                moved = moved[np.concatenate(place)]
            assert np.array_equal(values, moved, equal_nan=real), (table, name)


@pytest.mark.slow
@settings(max_examples=30)
@given(small_trials())
def test_an_additional_look_moves_nobody(trial: SmallTrial) -> None:
    plan = plan_of(trial)
    assume(not plan.adaptive)
    without = run(plan)
    design = trial.tree["designs"]["only"]
    earlier = {"when": {"enrolled": 1}}
    bounds = {side: [None, *values] for side, values in design["bounds"].items()}
    changed = design | {"looks": [earlier, *design["looks"]], "bounds": bounds}
    tree = trial.tree | {"designs": {"only": changed}}
    try:
        scenario = scenario_from(tree, FOLDER)
    except ScenarioError:
        assume(False)
    other = run(build_plan(scenario, "only", "world", trial.seed, trial.grid, patient_table(scenario)))
    nature = (Kind.RANDOMISATION, Kind.EVENT, Kind.READOUT, Kind.DROPOUT)
    for row in range(REPLICATES):
        one = [e for e in without.chunk.log(row) if e.kind in nature]
        two = [e for e in other.chunk.log(row) if e.kind in nature]
        shared = min(without.ends.tick[row], other.ends.tick[row])
        assert [e for e in one if e.tick <= shared] == [e for e in two if e.tick <= shared]


@pytest.mark.slow
def test_most_generated_trials_are_accepted() -> None:
    accepted: list[bool] = []

    @settings(max_examples=150, database=None)
    @given(small_trials())
    def count(trial: SmallTrial) -> None:
        try:
            scenario_from(trial.tree, FOLDER)
            accepted.append(True)
        except ScenarioError:
            accepted.append(False)

    count()
    assert len(accepted) >= 100
    assert sum(accepted) > 0.7 * len(accepted)
