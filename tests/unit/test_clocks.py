"""Clocks on the cumulative-hazard scale: their inverse, what is left of them, and effects that fade."""

from __future__ import annotations

import numpy as np
import pytest

from trialsim.draws import unit, unit_exponential, word
from trialsim.population.clocks import (
    clock_tables,
    cumulative_at,
    departure_pace,
    spent_at,
    still_to_spend,
    with_weights,
)
from trialsim.population.endpoints.survival import event_ticks, hazard_law
from trialsim.timegrid import NEVER, TICKS_PER_DAY

CONSTANT = hazard_law(((0.0,), (0.01,)), None, [((0.0, 1.0),), ((0.0, 0.5),)])
PIECES = hazard_law(((0.0, 10.0, 30.0), (0.05, 0.0, 0.02)), None, [((0.0, 1.0),), ((0.0, 2.0), (20.0, 0.25))])
WEIBULL = hazard_law(((), ()), (1.7, 40.0), [((0.0, 1.0),), ((0.0, 1.0), (15.0, 0.3))])
LAWS = {"constant": CONSTANT, "pieces": PIECES, "weibull": WEIBULL}
TABLES = clock_tables(list(LAWS.values()))


@pytest.mark.parametrize("c", range(3), ids=LAWS)
@pytest.mark.parametrize("arm", [0, 1])
def test_from_entry_on_a_clock_is_the_survival_law_bit_for_bit(c: int, arm: int) -> None:
    law = list(LAWS.values())[c]
    pieces = law.pieces
    for patient in range(200):
        bits = np.uint64(word(3, 0, patient, 7, 1))
        direct = event_ticks(
            bits, 1.3, arm, pieces.begin, pieces.width, pieces.slope, pieces.jump, law.exponent, law.scale, 1
        )
        amount = unit_exponential(unit(bits)) * 1.3
        assert spent_at(amount, 1.0, 0, c, arm, *TABLES, 1) == direct


@pytest.mark.parametrize("c", range(3), ids=LAWS)
@pytest.mark.parametrize("arm", [0, 1])
def test_cumulative_hazard_is_that_of_the_law(c: int, arm: int) -> None:
    days = np.array([0.0, 3.0, 10.0, 12.5, 19.0, 20.0, 31.0, 200.0])
    expected = list(LAWS.values())[c].cumulative_hazard(arm, days)
    found = [cumulative_at(int(day * TICKS_PER_DAY), c, arm, *TABLES) for day in days]
    assert np.allclose(found, expected, rtol=1e-13, atol=0.0)


@pytest.mark.parametrize("c", range(3), ids=LAWS)
def test_spending_in_parts_is_spending_at_once(c: int) -> None:
    rng = np.random.default_rng(2)
    for amount in rng.exponential(size=50):
        whole = spent_at(amount, 1.0, 0, c, 1, *TABLES, 1)
        left, since = amount, 0
        for now in np.sort(rng.integers(1, max(int(whole), 2), size=4)):
            left = still_to_spend(left, 1.0, since, int(now), c, 1, *TABLES)
            since = int(now)
        assert abs(spent_at(left, 1.0, since, c, 1, *TABLES, 1) - whole) <= 1


def test_a_change_of_pace_and_of_group_midway() -> None:
    day = TICKS_PER_DAY
    left = still_to_spend(1.0, 2.0, 0, 20 * day, 0, 0, *TABLES)
    assert left == pytest.approx(1.0 - 2.0 * 0.01 * 20.0, rel=1e-14)
    later = spent_at(left, 3.0, 20 * day, 0, 1, *TABLES, 1)
    assert later / day == pytest.approx(20.0 + 0.6 / (3.0 * 0.005), abs=2e-6)


def test_a_clock_at_pace_zero_stands_still() -> None:
    assert spent_at(1.0, 0.0, 5, 0, 0, *TABLES, 1) == NEVER
    assert still_to_spend(1.0, 0.0, 0, 1 << 40, 0, 0, *TABLES) == 1.0


def test_what_has_been_overspent_comes_a_step_later() -> None:
    assert spent_at(-1e-9, 1.0, 700, 0, 0, *TABLES, 1) == 701
    assert spent_at(0.0, 1.0, 7 << 20, 0, 0, *TABLES, 7 << 20) == 14 << 20


def test_weights_of_an_effect() -> None:
    law = with_weights(PIECES, (1.0, 0.5, 0.0))
    tables = clock_tables([law])
    days = np.linspace(0.0, 90.0, 37)

    def hazards(group: int) -> np.ndarray:
        ticks = (days * TICKS_PER_DAY).astype(np.int64)
        return np.array([cumulative_at(int(t), 0, group, *tables) for t in ticks])

    control, treated = PIECES.cumulative_hazard(0, days), PIECES.cumulative_hazard(1, days)
    for group in range(3):
        assert np.allclose(hazards(group), control, rtol=1e-13)
    assert np.allclose(hazards(3), treated, rtol=1e-13)
    assert np.allclose(hazards(5), control, rtol=1e-13)
    halfway = hazards(4)
    assert halfway[4] == pytest.approx(control[4] * np.sqrt(2.0))  # at 10 days, ratio 2
    late = (days > 30.0).nonzero()[0]
    assert np.diff(halfway[late]) == pytest.approx(np.diff(control[late]) * np.sqrt(0.25))


def test_pace_of_leaving() -> None:
    assert departure_pace(2.5, 0.0) == 2.5
    assert departure_pace(2.5, 0.4) == pytest.approx(2.5 * np.exp(0.4), rel=1e-15)
