"""Data that arrive after a stop: what is analysed, p values against the methods themselves, twins, what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trialsim
from trialsim.conformance import check_twins
from trialsim.errors import ScenarioError
from trialsim.oc.columns import records_of
from trialsim.report.page import page
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.scenario.schema import Scenario
from trialsim.stats.inference.overrun import Stopped, combination_method, deletion_method
from trialsim.stats.inference.stagewise import stagewise_p
from trialsim.timegrid import TICKS_PER_DAY

ROOT = Path(__file__).resolve().parent.parent.parent
BOUNDS = [2.4, 2.3, 2.0]


def read_out(**changes: Any) -> Scenario:
    """Three looks at a mean, 60 read-outs each; a read-out comes a month after entry, the decision two weeks after it."""
    tree = copy.deepcopy(load_scenario(ROOT / "scenarios/computed_bounds/computed_bounds.yaml").dump())
    looks = [{"when": {"readouts": count}, "decision_lag": "2 weeks"} for count in (60, 120, 180)]
    design = {
        "kind": "group_sequential", "n": 180, "allocation": "alternating", "looks": looks, "overrunning": True,
        "tests": {"mean": {"alpha": 0.025}}, "bounds": {"efficacy_z": BOUNDS, "futility_z": [0.0, 0.5, None]},
    }  # fmt: skip
    plain = {key: part for key, part in design.items() if key != "overrunning"}
    endpoints = {"score": tree["endpoints"]["score"]}
    truths = {"effect": {}, "no_effect": {"endpoints.score.effect.treatment": 0}}
    return scenario_from(
        tree
        | {
            "designs": {"after": design | changes, "at_the_stop": plain},
            "endpoints": endpoints,
            "truths": truths,
        }
        | {"hypotheses": {"mean": tree["hypotheses"]["mean"]}}
    )


def by_events() -> Scenario:
    tree = copy.deepcopy(load_scenario(ROOT / "scenarios/nph_oncology/nph_oncology.yaml").dump())
    design = tree["designs"]["group_sequential"] | {"overrunning": True}
    for look in design["looks"]:
        look |= {"cleaning_lag": "2 weeks", "decision_lag": "4 weeks"}
    return scenario_from(tree | {"designs": {"after": design}})


@pytest.mark.parametrize("binding", [False, True])
def test_p_values_are_those_of_the_methods(binding: bool) -> None:
    run = trialsim.simulate(read_out(futility_binding=binding), ["after"], ["effect"], replicates=300, seed=4)
    trials, looks = run.trials(), run.looks()
    # Known variance 1: information is a quarter of the read-outs, arms being equal.
    seen = dict(iter(looks.groupby("replicate")))
    early = trials[(trials["stop_look"] < 3) & (trials["overrun_added"] > 0)]
    assert set(early["stop_reason"].astype(str)) == {"efficacy", "futility"}
    for _, trial in early.iloc[:60].iterrows():
        part = seen[trial["replicate"]]
        information = (part["readouts"] / 4).tolist()
        lower = part["futility_z"].tolist() if binding else [-np.inf] * len(part)
        everything = (trial["analysed"] + trial["overrun_added"]) / 4
        stopped = Stopped(
            information,
            lower,
            part["efficacy_z"].tolist(),
            part["z"].iloc[-1],
            everything,
            trial["overrun_z"],
        )
        assert trial["overrun_p_deletion"] == pytest.approx(deletion_method(stopped).p_value[0], abs=1e-12)
        assert trial["overrun_p_combination"] == pytest.approx(
            combination_method(stopped).p_value[0], abs=1e-12
        )
    last = trials[trials["stop_look"] == 3]
    assert (last["overrun_added"] == 0).all()
    for _, trial in last.iloc[:20].iterrows():
        part = seen[trial["replicate"]]
        lower = part["futility_z"].to_numpy().copy() if binding else np.full(3, -np.inf)
        p = stagewise_p([15, 30, 45], lower, BOUNDS, [2], [trial["z:mean"]])[0]
        assert trial["overrun_p_deletion"] == trial["overrun_p_combination"] == pytest.approx(p, abs=1e-12)


def test_all_who_were_randomised_by_the_decision_are_read_out_and_nobody_else() -> None:
    run = trialsim.simulate(read_out(), ["after"], ["effect"], replicates=200, seed=4)
    trials = run.trials()
    assert (trials["analysed"] + trials["overrun_added"] == trials["enrolled"]).all()
    assert (trials["overrun_added"] == trials["pipeline"] + trials["overrun"]).all()
    assert (trials["overrun"] > 0).any()


def test_nothing_else_changes() -> None:
    run = trialsim.simulate(read_out(), None, ["effect"], replicates=200, seed=4)
    trials = run.trials()
    after, before = (
        trials[trials["design"] == name].reset_index(drop=True) for name in ("after", "at_the_stop")
    )
    for column in (
        "enrolled",
        "analysed",
        "stop_look",
        "reject:mean",
        "z:mean",
        "decision_time",
        "last_visit_time",
    ):
        assert (after[column] == before[column]).all()
    assert before["overrun_p_deletion"].isna().all()
    assert not before["overrun_reject_combination"].any()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [read_out(), by_events()], ids=["read-outs", "events"])
@pytest.mark.parametrize("grid", [1, 7 * TICKS_PER_DAY])
def test_the_engines_agree(scenario: Scenario, grid: int) -> None:
    assert not check_twins(scenario, ["after"], None, range(10), seed=6, grid=grid)


def test_measures_and_the_report_hold_them() -> None:
    scenario = read_out()
    run = trialsim.simulate(scenario, None, ["no_effect"], replicates=400, seed=4)
    trials = run.trials()
    table = run.operating_characteristics()
    found = table[(table["name"] == "reject_with_overrun") & (table["reason"] == "combination")]
    assert found["design"].tolist() == ["after"]
    p = trials.loc[trials["design"] == "after", "overrun_p_combination"]
    assert found["value"].iloc[0] == (p <= 0.025).mean()
    html = page(scenario.dump(), {}, run.characteristics, records_of(run.records), {})
    assert "<h2>After the stop</h2>" in html


def test_what_cannot_be_followed_is_refused() -> None:
    with pytest.raises(ScenarioError, match="belongs to kind: group_sequential"):
        read_out(kind="fixed", bounds=None, looks=[{"when": {"readouts": 180}}])
    tree = read_out().dump()
    tree["withdrawal"] = {"baseline": {"survival": 0.9, "at": "1 years"}}
    with pytest.raises(ScenarioError, match="not followed where patients have withdrawal"):
        scenario_from(tree)
