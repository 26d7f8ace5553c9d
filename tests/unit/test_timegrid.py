"""Time in whole ticks: delays are rounded up and last at least one step, durations are rounded to the nearest."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialsim.timegrid import LAST_TICK, NEVER, TICKS_PER_DAY, delay_ticks, to_days, to_ticks

_GRIDS = [1, TICKS_PER_DAY, 7 * TICKS_PER_DAY, 30 * TICKS_PER_DAY]


@given(st.floats(0, 1e6), st.sampled_from(_GRIDS))
def test_a_delay_is_rounded_up_to_the_grid(days: float, grid: int) -> None:
    ticks = delay_ticks(days, grid)
    assert ticks % grid == 0
    assert ticks >= grid
    # A double of a million days resolves 2**-33 day: far finer than a tick, so only the last bit may differ.
    assert ticks >= days * TICKS_PER_DAY * (1 - 2**-52)
    assert ticks == grid or ticks - grid <= days * TICKS_PER_DAY * (1 + 2**-52)


@pytest.mark.parametrize("grid", _GRIDS)
@pytest.mark.parametrize("days", [0.0, 1e-300, 2.0**-21, 2.0**-20])
def test_every_delay_is_at_least_one_step(days: float, grid: int) -> None:
    assert delay_ticks(days, grid) == grid


def test_whole_steps_are_kept() -> None:
    assert delay_ticks(3.0, 1) == 3 * TICKS_PER_DAY
    assert delay_ticks(14.0, 7 * TICKS_PER_DAY) == 14 * TICKS_PER_DAY
    assert delay_ticks(14.0 + 1e-9, 7 * TICKS_PER_DAY) == 21 * TICKS_PER_DAY


@pytest.mark.parametrize("days", [1e12, 1e300, math.inf])
@pytest.mark.parametrize("grid", _GRIDS)
def test_the_longest_delays_are_cut_and_can_be_added(days: float, grid: int) -> None:
    ticks = delay_ticks(days, grid)
    assert LAST_TICK <= ticks <= LAST_TICK + grid
    assert 4 * ticks < NEVER


@pytest.mark.parametrize(
    ("days", "grid", "ticks"),
    [
        (0.0, 1, 0),
        (1.0, 1, 1 << 20),
        (10.0, 7 << 20, 7 << 20),
        (11.0, 7 << 20, 14 << 20),
        (2.0**-20, 1, 1),
        (30.4375, 1, 31916032),
        (0.4, 1 << 20, 0),
    ],
)
def test_stated_durations_are_rounded_to_the_nearest_step(days: float, grid: int, ticks: int) -> None:
    assert to_ticks(days, grid) == ticks


@given(st.integers(0, LAST_TICK))
def test_ticks_and_days_go_back_and_forth(ticks: int) -> None:
    assert to_ticks(to_days(ticks)) == ticks


def test_ticks_are_a_fine_and_dyadic_part_of_a_day() -> None:
    assert TICKS_PER_DAY == 2**20
    assert LAST_TICK == 2**40
    assert NEVER == 2**50
