"""Durations and rates: what each spelling means, and what is refused with which words."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from trialsim.scenario.units import is_quantity, parse_duration, parse_rate, readable_duration


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("90 days", 90.0),
        ("1 day", 1.0),
        ("12 weeks", 84.0),
        ("6 months", 182.625),
        ("1 month", 30.4375),
        ("12 months", 365.25),
        ("2 years", 730.5),
        ("36 hours", 1.5),
        ("3d", 3.0),
        ("2 w", 14.0),
        ("2wk", 14.0),
        ("1 mo", 30.4375),
        ("1 y", 365.25),
        ("1 yr", 365.25),
        ("12 h", 0.5),
        ("0 days", 0.0),
        ("1e1 days", 10.0),
        (" .5  days ", 0.5),
        ("1. days", 1.0),
        ("+2 days", 2.0),
        ("-0 days", 0.0),
        ("1000 years", 365250.0),
    ],
)
def test_durations_mean_days(written: str, days: float) -> None:
    assert parse_duration(written) == days


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (90, "needs a unit, found the bare number 90"),
        (1.5, "needs a unit"),
        (True, "a duration is expected, found true"),
        (None, "found nothing (null)"),
        ([], "found a list"),
        ({}, "found a mapping"),
        ("", "a duration is expected"),
        ("days", "a duration is expected"),
        ("90", "a duration is expected"),
        ("12:30", "a duration is expected"),
        ("-3 days", "must be zero or more"),
        ("1001 years", "at most 1000 years"),
        ("1e300 years", "at most 1000 years"),
        ("1e999 days", "at most 1000 years"),
        ("1e-9 days", "too short"),
        ("3 fortnights", "the time unit 'fortnights' is unknown"),
        ("3 moths", "Did you mean 'months'?"),
        ("3 m", "Write mo for months"),
        ("3 Days", "Did you mean 'days'?"),
        ("3 per month", "a duration is expected"),
        ("nan days", "a duration is expected"),
        ("inf days", "a duration is expected"),
        ("1_0 days", "a duration is expected"),
        ("٣ days", "a duration is expected"),
        ("1 year 6 months", "a duration is expected"),
        ("9" * 5000 + " days", "a duration is expected"),
    ],
)
def test_durations_are_refused_with_a_sentence(written: object, words: str) -> None:
    with pytest.raises(PydanticCustomError, match=r"expected|unit|allowed|long|short") as refusal:
        parse_duration(written)
    assert words in str(refusal.value)


def test_a_duration_of_zero_is_refused_where_it_must_be_positive() -> None:
    with pytest.raises(PydanticCustomError, match="must be above zero"):
        parse_duration("0 days", zero=False)


@pytest.mark.parametrize(
    ("written", "per_day"),
    [
        ("2.1 per month", 2.1 / 30.4375),
        ("33.3/month", 33.3 / 30.4375),
        ("33.3 / mo", 33.3 / 30.4375),
        ("0.05 per year", 0.05 / 365.25),
        ("7 per week", 1.0),
        ("1 per day", 1.0),
        ("1 per hour", 24.0),
    ],
)
def test_rates_mean_per_day(written: str, per_day: float) -> None:
    assert parse_rate(written) == pytest.approx(per_day, rel=1e-15)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (2.1, "needs a time unit, found the bare number 2.1"),
        ("2.1", "a rate is expected"),
        ("2.1 months", "a rate is expected"),
        ("2.1 permonth", "a rate is expected"),
        ("2 per moon", "the time unit 'moon' is unknown"),
        ("-1 per day", "must be above zero"),
        ("0 per day", "must be above zero"),
        ("1e7 per day", "at most 1,000,000 per day"),
        ("1e400 per day", "at most 1,000,000 per day"),
        (False, "a rate is expected, found false"),
    ],
)
def test_rates_are_refused_with_a_sentence(written: object, words: str) -> None:
    with pytest.raises(PydanticCustomError, match=r"expected|unit|allowed|high") as refusal:
        parse_rate(written)
    assert words in str(refusal.value)


def test_a_rate_of_zero_is_allowed_where_it_means_something() -> None:
    assert parse_rate("0 per month", zero=True) == 0.0


@pytest.mark.parametrize(
    ("days", "words"),
    [(182.625, "6 months"), (365.25, "1 year"), (84.0, "12 weeks"), (90.0, "90 days"), (1.5, "1.5 days")],
)
def test_a_duration_is_readable_whatever_its_spelling_was(days: float, words: str) -> None:
    assert readable_duration(days) == words


def test_a_quantity_is_text_with_a_number_and_a_unit() -> None:
    assert is_quantity("3 months")
    assert is_quantity("3 per month")
    assert not is_quantity("three months")
    assert not is_quantity(3)
