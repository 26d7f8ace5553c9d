"""Looks that follow from a few numbers: so many, equally spaced in information, up to a number of events or patients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from trialsim.errors import Problem
from trialsim.scenario.wording import shown

_EXACT = 1e-9
FEWEST_TRIED = 40
"""Patients of a design whose size is still to be solved, while all else in it is checked."""


def to_be_solved(tree: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the designs of a written scenario whose size is to be solved under a truth."""
    return tuple(name for name, design in _designs(tree).items() if design.get("under") is not None)


def as_asked(design: Mapping[str, Any]) -> dict[str, Any]:
    """Return a design without what was worked out of it: from the resolved form back to the few lines asked.

    Parameters
    ----------
    design
        As it is written, or as the resolved scenario holds it.
    """
    computed = design.get("computed")
    if not isinstance(computed, dict):
        return dict(design)
    solved = {key for key in ("n", "events") if key in computed}
    asked = {key: value for key, value in design.items() if key != "computed" and key not in solved}
    looks = design.get("looks")
    follow = "under" in design or "events" in design
    if follow and isinstance(looks, list) and all(_counts(look) for look in looks):
        asked["looks"] = len(looks)
    return asked


def lay_out_looks(tree: dict[str, Any], solved: Mapping[str, int], problems: list[Problem]) -> None:
    """Replace a number of looks by as many looks, in place, and a size to be solved by the solution.

    Parameters
    ----------
    tree
        The scenario; its ``designs`` are replaced.
    solved
        Events (of a survival endpoint) or patients by design, where they are known already; without them a design whose
        size is to be solved gets one that lets all else be checked.
    problems
        Problems found are appended here.
    """
    designs = tree.get("designs")
    if not isinstance(designs, dict):
        return
    sought = to_be_solved(tree)
    tree["designs"] = {
        name: (
            _laid_out(
                f"designs.{name}",
                design,
                _first_endpoint(tree, design),
                name in sought,
                solved.get(name),
                problems,
                _arms_selected(tree, design),
            )
            if isinstance(design, dict)
            else design
        )
        for name, design in designs.items()
    }


def _counts(look: Any) -> bool:
    """Return whether a written look waits for a number of events, read-outs or patients."""
    when = look.get("when") if isinstance(look, dict) else None
    return isinstance(when, dict) and not {"events", "readouts", "enrolled"}.isdisjoint(when)


def _designs(tree: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return those designs that are mappings."""
    designs = tree.get("designs")
    found = designs.items() if isinstance(designs, dict) else ()
    return {name: design for name, design in found if isinstance(design, dict)}


def _first_endpoint(tree: Mapping[str, Any], design: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the endpoint of a design's first test and its kind; None where they cannot be read."""
    tests = design.get("tests")
    name = next(iter(tests), None) if isinstance(tests, dict) else None
    found = []
    for part, key in (("hypotheses", "endpoint"), ("endpoints", "kind")):
        entries = tree.get(part)
        entry = entries.get(name) if isinstance(entries, dict) and isinstance(name, str) else None
        name = entry.get(key) if isinstance(entry, dict) else None
        if not isinstance(name, str):
            return None
        found.append(name)
    return found[0], found[1]


def _laid_out(
    at: str,
    design: dict[str, Any],
    endpoint: tuple[str, str] | None,
    sought: bool,
    solved: int | None,
    problems: list[Problem],
    arms: int | None,
) -> dict[str, Any]:
    """Return one design with its looks written out; ``arms`` is the number of those of a design that selects."""
    looks, information = design.get("looks"), design.get("information")
    whole = isinstance(looks, int) and not isinstance(looks, bool)
    if isinstance(looks, list):
        if sought:
            sentence = (
                "a size is solved for looks that follow from it; write looks: 3, or information: [0.5, 1]"
            )
            problems.append(Problem(f"{at}.looks", sentence))
        elif "events" in design and all(_counts(look) for look in looks):
            problems.append(
                Problem(f"{at}.events", "the looks say already at how many events; leave one out")
            )
        return design
    if looks is not None and not whole:
        sentence = f"a list of looks, or their number, is expected, found {shown(looks)}"
        problems.append(Problem(f"{at}.looks", sentence))
        return _held(design, 1, sought)
    if looks is None and not (isinstance(information, list) and information):
        return design
    fractions = _fractions(at, looks, information, problems)
    if not fractions or endpoint is None:
        number = len(information) if isinstance(information, list) else len(fractions)
        return _held(design, number or 1, sought)
    known = dict(design)
    events_count = endpoint[1] == "survival"
    if sought:
        key = "events" if events_count else "n"
        if key in design:
            sentence = (
                f"is solved from power under {shown(design['under'])}; leave it out, or leave out under"
            )
            problems.append(Problem(f"{at}.{key}", sentence))
        n = design.get("n") if key == "events" else None
        known[key] = solved or (n if isinstance(n, int) and not isinstance(n, bool) else FEWEST_TRIED)
    most = known.get("events" if events_count else "n")
    if events_count and "events" not in known:
        problems.append(
            Problem(
                f"{at}.events",
                "is required beside a number of looks or information: the events at the last look",
            )
        )
    if not events_count and "events" in known:
        problems.append(
            Problem(f"{at}.events", "the first test counts no events but read-outs; give n alone")
        )
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        return _held(known, len(fractions), sought)
    trigger = "events" if events_count else "readouts"
    counted: dict[str, Any] = {"endpoint": endpoint[0]}
    if sought and arms is not None and not events_count and most >= arms:
        most //= arms  # looks of a design that selects arms wait for as many in each that is open
        counted["open_arms"] = "each"
    counts = [max(1, math.ceil(fraction * most - _EXACT * most)) for fraction in fractions]
    known["looks"] = [{"when": {trigger: {"count": count} | counted}} for count in counts]
    return known


def _arms_selected(tree: Mapping[str, Any], design: Mapping[str, Any]) -> int | None:
    """Return how many arms a design has that selects among them; None of others."""
    arms = design.get("arms") or tree.get("arms")
    chosen = (
        design.get("kind") == "multi_arm_multi_stage" and isinstance(arms, (list, tuple)) and len(arms) > 1
    )
    return len(arms) if chosen and isinstance(arms, (list, tuple)) else None


def _held(design: dict[str, Any], looks: int, sought: bool) -> dict[str, Any]:
    """Return a design with looks that hold the place: what is wrong is said where it stands, and not twice."""
    size = {"n": FEWEST_TRIED} if sought else {}
    return size | design | {"looks": [{"when": {"enrolled": 1 + look}} for look in range(looks)]}


def _fractions(at: str, looks: Any, information: Any, problems: list[Problem]) -> list[float]:
    """Return the information fractions of the looks, none where they cannot be used."""
    if isinstance(information, list):
        numbers = all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in information)
        if not numbers or not all(0 < each <= 1 for each in information):
            return []
        if any(later <= earlier for earlier, later in itertools.pairwise(information)):
            return []
        if looks is not None and looks != len(information):
            problems.append(
                Problem(f"{at}.looks", f"{looks} looks, but {len(information)} information fractions")
            )
            return []
        return [float(each) for each in information]
    if not 1 <= looks <= 50:
        problems.append(Problem(f"{at}.looks", f"{looks} looks are out of range; 1 to 50 are allowed"))
        return []
    return [look / looks for look in range(1, looks + 1)]
