"""Expected patients, events and dropouts under piecewise accrual, hazards and dropout, in closed form.

A patient who enters at calendar time ``u`` is at risk at time ``t`` after entry, at an analysis at ``T``, when ``u + t``
is at most ``T`` and neither event nor dropout came before. With cumulative accrual ``A`` and ``S`` the chance to be free
of both, ``S(t) A(T - t)`` are at risk, so that the events are the integral of ``hazard(t) S(t) A(T - t)``. Between the
break points of hazard, dropout and accrual the integrand is an exponential times a straight line.

References
----------
Lachin and Foulkes, Biometrics 42, 1986, 507-519; Kim and Tsiatis, Biometrics 77, 1990, 81-92.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.piecewise import PiecewiseIntensity, piecewise_intensity

Floats = NDArray[np.float64]
_SMALL = 0.05  # below this the closed form cancels, and nine terms of the series are exact to rounding


@dataclass(frozen=True)
class Steps:
    """A function of time that is constant between break points.

    Parameters
    ----------
    starts
        Days at which a value begins to hold, ascending, the first 0.
    values
        One for each start; the last holds for ever.
    """

    starts: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, days: Floats) -> Floats:
        """Return the value that holds at each time, that of the later piece at a break point."""
        place = np.searchsorted(np.asarray(self.starts), np.asarray(days, dtype=np.float64), side="right") - 1
        return np.asarray(self.values, dtype=np.float64)[place]

    def times(self, factor: float) -> Steps:
        """Return the same steps, every value multiplied."""
        return Steps(self.starts, tuple(value * factor for value in self.values))

    @property
    def constant(self) -> bool:
        """Whether one value holds throughout."""
        return len(set(self.values)) == 1


def constant(value: float) -> Steps:
    """Return one value for ever."""
    return Steps((0.0,), (value,))


def product(first: Steps, second: Steps) -> Steps:
    """Return the product of two step functions."""
    starts = np.array(sorted({*first.starts, *second.starts}))
    return Steps(tuple(starts.tolist()), tuple((first.at(starts) * second.at(starts)).tolist()))


def added(first: Steps, second: Steps) -> Steps:
    """Return the sum of two step functions."""
    starts = np.array(sorted({*first.starts, *second.starts}))
    return Steps(tuple(starts.tolist()), tuple((first.at(starts) + second.at(starts)).tolist()))


@dataclass(frozen=True)
class SurvivalPlan:
    """A two-arm trial with a time-to-event endpoint, as its expected course.

    Parameters
    ----------
    control_hazard
        Per day, by time since randomisation.
    hazard_ratio
        Treatment over control, by time since randomisation.
    accrual_rate
        Patients of both arms a day, by calendar time, while accrual is open.
    accrual_duration
        Days for which it is open.
    control_dropout, treatment_dropout
        Hazards of dropout per day, by time since randomisation.
    ratio
        Treatment patients for each control patient.
    """

    control_hazard: Steps
    hazard_ratio: Steps
    accrual_rate: Steps
    accrual_duration: float
    control_dropout: Steps = field(default_factory=lambda: constant(0.0))
    treatment_dropout: Steps = field(default_factory=lambda: constant(0.0))
    ratio: float = 1.0

    @property
    def treatment_hazard(self) -> Steps:
        """Hazard per day under treatment."""
        return product(self.control_hazard, self.hazard_ratio)

    @property
    def share(self) -> float:
        """Share of patients who are allocated to treatment."""
        return self.ratio / (1.0 + self.ratio)

    @property
    def patients(self) -> float:
        """Patients by the end of accrual."""
        return float(self.enrolled(np.array(self.accrual_duration)))

    def enrolled(self, time: Floats) -> Floats:
        """Return the expected patients by each calendar time (days)."""
        return _accrual(self).cumulative(0, np.clip(time, 0.0, self.accrual_duration))

    def with_patients(self, patients: float) -> SurvivalPlan:
        """Return the plan with the accrual rate multiplied so that this many come."""
        return replace(self, accrual_rate=self.accrual_rate.times(patients / self.patients))


@dataclass(frozen=True)
class ExpectedCourse:
    """Expected counts at one calendar time.

    Parameters
    ----------
    time
        Days from the start of accrual.
    enrolled
        Patients randomised.
    control_events, treatment_events
        Events.
    control_dropouts, treatment_dropouts
        Patients who dropped out before an event.
    """

    time: float
    enrolled: float
    control_events: float
    treatment_events: float
    control_dropouts: float
    treatment_dropouts: float

    @property
    def events(self) -> float:
        """Events of both arms."""
        return self.control_events + self.treatment_events


def expected_course(plan: SurvivalPlan, time: float) -> ExpectedCourse:
    """Return what is expected by a calendar time.

    Parameters
    ----------
    plan
        The trial.
    time
        Days from the start of accrual.
    """
    control = _arm_counts(plan, plan.control_hazard, plan.control_dropout, time)
    treated = _arm_counts(plan, plan.treatment_hazard, plan.treatment_dropout, time)
    share = plan.share
    return ExpectedCourse(
        time,
        float(plan.enrolled(np.array(time))),
        (1.0 - share) * control[0],
        share * treated[0],
        (1.0 - share) * control[1],
        share * treated[1],
    )


def events_in_the_end(plan: SurvivalPlan) -> float:
    """Return the events that all patients will have had when everyone has had one or dropped out."""
    share = plan.share
    control = _chance_in_the_end(plan.control_hazard, plan.control_dropout)
    treated = _chance_in_the_end(plan.treatment_hazard, plan.treatment_dropout)
    return plan.patients * ((1.0 - share) * control + share * treated)


def _accrual(plan: SurvivalPlan) -> PiecewiseIntensity:
    return piecewise_intensity([(plan.accrual_rate.starts, plan.accrual_rate.values)])


def _arm_counts(plan: SurvivalPlan, hazard: Steps, dropout: Steps, time: float) -> tuple[float, float]:
    """Return events and dropouts by ``time`` if all patients were in one arm."""
    edges = patient_time_edges(plan, (hazard, dropout), time)
    if len(edges) < 2:
        return 0.0, 0.0
    lower, width = edges[:-1], np.diff(edges)
    rate, leave = hazard.at(lower), dropout.at(lower)
    both = rate + leave
    free = np.exp(-np.concatenate(([0.0], np.cumsum(both * width)[:-1])))
    entered = plan.enrolled(time - edges)
    slope = np.diff(entered) / width
    pairs = [_moments(h, w) for h, w in zip(both.tolist(), width.tolist(), strict=True)]
    level, tilt = np.array(pairs).T
    exposure = free * (entered[:-1] * level + slope * tilt)
    return float(np.sum(rate * exposure)), float(np.sum(leave * exposure))


def patient_time_edges(plan: SurvivalPlan, steps: tuple[Steps, ...], time: float) -> Floats:
    """Return the times since entry (days) between which everything is smooth, for an analysis at ``time``."""
    breaks = {0.0, time, time - plan.accrual_duration}
    breaks |= {start for each in steps for start in each.starts}
    breaks |= {time - start for start in plan.accrual_rate.starts if start < plan.accrual_duration}
    return np.array(sorted(each for each in breaks if 0.0 <= each <= time), dtype=np.float64)


def _moments(hazard: float, width: float) -> tuple[float, float]:
    """Return the integrals of ``exp(-hazard x)`` and ``x exp(-hazard x)`` over ``[0, width]``."""
    y = hazard * width
    if y < _SMALL:
        terms = [(-y) ** k / math.factorial(k) for k in range(9)]
        level = sum(term / (k + 1) for k, term in enumerate(terms))
        tilt = sum(term / (k + 2) for k, term in enumerate(terms))
        return width * level, width * width * tilt
    gone = -math.expm1(-y)
    return gone / hazard, (gone - y * math.exp(-y)) / (hazard * hazard)


def _chance_in_the_end(hazard: Steps, dropout: Steps) -> float:
    """Return the probability that an event comes, and comes before dropout."""
    starts = sorted({*hazard.starts, *dropout.starts})
    ends = [*starts[1:], math.inf]
    free, chance = 1.0, 0.0
    for start, end in zip(starts, ends, strict=True):
        rate, leave = (float(each.at(np.array(start))) for each in (hazard, dropout))
        if rate + leave > 0.0:
            gone = -math.expm1(-(rate + leave) * (end - start))
            chance += free * gone * rate / (rate + leave)
            free *= 1.0 - gone
    return chance


def step_problems(name: str, steps: Steps) -> list[str]:
    """Return what is wrong with a step function, as sentences without its name."""
    found = []
    if not steps.starts or len(steps.starts) != len(steps.values):
        return [f"{name} needs one value for each start, and at least one"]
    if steps.starts[0] != 0.0 or any(b <= a for a, b in itertools.pairwise(steps.starts)):
        found.append("the pieces must begin at zero and follow in order of time")
    if not all(math.isfinite(value) and value >= 0.0 for value in steps.values):
        found.append("every value must be a finite number of zero or more")
    return found
