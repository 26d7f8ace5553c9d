"""Training a ranking on a screening log, simulated or supplied, and what it is worth at sites that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trialsim import registry
from trialsim.draws import Purpose, word
from trialsim.engines.plan import Plan, build_plan
from trialsim.errors import UsageError
from trialsim.learning.request import NETWORKS, TrainingRequest
from trialsim.learning.screening_log import (
    FIRST_REPLICATE,
    TEST,
    TRAIN,
    VALIDATION,
    ScreeningLog,
    screening_log,
    split_by_site,
)
from trialsim.learning.supplied_log import read_log
from trialsim.models.checkpoint import write_checkpoint
from trialsim.models.dense import training_device
from trialsim.models.quality import area_under_curve, brier_score, log_loss
from trialsim.scenario.load import load_scenario, patient_table
from trialsim.scenario.schema import Scenario


@dataclass(frozen=True)
class Trained:
    """A fitted model.

    Parameters
    ----------
    model
        The model.
    quality
        By part of the log (``train``, ``validation``, ``test``): candidates, sites, share of positives, area under
        the curve, log loss and Brier score.
    curve
        Losses as training went on; empty where nothing goes on.
    about
        What the checkpoint says of it.
    """

    model: Any
    quality: Mapping[str, Mapping[str, float]]
    curve: list[dict[str, float]]
    about: Mapping[str, Any]

    def write(self, path: Path) -> str:
        """Write the checkpoint and return its digest; see :func:`trialsim.models.checkpoint.write_checkpoint`."""
        return write_checkpoint(path, self.model.arrays(), self.about)


def train(request: TrainingRequest) -> Trained:
    """Return the model that a request asks for.

    The log is supplied, or comes from replicates that no run simulates. The model is fitted to the training part; the
    number of trees or of epochs is chosen on the validation part; the test part only judges.

    Parameters
    ----------
    request
        What to train, in which world.

    Raises
    ------
    ScenarioError, UsageError
        If the scenario cannot be used, or its log teaches nothing.
    """
    scenario = load_scenario(request.scenario)
    (design,) = scenario.select_designs([request.design or next(iter(scenario.designs))])
    (truth,) = scenario.select_truths([request.truth or next(iter(scenario.truths))])
    plan = build_plan(scenario, design, truth, request.seed, 1, patient_table(scenario))
    source = plan.world.source
    names = source.columns[: source.covariate_count]
    if not names:
        raise UsageError(f"{scenario.name} has no covariates: there is nothing to rank candidates by")
    log, origin = _log(request, scenario, plan)
    part = split_by_site(log, request.seed)
    halves = [(log.values[part == each], log.label[part == each]) for each in (TRAIN, VALIDATION)]
    if any(label.all() or not label.any() for _, label in halves):
        raise UsageError("all candidates of the log had the same end: there is nothing to tell apart")
    seed = int(word(request.seed, FIRST_REPLICATE, 0, int(Purpose.SAMPLER), 10)) >> 1
    device = training_device(request.device) if request.policy in NETWORKS else "cpu"
    model, curve = registry.get("models", request.policy).fit(
        halves[0], halves[1], names, source.categories, dict(request.options, device=device), seed
    )
    quality = {
        name: _quality(model, log, part == each)
        for name, each in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))
    }
    about = {
        "kind": request.policy,
        "encoding": model.encoding.to_plain(),
        "scenario": scenario.name,
        "scenario_digest": scenario.digest(),
        "design": design,
        "truth": truth,
        "label": request.label,
        "seed": request.seed,
        **origin,
        "options": request.recorded_options(),
        "device": device,
        "quality": quality,
    }
    return Trained(model, quality, curve, about)


def _log(request: TrainingRequest, scenario: Scenario, plan: Plan) -> tuple[ScreeningLog, dict[str, Any]]:
    """Return the log to learn from, and what the checkpoint says of where it is from.

    Who trained a score never tests it: neither rows that trials resample, nor those of the log as such a table.
    """
    table, source = scenario.table, plan.world.source
    if request.log is None:
        if source.finite:
            raise UsageError(
                f"{scenario.name} resamples {len(source.rows)} patients: a log of simulated trials holds the very patients "
                "who are in the trials that follow. Supply a log of others (log: screenings.csv), or state marginals"
            )
        log = screening_log(plan, request.replicates, request.label)
        return log, {"replicates": [FIRST_REPLICATE, FIRST_REPLICATE + request.replicates]}
    names = source.columns[: source.covariate_count]
    log, digest, unused = read_log(request.log, names, source.categories, request.label)
    if table is not None and table.digest == digest:
        raise UsageError(
            f"{request.log.name} holds the patients whom the trials resample: take a log of others"
        )
    about: dict[str, Any] = {"file": request.log.name, "digest": digest}
    return log, {"log": about | ({"unused": unused} if unused else {})}


def _quality(model: Any, log: ScreeningLog, here: np.ndarray) -> dict[str, float]:
    """Return how a model does on a part of a log."""
    odds, label = model.log_odds(log.values[here]), log.label[here]
    return {
        "candidates": float(here.sum()),
        "sites": float(len(np.unique(log.site[here]))),
        "positive": float(label.mean()),
        "auc": area_under_curve(odds, label),
        "log_loss": log_loss(odds, label),
        "brier": brier_score(odds, label),
    }
