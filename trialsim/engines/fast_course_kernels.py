"""Lives in which adverse events change treatment and how readily somebody leaves, but no other hazard.

Where the dose changes no intensity and the end of treatment no hazard of an endpoint, adverse events come as they were
drawn ahead. What has to be found event by event is when such a patient stops treatment and leaves; the rest is told as of a
life in which nothing changes.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import DISCONTINUE, INTERRUPT, NOTHING, REDUCE, Kind
from trialsim.draws import Purpose, uniform
from trialsim.engines.fast_ahead_kernels import ACTION_BIT, FULLY, LEVEL, LIKE, OCCURRENCE, PARTLY, WHEN
from trialsim.engines.fast_journal_kernels import pack
from trialsim.engines.fast_straight_kernels import (
    COMPLETED,
    DEAD,
    FOLLOWED,
    LEAVES,
    LOST,
    STOPS,
    WHY,
    WITHDRAWN,
)
from trialsim.engines.life import END_PART, REASON_PART, RESUME_PART
from trialsim.operations.adverse_events import INTERRUPTION, occurrence_draw
from trialsim.operations.delays import drawn_delay
from trialsim.population.clocks import spent_at, still_to_spend
from trialsim.timegrid import NEVER

_ADVERSE, _OF_DOSE = int(Kind.ADVERSE_EVENT), int(Purpose.DOSE)
_DISCONTINUED, _REDUCED, _INTERRUPTED, _RESUMED, _ENDED = (
    int(kind)
    for kind in (Kind.DISCONTINUED, Kind.REDUCED, Kind.INTERRUPTED, Kind.RESUMED, Kind.TREATMENT_ENDED)
)

MOST_NOTES = 8
"""Rows that one adverse event and what comes before the next one write at most."""


@kernel
def only_leaving_changes(term, treatment):
    """Return whether adverse events and the end of treatment change no hazard but those of leaving and discontinuing."""
    changes = treatment.weights > 1 or treatment.rescue[0] > 0.0 or treatment.crossover_on > -2
    for a in range(term.dose_factor.shape[0]):
        for level in range(term.dose_factor.shape[1]):
            changes |= term.dose_factor[a, level] != term.dose_factor[a, 0]
    return not changes


@kernel
def _events_that_matter(drawn, who, begins, stirs, rough):
    """Return the adverse events that change something, of patients who are rough in part, each one's in order of time.

    Others change nothing: those less severe than any that changes a hazard, about which nothing is done.

    Returns
    -------
    of_patient, at, place, term
        Where the events of each patient begin, ``[patient + 1]``; ticks since entry, place among those drawn, and term.
    """
    n, terms = len(rough), len(begins) - 1
    least = np.int64(0)
    while least < len(stirs) and not stirs[least]:
        least += 1
    of_patient, count = np.zeros(n + 2, np.int64), np.uint64(0)
    place_of, term_of = np.empty(begins[terms] + 1, np.int64), np.empty(begins[terms] + 1, np.int64)
    like_of, when_of = drawn[LIKE], drawn[WHEN]
    for a in range(terms):
        for place in range(np.uint64(begins[a]), np.uint64(begins[a + 1])):
            i, like = np.uint64(who[place]), like_of[place]
            matters = (rough[i] == PARTLY) & ((like >> ACTION_BIT != NOTHING) | (like & LEVEL >= least))
            place_of[count], term_of[count] = place, a
            count += np.uint64(matters)
            of_patient[i + np.uint64(2)] += np.int64(matters)
    for i in range(n):
        of_patient[i + 2] += of_patient[i + 1]
    at, where, term = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    for j in range(count):
        place = np.uint64(place_of[j])
        i = np.uint64(who[place])
        k = np.uint64(of_patient[i + np.uint64(1)])
        at[k], where[k], term[k] = when_of[place], place, term_of[j]
        of_patient[i + np.uint64(1)] += 1
    # Each one's are few, and in the order of terms, in which they stay where they come at one tick.
    for i in range(n):
        for last in range(of_patient[i] + 1, of_patient[i + 1]):
            when, place, a, k = at[last], where[last], term[last], last
            while k > of_patient[i] and at[k - 1] > when:
                at[k], where[k], term[k] = at[k - 1], where[k - 1], term[k - 1]
                k -= 1
            at[k], where[k], term[k] = when, place, a
    return of_patient, at, where, term


@kernel
def settle(
    seed, replicate, keys, clock, survival, reading, term, treatment, grid, hazards, shapes, arm_of, begun, first_at,
    first_amount, first, latest, until, stops_at, drawn, who, begins, stirs, rough, how, plan, when, what, notes,
):  # fmt: skip
    """Find when patients ``first`` onwards, who are rough in part, leave and stop treatment, and note what is done.

    Parameters
    ----------
    seed, replicate, keys, clock, survival, reading, term, treatment, grid, hazards, shapes, arm_of, begun, first_at,
    first_amount, first, latest
        As in :func:`~trialsim.engines.fast_life_kernels.live`; ``first_amount`` counts patients from ``first``.
    until, stops_at, drawn, who, begins, stirs
        How far adverse events were drawn ahead, and those; see :func:`~trialsim.engines.fast_ahead_kernels.draw_ahead`.
    rough
        Who is meant; set to be rough in full where what was drawn does not reach, ``[patient]``.
    how, plan
        As :func:`~trialsim.engines.fast_straight_kernels.foresee` filled them; filled anew for those patients.
    when, what, notes
        To fill: rows for the journal, and where each patient's begin, ``[patient + 1]``.
    """
    ends, terms, reasons = len(survival.endpoints), len(term.address), len(treatment.reason)
    reason0 = ends + 2 + terms
    clock_count = len(clock.purpose)
    # Taken out of their tuple once: reading an array from one costs a reference count each time.
    windows, after, stands_for, address = term.window, clock.after, treatment.reason, term.address
    law, duration = term.interruption, np.int64(treatment.duration)
    dosed_down, for_action = treatment.doses, treatment.reason_of_action
    leaving = np.empty(clock_count, np.int64)
    leavers = np.int64(0)
    for c in range(ends, clock_count):
        if clock.present[c] and not ends + 2 <= c < reason0:
            leaving[leavers] = c
            leavers += 1
    of_patient, event_at, event_place, event_term = _events_that_matter(drawn, who, begins, stirs, rough)
    due, pace = np.empty(clock_count, np.int64), np.empty(clock_count)
    amount, since = np.empty(clock_count), np.empty(clock_count, np.int64)
    due[:] = NEVER
    wait = np.int64(0)
    for k in range(len(reading.readout)):
        wait = max(wait, reading.readout[k])
    top = np.int64(0)
    room = len(when)
    for i in range(first, len(latest)):
        notes[i] = top
        if rough[i] != PARTLY:
            continue
        key = keys[i] if len(keys) else np.int64(i)
        arm, start, limit = np.int64(arm_of[i]), begun[i], latest[i]
        known, known_how = wait, np.int64(COMPLETED)
        for e in range(ends):
            known = max(known, first_at[e, i])
        if survival.terminal >= 0 and first_at[survival.terminal, i] <= known:
            known, known_how = first_at[survival.terminal, i], np.int64(DEAD)
        for k in range(leavers):
            c = np.uint64(leaving[np.uint64(k)])
            due[c] = first_at[c, np.uint64(i)]
            pace[c] = 1.0
            since[c] = 0
        event, last_event = np.uint64(of_patient[i]), np.uint64(of_patient[i + 1])
        begin = top
        off, paused, worst, dose = False, False, 0, 0
        stop, why, resume = np.int64(NEVER), np.int64(-1), np.int64(NEVER)
        going = True
        while going:
            if top + MOST_NOTES > room:
                break
            now = event_at[event] if event < last_event else np.int64(NEVER)
            leaves = min(known, min(due[ends], due[ends + 1]))
            # At one tick leaving comes before adverse events, and these before the rest of what changes treatment.
            bound = min(min(leaves, limit + 1), now)
            going = now == bound and now < leaves and now <= limit
            quits, which = np.int64(NEVER), -1
            if not off:
                quits = duration
                for d in range(reasons):
                    if due[reason0 + d] < quits:
                        quits, which = due[reason0 + d], d
            while min(resume, quits) < bound:
                if resume <= quits:
                    when[top] = start + resume
                    what[top] = pack(_ADVERSE, RESUME_PART, _RESUMED, 0, dose)
                    resume, paused = np.int64(NEVER), False
                else:
                    off, stop, why, resume = True, quits, np.int64(which), np.int64(NEVER)
                    when[top] = start + quits
                    if which >= 0:
                        what[top] = pack(
                            _ADVERSE, REASON_PART + which, _DISCONTINUED, stands_for[which], dose
                        )
                    else:
                        what[top] = pack(_ADVERSE, END_PART, _ENDED, 0, dose)
                    quits = np.int64(NEVER)
                top += 1
            if not going:
                break
            a, place = event_term[event], np.uint64(event_place[event])
            event += np.uint64(1)
            if off and now > stop + windows[a]:
                continue
            like, o = drawn[LIKE, place], drawn[OCCURRENCE, place]
            level = (like & LEVEL) + 1
            worse = level > worst
            worst = max(worst, level)
            done = like >> ACTION_BIT
            if not off and done != NOTHING:
                if done == DISCONTINUE or (done == REDUCE and dose + 1 == dosed_down):
                    # A potential outcome without discontinuation has no reason for it.
                    if for_action >= 0:
                        off, stop, why, resume = True, now, np.int64(reasons), np.int64(NEVER)
                        when[top] = start + now
                        what[top] = pack(_ADVERSE, a, _DISCONTINUED, for_action, dose)
                        top += 1
                elif done == REDUCE:
                    dose += 1
                    when[top] = start + now
                    what[top] = pack(_ADVERSE, a, _REDUCED, a, dose)
                    top += 1
                elif done == INTERRUPT:
                    u = uniform(seed, replicate, key, _OF_DOSE, occurrence_draw(address[a], o, INTERRUPTION))
                    resumes = now + drawn_delay(u, law[a, 0], law[a, 1], law[a, 2], grid)
                    resume = max(resumes, resume) if paused else resumes
                    paused = True
                    when[top] = start + now
                    what[top] = pack(_ADVERSE, a, _INTERRUPTED, a, o)
                    top += 1
            if not worse:
                continue
            for k in range(leavers):
                c = leaving[np.uint64(k)]
                if after[np.uint64(c), np.uint64(worst)] == pace[np.uint64(c)] or (off and c >= reason0):
                    continue
                if pace[c] == 1.0 and since[c] == 0:
                    amount[c] = first_amount[c, i - first]
                group = arm * treatment.weights
                amount[c] = still_to_spend(amount[c], pace[c], since[c], now, c, group, hazards, shapes)
                since[c] = now
                pace[c] = after[c, worst]
                due[c] = spent_at(amount[c], pace[c], now, c, group, hazards, shapes, grid)
        lost = min(due[ends], due[ends + 1])
        leaves = min(known, lost)
        # Whoever stays longer than was reckoned with may have adverse events that were not drawn.
        if going or min(leaves, limit) > until[i] or (stop if off else quits) > stops_at[i]:
            rough[i] = FULLY
            top = begin
            continue
        how[i] = known_how
        if lost < known:
            how[i] = LOST if due[ends] <= due[ends + 1] else WITHDRAWN
        if leaves > limit:
            how[i] = FOLLOWED
        plan[LEAVES, i], plan[STOPS, i], plan[WHY, i] = leaves, stop, why
    notes[len(latest)] = top
