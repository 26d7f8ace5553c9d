"""Whether a model holds its data so that they can be exchanged: what is built into it stays that of the first data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import UsageError

_ALIKE = 1.0 - 1e-9


def refuse_fixed_data(name: str, model: Any, data: Mapping[str, NDArray[Any]]) -> None:
    """Refuse a model in which patients' arrays stand as they are, and not as ``pm.Data``.

    A model is compiled once, and each later data set takes the place of the first in what is ``pm.Data``. An array that
    stands in it otherwise, or a multiple of one, would silently be that of the first patients ever after.

    Parameters
    ----------
    name
        Of the analysis.
    model
        The PyMC model.
    data
        The arrays it was built from, by name.

    Raises
    ------
    UsageError
        With what to do.
    """
    held = set(model.data_vars)
    for variable in model.observed_RVs:
        value = model.rvs_to_values[variable]
        # A single number observed is a device of the model, as of the zeros trick.
        if np.size(getattr(value, "data", (0, 0))) > 1 and held.isdisjoint(_above([value])):
            raise UsageError(
                f"{name}: what was observed of {variable.name!r} is built into the model, so that every look would be "
                f"that of the first; hold it as pm.Data under the name it was given"
            )
    roots = [*model.basic_RVs, *model.potentials, *model.deterministics, *model.rvs_to_values.values()]
    for node in _above(roots):
        fixed = getattr(node, "data", None)
        if node in held or not isinstance(fixed, np.ndarray):
            continue
        for of, array in data.items():
            if any(_follows(column, fixed) for column in np.atleast_2d(np.asarray(array, float).T)):
                raise UsageError(
                    f"{name}: {of!r} is built into the model, so that every look would be that of the first; hold it as "
                    f"pm.Data({of!r}, data[{of!r}])"
                )


def _above(variables: Iterable[Any]) -> set[Any]:
    """Return variables of a model's graph and all that they are computed from."""
    found: set[Any] = set()
    waiting = list(variables)
    while waiting:
        variable = waiting.pop()
        if variable not in found:
            found.add(variable)
            waiting += [] if variable.owner is None else variable.owner.inputs
    return found


def _follows(column: NDArray[np.float64], fixed: NDArray[Any]) -> bool:
    """Return whether a constant of a model is a linear function of a column of data, that is not the same throughout."""
    if fixed.size != column.size or column.size < 3 or fixed.dtype.kind not in "biuf":
        return False
    both = np.stack([column, fixed.astype(float).ravel()])
    if not np.isfinite(both).all() or (np.ptp(both, axis=1) == 0.0).any():
        return False
    return bool(abs(np.corrcoef(both)[0, 1]) > _ALIKE)
