"""Adaptations that a design's tests know nothing of: dropped arms, moved allocation, many arms, choice by other data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trialsim.scenario.drift_advice import drifting_allocations
from trialsim.scenario.inner_policies import written_policy

_USUAL_LEVEL = 0.025
_CONTROLS = ("oracle", "adversarial", "random", "emulated")
"""Rules of allocation that follow what is hidden, or nothing, and no outcome."""
_KNOW_OF_THE_ALLOCATION = ("cmh_by_period", "inverse_probability_weighted", "beta_binomial")


def adaptation_notes(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each design that adapts, or compares several arms, and is tested as if it did not.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    said = list(drifting_allocations(scenario))
    for name, written in _mapping(scenario.get("designs")).items():
        design = _mapping(written)
        yield from _dropped_arms(name, design)
        yield from _moved_allocation(scenario, name, design, said)
        yield from _several_arms(scenario, name, design)
        yield from _chosen_by_another_endpoint(name, design)


def _chosen_by_another_endpoint(name: str, design: Mapping[str, Any]) -> Iterator[str]:
    """Yield that arms are chosen by an endpoint of patients who are still followed for the one that is tested.

    The increments of the score that come later are then not independent of the choice (Bauer and Posch 2004; Jenkins,
    Stone and Jennison 2011).
    """
    chosen = [_mapping(_mapping(rule).get("by")) for rule in _mapping(design.get("selection")).values()]
    endpoint = next((by["endpoint"] for by in chosen if "endpoint" in by), None)
    early = _mapping(_mapping(design.get("reestimation")).get("early_endpoint")).get("endpoint")
    if early is not None and "increments" in _mapping(design.get("stages")):
        yield (
            f"“{name}” sets its number of events by “{early}” of patients who are still followed, and tests increments "
            "that depend on it: its level is not held. Split the stages by patients (stages: {patient_wise: {events: "
            "[...]}})."
        )
    if endpoint is not None and "increments" in _mapping(design.get("stages")):
        yield (
            f"“{name}” chooses arms by “{endpoint}” of patients who are still followed, and tests increments that depend "
            "on that choice: its familywise error is not held. Split the stages by patients (stages: {patient_wise: "
            "{events: [...]}})."
        )


def _dropped_arms(name: str, design: Mapping[str, Any]) -> Iterator[str]:
    """Yield that arms are dropped at a look and those left tested as if they had not been chosen.

    The best of several arms looks better than it is, by chance; a bound of one comparison does not know that it is the
    best of several (Thall, Simon and Ellenberg 1988).
    """
    policy, options = written_policy(_mapping(design.get("policies")).get("stopping"))
    if policy == "drop_arms" and design.get("kind") != "multi_arm_multi_stage":
        look = options.get("look", 1)
        yield (
            f"“{name}” drops arms at look {look} and tests those left by bounds of single comparisons, which "
            "know nothing of the choice: it makes no familywise claim. A selection of kind: multi_arm_multi_stage "
            "accounts for it."
        )


def _moved_allocation(
    scenario: Mapping[str, Any], name: str, design: Mapping[str, Any], said: Sequence[str]
) -> Iterator[str]:
    """Yield that the allocation of a design moves and that its analysis does not know of it.

    Increments are then no longer those of fixed allocation (Jennison and Turnbull 2000, ch. 17), and a drift over time
    looks like an effect (Villar, Bowden and Wason 2018). A fixed design of which ``said`` tells that patients or outcomes
    change over time needs no second sentence.
    """
    policy = written_policy(_mapping(design.get("policies")).get("randomisation"))[0] or "by_design"
    in_stages = design.get("kind") == "group_sequential"
    # A fixed design has one look, so that its weights move at reviews alone.
    reviewed = design.get("kind") == "fixed" and bool(design.get("reviews"))
    told = any(sentence.startswith(f"“{name}” ") for sentence in said)
    if policy == "by_design" or not (in_stages or (reviewed and not told)):
        return
    plain = [
        test
        for test, analysis in _analyses(scenario, design).items()
        if analysis not in _KNOW_OF_THE_ALLOCATION and not analysis.startswith("rerandomised_")
    ]
    if plain:
        quoted = ", ".join(f"“{test}”" for test in plain)
        moves = "moves its allocation" if policy in _CONTROLS else "lets outcomes move its allocation"
        by, hold = ("bounds", "they hold their") if in_stages else ("a test", "it holds its")
        yield (
            f"“{name}” {moves} ({policy}) and tests {quoted} by {by} for a fixed one: {hold} "
            "level roughly at best, and not where outcomes drift over time. Take cmh_by_period or a re-randomisation "
            "test, and see the type I error by simulation."
        )


def _several_arms(scenario: Mapping[str, Any], name: str, design: Mapping[str, Any]) -> Iterator[str]:
    """Yield that several arms are compared, each at a level of its own, and what they may add up to (Bonferroni)."""
    if design.get("kind") not in ("fixed", "group_sequential") or design.get("multiplicity") is not None:
        return
    hypotheses = _mapping(scenario.get("hypotheses"))
    levels: dict[str, float] = {}
    for test, written in _mapping(design.get("tests")).items():
        arms, alpha = _mapping(hypotheses.get(test)).get("arms"), _mapping(written).get("alpha")
        if isinstance(arms, (list, tuple)) and len(arms) == 2 and isinstance(alpha, (int, float)):
            levels[arms[0]] = levels.get(arms[0], 0.0) + alpha
    total = sum(levels.values())
    if len(levels) > 1 and total > _USUAL_LEVEL * (1.0 + 1e-9):
        yield (
            f"“{name}” compares {len(levels)} arms ({', '.join(levels)}) at levels that add up to {total:g}: so large the "
            "chance of any false rejection may be. Divide the level among them, or let the design hold it familywise "
            "(multiplicity, or kind: multi_arm_multi_stage)."
        )


def _analyses(scenario: Mapping[str, Any], design: Mapping[str, Any]) -> dict[str, str]:
    """Return the analysis of each test of a design by name."""
    hypotheses = _mapping(scenario.get("hypotheses"))
    found = {}
    for test in _mapping(design.get("tests")):
        analysis = _mapping(hypotheses.get(test)).get("analysis")
        found[test] = analysis if isinstance(analysis, str) else next(iter(_mapping(analysis)), "")
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
