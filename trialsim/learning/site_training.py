"""Training a choice of sites by policy gradient: sets of sites in simulated trials, the same patients for every set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.contracts import Floats, Ints, Memory, SiteDecision, SiteView
from trialsim.draws import Purpose, word
from trialsim.engines.fast_sites import Recruitment, Window
from trialsim.engines.plan import Plan, build_plan
from trialsim.errors import UsageError
from trialsim.learning.screening_log import FIRST_REPLICATE
from trialsim.learning.unfinished import SAVE_EVERY, Curve, keep, restore
from trialsim.models.checkpoint import write_checkpoint
from trialsim.models.dense import arrays_of, new_network, repeatable, torch_module, training_device
from trialsim.models.site_network import SiteNetwork, feature_names, site_features
from trialsim.oc.subgroup_shares import distance
from trialsim.replicate_ranges import POOL
from trialsim.scenario.load import load_scenario, patient_table
from trialsim.timegrid import DAYS_PER_YEAR, TICKS_PER_DAY

if TYPE_CHECKING:
    import torch

    from trialsim.learning.request import TrainingRequest

_TICKS_PER_MONTH = DAYS_PER_YEAR / 12.0 * TICKS_PER_DAY
_AT_ONCE = 256
_TRIALS_FOR_THE_POOL = 256
_POOL_FIRST = POOL.start


@dataclass(frozen=True)
class TrainedSites:
    """A trained choice of sites.

    Parameters
    ----------
    model
        The network.
    curve
        By iteration: mean months to the last patient in, distance of the enrolled from the eligible pool, value.
    about
        What the checkpoint says of it.
    """

    model: SiteNetwork
    curve: Curve
    about: Mapping[str, Any]

    def write(self, path: Path) -> str:
        """Write the checkpoint and return its digest; see :func:`trialsim.models.checkpoint.write_checkpoint`."""
        return write_checkpoint(path, self.model.arrays(), self.about)


def train_sites(
    request: TrainingRequest, unfinished: Path, say: Callable[[str], None] = lambda text: None
) -> TrainedSites:
    """Return the choice of sites that a request asks for.

    Scores make a Plackett-Luce law of rankings (Plackett, Appl. Stat. 24, 1975, 193-202; Luce 1959): sites are drawn one
    after the other in proportion to the exponential of their scores, by adding Gumbel noise to them. The gradient is that
    of REINFORCE (Williams, Machine Learning 8, 1992, 229-256). Several sets are drawn for each trial, and what a set is
    worth is compared with the mean of the other sets of the same trial, whose candidates are the same (Kool, van Hoof and
    Welling 2019). A set is worth minus its months to the last patient in, and minus ``diversity_weight`` times half the sum
    of the absolute differences between the shares of the enrolled and those of the eligible at all sites.

    Parameters
    ----------
    request
        What to train, in which world.
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
    plan, about = _world(request)
    torch, options, levels = torch_module(), request.options, plan.world.subgroup_levels
    seed = int(word(request.seed, FIRST_REPLICATE, 0, int(Purpose.SAMPLER), 12)) >> 1
    generator = torch.Generator().manual_seed(seed)
    window = Window(plan)
    with repeatable(about["device"]):
        actor = new_network([len(feature_names(levels)), *options["hidden"], 1], generator).to(
            about["device"]
        )
        with torch.no_grad():  # all sets begin nearly alike
            list(actor.parameters())[-2].mul_(0.1)
        optimiser = torch.optim.Adam(actor.parameters(), lr=options["learning_rate"], foreach=False)
        curve = restore(unfinished, about, {"actor": actor}, optimiser)
        pool = _eligible_pool(plan, window)
        for iteration in range(len(curve), options["iterations"]):
            generator.manual_seed(seed ^ (iteration + 1))
            # No two iterations share a patient, and no run reaches these replicates.
            first = FIRST_REPLICATE + iteration * options["trials"]
            found = _improve(plan, window, actor, optimiser, generator, first, pool, options)
            curve.append({"iteration": iteration + 1.0, **found})
            if (iteration + 1) % SAVE_EVERY == 0 and iteration + 1 < options["iterations"]:
                keep(unfinished, about, curve, {"actor": actor}, optimiser)
                say(
                    f"iteration {iteration + 1}: {found['months']:.2f} months, {found['distance']:.3f} from the pool"
                )
        arrays = arrays_of(list(actor.parameters()))
    unfinished.unlink(missing_ok=True)
    return TrainedSites(SiteNetwork(arrays, levels), curve, about)


def _world(request: TrainingRequest) -> tuple[Plan, dict[str, Any]]:
    """Return the plan to learn in, and what the checkpoint will say."""
    scenario = load_scenario(request.scenario)
    (design,) = scenario.select_designs([request.design or next(iter(scenario.designs))])
    (truth,) = scenario.select_truths([request.truth or next(iter(scenario.truths))])
    plan = build_plan(scenario, design, truth, request.seed, 1, patient_table(scenario))
    at = f"{scenario.name}, {design}"
    if plan.site_policy is None or plan.site_policy.open_sites is None:
        raise UsageError(
            f"{at}: every site opens, so that there is nothing to choose; give the design a policy for sites, as "
            "sites: {gamma_poisson: {open: 10}}: the network takes its place"
        )
    assert plan.world.sites is not None
    if plan.site_policy.open_sites >= plan.world.sites.count:
        raise UsageError(
            f"{at}: all {plan.world.sites.count} sites are opened, so that there is nothing to choose; open fewer"
        )
    if request.options["diversity_weight"] > 0.0 and not plan.world.subgroup_levels:
        raise UsageError(
            f"{at}: diversity_weight weighs who gets in, and no subgroup is reported; add screening: {{subgroup: ...}}"
        )
    about = {
        "kind": SiteNetwork.name,
        "features": list(feature_names(plan.world.subgroup_levels)),
        "levels": list(plan.world.subgroup_levels),
        "scenario": scenario.name,
        "scenario_digest": scenario.digest(),
        "design": design,
        "truth": truth,
        "seed": request.seed,
        "device": training_device(request.device),
        "options": request.recorded_options(),
    }
    return plan, about


