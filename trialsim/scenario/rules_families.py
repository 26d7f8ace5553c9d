"""Rules for designs that name their families of bounds: what stands beside them, and what they need."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place

_OF_FAMILIES = ("futility", "information", "power", "under", "events", "computed")
_NEEDS_FAMILY = "belongs to a group sequential design that names its family of bounds; give efficacy as well"


def family_findings(at: Place, design: Design) -> Iterator[Finding]:
    """Yield families of bounds where there can be none, and what is missing or superfluous beside them."""
    if design.efficacy is None:
        stages = design.kind == "multi_arm_multi_stage"
        for key in _OF_FAMILIES:
            # The weights of stages are taken from information, wherever their bounds come from.
            if getattr(design, key) is not None and not (stages and key == "information"):
                yield (*at, key), _NEEDS_FAMILY
        return
    if design.kind == "fixed":
        sentence = (
            "a fixed design has no bounds (its one look is judged at alpha); use kind: group_sequential"
        )
        yield (*at, "efficacy"), sentence
    if design.bounds is not None:
        sentence = (
            "bounds are written out and a family is named from which they would be computed; keep one of them"
        )
        yield (*at, "efficacy"), sentence
    if design.futility is None and design.futility_binding:
        yield (*at, "futility_binding"), "there are no futility bounds to be binding; give futility, a family"
    if design.information is not None:
        if len(design.information) != len(design.looks):
            sentence = f"{len(design.information)} fractions for {len(design.looks)} looks; give one for each"
            yield (*at, "information"), sentence
        if design.information[-1] != 1:
            yield (*at, "information", len(design.information) - 1), "the last look has all information, 1"
    if design.under is not None and design.power is None:
        yield (*at, "power"), "is required beside under: the power that the size is solved for"
    if design.power is not None and design.under is None and design.futility is None:
        yield (
            (*at, "power"),
            "moves nothing without futility; name the truth that the size is solved under (under), or leave it out",
        )
    if design.power is None and design.futility is not None and needs_power(design):
        yield (
            (*at, "power"),
            f"is required: futility by {design.futility[0]} depends on the power planned for",
        )


def needs_power(design: Design) -> bool:
    """Return whether the futility bounds depend on the power planned for: all do but bounds on z and on the trend."""
    return design.futility is not None and design.futility[0] not in ("z", "conditional_power_trend")
