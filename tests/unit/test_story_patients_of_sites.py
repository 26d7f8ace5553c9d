"""The analysis data set of a scenario with sites: the patients are the candidates who came, with their own covariates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

from tests.unit.recruitment_scenario import recruiting, straight
from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.report.story import Story, explain
from trialsim.scenario.load import scenario_from_text


@pytest.fixture(scope="module")
def story() -> Story:
    return explain(recruiting(), "one", "base", 3, 1)


def test_covariates_are_those_of_the_candidate(story: Story) -> None:
    frame, plan = story.patients, story.replay.plan
    log = [row for row in story.replay.log if row.kind == Kind.CANDIDATE]
    keys = np.array([int(row.value) for row in log])
    records = plan.world.source.records_at(plan.seed, np.full(len(keys), 3), keys)
    age, sex = (plan.world.source.columns.index(name) for name in ("age", "sex"))
    assert frame["age"].tolist() == records[:, age].tolist()
    assert frame["sex"].tolist() == [("female", "male")[int(code)] for code in records[:, sex]]
    assert frame["CANDNO"].tolist() == [(key & 0xFFFFFFFF) + 1 for key in keys.tolist()]
    sites = plan.world.sites
    assert sites is not None
    assert frame["SITEID"].tolist() == [sites.names[key >> 32] for key in keys.tolist()]


def test_another_design_gives_the_same_candidate_the_same_covariates(story: Story) -> None:
    other = explain(recruiting(), "smaller", "base", 3, 1).patients
    both = story.patients.merge(other, on=["SITEID", "CANDNO"], suffixes=("", "_2"))
    assert len(both) == len(other) > 10
    assert (both["age"] == both["age_2"]).all()
    assert (both["CONTDT"] == both["CONTDT_2"]).all()


def test_days_of_screening_are_those_of_the_log(story: Story) -> None:
    frame, events = story.patients, story.events
    assert (frame["CONTDT"] < frame["RFICDT"]).all()
    assert (frame["RFICDT"] < frame["SCRNDT"]).all()
    assert (frame["SCRNDT"] < frame["RANDDT"]).all()
    for _, row in frame.iterrows():
        own = events[(events["site"] == row["SITEID"]) & (events["candidate"] == row["CANDNO"])]
        consents = own[(own["kind"] == "screening") & (own["result"] == "consented")]
        assert row["RFICDT"] == consents["time"].max()
        assert row["SCRNDT"] == own.loc[(own["kind"] == "screening"), "time"].max()
        assert row["CONTDT"] == own["time"].min()


def test_who_comes_again_has_the_days_of_the_last_attempt() -> None:
    again = 0
    for number in range(8):
        story = explain(recruiting(), "one", "base", number, 1)
        frame, events = story.patients, story.events
        twice = events[(events["kind"] == "arrival") & (events["attempt"] == 2)]
        for _, row in frame.merge(
            twice, left_on=["SITEID", "CANDNO"], right_on=["site", "candidate"]
        ).iterrows():
            again += 1
            assert row["CONTDT"] < row["time"] < row["RFICDT"]
    assert again > 0


@pytest.mark.parametrize("design", ["one", "minimised"])
def test_the_stratum_is_the_one_that_the_engine_allocated_in(design: str) -> None:
    wrong = 0
    for number in range(4):
        frame = explain(recruiting(), design, "base", number, 1).patients
        chunk = conduct(chunk_of(recruiting(), design, "base", [number], 1, "fast")).chunk
        strata, count = chunk.patients.allocation_strata(("sex",))  # type: ignore[attr-defined]
        assert count == 2
        assert frame["STRATUM"].tolist() == [f"sex={('female', 'male')[s]}" for s in strata[0, : len(frame)]]
        wrong += int((frame["STRATUM"] != "sex=" + frame["sex"].astype(str)).sum())
        if design == "one":
            for _, inside in frame.groupby("STRATUM"):
                ahead = np.cumsum(np.where(inside["ARM"] == "control", 1, -1))
                assert np.abs(ahead).max() <= 2
                assert (ahead[3::4] == 0).all()
    assert wrong > 0


def test_z_follows_from_the_rows(story: Story) -> None:
    frame, look = story.patients, story.replay.looks[-1]
    rows = frame[frame["DEATH_ANLFL"] == "Y"]
    arms = [rows[rows["ARM"] == arm] for arm in ("treatment", "control")]
    durations = [arm["DEATH_TIME"].astype(float) for arm in arms]
    observed = [1 - arm["DEATH_CNSR"].astype(int) for arm in arms]
    statistic = logrank_test(*durations, *observed).test_statistic
    assert look.z[0] ** 2 == pytest.approx(statistic, rel=1e-9)


def test_nobody_is_asked_for_consent_where_the_scenario_does_not_ask() -> None:
    frame = explain(straight(), "one", "base", 0, 1).patients
    assert frame["RFICDT"].isna().all()
    assert frame["SCRNDT"].notna().all()


def test_without_patients_the_columns_are_the_same(story: Story) -> None:
    text = (
        "{name: empty, horizon: 20 days, accrual: {sites: {a: {rate: 0.0001 per year}}}, arms: [control, treatment],"
        " endpoints: {score: {kind: continuous, readout: 5 days, mean: 1, sd: 3, effect: {treatment: -1}}},"
        " hypotheses: {primary: {endpoint: score, arms: [treatment, control], analysis: t_test, direction: lower}},"
        " truths: {base: {}}, designs: {one: {kind: fixed, n: 4, allocation: simple,"
        " looks: [{when: {readouts: 4}}], tests: {primary: {alpha: 0.025}}}}}"
    )
    empty = explain(scenario_from_text(text), "one", "base", 0, 1)
    assert len(empty.patients) == 0
    assert isinstance(empty.patients, pd.DataFrame)
    assert {"SITEID", "CANDNO", "CONTDT", "RFICDT", "SCRNDT"} <= set(empty.patients)
    assert "No candidate came." in empty.text()
    part = empty.site("a")
    assert part.sentences[0].startswith("Site a opened on day 0.0")
