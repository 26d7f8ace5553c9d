"""What a candidate's way holds in store: who passes the records, who consents, who is eligible, and how long it all takes.

Everything is a function of the candidate's key and of the attempt, so that no one's way depends on who else is there; only
when a place for screening becomes free does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import inline, kernel
from trialsim.draws import Purpose, uniform
from trialsim.operations.delays import FIXED, DelayLaw, delay_law, drawn_delay, fill_delays
from trialsim.scenario.delays import Delay
from trialsim.scenario.screening import WINDOW, Screening
from trialsim.timegrid import NEVER, to_ticks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PASSES, PASSES_INELIGIBLE, REFUSES, FAILS_PRESCREEN = 0, -1, -2, -3
"""Outcomes of an attempt; numbers from 1 on are reasons of failure, in the order of :attr:`ScreeningLaw.reasons`."""

_PRESCREEN, _CONSENT = int(Purpose.PRESCREEN), int(Purpose.CONSENT)
_SCREENING, _PATIENCE, _LAG = int(Purpose.SCREENING), int(Purpose.PATIENCE), int(Purpose.LAG)
_DRAWS_PER_ATTEMPT = 8
_ELIGIBLE, _WRONGLY, _REASON, _DURATION, _COMES_AGAIN, _AGAIN_AFTER, _CONSENTS, _TALK = range(8)

WAY_DRAWS = 9
"""How many uniforms one attempt may need; their places:"""
(
    U_PRESCREEN, U_PATIENCE, U_TALK, U_CONSENT, U_DURATION, U_ELIGIBLE, U_WRONGLY, U_REASON, U_LAG,
) = range(WAY_DRAWS)  # fmt: skip

# Places in the array of numbers that the compiled law takes.
_WRONG, _WINDOW, _ATTEMPTS, _RESCREENS, _ELIGIBLE_AGAIN, _DELAYS = 0, 1, 2, 3, 4, 5
_PATIENCE_AT, _CONSENT_AT, _DURATION_AT, _LAG_AT, _AGAIN_AT = range(5)
_SIZE = _DELAYS + 5 * 3
_NONE = -1.0


@dataclass(frozen=True)
class ScreeningLaw:
    """The laws of a candidate's way.

    Parameters
    ----------
    numbers
        Probabilities, durations and limits for the compiled law.
    reason_bounds
        Cumulative shares of the reasons of failure, ``[reason]``.
    reasons
        Names of the reasons, the last being that the window was missed.
    keep
        Whether those in screening are carried through when enrolment closes.
    stratum_errors
        Probability that a patient is allocated in a wrong stratum.
    subgroup
        Column of the patients' records whose levels are reported, or -1.
    attempts
        Most attempts of one candidate.
    """

    numbers: Floats
    reason_bounds: Floats
    reasons: tuple[str, ...]
    keep: bool
    stratum_errors: float
    subgroup: int
    attempts: int

    @property
    def wrongly_randomised(self) -> float:
        """Probability that an ineligible candidate passes all the same."""
        return float(self.numbers[_WRONG])

    @property
    def asks_for_consent(self) -> bool:
        """Whether candidates are asked; otherwise screening begins with the call."""
        return bool(self.numbers[_DELAYS + 3 * _CONSENT_AT] >= 0.0)

    def median_ticks(self, grid: int) -> int:
        """Return the ticks from a call to randomisation where the answer, screening and the lag take their median times.

        Parameters
        ----------
        grid
            Step of the time grid in ticks.
        """
        parts = [_DURATION_AT, _LAG_AT, *([_CONSENT_AT] if self.asks_for_consent else [])]
        return sum(int(_delay_at(0.5, part, self.numbers, grid)) for part in parts)


def screening_law(
    stated: Screening,
    subgroup: int,
    grid: int,
) -> ScreeningLaw:
    """Return the law that a scenario states.

    Parameters
    ----------
    stated
        The scenario's block.
    subgroup
        Column of the patients' records whose levels are reported, or -1.
    grid
        Step of the time grid in ticks.
    """
    numbers = np.zeros(_SIZE)
    again = stated.rescreening
    numbers[_WRONG] = stated.wrongly_randomised
    numbers[_WINDOW] = NEVER if stated.window is None else max(to_ticks(stated.window, grid), grid)
    numbers[_ATTEMPTS] = 1 if again is None else 1 + again.attempts
    if again is not None:
        numbers[_RESCREENS], numbers[_ELIGIBLE_AGAIN] = again.probability, again.eligible
    none = DelayLaw(0, 0.0)

    def put(place: int, delay: Delay | None) -> None:
        law = none if delay is None else delay_law(delay, grid)
        numbers[_DELAYS + 3 * place : _DELAYS + 3 * place + 3] = law.parameters

    put(_PATIENCE_AT, stated.patience)
    if stated.patience is None:
        numbers[_DELAYS + 3 * _PATIENCE_AT] = _NONE
    put(_CONSENT_AT, stated.consent.duration if stated.consent is not None else None)
    if stated.consent is None:
        numbers[_DELAYS + 3 * _CONSENT_AT] = _NONE
    put(_DURATION_AT, stated.duration)
    put(_LAG_AT, stated.lag)
    put(_AGAIN_AT, None if again is None else again.after)
    shares = np.array([*stated.reasons.values()] or [1.0])
    names = (*(tuple(stated.reasons) or ("ineligible",)), WINDOW)
    return ScreeningLaw(
        numbers,
        np.cumsum(shares) / shares.sum(),
        names,
        stated.when_enrolment_closes == "keep",
        stated.stratum_errors,
        subgroup,
        int(numbers[_ATTEMPTS]),
    )


@kernel
def is_eligible(seed, replicate, key, chance):  # type: ignore[no-untyped-def]
    """Return whether a candidate is eligible at first contact, which nobody sees before screening."""
    return uniform(seed, replicate, key, _SCREENING, _ELIGIBLE) < chance


@kernel
def way_draws(seed, replicate, key, attempt, out):  # type: ignore[no-untyped-def]
    """Fill the uniforms of one attempt, in the order of :data:`WAY_DRAWS`."""
    for j in range(len(out)):
        purpose, draw = way_address(j, attempt)
        out[j] = uniform(seed, replicate, key, purpose, draw)


@inline
def way_address(place, attempt):  # type: ignore[no-untyped-def]
    """Return purpose and draw of the uniform at a place of :data:`WAY_DRAWS`."""
    base = attempt * _DRAWS_PER_ATTEMPT
    if place == U_PRESCREEN:
        return _PRESCREEN, np.int64(0)
    if place == U_PATIENCE:
        return _PATIENCE, np.int64(attempt)
    if place == U_TALK:
        return _CONSENT, np.int64(base + _TALK)
    if place == U_CONSENT:
        return _CONSENT, np.int64(base + _CONSENTS)
    if place == U_DURATION:
        return _SCREENING, np.int64(base + _DURATION)
    if place == U_ELIGIBLE:
        return _SCREENING, np.int64(base + _ELIGIBLE)
    if place == U_WRONGLY:
        return _SCREENING, np.int64(base + _WRONGLY)
    if place == U_REASON:
        return _SCREENING, np.int64(base + _REASON)
    return _LAG, np.int64(base)


@kernel
def way_needs(numbers, reason_count, out):  # type: ignore[no-untyped-def]
    """Fill which of the uniforms of an attempt matter at all, in the order of :data:`WAY_DRAWS`."""
    out[:] = True
    out[U_PATIENCE] = numbers[_DELAYS + 3 * _PATIENCE_AT] > FIXED
    asked = numbers[_DELAYS + 3 * _CONSENT_AT] >= 0.0
    out[U_TALK] = numbers[_DELAYS + 3 * _CONSENT_AT] > FIXED
    out[U_CONSENT] = asked
    out[U_DURATION] = numbers[_DELAYS + 3 * _DURATION_AT] > FIXED
    out[U_WRONGLY] = numbers[_WRONG] > 0.0
    out[U_REASON] = reason_count > 1
    out[U_LAG] = numbers[_DELAYS + 3 * _LAG_AT] > FIXED


@kernel
def _delay_at(u, place, numbers, grid):  # type: ignore[no-untyped-def]
    """Return the delay whose law stands at a place."""
    at = _DELAYS + 3 * place
    return drawn_delay(u, np.int64(numbers[at]), numbers[at + 1], numbers[at + 2], grid)


@kernel
def way_of(u, attempt, chances, numbers, reason_bounds, grid):  # type: ignore[no-untyped-def]
    """Return what an attempt brings, whenever it begins.

    Parameters
    ----------
    u
        Uniforms in the order of :data:`WAY_DRAWS`; those that :func:`way_needs` does not name are not read.
    attempt
        0 for the first.
    chances
        Of passing the records, consenting, being eligible, ``[3]``.
    numbers, reason_bounds
        Of :class:`ScreeningLaw`.
    grid
        Step of the time grid in ticks.

    Returns
    -------
    tuple of int
        The outcome; ticks that the candidate waits before withdrawing, NEVER where nobody does; ticks from the call to the
        answer to the question for consent (0 where nobody is asked), to the end of screening (of a refusal: the answer),
        and to the end of the way: randomisation, or the window's end where it comes before, or else the end of screening.
    """
    never = np.int64(NEVER)
    if attempt == 0 and chances[0] < 1.0 and not u[U_PRESCREEN] < chances[0]:
        return np.int64(FAILS_PRESCREEN), never, never, never, never
    patience = never
    if numbers[_DELAYS + 3 * _PATIENCE_AT] >= 0.0:
        patience = _delay_at(u[U_PATIENCE], _PATIENCE_AT, numbers, grid)
    answer = np.int64(0)
    if numbers[_DELAYS + 3 * _CONSENT_AT] >= 0.0:
        answer = _delay_at(u[U_TALK], _CONSENT_AT, numbers, grid)
        if not u[U_CONSENT] < chances[1]:
            return np.int64(REFUSES), patience, answer, answer, answer
    took = _delay_at(u[U_DURATION], _DURATION_AT, numbers, grid)
    window = np.int64(numbers[_WINDOW])
    missed = np.int64(len(reason_bounds) + 1)
    if took > window:
        return missed, patience, answer, answer + window, answer + window
    chance = chances[2] if attempt == 0 else numbers[_ELIGIBLE_AGAIN]
    outcome = np.int64(PASSES)
    if not u[U_ELIGIBLE] < chance:
        outcome = np.int64(PASSES_INELIGIBLE)
        if numbers[_WRONG] <= 0.0 or not u[U_WRONGLY] < numbers[_WRONG]:
            outcome = np.int64(1)
            while outcome < len(reason_bounds) and u[U_REASON] >= reason_bounds[outcome - 1]:
                outcome += 1
            return outcome, patience, answer, answer + took, answer + took
    lag = _delay_at(u[U_LAG], _LAG_AT, numbers, grid)
    if took + lag > window:
        return missed, patience, answer, answer + took, answer + window
    return outcome, patience, answer, answer + took, answer + took + lag


@kernel
def fill_ways(  # type: ignore[no-untyped-def]
    u, rows, chances, numbers, reason_bounds, grid, prescreens, tails, held, days,
    patience, answer, screened, final, outcome,
):  # fmt: skip
    """Fill :func:`way_of` of the first attempts of many candidates.

    Parameters
    ----------
    u
        Uniforms in the order of :data:`WAY_DRAWS`, ``[draw, at least as many as candidates]``.
    rows, chances
        Row of the chances of each candidate, and the chances, ``[row, 3]``.
    numbers, reason_bounds, grid
        As there.
    prescreens
        Whether anybody may not pass the records.
    tails, held, days
        Scratch of :func:`~trialsim.operations.delays.fill_delays`.
    patience, answer, screened, final, outcome
        Filled, ``[candidate]``.
    """
    count = len(outcome)
    never, window, missed = np.int64(NEVER), np.int64(numbers[_WINDOW]), np.int64(len(reason_bounds) + 1)
    asked, wrong = numbers[_DELAYS + 3 * _CONSENT_AT] >= 0.0, numbers[_WRONG]
    patience[:] = never
    if numbers[_DELAYS + 3 * _PATIENCE_AT] >= 0.0:
        _fill_delays_at(u[U_PATIENCE][:count], _PATIENCE_AT, numbers, grid, tails, held, days, patience)
    answer[:] = 0
    if asked:
        _fill_delays_at(u[U_TALK][:count], _CONSENT_AT, numbers, grid, tails, held, days, answer)
    _fill_delays_at(u[U_DURATION][:count], _DURATION_AT, numbers, grid, tails, held, days, screened)
    _fill_delays_at(u[U_LAG][:count], _LAG_AT, numbers, grid, tails, held, days, final)
    reasons = u[U_REASON]
    outcome[:] = 1
    for j in range(len(reason_bounds) - 1):
        bound = reason_bounds[j]
        for i in range(count):
            outcome[i] += np.int64(reasons[i] >= bound)
    # Loops of their own, as only so each of them vectorises.
    chance, eligible, wrongly = held[0], u[U_ELIGIBLE], u[U_WRONGLY]
    for i in range(count):
        chance[i] = chances[np.uint64(rows[i]), 2]
    for i in range(count):
        slips = np.int64(PASSES_INELIGIBLE) if (wrong > 0.0) & (wrongly[i] < wrong) else outcome[i]
        outcome[i] = np.int64(PASSES) if eligible[i] < chance[i] else slips
    for i in range(count):
        took, lag, fails = screened[i], final[i], outcome[i] > 0
        late = took > window
        misses = late | ((not fails) & (took + lag > window))
        outcome[i] = missed if misses else outcome[i]
        screened[i] = window if late else took
        final[i] = window if misses else took + (np.int64(0) if fails else lag)
    if asked:
        consents = u[U_CONSENT]
        for i in range(count):
            chance[i] = chances[np.uint64(rows[i]), 1]
        for i in range(count):
            refuses = not consents[i] < chance[i]
            outcome[i] = np.int64(REFUSES) if refuses else outcome[i]
            screened[i] = np.int64(0) if refuses else screened[i]
            final[i] = np.int64(0) if refuses else final[i]
    for i in range(count):
        screened[i] += answer[i]
        final[i] += answer[i]
    if prescreens:
        _mark_prescreen_failures(u[U_PRESCREEN], rows, chances, patience, answer, screened, final, outcome)


@kernel
def _mark_prescreen_failures(u, rows, chances, patience, answer, screened, final, outcome):  # type: ignore[no-untyped-def]
    """Mark those who fail by the records; nothing else comes of them."""
    for i in range(len(outcome)):
        chance = chances[np.uint64(rows[i]), 0]
        if chance < 1.0 and not u[i] < chance:
            outcome[i] = FAILS_PRESCREEN
            patience[i], answer[i], screened[i], final[i] = NEVER, NEVER, NEVER, NEVER


@kernel
def _fill_delays_at(u, place, numbers, grid, tails, held, days, out):  # type: ignore[no-untyped-def]
    """Fill the delays whose law stands at a place."""
    at = _DELAYS + 3 * place
    fill_delays(u, np.int64(numbers[at]), numbers[at + 1], numbers[at + 2], grid, tails, held, days, out)


@kernel
def comes_again(seed, replicate, key, attempt, numbers, grid):  # type: ignore[no-untyped-def]
    """Return the ticks after which a candidate who has failed an attempt comes again; NEVER for those who do not."""
    if attempt + 1 >= numbers[_ATTEMPTS]:
        return np.int64(NEVER)
    base = attempt * _DRAWS_PER_ATTEMPT
    if not uniform(seed, replicate, key, _SCREENING, base + _COMES_AGAIN) < numbers[_RESCREENS]:
        return np.int64(NEVER)
    return _delay_at(uniform(seed, replicate, key, _SCREENING, base + _AGAIN_AFTER), _AGAIN_AT, numbers, grid)
