"""Files of learned policies: there, beside the scenario, and the ones that are pinned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.checkpoint_heads import head_of, kind_of_model, misfits
from trialsim.scenario.inner_policies import inner_policies
from trialsim.scenario.resolve import inside
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import shown


def checkpoint_problems(scenario: Scenario) -> list[Problem]:
    """Return what is wrong with the checkpoints that a scenario's designs name; nothing where it has no folder.

    Parameters
    ----------
    scenario
        A scenario that is otherwise in order.
    """
    if scenario.folder is None:
        return []
    problems = []
    for design, stated in scenario.designs.items():
        for slot, (name, parameters) in stated.policies.items():
            place = f"designs.{design}.policies.{slot}"
            problems += list(_problems(place, slot, name, parameters, scenario))
    return problems


def checkpoints_of(scenario: Scenario, designs: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the files of learned policies that a scenario's designs name, beside its own.

    Parameters
    ----------
    scenario
        A loaded scenario.
    designs
        Names of the designs; by default all.
    """
    chosen = scenario.designs if designs is None else designs
    files = (
        file
        for design in chosen
        for _, parameters in scenario.designs[design].policies.values()
        for file in files_of(parameters)
    )
    return tuple(dict.fromkeys(files))


def files_of(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield a policy's checkpoint and those of policies inside it.

    Parameters
    ----------
    parameters
        Of the policy.
    """
    if parameters.get("checkpoint"):
        yield str(parameters["checkpoint"])
    for _, _, own in inner_policies(parameters):
        yield from files_of(own)


def _problems(
    place: str, slot: str, name: str, parameters: Mapping[str, Any], scenario: Scenario
) -> Iterator[Problem]:
    """Yield what is wrong with a policy's checkpoint, and with those of policies inside it."""
    here = f"{place}.{name}"
    if parameters.get("checkpoint"):
        yield from _of_a_file(here, slot, name, parameters, scenario)
    for key, inner, own in inner_policies(parameters):
        yield from _problems(f"{here}.{key}", slot, inner, own, scenario)


def _of_a_file(
    here: str, slot: str, name: str, parameters: Mapping[str, Any], scenario: Scenario
) -> Iterator[Problem]:
    """Yield that a checkpoint is not there, is another one than that pinned, or cannot serve this policy here."""
    file = shown(parameters["checkpoint"])
    assert scenario.folder is not None
    try:
        content = inside(scenario.folder, parameters["checkpoint"], f"{here}.checkpoint").read_bytes()
    except ScenarioError as error:
        yield from error.problems
        return
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        yield Problem(f"{here}.checkpoint", f"{file} cannot be read ({why}); `trialsim train` writes one")
        return
    found = hashlib.sha256(content).hexdigest()
    if found != parameters.get("digest"):
        yield Problem(f"{here}.digest", f"{file} has the digest {found}: it is another model")
        return
    kind = kind_of_model(slot, name)
    if kind is None:
        return
    about = head_of(content)
    if about is None:
        yield Problem(
            f"{here}.checkpoint",
            f"{file} is no checkpoint of trialsim, or not whole; `trialsim train` writes one",
        )
        return
    for why in misfits(about, kind, scenario):
        yield Problem(f"{here}.checkpoint", f"{file} {why}")
