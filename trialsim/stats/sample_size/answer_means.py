"""Questions of size and power about means, answered with a curve and the true error of the bound."""

from __future__ import annotations

import math
from dataclasses import replace

from trialsim.stats.sample_size.answer import (
    Answer,
    AttainedAlpha,
    Curve,
    Figure,
    Requirements,
    spread,
    target_problems,
)
from trialsim.stats.sample_size.means import (
    MeansDesign,
    critical_effect,
    critical_value,
    means_power,
    means_sample_size,
    z_bound_alpha,
)
from trialsim.stats.sample_size.repeated_t import repeated_t_error
from trialsim.stats.sample_size.sequential import SequentialBounds, inflation_of, named
from trialsim.stats.sample_size.smallest import split_whole, whole_patients

_POINTS = 41
_NEAREST, _FARTHEST = 1e-3, 1000.0  # standard deviations
_SOURCES = {
    "t": "noncentral t distribution (Owen 1965)",
    "welch": "noncentral t distribution with the degrees of freedom of Welch (1947) and Satterthwaite",
    "z": "normal distribution, standard deviation known",
}


def means_size_answer(
    design: MeansDesign, power: float, bounds: SequentialBounds | None = None, unrounded: bool = False
) -> Answer:
    """Return how many patients reach a power.

    Parameters
    ----------
    design
        The comparison.
    power
        Asked for.
    bounds
        Of a group sequential design; None for a single analysis.
    unrounded
        Whether power, looks and effects are those of the exact solution, a fraction, in place of whole patients.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the numbers.
    """
    _refuse(design, power, None)
    total = means_sample_size(design, power) * inflation_of(bounds)
    whole = whole_patients(*design.split(total), least=2)  # two of an arm have a deviation
    sizes = design.split(total) if unrounded else whole
    reached = _power(design, bounds, *sizes)
    points = _over_patients(design, bounds, total)
    mark = (float(sum(sizes)), reached)
    curve = Curve("Power by patients", "patients in all", "power", points, mark, power)
    results: dict[str, Figure] = {"n_exact": total, **_sizes(*whole), "power": reached}
    return _answer("samplesize", design, bounds, power, results, sizes, curve)


def means_power_answer(design: MeansDesign, patients: int, bounds: SequentialBounds | None = None) -> Answer:
    """Return the power that a number of patients gives.

    Parameters
    ----------
    design
        The comparison.
    patients
        Of both arms together at the (last) analysis, split by the allocation ratio to the nearest patient.
    bounds
        Of a group sequential design; None for a single analysis.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the numbers.
    """
    _refuse(design, None, patients)
    treatment, control = split_whole(patients, design.ratio) if design.samples == 2 else (patients, 0)
    reached = _power(design, bounds, treatment, control)
    points = _over_effects(design, bounds, treatment, control)
    curve = Curve(
        "Power by effect", f"true {_effect_name(design)}", "power", points, (design.alternative, reached)
    )
    results: dict[str, Figure] = {**_sizes(treatment, control), "power": reached}
    return _answer("power", design, bounds, None, results, (treatment, control), curve)


def _refuse(design: MeansDesign, power: float | None, patients: int | None) -> None:
    check = Requirements()
    target_problems(check, design.alpha, power, design.ratio)
    check.one_of("test", design.test, ("t", "z"))
    check.one_of("scale", design.scale, ("difference", "ratio"))
    check.within("sd", design.sd, 0.0, float("inf"))
    check.within("control_sd", design.control_sd, 0.0, float("inf"))
    finite = [
        check.within(name, value, float("-inf"), float("inf"))
        for name, value in (("effect", design.alternative), ("null", design.null))
    ]
    if design.samples not in (1, 2):
        check.refuse("samples", f"{design.samples} is out of range; it must be 1 or 2")
    if design.samples == 1 and design.scale == "ratio":
        check.refuse("scale", "a ratio compares two arms; ask for --samples 2, or the scale difference")
    if design.samples == 1 and design.control_sd is not None:
        check.refuse("control_sd", "one sample has no control arm; leave it out")
    if design.scale == "ratio" and design.null <= 0.0:
        check.refuse("null", f"{design.null:g} is out of range; a ratio to be ruled out must be above 0")
    if all(finite) and design.alternative == design.null:
        check.refuse("effect", f"{design.alternative:g} is the value to be ruled out; assume another effect")
    elif (
        all(finite)
        and design.sd > 0.0
        and not (
            _NEAREST
            < abs(design.alternative - design.null) / max(design.sd, design.control_sd or 0.0)
            < _FARTHEST
        )
    ):
        check.refuse(
            "effect",
            f"its distance from the value to be ruled out must be between {_NEAREST:g} and {_FARTHEST:,.0f} standard "
            "deviations",
        )
    fewest = 2 if design.samples == 1 else 4
    if check.whole("patients", patients, fewest) and patients is not None and design.samples == 2:
        _check_split(check, patients, design.ratio)
    check.settle("means")


def _check_split(check: Requirements, patients: int, ratio: float) -> None:
    if 0.001 < ratio < 1000.0 and min(split_whole(patients, ratio)) < 2:
        check.refuse(
            "patients", f"{patients} leave an arm with fewer than 2; add patients, or balance --ratio"
        )


def _power(design: MeansDesign, bounds: SequentialBounds | None, treatment: float, control: float) -> float:
    if bounds is None:
        return means_power(design, treatment, control)
    return bounds.power(means_power(design, treatment / bounds.inflation, control / bounds.inflation))


