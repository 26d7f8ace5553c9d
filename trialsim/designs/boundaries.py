"""Group sequential designs from theory: bounds, spent errors, power, and what to expect, without simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.designs.boundary_checks import checked
from trialsim.designs.boundary_families import CLASSICAL, real, several
from trialsim.designs.boundary_request import BoundaryRequest, Parameter, refused
from trialsim.errors import Problem, UsageError
from trialsim.scenario.wording import shown
from trialsim.stats.group_sequential.bounds import Bounds, NoBoundsError, solve_drift, solve_power
from trialsim.stats.group_sequential.characteristics import Characteristics, characteristics
from trialsim.stats.group_sequential.scales import conditional_power, effect_estimate, nominal_p

Floats = NDArray[np.float64]

_CLOSE = 1e-6
_ALL_AT_ONCE = (
    "The bounds of {} are worked out from the information of all looks at once, so that information seen later moves those "
    "of looks already taken; a spending function leaves them as they were."
)


@dataclass(frozen=True)
class Boundaries:
    """The bounds of a group sequential design and what they do; arrays are ``[look]``.

    Information is counted in the unit in which it is 1 / variance of the estimated effect, so that the design's
    maximum is ``(drift / effect) ** 2``.

    Parameters
    ----------
    information_rates
        Information at each look over the planned maximum.
    efficacy_z, futility_z
        Bounds on the statistic, two-sided on its absolute value; infinite where there is none. With futility the two
        meet at the last look.
    alpha_spent, beta_spent
        Errors spent by each look, cumulative; both sides together. What a spending function gives, otherwise what the
        bounds do. Alpha ignores futility bounds that are non-binding.
    inflation_factor
        Maximum information over that of the fixed design with the same level and power.
    power
        Chance to reject under the design's effect and on its side, futility bounds obeyed.
    stage_reject_h1, stage_futility_h1
        Chances under the design's effect to end at each look with and without rejecting; not rejecting at the last look
        counts as futility there.
    expected_information_h0, expected_information_h1
        Mean information at the end under no effect and under the design's effect.
    warnings
        Sentences on what may not be meant.
    drift
        Mean of the statistic at information rate 1 under the design's effect.
    request
        What was asked.
    """

    information_rates: Floats
    efficacy_z: Floats
    futility_z: Floats
    alpha_spent: Floats
    beta_spent: Floats
    inflation_factor: float
    power: float
    stage_reject_h1: Floats
    stage_futility_h1: Floats
    expected_information_h0: float
    expected_information_h1: float
    warnings: tuple[str, ...]
    drift: float
    request: BoundaryRequest

    @property
    def maximum_information(self) -> float:
        """Information at rate 1."""
        return (self.drift / self.request.effect) ** 2

    @property
    def fixed_information(self) -> float:
        """Information of the fixed design with the same level and power."""
        return self.maximum_information / self.inflation_factor

    @property
    def efficacy_p(self) -> Floats:
        """Efficacy bounds as nominal p values, one- or two-sided as the design is."""
        return nominal_p(self.efficacy_z, self.request.sides)

    @property
    def futility_p(self) -> Floats:
        """Futility bounds as nominal p values."""
        return nominal_p(self.futility_z, self.request.sides)

    @property
    def efficacy_effect(self) -> Floats:
        """Efficacy bounds as estimated effects, in the unit of the design's effect."""
        return effect_estimate(self.efficacy_z, self.information_rates * self.maximum_information)

    @property
    def futility_effect(self) -> Floats:
        """Futility bounds as estimated effects."""
        return effect_estimate(self.futility_z, self.information_rates * self.maximum_information)

    @property
    def efficacy_conditional_power(self) -> Floats:
        """Conditional power at the efficacy bounds under the design's effect; not a number where there is none."""
        return self._chance_from("efficacy", self.request.effect)

    @property
    def efficacy_conditional_power_trend(self) -> Floats:
        """Conditional power at the efficacy bounds under the trend that they are; not a number where there is none."""
        return self._chance_from("efficacy", None)

    @property
    def futility_conditional_power(self) -> Floats:
        """Conditional power at the futility bounds under the design's effect; not a number where there is none."""
        return self._chance_from("futility", self.request.effect)

    @property
    def futility_conditional_power_trend(self) -> Floats:
        """Conditional power at the futility bounds under the trend that they are; not a number where there is none."""
        return self._chance_from("futility", None)

    def _chance_from(self, side: str, effect: float | None) -> Floats:
        """Return the conditional power at one side's bounds; towards a last bound that is infinite there is none."""
        z = getattr(self, f"{side}_z")
        there = np.isfinite(z) & np.isfinite(self.efficacy_z[-1])
        chance = self.conditional_power(np.where(np.isfinite(z), z, 0.0), effect)
        return np.where(there, chance, np.nan)

    def conditional_power(self, z: Sequence[float] | Floats, effect: float | None = None) -> Floats:
        """Return the chance to reach the last efficacy bound from ``z`` at each look.

        Parameters
        ----------
        z
            The statistic at each look, such as ``efficacy_z`` or ``futility_z``.
        effect
            The effect from there on; None for the trend seen so far.

        Returns
        -------
        Floats
            By look; not a number at the last.

        Raises
        ------
        UsageError
            Where there is not one number for each look, or the effect is no number.
        """
        drift = None if effect is None else self._drift_of(effect)
        given = [real(each) for each in several(z) or ()]
        if None in given or len(given) != len(self.information_rates):
            raise UsageError(
                f"z is {shown(z)}; it takes {len(self.information_rates)} numbers, one for each look."
            )
        at = np.array(given, dtype=np.float64)
        return conditional_power(at, self.information_rates, float(self.efficacy_z[-1]), drift)

    def at(self, effect: float) -> Characteristics:
        """Return power, stopping chances and the mean information rate under any effect, futility bounds obeyed."""
        drift = self._drift_of(effect)
        return _characteristics(self.request, self.information_rates, self.efficacy_z, self.futility_z, drift)

    def _drift_of(self, effect: float) -> float:
        """Return the mean of the statistic at information rate 1 under an effect."""
        number = real(effect)
        if number is None or not math.isfinite(number):
            raise UsageError(f"effect is {shown(effect)}; it must be a finite number.")
        return self.drift * number / self.request.effect

    def monitored(
        self, information: Sequence[float], spending_times: Sequence[float] | None = None
    ) -> Boundaries:
        """Return the bounds for the information actually seen, the maximum information staying as it was planned.

        Parameters
        ----------
        information
            Information at each look over the planned maximum: what was seen at the looks taken, what is planned at
            those to come. The last look spends all that is left, whether its information is under or over 1.
        spending_times
            Fractions at which the spending functions are read instead, such as shares of the planned calendar time; a plan
            that has such times needs those of the looks seen.

        Raises
        ------
        ScenarioError
            With every problem found.
        """
        if spending_times is None and self.request.spending_times is not None:
            missing = "the plan reads its spending at times of its own; give those of these looks, too."
            raise refused([Problem("spending_times", missing)])
        asked = self.request.observed(information, spending_times)
        found = _solved(asked, self.drift)
        moved = tuple(found.information_rates[:-1]) != tuple(
            self.information_rates[: len(found.information_rates) - 1]
        )
        if asked.efficacy in CLASSICAL and asked.efficacy != "haybittle_peto" and moved:
            return replace(found, warnings=(*found.warnings, _ALL_AT_ONCE.format(asked.efficacy)))
        return found

    def document(self) -> dict[str, Any]:
        """Return the fields and the other scales as plain data for JSON: see ``schemas/boundaries.json``.

        What is infinite or not defined is None.
        """
        plain: dict[str, Any] = {}
        values = {field.name: getattr(self, field.name) for field in fields(self)[:-2]}
        for name, value in (values | self._other_scales()).items():
            if isinstance(value, np.ndarray):
                plain[name] = [number if np.isfinite(number) else None for number in value.tolist()]
            else:
                plain[name] = list(value) if isinstance(value, tuple) else value
        return plain

    def _other_scales(self) -> dict[str, Any]:
        """Return the bounds on the scales of p values, effects and conditional power; NaN where there is no bound."""
        found: dict[str, Any] = {"maximum_information": self.maximum_information}
        for side in ("efficacy", "futility"):
            there = np.isfinite(getattr(self, f"{side}_z"))
            for scale in ("p", "effect", "conditional_power", "conditional_power_trend"):
                found[f"{side}_{scale}"] = np.where(there, getattr(self, f"{side}_{scale}"), np.nan)
        return found


