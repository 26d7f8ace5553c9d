"""Screening that nobody can pass, and events that nobody comes to know: trials without patients or without an analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.units import is_duration, parse_duration, readable_duration

_WORDS = {
    "prescreen": "no candidate's records pass",
    "consent": "no candidate consents",
    "eligible": "no candidate is eligible",
}


def nobody_passes(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each step of screening whose probability is 0, and for a window that is too short for anybody.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    screening = scenario.get("screening")
    if not isinstance(screening, Mapping):
        return
    for key, words in _WORDS.items():
        step = screening.get(key)
        if isinstance(step, Mapping) and step.get("probability") == 0 and not _later(screening, key):
            yield f"screening.{key}.probability is 0: {words}, so that nobody is ever randomised."
    window, least = screening.get("window"), _least(screening.get("duration")) + _least(screening.get("lag"))
    if is_duration(window) and parse_duration(window) < least:
        yield (
            f"screening.window is {readable_duration(parse_duration(window))}, but from consent to randomisation (duration "
            f"and lag) it takes {readable_duration(least)} at the least: every screening fails, so that nobody is ever "
            "randomised."
        )


def nothing_known(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each endpoint none of whose events is ever seen or confirmed.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    endpoints, visits = scenario.get("endpoints"), scenario.get("visits")
    all_missed = isinstance(visits, Mapping) and visits.get("missed") == 1
    for name, endpoint in endpoints.items() if isinstance(endpoints, Mapping) else ():
        if not isinstance(endpoint, Mapping):
            continue
        adjudication = endpoint.get("adjudication")
        if isinstance(adjudication, Mapping) and adjudication.get("confirmed") == 0:
            yield f"endpoints.{name}.adjudication.confirmed is 0: no event is ever confirmed, so that analyses have none."
        if all_missed and endpoint.get("detected") == "visits":
            yield f"visits.missed is 1: no event of {name}, which is detected at visits, is ever seen."


def _least(delay: Any) -> float:
    """Return the least days that a delay of a resolved scenario takes, 0 where that is not to be told."""
    if isinstance(delay, Mapping):
        uniform = delay.get("uniform")
        delay = uniform.get("from") if isinstance(uniform, Mapping) else delay.get("fixed")
    return parse_duration(delay) if is_duration(delay) else 0.0


def _later(screening: Mapping[str, Any], key: str) -> bool:
    """Return whether who fails for want of eligibility may come again and pass, or pass wrongly."""
    again = screening.get("rescreening")
    passes = isinstance(again, Mapping) and bool(again.get("probability")) and bool(again.get("eligible"))
    return key == "eligible" and (passes or bool(screening.get("wrongly_randomised")))
