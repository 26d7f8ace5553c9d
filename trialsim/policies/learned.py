"""Rankings by a model that was fitted to past screening logs and is kept in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trialsim import registry
from trialsim.contracts import CandidateView, Ints, Memory
from trialsim.policies.scores import on_grid


class _Learned:
    """What the learned rankings share: a model of one kind, loaded from a file that a digest pins.

    Parameters
    ----------
    checkpoint
        The file that ``trialsim train`` wrote.
    digest
        SHA-256 of its bytes.
    """

    kind = ""
    decides_on = "candidate"
    as_they_come = False

    def __init__(self, checkpoint: str, digest: str | None = None) -> None:
        self._model: Any = registry.get("models", self.kind).load(Path(checkpoint), digest)

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the log odds of being randomised, once called, on a fine grid."""
        columns = self._model.encoding.columns_in(view.names, view.levels)
        return on_grid(self._model.log_odds(view.covariates[:, columns])), memory


class Logistic(_Learned):
    """Call those first whom a logistic regression thinks likeliest to be randomised."""

    name = "logistic"
    kind = "logistic"
    reference = "logistic regression on past screening logs"


class GradientBoosting(_Learned):
    """Call those first whom gradient-boosted trees think likeliest to be randomised."""

    name = "gradient_boosting"
    kind = "gradient_boosting"
    reference = "gradient-boosted trees on past screening logs"


class Mlp(_Learned):
    """Call those first whom a multilayer perceptron thinks likeliest to be randomised."""

    name = "mlp"
    kind = "mlp"
    reference = "multilayer perceptron on past screening logs"
