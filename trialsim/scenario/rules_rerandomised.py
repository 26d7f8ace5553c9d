"""Rules for re-randomisation tests: allocations that can be drawn again, and that change nothing but the arms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.allocation_policies import ALLOCATION_CONTROLS
from trialsim.scenario.design import Design
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.inner_policies import recommending
from trialsim.scenario.looks import When
from trialsim.scenario.rules_world import Finding, WorldParts
from trialsim.scenario.trial_parts import Place
from trialsim.scenario.wording import listed

_SEPARATE = ("simple", "permuted_blocks", "stratified_permuted_blocks")
"""Rules whose pair of arms, given who is on the others, is allocated by the same rule of two arms."""


def rerandomised_findings(
    at: Place, test: str, hypothesis: Hypothesis, design: Design, arms: int, world: WorldParts
) -> Iterator[Finding]:
    """Yield why a design's allocation cannot be drawn again for a re-randomisation test.

    Parameters
    ----------
    at
        The place of the design.
    test
        Name of the test.
    hypothesis
        That it is of.
    design
        The design.
    arms
        How many arms it has.
    world
        What could be read of the world.
    """
    if not hypothesis.analysis.startswith("rerandomised_"):
        return
    where = (*at, "tests", test)
    if design.allocation.kind == "alternating":
        yield (
            where,
            "alternating allocation has no chance in it that could be drawn again; take simple or permuted_blocks",
        )
    elif arms > 2:
        moved = design.policies["randomisation"][0] != "by_design"
        if design.allocation.kind not in _SEPARATE or moved:
            sentence = (
                f"a re-randomisation test of one pair of {arms} arms draws the pair alone, which this rule does not allow; "
                f"allowed: {listed(_SEPARATE)}, not changed by outcomes"
            )
            yield where, sentence
        if len(design.looks) > 1 or design.kind != "fixed":
            sentence = (
                f"a re-randomisation test of one pair of {arms} arms is for kind: fixed; looks that close arms would "
                "change the blocks that are drawn again"
            )
            yield where, sentence
    if (rule := recommending(design.policies["randomisation"])[0]) in ALLOCATION_CONTROLS:
        sentence = (
            f"a re-randomisation test asks the rule again what it makes of the outcomes, and {rule} does not look at them; "
            "take another analysis beside a control of allocation"
        )
        yield where, sentence
    yield from arm_changes(where, hypothesis, design, world)


def arm_changes(where: Place, hypothesis: Hypothesis, design: Design, world: WorldParts) -> Iterator[Finding]:
    """Yield why, in a world, another allocation would have changed more than the arms; nothing for other analyses.

    Parameters
    ----------
    where
        The place of the test.
    hypothesis, design, world
        As of :func:`rerandomised_findings`.
    """
    if not hypothesis.analysis.startswith("rerandomised_"):
        return
    moved_by = list(_followed_by_arm(hypothesis, world))
    if moved_by:
        sentence = (
            f"a re-randomisation test takes for granted that who is seen for how long does not depend on the arm, and here "
            f"{listed(moved_by)} {'does' if len(moved_by) == 1 else 'do'}; another allocation would have censored others. "
            "Use the plain test"
        )
        yield where, sentence
    for number, look in enumerate(design.looks):
        if (moved_look := _dated_by_arm(look.when, hypothesis, world)) is not None:
            sentence = (
                "a re-randomisation test takes for granted that another allocation would have been looked at on the same "
                f"day, and look {number + 1} waits for {moved_look}. Let it wait for those of the test's own endpoint in "
                "all arms, or for a date, or use the plain test"
            )
            yield where, sentence


def _dated_by_arm(when: When, hypothesis: Hypothesis, world: WorldParts) -> str | None:
    """Return what a look waits for whose date goes with the arms that patients are in; None where there is nothing."""
    for child in when.children:
        if (found := _dated_by_arm(child, hypothesis, world)) is not None:
            return found
    if when.arms is not None or when.open_arms is not None:
        return f"{when.kind} in some arms alone"
    name = when.endpoint
    another = when.kind == "events" and name not in (None, hypothesis.endpoint)
    if another and _differs(world.endpoints.get(str(name)), hypothesis.arms):
        return f"events of {name!r}, which treatment changes"
    return None


def _differs(part: Any, arms: tuple[str, ...]) -> bool:
    """Return whether something of the world is another on one of some arms than on another."""
    effect: Mapping[str, Any] = getattr(part, "effect", None) or {}
    # Effects in pieces are lists.
    return len({str(effect.get(arm, 1.0)) for arm in arms}) > 1


def _followed_by_arm(hypothesis: Hypothesis, world: WorldParts) -> Iterator[str]:
    """Yield what ends or changes follow-up on one of the arms more than on the other."""

    def differs(part: Any) -> bool:
        return _differs(part, hypothesis.arms)

    if differs(world.dropout):
        yield "dropout"
    if differs(world.withdrawal):
        yield "withdrawal"
    for name, reason in world.discontinuation.items():
        if differs(reason):
            yield f"discontinuation.{name}"
    for name, term in world.adverse_events.items():
        if differs(term) and (term.fatal or term.actions):
            yield f"adverse_events.{name}"
    for name, endpoint in world.endpoints.items():
        if name != hypothesis.endpoint and getattr(endpoint, "terminal", False) and differs(endpoint):
            yield f"endpoints.{name}"
    crosses = world.treatment is not None and world.treatment.crossover is not None
    if crosses and hypothesis.strategy not in ("treatment_policy", "principal_stratum"):
        yield "treatment.crossover"
