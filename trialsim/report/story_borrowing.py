"""What a control arm borrowed from earlier trials at a look, and how far its own data agree with them."""

from __future__ import annotations

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
        f"have probability {tail}; the prior was worth {plain(found.worth_before, 1)} patients "
        f"and is now worth {plain(found.worth_after, 1)}."
    )
