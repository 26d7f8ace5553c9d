"""What arrives after the look that ended a trial: the analysis of all data, and p values that take it in.

Patients randomised by the decision are followed until they are read out; of a survival endpoint, data are taken up to the
decision. Methods: :mod:`trialsim.stats.inference.overrun`, here for many trials at once and under no effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from trialsim.contracts import Bools, Floats, Ints, Status, TestPlan
from trialsim.engines.points import Chunk, Ends, Point
from trialsim.stats.inference.stagewise import stagewise_p

if TYPE_CHECKING:
    from trialsim.engines.conduct import LookRecord

_OK = int(Status.OK)
_LEAST = 1e-300


@dataclass(frozen=True)
class Overrunning:
    """What trials conclude once everything has arrived, arrays ``[replicate]``; not a number where nothing was analysed.

    Parameters
    ----------
    z
        Statistic of all data.
    added
        Read-outs, or events, that the look which ended the trial did not have.
    deletion, combination
        One-sided p values by the two methods; the stage-wise one where nothing was added.
    """

    z: Floats
    added: Ints
    deletion: Floats
    combination: Floats


def analyse_overrunning(chunk: Chunk, looks: list[LookRecord], ends: Ends) -> Overrunning:
    """Return what the trials of a chunk conclude from all data, once they have ended.

    Parameters
    ----------
    chunk
        Trials that have ended; their only test is analysed anew.
    looks
        Every round of looks.
    ends
        How they ended.
    """
    plan, size = chunk.plan, len(chunk.replicates)
    number, rows = len(plan.looks), np.flatnonzero(ends.look >= 0)
    survival = plan.world.outcomes[plan.primary].kind == "survival"
    information, upper, z = (np.full((size, number), np.nan) for _ in range(3))
    lower, seen = np.full((size, number), -np.inf), np.zeros(size, dtype=np.int64)
    usable = np.ones(size, dtype=bool)
    for look in looks:
        at = (look.point.rows, look.point.number)
        counts = look.counts.events if survival else look.counts.readouts
        information[at] = _information(plan.tests[0], look.information[:, 0], counts, survival)
        upper[at], z[at] = look.efficacy_z[:, 0], look.z[:, 0]
        if plan.futility_binding:
            lower[at] = look.futility_z[:, 0]
        seen[look.point.rows] = counts.sum(axis=1)
        usable[look.point.rows] &= look.status[:, 0] == _OK
    ticks = np.where(survival, ends.tick, np.maximum(ends.last_visit, ends.tick))
    chunk.follow_up(ticks)
    point = Point("look", rows, ends.look[rows], ticks[rows])
    found = plan.tests[0].analysis.estimate(
        chunk.cut(point, 0), plan.tests[0].lower_is_better, plan.tests[0].options
    )
    after = chunk.counts(rows, ticks[rows])
    counts = after.events if survival else after.readouts
    whole = np.full(size, np.nan)
    whole[rows] = _information(plan.tests[0], found.information, counts, survival)
    final = np.full(size, np.nan)
    final[rows] = np.where(found.status == _OK, found.z, np.nan)
    added = np.zeros(size, dtype=np.int64)
    added[rows] = counts.sum(axis=1) - seen[rows]
    usable &= (ends.look >= 0) & np.isfinite(final)
    deletion, combination = _p_values(information, lower, upper, z, ends.look, whole, final, usable)
    return Overrunning(final, added, deletion, combination)


def _information(test: TestPlan, information: Floats, counts: Ints, survival: bool) -> Floats:
    """Return the information of some analyses: n_c n_t / (n_c + n_t) of read-outs, otherwise that of the analysis."""
    if survival:
        return information
    control, treated = counts[:, test.control], counts[:, test.treatment]
    return np.asarray(control * treated / np.maximum(control + treated, 1))


def _p_values(
    information: Floats, lower: Floats, upper: Floats, z: Floats, looks: Ints, whole: Floats, final: Floats,
    usable: Bools,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the p values of both methods; trials that ended at one look are worked out together."""
    deletion, combination = np.full(len(looks), np.nan), np.full(len(looks), np.nan)
    for look in np.unique(looks[usable]):
        rows = np.flatnonzero(usable & (looks == look))
        seen, last = information[rows, : look + 1], information[rows, look]
        rises = (np.diff(seen, prepend=0.0, axis=1) > 0.0).all(axis=1)
        rows, seen, last = rows[rises], seen[rises], last[rises]
        if not len(rows):
            continue
        bounds = (lower[rows, : look + 1], upper[rows, : look + 1])
        at = np.full(len(rows), look)
        stopped = stagewise_p(seen, *bounds, at, z[rows, look])
        more = whole[rows] > last * (1.0 + 1e-12)
        everything = seen.copy()
        everything[:, look] = np.where(more, whole[rows], last)
        deletion[rows] = np.where(more, stagewise_p(everything, *bounds, at, final[rows]), stopped)
        share = np.where(more, last / np.where(more, whole[rows], 1.0), 1.0)
        score = final[rows] * np.sqrt(whole[rows]) - z[rows, look] * np.sqrt(last)
        later = np.where(more, score / np.sqrt(np.where(more, whole[rows] - last, 1.0)), 0.0)
        deviate = -ndtri(np.clip(stopped, _LEAST, 1.0 - 1e-16))
        weighted = ndtr(-(np.sqrt(share) * deviate + np.sqrt(1.0 - share) * later))
        combination[rows] = np.where(more, weighted, stopped)
    return deletion, combination
