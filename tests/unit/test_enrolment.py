"""Patients over time: the same in both engines and in any chunks, and what the trials themselves say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trialsim
from tests.unit.recruitment_scenario import RECRUITING, recruiting, straight
from tests.unit.story_scenario import eventful
from trialsim.cli import main as entry
from trialsim.engines.enrolment import added_up
from trialsim.engines.plan import build_plan
from trialsim.oc.columns import Cell, records_of
from trialsim.oc.enrolment import enrolment_curves
from trialsim.oc.in_memory import Collected, collect
from trialsim.oc.run_folder import load_run
from trialsim.oc.site_enrolment import site_enrolment
from trialsim.report.recruitment_figures import left_out_sentences, site_enrolment_picture
from trialsim.report.story_replay import replay

REPLICATES = 21


@pytest.fixture(scope="module")
def collected() -> Collected:
    return collect(recruiting(), ["one"], ["base", "slow"], REPLICATES, 1)


@pytest.mark.slow
def test_engines_and_chunks_agree(collected: Collected) -> None:
    assert collected.enrolment is not None
    reference = collect(recruiting(), ["one"], ["base", "slow"], REPLICATES, 1, engine="reference")
    chunks = collect(recruiting(), ["one"], ["base", "slow"], REPLICATES, 1, chunk=4)
    assert collected.enrolment.equals(reference.enrolment)
    assert collected.enrolment.equals(chunks.enrolment)


@pytest.mark.slow
def test_the_table_says_what_the_trials_say(collected: Collected) -> None:
    for truth in ("base", "slow"):
        curves = enrolment_curves(records_of(collected), Cell("one", truth))
        assert [curve.group for curve in curves] == ["", "big", "small"]
        trials = [replay(recruiting(), "one", truth, number, 1) for number in range(REPLICATES)]
        sites = trials[0].plan.world.sites
        assert sites is not None
        for curve in curves:
            counts = np.array(
                [
                    [
                        sum(
                            course.entry / 2**20 <= day
                            and curve.group in ("", sites.names[course.key >> 32].partition("_")[0])
                            for course in trial.courses
                        )
                        for day in curve.days
                    ]
                    for trial in trials
                ]
            )
            assert curve.trials == REPLICATES
            np.testing.assert_allclose(curve.mean, counts.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(
                curve.mcse, counts.std(axis=0, ddof=1) / np.sqrt(REPLICATES), rtol=1e-9, atol=1e-12
            )
            for values, share in ((curve.p10, 0.1), (curve.median, 0.5), (curve.p90, 0.9)):
                np.testing.assert_allclose(values, np.quantile(counts, share, axis=0), rtol=1e-12, atol=1e-12)
        whole, *groups = curves
        np.testing.assert_allclose(whole.mean, sum(group.mean for group in groups), rtol=1e-12)
        np.testing.assert_allclose(whole.planned, sum(group.planned for group in groups), rtol=1e-12)
        enrolled = [len(trial.courses) for trial in trials]
        assert whole.mean[-1] == pytest.approx(np.mean(enrolled))


def test_the_plan_is_the_mean_where_nobody_waits_and_the_trial_is_not_full() -> None:
    replicates = 400
    found = collect(straight(), ["one"], ["base"], replicates, 1)
    for curve in enrolment_curves(records_of(found), Cell("one", "base")):
        early = curve.days < 0.6 * 200 / 12 * 30.4375  # rarely full before: 200 patients at 12 a month
        assert early.sum() > 20
        gap = np.abs(curve.mean - curve.planned)[early]
        assert (gap <= 5 * curve.mcse[early] + 0.02).all()
        total = curve.planned[-1]
        assert total <= 200 + 1e-9


def test_a_plan_has_a_place_for_every_date() -> None:
    plan = build_plan(recruiting(), "one", "base", 1)
    dates = plan.enrolment_dates
    assert (np.diff(dates) > 0).all()
    assert dates[-1] == plan.horizon
    assert plan.planned_enrolment.shape == (2, len(dates))
    assert (np.diff(plan.planned_enrolment, axis=1) >= -1e-9).all()
    assert plan.planned_enrolment.sum(axis=0).max() <= plan.n + 1e-9


def test_counts_of_two_sets_of_trials_are_added() -> None:
    rows = {
        "group": np.array([0, 0, 1, 0], dtype=np.int32),
        "date": np.array([0, 1, 0, 0], dtype=np.int16),
        "randomised": np.array([2, 2, 2, 2], dtype=np.int32),
        "trials": np.array([3, 4, 5, 6]),
        "planned": np.array([1.0, 2.0, 3.0, 1.0]),
    }
    found = added_up(rows)
    assert found["trials"].tolist() == [9, 4, 5]
    assert found["planned"].tolist() == [1.0, 2.0, 3.0]


def test_in_python_it_is_a_table() -> None:
    simulation = trialsim.simulate(recruiting(), "one", "base", replicates=3)
    frame = simulation.enrolment()
    assert isinstance(frame, pd.DataFrame)
    sites = {f"site:{name}" for name in ("big_1", "big_2", "small_1", "small_2", "small_3")}
    assert set(frame["group"]) == {"", "big", "small"} | sites
    without = trialsim.simulate(eventful(), "two_arms", "alternative", replicates=2)
    assert without.enrolment().empty
    assert without.sites().empty


@pytest.mark.slow
def test_a_run_keeps_it_on_disk(
    tmp_path: Path, collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recruiting.yaml").write_text(RECRUITING)
    arguments = [
        "run",
        "recruiting.yaml",
        "--designs",
        "one",
        "--replicates",
        str(REPLICATES),
        "--workers",
        "1",
    ]
    assert entry.main([*arguments, "--out", "run"]) == 0
    stored = load_run(tmp_path / "run")
    for truth in ("base", "slow"):
        here = enrolment_curves(stored.records, Cell("one", truth))
        there = enrolment_curves(records_of(collected), Cell("one", truth))
        for a, b in zip(here, there, strict=True):
            assert a.group == b.group
            for name in ("days", "planned", "mean", "mcse", "p10", "median", "p90"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    stored.records.close()
    (tmp_path / "run" / "enrolment.parquet").unlink()
    with pytest.raises(trialsim.UsageError, match="enrolment"):
        load_run(tmp_path / "run")


@pytest.mark.slow
def test_single_sites_over_time_where_they_are_few() -> None:
    """Ten alike sites: their curves add up to all, end where the table of sites does, and are drawn one by one."""
    world = Path(__file__).parents[2] / "scenarios" / "recruitment_worlds" / "mixed.yaml"
    found = collect(trialsim.load_scenario(world), ["as_they_come"], ["expected"], 30, 1)
    records, cell = records_of(found), Cell("as_they_come", "expected")
    whole, curves = enrolment_curves(records, cell)[0], enrolment_curves(records, cell, single=True)
    assert [curve.group for curve in curves] == [each.site for each in site_enrolment(records, cell)]
    np.testing.assert_allclose(whole.mean, sum(curve.mean for curve in curves), rtol=1e-12)
    np.testing.assert_allclose(whole.planned, sum(curve.planned for curve in curves), rtol=1e-9)
    for curve, site in zip(curves, site_enrolment(records, cell), strict=True):
        assert curve.mean[-1] == pytest.approx(site.randomised.value)
        assert (curve.p10[-1], curve.p90[-1]) == (site.p10.value, site.p90.value)
    picture = site_enrolment_picture(records)
    assert picture is not None
    assert all(curve.group in picture.alternative for curve in curves)


@pytest.mark.slow
def test_every_site_is_drawn_over_time_where_each_is_a_group_of_its_own() -> None:
    """The pilot's 17 sites, each with a rate of its own: the picture by group has room for five."""
    pilot = Path(__file__).parents[2] / "scenarios" / "cdisc_pilot" / "cdisc_pilot.yaml"
    found = collect(trialsim.load_scenario(pilot), ["as_conducted"], ["fitted"], 4, 1)
    records, cell = records_of(found), Cell("as_conducted", "fitted")
    sites = [each.site for each in site_enrolment(records, cell)]
    picture = site_enrolment_picture(records)
    assert len(sites) == 17 and picture is not None
    assert all(f"as_conducted under fitted, {site}: half of" in picture.alternative for site in sites)
    assert not any("groups of sites" in sentence for sentence in left_out_sentences(records))
