"""Training that stops and goes on: networks and their optimiser in a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.errors import UsageError
from trialsim.models.checkpoint import read_checkpoint, write_checkpoint
from trialsim.models.dense import torch_module

if TYPE_CHECKING:
    import torch

Curve = list[dict[str, float]]
SAVE_EVERY = 20
"""Iterations between two times at which training is kept."""


def keep(
    path: Path,
    about: Mapping[str, Any],
    curve: Curve,
    networks: Mapping[str, torch.nn.Module],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write all that training needs to go on.

    Parameters
    ----------
    path
        The file; what it held is replaced at once.
    about
        What is trained: another request does not go on with it.
    curve
        How it went, by iteration.
    networks
        By name.
    optimiser
        Adam over all their parameters.
    """
    arrays = {}
    for name, network in networks.items():
        for k, each in enumerate(network.parameters()):
            arrays[f"{name}_{k}"] = each.detach().cpu().numpy()
            state = optimiser.state[each]
            arrays[f"{name}_{k}_mean"] = state["exp_avg"].cpu().numpy()
            arrays[f"{name}_{k}_square"] = state["exp_avg_sq"].cpu().numpy()
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    write_checkpoint(fresh, arrays, {"kind": "unfinished", "of": dict(about), "curve": curve})
    fresh.replace(path)


def restore(
    path: Path,
    about: Mapping[str, Any],
    networks: Mapping[str, torch.nn.Module],
    optimiser: torch.optim.Optimizer,
) -> Curve:
    """Take up what was kept, and return the curve so far; an empty one where nothing was.

    Parameters
    ----------
    path, about, networks, optimiser
        As in :func:`keep`.

    Raises
    ------
    UsageError
        If the file is of another request, or cannot be read.
    """
    if not path.exists():
        return []
    torch = torch_module()
    try:
        arrays, kept, _ = read_checkpoint(path, None)
    except UsageError as error:
        raise UsageError(
            f"the state of a training that was cut off, {path}, cannot be taken up: {error}; remove it, and training "
            "begins anew"
        ) from None
    if kept.get("kind") != "unfinished" or kept["of"] != dict(about):
        raise UsageError(
            f"{path} is the unfinished training of another request; remove it or train elsewhere"
        )
    done = len(kept["curve"])
    for name, network in networks.items():
        for k, each in enumerate(network.parameters()):
            with torch.no_grad():
                each.copy_(torch.from_numpy(arrays[f"{name}_{k}"]))
            optimiser.state[each] = {
                "step": torch.tensor(float(done)),
                "exp_avg": torch.from_numpy(arrays[f"{name}_{k}_mean"].copy()).to(each.device),
                "exp_avg_sq": torch.from_numpy(arrays[f"{name}_{k}_square"].copy()).to(each.device),
            }
    return list(kept["curve"])
