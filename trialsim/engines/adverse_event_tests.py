"""Tests about adverse events: what they count, and what their model is told."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.analyses.bayesian.array_cut import ArrayCut
from trialsim.contracts import AdverseEventsCounted, Bools, Ints, PatientRows, TestPlan
from trialsim.engines.life import LifeLaw
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.timegrid import TICKS_PER_DAY, to_ticks


def counted_by(hypothesis: Hypothesis, life: LifeLaw, grid: int) -> AdverseEventsCounted:
    """Return what a hypothesis about adverse events counts.

    Parameters
    ----------
    hypothesis
        Whose endpoint is adverse events.
    life
        What becomes of the scenario's patients.
    grid
        Step of the time grid in ticks.
    """
    options = hypothesis.analysis_options
    named = options["terms"] or life.terms
    within = options.get("within")
    return AdverseEventsCounted(
        tuple(life.terms.index(term) for term in named),
        1 if options["at_least"] is None else life.levels.index(options["at_least"]) + 1,
        bool(options.get("serious", False)),
        hypothesis.analysis == "dirichlet_multinomial",
        None if within is None else max(to_ticks(within, grid), grid),
    )


def options_of_model(hypothesis: Hypothesis, counted: AdverseEventsCounted, levels: int) -> dict[str, Any]:
    """Return the options of its analysis, levels as numbers, a prior worth one patient where none is stated."""
    options = dict(hypothesis.analysis_options)
    if options["rate"] is not None:
        options["limit"] = options["rate"]
    if counted.worst:
        alpha = options["prior_alpha"] or (1.0 / (levels + 1),) * (levels + 1)
        options |= {"grade": counted.least, "prior_alpha": list(alpha)}
    return options


def cut_of_counts(
    test: TestPlan, offsets: Ints, treated: Bools, events: Ints, worst: Ints, risk: Ints
) -> ArrayCut:
    """Return the data cut that a test's model takes.

    Parameters
    ----------
    test
        About adverse events.
    offsets
        Where the patients of each replicate begin, ``[replicate + 1]``.
    treated, events, worst, risk
        Whether on treatment, events, worst level and ticks at risk, ``[patient]``.
    """
    assert test.adverse_events is not None
    value = worst.astype(np.float64) if test.adverse_events.worst else risk / float(TICKS_PER_DAY)
    n = len(value)
    # Counts may be larger than a single event's type holds.
    held: Any = events
    return ArrayCut(
        PatientRows(
            offsets, treated.astype(np.int8), np.zeros(n, dtype=np.int64), value, held, np.zeros((n, 0))
        )
    )


def risk_window(counted: AdverseEventsCounted, law: LifeLaw) -> int:
    """Return for how long after the last dose a patient is at risk: as long as the term that goes on longest."""
    return int(max(law.numbers.term.window[term] for term in counted.terms))
