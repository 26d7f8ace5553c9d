"""Which scores a recruitment policy gave in the fast engine, as they were given, for the decision log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.contracts import CandidateView, Ints, Kind
from trialsim.engines import fast_site_kernels as kernels
from trialsim.engines.fast_site_log import ScoresInForce, add_candidates
from trialsim.engines.points import Scored
from trialsim.operations.screening import FAILS_PRESCREEN
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast_sites import Recruitment


def scores_given(recruitment: Recruitment, ends: Ints) -> Scored:
    """Return the scores of a chunk in the order in which they were given.

    Parameters
    ----------
    recruitment
        Of a chunk whose trials have ended.
    ends
        Tick at which each did, ``[replicate]``.
    """
    again = recruitment.plan.rescores_candidates
    found = [
        _with_reviews(recruitment, row, int(end)) if again else _at_first_contact(recruitment, row, int(end))
        for row, end in enumerate(ends)
    ]
    places, ticks, scores = (np.concatenate([each[k] for each in found]) for k in range(3))
    offsets = np.concatenate([[0], np.cumsum([len(each[0]) for each in found])]).astype(np.int64)
    return Scored(offsets, recruitment.candidates[places], ticks, scores)


def candidates_seen(recruitment: Recruitment, row: int, end: int) -> CandidateView:
    """Return what the policy saw of those whom it scored in one replicate, in that order."""
    again = recruitment.plan.rescores_candidates
    places, *_ = (_with_reviews if again else _at_first_contact)(recruitment, row, end)
    return recruitment.view_of(places, np.full(len(places), row), np.zeros(len(places), dtype=np.int64))


def _at_first_contact(recruitment: Recruitment, row: int, end: int) -> tuple[Ints, Ints, Ints]:
    """Return place, tick and score of candidates whose records passed while their site took candidates."""
    first, last = recruitment.candidates_of(row).start, recruitment.candidates_of(row).stop
    count, attempts = recruitment.sites.count, recruitment.law.attempts
    closes = np.where(recruitment.closed_why[row] != kernels.OPEN, recruitment.closed_at[row], NEVER)
    # Whoever comes at the very tick of a closing by cap, by time or of enrolment comes after it, but before a review.
    closes = np.minimum(
        closes + (recruitment.closed_why[row] == kernels.CLOSED_BY_REVIEW), recruitment.closing[row]
    )
    came = recruitment.ticks[first:last]
    of_sites = np.diff(recruitment.offsets[row * count : (row + 1) * count + 1])
    taken = came < np.minimum(np.repeat(closes, of_sites), end + 1)
    outcome = recruitment.contact[first * attempts : last * attempts : attempts, kernels.OUTCOME]
    own = np.flatnonzero(taken & (outcome != FAILS_PRESCREEN))
    # Within a site candidates come in the order of their numbers, so that sites are merged.
    places = np.asarray(first + own[np.argsort(came[own], kind="stable")])
    return places, recruitment.ticks[places], recruitment.scores[places]


def _with_reviews(recruitment: Recruitment, row: int, end: int) -> tuple[Ints, Ints, Ints]:
    """Return place, tick and score at each contact and at each review while waiting."""
    place_of = {int(recruitment.candidates[j]): j for j in recruitment.candidates_of(row)}
    in_force, found = ScoresInForce(recruitment, row), []

    def add(tick: int, kind: Kind, key: int, part: int = 0, value: float = 0.0, *cause: Any) -> None:
        if kind == Kind.ARRIVAL and value:
            # A review of the same instant comes later, and one review after the other.
            found.append((tick, int(kind), 0, key, place_of[key], in_force.at(place_of[key], tick - 1)))
        elif kind == Kind.RESCORED:
            _, review = cause
            found.append((tick, int(Kind.REVIEW), int(review), key, place_of[key], int(value)))

    add_candidates(recruitment, row, end, add)
    rows = np.array(sorted(found), dtype=np.int64).reshape(len(found), 6)
    return rows[:, 4], rows[:, 0], rows[:, 5]
