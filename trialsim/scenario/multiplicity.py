"""How the tests of a fixed design share one level: a procedure that holds it familywise."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trialsim.scenario.multi_arm import OneOf
from trialsim.scenario.values import Model, Name, NumberAtom

_Share = Annotated[float, NumberAtom(least=0, most=1)]
_Shares = Annotated[dict[Name, _Share], Field(min_length=1, max_length=50)]


class Procedure(Model):
    """A procedure without parameters."""


class Graph(Model):
    """Shares of the level, and where a rejected hypothesis passes its own."""

    weights: _Shares
    transitions: Annotated[dict[Name, _Shares], Field(max_length=50)] = {}


class Multiplicity(OneOf):
    """The procedure by which several hypotheses are tested at one familywise level."""

    bonferroni: Procedure | None = None
    holm: Procedure | None = None
    hochberg: Procedure | None = None
    hommel: Procedure | None = None
    fixed_sequence: Procedure | None = None
    graph: Graph | None = None
