"""Imputed events against the closed form of the gamma mixture, and rates that need no imputation against beta laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.analyses.bayesian.event_rate import PREDICTIVE, EventRate
from trialsim.analyses.keys import Key

DRAWS = 40_000
OPTIONS: dict[str, Any] = {
    "at": 100.0, "starts": [0.0, 40.0], "hazard_shape": [0.7, 3.0], "hazard_exposure": [50.0, 900.0], "draws": DRAWS,
    "prior": [0.5, 0.5], "margin": 0.0,
}  # fmt: skip
FOLLOWED = np.array([10.0, 55.0, 55.0, 99.0, 130.0, 30.0, 70.0, 140.0])
EVENT = np.array([0, 0, 0, 0, 0, 1, 1, 1])


def survival(after: float, times: int = 1) -> float:
    """Return E[exp(-times * (H(100) - H(after)))] by the gamma laws' moment generating functions."""
    first = np.clip(FOLLOWED, 0, 40).sum()
    second = np.clip(np.minimum(FOLLOWED, 100) - 40, 0, None).sum()
    shape, rate = np.array([0.7 + 1, 3.0 + 1]), np.array([50.0 + first, 900.0 + second])
    left = times * np.array([max(0.0, 40 - after), 100 - max(after, 40.0)])
    return float(np.prod((rate / (rate + left)) ** shape))


def imputed(unseen: int = 0, to_come: int = 0) -> tuple[np.ndarray, np.ndarray]:
    one, model = np.ones(8), EventRate()
    rows = cut_of(np.concatenate([0 * one, one]), np.tile(FOLLOWED, 2), np.tile(EVENT, 2)).patients()
    assert model.known(rows, OPTIONS)[1].tolist() == [[2, 2]]  # the event at day 140 comes too late
    assert model.known(rows, OPTIONS)[0].tolist() == [[4, 4]]
    further = (np.array([[0, unseen]]), np.array([[to_come, 0]]))
    return model.imputed(rows, OPTIONS, [Key(3, 5, 1)], further, PREDICTIVE)


def test_further_events_have_the_mean_and_the_variance_of_the_model() -> None:
    waiting = FOLLOWED[:4]
    now, later = imputed(unseen=7, to_come=30)
    chance = [1 - survival(u) for u in waiting]
    for arm, expected in enumerate((sum(chance), sum(chance) + 7 * (1 - survival(0.0)))):
        found = now[0, arm]
        assert found.mean() == pytest.approx(expected, abs=5 * found.std() / math.sqrt(DRAWS))
    more = (later - now)[0, 0]
    alone, both = 1 - survival(0.0), 1 - 2 * survival(0.0) + survival(0.0, 2)
    assert more.mean() == pytest.approx(30 * alone, abs=5 * more.std() / math.sqrt(DRAWS))
    # Patients to come share the hazards that were drawn: their number varies by more than a binomial one.
    variance = 30 * alone + 30 * 29 * both - (30 * alone) ** 2
    fourth = float(((more - more.mean()) ** 4).mean())
    assert more.var() == pytest.approx(variance, abs=5 * math.sqrt((fourth - more.var() ** 2) / DRAWS))
    assert variance > 1.5 * 30 * alone * (1 - alone)
    assert (later - now)[0, 1].max() == 0
    assert abs(np.corrcoef(now[0, 0], now[0, 1])[0, 1]) < 5 / math.sqrt(DRAWS)


def test_where_all_is_known_the_posterior_is_the_beta_laws() -> None:
    event = np.array([1, 1, 0, 0, 0, 1, 0, 0, 0, 0])
    value = np.where(event, 50.0, 100.0)
    cut = cut_of([0] * 5 + [1] * 5, value, event)
    found = EventRate().posterior(cut, True, OPTIONS | {"margin": -0.1})
    control, treatment = stats.beta(2.5, 3.5), stats.beta(1.5, 4.5)
    grid = np.linspace(0, 1, 20_001)
    below = np.trapezoid(control.pdf(grid) * treatment.cdf(np.clip(grid + 0.1, 0, 1)), grid)
    assert found.probability[0] == pytest.approx(below, abs=1e-6)
    assert found.mean[0] == pytest.approx(treatment.mean() - control.mean(), abs=1e-12)
    assert found.sd[0] == pytest.approx(math.hypot(treatment.std(), control.std()), abs=1e-12)
    assert found.error[0] == 0.0


def test_an_imputed_posterior_averages_over_completed_data_sets() -> None:
    event = np.array([1, 1, 0, 0, 0, 1, 0, 0, 0, 0])
    value = np.where(event, 50.0, np.where(np.arange(10) == 9, 20.0, 100.0))
    cut = cut_of([0] * 5 + [1] * 5, value, event)
    options = OPTIONS | {"starts": [0.0], "hazard_shape": [1.0], "hazard_exposure": [200.0]}
    found = EventRate().posterior(cut, True, options, None)
    rate = 200.0 + 50 + 3 * 100 + 20
    chance = 1 - (rate / (rate + 80)) ** 2
    grid = np.linspace(0, 1, 20_001)
    each = [
        np.trapezoid(stats.beta(2.5, 3.5).pdf(grid) * stats.beta(1.5 + y, 4.5 - y).cdf(grid), grid)
        for y in (0, 1)
    ]
    assert found.error[0] > 0
    assert found.probability[0] == pytest.approx(
        each[0] * (1 - chance) + each[1] * chance, abs=5 * found.error[0]
    )
