"""The families of efficacy and futility bounds: their names and numbers, and what each asks of the solver."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.scenario.wording import shown, unknown
from trialsim.stats.group_sequential import classical, futility, spending

Floats = NDArray[np.float64]

CLASSICAL = ("obrien_fleming", "pocock", "wang_tsiatis", "haybittle_peto")
RULES = ("z", "conditional_power", "conditional_power_trend")
EFFICACY = (*CLASSICAL, *spending.SPENDING)
FUTILITY = (*EFFICACY, *RULES)


@dataclass(frozen=True)
class Number:
    """The one number of a family: what it is, its limits, and its default where there is one."""

    what: str
    least: float
    most: float
    default: float | None = None


_CONDITIONAL = Number("the conditional power at or below which a trial is given up", 1e-6, 1.0 - 1e-6)
NUMBERS = {
    "wang_tsiatis": Number("the exponent Delta of the power family", -10.0, 1.0),
    "haybittle_peto": Number("the bound of the interim looks", 0.0, 30.0, 3.0),
    "hwang_shih_decani": Number("gamma", -40.0, 40.0),
    "kim_demets": Number("the power rho", 0.01, 50.0),
    "exponential": Number("nu", 0.01, 10.0),
    "conditional_power": _CONDITIONAL,
    "conditional_power_trend": _CONDITIONAL,
}


def reads_times(name: object) -> bool:
    """Return whether a family is a function of time that is read for what it spends; an unknown one is left alone."""
    written_out = name is None or (isinstance(name, str) and name in (*CLASSICAL, *RULES, "user_defined"))
    return not written_out


def efficacy_of(
    name: str, parameter: Any, rates: Floats, times: Floats, level: float, sides: int
) -> Floats | classical.Shape:
    """Return the error of one side spent by each look, or the classical shape."""
    if name == "haybittle_peto":
        return classical.haybittle_peto(rates, _number(name, parameter))
    if name in CLASSICAL:
        return classical.wang_tsiatis(rates / rates[-1], _exponent(name, parameter))
    if name == "user_defined":
        return np.asarray(parameter, dtype=np.float64) / sides
    return spending.cumulative_spending(name, _spending_parameter(name, parameter), level, times)


def futility_of(
    name: str, parameter: Any, rates: Floats, times: Floats, beta: float
) -> Floats | futility.FutilityRule:
    """Return the type II error spent by each look, or the rule."""
    if name == "z":
        return futility.z_rule(
            np.append(np.broadcast_to(np.asarray(_numbers(parameter)), len(rates) - 1), -np.inf)
        )
    if name in RULES:
        return futility.conditional_power_rule(rates, _number(name, parameter), name != "conditional_power")
    if name == "haybittle_peto":
        return futility.mirrored_constant_rule(rates, _number(name, parameter))
    if name in CLASSICAL:
        return futility.mirrored_rule(rates, _exponent(name, parameter))
    if name == "user_defined":
        return np.asarray(parameter, dtype=np.float64)
    return spending.cumulative_spending(name, _spending_parameter(name, parameter), beta, times)


def objection(name: object, parameter: Any, allowed: Sequence[str], n_looks: int, level: float) -> str | None:
    """Return what is wrong with a family or its parameter, or None.

    Parameters
    ----------
    name, parameter
        As given.
    allowed
        Names of the families.
    n_looks
        Number of looks.
    level
        The error that the bounds may spend; not a number where it is wrong itself.
    """
    if not isinstance(name, str) or name not in allowed:
        return unknown("family", name, allowed)
    if name in NUMBERS:
        return _number_objection(name, NUMBERS[name], parameter)
    if name == "z":
        each = _numbers(parameter)
        if each is None or len(each) not in (1, n_looks - 1) or any(math.isnan(z) for z in each):
            return (
                f"z takes one number, or one for each of the {n_looks - 1} interim looks, as its parameter."
            )
        return None
    if name == "piecewise_linear":
        return _knots_objection(parameter)
    if name == "user_defined":
        return _spent_objection(parameter, n_looks, level)
    return None if parameter is None else f"{name} takes no parameter; leave it out."


def _number_objection(name: str, number: Number, parameter: Any) -> str | None:
    within = f"a number from {number.least:g} to {number.most:g}"
    if parameter is None:
        return None if number.default is not None else f"{name} needs its parameter, {number.what}: {within}."
    each = _numbers(parameter)
    if each is None or len(each) != 1 or not number.least <= each[0] <= number.most:
        given = shown(parameter if each is None or len(each) != 1 else each[0])
        return f"the parameter of {name} is {given}; {number.what} is {within}."
    return None


def _knots_objection(parameter: Any) -> str | None:
    knots = _pairs(parameter)
    told = "piecewise_linear takes pairs of a fraction and the share of the error spent by it, such as 0.5:0.2,0.8:0.6"
    if not knots:
        return f"{told}."
    at, share = zip(*knots)
    if any(not 0.0 < each < 1.0 for each in at) or any(later <= earlier for earlier, later in pairwise(at)):
        return f"{told}; the fractions ascend between 0 and 1."
    if any(not 0.0 <= each <= 1.0 for each in share) or any(
        later < earlier for earlier, later in pairwise(share)
    ):
        return f"{told}; the shares lie from 0 to 1 and never fall."
    return None


def _spent_objection(parameter: Any, n_looks: int, level: float) -> str | None:
    spent = _numbers(parameter)
    if spent is None or len(spent) != n_looks:
        return (
            f"user_defined takes the cumulative error spent by each of the {n_looks} looks as its parameter."
        )
    falls = any(later < earlier for earlier, later in zip((0.0, *spent), spent))
    if falls or not all(map(math.isfinite, spent)):
        return "the cumulative error of user_defined starts at 0 or above and never falls."
    if not math.isclose(spent[-1], level, rel_tol=1e-9) and not math.isnan(level):
        return f"the cumulative error of user_defined ends at {spent[-1]:.15g}; it must end at {level:.15g}."
    return None


def real(given: Any) -> float | None:
    """Return a number as Python's; None where it is something else, infinite where it is too large for one."""
    if isinstance(given, bool) or not isinstance(given, Real):
        return None
    try:
        return float(given)
    except OverflowError:
        return math.inf if given == abs(given) else -math.inf


