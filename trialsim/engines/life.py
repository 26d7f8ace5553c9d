"""The laws of a patient's life from randomisation on, with numbers in arrays: what both engines read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints
from trialsim.operations.delays import DelayLaw
from trialsim.population.clocks import ClockTables

# Parts of the keyed events of a patient that stand at the place of adverse events: terms come first, from 0.
RESUME_PART, END_PART, REASON_PART, FADE_PART, RESCUE_PART, CROSSOVER_PART = 100, 101, 102, 150, 151, 152
LOSS_PART, WITHDRAWAL_PART = 0, 1
HELD, WAS_MISSED, HELD_LATE = range(3)  # parts of a visit
VERDICT_PART = 64
"""At the place of reports, adjudications have the endpoint's number plus this as their part."""
STEPS_PER_HALF_LIFE, HALF_LIVES = 4, 5
"""A fading effect is a step function: so many steps a half-life, each with the value at its middle, then nothing."""


class ClockNumbers(NamedTuple):
    """Numbers of clocks: survival endpoints in the scenario's order, loss, withdrawal, terms, reasons to discontinue.

    Parameters
    ----------
    purpose, draw
        Address of each clock's first amount of hazard, ``[clock]``.
    present
        Which clocks there are, ``[clock]``; one that the scenario lacks never goes off.
    after
        Ratio after the worst adverse event so far, ``[clock, 1 + level]``; the first is for none.
    hear
        Log ratio per unit of each read-out heard, ``[clock, readout]``.
    """

    purpose: Ints
    draw: Ints
    present: NDArray[np.bool_]
    after: Floats
    hear: Floats


class SurvivalNumbers(NamedTuple):
    """Numbers of survival endpoints.

    Parameters
    ----------
    endpoints
        Index of each in the world's outcomes, ``[endpoint]``.
    report
        Delay of its report in ticks.
    terminal
        Which one is death, or -1.
    detected
        Which are detected at visits.
    report_law, verdict_law
        Delays of report and of adjudication, as ``length`` of :class:`TermNumbers`, ``[endpoint, 3]``.
    confirmed
        Probability that adjudication confirms.
    name
        Address of the endpoint's draws for reports and adjudication.
    """

    endpoints: Ints
    report: Ints
    terminal: int
    detected: NDArray[np.bool_]
    report_law: Floats
    verdict_law: Floats
    confirmed: Floats
    name: Ints


class ReadingNumbers(NamedTuple):
    """Numbers of endpoints that are read out.

    Parameters
    ----------
    readouts
        Index of each in the world's outcomes, ``[readout]``.
    readout
        Delay of the read-out in ticks.
    at_visit
        Which are read out at visits.
    purpose, draw
        Address of the outcome.
    binary, intercepts, sd, on_probability
        Its law: whether it is binary, intercepts ``[readout, arm]``, residual standard deviation, where its drift is added.
    """

    readouts: Ints
    readout: Ints
    at_visit: NDArray[np.bool_]
    purpose: Ints
    draw: Ints
    binary: NDArray[np.bool_]
    intercepts: Floats
    sd: Floats
    on_probability: NDArray[np.bool_]


class TermNumbers(NamedTuple):
    """Numbers of terms of adverse events.

    Parameters
    ----------
    address
        Of each term's draws, ``[term]``.
    cumulative, serious, fatal
        Cumulative shares of the levels; probabilities by level, ``[term, level]``.
    discontinue, reduce, interrupt
        Probabilities of actions, ``[term, level]``.
    dose_factor
        Ratio of the intensity by dose level, the last for an interruption, ``[term, dose + 1]``.
    window
        Time after the last dose for which a term goes on, in ticks, ``[term]``.
    length, interruption
        Laws of delays, kind (-1: none) and two parameters, ``[term, 3]``.
    """

    address: Ints
    cumulative: Floats
    serious: Floats
    fatal: Floats
    discontinue: Floats
    reduce: Floats
    interrupt: Floats
    dose_factor: Floats
    window: Ints
    length: Floats
    interruption: Floats


