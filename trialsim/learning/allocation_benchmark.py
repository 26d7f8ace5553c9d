"""The benchmark of randomisation: learned and traditional rules against the best that allocation can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trialsim import registry
from trialsim.contracts import Floats
from trialsim.designs.boundaries import group_sequential
from trialsim.learning.allocation_training import train_allocation
from trialsim.learning.drift_benchmark import drift_points
from trialsim.learning.exact_rules import chosen, halves, rule_of, shares_by_block, stopped_early
from trialsim.learning.request import ALLOCATION, ALLOCATION_OPTIONS, TrainingRequest
from trialsim.oc.allocation_rules import AllocationResult, RuleResult
from trialsim.oc.in_memory import collect
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario
from trialsim.stats.optimal_allocation import Course, Rule, best_value, final_law, points_moments, value_of

RATES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Values of either rate, equally likely a priori, independently."""

POINT = (0.3, 0.5)
"""Rates of control and treatment at which power is shown."""

BOUND, ALPHA = 1.959964, 0.025
BLOCK = 20
_WORLD = Path(__file__).resolve().parent / "worlds" / "two_arms.yaml"
_LIMITED = {"minimum": 0.1, "maximum": 0.9}
_POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    "thompson": ("thompson", {}),
    "thompson_capped": ("thompson", _LIMITED),
    "tempered_capped": ("thompson", {"tempered": True, **_LIMITED}),
    "rosenberger_target": ("doubly_adaptive", {"target": "rosenberger"}),
    "neyman_target": ("doubly_adaptive", {"target": "neyman"}),
}


@dataclass(frozen=True)
class Effort:
    """How much is done: design, worth of a rejection, training, trials simulated, and trials while outcomes drift."""

    design: str
    n: int
    power_weights: tuple[float, ...]
    iterations: int
    trials: int
    replicates: int
    drifting: int


FULL = Effort("adaptive", 200, (10.0, 40.0, 160.0), 200, 4000, 40_000, 20_000)
QUICK = Effort("short", 100, (40.0,), 20, 1000, 2000, 200)


