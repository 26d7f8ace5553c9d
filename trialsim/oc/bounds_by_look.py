"""The bounds of the group sequential designs of a resolved scenario, a row for each test and look."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Row = dict[str, str | int | float | None]


def bounds_by_look(scenario: Mapping[str, Any], designs: Collection[str]) -> list[Row]:
    """Return the bounds that a resolved scenario holds, written or computed, in full precision.

    Parameters
    ----------
    scenario
        As plain data.
    designs
        Names of the designs asked about, in the order of the rows.

    Returns
    -------
    list
        ``design``, ``hypothesis``, ``look`` from 1, ``information`` (over that of the last look; None where bounds were
        written), ``efficacy_z`` and ``futility_z`` (None: no bound).
    """
    written = scenario.get("designs")
    found: list[Row] = []
    for name in designs:
        design = written.get(name) if isinstance(written, Mapping) else None
        if isinstance(design, Mapping):
            for test in design.get("tests") or ():
                found += _rows(name, design, str(test))
    return found


def _rows(name: str, design: Mapping[str, Any], test: str) -> list[Row]:
    """Return the rows of one test; none for a design without bounds."""
    computed = design.get("computed")
    information = None
    if isinstance(computed, Mapping):
        bounds, information = computed["bounds"][test], computed["information"][test]
    else:
        bounds = design.get("bounds") or {}
        bounds = bounds if "efficacy_z" in bounds else bounds.get(test, {})
    efficacy = bounds.get("efficacy_z", ())
    futility = bounds.get("futility_z") or (None,) * len(efficacy)
    return [
        {
            "design": name,
            "hypothesis": test,
            "look": look + 1,
            "information": None if information is None else information[look],
            "efficacy_z": efficacy[look],
            "futility_z": futility[look],
        }
        for look in range(len(efficacy))
    ]
