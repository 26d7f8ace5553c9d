"""Completed follow-up against closed forms of the gamma mixture, and a predicted success against a plain simulation."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import integrate
from scipy.special import fdtr

from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.analyses.bayesian.piecewise_exponential import PiecewiseExponential
from trialsim.analyses.bayesian.predicted_hazards import completed_hazards
from trialsim.analyses.bayesian.rates import GammaExponential
from trialsim.analyses.keys import Key
from trialsim.contracts import PatientRows
from trialsim.errors import UsageError

DRAWS = 20_000
UNTIL = 100.0
STARTS = np.array([0.0, 40.0])
FOLLOWED = np.array([10.0, 55.0, 55.0, 99.0, 130.0, 30.0, 70.0, 140.0, 20.0])
EVENT = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0])
LOST = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1])
OPTIONS: dict[str, Any] = {
    "prior_shape": 2.5, "prior_rate": 300.0, "followed_for": UNTIL, "draws": DRAWS,
}  # fmt: skip
NOBODY = np.zeros((1, 2), dtype=np.int64)


def rows(events: np.ndarray = EVENT) -> PatientRows:
    """Return control and treatment with the same follow-up, and treatment's events."""
    one = np.ones(len(FOLLOWED))
    found = cut_of(
        np.concatenate([0 * one, one]), np.tile(FOLLOWED, 2), np.concatenate([EVENT, events])
    ).patients()
    still = (found.event == 0) & (np.tile(LOST, 2) == 0)
    return replace(found, still_followed=still.astype(np.int8))


def posterior() -> tuple[np.ndarray, np.ndarray]:
    """Return shape and rate of each piece's hazard; the event at day 140 comes too late."""
    first, second = np.clip(FOLLOWED, 0, 40).sum(), np.clip(np.minimum(FOLLOWED, UNTIL) - 40, 0, None).sum()
    return np.array([2.5 + 1, 2.5 + 1]), np.array([300.0 + first, 300.0 + second])


def alive(after: float, at: float) -> float:
    """Return the probability of no event from one time to another, the hazards' gamma laws averaged over."""
    shape, rate = posterior()
    spent = np.clip(np.minimum([40.0, UNTIL], at) - np.maximum(STARTS, after), 0, None)
    return float(np.prod((rate / (rate + spent)) ** shape))


def test_further_events_and_days_at_risk_have_the_mean_of_the_model() -> None:
    come, enrolled = np.array([[30, 0]]), np.array([[0, 7]])
    shape, rate = completed_hazards(
        "gamma_exponential", rows(), OPTIONS, STARTS, [Key(3, 5, 1)], enrolled, come
    )
    before = posterior()
    events, days = shape[:, 0] - before[0], rate[:, 0] - before[1]
    assert events.shape == (2, DRAWS, 2, 2)
    waiting = [10.0, 55.0, 55.0, 99.0]
    for when, arm, new in ((0, 0, 0), (0, 1, 7), (1, 0, 30), (1, 1, 7)):
        for piece, (begin, end) in enumerate(((0.0, 40.0), (40.0, UNTIL))):
            wanted = risk = 0.0
            for u in waiting + [0.0] * new:
                low = max(begin, u)
                if low < end:
                    wanted += alive(u, low) - alive(u, end)
                    risk += integrate.quad(lambda t, u=u: alive(u, t), low, end)[0]
            for found, mean in ((events, wanted), (days, risk)):
                each = found[when, :, arm, piece]
                assert each.mean() == pytest.approx(mean, abs=5 * each.std() / math.sqrt(DRAWS) + 1e-12)
    # Both come from the same hazards, and from the same patients of those enrolled.
    assert (days[1, :, 1] == days[0, :, 1]).all()
    assert (days[1, :, 0] >= days[0, :, 0]).all()


def test_a_predicted_success_is_that_of_a_plain_simulation() -> None:
    options, margin = OPTIONS | {"margin_ratio": 1.4, "draws": 4000}, 1.4
    events, to_come = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0]), np.array([[6, 9]])
    found = GammaExponential().completed(rows(events), True, options, [Key(3, 5, 1)], NOBODY, to_come)
    rng, size = np.random.default_rng(8), 6000
    laws = np.empty((2, 2, 2, size))
    within = np.minimum(FOLLOWED, UNTIL)
    for m in range(size):
        for arm, had in ((0, EVENT), (1, events)):
            had = np.where(FOLLOWED > UNTIL, 0, had)
            a, b = 2.5 + had.sum(), 300.0 + within.sum()
            hazard = rng.gamma(a) / b
            left = UNTIL - within[(had == 0) & (LOST == 0) & (within < UNTIL)]
            times = rng.exponential(1 / hazard, len(left))
            a, b = a + (times < left).sum(), b + np.minimum(times, left).sum()
            laws[0, arm, :, m] = a, b
            times = rng.exponential(1 / hazard, to_come[0, arm])
            laws[1, arm, :, m] = a + (times < UNTIL).sum(), b + np.minimum(times, UNTIL).sum()
    (a0, b0), (a1, b1) = laws.transpose(1, 2, 0, 3)
    # The ratio of treatment's hazard to control's is a scaled F variable.
    plain = fdtr(2 * a1, 2 * a0, margin * (b1 / a1) / (b0 / a0))
    for when in range(2):
        ours, theirs = found[when, 0] > 0.8, plain[when] > 0.8
        error = math.sqrt(ours.var() / ours.size + theirs.var() / theirs.size)
        assert 0.1 < theirs.mean() < 0.9
        assert ours.mean() == pytest.approx(theirs.mean(), abs=5 * error)
        spread = math.sqrt(found[when, 0].var() / ours.size + plain[when].var() / theirs.size)
        assert found[when, 0].mean() == pytest.approx(plain[when].mean(), abs=5 * spread)


def test_where_nothing_is_to_come_the_prediction_is_the_posterior() -> None:
    options = OPTIONS | {"at": 90.0, "starts": [0.0, 40.0], "draws": 50}
    known = replace(
        rows(), still_followed=np.zeros(18, dtype=np.int8), event=np.arange(18, dtype=np.int8) % 2
    )
    cut = cut_of(known.treated, known.value, known.event)
    found = PiecewiseExponential().completed(known, True, options, [Key(0, 0)], NOBODY, NOBODY)
    wanted = PiecewiseExponential().posterior(cut, True, options, None).probability[0]
    assert found == pytest.approx(np.full((2, 1, 50), wanted), abs=1e-12)
    with pytest.raises(UsageError, match="do not say who is still followed"):
        GammaExponential().completed(cut.patients(), True, OPTIONS, [Key(0, 0)], NOBODY, NOBODY)


def test_follow_up_beyond_the_time_is_left_out() -> None:
    cut = cut_of([0, 0, 1, 1], [50.0, 120.0, 80.0, 300.0], [1, 1, 1, 0])
    short = cut_of([0, 0, 1, 1], [50.0, 100.0, 80.0, 100.0], [1, 0, 1, 0])
    prior = {"prior_shape": 0.5, "prior_rate": 100.0}
    found = GammaExponential().posterior(cut, True, prior | {"followed_for": UNTIL})
    assert found.probability == GammaExponential().posterior(short, True, prior).probability
    assert found.probability != GammaExponential().posterior(cut, True, prior).probability
