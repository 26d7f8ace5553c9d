"""The benchmark of sites: which sites to open, by traditional rules and by a learned one, on the same candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trialsim import registry
from trialsim.contracts import Floats
from trialsim.engines.fast_sites import Window
from trialsim.engines.plan import build_plan
from trialsim.learning.request import SITE_OPTIONS, SITES, TrainingRequest
from trialsim.learning.site_training import TrainedSites, recruit, train_sites
from trialsim.oc.in_memory import Collected, collect
from trialsim.oc.rankings import Curve, Difference, Estimate, standard_error
from trialsim.oc.site_choices import Rival, SiteChoice
from trialsim.oc.subgroup_shares import distance
from trialsim.replicate_ranges import TUNING
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario

_WORLD = Path(__file__).resolve().parent / "worlds" / "sites.yaml"
_DESIGN, _ALL, _TRUTH = "chosen", "all_sites", "expected"
_OPEN = 10
_SHAPE = 1.2
_PRICES = (1.0, 2.0, 3.0, 5.0, 10.0)
_SHAPES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_TUNED_ON = TUNING.start
_DAYS_PER_MONTH = 365.25 / 12.0


@dataclass(frozen=True)
class Effort:
    """How much is done: diversity weights, iterations and trials of training, trials to tune on, trials to compare."""

    weights: tuple[float, ...]
    iterations: int
    trials: int
    tuning: int
    replicates: int


FULL = Effort((0.0, 20.0, 60.0), 150, 64, 256, 2000)
QUICK = Effort((20.0,), 20, 16, 32, 100)


@dataclass(frozen=True)
class SiteResult:
    """What was found.

    Parameters
    ----------
    choices
        Every choice, the first being the reference.
    rivals
        Each learned choice beside the best traditional one.
    shape
        Of the gamma distribution around promises, as tuned.
    curves, digests
        Of training and of the checkpoints, by label.
    """

    choices: list[SiteChoice]
    rivals: list[Rival]
    shape: float
    curves: Mapping[str, list[dict[str, float]]]
    digests: Mapping[str, str]


def benchmark_sites(
    effort: Effort, folder: Path, seed: int, workers: int, say: Callable[[str], None]
) -> SiteResult:
    """Train choices of sites, tune the traditional ones, and compare all in the same trials.

    Parameters
    ----------
    effort
        How much is done.
    folder
        Where checkpoints are written.
    seed, workers
        Seed of training and of the trials, and processes.
    say
        Told what is being done.
    """
    scenario = load_scenario(_WORLD)
    say(f"tuning how much promises are trusted, on {effort.tuning} trials")
    shape = _tuned_shape(scenario, seed, effort.tuning)
    trained: dict[str, TrainedSites] = {}
    digests: dict[str, str] = {}
    policies = _traditional(shape)
    for weight in effort.weights:
        label = f"learned_{weight:g}"
        say(
            f"training, a distance of 1 worth {weight:g} months: {effort.iterations} times {effort.trials} trials"
        )
        options: dict[str, Any] = {key: default for key, (default, *_) in SITE_OPTIONS.items()}
        options |= {"diversity_weight": weight, "iterations": effort.iterations, "trials": effort.trials}
        options |= {"hidden": (16, 16)}
        request = TrainingRequest(SITES, _WORLD, _DESIGN, _TRUTH, "", 0, seed, options)
        trained[label] = train_sites(request, folder / f"{label}.unfinished")
        digests[label] = trained[label].write(folder / f"{label}.safetensors")
        found = {"open": _OPEN, "checkpoint": f"{label}.safetensors", "digest": digests[label]}
        policies[label] = ("learned", "learned", found)
    say(f"{len(policies)} choices of sites, {effort.replicates:,} trials each")
    values, curves = _simulated(scenario, policies, folder, effort.replicates, seed, workers)
    first = values[next(iter(values))]
    choices = [
        SiteChoice(
            label,
            policies[label][0],
            tuple(_estimate(name, each) for name, each in own.items()),
            tuple(_difference(name, each - first[name]) for name, each in own.items()),
            curves[label],
        )
        for label, own in values.items()
    ]
    rivals = [_rival(values, policies, weight) for weight in effort.weights]
    return SiteResult(choices, rivals, shape, {label: each.curve for label, each in trained.items()}, digests)


def _traditional(shape: float) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return the choices that learn nothing and the controls: family, policy and parameters by label."""
    some = {"open": _OPEN}
    found: dict[str, tuple[str, str, dict[str, Any]]] = {
        "by_record": ("traditional", "historical_mean", some),
        "by_promise": ("traditional", "questionnaire", some),
        "by_posterior": ("traditional", "gamma_poisson", {**some, "shape": _SHAPE}),
        "drawn": ("traditional", "thompson", {**some, "shape": _SHAPE}),
        "record_and_promise": ("traditional", "record_and_promise", {**some, "shape": shape}),
    }
    found |= {
        f"balanced_{price:g}": ("traditional", "balanced", {**some, "shape": shape, "price": price})
        for price in _PRICES
    }
    found |= {
        "at_random": ("control", "random", some),
        "oracle": ("control", "oracle", some),
        "backwards": ("control", "adversarial", some),
        "all_sites": ("control", "all_open", {}),
    }
    return found


