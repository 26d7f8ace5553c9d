"""Designs that re-estimate their size, and the group sequential designs of the same maximum that belong beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Maximum(NamedTuple):
    """The most that a design may grow to, of ``patients`` or of ``events``."""

    number: int
    what: str


_KEYS = {"maximum": "patients", "maximum_events": "events"}


def maximum_of(design: Mapping[str, Any]) -> Maximum | None:
    """Return the most that a design may grow to, None where it does not re-estimate its size.

    Parameters
    ----------
    design
        Of a resolved scenario, as plain data.
    """
    rule = design.get("reestimation")
    if not isinstance(rule, Mapping):
        return None
    limits = next((part for part in rule.values() if isinstance(part, Mapping)), {})
    found = (Maximum(limits[key], what) for key, what in _KEYS.items() if isinstance(limits.get(key), int))
    return next(found, None)


def comparators(scenario: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the group sequential designs of the same maximum that compare the same arms on the same endpoint.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data.
    name
        A design that re-estimates its size.
    """
    designs = _mapping(scenario.get("designs"))
    mine = _mapping(designs.get(name))
    return tuple(
        other
        for other, design in designs.items()
        if _mapping(design).get("kind") == "group_sequential"
        and _planned(_mapping(design), maximum_of(mine))
        and len(_looks(_mapping(design))) > 1
        and _compared(scenario, _mapping(design)) & _compared(scenario, mine)
    )


def uncompared_sizes(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each design that re-estimates its size without a group sequential design of its maximum.

    Such designs are often as good at every effect (Jennison and Turnbull 2015, Statistics in Medicine 34, 3793-3810).

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    for name, design in _mapping(scenario.get("designs")).items():
        maximum = maximum_of(_mapping(design))
        if maximum is not None and not comparators(scenario, name):
            yield (
                f"“{name}” may grow to {maximum.number:,} {maximum.what}, and no group sequential design of "
                f"{maximum.number:,} {maximum.what} stands beside it. One that plans for the maximum and may stop early is "
                "often as good: add it and compare."
            )


def _planned(design: Mapping[str, Any], maximum: Maximum | None) -> bool:
    """Return whether a design plans for a maximum of another one: its patients, or the events of its last look."""
    if maximum is None:
        return False
    if maximum.what == "patients":
        return design.get("n") == maximum.number
    when = _mapping(_mapping(_looks(design)[-1] if _looks(design) else None).get("when"))
    return _mapping(when.get("events")).get("count") == maximum.number


def _compared(scenario: Mapping[str, Any], design: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    """Return what a design compares: endpoint and arms of each test."""
    hypotheses = _mapping(scenario.get("hypotheses"))
    tested = (_mapping(hypotheses.get(test)) for test in _mapping(design.get("tests")))
    return {(each.get("endpoint"), *(each.get("arms") or ())) for each in tested}


def _looks(design: Mapping[str, Any]) -> list[Any]:
    """Return the looks of a design."""
    looks = design.get("looks")
    return list(looks) if isinstance(looks, (list, tuple)) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
