"""Assurance: the probability of success averaged over a design prior of what is true.

O'Hagan, Stevens and Campbell, Pharmaceutical Statistics 4, 2005, 187-201. The design prior is that of the planner and
enters here alone; what the trial is analysed with, an analysis prior or none, stands in the scenario.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trialsim.engines.runner import run
from trialsim.engines.unattainable import unattainable_ratios
from trialsim.errors import ScenarioError, UsageError
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

LAWS: Mapping[str, tuple[str, Callable[[Any, float, float], Any]]] = {
    "normal": ("mean, standard deviation", lambda stats, a, b: stats.norm(a, b)),
    "lognormal": (
        "median, standard deviation of the logarithm",
        lambda stats, a, b: stats.lognorm(b, scale=a),
    ),
    "beta": ("both shapes", lambda stats, a, b: stats.beta(a, b)),
    "uniform": ("least, most", lambda stats, a, b: stats.uniform(a, b - a)),
}
_WRITTEN = re.compile(r"\s*(\w+)\(\s*([^,()]+),\s*([^,()]+)\)\s*\Z")


@dataclass(frozen=True)
class DesignPrior:
    """What is believed of one number of a scenario's world.

    Parameters
    ----------
    path
        Where it stands, as in a truth.
    law
        Its name and both parameters.
    """

    path: str
    law: tuple[str, float, float]

    @property
    def frozen(self) -> Any:
        """The law."""
        from scipy import stats

        name, a, b = self.law
        return LAWS[name][1](stats, a, b)


@dataclass(frozen=True)
class Assurance:
    """What came out.

    Parameters
    ----------
    probability, mcse
        Of success, and its Monte Carlo standard error given the points.
    at_mean
        Probability of success where every number is at its prior mean, and its standard error.
    points, trials
        Points of the prior, and trials at each.
    values, success
        Numbers at each point, ``[point, prior]``, and the share of trials that succeed there, ``[point]``.
    """

    probability: float
    mcse: float
    at_mean: tuple[float, float]
    points: int
    trials: int
    values: tuple[tuple[float, ...], ...]
    success: tuple[float, ...]


def prior_written(text: str) -> DesignPrior:
    """Return a design prior written as ``PATH=normal(0.4, 0.1)``.

    Raises
    ------
    UsageError
        With what is allowed.
    """
    path, sign, law = text.partition("=")
    match = _WRITTEN.match(law)
    allowed = "; ".join(f"{name}({meaning})" for name, (meaning, _) in LAWS.items())
    if not sign or match is None or match[1] not in LAWS:
        raise UsageError(f"--prior: {text!r} is not PATH=LAW(A, B); laws: {allowed}")
    try:
        a, b = float(match[2]), float(match[3])
    except ValueError:
        raise UsageError(f"--prior: {law.strip()!r} takes two numbers; laws: {allowed}") from None
    wrong = {"normal": b <= 0, "lognormal": min(a, b) <= 0, "beta": min(a, b) <= 0, "uniform": not a < b}[
        match[1]
    ]
    if wrong or not (math.isfinite(a) and math.isfinite(b)):
        raise UsageError(f"--prior: {law.strip()!r} is no law; laws: {allowed}")
    return DesignPrior(path.strip(), (match[1], a, b))


def assurance(
    scenario: Scenario,
    design: str,
    priors: Sequence[DesignPrior],
    success: str,
    points: int,
    trials: int,
    seed: int,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Assurance:
    """Return the probability that a design succeeds, averaged over design priors that are independent of each other.

    Parameters
    ----------
    scenario
        A loaded scenario.
    design
        Name of the design.
    priors
        Of numbers of its world.
    success
        ``all`` tests rejected, ``any``, or the name of one.
    points
        Points of the priors, at the middles of as many equally probable parts of each, shuffled against each other.
    trials
        Trials at each point, with numbers of their own.
    seed, workers
        Of the run.
    progress
        Called with points done and points in all.

    Raises
    ------
    ScenarioError, UsageError
        If a path or a value cannot be used.
    """
    tests = require_success(scenario, scenario.select_designs([design])[0], success)
    rng = np.random.Generator(np.random.Philox(key=seed))
    middles = (np.arange(points) + 0.5) / points
    shuffled = [
        prior.frozen.ppf(middles if k == 0 else rng.permutation(middles)) for k, prior in enumerate(priors)
    ]
    values = [tuple(float(column[p]) for column in shuffled) for p in range(points)]
    means = tuple(float(prior.frozen.mean()) for prior in priors)
    for (
        column
    ) in shuffled:  # the ends of each prior first: what cannot be is refused before anything is simulated
        for p in (int(np.argmin(column)), int(np.argmax(column))):
            _world(scenario, priors, values[p])
    shares = []
    for p, chosen in enumerate([*values, means]):
        count = trials if p < points else max(trials, 1000)
        shares.append(
            _share(scenario, design, priors, chosen, success, tests, p * trials, count, seed, workers)
        )
        if progress is not None:
            progress(min(p + 1, points), points)
    found = np.array(shares[:-1])
    error = float(np.sqrt((found * (1.0 - found)).sum() / max(trials - 1, 1))) / points
    last = shares[-1]
    at_mean = (last, math.sqrt(last * (1.0 - last) / max(trials, 1000)))
    return Assurance(float(found.mean()), error, at_mean, points, trials, tuple(values), tuple(shares[:-1]))


def require_success(scenario: Scenario, design: str, success: str) -> list[str]:
    """Return the tests of a design.

    Raises
    ------
    UsageError
        If success is neither of all or any of them, nor of one.
    """
    tests = list(scenario.designs[design].tests)
    if success not in ("all", "any", *tests):
        raise UsageError(f"--success: {success!r} is not all, any, {', '.join(tests)}")
    return tests


def _world(scenario: Scenario, priors: Sequence[DesignPrior], chosen: Sequence[float]) -> Scenario:
    """Return the scenario whose one truth has numbers of the priors.

    Raises
    ------
    UsageError
        Where there is no such world.
    """
    tree = scenario.dump()
    tree["truths"] = {"drawn": dict(zip((prior.path for prior in priors), chosen, strict=True))}
    try:
        return scenario_from(tree, scenario.folder, unattainable_ratios)
    except ScenarioError as error:
        there = ", ".join(f"{prior.path} = {value:g}" for prior, value in zip(priors, chosen, strict=True))
        why = "; ".join(problem.message.removesuffix(".") for problem in error.problems)
        raise UsageError(
            f"--prior: there is no world with {there}: {why}; choose paths and laws within what is allowed"
        ) from None


def _share(
    scenario: Scenario,
    design: str,
    priors: Sequence[DesignPrior],
    chosen: tuple[float, ...],
    success: str,
    tests: list[str],
    first: int,
    trials: int,
    seed: int,
    workers: int,
) -> float:
    """Return the share of trials that succeed where the numbers have given values."""
    blocks: list[pa.Table] = []
    run(
        _world(scenario, priors, chosen), [design], ["drawn"], trials, seed, "fast", workers,
        lambda tables: blocks.append(tables["trials"]), first=first,
    )  # fmt: skip
    table = pa.concat_tables(blocks)
    won = np.stack([table[f"reject_look:{test}"].to_numpy() > 0 for test in tests])
    if success in tests:
        return float(won[tests.index(success)].mean())
    return float((won.all(axis=0) if success == "all" else won.any(axis=0)).mean())
