"""What the records of candidates hold at first contact, which is not all that is true of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.draws import Purpose, name_address, uniforms_at
from trialsim.elementary import standard_normals
from trialsim.operations.sites import SITE_BITS
from trialsim.scenario.screening import Records

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class RecordsLaw:
    """What goes wrong between a candidate and the record.

    Parameters
    ----------
    missing
        Column and address of each covariate that may be missing, and the probability that it is.
    site_sd
        Column and address of each covariate that sites measure differently, and the standard deviation of what a site adds.
    """

    missing: tuple[tuple[int, int, float], ...] = ()
    site_sd: tuple[tuple[int, int, float], ...] = ()


def records_law(stated: Records | None, columns: tuple[str, ...]) -> RecordsLaw:
    """Return the law that a scenario states."""
    if stated is None:
        return RecordsLaw()
    missing, site_sd = (
        tuple((columns.index(name), name_address(name), value) for name, value in part.items())
        for part in (stated.missing, stated.site_sd)
    )
    return RecordsLaw(missing, site_sd)


def as_recorded(law: RecordsLaw, seed: int, replicates: Ints, keys: Ints, covariates: Floats) -> Floats:
    """Return covariates as the site's records hold them; the array that is given is changed."""
    u = np.empty(len(keys))
    for column, address, sd in law.site_sd:
        uniforms_at(seed, replicates, keys >> SITE_BITS, int(Purpose.RECORDS_OF_SITE), address, u)
        added = np.empty(len(keys))
        standard_normals(u, added)
        covariates[:, column] += sd * added
    for column, address, probability in law.missing:
        uniforms_at(seed, replicates, keys, int(Purpose.RECORD), address, u)
        covariates[u < probability, column] = np.nan
    return covariates
