"""One look at a real trial: the test, the bounds for the information seen, and what may be concluded."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Estimates, Status
from trialsim.designs.boundaries import Boundaries
from trialsim.designs.boundary_families import efficacy_of
from trialsim.errors import Problem, ScenarioError
from trialsim.interim.data_file import TrialData
from trialsim.interim.design import InterimDesign
from trialsim.interim.inversion import own_limit, own_test
from trialsim.interim.result import (
    GIVE_UP,
    GO_ON,
    LEAST_P,
    MOST_P,
    NOT_REJECTED,
    REJECT,
    STOPPED,
    Conclusion,
    InterimAnalysis,
)
from trialsim.registry import get
from trialsim.stats.group_sequential.bounds import Wanted, solve_drift
from trialsim.stats.group_sequential.rooting import NoRootError
from trialsim.stats.group_sequential.scales import nominal_p
from trialsim.stats.inference.conditional import conditional_power, predictive_power
from trialsim.stats.inference.overrun import Stopped, combination_method, deletion_method
from trialsim.stats.inference.repeated import repeated_interval, repeated_p
from trialsim.stats.inference.stagewise import AdjustedInference, adjusted_inference

Floats = NDArray[np.float64]

_CLOSEST = 1e-3  # planned looks nearer to the one taken than this share of the maximum are passed over
_LARGEST_Z = 1e4  # beyond it the data and the standard deviation are in different units


def analyse_look(design: InterimDesign, data: TrialData) -> InterimAnalysis:
    """Return what the data say at this look.

    Raises
    ------
    ScenarioError
        Where the test cannot be had, or no bounds exist for the information seen.
    """
    with np.errstate(all="ignore"):  # what is not finite is told below
        found = get("analyses", design.analysis)().estimate(data, design.lower_is_better, design.options)
    status = Status(int(found.status[0]))
    if status is not Status.OK:
        rare = design.covariates and status is Status.NO_FINITE_ESTIMATE
        hint = (
            "; where a rare level of a covariate foretells the outcome, join it with another" if rare else ""
        )
        raise ScenarioError(
            [Problem("", f"the {design.analysis} cannot be had: {status.sentence}{hint}")], "The data"
        )
    z, information = float(found.z[0]), _information(design, found)
    if not (0.0 < information < math.inf and abs(z) <= _LARGEST_Z):
        sentence = (
            f"the {design.analysis} has z = {z:g} and information {information:g}, with which no bounds can be compared; "
            "check the unit of the values, and of the standard deviation where one is given"
        )
        raise ScenarioError([Problem("", sentence)], "The data")
    return _Look(design, data, found).analysis()


def _information(design: InterimDesign, found: Estimates) -> float:
    """Return the information on the scale of the effect: z is the effect, less the one tested against, times its root.

    The variance of the score is another scale in two analyses: the score of Mantel and Haenszel is the difference times the
    sum of the weights, and that of a weighted log-rank test is the effect times what the score gains with it.
    """
    effect, se, z = float(found.effect[0]), float(found.se[0]), float(found.z[0])
    if design.analysis == "cochran_mantel_haenszel" and effect != 0.0:
        return (z / effect) ** 2
    if design.analysis in ("cochran_mantel_haenszel", "fleming_harrington"):
        return 1.0 / se**2
    return float(found.information[0])


class _Look:
    """The numbers of a look that its parts share; effects are counted from the one tested against, a benefit above 0."""

    def __init__(self, design: InterimDesign, data: TrialData, found: Estimates) -> None:
        self.design, self.data = design, data
        self.sign = design.benefit
        self.effect, self.se = float(found.effect[0]), float(found.se[0])
        self.z, information = float(found.z[0]), _information(design, found)
        weighted = design.analysis == "fleming_harrington"
        counts = {
            "information": float(found.information[0]) if weighted else information,
            "events": float(data.event.sum()),
            "patients": float(len(data.outcome)),
        }
        self.counted = counts[design.unit]
        seen = np.array([*(look.at for look in design.looks), self.counted])
        if len(seen) > 1 and seen[-1] <= seen[-2]:
            raise ScenarioError(
                [
                    Problem(
                        f"looks[{len(seen) - 2}].at",
                        f"{seen[-2]:g} {design.unit} had been seen at the look before, and the data hold {seen[-1]:g}; "
                        "more is expected at every look",
                    )
                ],
                "The looks",
            )
        self.place = len(seen) - 1
        self.rates, self.is_last = self._rates(seen / design.maximum)
        self.bounds = self._monitored()
        self.information = self.rates * (information / self.rates[self.place])
        self.two_sided = design.plan.request.sides == 2
        binding = design.plan.request.futility_binding and not self.two_sided
        self.obeyed = self.bounds.futility_z if binding else np.full(len(self.rates), -np.inf)
        self.z_seen = np.array([*(look.z for look in design.looks), self.z])
        exact = (
            design.analysis == "fisher"
        )  # its p value counts the observed table, which is no shift of the effect
        self.z_of_effect = self.sign * self.effect * math.sqrt(information) if exact else self.z
        self.own_test = own_test(design, data, self.effect)

    def _rates(self, seen: Floats) -> tuple[Floats, bool]:
        """Return information rates seen and planned, and whether no look is left."""
        planned = self.design.plan.information_rates
        if self.design.last or len(seen) >= len(planned) or seen[-1] >= planned[-1] * (1.0 - _CLOSEST):
            return seen, True
        ahead = planned[len(seen) :]
        return np.append(seen, ahead[ahead > seen[-1] + _CLOSEST]), False

    def _monitored(self) -> Boundaries:
        try:
            return self.design.plan.monitored(self.rates.tolist())
        except ScenarioError as error:
            raise ScenarioError(error.problems, "The bounds for the information seen") from None

    def analysis(self) -> InterimAnalysis:
        """Return the whole."""
        before = self._stopped_before()
        decision = STOPPED if before is not None else self._decision()
        ends = decision in (REJECT, GIVE_UP, NOT_REJECTED)
        conclusions: list[Conclusion] = []
        if before is not None:
            conclusions = self._overrunning(before)
        else:
            conclusions.append(self._repeated())
            if ends:
                conclusions.append(self._adjusted())
        chances = {} if self.is_last or before is not None else self._chances()
        return InterimAnalysis(
            self.design, self.place + 1, self.is_last, self.data, self.counted, self.effect, self.se, self.z,
            float(nominal_p(np.array(self.z), self.design.plan.request.sides)), self.bounds, decision,
            tuple(conclusions), chances, None if before is None else before + 1,
        )  # fmt: skip

    def _crosses(self, place: int) -> bool:
        z = abs(self.z_seen[place]) if self.two_sided else self.z_seen[place]
        return bool(z >= self.bounds.efficacy_z[place])

    def _stopped_before(self) -> int | None:
        """Return the earlier look that rejected, where there is one."""
        return next((place for place in range(self.place) if self._crosses(place)), None)

    def _decision(self) -> str:
        if self._crosses(self.place):
            return REJECT
        if self.is_last:
            return NOT_REJECTED
        z = abs(self.z) if self.two_sided else self.z
        return GIVE_UP if z <= self.bounds.futility_z[self.place] else GO_ON

    @property
    def confidence(self) -> float:
        """Of intervals: both tails have the level of one side."""
        return 1.0 - 2.0 * self.design.plan.request.level

    def _told(
        self, method: str, inferred: Callable[[float, Floats], AdjustedInference], inverted: bool = True
    ) -> Conclusion:
        """Return what is inferred from the test's statistic, the effect from the one that goes with it."""
        p = float(inferred(self.z, self.information).p_value[0])

        def effects(z: float, information: Floats) -> tuple[float, float, float]:
            found = inferred(z, information)
            return float(found.estimate[0]), float(found.lower[0]), float(found.upper[0])

        estimate, *limits = self._effects(effects, inverted)
        return Conclusion(
            method, 2.0 * min(p, 1.0 - p) if self.two_sided else p, estimate, *self._limits(limits)
        )

    def _effects(self, benefits: Callable[[float, Floats], tuple[float, ...]], inverted: bool) -> list[float]:
        """Return effects on the scale of the analysis, found as benefits from a statistic and the information of looks.

        Where a test of another effect is not this statistic shifted each is found by its own test, if so wished: the
        deviate is that test's, while the looks before go by the statistics that were compared with their bounds.
        """
        own = self.own_test
        if own is None or not inverted:
            return [self._effect_of(each) for each in benefits(self.z_of_effect, self.information)]
        null, root = self.design.null, math.sqrt(self.information[self.place])

        def limit(effect: float, which: int) -> float:
            z = self.sign * (effect - null) * root + own(effect)
            return self._effect_of(benefits(z, self.information)[which])

        return [
            own_limit(partial(limit, which=which), self.effect, 1.0 / root, self.design.told.most)
            for which in range(len(benefits(self.z, self.information)))
        ]

    def _effect_of(self, benefit: float) -> float:
        """Return the effect on the scale of the analysis."""
        return self.design.null + self.sign * benefit

    def _limits(self, limits: list[float]) -> list[float]:
        """Return limits in order, within what the effect can be."""
        most = self.design.told.most
        return [min(max(each, -most), most) for each in sorted(limits)]

    def _adjusted(self) -> Conclusion:
        def inferred(z: float, information: Floats) -> AdjustedInference:
            return adjusted_inference(
                information, self.obeyed, self.bounds.efficacy_z, self.place, z, self.confidence, self.two_sided
            )  # fmt: skip

        return self._told("stage-wise ordering", inferred)

    def _overrunning(self, before: int) -> list[Conclusion]:
        """Return the two inferences that take in what came after the look that rejected."""

        def stopped(z: float, information: Floats) -> Stopped:
            return Stopped(
                information[: before + 1], self.obeyed[: before + 1], self.bounds.efficacy_z[: before + 1],
                float(self.z_seen[before]), float(information[self.place]), z, self.two_sided,
            )  # fmt: skip

        def combined(z: float, information: Floats) -> AdjustedInference:
            return combination_method(stopped(z, information), self.confidence)

        def deleted(z: float, information: Floats) -> AdjustedInference:
            return deletion_method(stopped(z, information), self.confidence)

        after = "method for data after the stop"
        try:
            # The statistic of the stop is given, and is that of no other effect.
            return [
                self._told(f"combination {after}", combined, inverted=False),
                self._told(f"deletion {after}", deleted, inverted=False),
            ]
        except NoRootError:
            sentence = (
                f"z = {self.z_seen[before]:g} at the look that rejected and {self.z:g} of all data are too far apart to be "
                "of one trial; check the looks and the data"
            )
            raise ScenarioError([Problem(f"looks[{before}].z", sentence)], "The looks") from None

    def _repeated(self) -> Conclusion:
        bound = self._upper_alone(None)

        def limits(z: float, information: Floats) -> tuple[float, ...]:
            lower, upper = repeated_interval(z, information[self.place], bound)
            return float(lower), float(upper)

        z = abs(self.z) if self.two_sided else self.z
        p = repeated_p(z, self._upper_alone, LEAST_P, MOST_P)
        return Conclusion("repeated", p, self.effect, *self._limits(self._effects(limits, inverted=True)))

    def _upper_alone(self, alpha: float | None) -> float:
        """Return this look's efficacy bound at a level, no futility bound being counted on."""
        asked = self.design.plan.request
        level = asked.alpha if alpha is None else alpha
        parameter = asked.efficacy_parameter
        if asked.efficacy == "user_defined":
            parameter = [level / asked.alpha * float(each) for each in parameter]  # type: ignore[union-attr, arg-type]
        side = level / asked.sides
        spends = efficacy_of(asked.efficacy, parameter, self.rates, self.rates, side, asked.sides)
        wanted = Wanted(self.rates, side, self.two_sided, spends, futility=None, binding=False)
        return float(solve_drift(wanted, 0.0).upper[self.place])

    def _chances(self) -> dict[str, float]:
        """Return what may come, futility bounds of a one-sided design obeyed."""
        upper = self.bounds.efficacy_z
        lower = None if self.two_sided else self.bounds.futility_z
        fixed = (self.information, upper, self.place, self.z)
        effects = {"trend": self.z / math.sqrt(self.information[self.place])}
        if self.design.effect is not None:
            effects["design_effect"] = abs(self.design.effect - self.design.null)
        found = {
            name: float(conditional_power(*fixed, effect, lower, self.two_sided).sum())
            for name, effect in effects.items()
        }
        found["predictive"] = float(predictive_power(*fixed, lower=lower, two_sided=self.two_sided).sum())
        found["no_effect"] = float(conditional_power(*fixed, 0.0, None, self.two_sided).sum())
        return {name: min(chance, 1.0) for name, chance in found.items()}  # sums may end a last digit above
