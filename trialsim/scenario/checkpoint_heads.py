"""What the head of a checkpoint says: whether the file is whole, of which kind its model is, and what it was trained on.

Read from the bytes, in the safetensors format: eight bytes with the length of the head, the head as JSON, the arrays. So a
scenario with a model that cannot serve it is refused where it is read, with nothing but the standard library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.schema import Scenario

_LENGTH = 8
_KINDS = {
    "recruitment.logistic": "logistic",
    "recruitment.gradient_boosting": "gradient_boosting",
    "recruitment.mlp": "mlp",
    "recruitment.relearned": "logistic",
    "sites.learned": "sites",
    "randomisation.learned": "allocation",
    "stopping.learned": "stopping",
}


def kind_of_model(slot: str, name: str) -> str | None:
    """Return the kind of model that a policy takes; None of those of other packages, whose files are their own.

    Parameters
    ----------
    slot, name
        Of the policy, as ``recruitment`` and ``mlp``.
    """
    return _KINDS.get(f"{slot}.{name}")


def policy_of_model(kind: str) -> tuple[str, str] | None:
    """Return slot and name of the first policy that takes a kind of model; None where none does.

    Parameters
    ----------
    kind
        As a checkpoint's head says.
    """
    for policy, taken in _KINDS.items():
        if taken == kind:
            slot, _, name = policy.partition(".")
            return slot, name
    return None


def head_of(content: bytes) -> Mapping[str, Any] | None:
    """Return what a checkpoint says of its model; None where it is none, or not whole.

    Parameters
    ----------
    content
        All bytes of the file.
    """
    length = int.from_bytes(content[:_LENGTH], "little")
    try:
        head = json.loads(content[_LENGTH : _LENGTH + length])
        about = json.loads(head.pop("__metadata__")["trialsim"])
        ends = [each["data_offsets"][1] for each in head.values()]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None
    whole = _LENGTH + length + max(ends, default=0) == len(content)
    return about if whole and isinstance(about, Mapping) else None


def misfits(about: Mapping[str, Any], kind: str, scenario: Scenario) -> Iterator[str]:
    """Yield why a model cannot serve a scenario.

    Parameters
    ----------
    about
        What its file says of it.
    kind
        Kind of model that the policy takes.
    scenario
        Whose patients it is to be asked about; nothing is said of those of a table, which are known once it is read.
    """
    if about.get("kind") != kind:
        yield f"holds a model of kind {about.get('kind')}; {kind} is expected"
        return
    encoding, population = about.get("encoding"), scenario.population
    if not isinstance(encoding, Mapping) or population.resample is not None:
        return
    for name, own in zip(encoding.get("names", ()), encoding.get("levels", ()), strict=False):
        if name not in population.marginals:
            yield (
                f"was trained on the covariate '{name}', which the scenario does not have; it has "
                f"{', '.join(population.marginals) or 'none'}. Train it on this scenario, or add the covariate."
            )
            continue
        levels = list(population.marginals[name].categorical or ())
        if levels != list(own):
            found = ", ".join(levels) or "a number"
            yield f"was trained on '{name}' as {', '.join(own) or 'a number'}; the scenario has {found}"
