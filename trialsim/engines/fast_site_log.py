"""The part of a trial's event log that comes before randomisation, rebuilt from the arrays of the fast engine."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Ints, Kind
from trialsim.engines import fast_site_kernels as kernels
from trialsim.engines.fast_review_kernels import still_waiting
from trialsim.operations.screening import FAILS_PRESCREEN, REFUSES
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast_sites import Recruitment

Key = tuple[int, int, int]
_AFTER_ALL: Key = (NEVER, 0, 0)
_WAITING, _IN_SCREENING, _BEFORE_RANDOMISATION = 0, 1, 2


Released = tuple[int, int, tuple[int, int], int]
"""When, who, kind and id of the cause, and where the candidate stood."""


def add_candidates(recruitment: Recruitment, row: int, end: int, add: Callable[..., None]) -> list[Released]:
    """Add what happened at the sites of one replicate until it ended, and return who was released, to be added last.

    Parameters
    ----------
    recruitment
        Of a chunk that has ended.
    row
        Position of the replicate in it.
    end
        Tick at which the trial ended.
    add
        Takes tick, kind, id, part, value and, for consequences, the kind and the id of their cause.
    """
    keep, attempts = recruitment.law.keep, recruitment.law.attempts
    numbers = {
        int(place): i for i, place in enumerate(recruitment.places[row]) if recruitment.entry[row, i] < NEVER
    }
    shut = _AFTER_ALL
    if recruitment.closing[row] < NEVER:
        last = int(recruitment.closing_place[row])
        shut = (int(recruitment.closing[row]), Kind.RANDOMISATION, last)
    closings = [_site_closing(recruitment, row, s, numbers) for s in range(recruitment.sites.count)]
    for s, closing in enumerate(closings):
        opening = int(recruitment.openings[row, s])
        if opening <= end and (opening, Kind.SITE, s) < shut:
            add(opening, Kind.SITE, s)
        if closing < shut and closing[0] <= end:
            cause = _cause(closing, numbers, s)
            add(closing[0], Kind.SITE_CLOSED, s, 0, float(recruitment.closed_why[row, s]), *cause)
    scores = ScoresInForce(recruitment, row)
    _add_reviews(recruitment, row, end, closings, scores, add)
    dispatched: list[tuple[int, int, int, int]] = []
    released: list[Released] = []
    for j in recruitment.candidates_of(row):
        key = int(recruitment.candidates[j])
        s = key >> 32
        closing = min(closings[s], shut)
        for attempt in range(attempts):
            place = j * attempts + attempt
            came, patience, called, answer, screened, final, outcome = (
                int(x) for x in recruitment.contact[place]
            )
            if came > end or (came, Kind.ARRIVAL, key) > closing:
                break
            add(came, Kind.ARRIVAL, key, attempt, float(outcome != FAILS_PRESCREEN))
            if outcome == FAILS_PRESCREEN:
                break
            if called < NEVER and (called, Kind.DISPATCH, s) < closing:
                if called <= end:
                    dispatched.append((called, s, -scores.at(j, called) if scores else came, key))
                else:
                    break
            else:
                if (patience, Kind.RENEGING, key) < closing:
                    if patience <= end:
                        add(patience, Kind.RENEGING, key)
                elif closing[0] <= end:
                    cause = _cause(closing, numbers, s)
                    released.append((closing[0], key, cause, _WAITING))
                break
            stages = _stages(answer - called, answer, screened, final, outcome)
            state = _IN_SCREENING
            for tick, part, value in stages:
                if not keep and (tick, Kind.SCREENING, key) > shut:
                    break
                if tick <= end:
                    add(tick, Kind.SCREENING, key, part, value)
                state = _BEFORE_RANDOMISATION if part == 1 else state
            else:
                if outcome > 0 or outcome == REFUSES or place in numbers:
                    continue
            if shut[0] <= end and not keep:
                released.append((shut[0], key, _cause(shut, numbers, s), state))
            break
    for tick, s, _, key in sorted(dispatched):
        add(tick, Kind.DISPATCH, key, 0, 0.0, Kind.DISPATCH, s)
    return released


def add_released(released: list[Released], add: Callable[..., None]) -> None:
    """Add who was released; it follows from what closes, once all else that follows from it is said."""
    for tick, key, cause, state in sorted(released, key=lambda one: (one[0], one[1])):
        add(tick, Kind.RELEASED, key, 0, float(state), *cause)


def _add_reviews(
    recruitment: Recruitment,
    row: int,
    end: int,
    closings: list[Key],
    scores: ScoresInForce,
    add: Callable[..., None],
) -> None:
    """Add what reviews of recruitment decided in one replicate, besides the sites that they closed."""
    for review in recruitment.reviews:
        for k in np.flatnonzero(review.rows == row):
            tick = int(review.tick[k])
            if tick > end:
                return
            cause = (Kind.REVIEW, review.number)
            for called in np.flatnonzero(review.called[k]):
                add(tick, Kind.SITE_CALLED, int(called), 0, 0.0, *cause)
            if review.rescored is None:
                continue
            for s, closing in enumerate(closings):
                if closing <= (tick, *cause):
                    continue
                for place in _waiting(recruitment, row, s, tick):
                    j = int(place) // recruitment.law.attempts
                    key = int(recruitment.candidates[j])
                    add(tick, Kind.RESCORED, key, 0, float(scores.at(j, tick)), *cause)


def _waiting(recruitment: Recruitment, row: int, site: int, tick: int) -> Ints:
    """Return the attempts of candidates who wait at a site as a review begins."""
    cell, attempts = row * recruitment.sites.count + site, recruitment.law.attempts
    first, last = int(recruitment.offsets[cell]), int(recruitment.offsets[cell + 1])
    places = np.empty((last - first) * attempts, dtype=np.int64)
    found = still_waiting(first, last, attempts, tick, recruitment.contact, places)
    return places[:found]


class ScoresInForce:
    """The scores of a replicate's candidates as they were from review to review; false where nobody is scored."""

    def __init__(self, recruitment: Recruitment, row: int) -> None:
        self._any, self._first = bool(len(recruitment.scores)), 0
        self._since: list[int] = []
        if not self._any:
            return
        places = recruitment.candidates_of(row)
        self._first = places.start
        if not recruitment.reviews:
            self._scores = [recruitment.scores[places.start : places.stop]]
            return
        policy, own = recruitment.plan.recruitment, np.arange(places.start, places.stop)
        alone = np.zeros(len(own), dtype=np.int64)
        view = recruitment.view_of(own, np.full(len(own), row), alone)
        first, _ = policy.decide(view, {})
        self._scores = [first]
        for review in recruitment.reviews:
            for k in np.flatnonzero(review.rows == row):
                self._since.append(int(review.tick[k]))
                if review.rescored is None:
                    self._scores.append(self._scores[-1])
                    continue
                memory = {name: array[k : k + 1] for name, array in review.rescored.memory.items()}
                scores = np.array(policy.decide(view, memory)[0])
                begin, end = np.searchsorted(review.rescored.owner, [row, row + 1])
                waited = np.searchsorted(view.candidate, review.rescored.keys[begin:end])
                scores[waited] = review.rescored.scores[begin:end]
                self._scores.append(scores)

    def __bool__(self) -> bool:
        return self._any

    def at(self, candidate: int, tick: int) -> int:
        """Return the score of a candidate, given by place, from the reviews of an instant on."""
        return int(self._scores[bisect_right(self._since, tick)][candidate - self._first])


