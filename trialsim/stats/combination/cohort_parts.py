"""Stages of patients that are tested twice: at their own look and at their end, in parts that are independent.

A stage's patients are tested at the look that ends the stage and again, by what their log-rank score gained since, at an
end fixed in advance. Under no effect both and the next stage's patients give independent standard normal statistics,
whatever was decided at the look and by what: both are functions of patients whom no decision touches, taken at times that
none moves (Jenkins, Stone and Jennison 2011, Pharm. Stat. 10, 347-356, with the increments of Tsiatis 1982, JASA 77,
855-861). With weights fixed in advance the statistics at the looks are those of a group sequential design, whose bounds
hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def part_weights(stage_rates: Sequence[float], interim: Sequence[float]) -> Floats:
    """Return the weights of the parts: of each stage but the last at its look, of each since then, of the last stage.

    The squares add up to 1; those of a stage's two parts to its share of the information.

    Parameters
    ----------
    stage_rates
        Planned information of all stages up to each, over that of all, ``[stage]``.
    interim
        Planned share of a stage's information that is known at its own look, ``[stage - 1]``.
    """
    shares = np.diff(np.asarray(stage_rates, dtype=np.float64), prepend=0.0)
    at_look = shares[:-1] * np.asarray(interim, dtype=np.float64)
    weights: Floats = np.sqrt(np.concatenate([at_look, shares[:-1] - at_look, shares[-1:]]))
    return weights


def look_rates(stage_rates: Sequence[float], interim: Sequence[float]) -> tuple[float, ...]:
    """Return the information that is tested by each look, over that of the last: what each stage showed at its own look.

    Parameters
    ----------
    stage_rates, interim
        As in :func:`part_weights`.
    """
    squares = part_weights(stage_rates, interim)[: len(interim)] ** 2
    return (*np.cumsum(squares).tolist(), 1.0)


def part_bounds(efficacy: Sequence[float]) -> Floats:
    """Return the bounds at the looks as bounds at the parts: none where a part completes no look.

    Parameters
    ----------
    efficacy
        Bounds by look.
    """
    return np.array([*efficacy[:-1], *[np.inf] * (len(efficacy) - 1), efficacy[-1]])
