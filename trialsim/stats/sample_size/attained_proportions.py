"""The true error of a test of proportions, and its power without approximation, for one analysis or several looks."""

from __future__ import annotations

from trialsim.stats.sample_size.answer import AttainedAlpha, Figure
from trialsim.stats.sample_size.exact_proportions import (
    MOST_ENUMERATED,
    Flags,
    binomial_rejects,
    error_on_the_null,
    fisher_rejects,
    largest_error,
    one_sample_probability,
    one_sample_z_rejects,
    rejection_probability,
    score_rejects,
)
from trialsim.stats.sample_size.proportions import ProportionsDesign
from trialsim.stats.sample_size.sequential import SequentialBounds
from trialsim.stats.sample_size.sequential_proportions import (
    MOST_SEQUENTIAL,
    sequential_errors,
    sequential_probability,
    sizes_of_looks,
)


def sequential_alpha(
    design: ProportionsDesign, bounds: SequentialBounds, treatment: int, control: int
) -> AttainedAlpha:
    """Return the true error of repeated score tests, futility bounds not obeyed."""
    if max(treatment, control) > MOST_SEQUENTIAL:
        how = (
            f"not enumerated above {MOST_SEQUENTIAL:,} patients in an arm, where the normal bounds are close."
        )
        return AttainedAlpha(design.alpha, None, None, None, how)
    sizes = sizes_of_looks(bounds, treatment, control)
    attained, largest, at = sequential_errors(design, bounds, sizes)
    how = (
        "enumerated over all counts at all looks, futility bounds not obeyed; no exact test of repeated looks is "
        "offered, so plan more patients or a smaller alpha."
    )
    return AttainedAlpha(design.alpha, attained, largest, at, how)


def attained_alpha(design: ProportionsDesign, test: str, treatment: int, control: int) -> AttainedAlpha:
    """Return the true error of a single test: ``score`` or ``exact``."""
    if max(treatment, control) > MOST_ENUMERATED:
        how = f"not enumerated above {MOST_ENUMERATED:,} patients in an arm, where the normal bound is close."
        return AttainedAlpha(design.alpha, None, None, None, how)
    rejects = rejection_region(design, test, treatment, control)
    what = (
        "an exact test (--test exact) holds it." if test == "score" else "an exact test stays at or below it."
    )
    if design.samples == 1:
        attained = one_sample_probability(rejects, design.control_rate)
        return AttainedAlpha(design.alpha, attained, None, None, f"enumerated over all counts; {what}")
    largest, at = largest_error(design, rejects)
    attained = error_on_the_null(design, rejects, design.control_rate)
    how = f"enumerated over all pairs of counts, and the largest over every control rate; {what}"
    return AttainedAlpha(design.alpha, attained, largest, at, how)


def enumerated_power(
    design: ProportionsDesign, bounds: SequentialBounds, treatment: int, control: int
) -> dict[str, Figure]:
    """Return the power without approximation, futility bounds obeyed, where the looks are enumerated."""
    if max(treatment, control) > MOST_SEQUENTIAL:
        return {"power_enumerated": None}
    sizes = sizes_of_looks(bounds, treatment, control)
    rates = (design.treatment_rate, design.control_rate)
    return {"power_enumerated": sequential_probability(design, bounds, sizes, rates, futility=True)}


def rejection_region(design: ProportionsDesign, test: str, treatment: int, control: int) -> Flags:
    """Return which counts reject: ``[treatment count, control count]``, of one sample ``[count, 1]``."""
    if design.samples == 1:
        return (one_sample_z_rejects if test == "score" else binomial_rejects)(design, treatment)
    if test == "score":
        return score_rejects(design, treatment, control)
    return fisher_rejects(treatment, control, design.alpha, design.contrast > 0.0)


def region_probability(design: ProportionsDesign, rejects: Flags, treatment_rate: float) -> float:
    """Return the probability of counts that reject, at a treatment rate and the assumed control rate."""
    if design.samples == 1:
        return one_sample_probability(rejects, treatment_rate)
    return rejection_probability(rejects, treatment_rate, design.control_rate)
