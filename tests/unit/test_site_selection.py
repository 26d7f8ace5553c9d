"""Which sites open: what is on record of them, who is chosen by it, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import trialsim
from trialsim.contracts import SiteView
from trialsim.engines.fast import FastEngine
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.site_selection import choice_of_sites, openings
from trialsim.errors import ScenarioError
from trialsim.policies import site_selection as policies
from trialsim.timegrid import NEVER

FILE = Path(__file__).parents[2] / "scenarios" / "site_selection" / "site_selection.yaml"


def plan_of(design: str) -> Plan:
    """Return the plan of a shipped design."""
    return build_plan(trialsim.load_scenario(FILE), design, "expected", 1, 1, None)


def view_by_hand() -> SiteView:
    """Return two trials' views of four sites: two on record, three asked."""
    return SiteView(
        replicate=np.array([0, 1]),
        names=("a", "b", "c", "d"),
        groups=("x", "x", "y", "y"),
        history_days=np.array([100.0, 200.0, 0.0, 0.0]),
        history_patients=np.array([[10, 30, 0, 0], [40, 10, 0, 0]]),
        promised=np.array([[0.5, 0.1, 0.2, np.nan], [0.1, 0.2, 0.4, np.nan]]),
        seed=3,
        rates=np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]),
    )


def test_scores_by_hand() -> None:
    view = view_by_hand()
    assert policies.HistoricalMean(2).score(view) == pytest.approx(
        np.array([[0.1, 0.15, 40 / 300, 40 / 300], [0.4, 0.05, 50 / 300, 50 / 300]])
    )
    # Shape 2, mean 40 / 300 a day: prior rate 15; posterior means (2 + x) / (15 + days).
    expected = [12 / 115, 32 / 215, 2 / 15, 2 / 15]
    assert policies.GammaPoisson(2, 2.0).score(view)[0] == pytest.approx(expected)
    assert np.array_equal(policies.OracleSites(2).score(view), -policies.AdversarialSites(2).score(view))
    assert np.isnan(policies.Questionnaire(2).score(view)[:, 3]).all()
    assert np.array_equal(policies.AllOpen().decide(view, {})[0].score, np.zeros((2, 4)))


def test_thompson_draws_from_the_posterior() -> None:
    """Drawn rates over many trials follow the posterior gamma law (Kolmogorov-Smirnov)."""
    n = 4000
    view = SiteView(
        np.arange(n),
        ("a", "b"),
        ("x", "x"),
        np.array([100.0, 0.0]),
        np.tile([12, 0], (n, 1)),
        np.full((n, 2), np.nan),
        5,
    )
    drawn = policies.ThompsonSites(1, 2.0).score(view)
    prior_rate = 2.0 / 0.12
    for site, (shape, rate) in enumerate([(14.0, prior_rate + 100.0), (2.0, prior_rate)]):
        assert stats.kstest(drawn[:, site], stats.gamma(shape, scale=1 / rate).cdf).pvalue > 1e-4


def test_what_is_on_record_has_its_law() -> None:
    """Counts given the site's own rate: overdispersed Poisson, mean and variance of the log-normal mixture, 5 s.e."""
    laws, n = plan_of("by_history").world.sites, 4000
    assert laws is not None
    replicates = np.arange(n)
    counts, promised = laws.history(7, replicates)
    rates = laws.rates(7, replicates)
    mean = rates * laws.history_days * np.exp(laws.history_spread**2 / 2)
    on_record = laws.history_days > 0
    left = (counts - mean)[:, on_record]
    variance = mean + mean**2 * np.expm1(laws.history_spread**2)
    z = left.sum() / np.sqrt(variance[:, on_record].sum())
    assert abs(z) < 5
    ratio = (left**2 / variance[:, on_record]).mean()
    assert abs(ratio - 1) < 0.05
    assert (counts[:, ~on_record] == 0).all()
    logs = np.log(promised / rates)
    assert abs(logs.mean() - np.log(1.8)) < 5 * 0.6 / np.sqrt(logs.size)
    assert logs.std() == pytest.approx(0.6, rel=0.02)


def test_the_inverse_of_poisson() -> None:
    """A record at the true rate is the Poisson quantile of its uniform, as SciPy's."""
    laws = plan_of("by_history").world.sites
    assert laws is not None
    object.__setattr__(laws, "history_spread", np.zeros(laws.count))
    from trialsim.draws import Purpose, uniforms_at

    counts, _ = laws.history(2, np.arange(300))
    mean = laws.rates(2, np.arange(300)) * laws.history_days
    u = np.empty(300 * laws.count)
    keys = np.tile(np.arange(laws.count) << 32, 300)
    uniforms_at(2, np.repeat(np.arange(300), laws.count), keys, int(Purpose.SITE_HISTORY), 1, u)
    some = (mean > 0).ravel()
    assert np.array_equal(counts.ravel()[some], stats.poisson.ppf(u[some], mean.ravel()[some]))


def test_the_highest_open_and_time_begins_with_the_first_of_them() -> None:
    plan = plan_of("oracle")
    replicates = np.arange(50)
    opening = openings(plan, replicates, choice_of_sites(plan, replicates))
    assert plan.world.sites is not None
    rates = plan.world.sites.rates(plan.seed, replicates)
    opened = opening < NEVER
    assert (opened.sum(axis=1) == 10).all()
    for r in range(50):
        assert rates[r][opened[r]].min() >= rates[r][~opened[r]].max()
    assert (opening.min(axis=1) == 0).all()
    everybody = openings(plan_of("all_sites"), replicates, None)
    assert (everybody < NEVER).all()
    ends = FastEngine(plan).start(replicates)
    assert ends is not None


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("{random: {open: 31}}", "opens 31 sites, and there are 30"),
        ("{random: {open: 0}}", "open"),
        ("{thompson: {open: 3, shape: -1}}", "shape"),
        ("historic", "historic"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(tmp_path: Path, policy: str, sentence: str) -> None:
    text = FILE.read_text().replace("{oracle: {open: 10}}", policy)
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        trialsim.load_scenario(tmp_path / "bad.yaml")
    assert sentence in str(caught.value)


def test_records_that_are_not_there(tmp_path: Path) -> None:
    lines = [
        line
        for line in FILE.read_text().splitlines()
        if not line.strip().startswith(("history:", "feasibility:"))
    ]
    (tmp_path / "bad.yaml").write_text("\n".join(lines))
    with pytest.raises(ScenarioError) as caught:
        trialsim.load_scenario(tmp_path / "bad.yaml")
    said = str(caught.value)
    assert "no sites have a history" in said
    assert "no sites were asked" in said
    assert "gamma_poisson knows nothing of these sites" in said
