"""Error and power that are counted upon, in designs whose stops people may override."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.inner_policies import PEOPLE, written_policy


def overridden_futility(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each design whose efficacy bounds count on futility stops that people may override.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    for name, design, chance in _overriding(scenario):
        policy, options = written_policy(_mapping(design["policies"])["stopping"])
        binding = policy == "learned" or design.get("futility_binding") is True
        if binding and options.get("futility") != "ignore":
            instead = (
                "Bounds of a learned policy always do. Certify the design as it is run, people included (trialsim "
                "certify), or let bounds recommend that do not (futility_binding: false)."
                if policy == "learned"
                else "Bounds that do not (futility_binding: false) hold it whatever is overridden."
            )
            yield (
                f"“{name}” overrides what is recommended with probability {chance:g}, and its bounds count on trials that "
                f"stop for futility (binding): its level is not held. {instead}"
            )


def overridden_power(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each design whose size is solved for a power, and whose stops people may override.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    for name, design, chance in _overriding(scenario):
        power = design.get("power")
        if isinstance(power, (int, float)):
            yield (
                f"“{name}” overrides what is recommended with probability {chance:g}, and its size is solved for power "
                f"{power:g} as if stops were followed: overridden efficacy lowers the power, overridden futility raises "
                "it. trialsim run has the power of the design as it is run."
            )


def _overriding(scenario: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], float]]:
    """Yield designs with people who may override stops: name, design and probability."""
    for name, written in _mapping(scenario.get("designs")).items():
        design = _mapping(written)
        slot = _mapping(_mapping(design.get("policies")).get("stopping"))
        chance = _mapping(slot.get(PEOPLE)).get("override", 0.0)
        if isinstance(chance, (int, float)) and chance > 0:
            yield name, design, chance


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
