"""What a control arm borrowed from earlier trials at a look, and how far its own data agree with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trialsim.engines.points import Chunk, Point
from trialsim.report.numbers import plain

if TYPE_CHECKING:
    from trialsim.analyses.bayesian.robust_mixtures import Borrowing


def borrowed(chunk: Chunk, point: Point) -> tuple[Borrowing | None, ...]:
    """Return what control of each test borrows from earlier trials at a point of one replicate, None where nothing.

    Parameters
    ----------
    chunk
        The replicate.
    point
        A look.
    """
    found: list[Borrowing | None] = []
    for t, test in enumerate(chunk.plan.tests):
        model = getattr(test.analysis, "model", None)
        if not hasattr(model, "borrowing"):
            found.append(None)
            continue
        options = test.analysis.options_of_model(test.options, test.lower_is_better)  # type: ignore[attr-defined]
        found.append(model.borrowing(chunk.cut(point, t), options))  # type: ignore[union-attr]
    return tuple(found)


def borrowing_sentence(test: str, found: Borrowing) -> str:
    """Return what is borrowed in words.

    Parameters
    ----------
    test
        Its name.
    found
        What control of it borrows.
    """
    tail = "below 0.001" if found.tail < 0.0005 else plain(found.tail, 3)
    return (
        f"Of {test}, control's prior: what earlier trials say has weight {plain(found.after, 3)} "
        f"({plain(found.before, 3)} before the trial); by that alone, data at most as probable as control's "
        f"have probability {tail}; {_worth(found)}."
    )


def _worth(found: Borrowing) -> str:
    """Return in words what the prior was and is worth, which is not defined where a shape of it is below 1."""
    now = plain(found.worth_after, 1)
    if not math.isnan(found.worth_before):
        return f"the prior was worth {plain(found.worth_before, 1)} patients and is now worth {now}"
    why = "not defined, a shape of it being below 1"
    if math.isnan(found.worth_after):
        return f"what the prior is worth is {why}"
    return f"what the prior was worth is {why}; it is now worth {now} patients"
