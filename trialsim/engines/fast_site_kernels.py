"""Compiled loops of the fast engine before randomisation: who comes to each site, is screened when, is randomised.

Nothing ties sites together before enrolment closes, so each is run by itself over a window of time; afterwards the
target-th randomisation is found and whatever lies behind it is cut away. Candidates of a chunk lie one after the other, by
replicate, site and arrival number; each has one row of ``contact`` for every attempt that it may make.
Its columns lie one after the other, so that loops over one of them vectorise.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.operations.screening import (
    FAILS_PRESCREEN,
    PASSES,
    REFUSES,
    WAY_DRAWS,
    comes_again,
    is_eligible,
    way_draws,
    way_of,
)
from trialsim.operations.sites import NO_LIMIT
from trialsim.timegrid import NEVER

# Columns of ``contact``, all int64: first ticks, then the outcome of the attempt.
CONTACT, PATIENCE, DISPATCH, ANSWER, SCREENED, FINAL, OUTCOME = range(7)
COLUMNS = 7

# What an entry of a site's agenda means.
_FREES, _LEAVES, _FREES_AND_LEAVES, _RETURNS = range(4)
_LATEST = np.iinfo(np.int64).max

# Why a site closed.
OPEN, CLOSED_BY_CAP, CLOSED_BY_TIME, CLOSED_BY_REVIEW = range(4)

# Columns of the tally of a site.
CAME, PRESCREEN_FAILURES, CONSENTED, REFUSED, FAILED, WITHDREW, RELEASED, RANDOMISED = range(8)
EVER_CONSENTED, CAME_AGAIN, ATTEMPTS_AGAIN, RANDOMISED_AGAIN, REFUSED_AGAIN, WITHDREW_AGAIN = range(8, 14)
TO_CONSENT, TO_RANDOMISATION, TALLIES = range(14, 17)


@kernel
def _add_to_agenda(when, what, size, tick, item):
    """Add an entry to a site's agenda, a heap by tick; return its size."""
    i = np.uint64(size)
    while i > 0:
        above = (i - np.uint64(1)) >> np.uint64(1)
        if when[above] <= tick:
            break
        when[i] = when[above]
        what[i] = what[above]
        i = above
    when[i] = tick
    what[i] = item
    return size + 1


@kernel
def _drop_first(when, what, size):
    """Take the first entry off a site's agenda; return its size."""
    size -= 1
    last = np.uint64(size)
    tick = when[last]
    item = what[last]
    # Of an entry's two places below, the second may be empty.
    when[last] = _LATEST
    i, below = np.uint64(0), np.uint64(1)
    while below < last:
        below += np.uint64(when[below + np.uint64(1)] < when[below])
        if when[below] >= tick:
            break
        when[i] = when[below]
        what[i] = what[below]
        i = below
        below = np.uint64(2) * i + np.uint64(1)
    when[i] = tick
    what[i] = item
    return size


@kernel
def _queue(score, who, size, value, item):
    """Add a candidate to the waiting, a heap with the highest score and then the lowest number first; return its size."""
    i = size
    while i > 0:
        above = (i - 1) >> 1
        if score[above] > value or (score[above] == value and who[above] < item):
            break
        score[i] = score[above]
        who[i] = who[above]
        i = above
    score[i] = value
    who[i] = item
    return size + 1


@kernel
def _drop_best(score, who, size):
    """Take the first of the waiting off the heap; return its size."""
    size -= 1
    value = score[size]
    item = who[size]
    i = 0
    while True:
        below = 2 * i + 1
        if below >= size:
            break
        if below + 1 < size:
            a, b = score[below], score[below + 1]
            if b > a or (b == a and who[below + 1] < who[below]):
                below += 1
        if value > score[below] or (value == score[below] and item < who[below]):
            break
        score[i] = score[below]
        who[i] = who[below]
        i = below
    score[i] = value
    who[i] = item
    return size


