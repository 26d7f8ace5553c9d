"""Gradient-boosted trees of scikit-learn, kept as plain arrays that give the same numbers to the last bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.models.checkpoint import Checkpointed, require_extra
from trialsim.models.features import Encoding, Floats, learn_encoding
from trialsim.models.quality import log_loss


class GradientBoostingModel(Checkpointed):
    """A sum of regression trees on the log odds (Friedman, Ann Stat 29, 2001, 1189-1232), missing values included.

    Parameters
    ----------
    encoding
        How covariates become features.
    arrays
        ``baseline``; ``first``, the node at which each tree begins; and of each node ``feature`` (-1 in a leaf),
        ``threshold``, ``missing_left``, ``left``, ``right`` and ``value``.
    """

    name = "gradient_boosting"
    reference = "Friedman 2001, HistGradientBoostingClassifier of scikit-learn"

    def __init__(self, encoding: Encoding, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.encoding, self._arrays = encoding, dict(arrays)

    def log_odds(self, values: Floats) -> Floats:
        """Return the log odds of each candidate, the trees added in their order, ``[candidate]``."""
        x = self.encoding.trees(values)
        out = np.empty(len(x))
        a = self._arrays
        _add_trees(
            x, float(a["baseline"][0]), a["first"], a["feature"], a["threshold"], a["missing_left"], a["left"],
            a["right"], a["value"], out,
        )  # fmt: skip
        return out

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a file holds."""
        return dict(self._arrays)

    @classmethod
    def from_arrays(cls, encoding: Encoding, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that a file holds."""
        return cls(encoding, arrays)

    @classmethod
    def fit(
        cls,
        train: tuple[Floats, NDArray[np.bool_]],
        validation: tuple[Floats, NDArray[np.bool_]],
        names: tuple[str, ...],
        levels: Mapping[str, tuple[str, ...]],
        options: Mapping[str, Any],
        seed: int,
    ) -> tuple[GradientBoostingModel, list[dict[str, float]]]:
        """Return the model of a screening log, cut off at the number of trees that is best on the validation part."""
        try:
            from sklearn.ensemble import HistGradientBoostingClassifier
            from threadpoolctl import threadpool_limits
        except ImportError as error:
            raise require_extra("training", error) from None
        encoding = learn_encoding(train[0], names, levels)
        fitted = HistGradientBoostingClassifier(
            learning_rate=options["learning_rate"],
            max_iter=options["trees"],
            max_leaf_nodes=options["leaves"],
            l2_regularization=options["l2"],
            early_stopping=False,
            random_state=seed % (1 << 32),
        )
        with threadpool_limits(1):
            fitted.fit(encoding.trees(train[0]), train[1])
            curve = [
                {"trees": k + 1.0, "validation_loss": log_loss(np.ravel(odds), validation[1])}
                for k, odds in enumerate(fitted.staged_decision_function(encoding.trees(validation[0])))
            ]
        best = 1 + int(np.argmin([step["validation_loss"] for step in curve]))
        return cls(encoding, arrays_of(fitted, best)), curve


def arrays_of(fitted: Any, trees: int) -> dict[str, NDArray[Any]]:
    """Return the first trees of a fitted ``HistGradientBoostingClassifier`` of two classes as plain arrays."""
    nodes = [stage[0].nodes for stage in fitted._predictors[:trees]]
    first = np.cumsum([0] + [len(each) for each in nodes])[:-1].astype(np.int64)
    whole = np.concatenate(nodes)
    shift = np.repeat(first, [len(each) for each in nodes])
    leaf = whole["is_leaf"].astype(bool)
    return {
        "baseline": np.asarray(fitted._baseline_prediction, dtype=np.float64).ravel(),
        "first": first,
        "feature": np.where(leaf, -1, whole["feature_idx"].astype(np.int64)),
        "threshold": whole["num_threshold"].astype(np.float64),
        "missing_left": whole["missing_go_to_left"].astype(np.uint8),
        "left": whole["left"].astype(np.int64) + shift,
        "right": whole["right"].astype(np.int64) + shift,
        "value": whole["value"].astype(np.float64),
    }


@kernel
def _add_trees(x, baseline, first, feature, threshold, missing_left, left, right, value, out):  # type: ignore[no-untyped-def]
    """Fill the baseline plus, tree after tree, the value of the leaf that each row falls into."""
    for i in range(x.shape[0]):
        total = baseline
        for t in range(len(first)):
            node = first[t]
            while feature[node] >= 0:
                at = x[i, feature[node]]
                goes_left = missing_left[node] != 0 if np.isnan(at) else at <= threshold[node]
                node = left[node] if goes_left else right[node]
            total += value[node]
        out[i] = total
