"""Estimands, their strategies and their values in words and numbers."""

from __future__ import annotations

import math

from trialsim.oc.columns import HypothesisFacts
from trialsim.report.numbers import decimals_for, plain

_DIGITS = 4
"""Significant digits of a value that has no Monte Carlo error."""

_NAMES = {
    "peto": "Peto",
    "cox": "Cox",
    "mantel": "Mantel",
    "haenszel": "Haenszel",
    "kaplan": "Kaplan",
    "meier": "Meier",
}


def estimand_in_words(facts: HypothesisFacts) -> str:
    """Return the name of an estimand as it is shown, a ratio in place of its logarithm."""
    name = facts.estimand.replace("_", " ")
    return name.replace("log ", "") if is_ratio(facts) else name


def estimator_in_words(facts: HypothesisFacts) -> str:
    """Return the name of an estimator, without what follows of strategies and flags."""
    words = facts.estimator.partition(",")[0].partition(" (")[0].replace("_", " ").split()
    return " ".join(_NAMES.get(word, word) for word in words) or "–"


def strategy_in_words(facts: HypothesisFacts) -> str:
    """Return a strategy for intercurrent events; empty where the run does not tell."""
    return f"{facts.strategy.replace('_', ' ')} strategy" if facts.strategy else ""


def is_ratio(facts: HypothesisFacts) -> bool:
    """Return whether values of an estimand are logarithms of ratios."""
    words = facts.estimand.replace("_", " ").split()
    return "log" in words and words[-1:] == ["ratio"]


def value_lines(facts: HypothesisFacts, value: float | None, mcse: float | None) -> tuple[str, ...]:
    """Return a value with its Monte Carlo error; of a ratio first itself, then its logarithm with the error.

    Parameters
    ----------
    facts
        Whose estimand it is.
    value, mcse
        In the unit of the estimand; None where it is not known.
    """
    if value is None:
        return ("–",)
    shown = number_with_error(value, mcse)
    return (plain(math.exp(value), 3), f"log {shown}") if is_ratio(facts) else (shown,)


def number_with_error(value: float, mcse: float | None) -> str:
    """Return a number with its Monte Carlo error in parentheses; without one to four significant digits."""
    if not mcse:
        return "0" if abs(value) < 1e-12 else f"{value:.{_DIGITS}g}".replace("-", "−")
    decimals = decimals_for(mcse)
    return f"{plain(value, decimals)} ({plain(mcse, decimals)})"


def value_in_words(facts: HypothesisFacts) -> str:
    """Return the estimand with its true value, as ``hazard ratio 0.972 (log −0.028, Monte Carlo error 0.003)``."""
    name = estimand_in_words(facts)
    value, mcse = facts.true_value, facts.true_value_mcse
    if value is None:
        return f"{name}, of which no value is known"
    decimals = decimals_for(mcse) if mcse else 0
    told = plain(value, decimals) if mcse else number_with_error(value, None)
    error = f"Monte Carlo error {plain(mcse, decimals)}" if mcse else ""
    if mcse and abs(value) < 2.0 * mcse:
        error += ", so that it may be none"
    if is_ratio(facts):
        inside = ", ".join(part for part in (f"log {told}", error) if part)
        return f"{name} {plain(math.exp(value), 3)} ({inside})"
    return f"{name} {told}" + (f" ({error})" if error else "")
