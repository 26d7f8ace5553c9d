"""Bayesian analyses: one interface, options that are checked, failures that are statuses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.packages import write_package
from trialsim import registry
from trialsim.analyses.bayesian.array_cut import ArrayCut, cut_of
from trialsim.contracts import Status
from trialsim.errors import ScenarioError, UsageError

OPTIONS: dict[str, dict[str, Any]] = {
    "normal_known_variance": {"sd": 2.0, "prior_sd": 5.0},
    "robust_normal": {
        "sd": 2.0, "control_mean": 0.0, "control_sd": 0.5, "vague_mean": 0.0, "vague_sd": 4.0, "robust_weight": 0.3
    },
    "robust_beta_binomial": {"control_a": 11, "control_b": 32},
    "gamma_poisson": {"prior_rate": 10.0},
    "gamma_exponential": {"prior_rate": 10.0},
    "piecewise_exponential": {"prior_rate": 10.0, "at": 12.0, "starts": [0, 6, 12]},
    "event_rate": {"at": 12.0, "starts": [0, 6], "hazard_exposure": [10.0], "draws": 100},
}  # fmt: skip
MARGIN = {"gamma_poisson": "margin_ratio", "gamma_exponential": "margin_ratio"}
NAMES = registry.names("posteriors")


def some_cut(kind: str, replicates: int = 4, n: int = 60, flipped: bool = False) -> ArrayCut:
    rng = np.random.default_rng(5)
    size = replicates * n
    treated = np.arange(size) % 2
    replicate = np.repeat(np.arange(replicates), n)
    event = (rng.random(size) < 0.7).astype(int)
    value = {
        "binary": (rng.random(size) < np.where(treated, 0.5, 0.3)).astype(float),
        "continuous": rng.normal(0.4 * treated, 2.0),
        "survival": rng.exponential(10.0 + 5.0 * treated),
        "count": rng.exponential(10.0 + 5.0 * treated),
        "ordinal": rng.integers(0, 6, size).astype(float),
    }[kind]
    arm = 1 - treated if flipped else treated
    return cut_of(arm, value, event, covariates=rng.normal(size=(size, 1)), replicate=replicate)


# Baskets are no two arms, and have tests of their own.
TWO_ARMS = [name for name in NAMES if not name.endswith("_nuts") and name != "basket"]


@pytest.mark.slow
@pytest.mark.parametrize("name", TWO_ARMS)
def test_a_posterior_is_a_law_of_the_effect(name: str) -> None:
    analysis = registry.get("posteriors", name)()
    assert analysis.name == name
    options = OPTIONS.get(name, {})
    cut = some_cut(analysis.endpoint_kinds[0])
    found = analysis.posterior(cut, False, options)
    assert (found.status == Status.OK).all()
    assert found.kind == analysis.kind
    assert ((found.lower < found.mean) & (found.mean < found.upper)).all()
    assert (found.error >= 0).all()
    # What favours treatment in one direction does not in the other.
    survival = name == "piecewise_exponential"
    assert found.probability + analysis.posterior(cut, True, options).probability == pytest.approx(
        1, abs=1e-7
    )
    # The interval's ends are quantiles: put there, the margin is exceeded with probability 2.5% and 97.5%.
    for at, wanted in ((found.upper, 0.025), (found.lower, 0.975)):
        for r in range(2):
            margin = np.exp(at[r]) if name in MARGIN else at[r]
            shifted = analysis.posterior(
                cut, survival, {**options, MARGIN.get(name, "margin"): float(margin)}, None
            )
            assert shifted.probability[r] == pytest.approx(wanted, abs=2e-6)
            assert np.isnan(shifted.lower).all()


# Imputations of one arm are other draws than those of the other.
ALIKE = [
    n
    for n in NAMES
    if not n.startswith("robust") and not n.endswith("_nuts") and n not in ("event_rate", "basket")
]


@pytest.mark.parametrize("name", ALIKE)
def test_exchanging_the_arms_exchanges_the_probabilities(name: str) -> None:
    analysis = registry.get("posteriors", name)()
    kind, options = analysis.endpoint_kinds[0], OPTIONS.get(name, {})
    if name == "logistic_laplace":
        # The intercept is control's: its prior is made too flat to matter.
        options = {"intercept_sd": 1e3, "prior_sd": 1e3}
    one, other = (analysis.posterior(some_cut(kind, flipped=f), True, options, None) for f in (False, True))
    assert one.probability == pytest.approx(1 - other.probability, abs=1e-5)
    assert one.mean == pytest.approx(-other.mean, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_its_prior_is_and_how_exact_it_is(name: str) -> None:
    analysis, words = registry.get("posteriors", name), registry.describe("posteriors", name)
    assert set(analysis.prior) == set(analysis.defaults)
    assert analysis.kind in ("exact", "approximate", "sampled")
    assert f"{analysis.kind.capitalize()}: {analysis.accuracy}." in words
    for option, meaning in analysis.prior.items():
        assert f"{option}: {meaning}" in words


def test_options_are_refused_all_at_once() -> None:
    analysis = registry.get("posteriors", "normal_known_variance")()
    with pytest.raises(ScenarioError) as refused:
        analysis.posterior(some_cut("continuous"), True, {"prior_men": 1, "sd": -1, "margin": "much"})
    sentences = str(refused.value)
    assert len(refused.value.problems) == 4
    assert "did you mean 'prior_mean'?" in sentences
    assert "-1 is not above 0" in sentences
    assert "a number, or a list of numbers, is expected, found 'much'" in sentences
    assert "prior_sd: normal_known_variance needs it: their standard deviation" in sentences
    grades = registry.get("posteriors", "dirichlet_multinomial")()
    with pytest.raises(ScenarioError, match="grades other than 0 to 2"):
        grades.posterior(some_cut("ordinal"), True, {"prior_alpha": [1, 1, 1], "grade": 2})
    with pytest.raises(ScenarioError, match="7 is not one of the grades 1 to 5"):
        grades.posterior(some_cut("ordinal"), True, {"grade": 7})
    pieces = registry.get("posteriors", "piecewise_exponential")()
    with pytest.raises(ScenarioError, match="does not begin at 0 and rise"):
        pieces.posterior(some_cut("survival"), True, {"prior_rate": 1, "at": 5, "starts": [1, 2]})
    robust = registry.get("posteriors", "robust_beta_binomial")()
    with pytest.raises(ScenarioError, match="not between 0 and 1"):
        robust.posterior(some_cut("binary"), True, {"control_a": 2, "control_b": 3, "robust_weight": 1.5})


def test_what_cannot_be_had_is_a_status() -> None:
    few = cut_of([0, 1, 0, 1, 1], [1.0, 2.0, 3.0, 5.0, 4.0], [1, 1, 0, 0, 1], replicate=[0, 0, 1, 1, 1])
    found = registry.get("posteriors", "normal_unknown_variance")().posterior(few, True, {})
    assert found.status.tolist() == [Status.NO_VARIANCE] * 2
    assert np.isnan(found.probability).all()
    found = registry.get("posteriors", "cox_laplace")().posterior(few, True, {})
    assert found.status.tolist() == [Status.OUTSIDE_RANGE] * 2
    assert "not found small there" in Status.OUTSIDE_RANGE.sentence
    rng = np.random.default_rng(1)
    for covariates, status in ((2, Status.OK), (3, Status.OUTSIDE_RANGE)):
        some = cut_of(np.arange(50) % 2, np.arange(50) % 3 == 0, covariates=rng.normal(size=(50, covariates)))
        assert registry.get("posteriors", "logistic_laplace")().posterior(some, True, {}).status[0] == status
    nobody = cut_of([0, 1], [1.0, 2.0], [0, 0])
    assert (
        registry.get("posteriors", "cox_laplace")().posterior(nobody, True, {}).status[0] == Status.NO_EVENTS
    )
    # Conjugate priors need no data.
    empty = cut_of([], [])
    found = registry.get("posteriors", "beta_binomial")().posterior(empty, False, {})
    assert found.probability[0] == pytest.approx(0.5)
    assert (found.lower[0], found.upper[0]) == pytest.approx((np.sqrt(0.05) - 1, 1 - np.sqrt(0.05)), abs=1e-6)


def test_arrays_make_a_cut() -> None:
    with pytest.raises(UsageError, match="value has 1 entries and treated has 2"):
        cut_of([0, 1], [1.0])
    with pytest.raises(UsageError, match="sort the patients by replicate"):
        cut_of([0, 1], [1.0, 2.0], replicate=[1, 0])
    cut = cut_of([0, 1, 1], [1.0, 2.0, 4.0])
    assert cut.moments().squares.tolist() == [[0.0, 2.0]]
    with pytest.raises(UsageError, match="do not say how patients were allocated"):
        cut.redrawn(3)
    with pytest.raises(UsageError, match="take patients"):
        cut.risk_tables()


def test_a_model_of_ones_own_is_registered_by_its_entry_point(packages: Path) -> None:
    text = (
        "from trialsim.analyses.sampled.two_arms import PymcAnalysis\n"
        "def build(data, options): raise NotImplementedError\n"
        'own = PymcAnalysis("own_model", build, prior={"prior_sd": "of the effect"}, defaults={"prior_sd": 5.0})\n'
    )
    write_package(packages, "own_package", text, "trialsim.posteriors", "own_model", "own")
    assert registry.names("posteriors")[-1] == "own_model"
    assert registry.get("posteriors", "own_model")().name == "own_model"
    words = registry.describe("posteriors", "own_model")
    assert "Sampled: NUTS by nutpie" in words
    assert "prior_sd: of the effect (5)" in words


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("arviz", "nutpie", "pymc"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"is not installed.*pip install 'trialsim\[bayes\]'"):
        registry.get("posteriors", "logistic_nuts")().posterior(some_cut("binary"), True, {})
