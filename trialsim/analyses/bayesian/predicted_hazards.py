"""Success of a comparison of hazards, predicted: posterior probabilities in data sets whose follow-up is completed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.event_rate import PREDICTIVE
from trialsim.analyses.keys import Key
from trialsim.contracts import Floats, Ints, PatientRows
from trialsim.errors import UsageError
from trialsim.stats.bayes.completed_follow_up import complete_follow_up
from trialsim.stats.bayes.gamma_exponential import events_and_exposure, followed_within

FOLLOWED: Mapping[str, str] = {
    "followed_for": "days for which everybody will have been followed; what comes later is left out, 0: nothing is",
    "draws": "data sets completed where success is predicted",
}
"""Options of models whose success is predicted from each patient's own follow-up."""
FOLLOWED_DEFAULTS: Mapping[str, Any] = {"followed_for": 0.0, "draws": 500}


def rows_within(rows: PatientRows, options: Mapping[str, Any]) -> PatientRows:
    """Return patients with follow-up as far as the model counts it."""
    until = float(options["followed_for"])
    return followed_within(rows, until) if until > 0.0 else rows


def completed_hazards(
    name: str,
    rows: PatientRows,
    options: Mapping[str, Any],
    starts: Floats,
    keys: Sequence[Key],
    unseen: Ints,
    to_come: Ints,
) -> tuple[Floats, Floats]:
    """Return shapes and rates of the hazards' posteriors in completed data sets, ``[2, replicate, draw, 2, piece]``.

    Parameters
    ----------
    name
        Of the model, part of the draws' address.
    rows
        Patients at an interim look.
    options
        All options of the model.
    starts
        Days at which the hazards' pieces begin, the first 0.
    keys
        Address of each replicate's draws.
    unseen, to_come
        Patients enrolled who are not among ``rows``, and those still to be enrolled, ``[replicate, 2]``, control first.

    Returns
    -------
    tuple of numpy.ndarray
        The first axis is data of patients enrolled so far, and of all that may be.
    """
    if rows.still_followed is None:
        raise UsageError(
            f"{name}: the patients do not say who is still followed, without which nothing can be predicted"
        )
    within = rows_within(rows, options)
    events, exposure = events_and_exposure(within, starts)
    shape, rate = options["prior_shape"] + events, options["prior_rate"] + exposure
    words = np.array(
        [[key.bits(name, PREDICTIVE + arm) for arm in range(2)] for key in keys], dtype=np.uint64
    )
    size = (2, len(keys), int(options["draws"]), 2, len(starts))
    more_events, more_exposure = np.empty(size), np.empty(size)
    complete_follow_up(
        rows.offsets, rows.treated, within.value, rows.still_followed, float(options["followed_for"]), starts,
        shape, rate, unseen, to_come, words.reshape(len(keys), 2), more_events, more_exposure,
    )  # fmt: skip
    return shape[None, :, None] + more_events, rate[None, :, None] + more_exposure
