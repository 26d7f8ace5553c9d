"""A network that scores the arms of a trial, one at a time by the same weights; allocation is a softmax of the scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import AllocationView
from trialsim.models.checkpoint import read_kind
from trialsim.models.dense import DenseLayers, Floats

FEATURES = (
    "estimated rate of good outcomes", "its standard error", "distance from the best other open arm, in standard errors",
    "distance from control, in standard errors", "share of patients beyond an equal one",
    "patients enrolled, of the maximum", "patients read out, of the maximum", "control",
)  # fmt: skip
"""What the network is told about each arm."""

_FARTHEST = 6.0
_SCALE = 3.0


def arm_features(view: AllocationView) -> Floats:
    """Return what the network is told, ``[replicate, arm, feature]``; see :data:`FEATURES`.

    Rates are estimated as (good + 1/2) / (read out + 1), their variance as rate (1 - rate) / (read out + 2). Every feature
    of a trial is a function of that trial's counts alone.
    """
    n, open_arms = view.arm_readouts.astype(np.float64), view.open_arms
    good = n - view.arm_total if view.lower_is_better else view.arm_total
    rate = (good + 0.5) / (n + 1.0)
    variance = rate * (1.0 - rate) / (n + 2.0)
    arms, most = n.shape[1], float(max(view.n_max, 1))
    beyond = np.zeros_like(rate)
    for k in range(arms):
        others = np.where(open_arms, rate, -1.0)
        others[:, k] = -1.0
        best = others.argmax(axis=1)
        of_best = np.take_along_axis(rate, best[:, None], axis=1)[:, 0]
        with_it = np.take_along_axis(variance, best[:, None], axis=1)[:, 0]
        beyond[:, k] = np.where(
            others.max(axis=1) >= 0.0, (rate[:, k] - of_best) / np.sqrt(variance[:, k] + with_it), 0.0
        )
    from_control = (rate - rate[:, :1]) / np.sqrt(variance + variance[:, :1])
    from_control[:, 0] = 0.0
    come = view.arm_enrolled.sum(axis=1, keepdims=True)
    share = view.arm_enrolled / np.maximum(come, 1) - open_arms / np.maximum(
        open_arms.sum(axis=1, keepdims=True), 1
    )
    control = np.zeros_like(rate)
    control[:, 0] = 1.0
    whole = np.ones((1, arms))
    columns = (
        rate,
        10.0 * np.sqrt(variance),
        np.clip(beyond, -_FARTHEST, _FARTHEST) / _SCALE,
        np.clip(from_control, -_FARTHEST, _FARTHEST) / _SCALE,
        share,
        come / most * whole,
        n.sum(axis=1, keepdims=True) / most * whole,
        control,
    )
    return np.stack(columns, axis=2)


def shares(scores: Floats, open_arms: NDArray[np.bool_], least: float) -> Floats:
    """Return allocation probabilities: a softmax over open arms, mixed with equal shares so that none is below ``least``.

    Parameters
    ----------
    scores
        ``[replicate, arm]``.
    open_arms
        Arms open to allocation, ``[replicate, arm]``.
    least
        Smallest probability of an open arm; of K open arms at most 1 / K.
    """
    high = np.where(open_arms, scores, -np.inf).max(axis=1, keepdims=True)
    raised = np.where(open_arms, np.exp(np.where(open_arms, scores - high, 0.0)), 0.0)
    count = np.maximum(open_arms.sum(axis=1, keepdims=True), 1)
    kept = np.minimum(least, 1.0 / count)
    return np.asarray(open_arms * kept + (1.0 - count * kept) * raised / raised.sum(axis=1, keepdims=True))


class AllocationNetwork:
    """Scores of arms by dense layers, and the smallest share of an arm.

    Parameters
    ----------
    arrays
        ``weight_0``, ``bias_0`` and so on.
    least
        Smallest allocation probability of an open arm.
    """

    name = "allocation"
    reference = "policy gradient: Williams, Machine Learning 8, 1992, 229-256"

    def __init__(self, arrays: Mapping[str, NDArray[Any]], least: float) -> None:
        self._layers, self._least = DenseLayers(arrays), least

    def weights(self, view: AllocationView) -> Floats:
        """Return the allocation probabilities of each trial, ``[replicate, arm]``."""
        return shares(self._layers.items(arm_features(view)), view.open_arms, self._least)

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
        return cls(arrays, float(about["options"]["minimum"]))
