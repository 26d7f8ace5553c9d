"""From an effect and its variance to estimates with a status: what every two-sample analysis ends with."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Estimates, Floats, Status

_OK = int(Status.OK)


def estimates(
    effect: Floats, se: Floats, z: Floats, information: Floats, failures: list[tuple[Status, object]]
) -> Estimates:
    """Return estimates in which a failed replicate has a status and no number.

    Parameters
    ----------
    effect, se, z, information
        As in :class:`~trialsim.contracts.Estimates`, possibly not finite where a failure is named.
    failures
        Statuses with the boolean array of replicates they hold for; the first that holds is kept.

    Returns
    -------
    Estimates
        NaN where the status is not OK, 0 for the information there.
    """
    status = np.zeros(len(effect), dtype=np.int8)
    some = False
    for code, holds in failures:
        here = np.asarray(holds, dtype=bool)
        if here.any():
            some = True
            status[(status == _OK) & here] = code
    if not some:
        return Estimates(effect, se, z, information, status)
    good = status == _OK
    return Estimates(
        np.where(good, effect, np.nan),
        np.where(good, se, np.nan),
        np.where(good, z, np.nan),
        np.where(good, information, 0.0),
        status,
    )
