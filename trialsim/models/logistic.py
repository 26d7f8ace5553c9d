"""Logistic regression as a ranking model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.models.checkpoint import Checkpointed, require_extra
from trialsim.models.features import Encoding, Floats, learn_encoding


class LogisticModel(Checkpointed):
    """Log odds that are linear in standardised covariates, with indicators of what is missing.

    Parameters
    ----------
    encoding
        How covariates become features.
    weights
        Intercept, then a coefficient for each feature.
    """

    name = "logistic"
    reference = "Cox, JRSS B 20, 1958, 215-242; fitted by scikit-learn"

    def __init__(self, encoding: Encoding, weights: Floats) -> None:
        self.encoding, self._weights = encoding, np.asarray(weights, dtype=np.float64)

    def log_odds(self, values: Floats) -> Floats:
        """Return the log odds of each candidate, each summed in the same order, ``[candidate]``."""
        x = self.encoding.linear(values)
        out = np.empty(len(x))
        _weighted_sums(x, self._weights, out)
        return out

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a file holds."""
        return {"weights": self._weights}

    @classmethod
    def from_arrays(cls, encoding: Encoding, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that a file holds."""
        return cls(encoding, arrays["weights"])

    @classmethod
    def unfitted(
        cls, values: Floats, names: tuple[str, ...], levels: Mapping[str, tuple[str, ...]]
    ) -> LogisticModel:
        """Return a model whose coefficients are all 0, on the scale of some candidates' covariates.

        Parameters
        ----------
        values, names, levels
            As in :func:`~trialsim.models.features.learn_encoding`.
        """
        encoding = learn_encoding(values, names, levels)
        return cls(encoding, np.zeros(1 + encoding.linear(values[:1]).shape[1]))

    @classmethod
    def fit(
        cls,
        train: tuple[Floats, NDArray[np.bool_]],
        validation: tuple[Floats, NDArray[np.bool_]],
        names: tuple[str, ...],
        levels: Mapping[str, tuple[str, ...]],
        options: Mapping[str, Any],
        seed: int,
    ) -> tuple[LogisticModel, list[dict[str, float]]]:
        """Return the model of a screening log; see :func:`trialsim.learning.training.train`."""
        try:
            from sklearn.linear_model import LogisticRegression
        except ImportError as error:
            raise require_extra("training", error) from None
        values, label = train
        encoding = learn_encoding(values, names, levels)
        fitted = LogisticRegression(C=1.0 / options["l2"], max_iter=2000, tol=1e-8)
        fitted.fit(encoding.linear(values), label)
        return cls(encoding, np.concatenate([fitted.intercept_, fitted.coef_[0]])), []


@kernel
def _weighted_sums(x, weights, out):  # type: ignore[no-untyped-def]
    """Fill the intercept plus the weighted sum of each row."""
    for i in range(x.shape[0]):
        total = weights[0]
        for k in range(x.shape[1]):
            total += weights[k + 1] * x[i, k]
        out[i] = total
