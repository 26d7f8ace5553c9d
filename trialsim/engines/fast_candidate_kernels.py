"""Compiled loops of the fast engine: who comes to each site, and what is in store for them.

Candidates of a chunk lie one after the other, by replicate, site and arrival number.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.draws import Purpose, unit
from trialsim.engines.fast_site_kernels import (
    ANSWER,
    COLUMNS,
    CONTACT,
    DISPATCH,
    FINAL,
    OUTCOME,
    PATIENCE,
    SCREENED,
)
from trialsim.keyed_words import GROUPED, group_keys, words_in_line, words_of
from trialsim.operations.screening import U_PRESCREEN, WAY_DRAWS, fill_ways, way_address, way_needs
from trialsim.operations.sites import SITE_BITS, fill_arrivals, taken_by_competition
from trialsim.philox import MORE_LANES
from trialsim.timegrid import NEVER

_ARRIVAL = int(Purpose.ARRIVAL)
_AT_ONCE = 4 * MORE_LANES
"""Candidates of a site whose arrivals are worked out at a time."""


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
    blocks, words = np.empty(MORE_LANES, np.int64), np.empty(_AT_ONCE, np.uint64)
    need, since, when = np.empty(_AT_ONCE), np.empty(_AT_ONCE), np.empty(_AT_ONCE, np.int64)
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
            knots, heights, areas = days[s], factor[s], integral[s]
            shares, begins = share[s], from_tick[s]
            competes = shares.sum() > 0.0
            coming = first + backlog[s]
            amount = 0.0
            comes = True
            while comes:
                # Up to a multiple of their number, so that whole blocks of the generator are used.
                count = _AT_ONCE - (coming & (_AT_ONCE - 1))
                words_in_line(
                    words, blocks, coming // _AT_ONCE * MORE_LANES, replicates[r], _ARRIVAL, 0, seed
                )
                amount = fill_arrivals(
                    words[_AT_ONCE - count :],
                    amount,
                    rates[r, s],
                    opening,
                    knots,
                    heights,
                    areas,
                    grid,
                    need,
                    since,
                    when,
                )
                for k in range(count):
                    comes = when[k] <= last
                    if not comes:
                        break
                    if competes and taken_by_competition(
                        seed, replicates[r], coming + k, when[k], begins, shares
                    ):
                        continue
                    if found < len(keys):
                        keys[found] = coming + k
                        ticks[found] = when[k]
                    found += 1
                    if found - begin > most:
                        return -1 - r
                coming += count
            if found - begin > most:
                return -1 - r
    offsets[len(replicates) * sites] = found
    return found


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
    needs = np.empty(WAY_DRAWS, np.bool_)
    way_needs(numbers, len(reason_bounds), needs)
    needs[U_PRESCREEN] = len(chances) > 0 and chances[:, 0].min() < 1.0
    grouped = np.empty((GROUPED, largest + MORE_LANES), np.int64)
    words, u = np.empty(largest, np.uint64), np.zeros((WAY_DRAWS, largest))
    tails, held, days = np.empty(largest + 1, np.int64), np.empty((2, largest)), np.empty(largest)
    for r in range(len(replicates)):
        first, last = offsets[r * sites], offsets[(r + 1) * sites]
        count = last - first
        blocks = group_keys(keys[first:last], grouped)
        for d in range(WAY_DRAWS):
            if needs[d]:
                purpose, draw = way_address(d, 0)
                words_of(words, grouped, blocks, replicates[r], purpose, draw, seed)
                mine = u[d]
                for j in range(count):
                    mine[j] = unit(words[j])
        # Their first attempts are filled side by side, and moved apart where others come between them.
        begin, end = first * attempts, first * attempts + count
        fill_ways(
            u, chance_rows[first:last], chances, numbers, reason_bounds, grid, needs[U_PRESCREEN],
            tails, held, days, contact[begin:end, PATIENCE], contact[begin:end, ANSWER],
            contact[begin:end, SCREENED], contact[begin:end, FINAL], contact[begin:end, OUTCOME],
        )  # fmt: skip
        contact[begin:end, CONTACT] = NEVER
        contact[begin:end, DISPATCH] = NEVER
        if attempts > 1:
            for j in range(count - 1, -1, -1):
                place = begin + j * attempts
                for column in range(COLUMNS):
                    contact[place, column] = contact[begin + j, column]
                    contact[place + 1 : place + attempts, column] = NEVER
