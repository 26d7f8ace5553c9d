"""Doses that are lowered at visits although nothing depends on the dose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.inner_policies import written_policy


def doses_without_effect(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each design whose monitoring policy lowers doses that multiply no intensity.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    doses = _mapping(scenario.get("treatment")).get("doses")
    terms = _mapping(scenario.get("adverse_events")).values()
    if not isinstance(doses, list) or len(doses) < 2 or any(_mapping(t).get("dose_exponent") for t in terms):
        return
    for name, design in _mapping(scenario.get("designs")).items():
        policies = _mapping(_mapping(design).get("policies"))
        policy, options = written_policy(policies.get("monitoring"))
        if _lowers(policy, options):
            yield (
                f"“{name}” lowers doses at visits ({policy}), and no adverse event has a dose_exponent: a lower dose "
                "changes nothing. Give the events that depend on the dose one, or end treatment instead."
            )


def _lowers(policy: str, options: Mapping[str, Any]) -> bool:
    """Return whether a policy lowers doses: by its counts, or, of a control, by what it does."""
    if policy == "dose_modification":
        return options.get("reduce_after") is not None
    controls = ("oracle", "adversarial", "random", "emulated")
    return policy in controls and options.get("do", "reduce") == "reduce"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
