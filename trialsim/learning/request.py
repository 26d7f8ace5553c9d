"""What ``trialsim train`` is asked for: a model, the world it learns in, and how it is fitted or trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialsim.errors import Problem, ScenarioError
from trialsim.learning.screening_log import LABELS
from trialsim.replicate_ranges import TRAINING
from trialsim.scenario.reading import parse_yaml, read_text
from trialsim.scenario.resolve import inside
from trialsim.scenario.wording import listed, shown, unknown

_Limits = tuple[float, float, float, bool]
_SEED: dict[str, _Limits] = {"seed": (1, 0, (1 << 63) - 1, True)}
_LOG: dict[str, _Limits] = {"replicates": (100, 1, 100_000, True)}
OPTIONS: dict[str, dict[str, _Limits]] = {
    "logistic": {"l2": (1e-3, 1e-9, 1e9, False)},
    "gradient_boosting": {
        "trees": (200, 1, 5000, True), "leaves": (15, 2, 1024, True), "learning_rate": (0.1, 1e-4, 1.0, False),
        "l2": (1.0, 0.0, 1e9, False),
    },
    "mlp": {
        "epochs": (40, 1, 10_000, True), "batch": (512, 1, 1 << 20, True), "patience": (6, 1, 10_000, True),
        "learning_rate": (3e-3, 1e-7, 1.0, False), "l2": (1e-3, 0.0, 1e3, False),
    },
}  # fmt: skip
"""Default, least and most of each option of a ranking, and whether it is a whole number."""

NETWORKS = ("mlp",)
"""Rankings that torch trains."""

ALLOCATION = "allocation"
ALLOCATION_OPTIONS: dict[str, _Limits] = {
    "power_weight": (40.0, 0.0, 1e6, False), "minimum": (0.1, 0.0, 0.5, False),
    "iterations": (200, 1, 100_000, True), "trials": (2000, 1, 1_000_000, True), "learning_rate": (1e-2, 1e-7, 1.0, False),
}  # fmt: skip
"""The same of an allocation rule: ``power_weight`` is how many responders a rejection is worth."""

SITES = "sites"
SITE_OPTIONS: dict[str, _Limits] = {
    "diversity_weight": (0.0, 0.0, 1e6, False), "iterations": (150, 1, 100_000, True), "trials": (64, 1, 100_000, True),
    "samples": (4, 2, 64, True), "learning_rate": (1e-2, 1e-7, 1.0, False),
}  # fmt: skip
"""The same of a choice of sites: ``diversity_weight`` is what a distance of 1 from the eligible is worth in months."""

STOPPING = "stopping"
STOPPING_OPTIONS: dict[str, _Limits] = {
    "power": (0.9, 0.5, 0.999, False), "largest": (1.1, 1.001, 3.0, False),
    "iterations": (1500, 1, 100_000, True), "paths": (2000, 2, 1_000_000, True), "learning_rate": (5e-3, 1e-7, 1.0, False),
}  # fmt: skip
"""The same of a stopping rule: ``largest`` is its largest size over that of the fixed test of the same errors."""

_IN_TRIALS: dict[str, tuple[dict[str, _Limits], tuple[int, ...]]] = {
    ALLOCATION: (ALLOCATION_OPTIONS, (16, 16)),
    SITES: (SITE_OPTIONS, (16, 16)),
    STOPPING: (STOPPING_OPTIONS, (32, 32)),
}
"""Options and usual hidden layers of the policies that learn in simulated trials, not from a log."""

_HIDDEN = (32, 16)
_WIDEST = 1024


@dataclass(frozen=True)
class TrainingRequest:
    """One model to train.

    Parameters
    ----------
    policy
        Kind of model.
    scenario
        The file of the world.
    design, truth
        Which of its designs (whose recruitment policy makes the log) and truths. None for the first; for an allocation
        rule no truth means all.
    label
        What a ranking learns.
    replicates
        Trials in the simulated log of a ranking.
    seed
        Of the trials, the split and the fit.
    options
        Of the fit.
    device
        Where a network is trained: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.
    log
        The file of a supplied log, in place of a simulated one.
    """

    policy: str
    scenario: Path
    design: str | None
    truth: str | None
    label: str
    replicates: int
    seed: int
    options: Mapping[str, Any]
    device: str = "auto"
    log: Path | None = None

    def recorded_options(self) -> dict[str, Any]:
        """Return the options as a checkpoint records them: lists for tuples."""
        return {key: list(each) if isinstance(each, tuple) else each for key, each in self.options.items()}


def read_request(path: Path) -> TrainingRequest:
    """Return what a training file asks for.

    Parameters
    ----------
    path
        YAML; ``policy`` and ``scenario`` are required, the scenario lies beside the file.

    Raises
    ------
    ScenarioError
        With every problem of the file.
    """
    tree = parse_yaml(read_text(path, "training"), str(path))
    if not isinstance(tree, dict):
        raise ScenarioError([Problem("", "a mapping with policy and scenario is expected")], str(path))
    problems: list[Problem] = []
    policy = tree.get("policy")
    if policy not in (*OPTIONS, *_IN_TRIALS):
        problems.append(Problem("policy", f"{shown(policy)} is not one of {listed([*OPTIONS, *_IN_TRIALS])}"))
        policy = "mlp"
    in_trials = policy in _IN_TRIALS
    own, layers = _IN_TRIALS[policy] if in_trials else (_LOG | OPTIONS[policy], _HIDDEN)
    options = _SEED | own
    has_layers = in_trials or policy in NETWORKS
    allowed = [
        "policy",
        "scenario",
        "design",
        "truth",
        *([] if in_trials else ["label", "log"]),
        *options,
        *(["hidden"] if has_layers else []),
    ]
    problems += [Problem(str(key), unknown("the key", key, allowed)) for key in tree if key not in allowed]
    numbers = {key: _number(key, tree, limits, problems) for key, limits in options.items()}
    for key in ("design", "truth"):
        if tree.get(key) is not None and not isinstance(tree[key], str):
            problems.append(Problem(key, f"a name is expected, found {shown(tree[key])}"))
    label = tree.get("label", LABELS[0])
    if label not in LABELS:
        problems.append(Problem("label", f"{shown(label)} is not one of {listed(LABELS)}"))
    hidden = _hidden(tree, problems, layers) if has_layers else None
    scenario = Path()
    if "scenario" not in tree:
        problems.append(Problem("scenario", "is required: the file of the world to learn in"))
    else:
        try:
            scenario = inside(path.parent, tree["scenario"], "scenario")
        except ScenarioError as error:
            problems += error.problems
    log = None
    if "log" in tree and not in_trials:
        for key in ("replicates", "design", "truth"):
            if key in tree:
                problems.append(Problem(key, "is of simulated logs; leave it out beside log"))
        try:
            log = inside(path.parent, tree["log"], "log")
        except ScenarioError as error:
            problems += error.problems
    in_all, most = int(numbers.get("iterations", 0) * numbers.get("trials", 0)), len(TRAINING)
    if in_all > most:
        problems.append(
            Problem("iterations", f"with so many trials each they take {in_all:,}; at most {most:,}")
        )
    if problems:
        raise ScenarioError(problems, str(path))
    replicates, seed = int(numbers.pop("replicates", 0)), int(numbers.pop("seed"))
    fit: dict[str, Any] = dict(numbers) | ({} if hidden is None else {"hidden": hidden})
    return TrainingRequest(
        policy, scenario, tree.get("design"), tree.get("truth"), label, replicates, seed, fit, log=log
    )


def _number(key: str, tree: Mapping[str, Any], limits: _Limits, problems: list[Problem]) -> float:
    """Return an option's number, or its default and a problem."""
    default, least, most, whole = limits
    value = tree.get(key, default)
    right = isinstance(value, int) or (isinstance(value, float) and not whole and math.isfinite(value))
    if isinstance(value, bool) or not right or not least <= value <= most:
        kind = "a whole number" if whole else "a number"
        span = f"{least:,} to {most:,}" if whole else f"{least:g} to {most:g}"
        problems.append(Problem(key, f"{shown(value)} is not {kind} from {span}"))
        return default
    return int(value) if whole else float(value)


def _hidden(tree: Mapping[str, Any], problems: list[Problem], default: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes of the hidden layers."""
    value = tree.get("hidden", list(default))
    if (
        not isinstance(value, list)
        or not 1 <= len(value) <= 5
        or not all(
            isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= _WIDEST for size in value
        )
    ):
        problems.append(Problem("hidden", f"a list of 1 to 5 whole numbers from 1 to {_WIDEST} is expected"))
        return default
    return tuple(value)