class TreatmentNumbers(NamedTuple):
    """Numbers of treatment: how it ends, what is left of its effect, and what may follow.

    Parameters
    ----------
    reason
        Which reason each clock of discontinuation stands for, ``[reason clock]``.
    reason_of_action, reason_of_monitoring
        Which reasons adverse events and decisions at visits stand for, or -1.
    doses
        Number of dose levels.
    duration
        Planned end of treatment in ticks since entry, or NEVER.
    weights, step
        Number of weights of the effect, and ticks for which each holds after the last dose.
    left
        What is left of the effect on endpoints: on treatment, then step by step after the last dose, ``[weight]``.
    rescue
        Probability of rescue, then the three numbers of its delay; ``rescue_ratio`` by survival endpoint.
    crossover
        Probability of crossing over, then the three numbers of its delay.
    crossover_on
        Survival endpoint after which patients cross over, -1 for discontinuation, -2 for never.
    crosses, crossover_to
        Which arms cross over, and to which.
    """

    reason: Ints
    reason_of_action: int
    reason_of_monitoring: int
    doses: int
    duration: int
    weights: int
    step: int
    left: Floats
    rescue: Floats
    rescue_ratio: Floats
    crossover: Floats
    crossover_on: int
    crosses: NDArray[np.bool_]
    crossover_to: int


class VisitingNumbers(NamedTuple):
    """Numbers of visits.

    Parameters
    ----------
    visits
        Scheduled times since entry in ticks, ``[visit]``.
    missed
        Probability that a visit is missed.
    jitter
        Kind and size of the jitter.
    late
        Probability that a visit is late, then the three numbers of its delay.
    """

    visits: Ints
    missed: float
    jitter: Floats
    late: Floats


class LifeNumbers(NamedTuple):
    """Numbers that compiled loops and processes read.

    In groups, as compiled loops take each group by itself: a tuple of all arrays makes every mention of one of them costly
    to compile.

    Parameters
    ----------
    clock, survival, reading, term, treatment, visiting
        What they are of.
    grid
        Step of the time grid in ticks.
    """

    clock: ClockNumbers
    survival: SurvivalNumbers
    reading: ReadingNumbers
    term: TermNumbers
    treatment: TreatmentNumbers
    visiting: VisitingNumbers
    grid: int

    @property
    def outcomes_change(self) -> bool:
        """Whether what is read out depends on the treatment that was taken by then."""
        changes = self.treatment.weights > 1 or self.treatment.crossover_on > -2
        return len(self.reading.readouts) > 0 and changes


@dataclass(frozen=True)
class LifeLaw:
    """What happens to patients from randomisation on, beyond endpoints and loss.

    Parameters
    ----------
    numbers
        For loops and processes.
    clocks
        The hazards.
    laws
        Index in the world's laws of each clock, -1 for one that the scenario lacks, ``[clock]``.
    terms, levels, reasons
        Names of adverse events, of their severities and of reasons to discontinue.
    """

    numbers: LifeNumbers
    clocks: ClockTables
    laws: tuple[int, ...]
    terms: tuple[str, ...]
    levels: tuple[str, ...]
    reasons: tuple[str, ...]

    def reported(self, e: int) -> bool:
        """Return whether events of a survival endpoint take time to be reported or adjudicated."""
        return bool(
            self.numbers.survival.report_law[e, 0] >= 0 or self.numbers.survival.verdict_law[e, 0] >= 0
        )


def delay_numbers(law: DelayLaw | None) -> Floats:
    """Return a law of a delay as three numbers, kind -1 for none."""
    return np.array((-1.0, 0.0, 0.0) if law is None else law.parameters, dtype=np.float64)


def fading_weights(half_life: bool, stops: bool) -> tuple[float, ...]:
    """Return what is left of the log hazard ratio: on treatment, then step by step after the last dose."""
    if half_life:
        count = STEPS_PER_HALF_LIFE * HALF_LIVES
        return (1.0, *(2.0 ** -((k + 0.5) / STEPS_PER_HALF_LIFE) for k in range(count)), 0.0)
    return (1.0, 0.0) if stops else (1.0,)
