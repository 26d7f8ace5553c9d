"""Compiled loops of the fast engine around reviews of recruitment: going back to one, and what can be seen there."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
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
from trialsim.operations.screening import FAILS_PRESCREEN
from trialsim.timegrid import NEVER


@kernel
def take_back(offsets, sites, attempts, at, contact):
    """Undo what happened to candidates from the dispatch of ``at[replicate]`` on; below 0 a replicate is left as it is.

    Durations of those who are taken back stand in ``contact`` as they were drawn.
    """
    for r in range(len(at)):
        if at[r] < 0:
            continue
        for c in range(offsets[r * sites] * attempts, offsets[(r + 1) * sites] * attempts):
            called = contact[c, DISPATCH]
            if called >= at[r] and called < NEVER:
                for column in (ANSWER, SCREENED, FINAL):
                    contact[c, column] -= called
                contact[c, DISPATCH] = NEVER
            came = contact[c, CONTACT]
            if came <= at[r] or came == NEVER:
                continue
            if c % attempts > 0:
                # What another attempt brings is drawn as the candidate comes.
                for column in range(COLUMNS):
                    contact[c, column] = NEVER
                continue
            if contact[c, PATIENCE] < NEVER:
                contact[c, PATIENCE] -= came
            contact[c, CONTACT] = NEVER


@kernel
def carry_over(earlier_offsets, earlier, offsets, attempts, contact):
    """Copy what has happened so far into a longer list of the same candidates, site by site."""
    for cell in range(len(offsets) - 1):
        begin, place = earlier_offsets[cell] * attempts, offsets[cell] * attempts
        for k in range((earlier_offsets[cell + 1] - earlier_offsets[cell]) * attempts):
            for column in range(COLUMNS):
                contact[place + k, column] = earlier[begin + k, column]


@kernel
def seen_at_sites(offsets, sites, attempts, at, contact, came, randomised):
    """Count who has come and who is randomised by ``at[replicate]``, ``[replicate, site]``; nobody where it is below 0."""
    came[:] = 0
    randomised[:] = 0
    for r in range(len(at)):
        for s in range(sites):
            cell = r * sites + s
            for c in range(offsets[cell] * attempts, offsets[cell + 1] * attempts):
                if contact[c, CONTACT] > at[r]:
                    continue
                came[r, s] += np.int64(c % attempts == 0)
                passes = -1 <= contact[c, OUTCOME] <= 0 and contact[c, DISPATCH] < NEVER
                randomised[r, s] += np.int64(passes and contact[c, FINAL] <= at[r])


@kernel
def resolved_between(offsets, sites, attempts, after, at, contact, ends, places):
    """List the attempts of those called that reached their end after one tick and by another, in the order of numbers.

    Fills ``ends[replicate]``, where those of a replicate end in ``places``; none where ``at`` is below 0.
    """
    found = 0
    for r in range(len(at)):
        if at[r] >= 0:
            for c in range(offsets[r * sites] * attempts, offsets[(r + 1) * sites] * attempts):
                if contact[c, DISPATCH] < NEVER and after[r] < contact[c, FINAL] <= at[r]:
                    places[found] = c
                    found += 1
        ends[r] = found


@kernel
def still_waiting(first, last, attempts, at, contact, places):
    """List the attempts of candidates ``first`` to ``last - 1`` that wait at a tick, and return how many do."""
    found = 0
    for c in range(first * attempts, last * attempts):
        waits = contact[c, CONTACT] <= at and contact[c, DISPATCH] >= at and contact[c, PATIENCE] > at
        if waits and contact[c, OUTCOME] != FAILS_PRESCREEN:
            places[found] = c
            found += 1
    return found


@kernel
def waiting_at(offsets, sites, attempts, at, closes, contact, ends, places):
    """List the attempts of candidates who wait at ``at[replicate]`` at sites that close later, in the order of numbers.

    Fills ``ends[replicate]``, where those of a replicate end in ``places``; none where ``at`` is below 0.
    """
    found = 0
    for r in range(len(at)):
        if at[r] >= 0:
            for s in range(sites):
                cell = r * sites + s
                if closes[r, s] > at[r]:
                    found += still_waiting(
                        offsets[cell], offsets[cell + 1], attempts, at[r], contact, places[found:]
                    )
        ends[r] = found
