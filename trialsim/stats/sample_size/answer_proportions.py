"""Questions of size and power about proportions, answered with a curve and the enumerated error of the bound."""

from __future__ import annotations

from dataclasses import replace

from trialsim.stats.sample_size.answer import (
    Answer,
    Curve,
    Figure,
    Requirements,
    spread,
    target_problems,
)
from trialsim.stats.sample_size.attained_proportions import (
    attained_alpha,
    enumerated_power,
    region_probability,
    rejection_region,
    sequential_alpha,
)
from trialsim.stats.sample_size.exact_proportions import (
    MOST_ENUMERATED,
    binomial_bound,
    binomial_power,
    exact_sample_size,
    fisher_power,
    sizes_of_base,
)
from trialsim.stats.sample_size.proportions import (
    ProportionsDesign,
    critical_effect,
    proportions_power,
    proportions_sample_size,
)
from trialsim.stats.sample_size.sequential import SequentialBounds, inflation_of, named
from trialsim.stats.sample_size.smallest import split_whole, whole_patients

TESTS = ("score", "exact")
_POINTS, _EXACT_POINTS = 41, 17
_SOURCES = {
    (
        "score",
        2,
    ): "normal approximation with the variance under the null fitted to it (Farrington and Manning 1990)",
    ("score", 1): "normal approximation (Fleiss, Levin and Paik 2003, section 2.5)",
    ("exact", 2): "enumeration of both binomials, Fisher's exact test (Bennett and Hsu 1960)",
    ("exact", 1): "enumeration of the binomial, exact binomial test",
}


def proportions_size_answer(
    design: ProportionsDesign,
    power: float,
    test: str = "score",
    bounds: SequentialBounds | None = None,
    unrounded: bool = False,
) -> Answer:
    """Return how many patients reach a power.

    Parameters
    ----------
    design
        The comparison.
    power
        Asked for.
    test
        ``score`` (sized by the normal approximation) or ``exact`` (Fisher's, of one sample the binomial test).
    bounds
        Of a group sequential design, for the score test; None for a single analysis.
    unrounded
        Whether the score test's power, looks and effects are those of the exact solution, a fraction.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the numbers.
    UsageError
        When the exact test needs more patients than are enumerated.
    """
    _refuse(design, test, power, None, bounds)
    results: dict[str, Figure] = {}
    if test == "score":
        total = proportions_sample_size(design, power) * inflation_of(bounds)
        whole = whole_patients(*design.split(total))
        sizes = design.split(total) if unrounded else whole
        results["n_exact"] = total
        points = _over_patients(design, bounds, total)
    else:
        sizes = whole = exact_sample_size(design, power)
        points = _over_exact_patients(design, *whole)
    results |= _found(design, test, bounds, sizes, whole)
    mark = (float(sum(sizes)), float(str(results["power"])))
    curve = Curve("Power by patients", "patients in all", "power", points, mark, power)
    return _answer("samplesize", design, test, bounds, power, results, sizes, whole, curve)


def proportions_power_answer(
    design: ProportionsDesign, patients: int, test: str = "score", bounds: SequentialBounds | None = None
) -> Answer:
    """Return the power that a number of patients gives.

    Parameters
    ----------
    design
        The comparison.
    patients
        Of both arms together at the (last) analysis, split by the allocation ratio to the nearest patient.
    test
        ``score`` or ``exact``.
    bounds
        Of a group sequential design, for the score test; None for a single analysis.

    Raises
    ------
    ScenarioError
        With everything that is wrong with the numbers.
    """
    _refuse(design, test, None, patients, bounds)
    whole = split_whole(patients, design.ratio) if design.samples == 2 else (patients, 0)
    results = _found(design, test, bounds, whole, whole)
    points = _over_rates(design, test, bounds, *whole)
    mark = (design.treatment_rate, float(str(results["power"])))
    curve = Curve("Power by treatment rate", "true rate on treatment", "power", points, mark)
    return _answer("power", design, test, bounds, None, results, whole, whole, curve)


