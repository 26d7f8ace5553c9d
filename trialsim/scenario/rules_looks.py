"""Rules for looks and reviews: what is waited for can happen, and comes in order."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.completion import counted_endpoints
from trialsim.scenario.design import Design
from trialsim.scenario.looks import Counted, When
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts, arms_of
from trialsim.scenario.wording import listed, unknown

MOST_REVIEWS = 100_000


def look_findings(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield looks that are too many, cannot happen, or come in the wrong order."""
    if design.kind == "fixed" and len(design.looks) != 1:
        yield (
            (*at, "looks"),
            f"a fixed design has exactly one look, found {len(design.looks)}; or kind: group_sequential",
        )
    horizon = parts.world.horizon
    reached: dict[tuple[object, ...], tuple[float, int]] = {}
    for number, look in enumerate(design.looks):
        place = (*at, "looks", number, "when")
        yield from _trigger(place, look.when, design, parts, first=number == 0, depth=0)
        if look.no_later_than is not None and look.no_later_than > horizon:
            yield (*place, "no_later_than"), _beyond(look.no_later_than, horizon)
        for where, leaf in _needed(place, look.when):
            if leaf.kind == "gap":
                continue
            size = leaf.duration if leaf.kind == "calendar" else leaf.count
            key = (leaf.kind, leaf.endpoint, leaf.arms)
            before = reached.get(key)
            if size is not None and before is not None and size <= before[0] and number > before[1]:
                unit = " days" if leaf.kind == "calendar" else f" {leaf.kind}"
                earlier = f"the {before[0]:g} of look {before[1] + 1}"
                yield where, f"{size:g}{unit} is not more than {earlier}; looks come in order"
            if size is not None:
                reached[key] = (size, number)
    for number, look in enumerate(design.looks):
        for lag in ("cleaning_lag", "decision_lag"):
            if getattr(look, lag) > horizon:
                yield (*at, "looks", number, lag), _beyond(getattr(look, lag), horizon)
    if design.reviews is not None:
        kind, size = design.reviews
        where = (*at, "reviews", "every", kind)
        if kind == "enrolled" and size > design.n:
            yield where, f"{size:g} exceeds the {design.n} patients that can be enrolled"
        elif kind == "calendar" and size > horizon:
            yield where, _beyond(size, horizon)
        elif kind == "calendar" and horizon / size > MOST_REVIEWS:
            yield (
                where,
                f"every {size:g} days is too often; at most {MOST_REVIEWS:,} reviews fit before the horizon",
            )


def _beyond(days: float, horizon: float) -> str:
    """Return the sentence for a time after the horizon."""
    return f"{days:g} days is beyond the horizon of {horizon:g} days, at which the trial ends"


def _needed(at: Place, when: When) -> Iterator[tuple[Place, When]]:
    """Yield the places and triggers that a look cannot do without."""
    if when.kind == "all":
        for number, child in enumerate(when.children):
            yield from _needed((*at, "all", number), child)
    elif when.kind != "any":
        yield _size_place(at, when), when


def _size_place(at: Place, when: When) -> Place:
    """Return the place of the count or duration of a trigger."""
    return (*at, when.kind, "count") if when.kind in ("events", "readouts") else (*at, when.kind)


def _trigger(
    at: Place, when: When, design: Design, parts: TrialParts, *, first: bool, depth: int
) -> Iterator[Finding]:
    """Yield what a trigger waits for that cannot happen."""
    if when.children:
        if depth > 1:
            yield (*at, when.kind), "all and any are nested too deeply; one inside the other is the most"
            return
        for number, child in enumerate(when.children):
            yield from _trigger((*at, when.kind, number), child, design, parts, first=first, depth=depth + 1)
        return
    where = _size_place(at, when)
    if when.kind == "gap" and first:
        yield where, "gap is the time since the look before; the first look has none before it"
    if when.duration is not None and when.duration > parts.world.horizon:
        yield where, _beyond(when.duration, parts.world.horizon)
    if when.count is not None and when.count > design.n:
        yield where, f"{when.count} exceeds the {design.n} patients that can be enrolled"
    counted = when.events or when.readouts
    if counted is not None and counted.open_arms == "each" and first:
        arms = len(counted.arms or arms_of(design, parts))
        if counted.count <= design.n < counted.count * arms:
            yield (
                where,
                f"{counted.count} in each of {arms} arms exceed the {design.n} patients that can be enrolled",
            )
    if counted is not None:
        yield from _counted((*at, when.kind), when.kind, counted, design, parts)


def _counted(at: Place, kind: str, counted: Counted, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield an endpoint or arms whose events or readouts cannot be counted."""
    endpoints, arms = parts.world.endpoints, arms_of(design, parts)
    all_readable = len(endpoints) == len(parts.endpoint_names) and len(parts.hypotheses) == len(
        parts.hypothesis_names
    )
    if counted.endpoint is None:
        candidates = counted_endpoints(kind, design, parts.hypotheses, endpoints)
        if all_readable and not candidates:
            kinds = "survival" if kind == "events" else "binary or continuous"
            yield at, f"there are no {kind} to count; the scenario has no {kinds} endpoint"
        elif all_readable and len(candidates) > 1:
            example = f"{{{kind}: {{count: {counted.count}, endpoint: {candidates[0]}}}}}"
            yield at, f"the {kind} of {listed(candidates)} could be meant; name the endpoint: {example}"
    elif counted.endpoint not in parts.endpoint_names:
        yield (*at, "endpoint"), unknown("the endpoint", counted.endpoint, parts.endpoint_names)
    elif counted.endpoint in endpoints and (endpoints[counted.endpoint].kind == "survival") != (
        kind == "events"
    ):
        has = "readouts, not events" if kind == "events" else "events, not readouts"
        yield (*at, "endpoint"), f"'{counted.endpoint}' is {endpoints[counted.endpoint].kind}; it has {has}"
    for place, arm in enumerate(counted.arms or ()):
        if arms and arm not in arms:
            yield (*at, "arms", place), unknown("the arm", arm, arms)
        elif counted.arms and arm in counted.arms[:place]:
            yield (*at, "arms", place), f"the arm '{arm}' is named twice"
