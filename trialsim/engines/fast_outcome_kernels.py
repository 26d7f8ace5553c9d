"""Compiled loops of the fast engine that lay out patients: rows of a table, arms, outcomes and when they are known.

Arrays are ``[replicate, patient]``; an array that is the same for every replicate has one row, and is read through
``row_of``. Times are ticks; ``NEVER`` stands for what does not happen.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.bit_marks import PATIENTS_A_WORD, bits_before, words_for
from trialsim.compiled import kernel
from trialsim.draws import Purpose, fill_bits, fill_words, thresholds_in_lanes, unit
from trialsim.engines.fast_rows import row_of
from trialsim.keyed_words import words_at
from trialsim.operations.allocation import (
    ALTERNATING,
    MOST_PACKED,
    SIMPLE,
    draw_from_block,
    draw_from_packed_block,
    fill_by_weight,
    fill_in_turn,
    packed_block,
)
from trialsim.population.endpoints.binary import fill_responses
from trialsim.population.endpoints.continuous import fill_values
from trialsim.population.endpoints.survival import fill_event_ticks, fill_lasting_event_ticks, order_by_arm
from trialsim.population.patients import row_number
from trialsim.timegrid import NEVER

_ALLOCATION = int(Purpose.ALLOCATION)
_TOGETHER = 512


@kernel
def allocate(
    seed,
    replicates,
    chosen,
    first,
    last,
    table,
    keys,
    rule,
    ratio,
    places,
    strata,
    stratum_count,
    open_arms,
    weights,
    arm,
):
    """Allocate patients ``first[r]`` to ``last[r] - 1`` of each chosen replicate, beginning blocks and turns anew.

    ``weights[r]`` that begin with NaN leave the design's rule in force. ``table`` belongs to the words of allocation,
    which an alternating rule does not need. Fills ``arm``.
    """
    n = arm.shape[1]
    arms = len(ratio)
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    shares = np.empty(arms, np.int64)
    block = np.empty(arms, np.int64)
    plain = np.empty(arms)
    left = np.empty((stratum_count, arms), np.int64)
    places_left = np.empty(stratum_count, np.int64)
    packed = np.empty(stratum_count, np.uint64)
    slots = min(1 << arms, 64) if rule == ALTERNATING else 0
    turns, in_turn_for = np.empty((slots, n), np.int8), np.full(slots, -1, np.int64)
    passed = np.empty(n)
    for r in chosen:
        by_weight = weights[r, 0] == weights[r, 0]
        if rule == ALTERNATING and not by_weight:
            which = np.int64(0)
            for a in range(arms):
                which |= np.int64(open_arms[r, a]) << a
            slot = which % slots
            if in_turn_for[slot] != which:
                in_turn_for[slot] = which
                for a in range(arms):
                    shares[a] = ratio[a] if open_arms[r, a] else 0
                fill_in_turn(shares, turns[slot])
            mine, theirs = arm[r, first[r] : last[r]], turns[slot]
            for i in range(len(mine)):
                mine[i] = theirs[i]
            continue
        block_size = 0
        for a in range(arms):
            shares[a] = ratio[a] if open_arms[r, a] else 0
            block[a] = places[a] if open_arms[r, a] else 0
            plain[a] = shares[a]
            block_size += block[a]
        places_left[:] = 0
        packs = block_size <= MOST_PACKED and arms <= 8
        whole = packed_block(block) if packs else np.uint64(0)
        s = strata[row_of(strata, r)]
        if len(keys):
            words_at(words, keys[r, : last[r]], first[r], replicates[r], _ALLOCATION, 0, seed)
        else:
            end = min((last[r] + 31) // 32 * 8, blocks)
            fill_words(words, table, first[r] // 32 * 8, end, replicates[r], _ALLOCATION, seed)
        if by_weight or rule == SIMPLE:
            fill_by_weight(words, weights[r] if by_weight else plain, first[r], last[r], passed, arm[r])
            continue
        for i in range(first[r], last[r]):
            if packs:
                g = np.uint64(s[i])
                if places_left[g] == 0:
                    places_left[g] = block_size
                    packed[g] = whole
                a = draw_from_packed_block(unit(words[i]), packed[g], places_left[g])
                packed[g] -= np.uint64(1) << np.uint64(8 * a)
                places_left[g] -= 1
                arm[r, i] = a
            else:
                g = s[i]
                if places_left[g] == 0:
                    places_left[g] = block_size
                    for a in range(arms):
                        left[g, a] = block[a]
                a = draw_from_block(unit(words[i]), left, g, places_left[g])
                left[g, a] -= 1
                places_left[g] -= 1
                arm[r, i] = a


@kernel
def draw_rows(seed, replicates, table, purpose, row_count, out):
    """Fill which row of a table of real patients each patient is, ``[replicate, patient]``."""
    n = out.shape[1]
    blocks = table.shape[1]
    words = np.empty(4 * blocks, np.uint64)
    for r in range(len(replicates)):
        fill_words(words, table, 0, blocks, replicates[r], purpose, seed)
        mine = out[r]
        for i in range(n):
            mine[i] = row_number(words[i], row_count)


@kernel
def _exits(since, entry, delay, dropout, event_at, exit_at):
    """Turn one replicate's delays to event and dropout into calendar times, of patients ``since`` and later."""
    e = entry[since:]
    t = delay[since:]
    d = dropout[since:]
    event = event_at[since:]
    out = exit_at[since:]
    for i in range(len(t)):
        out[i] = e[i] + min(t[i], d[i])
    for i in range(len(t)):
        event[i] = out[i] if t[i] <= d[i] else np.int64(NEVER)


