"""Lives of patients as compiled loops: each patient's clocks run against one another until follow-up ends.

A patient has slots in the order of one instant; the soonest comes next, the first of them among ties. What comes is
written to a journal: tick, a packed code (see :func:`pack`) and a value, patient after patient.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import DISCONTINUE, INTERRUPT, NOTHING, REDUCE, Kind
from trialsim.draws import Purpose, fill_words, uniform
from trialsim.engines.fast_ahead_kernels import (
    ACTION_BIT,
    COLUMNS,
    FOLLOWING,
    FULLY,
    IS_FATAL,
    IS_SERIOUS,
    LEVEL,
    LIKE,
    NEXT,
    WHEN,
    draw_ahead,
    draw_event,
    reach_of_terms,
    scratch_for,
)  # fmt: skip
from trialsim.engines.fast_course_kernels import MOST_NOTES, only_leaving_changes, settle
from trialsim.engines.fast_journal_kernels import LASTING_ROW, SERIOUS_ROW, pack
from trialsim.engines.fast_rows import row_of
from trialsim.engines.fast_straight_kernels import (
    COMPLETED,
    DEAD,
    FOLLOWED,
    LOST,
    WITHDRAWN,
    count_straight,
    fill_straight,
    foresee,
    may_be_straight,
    stirring_levels,
    tell_straight,
)
from trialsim.engines.life import (
    CROSSOVER_PART,
    END_PART,
    HELD,
    HELD_LATE,
    REASON_PART,
    RESCUE_PART,
    RESUME_PART,
    VERDICT_PART,
    WAS_MISSED,
)
from trialsim.keyed_words import group_keys, order_by_block, words_of
from trialsim.operations.adverse_events import INTERRUPTION, occurrence_draw
from trialsim.operations.delays import drawn_delay
from trialsim.operations.visits import JITTER, LATE, LATENESS, MISSED, visit_time
from trialsim.population.clocks import EXPONENT, SCALE, departure_pace, spent_at, still_to_spend
from trialsim.population.endpoints.remaining import outcome_with
from trialsim.population.endpoints.survival import fill_event_ticks, order_by_arm
from trialsim.timegrid import NEVER

_EVENT, _READOUT, _DROPOUT, _ADVERSE, _VISIT, _ONSET, _ADJUDICATED = (
    int(kind)
    for kind in (
        Kind.EVENT, Kind.READOUT, Kind.DROPOUT, Kind.ADVERSE_EVENT, Kind.VISIT, Kind.ONSET, Kind.ADJUDICATED,
    )
)  # fmt: skip
_DEATH, _DISCONTINUED, _REDUCED, _INTERRUPTED, _RESUMED, _ENDED, _RESCUE, _CROSSOVER = (
    int(kind)
    for kind in (
        Kind.DEATH, Kind.DISCONTINUED, Kind.REDUCED, Kind.INTERRUPTED, Kind.RESUMED, Kind.TREATMENT_ENDED,
        Kind.RESCUE, Kind.CROSSOVER,
    )
)  # fmt: skip
_OF_DOSE, _OF_RESCUE = int(Purpose.DOSE), int(Purpose.RESCUE)
_OF_VISIT, _OF_REPORT, _OF_VERDICT = int(Purpose.VISIT), int(Purpose.REPORT), int(Purpose.ADJUDICATION)

_WORST, _DOSE, _EFFECT, _HEARD = 1, 2, 4, 8
"""What hazards depend on, as bits: the worst adverse event, the dose, what is left of the effect, outcomes."""

_FIRST = np.inf
"""Stands for the amount of hazard that a clock bears from entry on, until it is needed."""

MOST_ROWS_AT_ONCE = 12
"""Rows that one event writes to the journal at most, apart from those of endpoints."""
ROWS_OF_AN_ENDPOINT = 4
PLACES_AHEAD = 8
"""Adverse events drawn ahead at most, a patient in the mean."""


@kernel
def first_times(
    seed, replicate, first, tables, keys, by_block, clock, grid, shapes, starts, factors, row, arm_of, order, until,
    scratch, words, held, days, amount, first_at,
):  # fmt: skip
    """Fill when each clock goes off first if nothing changes, ``[clock, patient]``, and the amount of hazard it bears.

    ``starts`` holds begin, width, slope and jump of the clocks with the whole effect, ``[4, clock, arm, segment]``;
    ``by_block`` is of :func:`~trialsim.keyed_words.order_by_block`, ``scratch`` that of :func:`draw_ahead`.
    """
    n = first_at.shape[1]
    order_by_arm(arm_of, first, n, order, until)
    grouped, of_key, drawn = scratch[0], scratch[1][0], scratch[2]
    blocks = np.int64(0)
    if len(keys):
        for k in range(len(by_block)):
            of_key[k] = keys[np.uint64(by_block[k])]
        blocks = group_keys(of_key[: len(by_block)], grouped)
    for c in range(len(clock.purpose)):
        if not clock.present[c]:
            first_at[c, first:] = NEVER
            continue
        if len(keys):
            words_of(drawn, grouped, blocks, replicate, clock.purpose[c], clock.draw[c], seed)
            for k in range(len(by_block)):
                words[np.uint64(by_block[k])] = drawn[k]
        else:
            fill_words(words, tables[c], first // 32 * 8, tables.shape[2], replicate, clock.purpose[c], seed)
        # Of several clocks that nobody but the patient moves, the same sums as spent_at from entry on.
        fill_event_ticks(
            words, factors[c], row, arm_of, order, until, starts[0, c], starts[1, c], starts[2, c], starts[3, c],
            shapes[c, EXPONENT], shapes[c, SCALE], grid, first, n, amount[c], held, days, first_at[c],
        )  # fmt: skip


@kernel
def plan_visit(seed, replicate, key, visit, previous, scheduled, missed, jitter, late, grid):
    """Return when a visit takes place or is missed, in ticks since entry, and which of the two, or late."""
    if missed > 0.0 and uniform(seed, replicate, key, _OF_VISIT, occurrence_draw(0, visit, MISSED)) < missed:
        return max(scheduled, previous + grid), WAS_MISSED
    u = 0.5
    if jitter[0] > 0.0:
        u = uniform(seed, replicate, key, _OF_VISIT, occurrence_draw(0, visit, JITTER))
    at = visit_time(scheduled, previous, u, np.int64(jitter[0]), jitter[1], grid)
    if late[0] > 0.0 and uniform(seed, replicate, key, _OF_VISIT, occurrence_draw(0, visit, LATE)) < late[0]:
        u = uniform(seed, replicate, key, _OF_VISIT, occurrence_draw(0, visit, LATENESS))
        return at + drawn_delay(u, late[1], late[2], late[3], grid), HELD_LATE
    return at, HELD


@kernel
def slots_in_use(clock, survival, reading, term, treatment, visiting, slots):
    """Return the slots, of all but the first, at which anything can ever happen."""
    ends, reads, terms, reasons = (
        len(survival.endpoints), len(reading.readouts), len(term.address), len(treatment.reason),
    )  # fmt: skip
    used = np.ones(slots, np.bool_)
    used[0] = False
    for c in range(ends, ends + 2):
        used[c + reads] = clock.present[c]
    at = ends + reads + 2 + terms
    used[at] = term.interrupt.sum() > 0.0
    used[at + 1] = treatment.duration < NEVER
    at += 2 + reasons
    used[at] = treatment.weights > 1
    used[at + 1] = treatment.rescue[0] > 0.0
    used[at + 2] = treatment.crossover_on > -2
    used[at + 3] = len(visiting.visits) > 0
    return np.flatnonzero(used)


@kernel
def worsening_bits(clock, survival, term, bit):
    """Return the bit where a worst adverse event of another level changes a hazard, 0 elsewhere, ``[before, after]``."""
    ends, levels = len(survival.endpoints), clock.after.shape[1]
    found = np.zeros((levels, levels), np.int64)
    for c in range(ends, len(clock.purpose)):
        if clock.present[c] and not ends + 2 <= c < ends + 2 + len(term.address):
            for before in range(levels):
                for after in range(levels):
                    if clock.after[c, before] != clock.after[c, after]:
                        found[before, after] = bit
    return found


@kernel
def dosing_bit(term, bit):
    """Return the bit where the dose changes the intensity of an adverse event, otherwise 0."""
    for a in range(term.dose_factor.shape[0]):
        for level in range(term.dose_factor.shape[1]):
            if term.dose_factor[a, level] != term.dose_factor[a, 0]:
                return bit
    return 0


@kernel
def live(
    seed, replicates, chosen, first, reach, tables, keys, clock, survival, reading, term, treatment, visiting, grid,
    clocks, starts, factors, rows, entry, arms,
    outcomes, parts, orders, event_at, exit_at, told_at, readout_at, dropout, complete, off_at, quit_at, crossed_at, left,
    ticks, codes, offsets, full,
):  # fmt: skip
    """Let patients ``first[r]`` onwards of each chosen replicate live, each until follow-up ends or as far as is asked.

    Parameters
    ----------
    seed, replicates, chosen, first, keys, entry, arms
        As in the other kernels.
    reach
        Tick to which the lives are led, ``[replicate]``: whoever has not left by then is still followed.
    tables
        Of the words of each clock, ``[clock, 4, block]``.
    clock, survival, reading, term, treatment, visiting, grid, clocks, starts
        The laws, groups of :class:`~trialsim.engines.life.LifeNumbers` first; see :func:`first_times`.
    factors, rows
        exp(-linear predictor) of each clock, ``[clock, row, arm]``, and which row each patient is.
    outcomes
        What read-outs show under the arm as randomised, ``[readout, replicate, patient]``; empty where no hazard depends on
        them and they depend on no treatment. Overwritten where the treatment taken has changed them.
    parts
        Main, modifier and drift of each, ``[readout, 3, replicate, patient]``; empty where no treatment changes them.
    orders
        What is done about each patient at each visit, ``[replicate, patient, visit]``; empty where nobody is monitored.
    event_at, exit_at
        To fill: event of each survival endpoint, and its end of follow-up, ``[endpoint, replicate, patient]``.
    told_at
        To fill for endpoints whose events take time to be told: when their exit is known to an analysis, when an event
        is, and when it is reported, ``[3, endpoint, replicate, patient]``; empty where there are none.
    readout_at
        To fill: read-out of each other endpoint.
    dropout, complete
        To fill: delay to loss or withdrawal, and to having nothing more to give, NEVER where it was the other.
    off_at, quit_at, crossed_at, left
        To fill: tick of the last dose, of discontinuation, of crossover, and how the patient left.
    ticks, codes, offsets
        The journal ``[replicate, row]``, and where each patient's rows begin, ``[replicate, patient + 1]``.
    full
        Set where the journal of a replicate is too short, ``[replicate]``.
    """
    n = entry.shape[1]
    ends = len(survival.endpoints)
    reads = len(reading.readouts)
    terms = len(term.address)
    reasons = len(treatment.reason)
    clock_count = len(clock.purpose)
    term0 = ends + 2  # after loss and withdrawal
    reason0 = term0 + terms
    # Slots in the order of one instant.
    slot_read = ends
    slot_term = ends + reads + 2
    slot_resume = slot_term + terms
    slot_end = slot_resume + 1
    slot_reason = slot_end + 1
    slot_fade = slot_reason + reasons
    slot_rescue = slot_fade + 1
    slot_cross = slot_rescue + 1
    slot_visit = slot_cross + 1
    slots = slot_visit + 1
    slot = np.empty(clock_count, np.int64)
    for c in range(clock_count):
        if c < ends:
            slot[c] = c
        elif c < term0:
            slot[c] = c + reads
        elif c < reason0:
            slot[c] = slot_term + c - term0
        else:
            slot[c] = slot_reason + c - reason0
    present = np.flatnonzero(clock.present)
    due = slots_in_use(clock, survival, reading, term, treatment, visiting, slots)
    cares = np.empty(clock_count, np.int64)
    for c in range(clock_count):
        cares[c] = _EFFECT if c < ends else (_DOSE if term0 <= c < reason0 else 0)
        if ends <= c < term0 or c >= reason0:
            for level in range(1, clock.after.shape[1]):
                if clock.after[c, level] != clock.after[c, 0]:
                    cares[c] |= _WORST
            for k in range(reads):
                if clock.hear[c, k] != 0.0:
                    cares[c] |= _HEARD
    amount = np.empty(clock_count)
    pace = np.empty(clock_count)
    since = np.empty(clock_count, np.int64)
    group = np.empty(clock_count, np.int64)
    heard = np.empty(clock_count)
    occurrence = np.empty(terms, np.int64)
    next_at = np.empty(slots, np.int64)
    open_end = np.empty(ends + reads, np.bool_)
    occurred = np.empty(ends, np.bool_)
    refused_until = np.empty(ends, np.int64)
    told = told_at.shape[1] > 0
    most_rows = MOST_ROWS_AT_ONCE + ROWS_OF_AN_ENDPOINT * (ends + reads)
    visits = len(visiting.visits)
    words = np.empty(max(4 * tables.shape[2], n), np.uint64)
    days, held = np.empty(n), np.empty(n)
    order, until = np.empty(n + 1, np.int64), np.empty(starts.shape[2], np.int64)
    latest_of, followed, stops_at = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    scratch = scratch_for(n)
    by_block = np.arange(n)
    stirs, straight = stirring_levels(clock, survival, term), may_be_straight(clock, visiting, told)
    # Bits that stand for what no hazard depends on are never set.
    worsens = worsening_bits(clock, survival, term, _WORST)
    of_dosing = dosing_bit(term, _DOSE)
    settles = only_leaving_changes(term, treatment)
    notes, noted_at, noted = (
        np.zeros(n + 1, np.int64),
        np.empty(n + MOST_NOTES, np.int64),
        np.empty(n + MOST_NOTES, np.int64),
    )
    rough, how_of, plan_of = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((3, n), np.int64)
    places = terms + PLACES_AHEAD * n
    ahead, amounts = np.empty((COLUMNS, places), np.int64), np.empty(places)
    who_of, coming = np.empty(places, np.int64), np.empty((terms, n), np.int64)
    terms_begin, told_until, told_rows, row_at = (
        np.empty(terms + 1, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64),
    )  # fmt: skip
    comes = np.empty(terms, np.int64)
    first_amount = np.empty((clock_count, n))
    first_at = np.empty((clock_count, n), np.int64)
    room = ticks.shape[1]
    weights = treatment.weights
    listens = bool(clock.hear.any())
    changing, monitored = len(parts) > 0, len(orders) > 0
    nobody = np.empty(0, np.int64)
    # Taken out of their tuples once: reading an array from one costs a reference count each time.
    hazards, shapes = clocks.hazards, clocks.shapes
    of_address = term.address
    of_after = clock.after
    of_at_visit = reading.at_visit
    of_confirmed = survival.confirmed
    of_crosses = treatment.crosses
    of_crossover = treatment.crossover
    of_crossover_on = treatment.crossover_on
    of_crossover_to = treatment.crossover_to
    of_detected = survival.detected
    of_dose_factor = term.dose_factor
    of_doses = treatment.doses
    of_duration = treatment.duration
    of_endpoints = survival.endpoints
    of_hear = clock.hear
    of_interruption = term.interruption
    of_jitter = visiting.jitter
    of_late = visiting.late
    of_length = term.length
    of_missed = visiting.missed
    of_name = survival.name
    of_present = clock.present
    of_readout = reading.readout
    of_readouts = reading.readouts
    of_reason = treatment.reason
    of_reason_of_action = treatment.reason_of_action
    of_reason_of_monitoring = treatment.reason_of_monitoring
    of_report = survival.report
    of_report_law = survival.report_law
    of_rescue = treatment.rescue
    of_rescue_ratio = treatment.rescue_ratio
    of_step = treatment.step
    of_terminal = survival.terminal
    of_verdict_law = survival.verdict_law
    of_visits = visiting.visits
    of_window = term.window
    of_read_binary = reading.binary
    of_read_intercepts = reading.intercepts
    of_read_sd = reading.sd
    of_read_on_probability = reading.on_probability
    of_read_purpose = reading.purpose
    of_read_draw = reading.draw
    of_left = treatment.left
    for r in chosen:
        replicate = replicates[r]
        mine = keys[r] if len(keys) else nobody
        row = rows[row_of(rows, r)]
        arm_of = arms[row_of(arms, r)]
        grouping = by_block[first[r] :]
        if len(keys):
            order_by_block(mine, first[r], grouping)
        first_times(
            seed, replicate, first[r], tables, mine, grouping, clock, grid, shapes, starts, factors, row, arm_of, order,
            until, scratch, words, held, days, first_amount, first_at,
        )  # fmt: skip
        begun = entry[row_of(entry, r)]
        for i in range(n):
            latest_of[i] = reach[r] - begun[i]
        rough[:] = 0 if straight else FULLY
        reach_of_terms(survival, reading, term, treatment, first_at, first[r], latest_of, followed, stops_at)
        draw_ahead(
            seed, replicate, grouping, mine, survival, term, treatment, grid, hazards, shapes, factors, row, arm_of,
            first_at, followed, stops_at, stirs, scratch, ahead, amounts, who_of, terms_begin, coming, rough,
        )  # fmt: skip
        foresee(survival, reading, term, treatment, first_at, first[r], latest_of, rough, how_of, plan_of)
        if settles:
            settle(
                seed, replicate, mine, clock, survival, reading, term, treatment, grid, hazards, shapes, arm_of, begun,
                first_at, first_amount, first[r], latest_of,
                followed, stops_at, ahead, who_of, terms_begin, stirs, rough, how_of, plan_of, noted_at, noted, notes,
            )  # fmt: skip
        else:
            for i in range(n):
                rough[i] = FULLY if rough[i] else 0
        fill_straight(
            survival, reading, r, first_at, first[r], latest_of, begun, rough, how_of, plan_of, event_at, exit_at,
            readout_at, dropout, complete, off_at, quit_at, crossed_at, left,
        )  # fmt: skip
        count_straight(
            survival, term, r, first[r], latest_of, rough, how_of, plan_of, ahead, who_of, terms_begin, event_at, notes,
            told_until, told_rows,
        )  # fmt: skip
        at = offsets[r, first[r]]
        when, what = ticks[r], codes[r]
        full[r] = False
        since_first = first[r]
        if told:
            told_at[:, :, r, since_first:] = NEVER
        for i in range(since_first, n):
            if rough[i] < FULLY:
                at += told_rows[i]
                offsets[r, i + 1] = at
                if at > room:
                    full[r] = True
                    break
                continue
            key = mine[i] if len(keys) else np.int64(i)
            start = begun[i]
            latest = latest_of[i]
            arm = np.int64(arm_of[i])
            who = row[i]
            for e in range(ends):
                open_end[e] = True
                occurred[e] = False
                refused_until[e] = -1
            for k in range(reads):
                open_end[ends + k] = True
            offsets[r, i + 1] = at
            if latest < 0:
                continue
            # Loops of their own, as only so each of them vectorises.
            for c in range(clock_count):
                group[c] = arm * weights
            for c in range(clock_count):
                pace[c] = 1.0
            for c in range(clock_count):
                since[c] = 0
            for c in range(clock_count):
                heard[c] = 0.0
            for c in range(clock_count):
                amount[c] = _FIRST
            for a in range(terms):
                occurrence[a] = 0
            for s in range(slots):
                next_at[s] = NEVER
            for q in range(len(present)):
                next_at[np.uint64(slot[present[q]])] = first_at[np.uint64(present[q]), np.uint64(i)]
            for k in range(reads):
                next_at[slot_read + k] = np.int64(NEVER) if of_at_visit[k] else of_readout[k]
            next_at[slot_end] = of_duration
            visit = 0
            how = 0
            if visits > 0:
                next_at[slot_visit], how = plan_visit(
                    seed,
                    replicate,
                    key,
                    0,
                    0,
                    of_visits[0],
                    of_missed,
                    of_jitter,
                    of_late,
                    grid,
                )
            still_open = ends + reads
            dose = 0
            paused = False
            off = False
            last_dose = np.int64(NEVER)
            fading = 0
            rescued = False
            crossed = False
            worst = 0
            living_arm = arm
            going = True
            while going:
                if at + most_rows > room:
                    full[r] = True
                    break
                chosen_slot = np.int64(0)
                now = next_at[0]
                for q in range(len(due)):
                    s = np.uint64(due[q])
                    if next_at[s] < now:
                        now = next_at[s]
                        chosen_slot = due[q]
                if now > latest:
                    break
                tick = start + now
                stops = False  # treatment is discontinued in this instant
                reason = -1
                place = _ADVERSE
                place_part = 0
                died_of = -1
                changed = 0  # what hazards depend on, as far as it has changed
                leaves = FOLLOWED
                crossing = False
                see_from, see_to, read_from, read_to = 0, 0, 0, 0  # endpoints that may become known now
                at_visit = False
                last_visit = False
                to_do = np.int64(NOTHING)
                if chosen_slot < ends:
                    outcome = of_endpoints[chosen_slot]
                    next_at[chosen_slot] = NEVER
                    if of_detected[chosen_slot]:
                        occurred[chosen_slot] = True
                        when[at] = tick
                        what[at] = pack(_EVENT, outcome, _ONSET, outcome, arm)
                        at += 1
                    else:
                        place, place_part = _EVENT, outcome
                        see_from, see_to = chosen_slot, chosen_slot + 1
                elif chosen_slot < ends + reads:
                    next_at[chosen_slot] = NEVER
                    place, place_part = _READOUT, of_readouts[chosen_slot - slot_read]
                    read_from, read_to = chosen_slot - slot_read, chosen_slot - slot_read + 1
                elif chosen_slot < slot_term:
                    part = chosen_slot - ends - reads
                    leaves = LOST if part == 0 else WITHDRAWN
                    when[at] = tick
                    what[at] = pack(_DROPOUT, part, _DROPOUT, part, arm)
                    at += 1
                elif chosen_slot < slot_resume:
                    a = chosen_slot - slot_term
                    c = term0 + a
                    o = occurrence[a]
                    occurrence[a] += 1
                    place_part = a
                    drawn = comes[a] if o > 0 else coming[a, i]
                    if drawn < 0:
                        drawn = a
                        draw_event(seed, replicate, key, term, a, o, factors[c, who, arm], a, ahead, amounts)
                    comes[a] = ahead[FOLLOWING, drawn]
                    like = ahead[LIKE, drawn]
                    level = like & LEVEL
                    lasting = LASTING_ROW if of_length[a, 0] >= 0.0 else 0
                    if like & IS_FATAL:
                        died_of = 1 + a
                        lasting = 0
                    value = (level + 1) | lasting | (SERIOUS_ROW if like & IS_SERIOUS else 0)
                    when[at] = tick
                    what[at] = pack(_ADVERSE, a, _ADVERSE, a, value)
                    at += 1
                    if died_of >= 0:
                        see_from, see_to = of_terminal, of_terminal + 1
                    else:
                        if level + 1 > worst:
                            changed |= worsens[np.uint64(worst), np.uint64(level + 1)]
                            worst = level + 1
                        amount[c] = amounts[drawn]
                        since[c] = now
                        if now == ahead[WHEN, drawn] and pace[c] == 1.0:
                            next_at[chosen_slot] = ahead[NEXT, drawn]
                        else:
                            next_at[chosen_slot] = spent_at(
                                amount[c], pace[c], now, c, group[c], hazards, shapes, grid
                            )
                        if off and next_at[chosen_slot] > last_dose + of_window[a]:
                            next_at[chosen_slot] = NEVER
                        done = like >> ACTION_BIT
                        if not off and done != NOTHING:
                            if done == DISCONTINUE or (done == REDUCE and dose + 1 == of_doses):
                                # A potential outcome without discontinuation has no reason for it.
                                reason = of_reason_of_action
                                stops = reason >= 0
                            elif done == REDUCE:
                                dose += 1
                                changed |= of_dosing
                                when[at] = tick
                                what[at] = pack(_ADVERSE, a, _REDUCED, a, dose)
                                at += 1
                            elif done == INTERRUPT:
                                u = uniform(
                                    seed,
                                    replicate,
                                    key,
                                    _OF_DOSE,
                                    occurrence_draw(of_address[a], o, INTERRUPTION),
                                )
                                lasts = drawn_delay(
                                    u, of_interruption[a, 0], of_interruption[a, 1],
                                    of_interruption[a, 2], grid,
                                )  # fmt: skip
                                resumes = now + lasts
                                if paused:
                                    resumes = max(resumes, next_at[slot_resume])
                                next_at[slot_resume] = resumes
                                paused = True
                                changed |= of_dosing
                                when[at] = tick
                                what[at] = pack(_ADVERSE, a, _INTERRUPTED, a, o)
                                at += 1
                elif chosen_slot == slot_resume:
                    next_at[slot_resume] = NEVER
                    paused = False
                    changed |= of_dosing
                    when[at] = tick
                    what[at] = pack(_ADVERSE, RESUME_PART, _RESUMED, 0, dose)
                    at += 1
                elif chosen_slot == slot_end:
                    place_part = END_PART
                    stops = True
                elif chosen_slot < slot_fade:
                    place_part = REASON_PART + chosen_slot - slot_reason
                    stops = True
                    reason = of_reason[chosen_slot - slot_reason]
                elif chosen_slot == slot_fade:
                    fading += 1
                    changed |= _EFFECT
                    next_at[slot_fade] = now + of_step if fading + 1 < weights else np.int64(NEVER)
                elif chosen_slot == slot_rescue:
                    next_at[slot_rescue] = NEVER
                    rescued = True
                    changed |= _EFFECT
                    when[at] = tick
                    what[at] = pack(_ADVERSE, RESCUE_PART, _RESCUE, 0, arm)
                    at += 1
                elif chosen_slot == slot_cross:
                    next_at[slot_cross] = NEVER
                    place_part = CROSSOVER_PART
                    crossed = True
                    crossed_at[r, i] = tick
                    changed |= _EFFECT
                    living_arm = np.int64(of_crossover_to)
                    when[at] = tick
                    what[at] = pack(_ADVERSE, CROSSOVER_PART, _CROSSOVER, 0, living_arm)
                    at += 1
                    stops = not off
                    next_at[slot_fade] = NEVER
                else:
                    place = _VISIT
                    when[at] = tick
                    what[at] = pack(_VISIT, 0, _VISIT, how, visit + 1)
                    at += 1
                    if how != WAS_MISSED:
                        at_visit = True
                        see_to, read_to = ends, reads
                        if monitored:
                            to_do = np.int64(orders[r, i, visit])
                    visit += 1
                    last_visit = visit == visits
                    next_at[slot_visit] = NEVER
                    if not last_visit:
                        next_at[slot_visit], how = plan_visit(
                            seed, replicate, key, visit, now, of_visits[visit], of_missed, of_jitter,
                            of_late, grid,
                        )  # fmt: skip
                for e in range(see_from, see_to):
                    if at_visit and not (occurred[e] and open_end[e]):
                        continue
                    outcome = of_endpoints[e]
                    open_end[e] = False
                    still_open -= 1
                    when[at] = tick
                    what[at] = pack(place, place_part, _EVENT, outcome, arm)
                    at += 1
                    if e == of_terminal:
                        when[at] = tick
                        what[at] = pack(place, place_part, _DEATH, max(died_of, 0), arm)
                        at += 1
                        leaves = DEAD
                    elif e == of_crossover_on and of_crosses[arm]:
                        crossing = True
                    reported = tick + of_report[e]
                    if of_report_law[e, 0] >= 0:
                        u = uniform(seed, replicate, key, _OF_REPORT, of_name[e])
                        reported = tick + drawn_delay(
                            u,
                            of_report_law[e, 0],
                            of_report_law[e, 1],
                            of_report_law[e, 2],
                            grid,
                        )
                    if reported > tick:
                        when[at] = reported
                        what[at] = pack(_READOUT, outcome, _READOUT, outcome, 1)
                        at += 1
                    verdict = reported
                    confirmed = True
                    if of_verdict_law[e, 0] >= 0:
                        u = uniform(seed, replicate, key, _OF_VERDICT, of_name[e])
                        verdict = reported + drawn_delay(
                            u,
                            of_verdict_law[e, 0],
                            of_verdict_law[e, 1],
                            of_verdict_law[e, 2],
                            grid,
                        )
                        u = uniform(seed, replicate, key, _OF_VERDICT, of_name[e] + 1)
                        confirmed = u < of_confirmed[e]
                        when[at] = verdict
                        what[at] = pack(
                            _READOUT, VERDICT_PART + outcome, _ADJUDICATED, outcome, 1 if confirmed else 0
                        )
                        at += 1
                    if told:
                        told_at[2, e, r, i] = reported
                    if confirmed:
                        event_at[e, r, i] = tick
                        exit_at[e, r, i] = tick
                        if told:
                            told_at[0, e, r, i] = verdict
                            told_at[1, e, r, i] = verdict
                    else:
                        refused_until[e] = verdict
                for k in range(read_from, read_to):
                    if at_visit and not (of_at_visit[k] and open_end[ends + k] and now >= of_readout[k]):
                        continue
                    outcome = of_readouts[k]
                    readout_at[k, r, i] = tick
                    open_end[ends + k] = False
                    still_open -= 1
                    if at_visit:
                        when[at] = tick
                        what[at] = pack(place, place_part, _READOUT, outcome, 0)
                        at += 1
                    if changing and (fading > 0 or crossed):
                        u = uniform(seed, replicate, key, of_read_purpose[k], of_read_draw[k])
                        outcomes[k, r, i] = outcome_with(
                            u, of_read_binary[k], of_read_intercepts[k, 0],
                            of_read_intercepts[k, living_arm], parts[k, 0, r, i],
                            parts[k, 1, r, i] if living_arm > 0 else 0.0, parts[k, 2, r, i],
                            of_read_on_probability[k], 1.0 if crossed else of_left[fading], of_read_sd[k],
                        )  # fmt: skip
                    if listens:
                        changed |= _HEARD
                        for c in range(ends, clock_count):
                            if of_hear[c, k] != 0.0:
                                heard[c] += of_hear[c, k] * outcomes[k, r, i]
                if to_do != NOTHING and not off and leaves == FOLLOWED:
                    if to_do == DISCONTINUE or dose + 1 == of_doses:
                        reason = of_reason_of_monitoring
                        stops = reason >= 0
                    else:
                        dose += 1
                        changed |= of_dosing
                        when[at] = tick
                        what[at] = pack(place, place_part, _REDUCED, terms, dose)
                        at += 1
                if last_visit:
                    for e in range(ends):
                        if of_detected[e] and (open_end[e] or refused_until[e] >= 0):
                            if open_end[e]:
                                open_end[e] = False
                                next_at[slot[e]] = NEVER  # what would come now, nobody will ever see
                                still_open -= 1
                            exit_at[e, r, i] = tick
                            if told:
                                told_at[0, e, r, i] = max(tick, refused_until[e])
                            refused_until[e] = -1
                    for k in range(reads):
                        if of_at_visit[k] and open_end[ends + k]:
                            open_end[ends + k] = False
                            still_open -= 1
                if still_open == 0 and leaves == FOLLOWED:
                    leaves = COMPLETED
                if stops:
                    off = True
                    last_dose = now
                    off_at[r, i] = tick
                    when[at] = tick
                    if reason >= 0:
                        quit_at[r, i] = tick
                        what[at] = pack(place, place_part, _DISCONTINUED, reason, dose)
                    else:
                        what[at] = pack(place, place_part, _ENDED, 0, dose)
                    at += 1
                    next_at[slot_resume] = NEVER
                    next_at[slot_end] = NEVER
                    for d in range(reasons):
                        next_at[slot_reason + d] = NEVER
                    for a in range(terms):
                        if next_at[slot_term + a] > now + of_window[a]:
                            next_at[slot_term + a] = NEVER
                    if weights > 1 and not crossed:
                        fading = 1
                        changed |= _EFFECT
                        next_at[slot_fade] = now + of_step if weights > 2 else np.int64(NEVER)
                    if reason >= 0 and not crossed:
                        odds = of_rescue[0]
                        if odds > 0.0 and uniform(seed, replicate, key, _OF_RESCUE, 0) < odds:
                            u = uniform(seed, replicate, key, _OF_RESCUE, 1)
                            next_at[slot_rescue] = now + drawn_delay(
                                u, of_rescue[1], of_rescue[2], of_rescue[3], grid
                            )
                        if of_crossover_on == -1 and of_crosses[arm]:
                            crossing = True
                if crossing and uniform(seed, replicate, key, _OF_RESCUE, 2) < of_crossover[0]:
                    u = uniform(seed, replicate, key, _OF_RESCUE, 3)
                    next_at[slot_cross] = now + drawn_delay(
                        u, of_crossover[1], of_crossover[2], of_crossover[3], grid
                    )
                if leaves != FOLLOWED:
                    for e in range(ends):
                        if open_end[e] or refused_until[e] >= 0:
                            exit_at[e, r, i] = tick
                            if told:
                                told_at[0, e, r, i] = max(tick, refused_until[e])
                    left[r, i] = leaves
                    if leaves in (LOST, WITHDRAWN):
                        dropout[r, i] = now
                    else:
                        complete[r, i] = now
                    going = False
                    continue
                if changed == 0:
                    continue
                # Clocks that still run spend what has passed, and are set anew where their hazard has changed.
                for c in range(clock_count):
                    if cares[c] & changed == 0:
                        continue
                    new_group = arm * weights
                    if c < ends:
                        if not of_present[c] or not open_end[c] or occurred[c]:
                            continue
                        new_pace = of_rescue_ratio[c] if rescued else 1.0
                        new_group = living_arm * weights + (0 if crossed else fading)
                    elif c < term0:
                        if not of_present[c]:
                            continue
                        new_pace = departure_pace(of_after[c, worst], heard[c])
                    elif off:
                        break
                    elif c < reason0:
                        new_pace = of_dose_factor[c - term0, of_doses if paused else dose]
                    elif not of_present[c]:
                        continue
                    else:
                        new_pace = departure_pace(of_after[c, worst], heard[c])
                    if new_pace != pace[c] or new_group != group[c]:
                        if amount[c] == _FIRST:
                            # Scratch of the vectorised loop begins at the first patient that it lays out.
                            amount[c] = first_amount[c, i - since_first]
                        amount[c] = still_to_spend(
                            amount[c], pace[c], since[c], now, c, group[c], hazards, shapes
                        )
                        since[c] = now
                        pace[c] = new_pace
                        group[c] = new_group
                        next_at[slot[c]] = spent_at(
                            amount[c], new_pace, now, c, new_group, hazards, shapes, grid
                        )
            offsets[r, i + 1] = at
            if full[r]:
                break
        if not full[r]:
            tell_straight(
                survival, term, treatment, r, first[r], arm_of, begun, rough, how_of, plan_of, ahead, who_of, terms_begin,
                event_at, notes, noted_at, noted, told_until, told_rows, offsets[r], row_at, when, what,
            )  # fmt: skip