def group_sequential(
    information: Sequence[float],
    *,
    alpha: float = 0.025,
    sides: int = 1,
    power: float = 0.9,
    efficacy: str = "lan_demets_obrien_fleming",
    efficacy_parameter: Parameter = None,
    futility: str | None = None,
    futility_parameter: Parameter = None,
    futility_binding: bool = False,
    spending_times: Sequence[float] | None = None,
    effect: float = 1.0,
) -> Boundaries:
    """Return the bounds of a group sequential design and what they do, by recursive numerical integration.

    Armitage, McPherson and Rowe (1969); Jennison and Turnbull (2000), ch. 19. Bounds are exact to about 1e-10 for up to
    20 looks at any information rates.

    Parameters
    ----------
    information
        Information at each look over the planned maximum, ascending.
    alpha
        Type I error, of both sides together where there are two.
    sides
        1 or 2; with 2 all bounds are symmetric: they are those of the absolute value of the statistic.
    power
        Chance to reject under ``effect``, on its side.
    efficacy
        ``obrien_fleming``, ``pocock``, ``wang_tsiatis``, ``haybittle_peto``; spending functions
        ``lan_demets_obrien_fleming``, ``lan_demets_pocock``, ``hwang_shih_decani``, ``kim_demets``, ``exponential``,
        ``piecewise_linear``, ``user_defined``.
    efficacy_parameter
        The family's number (``wang_tsiatis``: the exponent; ``haybittle_peto``: the interim bound, 3 by default;
        ``hwang_shih_decani``: gamma; ``kim_demets``: rho; ``exponential``: nu); for ``piecewise_linear`` pairs
        (fraction, share of alpha); for ``user_defined`` alpha spent by each look, cumulative.
    futility
        A spending function, which spends ``1 - power``; a classical family, mirrored at the alternative; ``z``,
        ``conditional_power`` (under ``effect``) or ``conditional_power_trend``; None for none.
    futility_parameter
        As for efficacy; for ``z`` the bound or one for each interim look, for conditional power its least value.
    futility_binding
        Whether alpha counts on futility bounds being obeyed.
    spending_times
        Fractions at which spending functions are read instead of the information rates, such as calendar time.
    effect
        The effect of the alternative, in whatever unit; it scales information and effects, nothing else.

    Raises
    ------
    ScenarioError
        With every problem found.
    """
    asked = BoundaryRequest(
        information=information,
        alpha=alpha,
        sides=sides,
        power=power,
        efficacy=efficacy,
        efficacy_parameter=efficacy_parameter,
        futility=futility,
        futility_parameter=futility_parameter,
        futility_binding=futility_binding,
        spending_times=spending_times,
        effect=effect,
    )
    return _solved(asked, None)


