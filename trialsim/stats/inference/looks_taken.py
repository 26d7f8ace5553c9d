"""What compiled code relies on where it takes in looks: that arrays agree, and that a look is one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.errors import UsageError

Floats = NDArray[np.float64]


def check_looks(information: Floats, lower: Floats, upper: Floats, looks: ArrayLike) -> None:
    """Refuse arrays from which compiled code would read past the end.

    Parameters
    ----------
    information, lower, upper
        ``[..., look]``.
    looks
        Looks that were taken, from 0.

    Raises
    ------
    UsageError
        With what is expected.
    """
    n = information.shape[-1] if information.ndim else 0
    if n == 0 or any(each.shape[-1:] != (n,) for each in (lower, upper)):
        raise UsageError(
            f"Information and bounds have shapes {information.shape}, {lower.shape} and {upper.shape}; each holds one "
            "number for every look."
        )
    if not (np.diff(information, prepend=0.0, axis=-1) > 0.0).all() or not np.isfinite(information).all():
        raise UsageError("Information is a finite number that rises from look to look, from above 0.")
    taken = np.asarray(looks)
    if taken.dtype.kind not in "iu" or not ((taken >= 0) & (taken < n)).all():
        raise UsageError(f"A look is a whole number from 0 to {n - 1}.")
