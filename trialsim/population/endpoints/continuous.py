"""Continuous outcomes: a linear model with normal residuals."""

from __future__ import annotations

from trialsim.compiled import inline, kernel
from trialsim.draws import unit
from trialsim.elementary import standard_normal


@kernel
def expected_values(main, modifier, drift, intercepts, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill ``out[row, arm]`` with the expected value of each patient in each arm."""
    for i in range(len(main)):
        for a in range(len(intercepts)):
            value = intercepts[a] + (main[i] + drift[i])
            if a > 0:
                value += modifier[i]
            out[i, a] = value


@inline
def measured_value(bits: int, expected: float, sd: float) -> float:
    """Return the measurement of a patient with random word ``bits``."""
    return expected + sd * standard_normal(unit(bits))


@kernel
def fill_values(words, expected, rows, arms, sd, first, last, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill ``out`` with the measurements of patients ``first`` to ``last - 1``."""
    for i in range(first, last):
        out[i] = measured_value(words[i], expected[rows[i], arms[i]], sd)
