"""Screening that nobody can pass: no trial of the scenario has a patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_WORDS = {
    "prescreen": "no candidate's records pass",
    "consent": "no candidate consents",
    "eligible": "no candidate is eligible",
}


def nobody_passes(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each step of screening whose probability is 0, whoever comes.

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


def _later(screening: Mapping[str, Any], key: str) -> bool:
    """Return whether who fails for want of eligibility may come again and pass, or pass wrongly."""
    again = screening.get("rescreening")
    passes = isinstance(again, Mapping) and bool(again.get("probability")) and bool(again.get("eligible"))
    return key == "eligible" and (passes or bool(screening.get("wrongly_randomised")))
