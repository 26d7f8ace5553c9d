"""Compiled loops of the fast engine over those enrolled at sites: their recorded strata, and their number by time."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import Purpose, unit
from trialsim.keyed_words import GROUPED, group_keys, words_of
from trialsim.operations.allocation import recorded_stratum
from trialsim.operations.sites import SITE_BITS
from trialsim.philox import MORE_LANES

_STRATUM = int(Purpose.STRATUM)


@kernel
def record_strata(seed, replicates, keys, margin, strata, count, rate, out):
    """Fill the stratum in which each patient is allocated, errors included."""
    n = out.shape[1]
    grouped, words = np.empty((GROUPED, n + MORE_LANES), np.int64), np.empty(n, np.uint64)
    for r in range(out.shape[0]):
        mine, theirs = strata[r if strata.shape[0] > 1 else 0], keys[r]
        blocks = group_keys(theirs, grouped)
        words_of(words, grouped, blocks, replicates[r], _STRATUM, 2 * margin, seed)
        for i in range(n):
            out[r, i] = mine[i]
            if count > 1 and unit(words[i]) < rate:
                out[r, i] = recorded_stratum(seed, replicates[r], theirs[i], margin, mine[i], count, rate)


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