def _looks(
    design: MeansDesign, bounds: SequentialBounds, treatment: float, control: float
) -> tuple[list[dict[str, Figure]], dict[str, Figure]]:
    """Return the looks, and the mean sizes."""
    fixed = means_power(design, treatment / bounds.inflation, control / bounds.inflation)
    drift = bounds.drift(min(fixed, 1.0 - 1e-14))
    rows = bounds.looks(bounds.at(drift))
    for row, rate, p in zip(rows, bounds.rates, bounds.nominal, strict=True):
        row["n"] = rate * (treatment + control)
        at_look = replace(design, alpha=p)
        row["critical_effect"] = (
            critical_effect(at_look, rate * treatment, rate * control) if p > 0.0 else None
        )
    return rows, bounds.expected(drift, treatment + control, "n")


def _attained(
    design: MeansDesign, bounds: SequentialBounds | None, treatment: float, control: float
) -> AttainedAlpha:
    if bounds is not None:
        return _attained_over_looks(design, bounds, treatment, control)
    if design.test == "t":
        equal = design.control_sd in (None, design.sd)
        how = (
            "the t test is exact for normal outcomes with a common variance."
            if equal
            else "Welch's test holds its error approximately; for normal outcomes it is close from 10 patients an arm on."
        )
        return AttainedAlpha(design.alpha, design.alpha if equal else None, None, None, how)
    how = (
        "this is the error of the normal bound when the standard deviation is estimated from the data (exact for normal "
        "outcomes, by the t distribution); the t test holds it."
    )
    return AttainedAlpha(design.alpha, z_bound_alpha(design, treatment, control), None, None, how)


def _attained_over_looks(
    design: MeansDesign, bounds: SequentialBounds, treatment: float, control: float
) -> AttainedAlpha:
    if design.control_sd not in (None, design.sd):
        how = "not given for repeated tests with unequal deviations; simulate the design."
        return AttainedAlpha(design.alpha, None, None, None, how)
    least = 2 if design.samples == 1 else 1
    sizes = [
        (max(least, round(rate * treatment)), max(1, round(rate * control)) if control else 0)
        for rate in bounds.rates
    ]
    limits = list(bounds.efficacy)
    what = "the normal bounds when the deviation is estimated from the data at each look; the t test comes closer."
    if design.test == "t":
        what = "the bounds for t that have the p values of the normal ones; plan more patients at the first look."
        limits = [
            critical_value(replace(design, alpha=p), design.degrees(*size)) if p > 0.0 else math.inf
            for p, size in zip(bounds.nominal, sizes, strict=True)
        ]
    attained, error = repeated_t_error(limits, sizes)
    how = f"simulated a million times, futility bounds not obeyed, for {what}"
    return AttainedAlpha(design.alpha, attained, None, None, how, error)


def _answer(
    question: str,
    design: MeansDesign,
    bounds: SequentialBounds | None,
    power: float | None,
    results: dict[str, Figure],
    sizes: tuple[float, float],
    curve: Curve,
) -> Answer:
    attained = _attained(design, bounds, *sizes)
    looks: list[dict[str, Figure]] = []
    if bounds is None:
        results["critical_effect"] = critical_effect(design, *sizes)
    else:
        looks, expected = _looks(design, bounds, *sizes)
        results |= {
            "critical_effect": looks[-1]["critical_effect"],
            "inflation_factor": bounds.inflation,
            **expected,
        }
    kind = "z" if design.test == "z" else "t" if design.control_sd in (None, design.sd) else "welch"
    caution = attained.caution()
    samples = "one" if design.samples == 1 else "two"
    return Answer(
        question=question,
        endpoint="means",
        method=f"{samples}-sample {design.test} test of a {_effect_name(design)}{named(bounds)}",
        source=_SOURCES[kind],
        assumptions={
            "effect": design.alternative,
            "null": design.null,
            "sd": design.sd,
            "control_sd": design.control_sd,
            "alpha_one_sided": design.alpha,
            "power_target": power,
            "ratio": design.ratio,
        },
        results=results,
        attained_alpha=attained,
        curves=(curve,),
        looks=tuple(looks),
        warnings=() if caution is None else (caution,),
    )


def _effect_name(design: MeansDesign) -> str:
    if design.samples == 1:
        return "mean"
    return "ratio of means" if design.scale == "ratio" else "difference in means"


def _sizes(treatment: int, control: int) -> dict[str, Figure]:
    return {"n_total": treatment + control, "n_treatment": treatment, "n_control": control}


def _over_patients(
    design: MeansDesign, bounds: SequentialBounds | None, total: float
) -> tuple[tuple[float, float], ...]:
    fewest = 2.5 if design.samples == 1 else 2.5 * (1.0 + max(design.ratio, 1.0 / design.ratio)) / 2.0
    sizes = spread(max(0.1 * total, fewest), max(2.0 * total, 2.0 * fewest), _POINTS)
    return tuple((size, _power(design, bounds, *design.split(size))) for size in sizes)


def _over_effects(
    design: MeansDesign, bounds: SequentialBounds | None, treatment: int, control: int
) -> tuple[tuple[float, float], ...]:
    away = design.alternative - design.null
    shares = [share for share in spread(0.0, 2.0, _POINTS) if share > 0.0]
    effects = [design.null + away * share for share in shares]
    powers = [_power(replace(design, alternative=effect), bounds, treatment, control) for effect in effects]
    at_null = design.alpha if bounds is None else bounds.at(0.0).power
    return ((design.null, at_null), *zip(effects, powers, strict=True))
