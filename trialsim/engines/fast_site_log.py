"""The part of a trial's event log that comes before randomisation, rebuilt from the arrays of the fast engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trialsim.contracts import Kind
from trialsim.engines import fast_site_kernels as kernels
from trialsim.operations.screening import FAILS_PRESCREEN, REFUSES
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast_sites import Recruitment

Key = tuple[int, int, int]
_AFTER_ALL: Key = (NEVER, 0, 0)
_WAITING, _IN_SCREENING, _BEFORE_RANDOMISATION = 0, 1, 2


def add_candidates(recruitment: Recruitment, row: int, end: int, add: Callable[..., None]) -> None:
    """Add what happened at the sites of one replicate until it ended.

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
            cause = (closing[1], numbers[closing[2]] if closing[1] == Kind.RANDOMISATION else s)
            add(closing[0], Kind.SITE_CLOSED, s, 0, float(recruitment.closed_why[row, s]), *cause)
    dispatched: list[tuple[int, int, int, int]] = []
    released: list[tuple[int, int, tuple[int, int], int]] = []
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
                    dispatched.append((called, s, _rank(recruitment, j, came), key))
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
    for tick, key, cause, state in sorted(released, key=lambda one: (one[0], one[1])):
        add(tick, Kind.RELEASED, key, 0, float(state), *cause)


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


def _rank(recruitment: Recruitment, candidate: int, came: int) -> int:
    """Return a number that is smaller the sooner a candidate is called."""
    return -int(recruitment.scores[candidate]) if len(recruitment.scores) else came


def _cause(closing: Key, numbers: dict[int, int], site: int) -> tuple[int, int]:
    """Return kind and id of what released those waiting."""
    return (closing[1], numbers[closing[2]] if closing[1] == Kind.RANDOMISATION else site)


def _site_closing(recruitment: Recruitment, row: int, site: int, numbers: dict[int, int]) -> Key:
    """Return the key at which a site closes by itself, later than all where it does not."""
    why, tick = int(recruitment.closed_why[row, site]), int(recruitment.closed_at[row, site])
    if why == kernels.OPEN or recruitment.openings[row, site] >= NEVER:
        return _AFTER_ALL
    if why == kernels.CLOSED_BY_TIME:
        return (tick, Kind.SITE, site)
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
