"""Lives in which nothing changes a hazard: what was drawn at entry and ahead is what happens, up to the end of follow-up.

Most patients have no adverse event that is fatal, changes their treatment or how readily they leave, and change nothing by
stopping. Of these all is known from when each clock goes off first; the others live event by event.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Kind
from trialsim.engines.fast_ahead_kernels import FULLY, IS_SERIOUS, LEVEL, LIKE, WHEN
from trialsim.engines.fast_journal_kernels import LASTING_ROW, SERIOUS_ROW, pack
from trialsim.engines.life import END_PART, REASON_PART
from trialsim.timegrid import NEVER

_EVENT, _READOUT, _DROPOUT, _ADVERSE = (
    int(kind) for kind in (Kind.EVENT, Kind.READOUT, Kind.DROPOUT, Kind.ADVERSE_EVENT)
)
_DEATH, _DISCONTINUED, _ENDED = int(Kind.DEATH), int(Kind.DISCONTINUED), int(Kind.TREATMENT_ENDED)

FOLLOWED, COMPLETED, LOST, WITHDRAWN, DEAD = range(5)
"""How a patient left: not before the horizon, with all endpoints known, lost, withdrawn, dead."""

LEAVES, STOPS, WHY = range(3)
"""Rows of what :func:`foresee` fills: ticks since entry to leaving and to the last dose; place of the reason, or -1."""


@kernel
def stirring_levels(clock, survival, term):
    """Return whether an adverse event of a level changes how readily somebody leaves or discontinues, ``[level]``."""
    ends, terms = len(survival.endpoints), len(term.address)
    stirs = np.zeros(clock.after.shape[1], np.bool_)
    for c in range(ends, len(clock.purpose)):
        if clock.present[c] and not ends + 2 <= c < ends + 2 + terms:
            for level in range(clock.after.shape[1] - 1):
                stirs[level] |= clock.after[c, level + 1] != clock.after[c, 0]
    return stirs


@kernel
def may_be_straight(clock, visiting, told):
    """Return whether any life can be told from what is drawn at entry and ahead."""
    return len(visiting.visits) == 0 and not told and not clock.hear.any()


@kernel
def foresee(survival, reading, term, treatment, first_at, first, latest, rough, how, ahead):
    """Find when patients ``first`` onwards leave and stop treatment if nothing changes, and for whom something will.

    Parameters
    ----------
    survival, reading, term, treatment
        The laws, groups of :class:`~trialsim.engines.life.LifeNumbers`.
    first_at
        When each clock goes off first, in ticks since entry, ``[clock, patient]``.
    latest
        Ticks since entry to which each patient is followed, ``[patient]``.
    rough
        Set besides for patients whose last dose or event changes what follows, ``[patient]``.
    how, ahead
        To fill: how each patient leaves; :data:`LEAVES`, :data:`STOPS` and :data:`WHY`, ``[patient]``.
    """
    ends, terms = len(survival.endpoints), len(term.address)
    never = np.int64(NEVER)
    # Slices from zero and whole numbers of one size throughout, as only so the loops vectorise.
    leaves, stops, why = ahead[LEAVES, first:], ahead[STOPS, first:], ahead[WHY, first:]
    latest, rough, how = latest[first:], rough[first:], how[first:]
    n = len(latest)
    wait = np.int64(0)
    for k in range(len(reading.readout)):
        wait = max(wait, reading.readout[k])
    for i in range(n):
        leaves[i] = wait
        how[i] = COMPLETED
        stops[i] = treatment.duration
        why[i] = -1
    for e in range(ends):
        known = first_at[e, first:]
        for i in range(n):
            leaves[i] = max(leaves[i], known[i])
    # At the same tick an endpoint comes before loss, and loss before withdrawal. What overrides has the larger number, and
    # is stored without a condition, as only so the loops vectorise.
    for part in range(2):
        lost = first_at[ends + part, first:]
        for i in range(n):
            how[i] = max(how[i], (LOST + part) * np.int64(lost[i] < leaves[i]))
            leaves[i] = min(lost[i], leaves[i])
    if survival.terminal >= 0:
        died = first_at[survival.terminal, first:]
        for i in range(n):
            how[i] = max(how[i], DEAD * np.int64(died[i] <= leaves[i]))
            leaves[i] = min(died[i], leaves[i])
    for d in range(len(treatment.reason)):
        quits = first_at[ends + 2 + terms + d, first:]
        for i in range(n):
            why[i] = max(why[i], (d + 1) * np.int64(quits[i] < stops[i]) - 1)
            stops[i] = min(quits[i], stops[i])
    for i in range(n):
        how[i] *= np.int64(leaves[i] <= latest[i])  # FOLLOWED otherwise
        # Treatment does not end with follow-up, and an end at the tick of leaving comes after it.
        stops[i] = stops[i] if stops[i] < min(leaves[i], latest[i] + 1) else never
    if treatment.weights > 1 or treatment.rescue[0] > 0.0 or treatment.crossover_on == -1:
        for i in range(n):
            rough[i] |= FULLY * np.int64(stops[i] < never)
    if treatment.crossover_on >= 0:
        crossing = first_at[treatment.crossover_on, first:]
        for i in range(n):
            rough[i] |= FULLY * np.int64(crossing[i] <= latest[i])


@kernel
def fill_straight(
    survival, reading, r, first_at, first, latest, begun, rough, how, ahead, event_at, exit_at, readout_at, dropout,
    complete, off_at, quit_at, crossed_at, left,
):  # fmt: skip
    """Fill the times of patients ``first`` onwards of replicate ``r`` that are not fully rough; those of others are NEVER.

    Arrays from ``event_at`` on are those of :func:`~trialsim.engines.fast_life_kernels.live`.
    """
    never = np.int64(NEVER)
    leaves, stops, why = ahead[LEAVES, first:], ahead[STOPS, first:], ahead[WHY, first:]
    latest, begun, rough, how = latest[first:], begun[first:], rough[first:], how[first:]
    n = len(latest)
    for e in range(len(survival.endpoints)):
        known, event, out = first_at[e, first:], event_at[e, r, first:], exit_at[e, r, first:]
        # Who dies leaves in that very event: those of endpoints that come later in an instant are not seen.
        unseen = np.int64(DEAD if 0 <= survival.terminal < e else -1)
        for i in range(n):
            until = leaves[i] - np.int64(how[i] == unseen)
            seen = (known[i] <= min(until, latest[i])) & (rough[i] < FULLY)
            gone = (how[i] != FOLLOWED) & (rough[i] < FULLY)
            event[i] = begun[i] + known[i] if seen else never
            end = begun[i] + leaves[i] if gone else never
            out[i] = begun[i] + known[i] if seen else end
    for k in range(len(reading.readouts)):
        at, wait = readout_at[k, r, first:], reading.readout[k]
        for i in range(n):
            until = leaves[i] - np.int64(how[i] == DEAD)
            seen = (wait <= min(until, latest[i])) & (rough[i] < FULLY)
            at[i] = begun[i] + wait if seen else never
    lost, done = dropout[r, first:], complete[r, first:]
    for i in range(n):
        is_lost = (how[i] == LOST) | (how[i] == WITHDRAWN)
        gone = (how[i] != FOLLOWED) & (rough[i] < FULLY)
        lost[i] = leaves[i] if gone & is_lost else never
        done[i] = leaves[i] if gone & (not is_lost) else never
    off, quit_, crossed = off_at[r, first:], quit_at[r, first:], crossed_at[r, first:]
    gone_how = left[r, first:]
    for i in range(n):
        ended = (stops[i] < never) & (rough[i] < FULLY)
        off[i] = begun[i] + stops[i] if ended else never
        quit_[i] = begun[i] + stops[i] if ended & (why[i] >= 0) else never
        crossed[i] = never
    for i in range(n):
        gone_how[i] = how[i] if rough[i] < FULLY else FOLLOWED


@kernel
def count_straight(
    survival, term, r, first, latest, rough, how, plan, drawn, who, begins, event_at, notes, last, rows
):  # fmt: skip
    """Fill how many rows of the journal tell of each patient ``first`` onwards; 0 for those that are fully rough.

    Parameters
    ----------
    survival, term, r, first, latest, rough, how, plan, event_at
        As in :func:`foresee` and :func:`fill_straight`.
    drawn, who, begins
        Adverse events drawn ahead; see :func:`~trialsim.engines.fast_ahead_kernels.draw_ahead`.
    notes
        Where the rows of what was done about adverse events begin, ``[patient + 1]``.
    last
        To fill: ticks since entry up to which adverse events are told, ``[patient]``.
    rows
        To fill, ``[patient]``.
    """
    never = np.int64(NEVER)
    when, stops_of = drawn[WHEN], plan[STOPS]
    told_until, count = last[first:], rows[first:]
    leaves, stops = plan[LEAVES, first:], plan[STOPS, first:]
    latest, rough, how, noted, noted_until = (
        latest[first:],
        rough[first:],
        how[first:],
        notes[first:],
        notes[first + 1 :],
    )
    n = len(latest)
    for i in range(n):
        lost = (how[i] == LOST) | (how[i] == WITHDRAWN)
        # Where adverse events changed treatment or leaving, the last dose is in the notes.
        ended = (stops[i] < never) & (rough[i] == 0)
        count[i] = noted_until[i] - noted[i] + np.int64(lost) + np.int64(ended)
    for e in range(len(survival.report)):
        event = event_at[e, r, first:]
        each = 1 + np.int64(e == survival.terminal) + np.int64(survival.report[e] > 0)
        for i in range(n):
            count[i] += each if event[i] < never else 0
    for i in range(n):
        count[i] = count[i] if rough[i] < FULLY else 0
        # An adverse event at the tick of leaving comes after it, one at the tick of the last dose before it.
        told_until[i] = min(leaves[i] - 1, latest[i]) if rough[i] < FULLY else -1
    for a in range(len(term.window)):
        window = term.window[a]
        for place in range(np.uint64(begins[a]), np.uint64(begins[a + 1])):
            i = np.uint64(who[place])
            rows[i] += np.int64(when[place] <= min(last[i], stops_of[i] + window))


@kernel
def tell_straight(
    survival, term, treatment, r, first, arm_of, begun, rough, how, plan, drawn, who, begins, event_at, notes, noted_at,
    noted, last, rows, offsets, at, ticks, codes,
):  # fmt: skip
    """Write the rows of lives that are not fully rough to the journal, a patient's own from ``offsets`` on.

    Parameters
    ----------
    survival, term, treatment, r, first, rough, how, plan, drawn, who, begins, event_at, notes, last, rows
        As in :func:`count_straight`, which filled ``last`` and ``rows``.
    arm_of, begun
        Arm and entry of each patient.
    noted_at, noted
        What was done about adverse events; see :func:`~trialsim.engines.fast_course_kernels.settle`.
    offsets
        Where the rows of each patient begin.
    at
        Scratch, ``[patient]``.
    ticks, codes
        To fill.
    """
    endpoints, terminal, report, reasons = (
        survival.endpoints, survival.terminal, survival.report, treatment.reason,
    )  # fmt: skip
    leaves, stops, why = plan[LEAVES], plan[STOPS], plan[WHY]
    for i in range(np.uint64(first), np.uint64(len(at))):
        k = np.uint64(offsets[i])
        at[i] = k
        if rows[i] == 0:
            continue
        arm, start = np.int64(arm_of[i]), begun[i]
        for note in range(np.uint64(notes[i]), np.uint64(notes[i + np.uint64(1)])):
            ticks[k] = noted_at[note]
            codes[k] = noted[note]
            k += np.uint64(1)
        for e in range(len(endpoints)):
            tick = event_at[np.uint64(e), r, i]
            if tick < NEVER:
                outcome = endpoints[e]
                ticks[k] = tick
                codes[k] = pack(_EVENT, outcome, _EVENT, outcome, arm)
                k += np.uint64(1)
                if e == terminal:
                    ticks[k] = tick
                    codes[k] = pack(_EVENT, outcome, _DEATH, 0, arm)
                    k += np.uint64(1)
                if report[e] > 0:
                    ticks[k] = tick + report[e]
                    codes[k] = pack(_READOUT, outcome, _READOUT, outcome, 1)
                    k += np.uint64(1)
        if how[i] == LOST or how[i] == WITHDRAWN:
            ticks[k] = start + leaves[i]
            codes[k] = pack(_DROPOUT, how[i] - LOST, _DROPOUT, how[i] - LOST, arm)
            k += np.uint64(1)
        if stops[i] < NEVER and rough[i] == 0:
            ticks[k] = start + stops[i]
            if why[i] >= 0:
                codes[k] = pack(_ADVERSE, REASON_PART + why[i], _DISCONTINUED, reasons[why[i]], 0)
            else:
                codes[k] = pack(_ADVERSE, END_PART, _ENDED, 0, 0)
            k += np.uint64(1)
        at[i] = k
    when, what = drawn[WHEN], drawn[LIKE]
    for a in range(len(term.window)):
        window = term.window[a]
        lasting = LASTING_ROW if term.length[a, 0] >= 0.0 else 0
        for place in range(np.uint64(begins[a]), np.uint64(begins[a + 1])):
            i = np.uint64(who[place])
            if when[place] <= min(last[i], stops[i] + window):
                k = np.uint64(at[i])
                at[i] += 1
                ticks[k] = begun[i] + when[place]
                serious = SERIOUS_ROW if what[place] & IS_SERIOUS else 0
                codes[k] = pack(_ADVERSE, a, _ADVERSE, a, ((what[place] & LEVEL) + 1) | lasting | serious)
