"""Patients of each single site: mean and percentiles over the trials of a run, when it opens, how often it has none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records
from trialsim.oc.montecarlo import Counted, MonteCarlo, mean, quantiles

_PROBABILITIES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class SiteEnrolment:
    """What the trials of one cell had at one site.

    Parameters
    ----------
    site
        Its name.
    candidates, randomised
        Means with their Monte Carlo errors.
    p10, median, p90
        Percentiles of the number randomised, with errors by rank.
    opened_days
        Mean time of opening in days from the opening of the first site, over the trials in which it opened; None where it
        never did.
    opened
        In how many trials it opened.
    without_patients
        In how many trials it opened and randomised nobody.
    """

    site: str
    candidates: MonteCarlo
    randomised: MonteCarlo
    p10: MonteCarlo
    median: MonteCarlo
    p90: MonteCarlo
    opened_days: MonteCarlo | None
    opened: int
    without_patients: int


def site_enrolment(records: Records, cell: Cell) -> tuple[SiteEnrolment, ...]:
    """Return the sites of a cell in the order of the scenario; none in a world without sites.

    Parameters
    ----------
    records, cell
        Which trials; all of them, those in which a test could not be computed too.
    """
    if not records.columns("sites"):
        return ()
    names = records.categories("sites", "site", cell)
    trials = records.numbers("trials", "replicate", cell)
    if not trials.size:
        return ()
    place = np.argsort(np.argsort(trials, kind="stable"), kind="stable")
    rows = np.lexsort((records.numbers("sites", "replicate", cell), names.codes)).reshape(-1, trials.size)[
        :, place
    ]

    def of(column: str) -> NDArray[np.float64]:
        return np.asarray(records.numbers("sites", column, cell)[rows], dtype=np.float64)

    came, got, opened = of("candidates"), of("randomised"), of("opened_time")
    return tuple(
        _site(names.names[int(names.codes[rows[s, 0]])], came[s], got[s], opened[s]) for s in range(len(rows))
    )


def _site(
    name: str, came: NDArray[np.float64], got: NDArray[np.float64], opened: NDArray[np.float64]
) -> SiteEnrolment:
    """Return what the trials had at one site, arrays ``[trial]``."""
    p10, median, p90 = quantiles(Counted(np.bincount(got.astype(np.int64)), 0), _PROBABILITIES)
    candidates, randomised = mean(came), mean(got)
    assert candidates is not None and randomised is not None
    opens = np.isfinite(opened)
    none = int(np.sum(opens & (got == 0)))
    return SiteEnrolment(
        name, candidates, randomised, p10, median, p90, mean(opened[opens]), int(opens.sum()), none
    )
