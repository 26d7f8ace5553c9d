"""Numbers as people read them: with their Monte Carlo error, and no more digits than it bears out."""

from __future__ import annotations

import math

from trialsim.oc.measures import Measure

DAYS_PER_MONTH = 30.4375
_MOST_DECIMALS = 6


def decimals_for(error: float) -> int:
    """Return how many decimals show two significant digits of an error."""
    if not error > 0:
        return 0
    return min(_MOST_DECIMALS, max(0, 1 - math.floor(math.log10(error))))


def plain(value: float, decimals: int) -> str:
    """Return a number with a true minus sign and without a negative zero."""
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def with_error(row: Measure | None, divide_by: float = 1.0) -> str:
    """Return a value with its Monte Carlo error in parentheses.

    A probability that was 0 or 1 in every replicate has an error of 0 that says nothing: its limit stands
    instead.
    """
    if row is None:
        return "–"
    value = row.value / divide_by
    if (
        row.unit == "probability"
        and row.value in (0.0, 1.0)
        and row.lower is not None
        and row.upper is not None
    ):
        limit, word = (row.upper, "at most") if row.value == 0 else (row.lower, "at least")
        return f"{value:.0f} ({word} {plain(limit, _limit_decimals(min(limit, 1 - limit)))})"
    if row.mcse is None:
        return f"{plain(value, 1)} ({'one replicate' if row.n == 1 else '–'})"
    error = row.mcse / divide_by
    decimals = decimals_for(error)
    if error == 0:
        decimals = 0 if float(value).is_integer() else 2
    return f"{plain(value, decimals)} ({plain(error, decimals)})"


def percent(row: Measure) -> str:
    """Return a probability as a percentage with its 95% interval."""
    if row.lower is None or row.upper is None:
        return f"{100 * row.value:.1f}%"
    decimals = max(1, decimals_for(100 * (row.mcse or 0.0)) - 1)
    lower, upper = (f"{100 * limit:.{decimals}f}" for limit in (row.lower, row.upper))
    return f"{100 * row.value:.{decimals}f}% (95% interval {lower} to {upper})"


def months(days: float) -> float:
    """Return days in months."""
    return days / DAYS_PER_MONTH


def _limit_decimals(limit: float) -> int:
    return min(_MOST_DECIMALS, max(2, 1 - math.floor(math.log10(limit)))) if limit > 0 else 2
