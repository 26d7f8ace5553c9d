"""Designs that decide on sampled models in both engines: two trials live, more by replaying what was logged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.twins.sampled import LOGGED, TREE, TREES, plan, register, replaying
from trialsim.conformance import twin_difference
from trialsim.contracts import Stop
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import run, start_engine
from trialsim.engines.task_store import TaskStore
from trialsim.errors import UsageError
from trialsim.scenario.load import scenario_from


@pytest.fixture
def own_model(packages: Path) -> None:
    register(packages)


@pytest.mark.usefixtures("own_model")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "sampled" else name for name in TREES]
)
def test_the_engines_replay_logged_decisions_alike(name: str) -> None:
    logged = replaying(plan(name))
    assert twin_difference(logged, LOGGED[name]) is None
    replayed = conduct(start_engine(logged, "fast").start(np.array(LOGGED[name])))
    assert {int(each) for each in replayed.ends.reason} >= {Stop.EFFICACY, Stop.FUTILITY}


@pytest.mark.slow
@pytest.mark.usefixtures("own_model")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n == "sampled" else pytest.mark.exhaustive) for n in TREES]
)
def test_two_trials_run_live_in_both_engines_and_as_logged(name: str) -> None:
    real, two = plan(name), np.array(LOGGED[name][:2])
    replayed = conduct(start_engine(replaying(real), "fast").start(two))
    assert twin_difference(real, LOGGED[name][:2]) is None
    live = conduct(start_engine(real, "fast").start(two))
    # Draws of a sampler are the same on every machine but for the last bits of its arithmetic.
    assert live.z == pytest.approx(replayed.z, abs=0.05)
    assert (live.ends.reason == replayed.ends.reason).all()


@pytest.mark.slow
@pytest.mark.usefixtures("own_model")
def test_a_run_that_was_broken_off_goes_on_from_what_it_kept(tmp_path: Path) -> None:
    tree = TREE | {
        "hypotheses": {"gains": TREE["hypotheses"]["gains"] | {"analysis": {"normal_unknown_variance": {}}}}
    }
    design = tree["designs"]["by_sampling"] | {"tests": {"gains": {"alpha": 0.05}}}
    design["decisions"] = [{"do": "stop_for_success", "when": {"posterior": {"above": 0.95}}}]
    scenario = scenario_from(tree | {"designs": {"by_sampling": design}})

    def trials(store: TaskStore | None, replicates: int, seed: int = 3) -> pa.Table:
        blocks: list[pa.Table] = []
        run(
            scenario,
            None,
            None,
            replicates,
            seed,
            "fast",
            1,
            lambda t: blocks.append(t["trials"]),
            store=store,
        )
        return pa.concat_tables(blocks)

    store = TaskStore(tmp_path / "kept", {"seed": 3})
    whole = trials(None, 600)
    first = trials(store, 600)
    kept = sorted((tmp_path / "kept").glob("*.npz"))
    assert len(kept) == 3
    kept[1].write_bytes(kept[1].read_bytes()[:200])  # cut short, as by a full disk
    kept[2].unlink()
    before = kept[0].stat().st_mtime_ns
    again = trials(TaskStore(tmp_path / "kept", {"seed": 3}), 600)
    for name in whole.column_names:
        assert whole[name].to_pylist() == first[name].to_pylist() == again[name].to_pylist()
    assert kept[0].stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="another scenario, seed or engine"):
        TaskStore(tmp_path / "kept", {"seed": 4})
