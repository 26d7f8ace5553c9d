"""The re-randomisation test of a difference of mean scores."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel


@kernel
def logrank_scores(time, event, scores):
    """Fill the log-rank score of each patient: events less the pooled cumulative hazard spent (Peto and Peto 1972).

    Parameters
    ----------
    time, event
        Days of follow-up and whether they ended with an event, ``[patient]``.
    scores
        Result, ``[patient]``; they sum to 0 but for rounding.
    """
    n = len(time)
    order = np.argsort(time, kind="mergesort")
    spent = 0.0
    i = 0
    while i < n:
        last = i
        events = 0
        while last < n and time[order[last]] == time[order[i]]:
            events += event[order[last]]
            last += 1
        spent += float(events) / float(n - i)
        for k in range(i, last):
            scores[order[k]] = float(event[order[k]]) - spent
        i = last


@kernel
def _difference(scores, treated):
    """Return the mean score on treatment less that on control, and whether both arms have patients."""
    total = np.zeros(2)
    n = np.zeros(2, np.int64)
    for i in range(len(scores)):
        total[treated[i]] += scores[i]
        n[treated[i]] += 1
    if n[0] == 0 or n[1] == 0:
        return 0.0, False
    return total[1] / n[1] - total[0] / n[0], True


@kernel
def rerandomisation_tail(scores, treated, redrawn, sign):
    """Return the share of allocations, the one that happened among them, that favour treatment at least as much.

    Fisher, The Design of Experiments, 1935, section 21; with the rule's own chances: Rosenberger and Lachin, Randomization
    in Clinical Trials, 2nd ed. 2016, chapter 6; counting the one that happened: Phipson and Smyth, Stat. Appl. Genet. Mol.
    Biol. 9, 2010, 39. An allocation that leaves an arm empty counts as at least as favourable.

    Parameters
    ----------
    scores
        ``[patient]``.
    treated
        What happened, int8 ``[patient]``.
    redrawn
        What the rule could have done, int8 ``[allocation, patient]``.
    sign
        1 where high scores are a benefit, -1 where low ones are.
    """
    here, _ = _difference(scores, treated)
    scale = 0.0
    for i in range(len(scores)):
        scale = max(scale, abs(scores[i]))
    least = sign * here - 1e-12 * scale  # sums in another order may differ in the last bits
    count = 1
    for b in range(len(redrawn)):
        other, both = _difference(scores, redrawn[b])
        if not both or sign * other >= least:
            count += 1
    return count / (len(redrawn) + 1.0)