def _refuse(
    design: ProportionsDesign,
    test: str,
    power: float | None,
    patients: int | None,
    bounds: SequentialBounds | None,
) -> None:
    check = Requirements()
    target_problems(check, design.alpha, power, design.ratio)
    check.one_of("test", test, TESTS)
    if test == "exact" and bounds is not None:
        check.refuse("test", "an exact test is of a single analysis; use the score test with --information")
    known_scale = check.one_of("scale", design.scale, ("difference", "ratio"))
    if design.samples not in (1, 2):
        check.refuse("samples", f"{design.samples} is out of range; it must be 1 or 2")
    rates = [check.within("treatment_rate", design.treatment_rate, 0.0, 1.0)]
    rates.append(
        check.within("null" if design.samples == 1 else "control_rate", design.control_rate, 0.0, 1.0)
    )
    null = True
    if design.samples == 2:
        limits = (0.0, float("inf")) if design.scale == "ratio" else (-1.0, 1.0)
        null = check.within("null", design.null, *limits)
    if test == "exact" and design.samples == 2 and design.null != (1.0 if design.scale == "ratio" else 0.0):
        check.refuse("null", "Fisher's exact test is of equality only; use the score test for a margin")
    if known_scale and all(rates) and null and abs(design.contrast) < 1e-12:
        check.refuse("treatment_rate", "the assumed rates meet the null exactly; assume another effect")
    if check.whole("patients", patients, 2 if design.samples == 1 else 4) and patients is not None:
        largest = patients
        if design.samples == 2 and 0.001 < design.ratio < 1000.0:
            largest = max(split_whole(patients, design.ratio))
        if test == "exact" and largest > MOST_ENUMERATED:
            check.refuse("patients", f"an arm of {largest:,} is not enumerated (at most {MOST_ENUMERATED:,})")
    check.settle("proportions")


def _found(
    design: ProportionsDesign,
    test: str,
    bounds: SequentialBounds | None,
    sizes: tuple[float, float],
    whole: tuple[int, int],
) -> dict[str, Figure]:
    treatment, control = whole
    found: dict[str, Figure] = {
        "n_total": treatment + control,
        "n_treatment": treatment,
        "n_control": control,
        "power": _score_power(design, bounds, *sizes)
        if test == "score"
        else _exact_power(design, treatment, control),
    }
    if bounds is not None:
        found |= enumerated_power(design, bounds, treatment, control)
    elif test == "score":
        found["power_enumerated"] = None
        if max(treatment, control) <= MOST_ENUMERATED:
            rejects = rejection_region(design, test, treatment, control)
            found["power_enumerated"] = region_probability(design, rejects, design.treatment_rate)
        found["critical_effect"] = critical_effect(design, *sizes)
    elif design.samples == 1:
        bound = binomial_bound(design, treatment)
        found["critical_count"] = bound
    return found


def _score_power(
    design: ProportionsDesign, bounds: SequentialBounds | None, treatment: float, control: float
) -> float:
    if bounds is None:
        return proportions_power(design, treatment, control)
    return bounds.power(proportions_power(design, treatment / bounds.inflation, control / bounds.inflation))


def _looks(
    design: ProportionsDesign, bounds: SequentialBounds, treatment: float, control: float
) -> tuple[list[dict[str, Figure]], dict[str, Figure]]:
    """Return the looks, and the mean sizes."""
    fixed = proportions_power(design, treatment / bounds.inflation, control / bounds.inflation)
    drift = bounds.drift(min(fixed, 1.0 - 1e-14))
    rows = bounds.looks(bounds.at(drift))
    for row, rate, p in zip(rows, bounds.rates, bounds.nominal, strict=True):
        row["n"] = rate * (treatment + control)
        at_look = replace(design, alpha=p)
        row["critical_effect"] = (
            critical_effect(at_look, rate * treatment, rate * control) if p > 0.0 else None
        )
    return rows, bounds.expected(drift, treatment + control, "n")


