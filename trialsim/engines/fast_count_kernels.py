"""Compiled loops of the fast engine that count at a cut, and find the date by which a count is reached.

Arrays are ``[replicate, patient]``; an array that is the same for every replicate has one row, and is read through
``row_of``. Times are ticks; ``NEVER`` stands for what does not happen.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.bit_marks import same, up_to, words_for
from trialsim.compiled import kernel
from trialsim.elementary import ones_in
from trialsim.engines.fast_first_kernels import patients_in
from trialsim.engines.fast_rows import entered_by, row_of, same_bytes
from trialsim.stats.moments import fill_binary_moments, mean_and_squares, moments_by_group, moments_of_four
from trialsim.timegrid import NEVER

_REMEMBERED = 8


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
            if low < 0 and high < 0 and _count_by(times, NEVER - 1) < count:
                return np.int64(NEVER)
            low = probe
            low_count = found
        else:
            high = probe
            high_count = found
        if high < 0:
            # As many again in the mean as so far, but sooner or later by doubling.
            further = low // max(low_count, 1) * (count - low_count + 1) if step % 4 < 3 else low
            probe = min(low + max(further, np.int64(1)), np.int64(NEVER - 1))
        elif step % 4 == 3:
            probe = low + (high - low) // 2
        else:
            probe = low + np.int64((high - low) * ((count - low_count) / (high_count - low_count)))
    return np.int64(NEVER)


@kernel
def dates_of_counts(chosen, times, arm, counted, counts, out):
    """Fill the date of the count-th of the times of patients in counted arms; NEVER where there are fewer.

    ``counts`` holds a count for each chosen replicate, or one for all.
    """
    n = times.shape[1]
    everybody = counted.all()
    masked = np.empty(n, np.int64)
    guess = np.int64(1 << 28)
    for k in range(len(chosen)):
        r = chosen[k]
        t = times[row_of(times, r)]
        count = counts[row_of(counts, k)]
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
def _in_order(times):
    """Return whether times never fall."""
    falls = np.int64(0)
    for i in range(1, len(times)):
        falls += np.int64(times[i] < times[i - 1])
    return falls == 0


@kernel
def _first_with_count(arm, counted, count, each, have):
    """Return how many patients, taken in their order, it needs until counted arms have ``count``; -1: all are too few.

    As many as are lacking are needed at least, so that steps of this size never go too far; most need one or two.
    """
    have[:] = 0
    place = np.int64(0)
    while True:
        lacking, together = np.int64(0), np.int64(0)
        for a in range(len(have)):
            lacking += max(count - have[a], 0) if counted[a] else np.int64(0)
            together += have[a]
        lacking = lacking if each else max(count - together, 0)
        if lacking == 0:
            return place
        if place + lacking > len(arm):
            return np.int64(-1)
        step = arm[place : place + lacking]
        for a in range(len(have)):
            if counted[a]:
                have[a] += patients_in(step, a)
        place += lacking


@kernel
def _find_seen(arm, counted, r, seen, known):
    """Return which replicate in ``seen`` counts the same arms and has its patients in them, as far as it was looked at.

    ``seen`` holds replicate, how many patients were looked at, and the answer; ``known`` of them are there.
    """
    for place in range(known):
        other, looked_at = seen[place, 0], seen[place, 1]
        differ = np.int64(0)
        for a in range(counted.shape[1]):
            differ += np.int64(counted[other, a] != counted[r, a])
        if differ > 0:
            continue
        if same_bytes(arm[row_of(arm, r), :looked_at], arm[row_of(arm, other), :looked_at]):
            return place
    return known


@kernel
def dates_in_open_arms(chosen, times, arm, counted, count, each, out):
    """Fill when the arms in ``counted[replicate]`` have ``count`` of the times, ``each`` or together; NEVER for never."""
    n = times.shape[1]
    arms = counted.shape[1]
    held = np.empty((arms, n), np.int64)
    sizes = np.empty(arms, np.int64)
    guess = np.int64(1 << 28)
    in_order = False
    seen, known, missed = np.empty((_REMEMBERED, 3), np.int64), np.int64(0), np.int64(0)
    for k in range(len(chosen)):
        r = chosen[k]
        t = times[row_of(times, r)]
        g = arm[row_of(arm, r)]
        if k == 0 or times.shape[0] > 1:
            in_order = _in_order(t)
        if in_order:
            # Replicates often have the same patients in the same arms; given up where most are like no other.
            try_seen = times.shape[0] == 1 and missed <= _REMEMBERED + k // 2
            found = _find_seen(arm, counted, r, seen, known) if try_seen else known
            if found < known:
                place = seen[found, 2]
            else:
                place = _first_with_count(g, counted[r], count, each, sizes)
                if known < _REMEMBERED:
                    seen[known, 0], seen[known, 1], seen[known, 2] = r, place if place >= 0 else n, place
                    known += 1
                missed += 1
            out[k] = np.int64(NEVER) if place < 0 else t[place - 1] if place > 0 else np.int64(0)
            continue
        sizes[:] = 0
        for i in range(n):
            slot = np.int64(g[i]) if each else np.int64(0)
            if counted[r, g[i]]:
                held[slot, sizes[slot]] = t[i]
                sizes[slot] += 1
        latest = np.int64(0)
        for slot in range(arms):
            if counted[r, slot] if each else slot == 0:
                latest = max(latest, _date_of_count(held[slot, : sizes[slot]], count, guess))
        out[k] = latest
        if latest < NEVER:
            guess = latest


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
            latest = max(latest, e[i] + min(c[i], d[i]) if e[i] < NEVER else np.int64(0))
        out[k] = latest


@kernel
def count_in_arms(chosen, arm, out):
    """Fill how many patients with a byte of 1 in ``chosen``, int8 ``[patient]`` as ``arm`` is, are in each, ``[arm]``."""
    out[:] = 0
    for word in range(words_for(len(arm))):
        here = same(chosen, word, np.int8(1))
        for a in range(len(out)):
            out[a] += ones_in(here & same(arm, word, np.int8(a)))


@kernel
def enrolled_by_arm(chosen, cut, entry, starts, shift, arm, coming, out):
    """Fill how many patients of each arm were randomised by the cut, ``[k, arm]``, of the first ``coming`` of each row."""
    arms = out.shape[1]
    n = arm.shape[1]
    running = np.zeros((n + 1, arms), np.int64)
    everybody = np.ones(n, np.int8)
    for k in range(len(chosen)):
        r = chosen[k]
        entered = (
            entered_by(cut[k], entry[row_of(entry, r)], starts[row_of(starts, r)], shift)
            if cut[k] >= 0
            else 0
        )
        entered = min(entered, coming[row_of(coming, r)])
        if arm.shape[0] > 1:
            count_in_arms(everybody, arm[r, :entered], out[k])
            continue
        if k == 0:
            for i in range(n):
                running[i + 1] = running[i]
                running[i + 1, arm[0, i]] += 1
        for a in range(arms):
            out[k, a] = running[entered, a]


@kernel
def counts_by_arm(chosen, cut, times, arm, coming, out):
    """Fill how many of the times have come by the cut in each arm, ``[k, arm]``, of the first ``coming`` of each row.

    Replicates that share times and arms share counts: the last few cuts are remembered.
    """
    alike = times.shape[0] == 1 and arm.shape[0] == 1
    known = np.full(8, -1, np.int64)
    following = 0
    for k in range(len(chosen)):
        n = coming[row_of(coming, chosen[k])]
        if alike:
            before = np.int64(-1)
            for slot in range(8):
                if known[slot] >= 0 and cut[known[slot]] == cut[k]:
                    before = known[slot] if coming[row_of(coming, chosen[known[slot]])] == n else before
            if before >= 0:
                for a in range(out.shape[1]):
                    out[k, a] = out[before, a]
                continue
            known[following] = k
            following = (following + 1) % 8
        t = times[row_of(times, chosen[k]), :n]
        g = arm[row_of(arm, chosen[k]), :n]
        out[k] = 0
        for word in range(words_for(n)):
            come = up_to(t, word, cut[k])
            for a in range(out.shape[1]):
                out[k, a] += ones_in(come & same(g, word, np.int8(a)))


@kernel
def _who_is_read_out(cut, coming, readout_at, arm, pair, seen, count):
    """Set the bits of those of two arms who have been read out, 64 patients a word, and count them, ``[2]``."""
    seen[:] = 0
    count[:] = 0
    for side in range(2):
        for i in range(coming):
            here = (readout_at[i] <= cut) & (arm[i] == pair[side])
            seen[side, i // 64] |= np.uint64(here) << np.uint64(i % 64)
            count[side] += np.int64(here)


@kernel
def _count_responses(chosen, outcome, seen, responses):
    """Fill how many of those whose bits are set have responded, ``[2, k]``."""
    for k in range(len(chosen)):
        y = outcome[chosen[k]]
        first, second = np.int64(0), np.int64(0)
        for j in range(seen.shape[1]):
            first += ones_in(y[j] & seen[0, j])
            second += ones_in(y[j] & seen[1, j])
        responses[0, k], responses[1, k] = first, second


@kernel
def binary_readouts(chosen, cut, readout_at, outcome, arm, coming, pair, n_out, mean, squares):
    """Fill the moments of binary read-outs of two arms, of the first ``coming`` patients, ``[2, k]``.

    Outcomes are bits, 64 patients in a word. Who has been read out in which arm is found once for replicates that follow
    each other and share all of it.
    """
    seen = np.empty((2, outcome.shape[1]), np.uint64)
    count = np.empty(2, np.int64)
    alike = readout_at.shape[0] == 1 and arm.shape[0] == 1
    k = 0
    while k < len(chosen):
        r = chosen[k]
        times, groups = readout_at[row_of(readout_at, r)], arm[row_of(arm, r)]
        n = coming[row_of(coming, r)]
        _who_is_read_out(cut[k], n, times, groups, pair, seen, count)
        upto = k + 1
        while alike and upto < len(chosen) and cut[upto] == cut[k]:
            if coming[row_of(coming, chosen[upto])] != n:
                break
            upto += 1
        _count_responses(chosen[k:upto], outcome, seen, squares[:, k:upto])
        for side in range(2):
            n_out[side, k:upto] = count[side]
        k = upto
    fill_binary_moments(n_out.reshape(-1), squares.reshape(-1), mean.reshape(-1))


@kernel
def continuous_readouts(chosen, cut, readout_at, outcome, arm, coming, pair, n_out, mean, squares):
    """Fill the moments of continuous read-outs of two arms, of the first ``coming`` patients, ``[2, k]``.

    Values are added in the order of entry.
    """
    width = readout_at.shape[1]
    in_order = readout_at.shape[0] == 1 and bool((readout_at[0, 1:] >= readout_at[0, :-1]).all())
    if in_order and arm.shape[0] == 1:
        _readouts_in_order(chosen, cut, readout_at[0], outcome, arm[0], coming, pair, n_out, mean, squares)
        return
    kept = np.empty(width + 1)
    for k in range(len(chosen)):
        r = chosen[k]
        n = coming[row_of(coming, r)]
        t = readout_at[row_of(readout_at, r)]
        if in_order:
            n = min(np.int64(np.searchsorted(t, cut[k], side="right")), n)
        g = arm[row_of(arm, r)]
        for side in range(2):
            a = pair[side]
            count = 0
            for i in range(n):
                kept[count] = outcome[r, i]
                count += np.int64((t[i] <= cut[k]) & (g[i] == a))
            n_out[side, k] = count
            mean[side, k], squares[side, k] = mean_and_squares(kept, count)


@kernel
def readouts_by_arm(
    chosen,
    since,
    cut,
    wait,
    entry,
    starts,
    shift,
    readout_at,
    outcome,
    arm,
    wanted,
    spread,
    n_out,
    mean,
    squares,
):
    """Fill the moments of the read-outs of each arm that is wanted, of those later than ``since``, ``[replicate, arm]``.

    They come at most ``wait`` after entry, so that only those who entered within reach are looked at.
    """
    for k in range(len(chosen)):
        r = chosen[k]
        e, index = entry[row_of(entry, r)], starts[row_of(starts, r)]
        first = entered_by(since[k] - wait, e, index, shift) if since[k] >= wait else 0
        last = entered_by(cut[k], e, index, shift) if cut[k] >= 0 else 0
        times = readout_at[row_of(readout_at, r), first:last]
        groups = arm[row_of(arm, r), first:last]
        moments_by_group(
            outcome[r, first:last],
            groups,
            times,
            since[k],
            cut[k],
            wanted[r],
            spread,
            n_out[r],
            mean[r],
            squares[r],
        )


@kernel
def _readouts_in_order(chosen, cut, times, outcome, arm, coming, pair, n_out, mean, squares):
    """Fill the same where replicates share arms, and read-out times that never fall: four replicates at a time."""
    width = len(times)
    side, by = np.full(width, 2, np.int8), np.zeros((width + 1, 2), np.int64)
    for i in range(width):
        for s in range(2):
            by[i + 1, s] = by[i, s] + np.int64(arm[i] == pair[s])
            side[i] = s if arm[i] == pair[s] else side[i]
    ends, counts = np.empty(4, np.int64), np.empty((4, 2), np.int64)
    centre, spread = np.empty((4, 2)), np.empty((4, 2))
    for first in range(0, len(chosen), 4):
        for k in range(4):
            j = min(first + k, len(chosen) - 1)
            read = np.int64(np.searchsorted(times, cut[j], side="right"))
            ends[k] = min(read, coming[row_of(coming, chosen[j])])
            counts[k] = by[ends[k]]
        last = len(chosen) - 1
        moments_of_four(
            outcome[chosen[first]], outcome[chosen[min(first + 1, last)]], outcome[chosen[min(first + 2, last)]],
            outcome[chosen[min(first + 3, last)]], side, ends, counts, centre, spread,
        )  # fmt: skip
        for k in range(min(4, len(chosen) - first)):
            for s in range(2):
                j = first + k
                n_out[s, j], mean[s, j], squares[s, j] = counts[k, s], centre[k, s], spread[k, s]


@kernel
def totals_by_arm(chosen, cut, readout_at, outcome, arm, coming, out):
    """Fill the sum of the read-outs of each arm by the cut, ``[k, arm]``, of the first ``coming``, in order of entry."""
    out[:] = 0.0
    for k in range(len(chosen)):
        r = chosen[k]
        n = coming[row_of(coming, r)]
        t = readout_at[row_of(readout_at, r)]
        g = arm[row_of(arm, r)]
        for i in range(n):
            if t[i] <= cut[k]:
                out[k, g[i]] += outcome[r, i]


@kernel
def responses_by_arm(chosen, cut, readout_at, outcome, arm, coming, out):
    """Fill the number of responses of each arm by the cut, ``[k, arm]``, of the first ``coming`` patients.

    Outcomes are bits, 64 in a word.
    """
    out[:] = 0.0
    for k in range(len(chosen)):
        r = chosen[k]
        n = coming[row_of(coming, r)]
        t = readout_at[row_of(readout_at, r)]
        g = arm[row_of(arm, r)]
        bits = outcome[r]
        for i in range(n):
            responded = (bits[i // 64] >> np.uint64(i % 64)) & np.uint64(1)
            out[k, g[i]] += np.float64(responded if t[i] <= cut[k] else np.uint64(0))


@kernel
def dropouts_by_arm(chosen, cut, entry, dropout, complete, arm, out):
    """Fill how many patients were lost by the cut in each arm, ``[k, arm]``, while they still had something to give."""
    n = arm.shape[1]
    lost = np.empty(n, np.int8)
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        d = dropout[row_of(dropout, r)]
        c = complete[row_of(complete, r)]
        limit = cut[k]
        for i in range(n):
            lost[i] = (e[i] + d[i] <= limit) & (d[i] < c[i])
        count_in_arms(lost, arm[row_of(arm, r)], out[k])


@kernel
def pending_by_arm(chosen, cut, entry, readout_at, dropout, arm, coming, out):
    """Fill how many patients in each arm have entered by the cut and are neither read out nor lost, ``[k, arm]``."""
    waiting = np.empty(arm.shape[1], np.int8)
    for k in range(len(chosen)):
        r = chosen[k]
        n = coming[row_of(coming, r)]
        e = entry[row_of(entry, r)]
        t = readout_at[row_of(readout_at, r)]
        d = dropout[row_of(dropout, r)]
        limit = cut[k]
        for i in range(n):
            waiting[i] = (e[i] <= limit) & (t[i] > limit) & ((t[i] < NEVER) | (e[i] + d[i] > limit))
        count_in_arms(waiting, arm[row_of(arm, r), :n], out[k])


@kernel
def last_readout(chosen, enrolled, entry, dropout, wait, last):
    """Raise ``last`` to the time of the last read-out, or loss before it, of the patients randomised."""
    for k in range(len(chosen)):
        r = chosen[k]
        e = entry[row_of(entry, r)]
        d = dropout[row_of(dropout, r)]
        for i in range(enrolled[k]):
            last[k] = max(last[k], e[i] + min(wait, d[i]))
