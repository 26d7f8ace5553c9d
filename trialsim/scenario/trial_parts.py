"""As much of hypotheses and designs as could be read, for the rules across them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trialsim.scenario.design import Design
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.rules_world import WorldParts

Place = tuple[str | int, ...]
"""A place in the models."""


@dataclass(frozen=True)
class TrialParts:
    """Those hypotheses and designs that could be read, and the names that stand in the file.

    Parameters
    ----------
    world
        What could be read of the world.
    hypotheses, designs
        What could be read.
    endpoint_names, hypothesis_names
        All names in the file, those of unreadable parts included.
    """

    world: WorldParts
    hypotheses: Mapping[str, Hypothesis]
    designs: Mapping[str, Design]
    endpoint_names: Sequence[str]
    hypothesis_names: Sequence[str]


def arms_of(design: Design, parts: TrialParts) -> tuple[str, ...]:
    """Return the arms of a design, all of the scenario where it names none."""
    return design.arms or parts.world.arms or ()
