"""What loops work out side by side is, bit for bit, what the plain function gives for each one alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trialsim.draws import word
from trialsim.elementary import fill_standard_normal, standard_normal
from trialsim.engines.fast_closing_kernels import sort_times, time_of_rank
from trialsim.engines.fast_period_kernels import first_periods, period_of
from trialsim.engines.fast_rows import index_entries
from trialsim.keyed_words import GROUPED, group_keys, order_by_block, words_at, words_in_line, words_of
from trialsim.operations.delays import (
    EXPONENTIAL,
    FIXED,
    LOG_NORMAL,
    UNIFORM,
    WEIBULL,
    drawn_delay,
    fill_delays,
)
from trialsim.operations.screening import WAY_DRAWS, fill_ways, screening_law, way_of
from trialsim.operations.sites import arrival_tick, fill_arrivals, next_amount
from trialsim.philox import MORE_LANES
from trialsim.population.clocks import clock_tables, fill_spent_at, spent_at
from trialsim.population.endpoints.survival import hazard_law
from trialsim.scenario.screening import Screening
from trialsim.timegrid import NEVER, TICKS_PER_DAY

N = 203
_RNG = np.random.default_rng(4)
_UNIFORMS = np.concatenate([_RNG.random(N - 6), [1e-14, 1e-9, 0.07, 0.93, 1 - 1e-9, 1 - 1e-14]])
_WEEK = 7 * TICKS_PER_DAY


def scratch(n: int = N) -> tuple[Any, Any, Any]:
    return np.empty(n + 1, dtype=np.int64), np.empty((2, n)), np.empty(n)


@pytest.mark.parametrize("kind", ["neighbours", "scattered", "one", "none"])
def test_words_at_keys_are_those_of_each_address(kind: str) -> None:
    generator = np.random.default_rng(4)
    scattered = (generator.integers(0, 40, N) << 32) + generator.integers(0, 90, N)
    keys = {"neighbours": np.arange(3, 3 + N), "scattered": scattered, "one": np.array([(5 << 32) + 2])}
    mine = keys.get(kind, np.zeros(0, dtype=np.int64))
    seed, replicate, purpose, draw = 2**63 + 5, 12, 20, (1 << 62) + 8
    wanted = [int(np.uint64(word(np.uint64(seed), replicate, int(key), purpose, draw))) for key in mine]
    found = np.zeros(len(mine), dtype=np.uint64)
    words_at(found, mine, 0, replicate, purpose, draw, np.uint64(seed))
    assert found.tolist() == wanted
    grouped = np.empty((GROUPED, len(mine) + MORE_LANES), dtype=np.int64)
    blocks = group_keys(mine, grouped)
    assert blocks % MORE_LANES == 0
    words_of(found, grouped, blocks, replicate + 1, purpose, draw, np.uint64(seed))
    assert found.tolist() == [
        int(np.uint64(word(np.uint64(seed), replicate + 1, int(key), purpose, draw))) for key in mine
    ]


def test_words_at_keys_leave_those_before_the_first_alone() -> None:
    keys, found = np.arange(50), np.zeros(50, dtype=np.uint64)
    words_at(found, keys, 7, 1, 2, 3, 4)
    assert not found[:7].any()
    assert found[7:].tolist() == [int(np.uint64(word(4, 1, int(key), 2, 3))) for key in keys[7:]]


def test_words_in_line_are_those_of_neighbours() -> None:
    first, seed, replicate, purpose, draw = (5 << 32) + 4 * 16, 2**62 + 5, 12, 1, (1 << 62) + 8
    found = np.empty(4 * MORE_LANES, dtype=np.uint64)
    words_in_line(found, np.empty(MORE_LANES, dtype=np.int64), first // 4, replicate, purpose, draw, seed)
    assert found.tolist() == [
        int(np.uint64(word(seed, replicate, first + k, purpose, draw))) for k in range(len(found))
    ]


@pytest.mark.parametrize("first", [0, 7, N])
def test_patients_in_order_of_blocks(first: int) -> None:
    generator = np.random.default_rng(4)
    keys = (generator.integers(0, 40, N) << 32) + generator.integers(0, 90, N)
    keys[20:40] = 0  # who has not entered has no key of his own
    order = np.full(N, -1)
    order_by_block(keys, first, order)
    theirs = keys[first:] >> 2
    assert order.tolist() == [*(first + np.argsort(theirs, kind="stable")), *[-1] * first]


def test_normal_quantiles() -> None:
    tails, held, _ = scratch()
    found = np.empty(N)
    fill_standard_normal(_UNIFORMS, tails, held, found)
    assert found.tolist() == [standard_normal(u) for u in _UNIFORMS]


@pytest.mark.parametrize("grid", [1, _WEEK])
@pytest.mark.parametrize(
    "law",
    [(FIXED, 3.0 * TICKS_PER_DAY, 0.0), (UNIFORM, 2.0, 9.0), (EXPONENTIAL, 12.0, 0.0), (LOG_NORMAL, 9.0, 1.1),
     (WEIBULL, 20.0, 1.7)],
)  # fmt: skip
def test_delays(law: tuple[int, float, float], grid: int) -> None:
    found = np.empty(N, dtype=np.int64)
    fill_delays(_UNIFORMS, *law, grid, *scratch(), found)
    assert found.tolist() == [drawn_delay(u, *law, grid) for u in _UNIFORMS]


@pytest.mark.parametrize("grid", [1, _WEEK])
@pytest.mark.parametrize("c", [0, 1, 2])
def test_when_hazard_is_spent(c: int, grid: int) -> None:
    generator = np.random.default_rng(4)
    two = [((0.0, 1.0),), ((0.0, 2.0), (20.0, 0.25))]
    tables = clock_tables(
        [
            hazard_law(((0.0,), (0.01,)), None, [((0.0, 1.0),), ((0.0, 0.5),)]),
            hazard_law(((0.0, 10.0, 30.0), (0.05, 0.0, 0.02)), None, two),
            hazard_law(((), ()), (1.7, 40.0), two),
        ]
    )
    amount, since = generator.exponential(size=N), generator.integers(1, 60 * TICKS_PER_DAY, N)
    since[:3] = [1, 10 * TICKS_PER_DAY, 30 * TICKS_PER_DAY]
    groups, found = generator.integers(0, 2, N), np.empty(N, dtype=np.int64)
    fill_spent_at(amount, since, groups, c, *tables, grid, np.empty(N), np.empty(N), found)
    assert found.tolist() == [
        spent_at(a, 1.0, s, c, g, *tables, grid) for a, s, g in zip(amount, since, groups, strict=True)
    ]


@pytest.mark.parametrize(
    ("days", "factor"),
    [
        ([0.0], [1.0]),
        ([0.0, 90.0], [0.3, 1.0]),
        ([0.0, 0.0, 60.0], [0.2, 0.5, 0.0]),
        ([0.0, 30.0], [0.0, 0.0]),
    ],
)
def test_arrivals(days: list[float], factor: list[float]) -> None:
    generator = np.random.default_rng(4)
    knots, heights = np.array(days), np.array(factor)
    areas = np.concatenate([[0.0], np.cumsum(np.diff(knots) * 0.5 * (heights[1:] + heights[:-1]))])
    words = generator.integers(0, 2**64, N, dtype=np.uint64)
    for rate in (0.0, 0.8):
        amount, wanted = 0.7, []
        for bits in words:
            amount = next_amount(bits, amount)
            wanted.append(arrival_tick(amount, rate, 5000, knots, heights, areas, 1))
        found = np.empty(N, dtype=np.int64)
        last = fill_arrivals(
            words, 0.7, rate, 5000, knots, heights, areas, 1, np.empty(N), np.empty(N), found
        )
        assert found.tolist() == wanted
        assert rate == 0.0 or last == amount


@pytest.mark.parametrize(
    "stated",
    [
        {"duration": "10 days"},
        {
            "patience": {"exponential": {"mean": "9 days"}},
            "consent": {"probability": 0.6, "duration": {"uniform": {"from": "1 day", "to": "5 days"}}},
            "eligible": {"probability": 0.5},
            "duration": {"uniform": {"from": "4 days", "to": "34 days"}},
            "window": "30 days",
            "reasons": {"a": 0.5, "b": 0.3, "c": 0.2},
            "wrongly_randomised": 0.2,
            "lag": {"uniform": {"from": "1 day", "to": "9 days"}},
        },
    ],
)
def test_ways_of_candidates(stated: dict[str, Any]) -> None:
    generator = np.random.default_rng(4)
    law = screening_law(Screening.model_validate(stated), -1, 1)
    u, chances, rows = generator.random((WAY_DRAWS, N)), generator.random((7, 3)), generator.integers(0, 7, N)
    patience, answer, screened, final, outcome = np.empty((5, N), dtype=np.int64)
    fill_ways(
        u, rows, chances, law.numbers, law.reason_bounds, 1, True, *scratch(),
        patience, answer, screened, final, outcome,
    )  # fmt: skip
    wanted = [
        tuple(way_of(u[:, i].copy(), 0, chances[rows[i]], law.numbers, law.reason_bounds, 1))
        for i in range(N)
    ]
    assert list(zip(outcome, patience, answer, screened, final, strict=True)) == wanted
    assert len(set(outcome.tolist())) >= (3 if len(stated) == 1 else 6)


@pytest.mark.parametrize("spread", [1, 30, 1 << 45])
def test_times_are_sorted(spread: int) -> None:
    generator = np.random.default_rng(4)
    for n in (0, 1, 2, 500):
        times = generator.integers(0, spread, n)
        times[: n // 3] = times.min(initial=spread)
        wanted = np.sort(times)
        for rank in {0, n // 2, n - 1} if n else ():
            scratch = np.empty(n, dtype=np.int64), np.empty(n + 2, dtype=np.int64)
            assert time_of_rank(times, rank, *scratch) == wanted[rank]
        sort_times(times, np.empty(n, dtype=np.int64), np.empty(n + 2, dtype=np.int64))
        assert times.tolist() == wanted.tolist()


@pytest.mark.parametrize("buckets", [1, 7, 400])
def test_entries_are_counted_by_bucket(buckets: int) -> None:
    generator = np.random.default_rng(4)
    entry = np.sort(generator.integers(0, 300 << 10, (3, N)), axis=1)
    entry[2, N // 2 :] = NEVER
    found = np.empty((3, buckets), dtype=np.int32)
    index_entries(entry, 10, found)
    for mine, times in zip(found, entry, strict=True):
        assert mine.tolist() == np.searchsorted(times, np.arange(buckets) << 10).tolist()


@pytest.mark.parametrize("longest", [3, -1])
def test_periods_are_found(longest: int) -> None:
    generator = np.random.default_rng(4)
    ends = np.cumsum(generator.integers(1, 400, 29)) * 1000
    found, shift = first_periods(ends, int(ends[longest]))
    for time in [
        0,
        1,
        *ends.tolist(),
        *(ends + 1).tolist(),
        *generator.integers(0, 2 * ends[-1], 300).tolist(),
    ]:
        assert period_of(time, ends, found, shift) == np.searchsorted(ends, time)
