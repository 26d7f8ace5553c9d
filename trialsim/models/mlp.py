"""A multilayer perceptron in torch, which answers the same to the last bit whoever else is asked about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.models.checkpoint import Checkpointed, require_extra
from trialsim.models.features import Encoding, Floats, learn_encoding

if TYPE_CHECKING:
    import torch

_BLOCK = 512


def _torch() -> Any:
    """Return torch, which takes seconds to load and is wanted only by those who ask for a network."""
    try:
        import torch
    except ImportError as error:
        raise require_extra("a multilayer perceptron", error) from None
    return torch


def _zeros(shape: tuple[int, int]) -> torch.Tensor:
    """Return zeros in float64, where torch aligns them."""
    import torch

    return torch.zeros(shape, dtype=torch.float64)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in one thread, so that no sum is divided in one way here and another way there."""
    torch = _torch()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class MlpModel(Checkpointed):
    """Layers of rectified linear units, one output: the log odds; in float64.

    Rows are computed in blocks of fixed shape, the last filled up with zeros, always in the same memory: matrix products of
    other shapes, or at other alignments, may differ in the last bit.

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
        self._arrays = {name: np.asarray(x, dtype=np.float64) for name, x in arrays.items()}

    @cached_property
    def _layers(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        torch = _torch()
        count = len(self._arrays) // 2
        parts = ((self._arrays[f"weight_{k}"].T, self._arrays[f"bias_{k}"]) for k in range(count))
        return [(torch.tensor(np.array(w)).contiguous(), torch.tensor(np.array(b))) for w, b in parts]

    @cached_property
    def _block(self) -> torch.Tensor:
        return _zeros((_BLOCK, self._layers[0][0].shape[0]))

    @cached_property
    def _between(self) -> list[torch.Tensor]:
        return [_zeros((_BLOCK, w.shape[1])) for w, _ in self._layers]

    def log_odds(self, values: Floats) -> Floats:
        """Return the log odds of each candidate, ``[candidate]``."""
        x = self.encoding.linear(values)
        out = np.empty(len(x))
        block = self._block.numpy()
        torch = _torch()
        with _one_thread(), torch.inference_mode():
            for first in range(0, len(x), _BLOCK):
                rows = min(_BLOCK, len(x) - first)
                block[:rows] = x[first : first + rows]
                block[rows:] = 0.0
                out[first : first + rows] = self._forward().numpy()[:rows, 0]
        return out

    def _forward(self) -> torch.Tensor:
        """Return the output for the block in hand."""
        torch = _torch()
        at = self._block
        for k, (weight, bias) in enumerate(self._layers):
            torch.addmm(bias, at, weight, out=self._between[k])
            at = self._between[k]
            if k + 1 < len(self._layers):
                at.relu_()
        return at

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
    ) -> tuple[MlpModel, list[dict[str, float]]]:
        """Return the network that was best on the validation part, and its learning curve.

        Adam (Kingma and Ba, 2015) with decoupled weight decay on the mean log loss; in one thread, initial weights and the
        order of candidates from a generator seeded once: the same log gives the same network on the same machine.
        """
        torch, encoding = _torch(), learn_encoding(train[0], names, levels)
        x, y = torch.from_numpy(encoding.linear(train[0])), torch.from_numpy(train[1].astype(np.float64))
        x_held, y_held = (
            torch.from_numpy(encoding.linear(validation[0])),
            torch.from_numpy(validation[1].astype(np.float64)),
        )
        generator = torch.Generator().manual_seed(seed)
        with _one_thread():
            network = _network([x.shape[1], *options["hidden"], 1], generator)
            best, curve = _descend(network, (x, y), (x_held, y_held), options, generator)
        arrays = {}
        for k in range(len(best) // 2):
            arrays[f"weight_{k}"], arrays[f"bias_{k}"] = best[2 * k].numpy(), best[2 * k + 1].numpy()
        return cls(encoding, arrays), curve


def _network(sizes: list[int], generator: torch.Generator) -> torch.nn.Sequential:
    """Return layers with He's initial weights (He et al., ICCV 2015)."""
    import torch

    parts: list[torch.nn.Module] = []
    for k, (before, after) in enumerate(itertools.pairwise(sizes)):
        layer = torch.nn.Linear(before, after, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.normal_(0.0, (2.0 / before) ** 0.5, generator=generator)
            layer.bias.zero_()
        parts += [layer] if k + 2 == len(sizes) else [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts)


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
        order = torch.randperm(len(x), generator=generator)
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
