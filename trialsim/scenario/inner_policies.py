"""Policies inside others: rankings that others rank by, and policies that recommend to people who decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

INSIDE = ("ranking", "policy")
"""Parameters under which another policy stands, ``{name: parameters}``."""

PEOPLE = "human_in_the_loop"


def inner_policies(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the policies that stand in the parameters of another: the key, the name and the parameters of each.

    Parameters
    ----------
    parameters
        Of the policy.
    """
    for key in INSIDE:
        named = parameters.get(key)
        if isinstance(named, Mapping):
            for name, own in named.items():
                yield key, name, own or {}


def recommending(policy: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """Return the policy that decides, or, where people do, the one that recommends to them.

    Parameters
    ----------
    policy
        Name and parameters.
    """
    name, parameters = policy
    if name == PEOPLE and isinstance(parameters.get("policy"), Mapping):
        ((inner, own),) = parameters["policy"].items()
        return inner, own or {}
    return name, parameters


def written_policy(slot: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the policy of a slot of plain data, the one that recommends where people decide; an empty name for none.

    Parameters
    ----------
    slot
        A name alone, a mapping of it to parameters, or what cannot be read.
    """
    if isinstance(slot, str):
        return slot, {}
    if not isinstance(slot, Mapping) or not slot:
        return "", {}
    name, parameters = next(iter(slot.items()))
    own = parameters if isinstance(parameters, Mapping) else {}
    return written_policy(own["policy"]) if name == PEOPLE and "policy" in own else (str(name), own)
