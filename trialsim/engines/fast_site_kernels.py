"""Compiled loops of the fast engine before randomisation: who comes to each site, is screened when, is randomised.

Nothing ties sites together before enrolment closes, so each is run by itself over a window of time; afterwards the
target-th randomisation is found and whatever lies behind it is cut away. Candidates of a chunk lie one after the other, by
replicate, site and arrival number; each has one row of ``contact`` for every attempt that it may make.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import Purpose, unit, words_at
from trialsim.operations.allocation import recorded_stratum
from trialsim.operations.screening import (
    FAILS_PRESCREEN,
    PASSES,
    REFUSES,
    U_PRESCREEN,
    WAY_DRAWS,
    comes_again,
    is_eligible,
    way_address,
    way_draws,
    way_needs,
    way_of,
)
from trialsim.operations.sites import NO_LIMIT, SITE_BITS, arrival_tick, next_amount, taken_by_competition
from trialsim.timegrid import LAST_TICK, NEVER

# Columns of ``contact``, all int64: first ticks, then the outcome of the attempt.
CONTACT, PATIENCE, DISPATCH, ANSWER, SCREENED, FINAL, OUTCOME = range(7)
COLUMNS = 7

# What an entry of a site's agenda means.
_FREES, _LEAVES, _FREES_AND_LEAVES, _RETURNS = range(4)

# Why a site closed.
OPEN, CLOSED_BY_CAP, CLOSED_BY_TIME = range(3)

# Columns of the tally of a site.
CAME, PRESCREEN_FAILURES, CONSENTED, REFUSED, FAILED, WITHDREW, RELEASED, RANDOMISED, TO_CONSENT = range(9)
TO_RANDOMISATION = 9
TALLIES = 10

_ARRIVAL = int(Purpose.ARRIVAL)
# Ticks up to the longest horizon leave so many bits of an int64 for a place in ``contact``.
_PLACE_BITS = 23
_PLACE_MASK = (1 << _PLACE_BITS) - 1
MOST_PLACES = 1 << _PLACE_BITS
"""Attempts of candidates that one trial can hold."""


@kernel
def list_candidates(
    seed, replicates, rates, openings, closes, backlog, days, factor, integral, from_tick, share, until, grid, most,
    offsets, keys, ticks,
):  # fmt: skip
    """List the candidates who come to each site by ``until[replicate]`` and whom no other trial takes.

    Fills ``offsets[replicate, site]`` (candidates of a site end where those of the next begin), ``keys`` and ``ticks`` as
    far as they reach, and returns how many candidates there are; or -1 - r where more than ``most`` come to trial r.
    """
    found = 0
    sites = rates.shape[1]
    four, words = np.empty(4, np.int64), np.empty(4, np.uint64)
    for r in range(len(replicates)):
        begin = found
        for s in range(sites):
            offsets[r * sites + s] = found
            opening = openings[r, s]
            if opening > until[r] or opening >= closes[s]:
                continue
            last = min(until[r], closes[s] - 1)
            first = s << SITE_BITS
            for k in range(backlog[s]):
                if found < len(keys):
                    keys[found] = first + k
                    ticks[found] = opening
                found += 1
            k = backlog[s]
            amount = 0.0
            known = np.int64(-1)
            while True:
                key = first + k
                if key >> 2 != known:
                    # One block of the generator holds the words of four candidates.
                    known = key >> 2
                    for lane in range(4):
                        four[lane] = (known << 2) + lane
                    words_at(words, four, 0, replicates[r], _ARRIVAL, 0, seed)
                amount = next_amount(words[key & 3], amount)
                tick = arrival_tick(amount, rates[r, s], opening, days[s], factor[s], integral[s], grid)
                if tick > last:
                    break
                if not taken_by_competition(seed, replicates[r], key, tick, from_tick[s], share[s]):
                    if found < len(keys):
                        keys[found] = key
                        ticks[found] = tick
                    found += 1
                    if found - begin > most:
                        return -1 - r
                k += 1
            if found - begin > most:
                return -1 - r
    offsets[len(replicates) * sites] = found
    return found


@kernel
def _add_to_agenda(when, what, size, tick, item):
    """Add an entry to a site's agenda, a heap by tick; return its size."""
    i = size
    while i > 0:
        above = (i - 1) >> 1
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
    tick = when[size]
    item = what[size]
    i = 0
    while True:
        below = 2 * i + 1
        if below >= size:
            break
        if below + 1 < size and when[below + 1] < when[below]:
            below += 1
        if when[below] >= tick:
            break
        when[i] = when[below]
        what[i] = what[below]
        i = below
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
def draw_ways(
    seed,
    replicates,
    offsets,
    keys,
    sites,
    chances,
    chance_rows,
    numbers,
    reason_bounds,
    grid,
    attempts,
    contact,
):
    """Draw what the first attempt of every candidate brings: outcome, patience and durations, into ``contact``."""
    largest = 0
    for r in range(len(replicates)):
        largest = max(largest, offsets[(r + 1) * sites] - offsets[r * sites])
    words = np.empty((WAY_DRAWS, largest), np.uint64)
    needs = np.empty(WAY_DRAWS, np.bool_)
    way_needs(numbers, len(reason_bounds), needs)
    needs[U_PRESCREEN] = len(chances) > 0 and chances[:, 0].min() < 1.0
    u = np.zeros(WAY_DRAWS)
    for r in range(len(replicates)):
        first, last = offsets[r * sites], offsets[(r + 1) * sites]
        for d in range(WAY_DRAWS):
            if needs[d]:
                purpose, draw = way_address(d, 0)
                words_at(words[d], keys[first:last], 0, replicates[r], purpose, draw, seed)
        for j in range(first, last):
            for d in range(WAY_DRAWS):
                if needs[d]:
                    u[d] = unit(words[d, j - first])
            outcome, patience, answer, screened, final = way_of(
                u, 0, chances[chance_rows[j]], numbers, reason_bounds, grid
            )
            place = j * attempts
            contact[place, PATIENCE] = patience
            contact[place, ANSWER] = answer
            contact[place, SCREENED] = screened
            contact[place, FINAL] = final
            contact[place, OUTCOME] = outcome


