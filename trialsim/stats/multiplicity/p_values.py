"""P values as arrays, refused where they are none."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.errors import UsageError

_MOST_SHOWN = 5


def p_values(given: ArrayLike) -> NDArray[np.float64]:
    """Return p values as an array ``[..., hypothesis]``.

    Raises
    ------
    UsageError
        Where there is no axis of hypotheses, or a value that is no p value, such as one that is missing: what is to be
        done about a hypothesis that could not be tested is the user's to say (1 keeps it from being rejected).
    """
    try:
        found = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError("p values are numbers, as many in every row.") from None
    if found.ndim == 0 or found.shape[-1] == 0:
        raise UsageError(
            f"p values have shape {found.shape}; the last axis holds the hypotheses, one at least."
        )
    wrong = found[~((found >= 0.0) & (found <= 1.0))]
    if len(wrong):
        more = f" and {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
        shown = ", ".join(f"{value:g}" for value in wrong[:_MOST_SHOWN]) + more
        raise UsageError(
            f"p values lie from 0 to 1, found {shown}; for a hypothesis that could not be tested give 1, or leave it out."
        )
    return found
