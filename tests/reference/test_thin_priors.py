"""Priors worth less than one patient, and data without events or without anything else: laws that lie at 0 and 1.

The reference sums over the logit, with every distance from 0 and from 1 kept as its logarithm, so that none is lost however
near to an end a law lies. With a margin it sums over the logit of the interval that is left.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from trialsim.contracts import Floats
from trialsim.errors import ScenarioError
from trialsim.scenario.load import scenario_from_text
from trialsim.stats.bayes import best_arm, beta_binomial, close_arms
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.independent import probability_best, probability_exceeds

DATA = (
    ((0, 0), (0, 0)), ((0, 0), (1, 1)), ((0, 5), (0, 0)), ((3, 3), (5, 5)), ((10, 10), (10, 10)), ((0, 4), (3, 4)),
    ((2, 10), (5, 10)), ((99, 100), (100, 100)),
)  # fmt: skip
"""Responders of how many, on control and on treatment."""


def shapes(prior: float, data: tuple[tuple[int, int], tuple[int, int]]) -> tuple[float, float, float, float]:
    """Return shapes of treatment, then of control."""
    (good0, n0), (good1, n1) = data
    return prior + good1, prior + n1 - good1, prior + good0, prior + n0 - good0


def mass_beyond(log_distance: Floats, near: float, far: float) -> Floats:
    """Return what a beta law has within a distance of an end, ``near`` being the shape there."""
    tiny = np.exp(near * log_distance - np.log(near) - special.betaln(near, far))
    return np.where(log_distance < -30.0, tiny, special.betainc(near, far, np.exp(log_distance)))


def better_by(margin: float, a1: float, b1: float, a0: float, b0: float) -> float:
    """Return P(treatment > control + margin), the margin at least 0."""
    reach = 60.0 + 45.0 / min(a0, b0)
    even = np.linspace(-np.arcsinh(reach), np.arcsinh(reach), 24_001)
    y, step = np.sinh(even), np.cosh(even) * (even[1] - even[0])
    share, other = -np.logaddexp(0.0, -y), -np.logaddexp(0.0, y)
    width = np.log1p(-margin)
    x, rest = width + share, np.log(margin + np.exp(width + other)) if margin else other
    density = np.exp((a0 - 1.0) * x + (b0 - 1.0) * rest - special.betaln(a0, b0) + width + share + other)
    # Treatment exceeds control by the margin where its distance from 1 is below control's less the margin.
    above = mass_beyond(width + other, b1, a1)
    if margin == 0.0:
        above = np.where(y < 0.0, 1.0 - mass_beyond(share, a1, b1), above)
    return float((step * density * above).sum())


@pytest.mark.parametrize("prior", [0.05, 0.1, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.3])
def test_which_of_two_rates_is_higher(prior: float, margin: float) -> None:
    scratch = np.empty(64)
    for data in DATA:
        four = shapes(prior, data)
        expected = better_by(margin, *four)
        found = (
            beta_binomial.difference_above(margin, *four) if margin else beta_binomial.exceeds(*four, scratch)
        )
        assert found == pytest.approx(expected, abs=beta_binomial.ERROR), data
        laws = np.array([[*four[:2], 0.0]]), np.array([[*four[2:], 0.0]])
        quadrature, left = probability_exceeds(Family.BETA, *laws, margin)
        assert quadrature[0] == pytest.approx(expected, abs=1e-9), data
        assert left[0] < 1e-9
    # Whoever has the same law is better half of the time.
    twice = shapes(prior, ((7, 7), (7, 7)))
    assert better_by(0.0, *twice) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("prior", [0.05, 0.1, 0.5, 1.0])
def test_which_arm_is_best_and_whether_two_lie_close(prior: float) -> None:
    for data in DATA:
        (good0, n0), (good1, n1) = data
        a1, b1, a0, b0 = shapes(prior, data)
        good, n, all_count = np.array([[good0, good1]]), np.array([[n0, n1]]), np.ones((1, 2), dtype=bool)
        best = np.empty((1, 2))
        best_arm.probabilities_best(good, n, all_count, prior, prior, best)
        expected = better_by(0.0, a1, b1, a0, b0)
        assert best[0, 1] == pytest.approx(expected, abs=best_arm.ERROR), data
        laws = np.array([[[a0, b0, 0.0], [a1, b1, 0.0]]])
        assert probability_best(Family.BETA, laws)[0][0, 1] == pytest.approx(expected, abs=1e-9), data
        for width in (0.05, 0.1, 0.3, 0.8):
            close = np.empty(1)
            close_arms.probabilities_within(good, n, all_count, prior, prior, width, close)
            apart = better_by(width, a1, b1, a0, b0) + better_by(width, a0, b0, a1, b1)
            assert close[0] == pytest.approx(1.0 - apart, abs=close_arms.ERROR), (data, width)


def test_whether_three_rates_lie_close_where_nearly_all_respond() -> None:
    """The range of three uniform rates has a law in closed form; the others are drawn."""
    close, three = np.empty(1), np.ones((1, 3), dtype=bool)
    nobody = np.zeros((1, 3), dtype=np.int64)
    for width in (0.05, 0.2, 0.7):
        close_arms.probabilities_within(nobody, nobody, three, 1.0, 1.0, width, close)
        assert close[0] == pytest.approx(3 * width**2 - 2 * width**3, abs=close_arms.ERROR)
    rng, size = np.random.default_rng(8), 400_000
    good, n = np.array([[10, 10, 9]]), np.array([[10, 10, 10]])
    drawn = np.ptp(rng.beta(0.5 + good, 0.5 + n - good, (size, 3)), axis=1)
    for width in (0.05, 0.2):
        share = float((drawn < width).mean())
        close_arms.probabilities_within(good, n, three, 0.5, 0.5, width, close)
        assert abs(close[0] - share) < 5.0 * np.sqrt(share * (1.0 - share) / size)


def test_hazards_whose_priors_are_worth_next_to_no_event() -> None:
    for shape in (0.05, 0.1, 0.5):
        for events, days in (((0, 0), (10.0, 10.0)), ((0, 3), (10.0, 50.0)), ((2, 0), (30.0, 30.0))):
            laws = np.array([[[shape + e, d, 0.0] for e, d in zip(events, days, strict=True)]])
            # Of two gamma variables the share of one in the sum of both is a beta variable.
            (a1, a0), (t1, t0) = laws[0, :, 0], days
            expected = special.betainc(a0, a1, t0 / (t0 + t1))
            assert probability_best(Family.GAMMA, laws)[0][0, 0] == pytest.approx(expected, abs=1e-9)
            assert probability_exceeds(Family.GAMMA, laws[:, 0], laws[:, 1])[0][0] == pytest.approx(
                expected, abs=1e-9
            )


def test_priors_thinner_than_was_measured_are_refused() -> None:
    text = """
name: thin
arms: [control, treatment]
accrual: {evenly_spaced: {rate: 1 per day}}
endpoints: {response: {kind: binary, readout: 1 day, rate: 0.3, effect: {treatment: 0.5}, effect_measure: rate}}
hypotheses:
  gain:
    {endpoint: response, arms: [treatment, control], direction: higher, analysis: {beta_binomial: {prior: [PRIOR, 1]}}}
truths: {world: {}}
designs:
  one:
    kind: bayesian
    n: 20
    allocation: {permuted_blocks: {size: 4}}
    looks: [{when: {readouts: 20}}]
    tests: {gain: {alpha: 0.05, posterior: 0.95}}
"""
    scenario_from_text(text.replace("PRIOR", "0.05"))
    with pytest.raises(ScenarioError, match=r"prior\[0\].*0\.05"):
        scenario_from_text(text.replace("PRIOR", "0.04"))
