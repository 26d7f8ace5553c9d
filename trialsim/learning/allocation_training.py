"""Training an allocation rule by policy gradient, in the runner, and stopping and going on without a trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.draws import Purpose, word
from trialsim.engines.plan import Plan, build_plan
from trialsim.errors import UsageError
from trialsim.learning.env import AllocationEnvironment
from trialsim.learning.screening_log import FIRST_REPLICATE
from trialsim.learning.unfinished import SAVE_EVERY, keep, restore
from trialsim.models.allocation_network import FEATURES, AllocationNetwork, arm_features, shares
from trialsim.models.checkpoint import write_checkpoint
from trialsim.models.dense import Floats, arrays_of, new_network, repeatable, torch_module, training_device
from trialsim.scenario.load import load_scenario, patient_table

if TYPE_CHECKING:
    import torch

    from trialsim.learning.request import TrainingRequest

_Halt = tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]
"""Features, open arms and trials at a change of allocation."""


@dataclass(frozen=True)
class TrainedAllocation:
    """A trained allocation rule.

    Parameters
    ----------
    model
        The network.
    curve
        By iteration: mean responders, share of trials that reject, mean value.
    about
        What the checkpoint says of it.
    """

    model: AllocationNetwork
    curve: list[dict[str, float]]
    about: Mapping[str, Any]

    def write(self, path: Path) -> str:
        """Write the checkpoint and return its digest; see :func:`trialsim.models.checkpoint.write_checkpoint`."""
        return write_checkpoint(path, self.model.arrays(), self.about)


def train_allocation(
    request: TrainingRequest, unfinished: Path, say: Callable[[str], None] = lambda text: None
) -> TrainedAllocation:
    """Return the allocation rule that a request asks for.

    REINFORCE with a learned baseline (Williams, Machine Learning 8, 1992, 229-256). That patients are given arms by chance
    is itself what explores, so the gradient is that of the log probability of the counts by arm between two changes of
    allocation, times how much better the trial ended than the baseline foretold. The value of a trial is its responders
    + ``power_weight`` times whether it rejects. Every truth that the request names is a world of equal weight.

    Parameters
    ----------
    request
        What to train, in which worlds.
    unfinished
        Where training is kept every few iterations; what lies there of the same request is gone on with, to the same
        result as without the interruption.
    say
        Told how it goes.

    Raises
    ------
    ScenarioError, UsageError
        If the scenario cannot be used.
    """
    plans, about = _worlds(request)
    torch, options = torch_module(), request.options
    seed = int(word(request.seed, FIRST_REPLICATE, 0, int(Purpose.SAMPLER), 11)) >> 1
    generator = torch.Generator().manual_seed(seed)
    arms = len(plans[0].arms)
    with repeatable(about["device"]):
        learner = _Learner(arms, options, generator, about["device"])
        curve = restore(unfinished, about, learner.networks, learner.optimiser)
        environment = AllocationEnvironment(plans, max(1, options["trials"] // len(plans)))
        for iteration in range(len(curve), options["iterations"]):
            # No two iterations share a patient, and no run reaches these replicates.
            first = FIRST_REPLICATE + iteration * environment.trials
            curve.append({"iteration": iteration + 1.0, **learner.improve(environment, first)})
            if (iteration + 1) % SAVE_EVERY == 0 and iteration + 1 < options["iterations"]:
                keep(unfinished, about, curve, learner.networks, learner.optimiser)
                last = curve[-1]
                say(
                    f"iteration {iteration + 1}: {last['responders']:.2f} responders, {last['rejected']:.3f} reject"
                )
        arrays = arrays_of(list(learner.actor.parameters()))
    unfinished.unlink(missing_ok=True)
    return TrainedAllocation(AllocationNetwork(arrays, float(options["minimum"])), curve, about)


def _worlds(request: TrainingRequest) -> tuple[list[Plan], dict[str, Any]]:
    """Return a plan for each truth, and what the checkpoint will say."""
    scenario = load_scenario(request.scenario)
    (design,) = scenario.select_designs([request.design or next(iter(scenario.designs))])
    truths = scenario.select_truths(None if request.truth is None else [request.truth])
    table = patient_table(scenario)
    plans = [build_plan(scenario, design, truth, request.seed, 1, table) for truth in truths]
    if not plans[0].randomisation.adaptive:
        raise UsageError(
            f"{scenario.name}, {design}: allocation never changes, so there is nothing to learn; give the design a "
            "randomisation policy that adapts, as thompson: the network takes its place"
        )
    if plans[0].response_endpoint < 0 or plans[0].world.outcomes[plans[0].response_endpoint].kind != "binary":
        raise UsageError(
            f"{scenario.name}, {design}: allocation is learned from a binary endpoint; its tests have none"
        )
    about = {
        "kind": AllocationNetwork.name,
        "features": list(FEATURES),
        "scenario": scenario.name,
        "scenario_digest": scenario.digest(),
        "design": design,
        "truths": list(truths),
        "seed": request.seed,
        "device": training_device(request.device),
        "options": request.recorded_options(),
    }
    return plans, about


class _Learner:
    """The network that allocates, the one that foretells the value, and their optimiser."""

    def __init__(
        self, arms: int, options: Mapping[str, Any], generator: torch.Generator, device: str
    ) -> None:
        torch = torch_module()
        self._options, self._device = options, device
        self.actor = new_network([len(FEATURES), *options["hidden"], 1], generator).to(device)
        self.critic = new_network([arms * len(FEATURES), *options["hidden"], 1], generator).to(device)
        with torch.no_grad():  # allocation begins near equal shares
            list(self.actor.parameters())[-2].mul_(0.1)
        self.optimiser = torch.optim.Adam(
            [*self.actor.parameters(), *self.critic.parameters()], lr=options["learning_rate"], foreach=False
        )

    def improve(self, environment: AllocationEnvironment, first: int) -> dict[str, float]:
        """Run trials, take a step, and return how they went."""
        halts, counts = self._run(environment, first)
        outcome = environment.outcome()
        value = outcome.responders + self._options["power_weight"] * outcome.rejected
        torch = torch_module()
        features = self._here(np.concatenate([each[0] for each in halts]))
        open_arms = self._here(np.concatenate([each[1] for each in halts]))
        reached = self._here(np.concatenate([value[each[2]] for each in halts]))
        placed = self._here(np.concatenate(counts).astype(np.float64))
        centre, spread = reached.mean(), reached.std().clamp_min(1e-9)
        foretold = self.critic(features.flatten(1))[:, 0]
        aim = (reached - centre) / spread
        beyond = (aim - foretold).detach()
        weights = _torch_shares(self.actor(features)[..., 0], open_arms, float(self._options["minimum"]))
        log_chance = (placed * torch.log(weights.clamp_min(1e-12))).sum(dim=1)
        loss = -(beyond * log_chance).mean() + 0.5 * ((aim - foretold) ** 2).mean()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.actor.parameters(), 1.0)
        self.optimiser.step()
        return {
            "responders": float(outcome.responders.mean()),
            "rejected": float(outcome.rejected.mean()),
            "value": float(value.mean()),
        }

    def _here(self, array: NDArray[Any]) -> torch.Tensor:
        """Return a tensor where the networks are."""
        tensor: torch.Tensor = torch_module().from_numpy(array).to(self._device)
        return tensor

    def _run(
        self, environment: AllocationEnvironment, first: int
    ) -> tuple[list[_Halt], list[NDArray[np.int64]]]:
        """Run trials to their ends; return features, open arms and trials at each halt, and who came after it by arm."""
        torch = torch_module()
        least, arms = float(self._options["minimum"]), len(environment.plans[0].arms)
        halts: list[_Halt] = []
        counts: list[NDArray[np.int64]] = []
        before = np.zeros((len(environment.plans) * environment.trials, arms), dtype=np.int64)
        place = np.full(len(before), -1)
        halt = environment.reset(first)
        while halt is not None:
            for k in np.unique(place[halt.trial]):
                if k >= 0:
                    self._count(counts, halts, int(k), halt.trial, place, halt.view.arm_enrolled, before)
            features = arm_features(halt.view)
            with torch.no_grad():
                scores = self.actor(self._here(features))[..., 0].cpu().numpy()
            halts.append((features, halt.view.open_arms.copy(), halt.trial))
            counts.append(np.zeros((len(halt.trial), arms), dtype=np.int64))
            before[halt.trial], place[halt.trial] = halt.view.arm_enrolled, len(halts) - 1
            halt = environment.step(shares(scores, halt.view.open_arms, least))
        enrolled, everybody = environment.outcome().arm_enrolled, np.arange(len(before))
        for k in np.unique(place[place >= 0]):
            self._count(counts, halts, int(k), everybody, place, enrolled, before)
        return halts, counts

    @staticmethod
    def _count(
        counts: list[NDArray[np.int64]],
        halts: list[_Halt],
        k: int,
        trials: NDArray[np.int64],
        place: NDArray[np.int64],
        enrolled: NDArray[np.int64],
        before: NDArray[np.int64],
    ) -> None:
        """Enter who came after halt ``k`` in those of some trials whose last halt it was."""
        here = place[trials] == k
        rows = np.searchsorted(halts[k][2], trials[here])
        counts[k][rows] = enrolled[here] - before[trials[here]]

    @property
    def networks(self) -> dict[str, torch.nn.Sequential]:
        """What is kept of a training that is not finished."""
        return {"actor": self.actor, "critic": self.critic}


def _torch_shares(scores: torch.Tensor, open_arms: torch.Tensor, least: float) -> torch.Tensor:
    """Return what :func:`trialsim.models.allocation_network.shares` does, in torch, to be differentiated."""
    import torch

    masked = torch.where(open_arms, scores, torch.full_like(scores, -torch.inf))
    count = open_arms.sum(dim=1, keepdim=True).clamp_min(1)
    kept = torch.minimum(torch.full_like(scores[:, :1], least), 1.0 / count)
    return open_arms * kept + (1.0 - count * kept) * torch.softmax(masked, dim=1)
