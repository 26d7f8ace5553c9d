"""From first contact to the deciding analysis: how many are left at each step, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records
from trialsim.oc.montecarlo import MonteCarlo, mean
from trialsim.oc.rejections import Flags, failed_replicates
from trialsim.oc.sizes import succeeded

Values = NDArray[np.float64]

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
    gains
        The same of those who come again.
    """

    name: str
    left: MonteCarlo
    losses: tuple[tuple[str, MonteCarlo], ...]
    gains: tuple[tuple[str, MonteCarlo], ...] = ()


def funnel(records: Records, cell: Cell, rescreening: bool = False) -> tuple[Step, ...]:
    """Return the steps of one cell; none in a world without sites, or where every replicate failed.

    What is left of a step and its losses, less its gains, add up to the step before. Failed replicates are left out.

    Parameters
    ----------
    records, cell
        Which trials.
    rescreening
        Whether the scenario lets candidates come again; found out from the trials too.
    """
    if not records.columns("sites"):
        return ()
    failed = failed_replicates(records, cell)

    def column(name: str) -> Values:
        return np.asarray(records.numbers("trials", name, cell), dtype=np.float64)

    came, unfit, screened = column("candidates"), column("prescreen_failures"), column("screened")
    refused, withdrew, failures = column("refusals"), column("withdrawals"), column("screen_failures")
    randomised, known, overrun = column("enrolled"), column("analysed"), column("overrun")
    # Without a look that decides, whoever is not known at the last look taken may have been read out since.
    undecided = records.numbers("trials", "stop_look", cell) == 0
    unknown = randomised - known - overrun
    fit, unfailed = came - unfit, screened - failures
    again = rescreening or _come_again(records, cell)
    # Whoever neither refused, withdrew nor was screened still waited. Those who come again were screened twice: where
    # some do, only the difference of the two can be told.
    waiting = fit - refused - withdrew - screened
    more_again = again and float(np.sum(waiting)) < 0.0
    still = "waiting at a closure"
    name = f"{still}, less who came again" if again else still
    called = [("refused", refused), ("withdrew while waiting", withdrew)]
    called += [] if more_again else [(name, waiting)]
    steps: list[tuple[str, Values, list[tuple[str, Values]]]] = [
        ("candidates", came, []),
        ("records passed", fit, [("records did not pass", unfit)]),
        ("consented", screened, called),
        ("did not fail screening", unfailed, list(_reasons(records, cell))),
        ("randomised", randomised, [("released or under way at the end", unfailed - randomised)]),
        (
            KNOWN,
            known,
            [
                ("randomised after the deciding cut", overrun),
                ("not read out by the deciding cut", np.where(undecided, 0.0, unknown)),
                ("not known at a look: the trial ended at its horizon", np.where(undecided, unknown, 0.0)),
            ],
        ),
    ]
    found = []
    for title, left, losses in steps:
        here = _over_trials(left, failed)
        if here is None:
            return ()
        lost = [(why, _over_trials(values, failed)) for why, values in losses if np.any(values != 0)]
        found.append(Step(title, here, tuple((why, value) for why, value in lost if value is not None)))
    if more_again and (gained := _over_trials(-waiting, failed)) is not None:
        found[2] = replace(found[2], gains=((f"came again, less those {still}", gained),))
    return tuple(found)


def _over_trials(values: Values, failed: Flags | None) -> MonteCarlo | None:
    return mean(succeeded(values, failed))


def _reasons(records: Records, cell: Cell) -> Iterator[tuple[str, Values]]:
    """Yield screening failures by reason, in the order of the trials."""
    names = records.categories("screening", "reason", cell)
    failures = records.numbers("screening", "failures", cell)
    rows = records.numbers("screening", "replicate", cell)
    replicates = records.numbers("trials", "replicate", cell)
    place = np.argsort(np.argsort(replicates, kind="stable"), kind="stable")
    for name in names.present():
        here = np.flatnonzero(names.equal(name))
        here = here[np.argsort(rows[here], kind="stable")][place]
        yield f"failed: {name}", failures[here].astype(np.float64)


def _come_again(records: Records, cell: Cell) -> bool:
    """Return whether any candidate came again: more passed on than there were people who could."""
    parts = ("refusals", "withdrawals", "released", "enrolled", "screen_failures")
    fit = records.numbers("trials", "candidates", cell) - records.numbers(
        "trials", "prescreen_failures", cell
    )
    told = np.sum([records.numbers("trials", name, cell) for name in parts], axis=0)
    return bool((told > fit).any())