@kernel
def _stands(
    seed, replicate, since, first, last, keys, ticks, scores, numbers, grid, attempts, contact, when, what, value, who
):  # fmt: skip
    """Lay out how a site stands at a tick, before its dispatch, from what its candidates ``first`` to ``last - 1`` did.

    Fills the agenda and the waiting list. Returns who arrives next, the sizes of both, how many coordinators are busy, how
    many candidates count towards the cap, how many of these pass, and when the last of those is randomised.
    """
    agenda = 0
    waiting = 0
    busy, committed, passed, latest = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    by_score = len(scores) > 0
    arriving = first
    while arriving < last and ticks[arriving] <= since:
        for attempt in range(attempts):
            place = arriving * attempts + attempt
            came = contact[place, CONTACT]
            outcome = contact[place, OUTCOME]
            if came > since or outcome == FAILS_PRESCREEN:
                break
            if contact[place, DISPATCH] == NEVER:
                if contact[place, PATIENCE] > since:
                    waiting = _queue(value, who, waiting, scores[arriving] if by_score else -came, place)
                break
            screened, final = contact[place, SCREENED], contact[place, FINAL]
            passes = outcome == PASSES or outcome == PASSES - 1
            if screened > since:
                busy += 1
                kind = _FREES if passes or final > screened else _FREES_AND_LEAVES
                agenda = _add_to_agenda(when, what, agenda, screened, place << 2 | kind)
            if passes:
                committed += 1
                passed += 1
                latest = max(latest, final)
                break
            if final > since:
                committed += 1
                if final > screened:
                    agenda = _add_to_agenda(when, what, agenda, final, place << 2 | _LEAVES)
            if outcome != REFUSES:
                again = comes_again(seed, replicate, keys[arriving], attempt, numbers, grid)
                if again < NEVER and final + again > since:
                    agenda = _add_to_agenda(when, what, agenda, final + again, (place + 1) << 2 | _RETURNS)
        arriving += 1
    return arriving, agenda, waiting, busy, committed, passed, latest


