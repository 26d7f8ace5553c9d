"""A network that scores sites one at a time by the same weights, whatever is missing of what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import SiteView
from trialsim.errors import UsageError
from trialsim.models.checkpoint import read_kind
from trialsim.models.dense import DenseLayers, Floats

_ABOUT_RATES = (
    "a record", "log of its rate over the mean of all records", "log of its candidates, with one more",
    "a promise", "log of it over the geometric mean of all promises",
)  # fmt: skip


def feature_names(levels: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the network is told about each site.

    Parameters
    ----------
    levels
        Of the subgroup that the scenario reports.
    """
    return (*_ABOUT_RATES, *(f"share of {level} on record beyond that of all records" for level in levels))


def site_features(view: SiteView) -> Floats:
    """Return what the network is told, ``[replicate, site, feature]``; see :func:`feature_names`.

    What is not known is 0, and an indicator says so. Shares on record are shrunk to those of all records together, by as
    much as twenty candidates weigh. Every feature of a trial is a function of that trial's view alone.
    """
    known = np.broadcast_to(view.history_days > 0.0, view.promised.shape)
    days = np.where(known, view.history_days, 1.0)
    found = view.history_patients.astype(np.float64)
    total = np.where(known, found, 0.0).sum(axis=1, keepdims=True)
    mean = (total + 0.5) / np.maximum(view.history_days.sum(), 1.0)
    # Half a candidate more than the mean rate expects of a day's record keeps the logarithm finite.
    rate = np.where(known, np.log((found + 0.5) / (days + 0.5 / mean)) - np.log(mean), 0.0)
    asked = ~np.isnan(view.promised) & (view.promised > 0.0)
    log_promise = np.log(np.where(asked, view.promised, 1.0))
    centre = log_promise.sum(axis=1, keepdims=True) / np.maximum(asked.sum(axis=1, keepdims=True), 1)
    columns = [
        known.astype(np.float64),
        rate,
        np.where(known, 0.25 * np.log1p(found), 0.0),
        asked.astype(np.float64),
        np.where(asked, log_promise - centre, 0.0),
    ]
    if view.levels:
        by_level = view.history_levels.astype(np.float64)
        pool = (by_level.sum(axis=1, keepdims=True) + 0.5) / (
            by_level.sum(axis=(1, 2), keepdims=True) + 0.5 * len(view.levels)
        )
        shrunk = (by_level + 20.0 * pool) / (by_level.sum(axis=2, keepdims=True) + 20.0)
        columns += [4.0 * (shrunk - pool)[:, :, level] for level in range(len(view.levels))]
    return np.stack(columns, axis=2)


class SiteNetwork:
    """Scores of sites by dense layers.

    Parameters
    ----------
    arrays
        ``weight_0``, ``bias_0`` and so on.
    levels
        Of the subgroup that the network was trained with.
    """

    name = "sites"
    reference = "Plackett 1975; Luce 1959; policy gradient: Williams 1992"

    def __init__(self, arrays: Mapping[str, NDArray[Any]], levels: tuple[str, ...]) -> None:
        self._layers, self._levels = DenseLayers(arrays), levels

    def scores(self, view: SiteView) -> Floats:
        """Return the score of each site, ``[replicate, site]``.

        Raises
        ------
        UsageError
            If the scenario reports another subgroup than the one that the network knows.
        """
        if view.levels != self._levels:
            own, there = (", ".join(each) or "none" for each in (self._levels, view.levels))
            raise UsageError(
                f"the policy for sites was trained with a subgroup of the levels {own}; the scenario has {there}"
            )
        return self._layers.items(site_features(view))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a file holds."""
        return self._layers.arrays()

    @classmethod
    def load(cls, path: Path, digest: str | None) -> Self:
        """Return the network in a checkpoint.

        Parameters
        ----------
        path, digest
            As in :func:`trialsim.models.checkpoint.read_kind`, with its errors.
        """
        arrays, about = read_kind(path, digest, cls.name)
        return cls(arrays, tuple(about["levels"]))