@kernel
def delays(
    seed,
    replicates,
    chosen,
    first,
    table,
    keys,
    purpose,
    draw,
    factors,
    rows,
    arm,
    begin,
    width,
    slope,
    jump,
    lasting,
    exponent,
    scale,
    grid,
    out,
    entry,
    dropout,
    event_at,
    exit_at,
):
    """Fill the delay from entry to an event of each patient from ``first[r]`` on.

    Patients are addressed by their number, whose part of the random words ``table`` holds, or by their ``keys``.
    Where ``event_at`` and ``exit_at`` have rows, they are filled too: the calendar time of the event, NEVER where
    dropout comes first, and of whatever comes first.
    """
    n = out.shape[1]
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    amount, held, days = np.empty(n), np.empty(n), np.empty(n)
    order, until = np.empty(n + 1, np.int64), np.empty(begin.shape[0], np.int64)
    # What a patient's arm and row mean for the law, found once where no replicate differs in them.
    factor, slopes = np.empty(n), np.empty(n)
    anew = True
    since = np.int64(-1)
    for r in chosen:
        g = arm[row_of(arm, r)]
        mine = rows[row_of(rows, r)]
        anew = anew or first[r] != since
        since = first[r]
        if anew and lasting:
            for i in range(n):
                row = np.uint64(mine[i]) if factors.shape[0] > 1 else np.uint64(0)
                factor[i] = factors[row, np.uint64(g[i])]
                slopes[i] = slope[np.uint64(g[i]), 0]
        elif anew:
            order_by_arm(g, first[r], n, order, until)
        anew = arm.shape[0] > 1 or (lasting and factors.shape[0] > 1 and rows.shape[0] > 1)
        if len(keys):
            words_at(words, keys[r], first[r], replicates[r], purpose, draw, seed)
        else:
            fill_words(words, table, first[r] // 32 * 8, blocks, replicates[r], purpose, seed)
        if lasting:
            fill_lasting_event_ticks(
                words, factor, slopes, exponent, scale, grid, first[r], n, days, out[r]
            )  # fmt: skip
        else:
            fill_event_ticks(
                words, factors, mine, g, order, until, begin, width, slope, jump, exponent, scale, grid, first[r], n,
                amount, held, days, out[r],
            )  # fmt: skip
        if len(exit_at) > 0:
            _exits(
                first[r],
                entry[row_of(entry, r)],
                out[r],
                dropout[row_of(dropout, r)],
                event_at[r],
                exit_at[r],
            )


@kernel
def readout_times(chosen, first, entry, dropout, wait, readout_at):
    """Fill the calendar time of each read-out, NEVER after dropout."""
    for r in chosen:
        since = first[r]
        e = entry[row_of(entry, r), since:]
        d = dropout[row_of(dropout, r), since:]
        out = readout_at[row_of(readout_at, r), since:]
        for i in range(len(out)):
            out[i] = e[i] + wait if wait <= d[i] else np.int64(NEVER)


@kernel
def begin_completions(chosen, first, wait, complete):
    """Set the delay after which a patient has nothing more to give to the longest scheduled one."""
    for r in chosen:
        complete[r, first[r] :] = wait


@kernel
def completions(chosen, first, delay, complete):
    """Raise the delay after which a patient has nothing more to give to that of one more endpoint."""
    for r in chosen:
        d = delay[row_of(delay, r), first[r] :]
        out = complete[r, first[r] :]
        for i in range(len(out)):
            out[i] = max(out[i], d[i])


@kernel
def _of_own_arm(every, rows, arm, first, last, own):
    """Fill what the arms of patients ``first`` to ``last - 1`` make of their rows of ``every``, ``[row, arm]``."""
    arms = every.shape[1]
    if every.shape[0] == 1 and arms <= 4:
        # Comparing goes in vectors where looking up does not.
        a, b, c, d = every[0, 0], every[0, min(1, arms - 1)], every[0, min(2, arms - 1)], every[0, arms - 1]
        mine, found = arm[first:last], own[first:last]
        for i in range(len(mine)):
            g = mine[i]
            found[i] = a if g == 0 else b if g == 1 else c if g == 2 else d
        return
    for i in range(first, last):
        own[i] = every[np.uint64(rows[i]), np.uint64(arm[i])]


@kernel
def responses(seed, replicates, chosen, first, last, table, keys, purpose, draw, thresholds, rows, arm, out):
    """Fill binary outcomes of patients ``first[r]`` to ``last[r] - 1``, 64 patients a word of ``out``."""
    room = PATIENTS_A_WORD * out.shape[1]
    words = np.zeros(room if len(keys) else 0, np.uint64)
    threshold, in_lanes = np.zeros(room, np.uint64), np.empty(room, np.uint64)
    alike = arm.shape[0] == 1 and rows.shape[0] == 1
    known = 0
    for r in chosen:
        begin, end = first[r], last[row_of(last, r)]
        if begin >= end:
            continue
        whole = words_for(end)
        start = known if alike else begin // PATIENTS_A_WORD * PATIENTS_A_WORD
        upto = min(PATIENTS_A_WORD * whole, arm.shape[1])
        if upto > start:
            _of_own_arm(thresholds, rows[row_of(rows, r)], arm[row_of(arm, r)], start, upto, threshold)
            thresholds_in_lanes(threshold, start // PATIENTS_A_WORD, whole, in_lanes)
            known = max(known, upto)
        if len(keys):
            words_at(words, keys[r, :end], begin, replicates[r], purpose, draw, seed)
            fill_responses(words, threshold, begin, out[r, :whole])
        else:
            since, kept = begin // PATIENTS_A_WORD, bits_before(begin)
            before = out[r, since] & kept
            fill_bits(out[r], table, in_lanes, since, whole, replicates[r], purpose, seed)
            out[r, since] = before | (out[r, since] & ~kept)


@kernel
def values(seed, replicates, chosen, first, last, table, keys, purpose, draw, expected, rows, arm, sd, out):
    """Fill continuous outcomes of patients ``first[r]`` to ``last[r] - 1``; rows of ``out`` may be longer than that."""
    n = arm.shape[1]
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    tails, held = np.empty(n + 1, np.int64), np.empty((2, n))
    own = np.empty(n)
    alike = arm.shape[0] == 1 and rows.shape[0] == 1
    known = 0
    for r in chosen:
        begin, end = first[r], last[row_of(last, r)]
        start = known if alike else begin
        _of_own_arm(expected, rows[row_of(rows, r)], arm[row_of(arm, r)], start, end, own)
        known = max(known, end)
        if len(keys):
            words_at(words, keys[r, :end], begin, replicates[r], purpose, draw, seed)
        else:
            fill_words(
                words, table, begin // 32 * 8, min((end + 31) // 32 * 8, blocks), replicates[r], purpose, seed
            )
        fill_values(words, own, sd, begin, end, tails, held, out[r])


@kernel
def values_of_few(
    seed, replicates, chosen, first, last, table, keys, purpose, draw, expected, rows, arm, sd, out
):
    """Fill what :func:`values` fills, the patients of several replicates together, as short loops do not pay."""
    n = arm.shape[1]
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    room = max(n, _TOGETHER)
    tails, held = np.empty(room + 1, np.int64), np.empty((2, room))
    own, theirs, made = np.empty(room), np.empty(room, np.uint64), np.empty(room)
    since, waiting = 0, 0
    for k in range(len(chosen) + 1):
        r = chosen[min(k, len(chosen) - 1)]
        begin, end = first[r], last[row_of(last, r)]
        if k == len(chosen) or waiting + end - begin > room:
            fill_values(theirs, own, sd, 0, waiting, tails, held, made)
            place = 0
            for done in chosen[since:k]:
                mine = out[done, first[done] : last[row_of(last, done)]]
                for i in range(len(mine)):
                    mine[i] = made[place + i]
                place += len(mine)
            since, waiting = k, 0
        if k == len(chosen):
            break
        mine = arm[row_of(arm, r), begin:end]
        _of_own_arm(expected, rows[row_of(rows, r), begin:end], mine, 0, len(mine), own[waiting:])
        if len(keys):
            words_at(words, keys[r, :end], begin, replicates[r], purpose, draw, seed)
        else:
            fill_words(
                words, table, begin // 32 * 8, min((end + 31) // 32 * 8, blocks), replicates[r], purpose, seed
            )
        ready, here = words[begin:end], theirs[waiting:]
        for i in range(len(ready)):
            here[i] = ready[i]
        waiting += len(ready)