def _exact_power(design: ProportionsDesign, treatment: int, control: int) -> float:
    return (
        binomial_power(design, treatment) if design.samples == 1 else fisher_power(design, treatment, control)
    )


def _answer(
    question: str,
    design: ProportionsDesign,
    test: str,
    bounds: SequentialBounds | None,
    power: float | None,
    results: dict[str, Figure],
    sizes: tuple[float, float],
    whole: tuple[int, int],
    curve: Curve,
) -> Answer:
    looks: list[dict[str, Figure]] = []
    if bounds is None:
        attained = attained_alpha(design, test, *whole)
    else:
        attained = sequential_alpha(design, bounds, *whole)
        looks, expected = _looks(design, bounds, *sizes)
        results |= {
            "critical_effect": looks[-1]["critical_effect"],
            "inflation_factor": bounds.inflation,
            **expected,
        }
    one = design.samples == 1
    kind = {"score": "score", "exact": "binomial" if one else "Fisher exact"}[test]
    of = "rate" if one else "risk ratio" if design.scale == "ratio" else "risk difference"
    warnings = [caution for caution in (attained.caution(),) if caution is not None]
    exact = results.get("power_enumerated")
    approximate = results["power"]
    if isinstance(exact, float) and isinstance(approximate, float) and exact < approximate - 0.01:
        warnings.append(
            f"The enumerated power of the score test is {exact:.4f}, less than the {approximate:.4f} of its normal "
            "approximation: the sample is too small for the formula."
        )
    return Answer(
        question=question,
        endpoint="proportions",
        method=f"{'one' if one else 'two'}-sample {kind} test of a {of}{named(bounds)}",
        source=_SOURCES[test, design.samples],
        assumptions={
            "treatment_rate": design.treatment_rate,
            "control_rate": None if one else design.control_rate,
            "null": design.control_rate if one else design.null,
            "alpha_one_sided": design.alpha,
            "power_target": power,
            "ratio": design.ratio,
        },
        results=results,
        attained_alpha=attained,
        curves=(curve,),
        looks=tuple(looks),
        warnings=tuple(warnings),
    )


def _over_patients(
    design: ProportionsDesign, bounds: SequentialBounds | None, total: float
) -> tuple[tuple[float, float], ...]:
    sizes = spread(max(0.1 * total, 2.0), max(2.0 * total, 4.0), _POINTS)
    return tuple((size, _score_power(design, bounds, *design.split(size))) for size in sizes)


def _over_exact_patients(
    design: ProportionsDesign, treatment: int, control: int
) -> tuple[tuple[float, float], ...]:
    base = treatment if design.samples == 1 else control
    bases = sorted({base, *(max(1, round(each)) for each in spread(0.25 * base, 1.5 * base, _EXACT_POINTS))})
    points = []
    for each in bases:
        sizes = sizes_of_base(design, each)
        if max(sizes) <= MOST_ENUMERATED:
            points.append((float(sum(sizes)), _exact_power(design, *sizes)))
    return tuple(points)


def _over_rates(
    design: ProportionsDesign, test: str, bounds: SequentialBounds | None, treatment: int, control: int
) -> tuple[tuple[float, float], ...]:
    null_rate = design.multiplier * design.control_rate + design.margin
    away = design.treatment_rate - null_rate
    rejects = rejection_region(design, "exact", treatment, control) if test == "exact" else None
    points = []
    for share in spread(0.0, 2.0, _POINTS):
        rate = null_rate + away * share
        if not 0.0 < rate < 1.0:
            continue
        if rejects is not None:
            points.append((rate, region_probability(design, rejects, rate)))
        elif abs(rate - null_rate) < 1e-12:
            points.append((rate, design.alpha if bounds is None else bounds.at(0.0).power))
        else:
            points.append(
                (rate, _score_power(replace(design, treatment_rate=rate), bounds, treatment, control))
            )
    return tuple(points)
