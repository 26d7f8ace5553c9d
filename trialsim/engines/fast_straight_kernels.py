"""Lives in which nothing changes a hazard: what was drawn at entry and ahead is what happens, up to the end of follow-up.

Most patients have no adverse event that is fatal, changes their treatment or how readily they leave, and change nothing by
stopping. Of these all is known from when each clock goes off first; the others live event by event.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.contracts import Kind
from trialsim.engines.fast_ahead_kernels import FOLLOWING, FULLY, IS_SERIOUS, LEVEL, LIKE, WHEN
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
    # At the same tick an endpoint comes before loss, and loss before withdrawal.
    for part in range(2):
        lost = first_at[ends + part, first:]
        for i in range(n):
            sooner = lost[i] < leaves[i]
            how[i] = LOST + part if sooner else how[i]
            leaves[i] = min(lost[i], leaves[i])
    if survival.terminal >= 0:
        died = first_at[survival.terminal, first:]
        for i in range(n):
            dead = died[i] <= leaves[i]
            how[i] = DEAD if dead else how[i]
            leaves[i] = min(died[i], leaves[i])
    for d in range(len(treatment.reason)):
        quits = first_at[ends + 2 + terms + d, first:]
        for i in range(n):
            sooner = quits[i] < stops[i]
            why[i] = d if sooner else why[i]
            stops[i] = min(quits[i], stops[i])
    for i in range(n):
        how[i] = FOLLOWED if leaves[i] > latest[i] else how[i]
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


@inline
def tell_straight(
    r, i, told, arm, start, latest, how, leaves, stops, why, endpoints, terminal, report, reasons, windows, lengths, drawn,
    coming, event_at, ticks, codes, begin, room,
):  # fmt: skip
    """Write the rows of a straight life to the journal from row ``begin`` on; but for the last dose where that is told.

    Returns
    -------
    int
        How far they reach; ``room`` where there may have been too little of it.
    """
    at = begin
    for e in range(len(endpoints)):
        tick = event_at[np.uint64(e), r, i]
        if tick < NEVER:
            outcome = endpoints[e]
            ticks[at] = tick
            codes[at] = pack(_EVENT, outcome, _EVENT, outcome, arm)
            at += 1
            if e == terminal:
                ticks[at] = tick
                codes[at] = pack(_EVENT, outcome, _DEATH, 0, arm)
                at += 1
            if report[e] > 0:
                ticks[at] = tick + report[e]
                codes[at] = pack(_READOUT, outcome, _READOUT, outcome, 1)
                at += 1
    if how in (LOST, WITHDRAWN):
        ticks[at] = start + leaves
        codes[at] = pack(_DROPOUT, how - LOST, _DROPOUT, how - LOST, arm)
        at += 1
    if stops < NEVER and not told:
        ticks[at] = start + stops
        if why >= 0:
            codes[at] = pack(_ADVERSE, REASON_PART + why, _DISCONTINUED, reasons[why], 0)
        else:
            codes[at] = pack(_ADVERSE, END_PART, _ENDED, 0, 0)
        at += 1
    # An adverse event at the tick of leaving comes after it, one at the tick of the last dose before it.
    last = min(leaves - 1, latest)
    for a in range(len(windows)):
        place = coming[np.uint64(a), i]
        until = min(last, stops + windows[a])
        lasting = LASTING_ROW if lengths[np.uint64(a), 0] >= 0.0 else 0
        while place >= 0 and drawn[WHEN, np.uint64(place)] <= until:
            if at >= room:
                break
            like = drawn[LIKE, np.uint64(place)]
            value = ((like & LEVEL) + 1) | lasting
            value |= SERIOUS_ROW if like & IS_SERIOUS else 0
            ticks[at] = start + drawn[WHEN, np.uint64(place)]
            codes[at] = pack(_ADVERSE, a, _ADVERSE, a, value)
            at += 1
            place = drawn[FOLLOWING, np.uint64(place)]
    return at
