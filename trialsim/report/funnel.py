"""From first contact to the deciding analysis: how many are left at each step, and why the others are not.

Candidates are counted once each, with what became of them last; how many came again after a failed screening is told apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records
from trialsim.oc.missing import MISSING, in_arms, reasons_of
from trialsim.oc.montecarlo import MonteCarlo, mean
from trialsim.oc.recruitment import columns_by_name
from trialsim.oc.rejections import Flags, failed_replicates
from trialsim.oc.sizes import counts_events, succeeded
from trialsim.report.missing_table import IN_WORDS

Values = NDArray[np.float64]

RANDOMISED = "randomised"
AGAIN = {
    "rescreened": "came again after a failed screening",
    "rescreenings": "times that they came again",
    "rescreened_randomised": "of them randomised",
}
"""What is told of those who came again, by the name of the measure."""
KNOWN = "known at the last look"
"""The last step; how many of them a hypothesis' strategy takes, and who else, is told trial by trial."""


@dataclass(frozen=True)
class Step:
    """One bar: who is left, and for what reasons the others of the bar before are not.

    Parameters
    ----------
    name
        Of the step.
    left
        How many are left, over the trials.
    losses
        Reasons with their numbers; only those that occur.
    """

    name: str
    left: MonteCarlo
    losses: tuple[tuple[str, MonteCarlo], ...]


@dataclass(frozen=True)
class Count:
    """The numbers behind one step, in the order of the trials, failed ones too.

    Parameters
    ----------
    name
        Of the step.
    left
        How many are left in each trial.
    losses
        How many are not, by reason; in every trial they and those left add up to the step before.
    """

    name: str
    left: Values
    losses: tuple[tuple[str, Values], ...]


def funnel(records: Records, cell: Cell) -> tuple[Step, ...]:
    """Return the steps of one cell; failed replicates are left out.

    What is left of a step and its losses add up to the step before. There are none in a world without sites, where every
    replicate failed, or in runs of an earlier version that did not count candidates once.

    Parameters
    ----------
    records, cell
        Which trials.
    """
    failed = failed_replicates(records, cell)
    found = []
    for step in counts_of_steps(records, cell):
        here = _over_trials(step.left, failed)
        if here is None:
            return ()
        lost = [(why, _over_trials(values, failed)) for why, values in step.losses if np.any(values != 0)]
        found.append(Step(step.name, here, tuple((why, value) for why, value in lost if value is not None)))
    return tuple(found)


def came_again(records: Records, cell: Cell) -> tuple[tuple[str, MonteCarlo], ...]:
    """Return how many candidates came again after a failed screening, and what became of them; nothing where none did.

    Parameters
    ----------
    records, cell
        Which trials.
    """
    if "rescreened" not in records.columns("trials"):
        return ()
    if not records.numbers("trials", "rescreened", cell).any():
        return ()
    failed = failed_replicates(records, cell)
    found = (
        (words, _over_trials(records.numbers("trials", name, cell), failed)) for name, words in AGAIN.items()
    )
    return tuple((words, value) for words, value in found if value is not None)


def counts_of_steps(records: Records, cell: Cell) -> tuple[Count, ...]:
    """Return what is left at each step and what is not, trial by trial, in whole numbers.

    Parameters
    ----------
    records, cell
        Which trials.
    """
    if "consented" not in records.columns("trials"):
        return ()

    def column(name: str) -> Values:
        return np.asarray(records.numbers("trials", name, cell), dtype=np.float64)

    came, unfit, consented = column("candidates"), column("prescreen_failures"), column("consented")
    refused_again, withdrew_again = column("refusals_again"), column("withdrawals_again")
    refused, withdrew = column("refusals") - refused_again, column("withdrawals") - withdrew_again
    randomised, known, overrun = column("enrolled"), column("analysed"), column("overrun")
    # Without a look that decides, whoever is not known at the last look taken may have been read out since.
    undecided = records.numbers("trials", "stop_look", cell) == 0
    unknown = randomised - known - overrun
    missing = _missing(records, cell, undecided)
    by_reason = columns_by_name(records, cell, "screening", "reason", ("screened_out",))
    out = tuple(
        (f"failed: {reason}", np.asarray(values["screened_out"], dtype=np.float64))
        for reason, values in by_reason.items()
    )
    # Whoever passed on and is accounted for by nothing else was on the way when a site, enrolment or the trial closed.
    asked = came - unfit - consented - refused - withdrew
    under_way = consented - randomised - refused_again - withdrew_again - sum(values for _, values in out)
    return (
        Count("candidates", came, ()),
        Count("records passed", came - unfit, (("records did not pass", unfit),)),
        Count(
            "consented",
            consented,
            (
                ("refused", refused),
                ("withdrew while waiting", withdrew),
                ("waiting or asked at a closure", asked),
            ),
        ),
        Count(
            RANDOMISED,
            randomised,
            (
                *out,
                ("refused on coming again", refused_again),
                ("withdrew while waiting again", withdrew_again),
                ("under way at a closure", under_way),
            ),
        ),
        Count(
            KNOWN,
            known,
            (
                ("randomised after the deciding cut", overrun),
                *missing,
                (
                    "not read out by the deciding cut",
                    np.where(undecided, 0.0, unknown - sum(values for _, values in missing)),
                ),
                ("not known at a look: the trial ended at its horizon", np.where(undecided, unknown, 0.0)),
            ),
        ),
    )


def _missing(records: Records, cell: Cell, undecided: Flags) -> list[tuple[str, Values]]:
    """Return who will never be read out at the deciding cut, by reason; of events everybody is analysed."""
    if counts_events(records, [cell]):
        return []
    found = []
    for reason in reasons_of(records):
        total = in_arms(records, cell, None, [f"{MISSING}{reason}"])[None]
        found.append((f"missing: {IN_WORDS[reason]}", np.where(undecided, 0.0, total)))
    return found


def _over_trials(values: Values, failed: Flags | None) -> MonteCarlo | None:
    return mean(succeeded(values, failed))
