"""What a candidate's way holds in store: who passes the records, who consents, who is eligible, and how long it all takes.

Everything is a function of the candidate's key and of the attempt, so that no one's way depends on who else is there; only
when a place for screening becomes free does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.draws import Purpose, uniform
from trialsim.operations.delays import DelayLaw, delay_law, drawn_delay
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
def passes_prescreen(seed, replicate, key, chance):  # type: ignore[no-untyped-def]
    """Return whether a candidate's records pass."""
    return uniform(seed, replicate, key, _PRESCREEN, 0) < chance


@kernel
def is_eligible(seed, replicate, key, chance):  # type: ignore[no-untyped-def]
    """Return whether a candidate is eligible at first contact, which nobody sees before screening."""
    return uniform(seed, replicate, key, _SCREENING, _ELIGIBLE) < chance


@kernel
def patience_ticks(seed, replicate, key, attempt, numbers, grid):  # type: ignore[no-untyped-def]
    """Return how long a candidate waits for screening before withdrawing; NEVER where nobody withdraws."""
    at = _DELAYS + 3 * _PATIENCE_AT
    if numbers[at] < 0.0:
        return np.int64(NEVER)
    u = uniform(seed, replicate, key, _PATIENCE, attempt)
    return drawn_delay(u, np.int64(numbers[at]), numbers[at + 1], numbers[at + 2], grid)


@kernel
def _delay_at(u, place, numbers, grid):  # type: ignore[no-untyped-def]
    """Return the delay whose law stands at a place."""
    at = _DELAYS + 3 * place
    return drawn_delay(u, np.int64(numbers[at]), numbers[at + 1], numbers[at + 2], grid)


@kernel
def attempt_of(seed, replicate, key, attempt, chances, numbers, reason_bounds, grid):  # type: ignore[no-untyped-def]
    """Return what an attempt brings, whenever it begins.

    Parameters
    ----------
    seed, replicate, key, attempt
        Address: the candidate's key, and 0 for the first attempt.
    chances
        Of passing the records, consenting, being eligible, ``[3]``.
    numbers, reason_bounds
        Of :class:`ScreeningLaw`.
    grid
        Step of the time grid in ticks.

    Returns
    -------
    tuple of int
        The outcome; ticks from the beginning to the answer to the question for consent (0 where nobody is asked), to the
        end of screening (of a refusal: the answer), and to the end of the way: randomisation, or the window's end where
        it comes before, or else the end of screening.
    """
    base = attempt * _DRAWS_PER_ATTEMPT
    answer = np.int64(0)
    if numbers[_DELAYS + 3 * _CONSENT_AT] >= 0.0:
        answer = _delay_at(uniform(seed, replicate, key, _CONSENT, base + _TALK), _CONSENT_AT, numbers, grid)
        if not uniform(seed, replicate, key, _CONSENT, base + _CONSENTS) < chances[1]:
            return np.int64(REFUSES), answer, answer, answer
    took = _delay_at(uniform(seed, replicate, key, _SCREENING, base + _DURATION), _DURATION_AT, numbers, grid)
    window = np.int64(numbers[_WINDOW])
    missed = np.int64(len(reason_bounds) + 1)
    if took > window:
        return missed, answer, answer + window, answer + window
    chance = chances[2] if attempt == 0 else numbers[_ELIGIBLE_AGAIN]
    outcome = np.int64(PASSES)
    if not uniform(seed, replicate, key, _SCREENING, base + _ELIGIBLE) < chance:
        outcome = np.int64(PASSES_INELIGIBLE)
        if not uniform(seed, replicate, key, _SCREENING, base + _WRONGLY) < numbers[_WRONG]:
            u = uniform(seed, replicate, key, _SCREENING, base + _REASON)
            outcome = np.int64(1)
            while outcome < len(reason_bounds) and u >= reason_bounds[outcome - 1]:
                outcome += 1
            return outcome, answer, answer + took, answer + took
    lag = _delay_at(uniform(seed, replicate, key, _LAG, base), _LAG_AT, numbers, grid)
    if took + lag > window:
        return missed, answer, answer + took, answer + window
    return outcome, answer, answer + took, answer + took + lag


@kernel
def comes_again(seed, replicate, key, attempt, numbers, grid):  # type: ignore[no-untyped-def]
    """Return the ticks after which a candidate who has failed an attempt comes again; NEVER for those who do not."""
    if attempt + 1 >= numbers[_ATTEMPTS]:
        return np.int64(NEVER)
    base = attempt * _DRAWS_PER_ATTEMPT
    if not uniform(seed, replicate, key, _SCREENING, base + _COMES_AGAIN) < numbers[_RESCREENS]:
        return np.int64(NEVER)
    return _delay_at(uniform(seed, replicate, key, _SCREENING, base + _AGAIN_AFTER), _AGAIN_AT, numbers, grid)