def _solved(request: BoundaryRequest, drift: float | None) -> Boundaries:
    """Return the bounds that were asked for, with the power asked for or under a given drift."""
    problem = checked(request, planned=drift is None)
    try:
        found = solve_power(problem, request.power) if drift is None else solve_drift(problem, drift)
    except NoBoundsError as error:
        raise refused([Problem("", str(error))]) from None
    described = _described(request, problem.rates, found, problem.efficacy, problem.futility)
    if drift is None:
        _require_solved(described)
    return described


def _require_solved(found: Boundaries) -> None:
    """Refuse bounds that do not do what was asked for, where binding futility leaves nothing that does."""
    asked = found.request
    rejects = found.at(0.0).power
    spends_all = abs(rejects - asked.alpha) <= _CLOSE * asked.alpha
    ignores_futility = asked.futility is not None and not asked.futility_binding
    met = bool((found.futility_z[:-1] >= found.efficacy_z[:-1]).any())
    if abs(found.power - asked.power) > _CLOSE or not (spends_all or ignores_futility or met):
        sentence = (
            f"no bounds have alpha {asked.alpha:g} and power {asked.power:g}: futility stops so many trials that too "
            "few are left to reject; stop less often for futility, or make it non-binding."
        )
        raise refused([Problem("", sentence)])


def _described(
    request: BoundaryRequest, rates: Floats, found: Bounds, efficacy: object, futility: object
) -> Boundaries:
    """Return bounds with all that follows from them."""
    upper = found.upper
    lower = found.lower if request.futility is not None else np.full(len(rates), -np.inf)
    no_effect = _characteristics(request, rates, upper, lower, 0.0)
    effect = _characteristics(request, rates, upper, lower, found.drift)
    if isinstance(efficacy, np.ndarray):
        alpha_spent = request.sides * efficacy
    elif request.futility_binding:
        alpha_spent = np.cumsum(no_effect.stage_reject)
    else:
        nowhere = np.full(len(rates), -np.inf)
        alpha_spent = np.cumsum(_characteristics(request, rates, upper, nowhere, 0.0).stage_reject)
    beta_spent = futility if isinstance(futility, np.ndarray) else np.cumsum(effect.stage_futility)
    maximum = (found.drift / request.effect) ** 2
    return Boundaries(
        information_rates=rates,
        efficacy_z=upper,
        futility_z=lower,
        alpha_spent=alpha_spent,
        beta_spent=beta_spent,
        inflation_factor=(found.drift / request.fixed_drift) ** 2,
        power=effect.power,
        stage_reject_h1=effect.stage_reject,
        stage_futility_h1=effect.stage_futility,
        expected_information_h0=maximum * no_effect.expected_rate,
        expected_information_h1=maximum * effect.expected_rate,
        warnings=request.warnings(upper, lower),
        drift=found.drift,
        request=request,
    )


def _characteristics(
    request: BoundaryRequest, rates: Floats, upper: Floats, lower: Floats, drift: float
) -> Characteristics:
    """Return what bounds do under a drift; a design that does not reject at the last look gives up."""
    obeyed = lower.copy()
    obeyed[-1] = upper[-1]
    return characteristics(rates, obeyed, upper, drift, request.sides == 2)
