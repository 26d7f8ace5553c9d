"""Dense layers in torch that answer the same to the last bit whoever else is asked about, and their initial weights."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import UsageError
from trialsim.models.checkpoint import require_extra

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]
_BLOCK = 512

DEVICES = ("auto", "cpu", "cuda")
"""Where a network can be trained; ``auto`` is a GPU where there is one. Decisions are always computed on the CPU."""


def torch_module() -> Any:
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
def one_thread() -> Iterator[None]:
    """Compute in one thread, so that no sum is divided in one way here and another way there."""
    torch = torch_module()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_device(name: str) -> None:
    """Refuse a name that is none of :data:`DEVICES`, with a UsageError."""
    if name not in DEVICES:
        raise UsageError(f"there is no device {name!r}; allowed: {', '.join(DEVICES)}")


def training_device(wanted: str) -> str:
    """Return where to train, ``cpu`` or ``cuda``.

    Parameters
    ----------
    wanted
        One of :data:`DEVICES`.

    Raises
    ------
    UsageError
        If it is none of them, or a GPU is wanted and torch sees none.
    """
    check_device(wanted)
    there = wanted != "cpu" and bool(torch_module().cuda.is_available())
    if wanted == "cuda" and not there:
        raise UsageError("torch sees no GPU here; train with --device cpu, or auto")
    return "cuda" if there else "cpu"


@contextmanager
def repeatable(device: str) -> Iterator[None]:
    """Train so that the same request gives the same bits again on the same machine: one thread, on a GPU fixed sums."""
    if device == "cpu":
        with one_thread():
            yield
        return
    torch = torch_module()
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # without it, its products may change from run to run
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with one_thread():
            yield
    finally:
        torch.use_deterministic_algorithms(before)


class DenseLayers:
    """Layers of rectified linear units, the last one linear; in float64.

    Rows are computed in blocks of fixed shape, the last filled up with zeros, always in the same memory: matrix products of
    other shapes, or at other alignments, may differ in the last bit.

    Parameters
    ----------
    arrays
        ``weight_0`` (``[output, input]``), ``bias_0`` and so on.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = {name: np.asarray(x, dtype=np.float64) for name, x in arrays.items()}

    @cached_property
    def _layers(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        torch = torch_module()
        count = len(self._arrays) // 2
        parts = ((self._arrays[f"weight_{k}"].T, self._arrays[f"bias_{k}"]) for k in range(count))
        return [(torch.tensor(np.array(w)).contiguous(), torch.tensor(np.array(b))) for w, b in parts]

    @cached_property
    def _block(self) -> torch.Tensor:
        return _zeros((_BLOCK, self._layers[0][0].shape[0]))

    @cached_property
    def _between(self) -> list[torch.Tensor]:
        return [_zeros((_BLOCK, w.shape[1])) for w, _ in self._layers]

    def rows(self, x: Floats) -> Floats:
        """Return the first output of each row of ``[row, input]``."""
        out = np.empty(len(x))
        block = self._block.numpy()
        torch = torch_module()
        with one_thread(), torch.inference_mode():
            for first in range(0, len(x), _BLOCK):
                rows = min(_BLOCK, len(x) - first)
                block[:rows] = x[first : first + rows]
                block[rows:] = 0.0
                out[first : first + rows] = self._forward().numpy()[:rows, 0]
        return out

    def items(self, features: Floats) -> Floats:
        """Return the first output of each item, ``[replicate, item]``, from ``[replicate, item, feature]``."""
        return self.rows(features.reshape(-1, features.shape[2])).reshape(features.shape[:2])

    def _forward(self) -> torch.Tensor:
        """Return the output for the block in hand."""
        torch = torch_module()
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


def new_network(sizes: Sequence[int], generator: torch.Generator) -> torch.nn.Sequential:
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


def arrays_of(parameters: Sequence[torch.Tensor]) -> dict[str, NDArray[Any]]:
    """Return a network's weights under the names that a file gives them."""
    arrays = {}
    for k in range(len(parameters) // 2):
        arrays[f"weight_{k}"] = parameters[2 * k].detach().cpu().numpy()
        arrays[f"bias_{k}"] = parameters[2 * k + 1].detach().cpu().numpy()
    return arrays
