"""Which arms minimisation and the biased coin favour, and by how much: pure functions of counts.

An arm's count is always held against its share of the allocation ratio: what is balanced is patients over share. All
arms are brought to one scale, so that one patient more is a whole number of steps (the least common multiple of all
shares over the arm's own). Imbalances by range and by variance are then whole numbers, and a tie is a tie.
"""

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.operations.allocation import MINIMISATION

RANGE = 0
VARIANCE = 1
SD = 2

_NEARLY = 1e-9
"""Standard deviations are no whole numbers: sums of them that differ by less than this part of themselves are a tie."""

_MORE_THAN_ANY = 1 << 62


@kernel
def _favour_least_imbalanced(counts, rows, factor_weights, steps, ratio, measure, scores, roots, favoured):  # type: ignore[no-untyped-def]
    """Mark with 1 the open arms that would leave the least total imbalance, the others with 0.

    Pocock and Simon (1975), section 2: the patient is put on each arm in thought, the imbalance of each of the
    patient's levels is measured over the open arms, and the imbalances are summed by the weights of the factors.
    """
    arms = len(ratio)
    among = 0
    for a in range(arms):
        among += np.int64(ratio[a] > 0)
        scores[a] = 0
        roots[a] = 0.0
    for f in range(len(rows)):
        level = rows[f]
        weight = factor_weights[f]
        lowest = np.int64(_MORE_THAN_ANY)
        second = np.int64(_MORE_THAN_ANY)
        highest = np.int64(0)
        total = np.int64(0)
        for a in range(arms):
            if ratio[a] > 0:
                x = counts[level, a] * steps[a]
                total += x
                highest = max(highest, x)
                second = min(second, max(lowest, x))
                lowest = min(lowest, x)
        squares = 0.0
        if measure == SD:
            for a in range(arms):
                if ratio[a] > 0:
                    squares += np.float64(counts[level, a] * steps[a] - lowest) ** 2
        for a in range(arms):
            if ratio[a] > 0:
                x = counts[level, a] * steps[a]
                step = steps[a]
                if measure == RANGE:
                    rest = second if x == lowest else lowest
                    scores[a] += weight * (max(highest, x + step) - min(rest, x + step))
                elif measure == VARIANCE:
                    # What the patient adds to the variance of the level (times a constant of all arms).
                    scores[a] += weight * step * (2 * (among * x - total) + (among - 1) * step)
                else:
                    above = np.float64(x - lowest)
                    spread = among * (squares + (2.0 * above + step) * step)
                    mean = np.float64(total - among * lowest + step)
                    roots[a] += weight * np.sqrt(max(spread - mean * mean, 0.0))
    least = np.int64(_MORE_THAN_ANY)
    least_root = np.inf
    for a in range(arms):
        if ratio[a] > 0:
            least = min(least, scores[a])
            least_root = min(least_root, roots[a])
    for a in range(arms):
        best = roots[a] <= least_root * (1.0 + _NEARLY) if measure == SD else scores[a] == least
        favoured[a] = 1.0 if ratio[a] > 0 and best else 0.0


@kernel
def _favour_furthest_behind(row, steps, ratio, favoured):  # type: ignore[no-untyped-def]
    """Mark with 1 the open arms with the fewest patients over share, the others with 0 (Efron 1971 for equal shares)."""
    arms = len(ratio)
    least = np.int64(_MORE_THAN_ANY)
    for a in range(arms):
        if ratio[a] > 0:
            least = min(least, row[a] * steps[a])
    for a in range(arms):
        favoured[a] = 1.0 if ratio[a] > 0 and row[a] * steps[a] == least else 0.0


@kernel
def _share_out(ratio, probability, chances):  # type: ignore[no-untyped-def]
    """Turn the marks of favoured arms into probabilities, in place.

    Han, Enas and McEntegart (2009), biased coin minimisation: where arm k alone is favoured, the arms j other than k
    have probability (1 - p) r_j / (R - r_min) each, and arm k what is left. So the arm of the smallest share has p where
    it is favoured, and if arms are favoured as often as their shares say, they are given as often. With equal shares
    this is p and (1 - p) / (arms - 1), Pocock and Simon (1975). Of several favoured arms one is drawn by share first.
    """
    arms = len(ratio)
    total = np.int64(0)
    favoured = np.int64(0)
    smallest = np.int64(_MORE_THAN_ANY)
    for a in range(arms):
        if ratio[a] > 0:
            total += ratio[a]
            smallest = min(smallest, ratio[a])
            favoured += ratio[a] if chances[a] > 0.0 else np.int64(0)
    # A part of the probability goes to the open arms by share, the rest to the favoured ones by share.
    by_share = 0.0 if total == smallest else min((1.0 - probability) / (total - smallest), 1.0 / total)
    rest = max(1.0 - by_share * total, 0.0)
    for a in range(arms):
        mine = rest * ratio[a] / favoured if chances[a] > 0.0 else 0.0
        chances[a] = mine + by_share * ratio[a]


@kernel
def fill_chances(  # type: ignore[no-untyped-def]
    rule, measure, counts, rows, factor_weights, steps, ratio, probability, scores, roots, chances
):
    """Fill the probability of each arm for the next patient.

    Parameters
    ----------
    rule
        ``MINIMISATION`` or ``BIASED_COIN`` of :mod:`trialsim.operations.allocation`.
    measure
        ``RANGE``, ``VARIANCE`` or ``SD``; a biased coin has none.
    counts
        Patients so far by level and arm, int64 ``[row, arm]``.
    rows
        The row of the patient's level of each factor, ``[factor]``; of a biased coin, that of the stratum alone.
    factor_weights
        Whole numbers, int64 ``[factor]``.
    steps
        Steps of one patient on the common scale, from :func:`steps_of`, int64 ``[arm]``.
    ratio
        Shares, int64 ``[arm]``; 0 for an arm that is closed, at least one is not.
    probability
        Of the arm of the smallest share where it alone is favoured. Below that arm's share it counts as the share, so
        that no arm is favoured for being ahead.
    scores, roots
        Room to work in, int64 and float64 ``[arm]``.
    chances
        Filled, float64 ``[arm]``; they sum to one but for rounding.
    """
    if rule == MINIMISATION:
        _favour_least_imbalanced(counts, rows, factor_weights, steps, ratio, measure, scores, roots, chances)
    else:
        _favour_furthest_behind(counts[rows[0]], steps, ratio, chances)
    _share_out(ratio, probability, chances)


@kernel
def chances_of(rule, measure, counts, factor_weights, steps, ratio, probability):  # type: ignore[no-untyped-def]
    """Return the probability of each arm for a patient whose levels have these counts, ``[factor, arm]``."""
    arms = len(ratio)
    chances = np.empty(arms)
    fill_chances(
        rule, measure, counts, np.arange(counts.shape[0]), factor_weights, steps, ratio, probability,
        np.empty(arms, np.int64), np.empty(arms), chances,
    )  # fmt: skip
    return chances


def steps_of(ratio: np.ndarray) -> np.ndarray:
    """Return the steps of one patient of each arm on the common scale: the least common multiple over the share."""
    return np.asarray(np.lcm.reduce(ratio) // ratio, dtype=np.int64)