@kernel
def run_sites(
    seed, replicates, offsets, keys, ticks, chances, chance_rows, scores, numbers, reason_bounds, closes, coordinators,
    cap, until, grid, attempts, since, told_to_close, contact, closed_at, closed_why,
):  # fmt: skip
    """Run every site of every replicate until ``until[replicate]`` as if enrolment never closed.

    ``contact`` holds what :func:`draw_ways` drew, durations still; whoever is called has them counted from the call.
    ``scores`` is empty where candidates are served as they come. Also fills when and why each site closes.

    Where sites are run from review to review, ``since[replicate]`` is the tick from whose dispatch on they go on, -1 for
    the beginning, ``told_to_close[replicate, site]`` the tick of the review that closed a site, and an ``until`` below 0
    leaves a replicate out. Both are empty where nothing is decided at reviews.
    """
    sites = len(closes)
    largest = 0
    for c in range(len(replicates) * sites):
        largest = max(largest, offsets[c + 1] - offsets[c])
    room = largest * attempts * 2 + 2
    when, what = np.empty(room, np.int64), np.empty(room, np.int64)
    value, who = np.empty(room, np.int64), np.empty(room, np.int64)
    by_score = len(scores) > 0
    u = np.empty(WAY_DRAWS)
    reviewed = len(since) > 0
    for r in range(len(replicates)):
        if until[r] < 0:
            continue
        replicate = replicates[r]
        for s in range(sites):
            cell = r * sites + s
            arriving, last = offsets[cell], offsets[cell + 1]
            agenda = 0
            waiting = 0
            free = coordinators[s]
            committed = 0
            passed = 0
            latest = np.int64(0)
            close = closes[s]
            why = CLOSED_BY_TIME if close < NEVER else OPEN
            resumed, clock = np.int64(-1), np.int64(-1)
            if reviewed:
                if told_to_close[r, s] < close:
                    close, why = told_to_close[r, s], CLOSED_BY_REVIEW
                if since[r] >= 0:
                    resumed = since[r]
                    arriving, agenda, waiting, busy, committed, passed, latest = _stands(
                        seed, replicate, resumed, arriving, last, keys, ticks, scores, numbers, grid, attempts,
                        contact, when, what, value, who,
                    )  # fmt: skip
                    free -= busy
                    if passed == cap[s] and latest <= close:
                        close, why = latest, CLOSED_BY_CAP
            while True:
                now = np.int64(NEVER)
                if arriving < last:
                    now = ticks[arriving]
                # Where nobody waits or comes again, the agenda is left alone until somebody comes who finds no place.
                due = waiting > 0 or attempts > 1
                if due and agenda > 0 and when[0] < now:
                    now = max(when[0], clock)
                if resumed >= 0:
                    # All but the dispatch of this instant has happened.
                    now, resumed = resumed, np.int64(-1)
                if now > until[r] or now >= close:
                    break
                clock = now
                while agenda > 0 and when[0] <= now and (due or free == 0 or committed >= cap[s]):
                    item = what[0]
                    agenda = _drop_first(when, what, agenda)
                    kind = item & 3
                    place = item >> 2
                    if kind == _RETURNS:
                        j = place // attempts
                        way_draws(seed, replicate, keys[j], place % attempts, u)
                        outcome, patience, answer, screened, final = way_of(
                            u, place % attempts, chances[chance_rows[j]], numbers, reason_bounds, grid
                        )
                        contact[place, CONTACT] = now
                        contact[place, PATIENCE] = min(now + patience, np.int64(NEVER))
                        contact[place, ANSWER] = answer
                        contact[place, SCREENED] = screened
                        contact[place, FINAL] = final
                        contact[place, OUTCOME] = outcome
                        score = scores[place // attempts] if by_score else -now
                        waiting = _queue(value, who, waiting, score, place)
                        continue
                    if kind != _LEAVES:
                        free += 1
                    if kind != _FREES:
                        committed -= 1
                while arriving < last and ticks[arriving] == now:
                    place = arriving * attempts
                    contact[place, CONTACT] = now
                    contact[place, PATIENCE] = min(now + contact[place, PATIENCE], np.int64(NEVER))
                    if contact[place, OUTCOME] != FAILS_PRESCREEN:
                        score = scores[arriving] if by_score else -now
                        waiting = _queue(value, who, waiting, score, place)
                    arriving += 1
                while waiting > 0 and free > 0 and committed < cap[s]:
                    place = who[0]
                    waiting = _drop_best(value, who, waiting)
                    if contact[place, PATIENCE] <= now:
                        continue
                    outcome = contact[place, OUTCOME]
                    screened, final = contact[place, SCREENED], contact[place, FINAL]
                    contact[place, DISPATCH] = now
                    contact[place, ANSWER] += now
                    contact[place, SCREENED] += now
                    contact[place, FINAL] += now
                    free -= 1
                    committed += 1
                    passes = (outcome == PASSES) | (outcome == PASSES - 1)
                    kind = np.int64(_FREES) if passes | (final > screened) else np.int64(_FREES_AND_LEAVES)
                    agenda = _add_to_agenda(when, what, agenda, now + screened, place << 2 | kind)
                    passed += np.int64(passes)
                    latest = max(latest, now + final) if passes else latest
                    # A randomisation comes before a closing of the same instant, so the cap closes first.
                    if passed == cap[s] and latest <= close:
                        close = latest
                        why = CLOSED_BY_CAP
                    if (final > screened) & (not passes):
                        agenda = _add_to_agenda(when, what, agenda, now + final, place << 2 | _LEAVES)
                    if attempts > 1 and not passes and outcome != REFUSES:
                        key = keys[place // attempts]
                        again = comes_again(seed, replicate, key, place % attempts, numbers, grid)
                        if again < NEVER:
                            agenda = _add_to_agenda(
                                when, what, agenda, now + final + again, (place + 1) << 2 | _RETURNS
                            )
            closed_at[r, s] = close
            closed_why[r, s] = why


@kernel
def site_tallies(
    seed, replicates, offsets, keys, contact, chances, chance_rows, levels, sites, attempts, keep, closing, closing_place,
    ends, openings, closed_at, closed_why, coordinators, tally, reasons, screened_out, subgroups, idle, closed,
):  # fmt: skip
    """Count what happened to the candidates of each site by the end of each trial.

    Parameters
    ----------
    closing, closing_place
        Of :func:`find_closing`.
    ends
        Tick at which each trial ended.
    levels
        Subgroup of each candidate, or empty.
    tally
        Filled, ``[replicate, site, column]``.
    reasons
        Filled: failures by reason, ``[replicate, reason]``.
    screened_out
        Filled: candidates whose last screening failed, by its reason, ``[replicate, reason]``.
    subgroups
        Filled: who came, who was eligible and who was randomised by subgroup, ``[replicate, level, 3]``.
    idle
        Filled: ticks that coordinators were free while the site enrolled, ``[replicate, site]``.
    closed
        Filled: when each site closed by itself before the end, NEVER where it did not, ``[replicate, site]``.
    """
    tally[:] = 0
    reasons[:] = 0
    screened_out[:] = 0
    subgroups[:] = 0
    idle[:] = 0
    for r in range(len(replicates)):
        shut, end = closing[r], ends[r]
        for s in range(sites):
            cell = r * sites + s
            mine = tally[r, s]
            busy = np.int64(0)
            fills = np.int64(-1)
            close = closed_at[r, s]
            by_cap = closed_why[r, s] == CLOSED_BY_CAP
            window = min(end, min(shut, close))
            for c in range(offsets[cell] * attempts, offsets[cell + 1] * attempts):
                came = contact[c, CONTACT]
                if came > end or came >= shut:
                    continue
                j = c if attempts == 1 else c // attempts
                first_attempt = c == j * attempts
                outcome = contact[c, OUTCOME]
                mine[CAME] += np.int64(first_attempt)
                if not first_attempt:
                    mine[ATTEMPTS_AGAIN] += 1
                    mine[CAME_AGAIN] += np.int64(c % attempts == 1)
                    screened_out[r, contact[c - 1, OUTCOME] - 1] -= 1
                if len(levels) and first_attempt:
                    subgroups[r, levels[j], 0] += 1
                    eligible = is_eligible(seed, replicates[r], keys[j], chances[chance_rows[j], 2])
                    subgroups[r, levels[j], 1] += np.int64(eligible)
                if outcome == FAILS_PRESCREEN:
                    mine[PRESCREEN_FAILURES] += 1
                    continue
                called = contact[c, DISPATCH]
                if called > end or called >= shut:
                    left = contact[c, PATIENCE]
                    gone = left < shut and left <= end and (left < close or (left == close and not by_cap))
                    if gone:
                        mine[WITHDREW] += 1
                        mine[WITHDREW_AGAIN] += np.int64(not first_attempt)
                    elif min(close, shut) <= end:
                        mine[RELEASED] += 1
                    continue
                stays = keep or shut == NEVER
                answer, screened, final = contact[c, ANSWER], contact[c, SCREENED], contact[c, FINAL]
                busy += max(min(screened, window) - called, 0)
                if answer > end or (answer > shut and not stays):
                    mine[RELEASED] += np.int64(shut <= end and not stays)
                    continue
                if outcome == REFUSES:
                    mine[REFUSED] += 1
                    mine[REFUSED_AGAIN] += np.int64(not first_attempt)
                    continue
                mine[CONSENTED] += 1
                mine[EVER_CONSENTED] += np.int64(first_attempt)
                mine[TO_CONSENT] += answer - came
                if outcome > 0:
                    if final <= end and (final <= shut or stays):
                        mine[FAILED] += 1
                        reasons[r, outcome - 1] += 1
                        screened_out[r, outcome - 1] += 1
                    else:
                        mine[RELEASED] += np.int64(shut <= end and not stays)
                    continue
                if by_cap and final == close:
                    fills = max(fills, c)
                before = final < shut or (final == shut and c <= closing_place[r])
                if final <= end and (before or stays):
                    mine[RANDOMISED] += 1
                    mine[RANDOMISED_AGAIN] += np.int64(not first_attempt)
                    mine[TO_RANDOMISATION] += final - came
                    if len(levels):
                        subgroups[r, levels[j], 2] += 1
                else:
                    mine[RELEASED] += np.int64(shut <= end and not stays)
            itself = closed_why[r, s] != OPEN and openings[r, s] < NEVER and close <= end
            itself = itself and (close < shut or (close == shut and by_cap and fills < closing_place[r]))
            closed[r, s] = close if itself else np.int64(NEVER)
            if coordinators[s] < NO_LIMIT:
                idle[r, s] = max(window - openings[r, s], 0) * coordinators[s] - busy
