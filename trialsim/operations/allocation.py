"""Which arm a patient gets: the compiled rules of allocation, as pure functions of counts and one uniform."""

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.draws import Purpose, uniform, unit
from trialsim.elementary import ones_in

ALTERNATING = 0
SIMPLE = 1
BLOCKS = 2
MINIMISATION = 3
BIASED_COIN = 4

_STRATUM = int(Purpose.STRATUM)


@kernel
def draw_by_weight(u, weights):  # type: ignore[no-untyped-def]
    """Return an arm with probability proportional to its weight, from one uniform.

    Parameters
    ----------
    u
        Uniform in (0, 1).
    weights
        Weights, not negative, not all zero, ``[arm]``.

    Returns
    -------
    int
        Index of an arm with positive weight.
    """
    total = 0.0
    for a in range(len(weights)):
        total += weights[a]
    left = u * total
    chosen = -1
    for a in range(len(weights)):
        if weights[a] > 0.0:
            chosen = a
            left -= weights[a]
            if left < 0.0:
                return chosen
    return chosen


@kernel
def fill_by_weight(words, weights, first, last, left, arm):  # type: ignore[no-untyped-def]
    """Fill the arms of patients ``first`` to ``last - 1`` with what :func:`draw_by_weight` gives, many side by side.

    What is left of a uniform once an arm's weight is taken off only ever falls, so that the arm drawn is told by how many
    times it was not yet below zero.

    Parameters
    ----------
    words
        Random words by patient.
    weights
        As there.
    left
        Scratch, float64 ``[patient]``.
    arm
        Filled, int8 ``[patient]``.
    """
    words, left, arm = words[first:last], left[first:last], arm[first:last]
    total = 0.0
    for a in range(len(weights)):
        total += weights[a]
    for i in range(len(arm)):
        left[i] = unit(words[i]) * total
        arm[i] = 0
    before = -1
    for a in range(len(weights)):
        if weights[a] <= 0.0:
            continue
        further = np.int8(a - max(before, 0))
        if before < 0:
            for i in range(len(arm)):
                arm[i] = further
        else:
            taken = weights[before]
            for i in range(len(arm)):
                left[i] -= taken
                arm[i] += further if left[i] >= 0.0 else np.int8(0)
        before = a


@kernel
def draw_from_block(u, left, stratum, total):  # type: ignore[no-untyped-def]
    """Return an arm from what is left of a permuted block; drawing without replacement makes every order equally likely.

    Parameters
    ----------
    u
        Uniform in (0, 1).
    left
        Places left by stratum and arm, ``[stratum, arm]``; not changed.
    stratum
        The patient's stratum, with at least one place left.
    total
        Places left in that stratum.

    Returns
    -------
    int
        Index of an arm with a place left.
    """
    place = np.int64(u * total)
    arm = 0
    passed = 0
    for a in range(left.shape[1] - 1):  # without a branch: which arm comes next cannot be predicted
        passed += left[stratum, a]
        arm += np.int64(place >= passed)
    return arm


MOST_PACKED = 127
"""Places of a block that :func:`draw_from_packed_block` can hold; of arms it can hold eight."""
_EVERY_BYTE, _TOP_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


@inline
def packed_block(block):  # type: ignore[no-untyped-def]
    """Return places left by arm as bytes of one word, the first arm lowest."""
    packed = np.uint64(0)
    for a in range(len(block)):
        packed |= np.uint64(block[a]) << np.uint64(8 * a)
    return packed


@inline
def draw_from_packed_block(u, packed, total):  # type: ignore[no-untyped-def]
    """Return what :func:`draw_from_block` returns, from places left as bytes of one word.

    One product gives the running totals of all arms, one difference compares the place with each of them.
    """
    place = np.uint64(np.int64(u * total))
    passed = packed * _EVERY_BYTE
    return ones_in(((place * _EVERY_BYTE | _TOP_BITS) - passed) & _TOP_BITS)


@kernel
def arm_in_turn(position, ratio):  # type: ignore[no-untyped-def]
    """Return the arm at a position of the repeated list of arms, each ``ratio[arm]`` times in a row."""
    total = 0
    for a in range(len(ratio)):
        total += ratio[a]
    place = position % total
    for a in range(len(ratio)):
        place -= ratio[a]
        if place < 0:
            return a
    return -1


@kernel
def fill_in_turn(ratio, arm):  # type: ignore[no-untyped-def]
    """Fill ``arm`` with what :func:`arm_in_turn` gives at the positions 0, 1, 2 and so on."""
    size = ratio.sum()
    for position in range(min(size, len(arm))):
        arm[position] = arm_in_turn(position, ratio)
    for position in range(size, len(arm)):
        arm[position] = arm[position - size]


@kernel
def recorded_stratum(seed, replicate, key, margin, stratum, count, rate):  # type: ignore[no-untyped-def]
    """Return the stratum in which a patient is allocated: with probability ``rate`` one of the others, each equally likely.

    Parameters
    ----------
    seed, replicate, key
        Address of the patient.
    margin
        Which of several factors the strata are of, each being recorded on its own; 0 where there is one set of strata.
    stratum
        The right one.
    count
        Number of strata; with a single one no error is possible.
    rate
        Probability of an error.
    """
    if count < 2 or not uniform(seed, replicate, key, _STRATUM, 2 * margin) < rate:
        return stratum
    other = np.int64(uniform(seed, replicate, key, _STRATUM, 2 * margin + 1) * (count - 1))
    return other + np.int64(other >= stratum)
