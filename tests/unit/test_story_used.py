"""Whom a test takes at a look under each strategy: counted anew from the event log; told by story, funnel and records."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import Cell, records_of
from trialsim.report.funnel import KNOWN, funnel
from trialsim.report.story import Story, explain
from trialsim.scenario.load import scenario_from_text
from trialsim.scenario.schema import Scenario
from trialsim.simulation import simulate

LEAVING = """
name: leaving
horizon: {horizon}
accrual: {sites: {a: {count: 3, rate: 4 per month}}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 20 weeks, rate: 0.4, effect: {treatment: 0.6}, effect_measure: rate}
  score: {kind: continuous, readout: 20 weeks, mean: 10, sd: 4, effect: {treatment: 2}}
discontinuation: {other: {baseline: {hazard: 0.8 per year}}}
hypotheses:
  failing: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher, strategy: composite}
  without: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher, strategy: hypothetical}
  during: {endpoint: score, arms: [treatment, control], analysis: t_test, direction: higher, strategy: while_on_treatment}
  always: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {here: {}}
designs:
  d:
    kind: group_sequential
    n: 100
    allocation: alternating
    looks:
      - when: {readouts: {count: {first}, endpoint: response}}
      - when: {readouts: {count: {last}, endpoint: response}}
    bounds: {efficacy_z: [6.0, 1.96]}
    tests: {failing: {alpha: 0.025}, without: {alpha: 0.025}, during: {alpha: 0.025}, always: {alpha: 0.025}}
"""


def leaving(horizon: str = "5 years", first: int = 30, last: int = 80) -> Scenario:
    text = LEAVING.replace("{horizon}", horizon).replace("{first}", str(first))
    return scenario_from_text(text.replace("{last}", str(last)))


def ways(story: Story) -> pd.DataFrame:
    """Return a row a patient, from the event log alone: randomisation, discontinuation, read-outs and values, in ticks."""
    events = story.events.dropna(subset=["patient"])
    own = events.groupby("patient")
    frame = pd.DataFrame({"arm": own["arm"].first()})
    for name, chosen in {
        "came": events["kind"] == "randomisation",
        "quit": events["kind"] == "discontinued",
        "response": (events["kind"] == "readout") & (events["endpoint"] == "response"),
        "score": (events["kind"] == "readout") & (events["endpoint"] == "score"),
    }.items():
        frame[name] = events[chosen].set_index("patient")["tick"].astype(float)
    responses = events[(events["kind"] == "readout") & (events["endpoint"] == "response")]
    frame["value"] = responses.set_index("patient")["value"].astype(float)
    return frame


def score_z(values: pd.Series, treated: pd.Series) -> float:
    """Return the score statistic of two proportions, with pooled variance."""
    p1, p0, p = values[treated].mean(), values[~treated].mean(), values.mean()
    return float((p1 - p0) / math.sqrt(p * (1 - p) * (1 / treated.sum() + 1 / (~treated).sum())))


@pytest.mark.parametrize("replicate", range(3))
def test_the_story_says_whom_each_test_takes(replicate: int) -> None:
    story = explain(leaving(), "d", "here", replicate, 1)
    frame, days = ways(story), 140 * 2**20
    assert len(story.replay.looks) == 2
    for look in story.replay.looks:
        (told,) = (text for text in story.sentences if text.startswith(f"At look {look.number}: "))
        left = frame["quit"] < frame["came"] + days
        read = frame["response"] <= look.cut
        failed = left & (frame["quit"] <= look.cut)
        composite = np.where(left, failed, read)
        taken = frame[composite]
        assert len(taken) > read.sum() > (read & ~left).sum()
        assert (
            f"(from {len(taken)} patients by the composite strategy, {failed.sum()} of them for discontinuation, "
            f"{read.sum()} readouts of response being known)"
        ) in told
        kept = frame[read & ~left]
        for strategy, name in (("hypothetical", "response"), ("while on treatment", "score")):
            assert (
                f"(from {len(kept)} patients by the {strategy} strategy, {read.sum()} readouts of {name} being known)"
            ) in told
        assert re.search(r"always z = −?[\d.]+, ", told)
        # The statistics themselves are those of the patients counted here.
        values = taken["value"].where(~left[composite], 0.0)
        assert look.z[0] == pytest.approx(score_z(values, taken["arm"] == "treatment"), rel=1e-9)
        assert look.z[1] == pytest.approx(score_z(kept["value"], kept["arm"] == "treatment"), rel=1e-9)
    waiting = (frame["came"] <= look.cut) & ~read
    already = int((waiting & failed).sum())
    assert already > 0
    assert story.sentences[-1].endswith(
        f"{int(waiting.sum())} patients randomised before it were still waited for, with no readout of response known "
        f"yet; {already} of them failing has counted as failures by its composite strategy."
    )
    assert story.replay.trial["analysed"] == read.sum()


def test_nothing_is_analysed_without_a_look() -> None:
    scenario = leaving(horizon="6 months", first=90, last=95)
    for engine in ("fast", "reference"):
        found = simulate(scenario, replicates=4, seed=1, engine=engine)
        trials = found.trials()
        assert (trials["stop_look"] == 0).all()
        assert (trials["enrolled"] > 0).all()
        assert (trials["analysed"] == 0).all()
    (row,) = found.characteristics.select("analysed")
    assert (row.value, row.n) == (0.0, 4)
    steps = funnel(records_of(found.records), Cell("d", "here"))
    assert (steps[-1].name, steps[-1].left.value) == (KNOWN, 0.0)
    assert dict(steps[-1].losses).keys() == {"not known at a look: the trial ended at its horizon"}
    story = explain(scenario, "d", "here", 0, 1)
    assert story.sentences[-1].startswith("At the end of the trial on ")
    assert not any("deciding cut" in text for text in story.sentences)


def test_a_trial_that_ends_between_looks_has_analysed_those_of_the_look() -> None:
    scenario = leaving(horizon="10 months", last=99)
    found = {
        engine: simulate(scenario, replicates=6, seed=1, engine=engine) for engine in ("fast", "reference")
    }
    trials, looks = found["fast"].trials(), found["fast"].looks()
    assert (trials["stop_look"] == 0).all()
    first = looks[(looks["look"] == 1) & (looks["hypothesis"] == "failing")]
    assert (trials["analysed"].to_numpy() == first["readouts"].to_numpy()).all()
    arms = found["fast"].arms().groupby("replicate")["readouts"].sum()
    assert (arms.to_numpy() > trials["analysed"].to_numpy()).all()
    pd.testing.assert_frame_equal(trials, found["reference"].trials())
    step = funnel(records_of(found["fast"].records), Cell("d", "here"))[-1]
    lost = {why: value.value for why, value in step.losses}
    assert lost == {
        "not known at a look: the trial ended at its horizon": pytest.approx(
            (trials["enrolled"] - trials["analysed"]).mean()
        )
    }
    rows = operating_characteristics(found["fast"].records).select("analysed")
    assert [row.value for row in rows] == [pytest.approx(first["readouts"].mean())]
