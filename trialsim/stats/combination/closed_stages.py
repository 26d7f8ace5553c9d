"""A closed combination test as it goes: each stage adds its statistics, each intersection keeps what it has.

Bauer and Kieser (1999); Hommel (2001); Bretz et al. (2006, Biom. J. 48, 623-634). Arms may be chosen between stages: an
intersection is tested at each stage by the arms it holds that are still there. An intersection that was rejected at one
look stays rejected; an arm is shown where every intersection that holds it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

from trialsim.compiled import kernel
from trialsim.elementary import lowest_one
from trialsim.stats.multiplicity.dunnett import control_loadings
from trialsim.stats.multiplicity.largest import (
    FIRST_TABLED,
    LAST_TABLED,
    LEAST,
    deviate_from_pieces,
    deviate_pieces,
    largest_deviates,
    largest_deviates_alike,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

OPEN, REJECTED, RETAINED = np.int8(0), np.int8(1), np.int8(2)


@dataclass(frozen=True)
class ClosedPlan:
    """What a closed combination test fixes in advance.

    Parameters
    ----------
    weights
        Of the stages, ``sqrt(t_k - t_(k-1))``, ``[stage]``; without effect on products. Where stages are tested in parts,
        of these: see :mod:`trialsim.stats.combination.cohort_parts`.
    efficacy
        Bounds by look, or part: on the combined statistic, or on the deviate of the product, ``-Phi^-1(product)``.
    ratio
        Planned shares of control and of the arms, ``[1 + arm]``.
    intersection_test
        ``dunnett``, ``simes`` or ``bonferroni``.
    products
        Whether stages are combined by Fisher's product instead of the inverse normal.
    futility_p
        Fisher: p value of a stage above which an intersection is retained for good. (Under the inverse normal one of 1 is.)
    """

    weights: Floats
    efficacy: Floats
    ratio: tuple[float, ...]
    intersection_test: str
    products: bool = False
    futility_p: float = 1.0

    @property
    def arms(self) -> int:
        """Number of arms compared with control."""
        return len(self.ratio) - 1


@dataclass(frozen=True)
class Found:
    """What a look says of the arms, each ``[arm, trial]``.

    Parameters
    ----------
    closed
        Smallest combined statistic of the intersections that hold an arm and were not rejected before: the arm is shown
        where it reaches the look's bound.
    own
        Combined statistic of the arm alone.
    lost
        Whether an intersection that holds the arm was retained for good.
    """

    closed: Floats
    own: Floats
    lost: Bools


class ClosedStages:
    """The intersections of some trials, from stage to stage.

    Parameters
    ----------
    plan
        What is fixed in advance.
    trials
        How many trials.
    """

    def __init__(self, plan: ClosedPlan, trials: int) -> None:
        self._plan = plan
        count = 2**plan.arms - 1
        self._sums = np.zeros((count, trials))
        self._fate = np.full((count, trials), OPEN)
        self._norm = np.sqrt(np.cumsum(plan.weights**2))

    def add(self, rows: Ints, look: Ints, z: Floats, there: Bools, n: Ints | None) -> Found:
        """Add a stage and return what is known then.

        Parameters
        ----------
        rows
            Which trials, ``[trial]``.
        look
            Number of the look of each, from 0.
        z
            Statistics of the stage's own data, ``[arm, trial]``; NaN where there is none, which counts as p = 1.
        there
            Which arms the stage has.
        n
            Its patients on control and in the arms, ``[1 + arm, trial]``; None where they are as planned.
        """
        plan = self._plan
        if (as_planned := self._add_as_planned(rows, look, z, there, n)) is not None:
            return as_planned
        whole = len(rows) == self._sums.shape[1]
        at = slice(None) if whole else rows
        deviates = stage_deviates(plan, np.where(np.isnan(z), LEAST, z), there, n)
        before = self._fate[:, at]
        if plan.products:
            sums = self._sums[:, at] + log_ndtr(-deviates)
            combined = np.maximum(-ndtri_exp(sums), LEAST)
        else:
            sums = self._sums[:, at] + plan.weights[look] * deviates
            combined = sums / self._norm[look]
        if plan.products:
            retained = ndtr(-deviates) > plan.futility_p
        else:
            retained = deviates <= LEAST  # no later stage outweighs a p value of 1
        self._sums[:, at] = sums
        fate, found = np.empty_like(before), np.empty((plan.arms, len(look)))
        lost = np.empty(found.shape, dtype=bool)
        _weigh_intersections(combined, retained, plan.efficacy, look, before, fate, found, lost)
        self._fate[:, at] = fate
        return Found(found, combined[[2**arm - 1 for arm in range(plan.arms)]], lost)

    def _add_as_planned(
        self, rows: Ints, look: Ints, z: Floats, there: Bools, n: Ints | None
    ) -> Found | None:
        """Do the same in one pass where tables of the planned shares hold for all trials; None where they do not."""
        plan = self._plan
        if plan.intersection_test != "dunnett" or plan.products or plan.arms > _MOST_TABLED:
            return None
        sizes = np.empty((0, len(rows)), dtype=np.int64) if n is None else n
        if not _tables_hold(np.array(plan.ratio), z, there, sizes):
            return None
        closed, own = np.empty((plan.arms, len(rows))), np.empty((plan.arms, len(rows)))
        lost = np.empty(closed.shape, dtype=bool)
        _add_tabled(
            _tables(plan.ratio), z, there, plan.weights, self._norm, plan.efficacy, rows, look, self._sums, self._fate,
            closed, own, lost,
        )  # fmt: skip
        return Found(closed, own, lost)


_MOST_TABLED = 4
"""Arms up to which all sets of them are held as tables."""


@lru_cache(maxsize=64)
def _tables(ratio: tuple[float, ...]) -> Floats:
    """Return the polynomials of every set of arms with the planned shares, ``[set, piece, power]``."""
    arms = range(len(ratio) - 1)
    sets = [[arm for arm in arms if code >> arm & 1] for code in range(1, 1 << len(arms))]
    loadings = [control_loadings(ratio[0], [ratio[arm + 1] for arm in members]) for members in sets]
    return np.stack([deviate_pieces(tuple(each.tolist())) for each in loadings])


@kernel
def _tables_hold(ratio, z, there, n):  # type: ignore[no-untyped-def]
    """Return whether all arms of all trials have the planned shares, and statistics that the tables reach."""
    arms, trials = z.shape
    for k in range(trials):
        for arm in range(arms):
            if not there[arm, k]:
                continue
            if not FIRST_TABLED <= z[arm, k] < LAST_TABLED:
                return False
            if len(n) > 0 and not (n[0, k] > 0 and n[arm + 1, k] * ratio[0] == n[0, k] * ratio[arm + 1]):
                return False
    return True


@kernel
def _add_tabled(tables, z, there, weights, norm, efficacy, rows, look, sums, fates, closed, own, lost):  # type: ignore[no-untyped-def]
    """Add a stage to the sums of some trials, its deviates by tables, and weigh them: see :func:`_weigh_intersections`.

    A set is tested by those of its arms that are there, so that its deviate is that of a smaller set, which came before,
    where one is gone; the largest statistic of a set is that of the set without its first arm, or that arm's.
    """
    arms, trials = z.shape
    largest, deviate = np.empty(len(sums) + 1), np.empty(len(sums) + 1)
    largest[0] = deviate[0] = LEAST
    for k in range(trials):
        at, stage = rows[k], look[k]
        code = np.int64(0)
        for arm in range(arms):
            code |= np.int64(there[arm, k]) << arm
            closed[arm, k] = np.inf
            lost[arm, k] = False
        for members in range(1, len(sums) + 1):
            rest = members & (members - 1)
            if members & code != members:
                deviate[members] = deviate[members & code]
            else:
                largest[members] = max(largest[rest], z[np.int64(lowest_one(np.uint64(members))), k])
                deviate[members] = largest[members]
                if rest:
                    deviate[members] = deviate_from_pieces(largest[members], tables[members - 1])
            row = members - 1
            sums[row, at] += weights[stage] * deviate[members]
            combined = sums[row, at] / norm[stage]
            before = fates[row, at]
            now = before
            if before == OPEN and combined >= efficacy[stage]:
                now = REJECTED
            elif before == OPEN and deviate[members] <= LEAST:
                now = RETAINED
            fates[row, at] = now
            value = np.inf if before == REJECTED else LEAST if before == RETAINED else combined
            for arm in range(arms):
                if members >> arm & 1:
                    closed[arm, k] = min(closed[arm, k], value)
                    lost[arm, k] |= now == RETAINED
            if rest == 0:
                own[np.int64(lowest_one(np.uint64(members))), k] = combined


@kernel
def _weigh_intersections(combined, retained, efficacy, look, before, fate, closed, lost):  # type: ignore[no-untyped-def]
    """Fill what becomes of each intersection at a look, and what they say of the arms: see :class:`Found`.

    Parameters
    ----------
    combined, retained
        Statistic of each intersection, whether its stage alone retains it for good, ``[intersection, trial]``.
    efficacy, look
        Bounds by look, look of each trial.
    before, fate
        What has become of each intersection, filled for now.
    closed, lost
        Filled, ``[arm, trial]``.
    """
    rows, trials = combined.shape
    closed[:] = np.inf
    lost[:] = False
    for row in range(rows):
        for k in range(trials):
            now = before[row, k]
            if now == OPEN and combined[row, k] >= efficacy[look[k]]:
                now = REJECTED
            elif now == OPEN and retained[row, k]:
                now = RETAINED
            fate[row, k] = now
        for arm in range(len(closed)):
            if (row + 1) >> arm & 1 == 0:
                continue
            for k in range(trials):
                value = combined[row, k]
                value = (
                    np.inf if before[row, k] == REJECTED else LEAST if before[row, k] == RETAINED else value
                )
                closed[arm, k] = min(closed[arm, k], value)
                lost[arm, k] |= fate[row, k] == RETAINED


def stage_deviates(plan: ClosedPlan, z: Floats, there: Bools, n: Ints | None) -> Floats:
    """Return the normal deviates of the p values of all intersections at one stage, ``[2**arms - 1, trial]``.

    Parameters
    ----------
    plan, z, there, n
        As in :meth:`ClosedStages.add`.
    """
    arms, size = z.shape
    found = np.full((2**arms - 1, size), LEAST)
    codes = np.zeros(size, dtype=np.int64)
    for arm in range(arms):
        codes |= there[arm].astype(np.int64) << arm
    for code in np.unique(codes).tolist():
        rows = np.flatnonzero(codes == code)
        here = slice(None) if len(rows) == size else rows
        by_subset = _subsets(plan, code, z[:, here], None if n is None else n[:, here])
        for row in range(len(found)):
            if (row + 1) & code:
                found[row, here] = by_subset[(row + 1) & code]
    return found


def _subsets(plan: ClosedPlan, code: int, z: Floats, n: Ints | None) -> dict[int, Floats]:
    """Return the deviates of every set of arms within those whose bits are in ``code``."""
    found: dict[int, Floats] = {}
    largest: dict[int, Floats] = {}
    chances = ndtr(-z) if plan.intersection_test != "dunnett" else z
    as_planned = None if n is None else _as_planned(plan, code, n)
    for subset in range(1, code + 1):
        if subset & ~code:
            continue
        members = [arm for arm in range(plan.arms) if subset >> arm & 1]
        last = members[-1]
        rest = subset & ~(1 << last)
        if not rest:
            found[subset] = largest[subset] = np.maximum(z[last], LEAST)
        elif plan.intersection_test == "dunnett":
            largest[subset] = np.maximum(largest[rest], z[last])
            found[subset] = _dunnett(plan, members, largest[subset], n, as_planned)
        else:
            found[subset] = _by_p(chances[members], plan.intersection_test)
    return found


def _as_planned(plan: ClosedPlan, code: int, n: Ints) -> Bools:
    """Return in which trials the arms of a stage have the planned shares, ``[trial]``."""
    control = plan.ratio[0]
    held: Bools = n[0] > 0
    for arm in range(plan.arms):
        if code >> arm & 1:
            held &= n[arm + 1] * control == n[0] * plan.ratio[arm + 1]
    return held


def _dunnett(
    plan: ClosedPlan, members: list[int], largest: Floats, n: Ints | None, as_planned: Bools | None
) -> Floats:
    """Return the deviates of Dunnett's p value (1955) of some arms."""
    planned = control_loadings(plan.ratio[0], [plan.ratio[arm + 1] for arm in members])
    if as_planned is None or n is None or as_planned.all():
        return largest_deviates_alike(largest, tuple(planned.tolist()))
    found = np.empty(len(largest))
    alike, other = np.flatnonzero(as_planned), np.flatnonzero(~as_planned)
    found[alike] = largest_deviates_alike(largest[alike], tuple(planned.tolist()))
    own = n[np.array(members) + 1][:, other].T.astype(np.float64)
    control = np.maximum(n[0, other], 1)[:, None]
    loadings = np.sqrt(own / (own + control))
    found[other] = largest_deviates(largest[other], loadings, np.ones(loadings.shape, dtype=bool))
    return found


def _by_p(p: Floats, test: str) -> Floats:
    """Return the deviates of Bonferroni's or Simes' p value (1986) of some arms, ``[arm, trial]``."""
    many = len(p)
    if test == "bonferroni":
        least: Floats = many * np.minimum.reduce(p)
    else:
        ordered = np.sort(p, axis=0)
        least = np.minimum.reduce(many * ordered / np.arange(1, many + 1)[:, None])
    return np.asarray(np.maximum(-ndtri(np.minimum(least, 1.0)), LEAST))