def several(given: Any) -> list[Any] | None:
    """Return what a list, a tuple or an array of one dimension or more holds; None for something else."""
    if isinstance(given, str | bytes) or not isinstance(given, Sequence | np.ndarray):
        return None
    if isinstance(given, np.ndarray) and given.ndim == 0:
        return None
    return list(given)


def _numbers(parameter: Any) -> tuple[float, ...] | None:
    """Return a number, or some, as a tuple; None where it is something else."""
    alone = real(parameter)
    found = [alone] if alone is not None else [real(each) for each in several(parameter) or [None]]
    return None if None in found else tuple(each for each in found if each is not None)


def _pairs(parameter: Any) -> tuple[tuple[float, float], ...] | None:
    """Return the knots; None where the parameter is something else than pairs of numbers."""
    found = [_numbers(each) for each in several(parameter) or [None]]
    pairs = tuple((each[0], each[1]) for each in found if each is not None and len(each) == 2)
    return pairs if len(pairs) == len(found) else None


def _exponent(name: str, parameter: Any) -> float:
    """Return the exponent of the power family."""
    if name == "wang_tsiatis":
        return _number(name, parameter)
    return 0.0 if name == "obrien_fleming" else 0.5


def _number(name: str, parameter: Any) -> float:
    """Return the number of a family, or its default."""
    each = _numbers(NUMBERS[name].default if parameter is None else parameter)
    assert each is not None
    return each[0]


def _spending_parameter(name: str, parameter: Any) -> Any:
    """Return the parameter of a spending function as the function takes it."""
    if name == "piecewise_linear":
        return _pairs(parameter)
    return _number(name, parameter) if name in NUMBERS else None
