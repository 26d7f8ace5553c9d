"""The bounds of a group sequential design as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.designs.boundaries import Boundaries
from trialsim.report.tables import TextTable

_NONE = "–"


def boundaries_tables(found: Boundaries) -> tuple[TextTable, ...]:
    """Return the bounds on every scale, and what they do, a row a look."""
    tables = [_bounds("Efficacy bounds", found, found.efficacy_z, found.efficacy_p, found.efficacy_effect)]
    if found.request.futility is not None:
        kind = "binding" if found.request.futility_binding else "non-binding"
        tables.append(
            _bounds(
                f"Futility bounds, {kind}", found, found.futility_z, found.futility_p, found.futility_effect
            )
        )
    return (*tables, _errors(found))


def sentences(found: Boundaries) -> tuple[str, ...]:
    """Return what holds for the whole design, and notes."""
    asked = found.request
    sided = "one-sided" if asked.sides == 1 else "two-sided, bounds of the absolute value"
    return (
        f"Alpha {asked.alpha:g} {sided}; power {found.power:.6g} under the effect {asked.effect:g}.",
        f"Maximum information {found.maximum_information:.6g}, {found.inflation_factor:.6f} times that of the fixed "
        "design (inflation factor).",
        f"Expected information {found.expected_information_h0:.6g} under no effect, "
        f"{found.expected_information_h1:.6g} under the effect.",
        "Conditional power: chance to reach the last efficacy bound from the bound, under the trend there and under the "
        "effect.",
        *(f"note: {sentence}" for sentence in found.warnings),
    )


def _bounds(
    title: str,
    found: Boundaries,
    z: NDArray[np.float64],
    p: NDArray[np.float64],
    effect: NDArray[np.float64],
) -> TextTable:
    trend, planned = found.conditional_power(z), found.conditional_power(z, found.request.effect)
    columns = [
        [f"{rate:.6g}" for rate in found.information_rates],
        [_shown(each, ".6f") for each in z],
        [_shown(each, ".4g") if math.isfinite(bound) else _NONE for each, bound in zip(p, z)],
        [_shown(each, ".5g") for each in effect],
        [_shown(each, ".4f") if math.isfinite(bound) else _NONE for each, bound in zip(trend, z)],
        [_shown(each, ".4f") if math.isfinite(bound) else _NONE for each, bound in zip(planned, z)],
    ]
    headings = (
        "look", "information rate", "z", "nominal p", "effect", "conditional power\nof the trend",
        "conditional power\nof the effect",
    )  # fmt: skip
    return _table(title, headings, columns)


def _errors(found: Boundaries) -> TextTable:
    columns = [
        [f"{each:.6g}" for each in found.alpha_spent],
        [f"{each:.6g}" for each in found.beta_spent],
        [f"{each:.6f}" for each in found.at(0.0).stage_reject],
        [f"{each:.6f}" for each in found.at(0.0).stage_futility],
        [f"{each:.6f}" for each in found.stage_reject_h1],
        [f"{each:.6f}" for each in found.stage_futility_h1],
    ]
    headings = (
        "look", "alpha spent", "beta spent", "no effect:\nrejects", "no effect:\ngives up", "effect:\nrejects",
        "effect:\ngives up",
    )  # fmt: skip
    return _table("Errors spent, and where the trial ends", headings, columns)


def _table(title: str, headings: tuple[str, ...], columns: Sequence[Sequence[str]]) -> TextTable:
    rows = tuple(((str(look + 1),), *((cell,) for cell in cells)) for look, cells in enumerate(zip(*columns)))
    return TextTable(title, headings, rows)


def _shown(number: float, form: str) -> str:
    return format(number, form) if math.isfinite(number) else _NONE
