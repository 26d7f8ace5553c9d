"""Patients enter by the law that the scenario states."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.statistical.big_trial import RARE
from trialsim.operations.accrual import AccrualLaw, accrual_law
from trialsim.operations.entry_quantiles import entry_quantiles
from trialsim.timegrid import TICKS_PER_DAY

TICK = 2.0**-20
RATES = [(0.0, 0.5), (30.0, 0.0), (50.0, 4.0), (80.0, 1.0)]


def entries(law: AccrualLaw, n: int, replicates: int, seed: int = 1) -> np.ndarray:
    """Return entry times in days, ``[replicate, patient]``."""
    return np.stack([law.entry_ticks(seed, r, n, 1) for r in range(replicates)]) / TICKS_PER_DAY


def cumulative(days: np.ndarray) -> np.ndarray:
    """Return the expected number of patients by each time under RATES."""
    ends = [start for start, _ in RATES[1:]] + [np.inf]
    return sum(
        rate * np.clip(days - start, 0, end - start) for (start, rate), end in zip(RATES, ends, strict=True)
    )


def test_evenly_spaced_over_a_period_is_exact() -> None:
    law = accrual_law("evenly_spaced", 365.25, [], "")
    assert not law.random
    days = entries(law, 400, 1)[0]
    exact = 365.25 * np.arange(1, 401) / 400
    assert ((days >= exact) & (days < exact + TICK)).all()


def test_evenly_spaced_by_rate_is_exact() -> None:
    law = accrual_law("evenly_spaced", None, [(0.0, 25 / 30.4375)], "")
    assert not law.random
    days = entries(law, 300, 1)[0]
    exact = 30.4375 / 25 * np.arange(1, 301)
    assert (np.abs(days - exact) <= 2 * TICK).all()


def test_evenly_spaced_in_pieces_keeps_the_integral_of_the_rates() -> None:
    law = accrual_law("piecewise", None, RATES, "evenly_spaced")
    assert not law.random
    days = entries(law, 200, 1)[0]
    np.testing.assert_allclose(cumulative(days), np.arange(1, 201), atol=1e-4)
    assert not ((days > 30 + TICK) & (days < 50)).any()


def test_uniform_entries_are_ordered_uniforms() -> None:
    law = accrual_law("uniform", 200.0, [], "")
    assert law.random
    n, replicates = 9, 4000
    days = entries(law, n, replicates)
    assert (np.diff(days, axis=1) >= 0).all()
    assert stats.kstest(days.ravel() / 200, "uniform").pvalue > RARE
    for i in range(n):
        order = stats.beta(i + 1, n - i)
        assert stats.kstest(days[:, i] / 200, order.cdf).pvalue > RARE
        assert abs(days[:, i].mean() / 200 - order.mean()) < 5 * order.std() / np.sqrt(replicates)


def test_a_poisson_process_has_exponential_gaps() -> None:
    law = accrual_law("poisson", None, [(0.0, 0.7)], "")
    assert law.random
    days = entries(law, 50, 400)
    gaps = np.diff(days, axis=1, prepend=0.0)
    assert stats.kstest(gaps.ravel() * 0.7, "expon").pvalue > RARE
    counts = (days < 20.0).sum(axis=1)
    assert abs(counts.mean() - 14) < 5 * np.sqrt(14 / 400)
    # The variance of a Poisson count is its mean; that of a sample variance is about (2 + 1/14) mean**2 / replicates.
    assert abs(counts.var(ddof=1) - 14) < 5 * 14 * np.sqrt((2 + 1 / 14) / 400)
    assert abs(np.corrcoef(gaps[:, 3], gaps[:, 4])[0, 1]) < 5 / np.sqrt(400)


def test_a_piecewise_process_has_counts_of_the_integral() -> None:
    law = accrual_law("piecewise", None, RATES, "poisson")
    replicates = 600
    days = entries(law, 250, replicates)
    edges = np.array([0.0, 15.0, 30.0, 50.0, 60.0, 80.0, 100.0])
    counts = np.array([np.histogram(row, edges)[0] for row in days])
    means = np.diff(cumulative(edges))
    assert (np.abs(counts.mean(axis=0) - means) <= 5 * np.sqrt(means / replicates)).all()
    assert counts[:, 2].sum() == 0
    transformed = np.diff(cumulative(days), axis=1, prepend=0.0)
    assert stats.kstest(transformed.ravel(), "expon").pvalue > RARE


def test_nobody_comes_before_a_first_rate_of_zero_is_over() -> None:
    law = accrual_law("piecewise", None, [(10.0, 1.0)], "poisson")
    assert entries(law, 5, 50).min() > 10


@pytest.mark.parametrize("kind", ["uniform", "poisson", "piecewise"])
def test_entries_depend_on_seed_and_replicate_and_on_nothing_else(kind: str) -> None:
    law = accrual_law(
        kind, 100.0 if kind == "uniform" else None, [] if kind == "uniform" else RATES, "poisson"
    )
    one = law.entry_ticks(5, 7, 40, 1)
    assert (one == law.entry_ticks(5, 7, 40, 1)).all()
    assert (one != law.entry_ticks(5, 8, 40, 1)).any()
    assert (one != law.entry_ticks(6, 7, 40, 1)).any()
    if kind != "uniform":
        assert (one == law.entry_ticks(5, 7, 90, 1)[:40]).all()


@pytest.mark.parametrize("days", [1, 7])
def test_a_coarse_grid_rounds_up(days: int) -> None:
    law = accrual_law("poisson", None, [(0.0, 0.7)], "")
    grid = days * TICKS_PER_DAY
    fine, coarse = law.entry_ticks(1, 0, 200, 1), law.entry_ticks(1, 0, 200, grid)
    assert (coarse % grid == 0).all()
    # The fine times are themselves rounded up, by less than a tick.
    assert ((coarse >= fine - 1) & (coarse - grid <= fine)).all()


@pytest.mark.parametrize(
    "law",
    [
        accrual_law("evenly_spaced", 90.0, [], ""),
        accrual_law("evenly_spaced", None, [(0.0, 0.4)], ""),
        accrual_law("piecewise", None, RATES, "evenly_spaced"),
    ],
    ids=["period", "rate", "pieces"],
)
def test_quantiles_of_evenly_spaced_entries_are_the_entries(law: AccrualLaw) -> None:
    shares = (np.arange(3 * 37) + 0.5) / (3 * 37)
    expected = np.repeat(entries(law, 37, 1)[0], 3)
    assert entry_quantiles(law, 37, shares) == pytest.approx(expected, abs=2 * TICK)


@pytest.mark.parametrize("n", [2, 3, 40])
@pytest.mark.parametrize("rates", [[(0.0, 0.4)], RATES], ids=["rate", "pieces"])
def test_quantiles_of_poisson_entries_are_those_of_gamma_times(
    rates: list[tuple[float, float]], n: int
) -> None:
    law = accrual_law("piecewise", None, rates, "poisson")
    shares = np.array([0.001, 0.2, 0.5, 0.9, 0.999])
    days = entry_quantiles(law, n, shares)
    places = np.arange(1, n + 1)[:, None]
    spent = cumulative(days) if rates is RATES else 0.4 * days
    assert stats.gamma(places).cdf(spent).mean(axis=0) == pytest.approx(shares, abs=1e-9)
    drawn = np.sort(entries(law, n, 4_000).ravel())
    error = 0.5 * np.sqrt(1 / 4_000)  # of a share, the patients of one trial going together
    assert np.all(np.abs(np.searchsorted(drawn, days, side="right") / len(drawn) - shares) < 5 * error)


def test_quantiles_of_uniform_entries_are_shares_of_the_period() -> None:
    law = accrual_law("uniform", 365.25, [], "")
    assert entry_quantiles(law, 10, np.array([0.25, 0.5])) == pytest.approx([91.3125, 182.625])
