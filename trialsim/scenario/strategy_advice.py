"""Looks that count events which the strategy of the hypothesis keeps out of the test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_CENSORING = {
    "while_on_treatment": "after the end of treatment",
    "hypothetical": "after discontinuation or crossover",
}
_ENDING = ("discontinuation", "treatment", "adverse_events")
"""Parts of a scenario by which treatment can end before follow-up does."""


def censored_counts(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each group sequential design whose looks count events that a test censors.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    if not any(scenario.get(part) for part in _ENDING):
        return
    hypotheses = _mapping(scenario.get("hypotheses"))
    for name, written in _mapping(scenario.get("designs")).items():
        design = _mapping(written)
        if design.get("kind") != "group_sequential":
            continue
        tests = [str(test) for test in _mapping(design.get("tests"))]
        first = _mapping(hypotheses.get(tests[0])).get("endpoint") if tests else None
        looks = design.get("looks")
        counted = {
            endpoint
            for look in (looks if isinstance(looks, (list, tuple)) else ())
            for endpoint in _counted(_mapping(look).get("when"), first)
        }
        for test in tests:
            hypothesis = _mapping(hypotheses.get(test))
            strategy, endpoint = hypothesis.get("strategy"), hypothesis.get("endpoint")
            if strategy in _CENSORING and endpoint in counted:
                yield (
                    f"The looks of “{name}” count events of “{endpoint}”, but “{test}” leaves out those "
                    f"{_CENSORING[strategy]} (strategy: {strategy}): its test has fewer events than they count, and less "
                    "information and power than as many events would give."
                )


def _counted(when: Any, first: Any) -> Iterator[Any]:
    """Yield the endpoints whose events a trigger counts, that of the first test where none is named."""
    trigger = _mapping(when)
    if "events" in trigger:
        yield _mapping(trigger["events"]).get("endpoint") or first
    for joined in ("all", "any"):
        parts = trigger.get(joined)
        for part in parts if isinstance(parts, (list, tuple)) else ():
            yield from _counted(part, first)


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
