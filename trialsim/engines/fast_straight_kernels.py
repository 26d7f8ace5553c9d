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
from trialsim.engines.fast_ahead_kernels import FOLLOWING, IS_SERIOUS, LEVEL, LIKE, WHEN
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
"""Rows of what :func:`foresee` fills: ticks since entry to leaving and to the last dose; place of the reason, -1 for none."""


@kernel
def stirring_levels(numbers):
    """Return whether an adverse event of a level changes how readily somebody leaves or discontinues, ``[level]``."""
    ends, terms = len(numbers.endpoints), len(numbers.address)
    stirs = np.zeros(numbers.after.shape[1], np.bool_)
    for c in range(ends, len(numbers.purpose)):
        if numbers.present[c] and not ends + 2 <= c < ends + 2 + terms:
            for level in range(numbers.after.shape[1] - 1):
                stirs[level] |= numbers.after[c, level + 1] != numbers.after[c, 0]
    return stirs


@kernel
def may_be_straight(numbers, told):
    """Return whether any life can be told from what is drawn at entry and ahead."""
    return len(numbers.visits) == 0 and not told and not numbers.hear.any()


@kernel
def foresee(numbers, first_at, first, latest, rough, how, ahead):
    """Find when patients ``first`` onwards leave and stop treatment if nothing changes, and for whom something will.

    Parameters
    ----------
    numbers
        The laws.
    first_at
        When each clock goes off first, in ticks since entry, ``[clock, patient]``.
    latest
        Ticks since entry to which each patient is followed, ``[patient]``.
    rough
        Set besides for patients whose last dose or event changes what follows, ``[patient]``.
    how, ahead
        To fill: how each patient leaves; :data:`LEAVES`, :data:`STOPS` and :data:`WHY`, ``[patient]``.
    """
    ends, terms = len(numbers.endpoints), len(numbers.address)
    leaves, stops, why = ahead[LEAVES], ahead[STOPS], ahead[WHY]
    n = len(latest)
    wait = np.int64(0)
    for k in range(len(numbers.readout)):
        wait = max(wait, numbers.readout[k])
    for i in range(first, n):
        leaves[i] = wait
    for e in range(ends):
        known = first_at[e]
        for i in range(first, n):
            leaves[i] = max(leaves[i], known[i])
    for i in range(first, n):
        how[i] = COMPLETED
        stops[i] = numbers.duration
        why[i] = -1
    # At the same tick an endpoint comes before loss, and loss before withdrawal.
    for part in range(2):
        lost = first_at[ends + part]
        for i in range(first, n):
            sooner = lost[i] < leaves[i]
            how[i] = LOST + part if sooner else how[i]
            leaves[i] = lost[i] if sooner else leaves[i]
    if numbers.terminal >= 0:
        died = first_at[numbers.terminal]
        for i in range(first, n):
            dead = died[i] <= leaves[i]
            how[i] = DEAD if dead else how[i]
            leaves[i] = died[i] if dead else leaves[i]
    for d in range(len(numbers.reason)):
        quits = first_at[ends + 2 + terms + d]
        for i in range(first, n):
            sooner = quits[i] < stops[i]
            why[i] = d if sooner else why[i]
            stops[i] = quits[i] if sooner else stops[i]
    for i in range(first, n):
        over = leaves[i] > latest[i]
        how[i] = FOLLOWED if over else how[i]
        # Treatment does not end with follow-up, and an end at the tick of leaving comes after it.
        stops[i] = np.int64(NEVER) if stops[i] >= leaves[i] or stops[i] > latest[i] else stops[i]
    if numbers.weights > 1 or numbers.rescue[0] > 0.0 or numbers.crossover_on == -1:
        for i in range(first, n):
            rough[i] |= stops[i] < NEVER
    if numbers.crossover_on >= 0:
        crossing = first_at[numbers.crossover_on]
        for i in range(first, n):
            rough[i] |= crossing[i] <= latest[i]


@kernel
def fill_straight(
    numbers, first_at, first, latest, begun, rough, how, ahead, event_at, exit_at, readout_at, dropout, complete, off_at,
    quit_at, crossed_at, left,
):  # fmt: skip
    """Fill the times of patients ``first`` onwards whose lives are straight; those of the others are left NEVER.

    Arrays are those of :func:`~trialsim.engines.fast_life_kernels.live`, of one replicate.
    """
    never = np.int64(NEVER)
    leaves, stops, why = ahead[LEAVES], ahead[STOPS], ahead[WHY]
    n = len(latest)
    for e in range(len(numbers.endpoints)):
        known, event, out = first_at[e], event_at[e], exit_at[e]
        # Who dies leaves in that very event: those of endpoints that come later in an instant are not seen.
        after_death = numbers.terminal >= 0 and e > numbers.terminal
        for i in range(first, n):
            gone = how[i] == DEAD if after_death else False
            seen = (known[i] < leaves[i]) | ((known[i] == leaves[i]) & (not gone))
            seen = seen & (known[i] <= latest[i]) & (not rough[i])
            event[i] = begun[i] + known[i] if seen else never
            out[i] = begun[i] + leaves[i] if (how[i] != FOLLOWED) & (not rough[i]) else never
            out[i] = event[i] if seen else out[i]
    for k in range(len(numbers.readouts)):
        at, wait = readout_at[k], numbers.readout[k]
        for i in range(first, n):
            seen = (wait < leaves[i]) | ((wait == leaves[i]) & (how[i] != DEAD))
            seen = seen & (wait <= latest[i]) & (not rough[i])
            at[i] = begun[i] + wait if seen else never
    for i in range(first, n):
        is_lost = (how[i] == LOST) | (how[i] == WITHDRAWN)
        gone = (how[i] != FOLLOWED) & (not rough[i])
        dropout[i] = leaves[i] if gone & is_lost else never
        complete[i] = leaves[i] if gone & (not is_lost) else never
        left[i] = how[i] if gone else FOLLOWED
    for i in range(first, n):
        ended = (stops[i] < never) & (not rough[i])
        off_at[i] = begun[i] + stops[i] if ended else never
        quit_at[i] = begun[i] + stops[i] if ended & (why[i] >= 0) else never
        crossed_at[i] = never


@inline
def tell_straight(
    i, arm, start, latest, how, leaves, stops, why, endpoints, terminal, report, reasons, windows, lengths, drawn, coming,
    event_at, ticks, codes, begin, room,
):  # fmt: skip
    """Write the rows of a straight life to the journal from row ``begin`` on.

    Returns
    -------
    int
        How far they reach; ``room`` where there may have been too little of it.
    """
    at = begin
    for e in range(len(endpoints)):
        tick = event_at[np.uint64(e), i]
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
    if how == LOST or how == WITHDRAWN:
        ticks[at] = start + leaves
        codes[at] = pack(_DROPOUT, how - LOST, _DROPOUT, how - LOST, arm)
        at += 1
    if stops < NEVER:
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
