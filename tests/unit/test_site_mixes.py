"""Sites that find other people: whom they find, what an earlier trial says of it, and choices that look at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import trialsim
from trialsim.conformance import check_policy
from trialsim.contracts import Floats, SiteView
from trialsim.draws import Purpose, uniforms_at
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.site_selection import choice_of_sites, level_shares, openings
from trialsim.errors import ScenarioError
from trialsim.operations.site_history import history_levels
from trialsim.policies.balanced_sites import BalancedSites
from trialsim.policies.site_selection import GammaPoisson, RecordAndPromise
from trialsim.timegrid import NEVER

FILE = Path(__file__).parents[2] / "scenarios" / "site_selection" / "site_mix.yaml"
HOSPITALS, PRACTICES = 6, 6


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The plan of the balanced design."""
    return build_plan(trialsim.load_scenario(FILE), "balanced", "expected", 1, 1, None)


def candidates(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return replicates and keys of as many candidates of each of the twelve sites."""
    keys = (np.arange(12)[:, None] << 32) + np.arange(count)
    return np.full(keys.size, 3), keys.ravel()


def test_candidates_have_the_mix_of_their_site_and_all_else_as_without(plan: Plan, tmp_path: Path) -> None:
    """Shares within 5 standard errors, ages to the last bit those of a world without mixes."""
    replicates, keys = candidates(2000)
    records = plan.world.source.records_at(1, replicates, keys)
    text = FILE.read_text()
    for line in ("      mix: {group: {A: 0.9, B: 0.1}}\n", "      mix: {group: {A: 0.4, B: 0.6}}\n"):
        assert line in text
        text = text.replace(line, "")
    (tmp_path / "bare.yaml").write_text(text)
    bare_scenario = trialsim.load_scenario(tmp_path / "bare.yaml")
    bare = build_plan(bare_scenario, "balanced", "expected", 1, 1, None).world.source
    without = bare.records_at(1, replicates, keys)
    assert plan.world.source.columns == ("age", "group")
    assert np.array_equal(records[:, 0], without[:, 0])
    hospital = (keys >> 32) < HOSPITALS
    for here, share in ((hospital, 0.1), (~hospital, 0.6)):
        n = int(here.sum())
        assert abs(records[here, 1].mean() - share) < 5 * np.sqrt(share * (1 - share) / n)
    # The same normal score, cut elsewhere: who is of group B at a hospital is so in the population, and so at a practice.
    assert (records[hospital, 1] <= without[hospital, 1]).all()
    assert (records[~hospital, 1] >= without[~hospital, 1]).all()
    # Patients of no site, over whom true values are averaged, are those of the population.
    assert np.array_equal(plan.world.source.records(1, 3, 500), bare.records(1, 3, 500))


def test_the_record_by_level_is_binomial(plan: Plan) -> None:
    """Two levels: the first is SciPy's binomial quantile of the site's own uniform, and both add up."""
    laws = plan.world.sites
    assert laws is not None
    replicates = np.arange(200)
    patients, _ = laws.history(1, replicates)
    shares = level_shares(plan.world)
    assert shares == pytest.approx(np.repeat([[0.9, 0.1], [0.4, 0.6]], [HOSPITALS, PRACTICES], axis=0))
    found = history_levels(1, replicates, patients, shares)
    assert np.array_equal(found.sum(axis=2), patients)
    keys = np.tile(np.arange(12) << 32, 200)
    u = np.empty(len(keys))
    uniforms_at(1, np.repeat(replicates, 12), keys, int(Purpose.SITE_HISTORY), 16, u)
    expected = stats.binom.ppf(u, patients.ravel(), np.tile(shares[:, 0], 200))
    assert np.array_equal(found[:, :, 0].ravel(), expected)


def test_three_levels_are_multinomial() -> None:
    """Means of each level within 5 standard errors; a level without a share stays empty."""
    n, shares = 4000, np.array([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]])
    found = history_levels(5, np.arange(n), np.full((n, 2), 12), shares)
    errors = np.sqrt(12 * shares * (1 - shares) / n)
    assert (np.abs(found.mean(axis=0) - 12 * shares) <= 5 * errors).all()
    assert np.array_equal(found[:, 1], np.tile([0, 12, 0], (n, 1)))
    covariance = np.cov(found[:, 0, 0], found[:, 0, 1])[0, 1]
    assert covariance == pytest.approx(-12 * 0.2 * 0.5, abs=5 * 12 * 0.25 / np.sqrt(n))


def test_not_all_answer(plan: Plan) -> None:
    """Three of ten hospitals do not, all practices do; who answers says what they would have said."""
    laws = plan.world.sites
    assert laws is not None
    n = 2000
    _, promised = laws.history(4, np.arange(n))
    silent = np.isnan(promised)
    assert not silent[:, HOSPITALS:].any()
    assert abs(silent[:, :HOSPITALS].mean() - 0.3) < 5 * np.sqrt(0.21 / (n * HOSPITALS))
    object.__setattr__(laws, "answered", np.ones(12))
    _, everybody = laws.history(4, np.arange(n))
    assert np.array_equal(promised[~silent], everybody[~silent])
    object.__setattr__(laws, "answered", np.repeat([0.7, 1.0], 6))


def view_by_hand() -> SiteView:
    """Return a trial's view of four sites: two with records and promises, one with a promise only, one with neither."""
    return SiteView(
        replicate=np.array([0]),
        names=("a", "b", "c", "d"),
        groups=("x",) * 4,
        history_days=np.array([100.0, 200.0, 0.0, 0.0]),
        history_patients=np.array([[10, 30, 0, 0]]),
        promised=np.array([[0.5, 0.3, 0.2, np.nan]]),
        seed=3,
        levels=("A", "B"),
        history_levels=np.array([[[9, 1], [6, 24], [0, 0], [0, 0]]]),
    )


def test_promises_scaled_by_records_by_hand() -> None:
    """Promised 110 at the two sites on record, found 40: promises count 40.5 / 110."""
    scale = 40.5 / (0.5 * 100 + 0.3 * 200)
    mean = 40 / 300
    prior = np.array([0.5 * scale, 0.3 * scale, 0.2 * scale, mean])
    expected = (2.0 + np.array([10, 30, 0, 0])) / (2.0 / prior + np.array([100, 200, 0, 0]))
    assert RecordAndPromise(2, 2.0).score(view_by_hand())[0] == pytest.approx(expected)
    silent = SiteView(
        **{**vars(view_by_hand()), "promised": np.full((1, 4), np.nan)}
    )  # as the posterior without promises
    assert np.array_equal(RecordAndPromise(2, 2.0).score(silent), GammaPoisson(2, 2.0).score(silent))


def best_first(view: SiteView, policy: BalancedSites, price: float) -> list[int]:
    """Return the sites that are chosen, one after the other, by trying every next one, in plain loops."""
    rate = RecordAndPromise(policy.open_sites or 0, 2.0).score(view)[0]
    whole = view.history_levels[0].sum(axis=0) + 0.5
    pool = whole / whole.sum()
    mixes = [(each + 20 * pool) / (each.sum() + 20) for each in view.history_levels[0]]
    finds = [r * m for r, m in zip(rate, mixes, strict=True)]
    target = sum(finds) / sum(rate)
    chosen: list[int] = []
    for _ in range(policy.open_sites or 0):

        def worth(site: int) -> float:
            together: Floats = np.sum([finds[k] for k in [*chosen, site]], axis=0)
            apart = 0.5 * np.abs(together / together.sum() - target).sum()
            return float(np.log(together.sum()) - price * apart)

        chosen.append(max((site for site in range(4) if site not in chosen), key=worth))
    return chosen


@pytest.mark.parametrize("price", [0.0, 1.0, 20.0])
def test_balanced_by_hand(price: float) -> None:
    view, policy = view_by_hand(), BalancedSites(3, 2.0, price)
    assert list(np.argsort(-policy.score(view)[0], kind="stable")[:3]) == best_first(view, policy, price)


def test_a_price_brings_the_mix_of_all(plan: Plan) -> None:
    """Six sites by pace alone have fewer of group B than six by pace and mix, on average over trials."""
    chosen = {}
    for price in (0.0, 5.0):
        object.__setattr__(plan, "site_policy", BalancedSites(6, 4.0, price))
        opened = openings(plan, np.arange(400), choice_of_sites(plan, np.arange(400))) < NEVER
        assert (opened.sum(axis=1) == 6).all()
        chosen[price] = (opened * level_shares(plan.world)[:, 1]).sum(axis=1) / 6
    apart = chosen[5.0] - chosen[0.0]
    assert apart.mean() > 5 * apart.std() / 20


class Peeks(GammaPoisson):
    def score(self, view: SiteView) -> Floats:
        return view.rates if view.rates.size else super().score(view)


class LooksAtOtherTrials(GammaPoisson):
    def score(self, view: SiteView) -> Floats:
        return view.history_patients - view.history_patients.mean()


class Counts(GammaPoisson):
    def score(self, view: SiteView) -> Floats:
        return view.history_patients  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("policy", "broken"),
    [(Peeks, "peeking"), (LooksAtOtherTrials, "not batch invariant"), (Counts, "must hold floats")],
)
def test_choices_that_break_the_rules_are_told(policy: type[GammaPoisson], broken: str) -> None:
    assert broken in " ".join(check_policy(policy(3)))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{group: {A: 0.9, B: 0.2}}", "must sum to 1"),
        ("{group: {A: 1}}", "missing: B"),
        ("{group: {A: 0.5, B: 0.4, C: 0.1}}", "'C'"),
        ("{age: {A: 1}}", "no categorical covariate"),
        ("{}", "mix"),
    ],
)
def test_a_mix_that_does_not_fit(tmp_path: Path, written: str, sentence: str) -> None:
    text = FILE.read_text().replace("{group: {A: 0.9, B: 0.1}}", written)
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        trialsim.load_scenario(tmp_path / "bad.yaml")
    assert sentence in str(caught.value)
    assert "accrual.sites.hospitals.mix" in str(caught.value)