def _tuned_shape(scenario: Scenario, seed: int, trials: int) -> float:
    """Return the shape with which trials fill soonest, among some; on trials that no comparison uses."""
    plan = build_plan(scenario, _DESIGN, _TRUTH, seed, 1, None)
    window, numbers = Window(plan), np.arange(_TUNED_ON, _TUNED_ON + trials)
    make = registry.get("policies", "sites.record_and_promise")
    months = {
        shape: recruit(replace(plan, site_policy=make(open=_OPEN, shape=shape)), window, numbers)[0].mean()
        for shape in _SHAPES
    }
    return min(months, key=lambda shape: float(months[shape]))


def _simulated(
    scenario: Scenario,
    policies: Mapping[str, tuple[str, str, dict[str, Any]]],
    folder: Path,
    replicates: int,
    seed: int,
    workers: int,
) -> tuple[dict[str, dict[str, Floats]], dict[str, Curve]]:
    """Return the measures of each choice by replicate, and its patients over time."""
    base = scenario.designs[_ALL]
    designs = {
        label: base.model_copy(update={"policies": dict(base.policies) | {"sites": (name, dict(parameters))}})
        for label, (_, name, parameters) in policies.items()
    }
    derived = scenario.model_copy(update={"designs": designs}).located(folder, scenario.table)
    found = collect(derived, list(designs), [_TRUTH], replicates, seed, "fast", workers)
    pool = _shares(found, _ALL, "eligible")[0]
    values, curves = {}, {}
    for label in designs:
        values[label] = _values(found, label, pool, base.n)
        assert found.enrolment is not None
        rows = _rows(found.enrolment, label)
        rows = rows[rows["group"] == ""].sort_values("time")
        columns = (rows["time"] / _DAYS_PER_MONTH, rows["mean"], rows["p10"], rows["p90"])
        curves[label] = Curve(*(tuple(map(float, each)) for each in columns))
    return values, curves


def _values(found: Collected, label: str, pool: Floats, n: int) -> dict[str, Floats]:
    """Return each measure of one choice by replicate, in order."""
    trials = _rows(found.trials, label).sort_values("replicate")
    column = {name: trials[name].to_numpy(dtype=float) for name in (
        "enrolment_end_time", "enrolled", "screened", "screen_failures", "cost", "sites_without_patients")}  # fmt: skip
    enrolled = np.maximum(column["enrolled"], 1.0)
    shares, counts, levels = _shares(found, label, "randomised")
    failures = column["screen_failures"]
    values = {
        "months_to_last_patient": column["enrolment_end_time"] / _DAYS_PER_MONTH,
        "reached_target": (column["enrolled"] >= n).astype(float),
        "screened_per_enrolled": column["screened"] / enrolled,
        "screen_failure_rate": failures / np.maximum(failures + column["enrolled"], 1.0),
        "sites_without_patients": column["sites_without_patients"],
        "cost": column["cost"],
        "distance_from_pool": distance(shares, pool.mean(axis=0)),
        "power": (trials["reject_look:primary"].to_numpy() > 0).astype(float),
    }
    for place, level in enumerate(levels):
        values[f"enrolled of {level}"] = counts[:, place]
        values[f"share of {level}"] = shares[:, place]
        values[f"share of {level} beyond the pool"] = shares[:, place] - pool[:, place]
    return values


def _shares(found: Collected, label: str, column: str) -> tuple[Floats, Floats, list[str]]:
    """Return shares and numbers by level, ``[replicate, level]``, and the levels."""
    assert found.subgroups is not None
    wide = _rows(found.subgroups, label).pivot_table(column, "replicate", "subgroup", observed=True)
    counts = wide.sort_index().to_numpy(dtype=float)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0), counts, list(wide.columns)


def _rows(table: Any, label: str) -> Any:
    """Return the rows of one design."""
    frame = table.to_pandas()
    return frame[frame["design"] == label]


def _estimate(name: str, values: Floats) -> Estimate:
    """Return the mean and its standard error."""
    return Estimate(name, float(values.mean()), standard_error(values))


def _difference(name: str, values: Floats) -> Difference:
    """Return the mean of paired differences and its standard error."""
    return Difference(name, float(values.mean()), standard_error(values))


def _rival(
    values: Mapping[str, Mapping[str, Floats]],
    policies: Mapping[str, tuple[str, str, dict[str, Any]]],
    weight: float,
) -> Rival:
    """Return the learned choice of a weight beside the best traditional one by the same value."""

    def value(label: str) -> Floats:
        own = values[label]
        return np.asarray(-own["months_to_last_patient"] - weight * own["distance_from_pool"])

    rules: Sequence[str] = [label for label, (family, *_) in policies.items() if family == "traditional"]
    best = max(rules, key=lambda label: float(value(label).mean()))
    learned = f"learned_{weight:g}"
    return Rival(weight, learned, best, _difference("value", value(learned) - value(best)))
