"""What each strategy for intercurrent events makes of a survival endpoint (ICH E9(R1), 2019).

Intercurrent events are discontinuation of treatment, crossover (which ends the treatment as randomised) and death. Rescue
follows discontinuation and the planned end of treatment is none.
"""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Bools, Ints, TestPlan
from trialsim.timegrid import NEVER, TICKS_PER_DAY

TREATMENT_POLICY = "treatment_policy"
WHILE_ON_TREATMENT = "while_on_treatment"
HYPOTHETICAL = "hypothetical"
COMPOSITE = "composite"
PRINCIPAL_STRATUM = "principal_stratum"

_FITS_NOTHING = "it takes all patients, so that it does not estimate the effect in those who would stay on either treatment"
_INDEPENDENT = "which estimates what would be without them only if they are independent of the outcome"
_CENSORING_FLAGS = {
    WHILE_ON_TREATMENT: "it follows patients while they are on treatment, and those still on it need not be alike",
    HYPOTHETICAL: f"it censors at discontinuation and crossover, {_INDEPENDENT}",
    PRINCIPAL_STRATUM: _FITS_NOTHING,
}
_OMITTING_FLAGS = {
    WHILE_ON_TREATMENT: "it leaves out read-outs after the end of treatment, and those still on it need not be alike",
    HYPOTHETICAL: f"it leaves out read-outs after discontinuation and crossover, {_INDEPENDENT}",
    COMPOSITE: "it counts a failure when it happens and all others at their read-outs, so that looks before the last "
    "read-out see a larger share of failures",
    PRINCIPAL_STRATUM: _FITS_NOTHING,
}


def flag_of(strategy: str, kind: str) -> str | None:
    """Return what a reader must know where an analysis fits its strategy only under assumptions, or not at all.

    Parameters
    ----------
    strategy
        One of the five.
    kind
        Of the endpoint: ``survival``, ``binary`` or ``continuous``.
    """
    return (_CENSORING_FLAGS if kind == "survival" else _OMITTING_FLAGS).get(strategy)


def ends_by_strategy(
    strategy: str,
    event: Ints,
    exit_: Ints,
    known: Ints,
    last_dose: Ints,
    quit_: Ints,
    crossed: Ints,
    died: Ints,
    window: int = 0,
) -> tuple[Ints, Ints, Ints]:
    """Return event, end of follow-up and when it is known, as a strategy has it; all arrays of one shape, in ticks.

    Parameters
    ----------
    strategy
        One of the five.
    event, exit_, known
        As observed under the treatment policy, NEVER where there is none.
    last_dose, quit_, crossed, died
        The last dose, discontinuation, crossover and death.
    window
        Ticks after the last dose that count as on treatment.
    """
    if strategy in (WHILE_ON_TREATMENT, HYPOTHETICAL):
        ends = later(last_dose, window) if strategy == WHILE_ON_TREATMENT else quit_
        until = np.minimum(ends, crossed)
        # At the same tick the event counts: it comes first in the order of an instant.
        cut: Bools = until < exit_
        return (
            np.where(cut, NEVER, event),
            np.where(cut, until, exit_),
            np.where(cut, until, known),
        )
    if strategy == COMPOSITE:
        first = np.minimum(quit_, died)
        counts: Bools = (first < exit_) | ((first == exit_) & (event != exit_) & (first < NEVER))
        return tuple(np.where(counts, first, old) for old in (event, exit_, known))  # type: ignore[return-value]
    return event, exit_, known


def later(ticks: Ints, window: int) -> Ints:
    """Return times moved on by a window; what never comes stays so."""
    return np.where(ticks < NEVER, ticks + window, ticks)


def estimator_of(test: TestPlan, kind: str) -> str:
    """Return a test's estimator with its strategy, and its :func:`flag_of` where it has one.

    Parameters
    ----------
    test
        The test.
    kind
        Of its endpoint.
    """
    if test.strategy == TREATMENT_POLICY:
        return test.analysis.estimator
    flag = flag_of(test.strategy, kind)
    words = f"{test.analysis.estimator}, {test.strategy.replace('_', ' ')} strategy"
    if test.window:
        words += f" with {test.window / TICKS_PER_DAY:g} days after the last dose"
    return words if flag is None else f"{words} (flagged: {flag})"
