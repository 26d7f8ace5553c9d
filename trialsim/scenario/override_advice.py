"""Futility bounds that are counted upon, and that people may override."""

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
    for name, written in _mapping(scenario.get("designs")).items():
        design = _mapping(written)
        slot = _mapping(_mapping(design.get("policies")).get("stopping"))
        chance = _mapping(slot.get(PEOPLE)).get("override", 0.0)
        policy, options = written_policy(slot)
        binding = policy == "learned" or design.get("futility_binding") is True
        if (
            isinstance(chance, (int, float))
            and chance > 0
            and binding
            and options.get("futility") != "ignore"
        ):
            yield (
                f"“{name}” overrides what is recommended with probability {chance:g}, and its bounds count on trials that "
                "stop for futility (binding): its level is not held. Bounds that do not (futility_binding: false) hold it "
                "whatever is overridden."
            )


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