class _Explorer:
    """A policy that adds Gumbel noise to a network's scores, and keeps what it saw and chose."""

    name, reference, decides_on = "explorer", "Plackett 1975; Luce 1959", "site"

    def __init__(self, actor: torch.nn.Sequential, generator: torch.Generator, open_sites: int) -> None:
        self.open_sites: int | None = open_sites
        self._actor, self._generator = actor, generator
        self.features: list[Floats] = []
        self.chosen: list[Ints] = []

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Return scores with noise: their order is a draw from the Plackett-Luce law."""
        torch = torch_module()
        features = site_features(view)
        uniform = torch.rand(features.shape[:2], generator=self._generator, dtype=torch.float64)
        with torch.no_grad():
            scores = _scores(self._actor, features).cpu()
            noisy: Floats = (scores - torch.log(-torch.log(uniform.clamp(1e-12, 1.0 - 1e-12)))).numpy()
        self.features.append(features)
        self.chosen.append(np.argsort(-noisy, axis=1, kind="stable")[:, : self.open_sites])
        return SiteDecision(score=noisy), memory


def _improve(
    plan: Plan,
    window: Window,
    actor: torch.nn.Sequential,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    first: int,
    pool: Floats,
    options: Mapping[str, Any],
) -> dict[str, float]:
    """Draw sets of sites for some trials, take a step, and return how the trials went."""
    torch, samples = torch_module(), options["samples"]
    assert plan.site_policy is not None and plan.site_policy.open_sites is not None
    explorer = _Explorer(actor, generator, plan.site_policy.open_sites)
    trials = np.repeat(np.arange(first, first + options["trials"]), samples)
    months, shares = recruit(replace(plan, site_policy=explorer), window, trials)
    apart = distance(shares, pool)
    value = (-months - options["diversity_weight"] * apart).reshape(-1, samples)
    others = (value.sum(axis=1, keepdims=True) - value) / (samples - 1)
    beyond = (value - others).ravel()
    beyond = torch.from_numpy(beyond / max(float(beyond.std()), 1e-9))
    scores = _scores(actor, np.concatenate(explorer.features))
    log_chance = _log_chance(scores, torch.from_numpy(np.concatenate(explorer.chosen)).to(scores.device))
    loss = -(beyond.to(scores.device) * log_chance).mean()
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(actor.parameters(), 1.0)
    optimiser.step()
    return {
        "months": float(months.mean()),
        "distance": float(apart.mean()),
        "value": float(value.mean()),
    }


def _scores(actor: torch.nn.Sequential, features: Floats) -> torch.Tensor:
    """Return the scores of sites, ``[replicate, site]``, where the network is."""
    where = next(actor.parameters()).device
    found: torch.Tensor = actor(torch_module().from_numpy(features).to(where))[..., 0]
    return found


def _log_chance(scores: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return the log probability that sites are drawn in an order, under the Plackett-Luce law of their scores."""
    import torch

    total, left = torch.zeros_like(scores[:, 0]), torch.ones_like(scores, dtype=torch.bool)
    for step in range(chosen.shape[1]):
        here = chosen[:, step : step + 1]
        open_scores = torch.where(left, scores, torch.full_like(scores, -torch.inf))
        total = total + scores.gather(1, here)[:, 0] - torch.logsumexp(open_scores, dim=1)
        left = left.scatter(1, here, False)
    return total


def recruit(plan: Plan, window: Window, trials: Ints) -> tuple[Floats, Floats]:
    """Return months to the last patient in, and the shares of the enrolled by level, of some trials."""
    months, shares = [], []
    for first in range(0, len(trials), _AT_ONCE):
        chunk = Recruitment(plan, trials[first : first + _AT_ONCE], window)
        ends = np.minimum(chunk.closing, plan.horizon)
        months.append(ends / _TICKS_PER_MONTH)
        enrolled = chunk.tallies(ends).subgroups[:, :, 2].astype(np.float64)
        shares.append(enrolled / np.maximum(enrolled.sum(axis=1, keepdims=True), 1.0))
    return np.concatenate(months), np.concatenate(shares)


def _eligible_pool(plan: Plan, window: Window) -> Floats:
    """Return the shares of the eligible by level where every site opens, over trials that nothing else uses."""
    if not plan.world.subgroup_levels:
        return np.zeros(0)
    chunk = Recruitment(
        replace(plan, site_policy=None), np.arange(_POOL_FIRST, _POOL_FIRST + _TRIALS_FOR_THE_POOL), window
    )
    eligible = chunk.tallies(np.minimum(chunk.closing, plan.horizon)).subgroups[:, :, 1].sum(axis=0)
    return np.asarray(eligible / max(int(eligible.sum()), 1), dtype=np.float64)
