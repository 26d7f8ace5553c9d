"""Parameters of the policies that stop trials, and whether they fit a design."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from trialsim.scenario.values import Model, NumberAtom, Probability, WordAtom

CONTROLS = ("oracle", "adversarial", "random", "emulated")
"""Policies of stopping that give tests up by the truth or by chance."""

_Look = Annotated[int, NumberAtom(least=1, most=50, whole=True)]
_StopWhen = Annotated[str, WordAtom(("all", "any"))]
_Futility = Annotated[str, WordAtom(("follow", "ignore"))]


class Bounds(Model):
    """Stop as the bounds of the design say."""

    stop_when: _StopWhen = "all"
    futility: _Futility = "follow"


class DropArms(Model):
    """Keep the best experimental arms at one look and drop the others; bounds decide for what is left."""

    look: _Look = 1
    keep: Annotated[int, NumberAtom(least=1, most=19, whole=True)] = 1
    stop_when: _StopWhen = "all"
    futility: _Futility = "follow"


class StoppingControl(Model):
    """Give tests up at one look by what only nature knows; efficacy bounds decide for what is left."""

    look: _Look = 1
    stop_when: _StopWhen = "all"


class RandomStopping(StoppingControl):
    """Give tests up at one look by chance."""

    share: Probability = 0.5


class EmulatedStopping(StoppingControl):
    """Give tests up at one look by a score of a chosen area under the curve."""

    auc: Annotated[float, NumberAtom(least=0.001, most=0.999)]


def stopping_policy_findings(
    name: str, parameters: Mapping[str, Any], looks: int
) -> Iterator[tuple[str, str]]:
    """Yield the key and the sentence of what does not fit a design of so many looks.

    Parameters
    ----------
    name, parameters
        The policy.
    looks
        How many the design has.
    """
    if name in ("drop_arms", *CONTROLS) and parameters["look"] >= looks:
        what = "arms are dropped" if name == "drop_arms" else "tests are given up"
        yield (
            "look",
            f"look {parameters['look']} is not before the last of {looks} looks; {what} at an interim",
        )


def learned_stopping_sentences(kind: str, tests: int, stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the key and the sentence of what does not fit a design whose bounds are those of a checkpoint.

    Parameters
    ----------
    kind
        Of the design.
    tests
        How many it has.
    stated
        Its bounds and families of bounds by key, None where it states none.
    """
    if kind != "group_sequential":
        yield "kind", "learned bounds are those of a group sequential design; use kind: group_sequential"
    if tests != 1:
        yield "tests", f"learned bounds are for one test, and this design has {tests}"
    for key, value in stated.items():
        if value not in (None, False):
            yield key, "the bounds are those of the checkpoint of policies.stopping.learned; leave it out"
