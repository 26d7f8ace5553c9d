"""A question about a time-to-event trial, whichever formula answers it: power of a plan, and plans of a power.

``nonproportional`` stands for the expected weighted log-rank statistic under the hazards as they are; the other
methods assume one hazard ratio throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import UsageError
from trialsim.stats.normal import upper_quantile, upper_tail
from trialsim.stats.sample_size import survival as proportional
from trialsim.stats.sample_size.piecewise_events import SurvivalPlan, expected_course
from trialsim.stats.sample_size.sequential import SequentialBounds, Stages
from trialsim.stats.sample_size.smallest import real_root
from trialsim.stats.sample_size.survival import LogrankDesign
from trialsim.stats.sample_size.weighted_logrank import LOGRANK, Weight, score_information, weighted_analyses
from trialsim.stats.sample_size.weighted_sizing import (
    accrual_of_power,
    follow_up_of_power,
)

Floats = NDArray[np.float64]

METHODS = (*proportional.METHODS, "nonproportional")
SOURCES = {
    "schoenfeld": "Schoenfeld 1981",
    "freedman": "Freedman 1982",
    "hsieh-freedman": "Freedman 1982 with the allocation of Hsieh 1992",
    "lachin-foulkes": "Lachin and Foulkes 1986, on the scale of the log hazard ratio",
    "nonproportional": "expected score and its variance by numerical integration (Schoenfeld 1981, Tsiatis 1982)",
}


@dataclass(frozen=True)
class SurvivalQuestion:
    """A design, the formula that answers, and the weight where it takes one.

    Parameters
    ----------
    design
        Hazard ratio for the formulae of proportional hazards, null, alpha, allocation and method.
    weight
        Of the log-rank test; only ``nonproportional`` takes another than the plain one.
    nonproportional
        Whether the expected statistic under the hazards as they are answers.
    bounds
        Of a group sequential design; None for a single analysis.
    higher
        Whether more events are the benefit (``nonproportional`` only; the other formulae take the side of the assumed
        effect).
    """

    design: LogrankDesign
    weight: Weight = LOGRANK
    nonproportional: bool = False
    bounds: SequentialBounds | None = None
    higher: bool = False

    @property
    def sign(self) -> float:
        """By which an expected z is multiplied so that it is positive where treatment is better."""
        return -1.0 if self.higher else 1.0

    @property
    def inflation(self) -> float:
        """Maximum information over that of the fixed design."""
        return 1.0 if self.bounds is None else self.bounds.inflation

    def power(self, plan: SurvivalPlan, time: float) -> float:
        """Return the power of a plan whose last analysis is at ``time`` days."""
        if self.bounds is not None and self.nonproportional:
            return self.bounds.stages(self.expected_z(plan, time)).power
        if self.bounds is not None:
            smaller = plan.with_patients(plan.patients / self.inflation)
            return self.bounds.power(proportional.plan_power(self.design, smaller, time))
        if self.nonproportional:
            return self.power_of_z(float(self.expected_z(plan, time)[-1]))
        return proportional.plan_power(self.design, plan, time)

    def power_of_multiples(self, plan: SurvivalPlan, time: float, factors: Sequence[float]) -> list[float]:
        """Return the power when the patients of a plan are multiplied."""
        if not self.nonproportional:
            return [self.power(plan.with_patients(plan.patients * factor), time) for factor in factors]
        expected = self.expected_z(plan, time)  # which grows with the root of the number of patients
        scaled = [math.sqrt(factor) * expected for factor in factors]
        if self.bounds is None:
            return [self.power_of_z(float(each[-1])) for each in scaled]
        return [self.bounds.stages(each).power for each in scaled]

    def stages(self, plan: SurvivalPlan, time: float) -> Stages | None:
        """Return what happens at each look under the assumed effect; None for a single analysis."""
        if self.bounds is None:
            return None
        if self.nonproportional:
            return self.bounds.stages(self.expected_z(plan, time))
        smaller = plan.with_patients(plan.patients / self.inflation)
        return self.bounds.at(self.bounds.drift(proportional.plan_power(self.design, smaller, time)))

    def expected_z(self, plan: SurvivalPlan, time: float) -> Floats:
        """Return the expected z at each look, under the hazards as they are."""
        days = self.look_times(plan, time)
        return self.sign * np.array([each.drift for each in weighted_analyses(plan, days, self.weight)])

    def power_of_z(self, expected_z: float) -> float:
        """Return the power of a single test whose z has this mean."""
        return upper_tail(upper_quantile(self.design.alpha) - expected_z)

    def look_times(self, plan: SurvivalPlan, time: float) -> list[float]:
        """Return the days of the looks, the last at ``time``: by events, for a weighted test by information."""
        if self.bounds is None:
            return [time]
        if not self.nonproportional:
            events = expected_course(plan, time).events
            days = [proportional.time_of_events(plan, rate * events) for rate in self.bounds.rates[:-1]]
            return [*days, time]
        return [*(self._time_of_information(plan, time, rate) for rate in self.bounds.rates[:-1]), time]

    def _time_of_information(self, plan: SurvivalPlan, time: float, rate: float) -> float:
        from scipy.optimize import brentq

        wanted = rate * score_information(plan, time, self.weight)
        day = brentq(
            lambda at: score_information(plan, at, self.weight) - wanted, 1e-6 * time, time, xtol=1e-7
        )
        return float(day)

    def with_patients(self, plan: SurvivalPlan, follow_up: float, power: float) -> SurvivalPlan:
        """Return the plan with as many patients as the power takes."""
        if self.nonproportional:
            expected = self.expected_z(plan, plan.accrual_duration + follow_up)
            return plan.with_patients(plan.patients * self._factor(expected, power))
        solved = proportional.solve_patients(self.design, plan, follow_up, power)
        return solved.with_patients(solved.patients * self.inflation)

    def _factor(self, expected_z: Floats, power: float) -> float:
        """Return by how much patients must be multiplied, given the expected z of each look: it grows with their root."""
        bounds = self.bounds
        if expected_z[-1] <= 1e-6:
            raise UsageError(
                f"the {self.weight.name} test expects no benefit at its last analysis (expected z {expected_z[-1]:.3f}), "
                "so that no number of patients gives power; analyse at another time or weigh otherwise."
            )
        reach = upper_quantile(self.design.alpha) + upper_quantile(1.0 - power)
        fixed = float((reach / expected_z[-1]) ** 2)
        if bounds is None:
            return fixed
        return real_root(
            lambda factor: bounds.stages(math.sqrt(factor) * expected_z).power - power, 0.2 * fixed, fixed
        )

    def follow_up(self, plan: SurvivalPlan, power: float) -> float:
        """Return the follow-up in days after accrual that the power takes."""
        if self.nonproportional:
            return follow_up_of_power(plan, self.power, power)
        return proportional.solve_follow_up(self.design, plan, power, self.inflation)

    def with_accrual(self, plan: SurvivalPlan, follow_up: float, power: float) -> SurvivalPlan:
        """Return the plan with accrual open as long as the power takes."""
        if self.nonproportional:
            return accrual_of_power(plan, follow_up, self.power, power)
        slower = replace(plan, accrual_rate=plan.accrual_rate.times(1.0 / self.inflation))
        solved = proportional.solve_accrual(self.design, slower, follow_up, power)
        return replace(plan, accrual_duration=solved.accrual_duration)

    @property
    def source(self) -> str:
        """Where the formula is published."""
        return SOURCES["nonproportional" if self.nonproportional else self.design.method]

    @property
    def name(self) -> str:
        """The formula and the test by name."""
        sequential = "" if self.bounds is None else f", group sequential ({self.bounds.name})"
        if self.nonproportional:
            return f"{self.weight.name} test, hazards as they are{sequential}"
        return f"log-rank test, {self.design.method.title()}{sequential}"


def strongest_ratio(plan: SurvivalPlan) -> float:
    """Return the strongest effect among the pieces of a plan: the hazard ratio furthest from 1."""
    return max(plan.hazard_ratio.values, key=lambda ratio: abs(math.log(ratio)))
