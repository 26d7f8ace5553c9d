"""Whether two things go together beyond chance, and the trials of which that is asked."""

from __future__ import annotations

from functools import cache

import numpy as np

from trialsim.contracts import Floats
from trialsim.engines.plan import Plan, build_plan
from trialsim.scenario.load import scenario_from_text

SEED = 4_611_686_018_427_388_039
"""Of the trials in which policies are asked: large, so that nobody finds it by trying small ones."""

LIMIT = 5.0
"""Standard errors of a correlation, ``1 / sqrt(rows)``, that chance reaches once in two million times."""


@cache
def plan_of(text: str, design: str) -> Plan:
    """Return the plan in which a policy is asked.

    Parameters
    ----------
    text, design
        A scenario with the truth ``none``, and one of its designs.
    """
    return build_plan(scenario_from_text(text), design, "none", SEED)


def beyond_chance(decided: Floats, later: Floats) -> float:
    """Return the largest correlation of a column of either, in standard errors under independence.

    Parameters
    ----------
    decided, later
        ``[row, column]``; what is not known of a row is NaN, and counts as the mean.
    """
    parts = []
    for columns in (decided, later):
        known = np.isfinite(columns)
        mean = np.where(known, columns, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        parts.append(np.where(known, columns - mean, 0.0))
    spread = [np.sqrt((part * part).sum(axis=0)) for part in parts]
    products = np.abs(parts[0].T @ parts[1])
    size = np.outer(*spread)
    known = size > 1e-9
    correlations = np.where(known, products / np.where(known, size, 1.0), 0.0)
    return float(correlations.max(initial=0.0) * np.sqrt(len(decided)))


def ranks(scores: Floats) -> Floats:
    """Return ranks from -1 to 1, those of equals alike, so that no single score decides; NaN comes last.

    Parameters
    ----------
    scores
        ``[row]``.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    ordered = np.sort(known)
    middle = np.searchsorted(ordered, known, "left") + np.searchsorted(ordered, known, "right")
    return np.asarray(middle / max(len(known), 1) - 1.0)
