"""Plans that the scenario itself contradicts: sizes for another effect, information that is none, looks too late."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.errors import ScenarioError
from trialsim.scenario.expected_pace import pace_of
from trialsim.scenario.size_advice import maximum_of
from trialsim.scenario.truths import WORLD_PARTS, apply_overlay

_OF_THEIR_OWN = ("fleming_harrington", "restricted_mean", "milestone")
_NEARLY_ALL = 0.95
_CLOSE = 0.03
_HUNDREDTH = 2.326


def plan_notes(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each plan that the scenario itself contradicts.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    for name, written in _mapping(scenario.get("designs")).items():
        design = _mapping(written)
        yield from _proportional_size(scenario, name, design)
        yield from _wrong_information(scenario, name, design)
        yield from _too_late(scenario, name, design)


def _proportional_size(scenario: Mapping[str, Any], name: str, design: Mapping[str, Any]) -> Iterator[str]:
    """Yield that a size is that of proportional hazards where a truth has an effect that changes in time."""
    endpoint = _tested(scenario, design).get("endpoint")
    re_estimated = "conditional_power" in _mapping(design.get("reestimation"))
    if (design.get("under") is None and not re_estimated) or _kind(scenario, endpoint) != "survival":
        return
    late = [
        truth
        for truth, overlay in _mapping(scenario.get("truths")).items()
        if _changes(scenario, endpoint, design, overlay)
    ]
    if late and re_estimated:
        yield (
            f"“{name}” re-estimates its events by a conditional power that takes the hazard ratio to stay as it is, but "
            f"under “{late[0]}” that of “{endpoint}” changes in time: what is seen at an interim look is not what is to "
            "come. The level holds all the same; see the power by simulation."
        )
    elif late:
        yield (
            f"The size of “{name}” is that of a hazard ratio that stays, under “{design['under']}”, but under “{late[0]}” "
            f"that of “{endpoint}” changes in time: it has another power there. See it by simulation, or by trialsim power "
            "survival with the hazard ratio in pieces."
        )


def _wrong_information(scenario: Mapping[str, Any], name: str, design: Mapping[str, Any]) -> Iterator[str]:
    """Yield that looks count events where the information of the analysis does not go with them."""
    analysis = _tested(scenario, design).get("analysis")
    kind = analysis if isinstance(analysis, str) else next(iter(_mapping(analysis)), "")
    counts = _counts(design, "events", _tested(scenario, design).get("endpoint"))
    if design.get("kind") != "group_sequential" or kind not in _OF_THEIR_OWN or len(counts) < 2:
        return
    options = _mapping(_mapping(analysis).get(kind))
    if kind == "fleming_harrington" and not options.get("rho") and not options.get("gamma"):
        return
    stated = design.get("information")
    fractions = [count / counts[-1] for count in counts]
    told = ", ".join(f"{fraction:.2f}" for fraction in fractions)
    if isinstance(stated, (list, tuple)) and len(stated) == len(fractions):
        if max(abs(a - b) for a, b in zip(stated, fractions, strict=True)) < _CLOSE:
            yield (
                f"The information of “{name}” is the fraction of events ({told}), but that of {kind} is not: trialsim "
                "power survival gives the variance of its score by look. Bounds for other information miss the level."
            )
    elif design.get("bounds") is not None:
        yield (
            f"The bounds of “{name}” are written for looks at the fractions {told} of the events; make sure that they are "
            f"for the information of {kind}, which does not grow in proportion to events."
        )


def _too_late(scenario: Mapping[str, Any], name: str, design: Mapping[str, Any]) -> Iterator[str]:
    """Yield looks that wait for more than is expected by the horizon, and interims that come when all are enrolled."""
    pace = pace_of(scenario, design)
    horizon = _days(scenario.get("horizon"))
    if pace is None or horizon is None:
        return
    for kind in ("events", "readouts"):
        counts = _counts(design, kind, _tested(scenario, design).get("endpoint"))
        most = maximum_of(design)
        wanted, waits = (counts[-1], "waits") if counts else (0, "")
        if counts and most is not None and most.what == kind:
            wanted, waits = most.number, "may come to wait"
        if kind == "events" and counts and pace.events(horizon) < wanted:
            yield (
                f"“{name}” {waits} for {wanted:,} events, and {pace.n:,} patients are expected to have about "
                f"{pace.events(horizon):,.0f} by the horizon: its last look will see fewer. Enrol more, or follow longer."
            )
        elif kind == "events" and counts and _may_fall_short(pace.events(horizon), pace.n, wanted):
            yield (
                f"“{name}” {waits} for {wanted:,} events, and {pace.n:,} patients are expected to have about "
                f"{pace.events(horizon):,.0f} by the horizon: in some trials its last look will wait in vain and see "
                "fewer. Enrol more."
            )
        if len(counts) < 2 or design.get("kind") != "group_sequential":
            continue
        day = pace.day_of(kind, counts[0])
        if day is not None and pace.enrolled(day) >= _NEARLY_ALL * pace.n:
            yield (
                f"When look 1 of “{name}” is taken ({counts[0]:,} {kind}), about {pace.enrolled(day):,.0f} of its "
                f"{pace.n:,} patients are expected to have been enrolled: accrual runs ahead of information, and stopping "
                "early saves time but hardly any patients."
            )


def _may_fall_short(expected: float, n: float, count: int) -> bool:
    """Return whether fewer events than the count happen in more than a hundredth of trials, events being binomial."""
    share = min(expected / max(n, 1.0), 1.0)
    return expected - _HUNDREDTH * math.sqrt(n * share * (1.0 - share)) < count


def _counts(design: Mapping[str, Any], kind: str, endpoint: Any) -> list[int]:
    """Return what the looks wait for, where all wait for counts of an endpoint in all arms; otherwise nothing."""
    looks = design.get("looks")
    whens = (
        [_mapping(_mapping(look).get("when")) for look in looks] if isinstance(looks, (list, tuple)) else []
    )
    counted = [_mapping(when.get(kind)) for when in whens]
    counts = [part.get("count") for part in counted]
    plain = all(isinstance(count, int) for count in counts) and not any(
        part.get("arms") or part.get("endpoint") not in (None, endpoint) for part in counted
    )
    return [count for count in counts if isinstance(count, int)] if plain else []


def _changes(scenario: Mapping[str, Any], endpoint: Any, design: Mapping[str, Any], overlay: Any) -> bool:
    """Return whether a design's arm has a hazard ratio that changes in time under a truth, its own or that of the world."""
    world = {part: scenario[part] for part in WORLD_PARTS if part in scenario}
    try:
        changed = apply_overlay(world, dict(_mapping(overlay)))
    except ScenarioError:
        return False
    effects = _mapping(_mapping(_mapping(changed.get("endpoints")).get(endpoint)).get("effect"))
    arms = design.get("arms") or ()
    ratios = [value for arm, value in effects.items() if arm in arms and isinstance(value, (list, tuple))]
    return any(len({_mapping(piece).get("hazard_ratio") for piece in pieces}) > 1 for pieces in ratios)


def _tested(scenario: Mapping[str, Any], design: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the hypothesis of a design's first test."""
    test = next(iter(_mapping(design.get("tests"))), None)
    return _mapping(_mapping(scenario.get("hypotheses")).get(test or ""))


def _kind(scenario: Mapping[str, Any], endpoint: Any) -> Any:
    """Return the kind of an endpoint."""
    return _mapping(_mapping(scenario.get("endpoints")).get(endpoint)).get("kind")


def _days(written: Any) -> float | None:
    """Return the days of a duration as a resolved scenario writes it."""
    return float(written.split()[0]) if isinstance(written, str) and written.endswith(" days") else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
