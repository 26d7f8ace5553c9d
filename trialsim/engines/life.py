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


class LifeNumbers(NamedTuple):
    """Numbers that compiled loops and processes read.

    Clocks are numbered: survival endpoints in the order of the scenario's, loss, withdrawal, terms of adverse events,
    reasons to discontinue. A clock that the scenario lacks never goes off.

    Parameters
    ----------
    endpoints, readouts
        Index in the world's outcomes of each survival endpoint, and of each other one, ``[endpoint]``.
    report, readout
        Delay of each survival endpoint's report, and of each other one's read-out, in ticks.
    terminal
        Which survival endpoint is death, or -1.
    purpose, draw
        Address of each clock's first amount of hazard, ``[clock]``.
    present
        Which clocks there are, ``[clock]``.
    after
        Ratio after the worst adverse event so far, ``[clock, 1 + level]``; the first is for none.
    hear
        Log ratio per unit of each read-out heard, ``[clock, readout]``.
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
    rescue
        Probability of rescue, then the three numbers of its delay; ``rescue_ratio`` by survival endpoint.
    crossover
        Probability of crossing over, then the three numbers of its delay.
    crossover_on
        Survival endpoint after which patients cross over, -1 for discontinuation, -2 for never.
    crosses, crossover_to
        Which arms cross over, and to which.
    detected, at_visit
        Which survival endpoints are detected at visits, and which others are read out at visits, ``[endpoint]``.
    report_law, verdict_law
        Delays of report and of adjudication, as ``length``, ``[endpoint, 3]``.
    confirmed
        Probability that adjudication confirms, ``[endpoint]``.
    name
        Address of the endpoint's draws for reports and adjudication, ``[endpoint]``.
    visits
        Scheduled times since entry in ticks, ``[visit]``.
    missed
        Probability that a visit is missed.
    jitter
        Kind and size of the jitter.
    late
        Probability that a visit is late, then the three numbers of its delay.
    grid
        Step of the time grid in ticks.
    left
        What is left of the effect on endpoints: on treatment, then step by step after the last dose, ``[weight]``.
    read_purpose, read_draw
        Address of each outcome that is read out, ``[readout]``.
    read_binary, read_intercepts, read_sd, read_on_probability
        Its law: whether it is binary, intercepts ``[readout, arm]``, residual standard deviation, where its drift is added.
    """

    endpoints: Ints
    readouts: Ints
    report: Ints
    readout: Ints
    terminal: int
    purpose: Ints
    draw: Ints
    present: NDArray[np.bool_]
    after: Floats
    hear: Floats
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
    reason: Ints
    reason_of_action: int
    reason_of_monitoring: int
    doses: int
    duration: int
    weights: int
    step: int
    rescue: Floats
    rescue_ratio: Floats
    crossover: Floats
    crossover_on: int
    crosses: NDArray[np.bool_]
    crossover_to: int
    detected: NDArray[np.bool_]
    at_visit: NDArray[np.bool_]
    report_law: Floats
    verdict_law: Floats
    confirmed: Floats
    name: Ints
    visits: Ints
    missed: float
    jitter: Floats
    late: Floats
    grid: int
    left: Floats
    read_purpose: Ints
    read_draw: Ints
    read_binary: NDArray[np.bool_]
    read_intercepts: Floats
    read_sd: Floats
    read_on_probability: NDArray[np.bool_]

    @property
    def outcomes_change(self) -> bool:
        """Whether what is read out depends on the treatment that was taken by then."""
        return len(self.readouts) > 0 and (self.weights > 1 or self.crossover_on > -2)


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
        return bool(self.numbers.report_law[e, 0] >= 0 or self.numbers.verdict_law[e, 0] >= 0)


def delay_numbers(law: DelayLaw | None) -> Floats:
    """Return a law of a delay as three numbers, kind -1 for none."""
    return np.array((-1.0, 0.0, 0.0) if law is None else law.parameters, dtype=np.float64)


def fading_weights(half_life: bool, stops: bool) -> tuple[float, ...]:
    """Return what is left of the log hazard ratio: on treatment, then step by step after the last dose."""
    if half_life:
        count = STEPS_PER_HALF_LIFE * HALF_LIVES
        return (1.0, *(2.0 ** -((k + 0.5) / STEPS_PER_HALF_LIFE) for k in range(count)), 0.0)
    return (1.0, 0.0) if stops else (1.0,)