@kernel
def run_sites(
    seed, replicates, offsets, keys, ticks, chances, chance_rows, scores, numbers, reason_bounds, closes, coordinators,
    cap, until, grid, attempts, contact, closed_at, closed_why,
):  # fmt: skip
    """Run every site of every replicate until ``until[replicate]`` as if enrolment never closed.

    ``contact`` holds what :func:`draw_ways` drew, durations still; whoever is called has them counted from the call.
    ``scores`` is empty where candidates are served as they come. Also fills when and why each site closes.
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
    for r in range(len(replicates)):
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
            while True:
                now = np.int64(NEVER)
                if arriving < last:
                    now = ticks[arriving]
                if agenda > 0 and when[0] < now:
                    now = when[0]
                if now > until[r]:
                    break
                while agenda > 0 and when[0] == now:
                    item = what[0]
                    agenda = _drop_first(when, what, agenda)
                    kind = item & 3
                    place = item >> 2
                    if kind == _RETURNS:
                        if now < close:
                            key = keys[place // attempts]
                            j = place // attempts
                            way_draws(seed, replicate, key, place % attempts, u)
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
                    if now >= close:
                        arriving = last
                        break
                    place = arriving * attempts
                    contact[place, CONTACT] = now
                    contact[place, PATIENCE] = min(now + contact[place, PATIENCE], np.int64(NEVER))
                    if contact[place, OUTCOME] != FAILS_PRESCREEN:
                        score = scores[arriving] if by_score else -now
                        waiting = _queue(value, who, waiting, score, place)
                    arriving += 1
                while waiting > 0 and free > 0 and committed < cap[s] and now < close:
                    place = who[0]
                    waiting = _drop_best(value, who, waiting)
                    if contact[place, PATIENCE] <= now:
                        continue
                    j = place // attempts
                    attempt = place % attempts
                    outcome = contact[place, OUTCOME]
                    screened, final = contact[place, SCREENED], contact[place, FINAL]
                    contact[place, DISPATCH] = now
                    contact[place, ANSWER] += now
                    contact[place, SCREENED] += now
                    contact[place, FINAL] += now
                    free -= 1
                    committed += 1
                    if outcome == PASSES or outcome == PASSES - 1:
                        agenda = _add_to_agenda(when, what, agenda, now + screened, place << 2 | _FREES)
                        passed += 1
                        latest = max(latest, now + final)
                        # A randomisation comes before a closing of the same instant, so the cap closes first.
                        if passed == cap[s] and latest <= close:
                            close = latest
                            why = CLOSED_BY_CAP
                        continue
                    if final > screened:
                        agenda = _add_to_agenda(when, what, agenda, now + screened, place << 2 | _FREES)
                        agenda = _add_to_agenda(when, what, agenda, now + final, place << 2 | _LEAVES)
                    else:
                        agenda = _add_to_agenda(
                            when, what, agenda, now + screened, place << 2 | _FREES_AND_LEAVES
                        )
                    if outcome != REFUSES:
                        again = comes_again(seed, replicate, keys[j], attempt, numbers, grid)
                        if again < NEVER:
                            agenda = _add_to_agenda(
                                when, what, agenda, now + final + again, (place + 1) << 2 | _RETURNS
                            )
            closed_at[r, s] = close
            closed_why[r, s] = why


@kernel
def find_closing(
    offsets, contact, sites, attempts, target, keep, until, closing, closing_place, enrolled, pipeline_end
):
    """Find when enrolment closes in each replicate, and how many are randomised in all.

    ``closing`` is NEVER where fewer than ``target`` are randomised by ``until[replicate]``; ``closing_place`` the row of
    ``contact`` of the target-th. With ``keep`` those are counted too who were in screening at the closing and pass later;
    ``pipeline_end`` is when the last of these, whatever comes of them, has reached an end.
    """
    largest = 0
    for r in range(len(closing)):
        largest = max(largest, offsets[(r + 1) * sites] - offsets[r * sites])
    found = np.empty(largest * attempts + 1, np.int64)
    for r in range(len(closing)):
        first = offsets[r * sites] * attempts
        last = offsets[(r + 1) * sites] * attempts
        count = 0
        for c in range(first, last):
            if (
                contact[c, DISPATCH] < NEVER
                and -1 <= contact[c, OUTCOME] <= 0
                and contact[c, FINAL] <= until[r]
            ):
                found[count] = contact[c, FINAL] << _PLACE_BITS | (c - first)
                count += 1
        closing[r] = NEVER
        closing_place[r] = -1
        enrolled[r] = count
        pipeline_end[r] = 0
        if count < target:
            continue
        found[:count].sort()
        closing[r] = found[target - 1] >> _PLACE_BITS
        closing_place[r] = (found[target - 1] & _PLACE_MASK) + first
        enrolled[r] = target
        if keep:
            for c in range(first, last):
                if contact[c, DISPATCH] < closing[r] and contact[c, FINAL] >= closing[r]:
                    pipeline_end[r] = max(pipeline_end[r], contact[c, FINAL])
                    passes = -1 <= contact[c, OUTCOME] <= 0
                    later = contact[c, FINAL] > closing[r] or c > closing_place[r]
                    enrolled[r] += np.int64(passes and later)


@kernel
def list_enrolled(
    offsets, contact, keys, sites, attempts, keep, until, closing, closing_place, entry, key, place
):
    """List the patients of each replicate in the order of their randomisation; the rest of each row is left as it is."""
    largest = 0
    for r in range(len(closing)):
        largest = max(largest, offsets[(r + 1) * sites] - offsets[r * sites])
    found = np.empty(largest * attempts + 1, np.int64)
    for r in range(len(closing)):
        first = offsets[r * sites] * attempts
        last = offsets[(r + 1) * sites] * attempts
        count = 0
        for c in range(first, last):
            if not (contact[c, DISPATCH] < NEVER and -1 <= contact[c, OUTCOME] <= 0):
                continue
            at = contact[c, FINAL]
            before = at <= until[r] and (at < closing[r] or (at == closing[r] and c <= closing_place[r]))
            # Who would be randomised after the longest horizon never is, and would not fit beside a place.
            if before or (keep and contact[c, DISPATCH] < closing[r] < NEVER and at < LAST_TICK):
                found[count] = at << _PLACE_BITS | (c - first)
                count += 1
        found[:count].sort()
        for i in range(count):
            c = (found[i] & _PLACE_MASK) + first
            entry[r, i] = found[i] >> _PLACE_BITS
            key[r, i] = keys[c // attempts]
            place[r, i] = c


@kernel
def site_tallies(
    seed, replicates, offsets, keys, contact, chances, chance_rows, levels, sites, attempts, keep, closing, closing_place,
    ends, openings, closed_at, closed_why, coordinators, tally, reasons, subgroups, idle, closed,
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
    subgroups
        Filled: who came, who was eligible and who was randomised by subgroup, ``[replicate, level, 3]``.
    idle
        Filled: ticks that coordinators were free while the site enrolled, ``[replicate, site]``.
    closed
        Filled: when each site closed by itself before the end, NEVER where it did not, ``[replicate, site]``.
    """
    tally[:] = 0
    reasons[:] = 0
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
                j = c // attempts
                first_attempt = c % attempts == 0
                outcome = contact[c, OUTCOME]
                mine[CAME] += np.int64(first_attempt)
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
                    continue
                mine[CONSENTED] += 1
                mine[TO_CONSENT] += answer - came
                if outcome > 0:
                    if final <= end and (final <= shut or stays):
                        mine[FAILED] += 1
                        reasons[r, outcome - 1] += 1
                    else:
                        mine[RELEASED] += np.int64(shut <= end and not stays)
                    continue
                if by_cap and final == close:
                    fills = max(fills, c)
                before = final < shut or (final == shut and c <= closing_place[r])
                if final <= end and (before or stays):
                    mine[RANDOMISED] += 1
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


