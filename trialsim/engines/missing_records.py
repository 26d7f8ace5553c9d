"""Outcomes of the primary endpoint that are missing at a cut: for which reasons, in both engines and in the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints
from trialsim.engines.world import World

LOST, WITHDRAWN, DIED, VISITS_MISSED = range(4)
REASONS = ("lost", "withdrawn", "died", "visits_missed")


@dataclass(frozen=True)
class MissingOutcomes:
    """Counts by arm of patients randomised by a cut.

    Parameters
    ----------
    missing
        Patients whose outcome is not known at the cut and cannot become known, by reason, ``[replicate, arm, reason]``.
    due
        Patients whose outcome was to be known by the cut, and is or never will be, ``[replicate, arm]``.
    due_missing
        Those of them whose outcome is missing, ``[replicate, arm]``.
    """

    missing: Ints
    due: Ints
    due_missing: Ints


def reasons_in(world: World) -> tuple[int, ...]:
    """Return for which reasons an outcome can be missing in a world."""
    life = world.life
    if life is None:
        return () if world.dropout is None else (LOST,)
    numbers = life.numbers
    loss = len(numbers.survival.endpoints)
    possible = {
        LOST: numbers.clock.present[loss],
        WITHDRAWN: numbers.clock.present[loss + 1],
        DIED: numbers.survival.terminal >= 0,
        VISITS_MISSED: numbers.reading.at_visit.any(),
    }
    return tuple(reason for reason, can_be in possible.items() if can_be)


def missing_columns(reasons: tuple[int, ...], found: MissingOutcomes) -> dict[str, NDArray[Any]]:
    """Return counts as columns of the table of arms, in order of replicate and arm."""
    columns = {f"missing:{REASONS[reason]}": found.missing[:, :, reason] for reason in reasons}
    columns |= {"outcomes_due": found.due, "due_missing": found.due_missing}
    return {name: counts.ravel().astype(np.int32) for name, counts in columns.items()}
