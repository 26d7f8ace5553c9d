"""Adverse events drawn ahead: what each will be like and when the next of its term comes, as if no hazard ever changed.

Nothing of this depends on what else happens to the patient, so the events of a term are drawn side by side, all first ones,
then all second ones, and so on. Whoever lives event by event takes what was drawn as far as it reaches, and asks anew when
the next one comes where a hazard has changed.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import NOTHING
from trialsim.draws import Purpose, uniform, unit, unit_exponential
from trialsim.keyed_words import GROUPED, group_keys, words_of
from trialsim.operations.adverse_events import (
    ACTION,
    FATAL,
    GAP,
    SERIOUS,
    SEVERITY,
    action_of,
    level_of,
    occurrence_draw,
)
from trialsim.philox import MORE_LANES
from trialsim.population.clocks import fill_spent_at
from trialsim.timegrid import NEVER

# Columns of what is drawn ahead: when it happens in ticks since entry; what it is like; when the next of its term comes if
# no hazard changes; the place of that one, -1 where it is not drawn; and which occurrence of the term in the patient it is,
# from 0. How long it lasts changes nothing, and whoever tells of it draws it.
WHEN, LIKE, NEXT, FOLLOWING, OCCURRENCE = range(5)
COLUMNS = 5

# What an event is like, as bits: level, whether it is serious and fatal, what is done about it.
LEVEL, IS_SERIOUS, IS_FATAL = 255, 256, 512
_SERIOUS_BIT, _FATAL_BIT, ACTION_BIT = 8, 9, 10

PARTLY, FULLY = 1, 2
"""How rough a life is, as bits: in part, where treatment and leaving change; in full, where it goes event by event."""

_OF_EVENT, _OF_DOSE = int(Purpose.ADVERSE_EVENT), int(Purpose.DOSE)


@kernel
def draw_event(seed, replicate, key, term, a, occurrence, factor, place, ahead, amounts):
    """Draw one occurrence of a term for one patient: what :func:`draw_ahead` draws for many, but for its times."""
    draw = term.address[a]
    u = uniform(seed, replicate, key, _OF_EVENT, occurrence_draw(draw, occurrence, SEVERITY))
    level = level_of(u, term.cumulative, a)
    like = np.int64(level)
    if term.serious[a, level] > 0.0:
        u = uniform(seed, replicate, key, _OF_EVENT, occurrence_draw(draw, occurrence, SERIOUS))
        like |= np.int64(u < term.serious[a, level]) << _SERIOUS_BIT
    if term.fatal[a, level] > 0.0:
        u = uniform(seed, replicate, key, _OF_EVENT, occurrence_draw(draw, occurrence, FATAL))
        like |= np.int64(u < term.fatal[a, level]) << _FATAL_BIT
    discontinue, reduce, interrupt = (
        term.discontinue[a, level], term.reduce[a, level], term.interrupt[a, level],
    )  # fmt: skip
    if discontinue + reduce + interrupt > 0.0:
        u = uniform(seed, replicate, key, _OF_DOSE, occurrence_draw(draw, occurrence, ACTION))
        like |= action_of(u, discontinue, reduce, interrupt) << ACTION_BIT
    ahead[LIKE, place] = like
    u = uniform(seed, replicate, key, _OF_EVENT, occurrence_draw(draw, occurrence + 1, GAP))
    amounts[place] = unit_exponential(u) * factor
    ahead[WHEN, place] = NEVER
    ahead[FOLLOWING, place] = -1


@kernel
def reach_of_terms(survival, reading, term, treatment, first_at, first, latest, until, stops):
    """Fill until when each patient is followed, and when treatment stops, if nothing changes, in ticks since entry."""
    ends, reads, terms = len(survival.endpoints), len(reading.readouts), len(term.address)
    reason0 = ends + 2 + terms
    done = np.zeros(first_at.shape[1], np.int64)
    until, stops, latest, done = until[first:], stops[first:], latest[first:], done[first:]
    for e in range(ends):
        known, detected = first_at[e, first:], np.int64(survival.detected[e])
        for i in range(len(done)):
            done[i] = max(done[i], max(known[i], detected * NEVER))
    wait = np.int64(0)
    for k in range(reads):
        wait = max(wait, np.int64(NEVER) if reading.at_visit[k] else reading.readout[k])
    for i in range(len(done)):
        until[i] = min(latest[i], max(done[i], wait))
        stops[i] = treatment.duration
    for c in range(ends, ends + 2):
        known = first_at[c, first:]
        for i in range(len(done)):
            until[i] = min(until[i], known[i])
    for c in range(reason0, reason0 + len(treatment.reason)):
        known = first_at[c, first:]
        for i in range(len(done)):
            stops[i] = min(stops[i], known[i])


@kernel
def scratch_for(n):
    """Return scratch for :func:`draw_ahead` of so many patients."""
    return (
        np.empty((GROUPED, n + MORE_LANES), np.int64),
        np.empty((2, n), np.int64),
        np.empty(n, np.uint64),
        np.empty((2, n)),
    )


@kernel
def draw_ahead(
    seed, replicate, patients, keys, survival, term, treatment, grid, hazards, shapes, factors, row, arm_of, first_at,
    until, stops, stirs, scratch, ahead, amounts, who, begins, coming, rough,
):  # fmt: skip
    """Draw the adverse events that some patients will have if nothing changes, as far as there is room.

    Parameters
    ----------
    patients
        Who they are, best in the order of :func:`~trialsim.keyed_words.order_by_block`.
    keys
        Number of each patient as a candidate; empty where it is the number in the order of entry.
    hazards, shapes
        Of :class:`~trialsim.population.clocks.ClockTables`.
    factors, row, arm_of
        exp(-linear predictor) ``[clock, row, arm]``; the row and the arm of each patient.
    first_at
        When each clock goes off first, ``[clock, patient]``.
    until, stops
        Of :func:`reach_of_terms`.
    stirs
        Whether an event of a level changes a hazard, ``[level]``.
    ahead, amounts, who, begins
        To fill: columns of what is drawn, the hazard that the next one bears, and the patient; where the places of each
        term begin, and the last ends, ``[term + 1]``.
    coming
        To fill: place of each patient's first event of each term, -1 where it is not drawn, ``[term, patient]``.
    rough
        Set for patients of whom not all that will happen can be told from what was drawn: in part where an event may change
        the treatment or a hazard, in full where one is fatal or there was no room, ``[patient]``.
    """
    grouped, whole, words, held = scratch
    room = ahead.shape[1]
    terms = len(term.address)
    term0 = len(survival.endpoints) + 2
    top = np.int64(terms)  # the first places are for events drawn one by one
    begins[0] = top
    for a in range(terms):
        begin, begins[a + 1] = top, top
        known, window = first_at[term0 + a], term.window[a]
        if top + len(patients) > room:
            for k in range(len(patients)):
                coming[a, patients[k]] = -1
                rough[patients[k]] = FULLY
            continue
        when_of, first_of = ahead[WHEN], coming[a]
        for k in range(len(patients)):
            i = np.uint64(patients[k])
            comes = known[i] <= min(until[i], stops[i] + window)
            first_of[i] = top if comes else -1
            who[np.uint64(top)] = patients[k]
            when_of[np.uint64(top)] = known[i]
            top += np.int64(comes)
        occurrence = np.int64(0)
        while top > begin:
            count = top - begin
            mine, when = who[begin:top], ahead[WHEN, begin:top]
            of_key, groups = whole[0], whole[1]
            for k in range(count):
                i = np.uint64(mine[k])
                of_key[k] = keys[i] if len(keys) else mine[k]
                groups[k] = arm_of[i] * treatment.weights
            blocks = group_keys(of_key[:count], grouped)
            _fill_likeness(
                seed, replicate, term, a, occurrence, grouped, blocks, words, ahead[LIKE, begin:top]
            )
            done = ahead[LIKE, begin:top]
            for k in range(count):
                stirring = (done[k] >> ACTION_BIT != NOTHING) | stirs[np.uint64(done[k] & LEVEL)]
                rough[np.uint64(mine[k])] |= PARTLY * np.int64(stirring) | FULLY * np.int64(
                    done[k] & IS_FATAL != 0
                )
            draw = occurrence_draw(term.address[a], occurrence + 1, GAP)
            words_of(words, grouped, blocks, replicate, _OF_EVENT, draw, seed)
            amount = amounts[begin:top]
            for k in range(count):
                amount[k] = unit_exponential(unit(words[k]))
            for k in range(count):
                i = np.uint64(mine[k])
                amount[k] *= factors[term0 + a, np.uint64(row[i]), np.uint64(arm_of[i])]
            next_at = ahead[NEXT, begin:top]
            fill_spent_at(
                amount,
                when,
                groups[:count],
                term0 + a,
                hazards,
                shapes,
                grid,
                held[0],
                held[1],
                next_at,
            )
            ahead[FOLLOWING, begin:top] = -1
            ahead[OCCURRENCE, begin:top] = occurrence
            begin = top
            if top + count > room:
                for k in range(count):
                    rough[np.uint64(mine[k])] = FULLY
                break
            like, following = ahead[LIKE, top - count : top], ahead[FOLLOWING, top - count : top]
            for k in range(count):
                i = np.uint64(mine[k])
                comes = next_at[k] <= min(until[i], stops[i] + window) and like[k] & IS_FATAL == 0
                following[k] = top if comes else -1
                who[top] = mine[k]
                ahead[WHEN, top] = next_at[k]
                top += np.int64(comes)
            occurrence += 1
        begins[a + 1] = top


@kernel
def _fill_likeness(seed, replicate, term, a, occurrence, grouped, blocks, words, like):
    """Fill what one occurrence of a term is like in each of some patients."""
    draw = term.address[a]
    count = len(like)
    cumulative, serious, fatal = term.cumulative[a], term.serious[a], term.fatal[a]
    words_of(words, grouped, blocks, replicate, _OF_EVENT, occurrence_draw(draw, occurrence, SEVERITY), seed)
    for k in range(count):
        like[k] = 0
    for level in range(len(cumulative) - 1):
        share = cumulative[level]
        for k in range(count):
            like[k] += np.int64(unit(words[k]) >= share)
    if serious.max() > 0.0:
        words_of(
            words, grouped, blocks, replicate, _OF_EVENT, occurrence_draw(draw, occurrence, SERIOUS), seed
        )
        for k in range(count):
            is_serious = unit(words[k]) < serious[np.uint64(like[k] & LEVEL)]
            like[k] |= np.int64(is_serious) << _SERIOUS_BIT
    if fatal.max() > 0.0:
        words_of(words, grouped, blocks, replicate, _OF_EVENT, occurrence_draw(draw, occurrence, FATAL), seed)
        for k in range(count):
            is_fatal = unit(words[k]) < fatal[np.uint64(like[k] & LEVEL)]
            like[k] |= np.int64(is_fatal) << _FATAL_BIT
    discontinue, reduce, interrupt = term.discontinue[a], term.reduce[a], term.interrupt[a]
    if (discontinue + reduce + interrupt).max() > 0.0:
        words_of(words, grouped, blocks, replicate, _OF_DOSE, occurrence_draw(draw, occurrence, ACTION), seed)
        for k in range(count):
            level = np.uint64(like[k] & LEVEL)
            done = action_of(unit(words[k]), discontinue[level], reduce[level], interrupt[level])
            like[k] |= done << ACTION_BIT