@kernel
def record_strata(seed, replicates, keys, margin, strata, count, rate, out):
    """Fill the stratum in which each patient is allocated, errors included."""
    for r in range(out.shape[0]):
        mine = strata[r if strata.shape[0] > 1 else 0]
        for i in range(out.shape[1]):
            out[r, i] = recorded_stratum(seed, replicates[r], keys[r, i], margin, mine[i], count, rate)


@kernel
def count_randomised(entry, keys, ends, ticks, group, out):
    """Add up the patients of each group of sites who were randomised by each time and by the end of their trial.

    Parameters
    ----------
    entry, keys
        Tick of randomisation, NEVER for those who never come, and candidate's key, ``[replicate, patient]``.
    ends
        Tick at which each trial ended, ``[replicate]``.
    ticks
        The times, in order, ``[date]``.
    group
        Number of the group of each site, ``[site]``.
    out
        Zeros to be filled, ``[replicate, date, group]``.
    """
    dates = len(ticks)
    for r in range(len(entry)):
        for i in range(entry.shape[1]):
            if entry[r, i] > ends[r]:
                continue
            date = np.searchsorted(ticks, entry[r, i])
            if date < dates:
                out[r, date, group[keys[r, i] >> SITE_BITS]] += 1
        for date in range(1, dates):
            for g in range(out.shape[2]):
                out[r, date, g] += out[r, date - 1, g]