def benchmark_randomisation(
    effort: Effort, folder: Path, seed: int, workers: int, say: Callable[[str], None]
) -> AllocationResult:
    """Train allocation rules, and compare them with traditional ones and with the optimum.

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
    course = Course(effort.n, BLOCK)
    exact = _Exact(course)
    digests, curves, policies = {}, {}, dict(_POLICIES)
    for weight in effort.power_weights:
        label = f"learned_{weight:g}"
        say(
            f"training, a rejection worth {weight:g} responders: {effort.iterations} times {effort.trials} trials"
        )
        options: dict[str, Any] = {key: default for key, (default, *_) in ALLOCATION_OPTIONS.items()}
        options |= {"power_weight": weight, "minimum": 0.0, "hidden": (16, 16)}
        options |= {"iterations": effort.iterations, "trials": effort.trials}
        request = TrainingRequest(ALLOCATION, _WORLD, effort.design, None, "", 0, seed, options, "cpu")
        trained = train_allocation(request, folder / f"{label}.unfinished")
        digests[label] = trained.write(folder / f"{label}.safetensors")
        curves[label] = trained.curve
        policies[label] = ("learned", {"checkpoint": f"{label}.safetensors", "digest": digests[label]})
    say(f"{len(policies) + 1} rules in {effort.replicates:,} simulated trials each")
    simulated = _simulated(scenario, effort, policies, folder, seed, workers)
    rules = []
    fixed = course.score_z() >= BOUND
    for label, (name, parameters) in {"equal": ("by_design", {}), **policies}.items():
        say(f"{label}: exactly")
        given = dict(parameters)
        if "checkpoint" in given:
            given["checkpoint"] = str(folder / given["checkpoint"])
        rule = (
            halves(course)
            if label == "equal"
            else rule_of(registry.get("policies", f"randomisation.{name}")(**given), course)
        )
        of = float(label.removeprefix("learned_")) if "checkpoint" in given else None
        family = "traditional" if of is None else "learned"
        rules.append(exact.result(label, family, of, rule, fixed, True, simulated[label]))
    rules += [exact.result(label, "traditional", None, rule, rejects, calibrate) for label, rule, rejects, calibrate in
              _that_stop(course)]  # fmt: skip
    for weight in effort.power_weights:
        say(f"optimum for a rejection worth {weight:g} responders")
        final = course.responders() + weight * fixed
        _, numbers = best_value(course, exact.prior, exact.prior, final)
        rules.append(
            exact.result(f"optimum_{weight:g}", "optimum", weight, chosen(course, numbers), fixed, True)
        )
    everyone = {"equal": ("by_design", {}), **policies}
    say(f"{len(everyone)} rules while outcomes drift, {effort.drifting:,} trials each at every drift")
    drift = drift_points(everyone, effort.n, BLOCK, folder, effort.drifting, seed, workers)
    return AllocationResult(course, rules, digests, curves, effort.power_weights, drift)


def exact_rules(labels: Sequence[str], n: int = FULL.n) -> list[RuleResult]:
    """Return what some traditional rules do, exactly.

    Parameters
    ----------
    labels
        ``equal``, or policies of the benchmark by their labels.
    n
        Patients, in blocks of 20.
    """
    course = Course(n, BLOCK)
    exact, fixed = _Exact(course), course.score_z() >= BOUND
    found = []
    for label in labels:
        if label == "equal":
            rule = halves(course)
        else:
            name, parameters = _POLICIES[label]
            rule = rule_of(registry.get("policies", f"randomisation.{name}")(**parameters), course)
        found.append(exact.result(label, "traditional", None, rule, fixed, True))
    return found


def _that_stop(course: Course) -> list[tuple[str, Rule, np.ndarray, bool]]:
    """Return the rules that decide half-way, after which everybody gets the better arm."""
    middle = course.block * (course.n // course.block // 2)
    bounds = group_sequential([middle / course.n, 1.0], alpha=ALPHA, power=0.8)
    none = [-np.inf, -np.inf]
    sequential = stopped_early(course, list(bounds.efficacy_z), none, [middle, course.n])
    drop = stopped_early(course, [0.0, BOUND], [0.0, 0.0], [middle, course.n])
    return [
        ("group_sequential", sequential.rule, sequential.rejects, False),
        ("drop_the_loser", drop.rule, course.score_z() >= BOUND, True),
    ]


def _simulated(
    scenario: Scenario,
    effort: Effort,
    policies: Mapping[str, tuple[str, dict[str, Any]]],
    folder: Path,
    seed: int,
    workers: int,
) -> dict[str, tuple[float, float]]:
    """Return the power of each policy at the point in simulated trials, the same patients for all."""
    base = scenario.designs[effort.design]
    everyone = {"equal": ("by_design", {}), **policies}
    designs = {
        label: base.model_copy(
            update={"policies": dict(base.policies) | {"randomisation": (name, dict(parameters))}}
        )
        for label, (name, parameters) in everyone.items()
    }
    derived = scenario.model_copy(update={"designs": designs}).located(folder, scenario.table)
    (truth,) = [
        name
        for name in scenario.truths
        if f"{POINT[0]:g}" in name.split(",")[0] and f"{POINT[1]:g}" in name.split(",")[1]
    ]
    found = collect(derived, list(designs), [truth], effort.replicates, seed, "fast", workers)
    trials = found.trials.to_pandas()
    rejects = {
        label: (part["reject_look:better"] > 0).to_numpy()
        for label, part in trials.groupby("design", observed=True)
    }
    return {label: (float(x.mean()), float(x.std() / np.sqrt(len(x)))) for label, x in rejects.items()}


class _Exact:
    """What rules do in one course, exactly."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.prior = points_moments(RATES, [1.0 / len(RATES)] * len(RATES), course.n)
        self._responders, self._z = course.responders(), course.score_z()

    def result(
        self,
        label: str,
        family: str,
        weight: float | None,
        rule: Rule,
        rejects: np.ndarray,
        calibrate: bool,
        simulated: tuple[float, float] | None = None,
    ) -> RuleResult:
        """Return everything about one rule."""
        tables = {seen: rule.at(seen) for seen in self.course.times}
        kept = Rule(tables.__getitem__, rule.counted)
        responders, rejecting = (
            value_of(self.course, self.prior, self.prior, final, kept)
            for final in (self._responders, rejects.astype(np.float64))
        )
        nulls = {rate: final_law(self.course, rate, rate, kept) for rate in RATES}
        error = {rate: float(law[rejects].sum()) for rate, law in nulls.items()}
        bound = max(self._bound(law) for law in nulls.values()) if calibrate else None
        law = final_law(self.course, *POINT, kept)
        return RuleResult(
            label, family, weight, responders, rejecting, error, bound, float(law[rejects].sum()),
            None if bound is None else float(law[self._z >= bound].sum()), float((law * self._responders).sum()), simulated,
            shares_by_block(self.course, *POINT, kept),
        )  # fmt: skip

    def _bound(self, law: Floats) -> float:
        """Return the smallest bound that holds the level under a law of the final state."""
        z, mass = self._z[law > 0.0], law[law > 0.0]
        order = np.argsort(-z, kind="stable")
        z, mass = z[order], mass[order]
        # Of equal statistics all reject or none.
        last = np.append(z[1:] < z[:-1] - 1e-9, True)
        tails, values = np.cumsum(mass)[last], z[last]
        held = tails <= ALPHA
        return float(values[held][-1]) if held.any() else float(values[0]) + 1e-9
