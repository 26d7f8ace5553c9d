"""Compiled loops of the fast engine: allocation, outcomes, dates of counts, risk sets and counts at a cut.

Arrays are ``[replicate, patient]``; an array that is the same for every replicate has one row, and is read through
``row_of`` (``replicate`` or 0). Times are ticks; ``NEVER`` stands for what does not happen.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.draws import Purpose, fill_words, unit, words_at
from trialsim.operations.allocation import ALTERNATING, SIMPLE, arm_in_turn, draw_by_weight, draw_from_block
from trialsim.population.endpoints.binary import fill_responses
from trialsim.population.endpoints.continuous import fill_values
from trialsim.population.endpoints.survival import fill_event_ticks
from trialsim.population.patients import row_number
from trialsim.stats.moments import binary_moments, mean_and_squares
from trialsim.timegrid import NEVER

_ALLOCATION = int(Purpose.ALLOCATION)
_PATIENT_BITS = 20
_PATIENT_MASK = (1 << _PATIENT_BITS) - 1
_LOWER_HALF = (1 << 32) - 1


@inline
def row_of(array, replicate):
    """Return the row of a possibly shared array."""
    return replicate if array.shape[0] > 1 else 0


@kernel
def allocate(
    seed,
    replicates,
    chosen,
    first,
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
    """Allocate patients ``first[r]`` onwards of each chosen replicate, beginning blocks and turns anew.

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
    for r in chosen:
        block_size = 0
        for a in range(arms):
            shares[a] = ratio[a] if open_arms[r, a] else 0
            block[a] = places[a] if open_arms[r, a] else 0
            plain[a] = shares[a]
            block_size += block[a]
        places_left[:] = 0
        turn = 0
        by_weight = weights[r, 0] == weights[r, 0]
        s = strata[row_of(strata, r)]
        in_turn = rule == ALTERNATING and not by_weight
        mine = weights[r]
        if not in_turn and len(keys):
            words_at(words, keys[r], first[r], replicates[r], _ALLOCATION, 0, seed)
        elif not in_turn:
            fill_words(words, table, first[r] // 32 * 8, blocks, replicates[r], _ALLOCATION, seed)
        for i in range(first[r], n):
            if in_turn:
                arm[r, i] = arm_in_turn(turn, shares)
                turn += 1
            elif by_weight:
                arm[r, i] = draw_by_weight(unit(words[i]), mine)
            elif rule == SIMPLE:
                arm[r, i] = draw_by_weight(unit(words[i]), plain)
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
    exponent,
    scale,
    grid,
    out,
):
    """Fill the delay from entry to an event of each patient from ``first[r]`` on.

    Patients are addressed by their number, whose part of the random words ``table`` holds, or by their ``keys``.
    """
    n = out.shape[1]
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    amount = np.empty(n)
    days = np.empty(n)
    for r in chosen:
        if len(keys):
            words_at(words, keys[r], first[r], replicates[r], purpose, draw, seed)
        else:
            fill_words(words, table, first[r] // 32 * 8, blocks, replicates[r], purpose, seed)
        fill_event_ticks(
            words, factors, rows[row_of(rows, r)], arm[row_of(arm, r)], begin, width, slope, jump, exponent, scale,
            grid, first[r], n, amount, days, out[r],
        )  # fmt: skip


@kernel
def exits(chosen, first, entry, delay, dropout, event_at, exit_at):
    """Turn delays to event and dropout into calendar times.

    ``event_at`` is NEVER where dropout comes first, ``exit_at`` the earlier of the two.
    """
    for r in chosen:
        since = first[r]
        e = entry[row_of(entry, r), since:]
        d = dropout[row_of(dropout, r), since:]
        t = delay[r, since:]
        out = exit_at[r, since:]
        event = event_at[r, since:]
        for i in range(len(t)):
            out[i] = e[i] + min(t[i], d[i])
        for i in range(len(t)):
            event[i] = out[i] if t[i] <= d[i] else np.int64(NEVER)


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
def responses(seed, replicates, chosen, first, table, keys, purpose, draw, thresholds, rows, arm, out):
    """Fill binary outcomes."""
    n = out.shape[1]
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    for r in chosen:
        if len(keys):
            words_at(words, keys[r], first[r], replicates[r], purpose, draw, seed)
        else:
            fill_words(words, table, first[r] // 32 * 8, blocks, replicates[r], purpose, seed)
        fill_responses(words, thresholds, rows[row_of(rows, r)], arm[row_of(arm, r)], first[r], n, out[r])


@kernel
def values(seed, replicates, chosen, first, table, keys, purpose, draw, expected, rows, arm, sd, out):
    """Fill continuous outcomes."""
    n = out.shape[1]
    blocks = table.shape[1]
    words = np.empty(max(4 * blocks, n), np.uint64)
    tails = np.empty(n, np.int64)
    for r in chosen:
        if len(keys):
            words_at(words, keys[r], first[r], replicates[r], purpose, draw, seed)
        else:
            fill_words(words, table, first[r] // 32 * 8, blocks, replicates[r], purpose, seed)
        fill_values(
            words, expected, rows[row_of(rows, r)], arm[row_of(arm, r)], sd, first[r], n, tails, out[r]
        )


@kernel
def _count_by(times, limit):
    """Return how many times are at most ``limit``."""
    count = 0
    for i in range(len(times)):
        count += np.int64(times[i] <= limit)
    return count


@kernel
def _latest_by(times, limit):
    """Return the latest time that is at most ``limit``."""
    latest = np.int64(-1)
    for i in range(len(times)):
        latest = max(latest, times[i] if times[i] <= limit else np.int64(-1))
    return latest


@kernel
def _earliest_after(times, limit):
    """Return the earliest time that is later than ``limit``."""
    earliest = np.int64(NEVER)
    for i in range(len(times)):
        earliest = min(earliest, times[i] if times[i] > limit else np.int64(NEVER))
    return earliest


@kernel
def _date_of_count(times, count, guess):
    """Return the earliest time by which at least ``count`` of ``times`` have come, or NEVER.

    Counting passes vectorise where sorting does not; a secant search between the brackets needs four or five of them.
    The answer does not depend on ``guess``.
    """
    total = _count_by(times, NEVER - 1)
    if total < count:
        return np.int64(NEVER)
    low = np.int64(-1)  # fewer than count by then
    low_count = 0
    high = np.int64(-1)  # at least count by then
    high_count = 0
    probe = guess
    for step in range(200):
        if high >= 0:
            if high - low == 1:
                return high
            probe = min(max(probe, low + 1), high - 1)
        else:
            probe = max(probe, low + 1)
        found = _count_by(times, probe)
        if found == count:
            return _latest_by(times, probe)
        if found < count:
            if found == count - 1:
                following = _earliest_after(times, probe)
                return following
            low = probe
            low_count = found
        else:
            high = probe
            high_count = found
        if high < 0:
            probe = max(2 * probe, np.int64(1))
            if probe >= NEVER:
                probe = np.int64(NEVER - 1)
        elif step % 4 == 3:
            probe = low + (high - low) // 2
        else:
            probe = low + np.int64((high - low) * ((count - low_count) / (high_count - low_count)))
    return np.int64(NEVER)


@kernel
def dates_of_counts(chosen, times, arm, counted, count, out):
    """Fill the date of the ``count``-th of the times of patients in counted arms; NEVER where there are fewer."""
    n = times.shape[1]
    everybody = counted.all()
    masked = np.empty(n, np.int64)
    guess = np.int64(1 << 28)
    for k in range(len(chosen)):
        r = chosen[k]
        t = times[row_of(times, r)]
        if everybody:
            out[k] = _date_of_count(t, count, guess)
        else:
            a = arm[row_of(arm, r)]
            for i in range(n):
                masked[i] = t[i] if counted[a[i]] else NEVER
            out[k] = _date_of_count(masked, count, guess)
        if out[k] < NEVER:
            guess = out[k]


@kernel
def last_activity(chosen, entry, complete, dropout, out):
    """Fill the time at which the last of the patients who come at all has nothing more to give."""
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        d = dropout[row_of(dropout, r)]
        c = complete[row_of(complete, r)]
        latest = np.int64(0)
        for i in range(len(e)):
            if e[i] < NEVER:
                latest = max(latest, e[i] + min(c[i], d[i]))
        out[k] = latest


@kernel
def _sort(keys, size, spare, counts):
    """Sort ``keys[:size]``: spread over buckets by their leading bits, then insert within reach."""
    if size < 24:
        for j in range(1, size):
            x = keys[j]
            k = j - 1
            while k >= 0 and keys[k] > x:
                keys[k + 1] = keys[k]
                k -= 1
            keys[k + 1] = x
        return
    largest = np.int64(0)
    for j in range(size):
        largest = max(largest, keys[j])
    shift = np.int64(0)
    while (largest >> shift) >= 2 * size:
        shift += 1
    buckets = (largest >> shift) + 1
    for b in range(buckets):
        counts[b] = 0
    for j in range(size):
        counts[keys[j] >> shift] += 1
    place = 0
    for b in range(buckets):
        c = counts[b]
        counts[b] = place
        place += c
    for j in range(size):
        b = keys[j] >> shift
        spare[counts[b]] = keys[j]
        counts[b] += 1
    keys[0] = spare[0]
    for j in range(1, size):
        x = spare[j]
        k = j - 1
        while k >= 0 and keys[k] > x:
            keys[k + 1] = keys[k]
            k -= 1
        keys[k + 1] = x


@kernel
def sort_new_exits(chosen, cut, seen, entry, exit_at, known_at, event_at, keys, sizes):
    """Merge the exits that become known in (``seen[r]``, ``cut``] into each replicate's sorted list of exits.

    A key packs time since entry, whether it is no event, and the patient, so that events come first among ties.
    ``keys[r, :sizes[r]]`` is the list; ``seen`` is moved to the cut.
    """
    n = exit_at.shape[1]
    fresh = np.empty(n + 1, np.int64)
    spare = np.empty(n + 1, np.int64)
    counts = np.empty(2 * n + 64, np.int64)
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        since = seen[r]
        limit = cut[k]
        out = exit_at[r]
        known = known_at[r]
        event = event_at[r]
        size = 0
        for i in range(n):
            t = out[i]
            fresh[size] = ((t - e[i]) << (_PATIENT_BITS + 1)) | (np.int64(event[i] != t) << _PATIENT_BITS) | i
            size += np.int64((known[i] <= limit) & (known[i] > since))
        _sort(fresh, size, spare, counts)
        old = sizes[r]
        place = old + size
        a = old - 1
        b = size - 1
        mine = keys[r]
        while b >= 0:
            place -= 1
            if a >= 0 and mine[a] > fresh[b]:
                mine[place] = mine[a]
                a -= 1
            else:
                mine[place] = fresh[b]
                b -= 1
        sizes[r] = old + size
        seen[r] = limit


@kernel
def numbers_at_risk(
    chosen,
    cut,
    entry,
    known_at,
    arm,
    strata,
    stratum_count,
    keys,
    sizes,
    treatment,
    control,
    offsets,
    at_risk,
    at_risk_treatment,
    events,
    events_treatment,
):
    """Fill the risk tables of two arms, one stratum after the other.

    Two lists run side by side in time since entry: exits seen by the cut, sorted, and patients still followed, who
    leave the risk set in the reverse order of their entry. Whoever's exit is not known yet is still followed.
    """
    n = known_at.shape[1]
    member = np.empty(n, np.int64)
    row = 0
    offsets[0] = 0
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        g = arm[row_of(arm, r)]
        s = strata[row_of(strata, r)]
        out = known_at[r]
        mine = keys[r]
        limit = cut[k]
        entered = np.searchsorted(e, limit, side="right")
        for stratum in range(stratum_count):
            # One number holds both counts: patients in its lower half, patients on treatment in its upper half.
            total = np.int64(0)
            for i in range(n):
                here = np.int64((s[i] == stratum) & ((g[i] == treatment) | (g[i] == control)))
                member[i] = here | (here & np.int64(g[i] == treatment)) << 32
            for i in range(entered):
                total += member[i]
            j = entered - 1
            q = 0
            while q < sizes[r]:
                time = mine[q] >> (_PATIENT_BITS + 1)
                while j >= 0 and limit - e[j] < time:
                    total -= member[j] * np.int64(out[j] > limit)
                    j -= 1
                had = np.int64(0)
                gone = np.int64(0)
                while q < sizes[r] and mine[q] >> (_PATIENT_BITS + 1) == time:
                    who = member[np.uint64(mine[q] & _PATIENT_MASK)]
                    had += who * np.int64((mine[q] >> _PATIENT_BITS) & 1 == 0)
                    gone += who
                    q += 1
                at_risk[row] = total & _LOWER_HALF
                at_risk_treatment[row] = total >> 32
                events[row] = had & _LOWER_HALF
                events_treatment[row] = had >> 32
                row += np.int64(had > 0)
                total -= gone
        offsets[k + 1] = row
    return row


@kernel
def binary_readouts(chosen, cut, readout_at, outcome, arm, pair, n_out, mean, squares):
    """Fill the moments of binary read-outs of two arms.

    Who has been read out in which arm is found once for replicates that share times, arms and cut.
    """
    n = readout_at.shape[1]
    seen = np.empty((2, n), np.int8)
    count = np.zeros(2, np.int64)
    alike = readout_at.shape[0] == 1 and arm.shape[0] == 1
    for k in range(len(chosen)):
        r = chosen[k]
        if k == 0 or not alike or cut[k] != cut[k - 1]:
            t = readout_at[row_of(readout_at, r)]
            g = arm[row_of(arm, r)]
            for side in range(2):
                count[side] = 0
                for i in range(n):
                    here = (t[i] <= cut[k]) & (g[i] == pair[side])
                    seen[side, i] = here
                    count[side] += np.int64(here)
        y = outcome[r]
        for side in range(2):
            mine = seen[side]
            total = 0
            for i in range(n):
                total += np.int64(y[i] & mine[i])
            n_out[k, side] = count[side]
            mean[k, side], squares[k, side] = binary_moments(count[side], total)


@kernel
def continuous_readouts(chosen, cut, readout_at, outcome, arm, pair, n_out, mean, squares):
    """Fill the moments of continuous read-outs of two arms, added in the order of entry."""
    n = readout_at.shape[1]
    kept = np.empty(n + 1)
    for k in range(len(chosen)):
        r = chosen[k]
        t = readout_at[row_of(readout_at, r)]
        g = arm[row_of(arm, r)]
        for side in range(2):
            a = pair[side]
            count = 0
            for i in range(n):
                kept[count] = outcome[r, i]
                count += np.int64((t[i] <= cut[k]) & (g[i] == a))
            n_out[k, side] = count
            mean[k, side], squares[k, side] = mean_and_squares(kept, count)


@kernel
def counts_by_arm(chosen, cut, times, arm, out):
    """Fill how many of the times have come by the cut in each arm, ``[k, arm]``.

    Replicates that share times and arms share counts: the last few cuts are remembered.
    """
    n = times.shape[1]
    alike = times.shape[0] == 1 and arm.shape[0] == 1
    known = np.full(8, -1, np.int64)
    following = 0
    for k in range(len(chosen)):
        if alike:
            before = np.int64(-1)
            for slot in range(8):
                if known[slot] >= 0 and cut[known[slot]] == cut[k]:
                    before = known[slot]
            if before >= 0:
                for a in range(out.shape[1]):
                    out[k, a] = out[before, a]
                continue
            known[following] = k
            following = (following + 1) % 8
        t = times[row_of(times, chosen[k])]
        g = arm[row_of(arm, chosen[k])]
        for a in range(out.shape[1]):
            count = 0
            for i in range(n):
                count += np.int64((t[i] <= cut[k]) & (g[i] == a))
            out[k, a] = count


@kernel
def totals_by_arm(chosen, cut, readout_at, outcome, arm, out):
    """Fill the sum of the read-outs of each arm by the cut, ``[k, arm]``, added in the order of entry."""
    n = readout_at.shape[1]
    out[:] = 0.0
    for k in range(len(chosen)):
        r = chosen[k]
        t = readout_at[row_of(readout_at, r)]
        g = arm[row_of(arm, r)]
        for i in range(n):
            if t[i] <= cut[k]:
                out[k, g[i]] += outcome[r, i]


@kernel
def dropouts_by_arm(chosen, cut, entry, dropout, complete, arm, out):
    """Fill how many patients were lost by the cut in each arm, ``[k, arm]``, while they still had something to give."""
    out[:] = 0
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        d = dropout[row_of(dropout, r)]
        c = complete[row_of(complete, r)]
        g = arm[row_of(arm, r)]
        for i in range(len(e)):
            out[k, g[i]] += np.int64((e[i] + d[i] <= cut[k]) & (d[i] < c[i]))


@kernel
def last_readout(chosen, enrolled, entry, dropout, wait, last):
    """Raise ``last`` to the time of the last read-out, or loss before it, of the patients randomised."""
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        d = dropout[row_of(dropout, r)]
        for i in range(enrolled[k]):
            last[k] = max(last[k], e[i] + min(wait, d[i]))


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
