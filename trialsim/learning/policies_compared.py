"""Policies of any slot against each other: the same design, the same patients, one policy replaced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trialsim.errors import Problem, ScenarioError
from trialsim.learning.trial_measures import trial_measures
from trialsim.oc.in_memory import collect
from trialsim.oc.policies_compared import PolicyCompared
from trialsim.oc.rankings import difference, estimated
from trialsim.scenario.checkpoints import checkpoint_problems
from trialsim.scenario.inner_policies import recommending
from trialsim.scenario.schema import Scenario
from trialsim.scenario.sentences import problems_from
from trialsim.scenario.validate import parts_of, rule_problems

Policy = Mapping[str, Mapping[str, Any]]


def compare_policies(
    scenario: Scenario, truth: str, replicates: int, seed: int, workers: int = 1
) -> list[PolicyCompared]:
    """Return what each design of a scenario brings, and by how much it differs from the first, replicate by replicate.

    Parameters
    ----------
    scenario
        As :func:`with_policies` gives it: a design for each policy.
    truth
        Which of its truths.
    replicates, seed, workers
        Trials of each policy, the seed of all, and processes.
    """
    labels = list(scenario.designs)
    found = collect(scenario, labels, [truth], replicates, seed, "fast", workers)
    values = {label: trial_measures(found, label) for label in labels}
    first = values[labels[0]]
    shared = [name for name in first if all(name in each for each in values.values())]
    return [
        PolicyCompared(
            label,
            tuple(estimated(name, values[label][name]) for name in shared),
            tuple(difference(name, values[label][name], first[name]) for name in shared),
        )
        for label in labels
    ]


def with_policies(
    scenario: Scenario, design: str, slot: str, policies: Mapping[str, Policy], folder: Path | None
) -> Scenario:
    """Return a scenario with one design for each policy, alike in all else.

    Parameters
    ----------
    scenario
        The world and the designs.
    design
        Whose policy is replaced.
    slot
        ``sites``, ``randomisation``, ``monitoring`` or ``stopping``.
    policies
        ``{name: parameters}`` of each policy, by label.
    folder
        Where checkpoints lie; by default the scenario's.

    Raises
    ------
    ScenarioError
        With every problem of the designs that come of it.
    """
    tree = scenario.dump()
    base = tree["designs"][design]
    tree["designs"] = {label: _replaced(base, slot, policy) for label, policy in policies.items()}
    keys: dict[int, tuple[str, ...]] = {}
    try:
        read = Scenario.model_validate(tree, context=keys)
    except ValidationError as error:
        raise ScenarioError(_briefly(problems_from(error, tree, keys))) from None
    derived = read.located(folder or scenario.folder, scenario.table)
    problems = [*rule_problems(parts_of(derived), tree), *checkpoint_problems(derived)]
    if problems:
        raise ScenarioError(_briefly(problems))
    return derived


def _replaced(base: Mapping[str, Any], slot: str, policy: Policy) -> dict[str, Any]:
    """Return a design as it is written with another policy in one slot."""
    changed = dict(base) | {"policies": dict(base["policies"]) | {slot: dict(policy)}}
    ((name, parameters),) = policy.items()
    if slot == "stopping" and recommending((name, parameters or {}))[0] == "learned":
        changed.pop("bounds", None)  # those of the checkpoint are in force
    return changed


def _briefly(problems: list[Problem]) -> list[Problem]:
    """Return problems at paths that begin with the policy, once each: no file holds these designs."""
    return list(dict.fromkeys(Problem(each.path.removeprefix("designs."), each.message) for each in problems))
