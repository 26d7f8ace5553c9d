"""Patients against time: other numbers of patients at the same rate of accrual, and how long each has to be followed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trialsim.errors import UsageError
from trialsim.stats.sample_size.answer import Figure
from trialsim.stats.sample_size.piecewise_events import SurvivalPlan, expected_course
from trialsim.stats.sample_size.survival import LONGEST_DAYS
from trialsim.stats.sample_size.survival_question import SurvivalQuestion

_SHARES = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.2, 1.35, 1.5)


def trade_off(question: SurvivalQuestion, plan: SurvivalPlan, power: float) -> list[dict[str, Figure]]:
    """Return ways to the same power, with fewer patients and longer follow-up and the other way round.

    Numbers of patients that never reach the power are left out.
    """
    found: list[dict[str, Figure]] = []
    if question.bounds is not None and question.nonproportional:
        return found  # each way would search for its look times again and again: minutes
    for share in _SHARES:
        patients = share * plan.patients
        duration = accrual_of_patients(plan, patients)
        if duration is None:
            continue
        other = replace(plan, accrual_duration=duration)
        try:
            follow_up = question.follow_up(other, power)
        except UsageError:
            continue
        time = duration + follow_up
        row: dict[str, Figure] = {
            "n_total": float(other.enrolled(np.array(time))),
            "events": expected_course(other, time).events,
            "accrual_duration": min(duration, time),
            "follow_up": max(follow_up, 0.0),
            "study_duration": time,
        }
        found.append(row)
        if follow_up <= 0.0:
            break  # the events are there before accrual ends: more patients would not come
    return found


def accrual_of_patients(plan: SurvivalPlan, patients: float) -> float | None:
    """Return the days in which this many patients come at the plan's rates; None if they never do."""
    came = 0.0
    starts, rates = plan.accrual_rate.starts, plan.accrual_rate.values
    ends = (*starts[1:], LONGEST_DAYS)
    for start, end, rate in zip(starts, ends, rates, strict=True):
        if rate > 0.0 and came + rate * (end - start) >= patients:
            return start + (patients - came) / rate
        came += rate * (end - start)
    return None