def _stages(asked: int, answer: int, screened: int, final: int, outcome: int) -> list[tuple[int, int, float]]:
    """Return the entries of the log for one attempt from its call on: tick, part and value."""
    stages = [(answer, 0, float(outcome != REFUSES))] if asked else []
    if outcome == REFUSES:
        return stages
    at_once = outcome > 0 and final == screened
    stages.append((screened, 1, float(outcome if at_once else 0)))
    if outcome > 0 and not at_once:
        stages.append((final, 2, float(outcome)))
    return stages


def _cause(closing: Key, numbers: dict[int, int], site: int) -> tuple[int, int]:
    """Return kind and id of what released those waiting."""
    if closing[1] == Kind.RANDOMISATION:
        return closing[1], numbers[closing[2]]
    return closing[1], closing[2] if closing[1] == Kind.REVIEW else site


def _site_closing(recruitment: Recruitment, row: int, site: int, numbers: dict[int, int]) -> Key:
    """Return the key at which a site closes by itself, later than all where it does not."""
    why, tick = int(recruitment.closed_why[row, site]), int(recruitment.closed_at[row, site])
    if why == kernels.OPEN or recruitment.openings[row, site] >= NEVER:
        return _AFTER_ALL
    if why == kernels.CLOSED_BY_TIME:
        return (tick, Kind.SITE, site)
    if why == kernels.CLOSED_BY_REVIEW:
        return (tick, Kind.REVIEW, _review_that_closed(recruitment, row, site))
    cell = row * recruitment.sites.count + site
    first, last = (int(recruitment.offsets[c]) * recruitment.law.attempts for c in (cell, cell + 1))
    full = [
        place
        for place in range(first, last)
        if recruitment.contact[place, kernels.DISPATCH] < NEVER
        and recruitment.contact[place, kernels.FINAL] == tick
        and -1 <= recruitment.contact[place, kernels.OUTCOME] <= 0
    ]
    return (tick, Kind.RANDOMISATION, max(full)) if full and max(full) in numbers else _AFTER_ALL


def _review_that_closed(recruitment: Recruitment, row: int, site: int) -> int:
    """Return the number of the review that closed a site."""
    return next(
        review.number
        for review in recruitment.reviews
        if review.closed[np.flatnonzero(review.rows == row), site].any()
    )
