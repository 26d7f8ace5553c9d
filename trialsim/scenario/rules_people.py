"""Rules for policies that recommend to people: they recommend something, and somebody has a say in it."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.inner_policies import PEOPLE, recommending
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place

_RECOMMEND_NOTHING = {"sites": "all_open", "randomisation": "by_design", "monitoring": "by_protocol"}
_SLOTS = (*_RECOMMEND_NOTHING, "stopping")


def policy_place(at: Place, slot: str, design: Design) -> Place:
    """Return where the policy stands that decides in a slot, or that recommends to the people who do.

    Parameters
    ----------
    at
        Where the design stands.
    slot, design
        The slot, and the design.
    """
    name, _ = design.policies[slot]
    inner, _ = recommending(design.policies[slot])
    here = (*at, "policies", slot, name)
    return here if inner == name else (*here, "policy", inner)


def people_findings(at: Place, design: Design) -> Iterator[Finding]:
    """Yield recommendations of nothing, or to people who recommend, and looks at which nobody may decide otherwise."""
    for slot in _SLOTS:
        name, parameters = design.policies[slot]
        if name != PEOPLE:
            continue
        place = (*at, "policies", slot, name)
        (inner,) = parameters["policy"]
        if inner == PEOPLE:
            yield (*place, "policy"), f"{PEOPLE} stands inside itself; name the policy that recommends"
        elif inner == _RECOMMEND_NOTHING.get(slot):
            yield (*place, "policy"), f"{inner} recommends nothing that people could decide on; name it alone"
        if slot == "stopping" and len(design.looks) == 1:
            yield place, "people decide at interim looks, and this design has one look, the last"
        if slot == "stopping" and design.overrunning:
            sentence = "p values after a stop take trials to stop at the first bound crossed, which people may overrule"
            yield (*at, "overrunning"), sentence
