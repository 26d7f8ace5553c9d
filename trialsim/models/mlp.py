"""A multilayer perceptron in torch, which answers the same to the last bit whoever else is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.models.checkpoint import Checkpointed
from trialsim.models.dense import DenseLayers, arrays_of, new_network, repeatable, torch_module
from trialsim.models.features import Encoding, Floats, learn_encoding

if TYPE_CHECKING:
    import torch


class MlpModel(Checkpointed):
    """Dense layers with one output, the log odds.

    Parameters
    ----------
    encoding
        How covariates become features.
    arrays
        ``weight_0``, ``bias_0`` and so on.
    """

    name = "mlp"
    reference = "Rumelhart, Hinton and Williams, Nature 323, 1986, 533-536"

    def __init__(self, encoding: Encoding, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.encoding = encoding
        self._layers = DenseLayers(arrays)

    def log_odds(self, values: Floats) -> Floats:
        """Return the log odds of each candidate, ``[candidate]``."""
        return self._layers.rows(self.encoding.linear(values))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what a file holds."""
        return self._layers.arrays()

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
    ) -> tuple[MlpModel, list[dict[str, float]]]:
        """Return the network that was best on the validation part, and its learning curve.

        Adam (Kingma and Ba, 2015) with decoupled weight decay on the mean log loss; in one thread, initial weights and the
        order of candidates from a generator seeded once: the same log gives the same network on the same machine.
        ``options["device"]`` says where.
        """
        torch, encoding, device = torch_module(), learn_encoding(train[0], names, levels), options["device"]
        (x, y), held = (
            tuple(
                torch.from_numpy(each).to(device)
                for each in (encoding.linear(part[0]), part[1].astype(np.float64))
            )
            for part in (train, validation)
        )
        generator = torch.Generator().manual_seed(seed)
        with repeatable(device):
            network = new_network([x.shape[1], *options["hidden"], 1], generator).to(device)
            best, curve = _descend(network, (x, y), held, options, generator)
        return cls(encoding, arrays_of(best)), curve


def _descend(
    network: torch.nn.Sequential,
    train: tuple[torch.Tensor, torch.Tensor],
    held: tuple[torch.Tensor, torch.Tensor],
    options: Mapping[str, Any],
    generator: torch.Generator,
) -> tuple[list[torch.Tensor], list[dict[str, float]]]:
    """Return the weights of the best epoch on what is held out, and losses by epoch."""
    import torch

    loss_of = torch.nn.BCEWithLogitsLoss()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=options["learning_rate"], weight_decay=options["l2"], foreach=False
    )
    x, y = train
    best: list[torch.Tensor] = []
    lowest, since, curve = float("inf"), 0, []
    for epoch in range(options["epochs"]):
        order = torch.randperm(len(x), generator=generator).to(x.device)
        total = 0.0
        for first in range(0, len(x), options["batch"]):
            rows = order[first : first + options["batch"]]
            optimiser.zero_grad()
            loss = loss_of(network(x[rows])[:, 0], y[rows])
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(rows)
        with torch.no_grad():
            now = float(loss_of(network(held[0])[:, 0], held[1]))
        curve.append({"epoch": epoch + 1.0, "loss": total / len(x), "validation_loss": now})
        since += 1
        if now < lowest:
            lowest, since = now, 0
            best = [each.detach().clone() for each in network.parameters()]
        if since >= options["patience"]:
            break
    return best, curve
