"""Training a stopping rule: a network says the bounds at any information, which are then frozen with exact errors.

While it trains, the policy acts by chance near its bounds. A path of the statistic does not depend on when a trial stops,
so that the expected cost of such a policy is known along every path, and so is its gradient: the policy gradient without
the noise of the actions. What is paid for is expected size, and both errors, at prices that rise while an error is too
large and fall while it is too small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import root
from scipy.special import ndtri

from trialsim.contracts import Floats
from trialsim.draws import Purpose, word
from trialsim.errors import UsageError
from trialsim.learning.screening_log import FIRST_REPLICATE
from trialsim.learning.unfinished import SAVE_EVERY, Curve, keep, restore
from trialsim.models.checkpoint import write_checkpoint
from trialsim.models.dense import arrays_of, new_network, one_thread, torch_module
from trialsim.stats.group_sequential.characteristics import characteristics

if TYPE_CHECKING:
    import torch

EFFECTS = (0.0, 0.5, 1.0)
"""In units of the alternative; expected sizes at these count alike."""

_PRICES = (2.5, 1.5)
_STEP_OF_PRICES = 0.05
_WIDEST, _NARROWEST = 0.3, 0.03
"""Within how much of a bound the policy acts by chance, at the beginning and at the end of training."""


@dataclass(frozen=True)
class StoppingTask:
    """What is learned.

    Parameters
    ----------
    rates
        Information at each look over the maximum, ascending to 1.
    alpha, power
        Error without an effect, and chance to reject under the alternative.
    inflation
        Maximum information over that of the fixed test.
    """

    rates: tuple[float, ...]
    alpha: float
    power: float
    inflation: float

    @property
    def drift(self) -> float:
        """Mean of the statistic at the last look under the alternative."""
        return float(ndtri(1.0 - self.alpha) + ndtri(self.power)) * math.sqrt(self.inflation)

    def expected(self, efficacy_z: Floats, futility_z: Floats) -> tuple[float, ...]:
        """Return the expected sizes over the fixed one at each effect, by recursive integration."""
        rates = np.asarray(self.rates)
        return tuple(
            self.inflation
            * characteristics(rates, futility_z, efficacy_z, each * self.drift, False).expected_rate
            for each in EFFECTS
        )


@dataclass(frozen=True)
class TrainedStopping:
    """A trained stopping rule, frozen.

    Parameters
    ----------
    efficacy_z, futility_z
        Bounds by look, shifted so that both errors are exactly those wanted.
    shifts
        By how much the network's own efficacy and futility bounds were moved.
    weights
        Of the network.
    curve
        By iteration: mean expected size over the fixed one, error, power.
    about
        What the checkpoint says of it.
    """

    efficacy_z: Floats
    futility_z: Floats
    shifts: tuple[float, float]
    weights: Mapping[str, Floats]
    curve: Curve
    about: Mapping[str, Any]

    def write(self, path: Path) -> str:
        """Write the checkpoint and return its digest; see :func:`trialsim.models.checkpoint.write_checkpoint`."""
        bounds = {"efficacy_z": self.efficacy_z, "futility_z": self.futility_z}
        return write_checkpoint(path, {**self.weights, **bounds}, self.about)


def train_stopping(
    task: StoppingTask,
    seed: int,
    iterations: int,
    paths: int,
    unfinished: Path,
    hidden: Sequence[int] = (32, 32),
    learning_rate: float = 5e-3,
    say: Callable[[str], None] = lambda text: None,
    recorded: Mapping[str, Any] | None = None,
) -> TrainedStopping:
    """Return a stopping rule that was learned from simulated paths and frozen as bounds.

    Parameters
    ----------
    task
        What is learned.
    seed
        Of weights and paths.
    iterations, paths
        Steps, and paths at each effect in each step.
    unfinished
        Where training is kept every few iterations; what lies there of the same request is gone on with, to the same
        result as without the interruption.
    hidden, learning_rate
        Of the network and of Adam; the rate falls to a tenth.
    say
        Told how it goes.
    recorded
        More that the checkpoint says: for which design it was trained.

    Raises
    ------
    UsageError
        If what was learned is so far off that no shift of its bounds has the errors wanted.
    """
    torch = torch_module()
    about = {
        "kind": "stopping",
        "rates": list(task.rates),
        "alpha": task.alpha,
        "power": task.power,
        "inflation": task.inflation,
        "seed": seed,
        "options": {
            "iterations": iterations,
            "paths": paths,
            "hidden": list(hidden),
            "learning_rate": learning_rate,
        },
        **(recorded or {}),
    }
    start = int(word(seed, FIRST_REPLICATE, 0, int(Purpose.SAMPLER), 13)) >> 1
    generator = torch.Generator().manual_seed(start)
    with one_thread():
        network = new_network([2, *hidden, 2], generator)
        with torch.no_grad():  # bounds begin nearly flat
            list(network.parameters())[-2].mul_(0.1)
        prices = _Prices()
        optimiser = torch.optim.Adam([*network.parameters()], lr=learning_rate, foreach=False)
        curve = restore(unfinished, about, {"network": network}, optimiser)
        if curve:
            prices.logs = (curve[-1]["log_price_error"], curve[-1]["log_price_miss"])
        for iteration in range(len(curve), iterations):
            generator.manual_seed(start ^ (iteration + 1))
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * 0.1 ** (iteration / iterations)
            width = _WIDEST * (_NARROWEST / _WIDEST) ** min(1.0, 2.0 * iteration / iterations)
            found = _step(task, network, optimiser, prices, generator, paths, width)
            curve.append({"iteration": iteration + 1.0, **found})
            if (iteration + 1) % SAVE_EVERY == 0 and iteration + 1 < iterations:
                keep(unfinished, about, curve, {"network": network}, optimiser)
                say(f"iteration {iteration + 1}: {found['size']:.4f} of the fixed size")
        efficacy, futility = (each.detach().numpy().copy() for each in _bounds_of(task, network))
        weights = arrays_of(list(network.parameters()))
    unfinished.unlink(missing_ok=True)
    efficacy_z, futility_z, shifts = calibrated(task, efficacy, futility)
    return TrainedStopping(efficacy_z, futility_z, shifts, weights, curve, about)


class _Prices:
    """Logarithms of what an error costs without an effect, and with one, in units of the maximum size."""

    def __init__(self) -> None:
        self.logs = _PRICES

    def adapt(self, task: StoppingTask, error: float, miss: float) -> None:
        """Raise the price of an error that is too large, lower that of one that is too small."""
        steps = (math.log(max(error, 1e-4) / task.alpha), math.log(max(miss, 1e-4) / (1.0 - task.power)))
        first, second = (
            min(max(log + _STEP_OF_PRICES * min(max(step, -1.0), 1.0), -2.0), 8.0)
            for log, step in zip(self.logs, steps, strict=True)
        )
        self.logs = (first, second)


def _bounds_of(task: StoppingTask, network: torch.nn.Sequential) -> tuple[torch.Tensor, torch.Tensor]:
    """Return efficacy and futility bounds by look, as the network says them of the information; at the end they meet."""
    import torch

    rate = torch.tensor(task.rates, dtype=torch.float64)
    found = network(torch.stack([2.0 * rate - 1.0, torch.log(rate)], dim=1))
    upper = 1.5 + torch.nn.functional.softplus(found[:, 0] + 1.0)
    room = torch.cat([torch.nn.functional.softplus(found[:-1, 1] + 2.0), torch.zeros(1, dtype=torch.float64)])
    return upper, upper - room


def _step(
    task: StoppingTask,
    network: torch.nn.Sequential,
    optimiser: torch.optim.Optimizer,
    prices: _Prices,
    generator: torch.Generator,
    paths: int,
    width: float,
) -> dict[str, float]:
    """Take a step, and return how the policy did that took it."""
    torch = torch_module()
    rates = torch.tensor(task.rates, dtype=torch.float64)
    steps = torch.diff(rates, prepend=torch.zeros(1, dtype=torch.float64))
    noise = torch.randn((paths // 2, len(task.rates)), generator=generator, dtype=torch.float64)
    # Each path and its mirror image, the same at every effect.
    motion = torch.cumsum(torch.cat([noise, -noise]) * torch.sqrt(steps), dim=1)
    upper, lower = _bounds_of(task, network)
    sizes, rejects = [], []
    for effect in EFFECTS:
        z = (motion + effect * task.drift * rates) / torch.sqrt(rates)
        rejecting = torch.sigmoid((z - upper) / width)
        going_on = (1.0 - rejecting) * torch.sigmoid((z - lower) / width)
        going_on = going_on * (torch.arange(len(rates)) < len(rates) - 1)
        goes_on = torch.cumprod(going_on, dim=1)
        reached = torch.cat([torch.ones_like(goes_on[:, :1]), goes_on[:, :-1]], dim=1)
        sizes.append((reached * (1.0 - going_on) * rates).sum(dim=1).mean())
        rejects.append((reached * rejecting).sum(dim=1).mean())
    size, error, miss = sum(sizes) / len(sizes), rejects[0], 1.0 - rejects[-1]
    price_error, price_miss = (math.exp(each) for each in prices.logs)
    loss = size + price_error * error + price_miss * miss
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    prices.adapt(task, float(error.detach()), float(miss.detach()))
    return {
        "size": task.inflation * float(size.detach()),
        "error": float(error.detach()),
        "power": 1.0 - float(miss.detach()),
        "log_price_error": prices.logs[0],
        "log_price_miss": prices.logs[1],
    }


def calibrated(
    task: StoppingTask, efficacy: Floats, futility: Floats
) -> tuple[Floats, Floats, tuple[float, float]]:
    """Return bounds moved so that both errors are exactly those wanted, and by how much.

    All efficacy bounds, the last one included, are moved alike, and so are all futility bounds before it.

    Parameters
    ----------
    task
        The errors and the looks.
    efficacy, futility
        Bounds by look.

    Raises
    ------
    UsageError
        If there are no such moves.
    """
    rates = np.asarray(task.rates)

    def moved(shifts: Floats) -> tuple[Floats, Floats]:
        upper = efficacy + shifts[0]
        lower = np.minimum(futility + shifts[1], upper)
        lower[-1] = upper[-1]
        return upper, lower

    def off(shifts: Floats) -> Floats:
        upper, lower = moved(shifts)
        error, reached = (characteristics(rates, lower, upper, at, False).power for at in (0.0, task.drift))
        return np.asarray([ndtri(error) - ndtri(task.alpha), ndtri(reached) - ndtri(task.power)])

    found = root(off, np.zeros(2), tol=1e-12)
    if not np.abs(found.fun).max() < 1e-8:
        raise UsageError(
            "what was learned is too far off: no shift of its bounds has both errors; train it longer"
        )
    upper, lower = moved(found.x)
    return upper, lower, (float(found.x[0]), float(found.x[1]))
