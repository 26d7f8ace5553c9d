"""A question about a time-to-event trial, whichever formula answers it: power of a plan, and plans of a power.

``nonproportional`` stands for the expected weighted log-rank statistic under the hazards as they are; the other
methods assume one hazard ratio throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trialsim.stats.sample_size import survival as proportional
from trialsim.stats.sample_size.piecewise_events import SurvivalPlan, expected_course
from trialsim.stats.sample_size.survival import LogrankDesign
from trialsim.stats.sample_size.weighted_logrank import LOGRANK, Weight
from trialsim.stats.sample_size.weighted_sizing import (
    weighted_accrual,
    weighted_follow_up,
    weighted_patients,
    weighted_power,
)

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
    """

    design: LogrankDesign
    weight: Weight = LOGRANK
    nonproportional: bool = False

    def power(self, plan: SurvivalPlan, time: float) -> float:
        """Return the power of a plan analysed at ``time`` days."""
        if self.nonproportional:
            return weighted_power(plan, time, self.weight, self.design.alpha)
        return proportional.plan_power(self.design, plan, time)

    def with_patients(self, plan: SurvivalPlan, follow_up: float, power: float) -> SurvivalPlan:
        """Return the plan with as many patients as the power takes."""
        if self.nonproportional:
            time = plan.accrual_duration + follow_up
            return weighted_patients(plan, time, self.weight, self.design.alpha, power)
        return proportional.solve_patients(self.design, plan, follow_up, power)

    def follow_up(self, plan: SurvivalPlan, power: float) -> float:
        """Return the follow-up in days after accrual that the power takes."""
        if self.nonproportional:
            return weighted_follow_up(plan, self.weight, self.design.alpha, power)
        return proportional.solve_follow_up(self.design, plan, power)

    def with_accrual(self, plan: SurvivalPlan, follow_up: float, power: float) -> SurvivalPlan:
        """Return the plan with accrual open as long as the power takes."""
        if self.nonproportional:
            return weighted_accrual(plan, follow_up, self.weight, self.design.alpha, power)
        return proportional.solve_accrual(self.design, plan, follow_up, power)

    def events(self, plan: SurvivalPlan, time: float) -> float:
        """Return the expected events of a plan at ``time`` days."""
        return expected_course(plan, time).events

    def power_of_events(self, events: float) -> float | None:
        """Return the power of a number of events, for the formulae in which it decides; otherwise None."""
        if self.nonproportional or self.design.method == "lachin-foulkes":
            return None
        return proportional.power_of_events(self.design, events)

    @property
    def source(self) -> str:
        """Where the formula is published."""
        return SOURCES["nonproportional" if self.nonproportional else self.design.method]

    @property
    def name(self) -> str:
        """The formula and the test by name."""
        if self.nonproportional:
            return f"{self.weight.name} test, hazards as they are"
        return f"log-rank test, {self.design.method.title()}"


def strongest_ratio(plan: SurvivalPlan) -> float:
    """Return the strongest effect among the pieces of a plan: the hazard ratio furthest from 1."""
    return max(plan.hazard_ratio.values, key=lambda ratio: abs(math.log(ratio)))
