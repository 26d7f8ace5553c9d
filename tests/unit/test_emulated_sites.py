"""Sites by a score of a stated quality: the quality is what was stated, and lies between the controls."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import trialsim
from trialsim.conformance import check_twins
from trialsim.contracts import SiteView
from trialsim.errors import ScenarioError
from trialsim.policies.emulated_sites import EmulatedSites, rank_correlation_of, solved_rho
from trialsim.policies.site_selection import OracleSites
from trialsim.scenario.load import scenario_from_text

FILE = Path(__file__).parents[2] / "scenarios" / "site_selection" / "site_selection.yaml"
TRIALS = 2000


def view_of(sites: int) -> SiteView:
    """Return views of sites whose rates are gamma distributed."""
    rates = np.random.default_rng(3).gamma(1.5, 0.1, (TRIALS, sites))
    nothing = np.zeros((TRIALS, sites), dtype=np.int64)
    names = tuple(f"s{k}" for k in range(sites))
    days, promised = np.zeros(sites), np.full((TRIALS, sites), np.nan)
    return SiteView(np.arange(TRIALS), names, ("x",) * sites, days, nothing, promised, 5, rates)


@pytest.mark.parametrize(("sites", "wanted"), [(4, 0.3), (12, 0.7), (12, -0.4), (12, 0.0), (12, 0.999)])
def test_the_mean_rank_correlation_is_the_one_stated(sites: int, wanted: float) -> None:
    """By Spearman's formula on SciPy's ranks, trial by trial; 5 standard errors of the mean."""
    view = view_of(sites)
    score = EmulatedSites(3, rank_correlation=wanted).decide(view, {})[0].score
    ranks = [stats.rankdata(each, axis=1) - (sites + 1) / 2 for each in (score, view.rates)]
    found = (ranks[0] * ranks[1]).sum(axis=1) * 12 / (sites**3 - sites)
    assert abs(found.mean() - wanted) < 5 * found.std() / sqrt(TRIALS) + 1e-9


@pytest.mark.parametrize("auc", [0.2, 0.5, 0.8])
def test_of_two_sites_the_better_one_scores_higher_as_often_as_stated(auc: float) -> None:
    view = view_of(9)
    score = EmulatedSites(3, auc=auc).decide(view, {})[0].score
    better = [
        ((s[:, None] > s) & (r[:, None] > r)).sum() / 36 for s, r in zip(score, view.rates, strict=True)
    ]
    assert abs(np.mean(better) - auc) < 5 * np.std(better) / sqrt(TRIALS)


def test_two_sites_by_hand() -> None:
    """Of two sites the quantiles are Phi^-1(1/4) and Phi^-1(3/4), and the mean correlation twice a chance less 1."""
    rho = solved_rho(rank_correlation_of, 0.6, 2)
    apart = 2 * stats.norm.ppf(0.75)
    assert 2 * stats.norm.cdf(rho * apart / sqrt(2 * (1 - rho**2))) - 1 == pytest.approx(0.6, abs=1e-9)


def test_a_perfect_score_opens_what_the_oracle_opens_and_equal_sites_are_alike() -> None:
    view = view_of(12)
    best = EmulatedSites(3, auc=0.999).decide(view, {})[0].score.argmax(axis=1) == OracleSites(3).score(
        view
    ).argmax(axis=1)
    assert best.mean() > 0.97
    alike = SiteView(*(view.replicate, view.names, view.groups, view.history_days, view.history_patients), view.promised,
                     5, np.full((TRIALS, 12), 0.1))  # fmt: skip
    first = (
        np.bincount(EmulatedSites(3, auc=0.9).decide(alike, {})[0].score.argmax(axis=1), minlength=12)
        / TRIALS
    )
    assert (np.abs(first - 1 / 12) < 5 * sqrt(11 / 144 / TRIALS)).all()


def test_both_engines_open_the_same_and_better_scores_fill_sooner() -> None:
    base = trialsim.load_scenario(FILE)
    whole = base.designs["oracle"]
    qualities = {"good": 0.9, "bad": -0.5}
    designs = {
        label: whole.model_copy(
            update={
                "policies": whole.policies | {"sites": ("emulated", {"open": 10, "rank_correlation": each})}
            }
        )
        for label, each in qualities.items()
    }
    scenario = base.model_copy(update={"designs": designs})
    assert check_twins(scenario, ["good"], ["expected"], range(2), seed=3) == []
    trials = trialsim.simulate(scenario, replicates=40, workers=1).trials()
    days = trials.groupby("design", observed=True)["enrolment_end_time"].mean()
    assert days["good"] < days["bad"]


def test_one_measure_of_quality_is_required() -> None:
    for written in ("{open: 10}", "{open: 10, auc: 0.8, rank_correlation: 0.5}"):
        text = FILE.read_text(encoding="utf-8").replace("oracle: {open: 10}", f"emulated: {written}")
        with pytest.raises(ScenarioError, match="a quality"):
            scenario_from_text(text, FILE.parent)


@pytest.mark.parametrize("measure", ["rank_correlation", "auc"])
def test_the_quality_within_a_group_is_the_one_stated_wherever_the_group_stands_among_all(
    measure: str,
) -> None:
    """Practices are a third of the sites and find a tenth of what clinics find: their quantiles lie close together."""
    view = view_of(12)
    few = np.arange(12) >= 8
    view = replace(
        view, groups=("clinics",) * 8 + ("practices",) * 4, rates=view.rates * np.where(few, 0.1, 1.0)
    )
    stated = {"practices": 0.6, "clinics": 0.8}
    score = EmulatedSites(3, **{measure: 0.9}, by_group=stated).decide(view, {})[0].score  # type: ignore[arg-type]
    for own, wanted in ((few, 0.6), (~few, 0.8)):
        ours, theirs, count = score[:, own], view.rates[:, own], int(own.sum())
        if measure == "auc":
            pairs = (ours[:, :, None] > ours[:, None, :]) & (theirs[:, :, None] > theirs[:, None, :])
            found = pairs.sum(axis=(1, 2)) * 2 / (count * (count - 1))
        else:
            ranks = [stats.rankdata(each, axis=1) - (count + 1) / 2 for each in (ours, theirs)]
            found = (ranks[0] * ranks[1]).sum(axis=1) * 12 / (count**3 - count)
        assert abs(found.mean() - wanted) < 5 * found.std() / sqrt(TRIALS)
    others = EmulatedSites(3, **{measure: 0.9}, by_group={"practices": 0.6}).decide(view, {})[0].score  # type: ignore[arg-type]
    assert np.array_equal(
        others[:, ~few], EmulatedSites(3, **{measure: 0.9}).decide(view, {})[0].score[:, ~few]
    )  # type: ignore[arg-type]


def test_a_group_whose_sites_are_alike_has_no_better_one() -> None:
    """Whoever of them opens first is chance, as likely beside other sites as with a score of that quality of all."""
    view = view_of(12)
    alike = np.arange(12) >= 8
    view = replace(view, groups=("clinics",) * 8 + ("practices",) * 4, rates=np.where(alike, 0.1, view.rates))
    first = (
        EmulatedSites(3, auc=0.7, by_group={"practices": 0.9})
        .decide(view, {})[0]
        .score[:, alike]
        .argmax(axis=1)
    )
    share = np.bincount(first, minlength=4) / TRIALS
    assert (np.abs(share - 0.25) < 5 * sqrt(3 / 16 / TRIALS)).all()


def test_groups_whose_quality_is_stated_are_groups_of_more_than_one_site() -> None:
    text = FILE.read_text(encoding="utf-8")
    for by_group, said in (
        ("{hospices: 0.7}", "no group of sites 'hospices'"),
        ("{known: -0.5}", "is no area"),
        ("{known: 1.5}", "0.999"),
    ):
        written = text.replace(
            "oracle: {open: 10}", f"emulated: {{open: 10, auc: 0.8, by_group: {by_group}}}"
        )
        with pytest.raises(ScenarioError, match=said):
            scenario_from_text(written, FILE.parent)
