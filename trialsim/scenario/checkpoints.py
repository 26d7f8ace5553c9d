"""Files of learned policies: there, beside the scenario, and the ones that are pinned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trialsim.errors import Problem, ScenarioError
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
            place = f"designs.{design}.policies.{slot}.{name}"
            problems += list(_problems(place, parameters, scenario.folder))
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
        for file in _files(parameters)
    )
    return tuple(dict.fromkeys(files))


def _files(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield a policy's checkpoint and those of rankings inside it."""
    if parameters.get("checkpoint"):
        yield str(parameters["checkpoint"])
    for inner in (parameters.get("ranking") or {}).values():
        yield from _files(inner or {})


def _problems(place: str, parameters: Mapping[str, Any], folder: Path) -> Iterator[Problem]:
    """Yield what is wrong with a policy's checkpoint, and with those of rankings inside it."""
    if "checkpoint" in parameters:
        at = f"{place}.checkpoint"
        try:
            path = inside(folder, parameters["checkpoint"], at)
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except ScenarioError as error:
            yield from error.problems
        except OSError as error:
            why = (error.strerror or type(error).__name__).lower()
            yield Problem(
                at, f"{shown(parameters['checkpoint'])} cannot be read ({why}); `trialsim train` writes one"
            )
        else:
            if found != parameters.get("digest"):
                yield Problem(
                    f"{place}.digest",
                    f"{shown(parameters['checkpoint'])} has the digest {found}: it is another model",
                )
    for name, inner in (parameters.get("ranking") or {}).items():
        yield from _problems(f"{place}.ranking.{name}", inner, folder)
