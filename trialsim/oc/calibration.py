"""Thresholds that hold an error at its target: found on some trials, measured on others, certified on others again."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa

from trialsim.engines.runner import run
from trialsim.errors import ScenarioError, UsageError
from trialsim.oc.montecarlo import upper_limit
from trialsim.replicate_ranges import CALIBRATION, require_within
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import listed

TAIL = 0.025
"""Chance that a certificate is wrong, over all its points and all its attempts together."""

_STEPS = 14
_NORMAL = NormalDist()
_STOPS = ("efficacy", "futility", "safety", "superiority", "equivalence", "final")


@dataclass(frozen=True)
class Request:
    """What is to be calibrated.

    Parameters
    ----------
    path
        Where the threshold stands in the scenario, ``designs.NAME.decisions[0].when.posterior.above``.
    measure
        ``reject_any``, ``reject:HYPOTHESIS`` or ``stop:REASON``.
    target
        Largest probability of it that is allowed.
    truths
        Under which it must hold.
    low, high
        Between which the threshold is sought.
    search, calibration, certification
        Trials of each stage under each truth.
    attempt, attempts
        Which of how many planned attempts at a certificate this is; each has trials and a share of the level of its own.
    seed, workers
        Of the runs.
    """

    path: str
    measure: str
    target: float
    truths: tuple[str, ...]
    low: float
    high: float
    search: int = 4000
    calibration: int = 20_000
    certification: int = 50_000
    attempt: int = 1
    attempts: int = 1
    seed: int = 1
    workers: int = 1


@dataclass(frozen=True)
class Point:
    """What certification found under one truth."""

    truth: str
    value: float
    upper: float
    n: int


@dataclass(frozen=True)
class Calibrated:
    """A threshold, how well it is known, and what was certified of it.

    Parameters
    ----------
    threshold
        The one chosen, at which the error is aimed a little below the target, so that certification can show it.
    root, root_low, root_high
        Where the error estimated on the calibration trials is the target, and the 95% limits that their number leaves.
    aimed
        The error aimed at.
    first_certified
        Number of the first trial of the certification.
    points
        Of the certification.
    tail
        One-sided level of each upper limit.
    """

    request: Request
    threshold: float
    root: float
    root_low: float
    root_high: float
    aimed: float
    first_certified: int
    points: tuple[Point, ...]
    tail: float

    @property
    def upper(self) -> float:
        """The largest upper limit."""
        return max(point.upper for point in self.points)

    @property
    def controlled(self) -> bool:
        """Whether every upper limit is at or below the target, without margin."""
        return self.upper <= self.request.target

    @property
    def at_the_end(self) -> bool:
        """Whether the error aimed at is beyond the range searched, so that the threshold is the end of it."""
        ends = (self.request.low, self.request.high)
        return any(math.isclose(self.threshold, end, rel_tol=1e-9) for end in ends)

    @property
    def verdict(self) -> str:
        """What may be said of the error at the points certified, and at no others."""
        names = listed(point.truth for point in self.points)
        if self.controlled:
            return f"controlled at {self.request.target:g} under {names}"
        return f"at most {self.upper:.4f} under {names}"


def refuse_request(scenario: Scenario, request: Request) -> None:
    """Refuse a path or a measure that the scenario has not, before any trial.

    Raises
    ------
    UsageError
        If there is no such place, or no such measure.
    """
    _design_of(scenario, request)


def refuse_range(scenario: Scenario, request: Request) -> None:
    """Refuse ends of the range that cannot stand at the path, before any trial.

    Raises
    ------
    UsageError
        With why.
    """
    for end in (request.low, request.high):
        with_threshold(scenario, request.path, end)


def calibrate(scenario: Scenario, request: Request) -> Calibrated:
    """Return the threshold at which an error is at its target, with its uncertainty and a certificate.

    The search halves the range on one set of trials, used again for every threshold (common random numbers), so that the
    estimated error is a step function of the threshold without noise of its own. Calibration does the same within a
    bracket on fresh trials. Certification counts on trials that neither has seen.

    Raises
    ------
    UsageError
        If the path, the measure or the range cannot be used.
    """
    design = _design_of(scenario, request)
    start = CALIBRATION.start

    def rates(first: int, trials: int) -> Callable[[float], float]:
        @cache
        def rate(threshold: float) -> float:
            changed = with_threshold(scenario, request.path, threshold)
            return max(_shares(changed, design, request, first, trials).values())

        return rate

    coarse = rates(start, request.search)
    rising = _direction(coarse, request)
    spread = math.sqrt(request.target * (1.0 - request.target))
    around = 4.0 * spread / math.sqrt(request.search)
    bracket = sorted(
        _root(coarse, request.target + side * around, request.low, request.high, rising)
        for side in (-1.0, 1.0)
    )
    fine = rates(start + request.search, request.calibration)
    error = 1.96 * spread / math.sqrt(request.calibration)
    reach = (bracket[0], bracket[1])
    root = _root(fine, request.target, *reach, rising)
    limits = sorted(_root(fine, request.target + side * error, *reach, rising) for side in (-1.0, 1.0))
    tail = TAIL / (len(request.truths) * request.attempts)
    quantile = -_NORMAL.inv_cdf(tail)
    aimed = request.target - spread * (
        quantile / math.sqrt(request.certification)
        + 1.645 * math.sqrt(1.0 / request.calibration + 1.0 / request.certification)
    )
    if aimed <= 0.0:
        raise UsageError(
            f"{request.certification:,} trials cannot show an error of {request.target:g}; give more with --certify"
        )
    threshold = _root(fine, aimed, *reach, rising)
    first = first_certified(request)
    changed = with_threshold(scenario, request.path, threshold)
    shares = _shares(changed, design, request, first, request.certification)
    points = tuple(_point(truth, share, request.certification, tail) for truth, share in shares.items())
    return Calibrated(request, threshold, root, limits[0], limits[1], aimed, first, points, tail)


def first_certified(request: Request) -> int:
    """Return the number of the first trial of a certification."""
    first = CALIBRATION.start + request.search + request.calibration
    first += (request.attempt - 1) * request.certification
    require_within(CALIBRATION, first, request.certification, "calibrate")
    return first


def design_named(path: str) -> str:
    """Return the design in which a threshold stands."""
    return str(_steps(path)[1])


def _point(truth: str, share: float, trials: int, tail: float) -> Point:
    """Return what certification found under one truth, with its exact upper limit (Clopper and Pearson 1934)."""
    return Point(truth, share, upper_limit(round(share * trials), trials, tail), trials)


def with_threshold(scenario: Scenario, path: str, value: float) -> Scenario:
    """Return a scenario with a number put in a place of it.

    Raises
    ------
    UsageError
        If there is no such place, or none for this number.
    """
    tree = scenario.dump()
    here: Any = tree
    *parents, last = _steps(path)
    for step in parents:
        here = _inside(here, step, path)
    if isinstance(here, list):
        _inside(here, last, path)
    elif not isinstance(here, dict):
        raise UsageError(f"{path}: there is nothing at {last} that a threshold could be put into")
    here[last] = value
    try:
        return scenario_from(tree, scenario.folder)
    except ScenarioError as error:
        why = "; ".join(problem.message.removesuffix(".") for problem in error.problems)
        raise UsageError(f"{path}: {value:g} cannot stand there: {why}") from None


def _steps(path: str) -> list[Any]:
    """Return the keys and indices of a path."""
    return [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]


def _inside(here: Any, step: Any, path: str) -> Any:
    """Return what stands at a step of a path."""
    if isinstance(here, Mapping) and step in here:
        return here[step]
    if isinstance(here, list) and isinstance(step, int) and 0 <= step < len(here):
        return here[step]
    there = listed(map(str, here)) if isinstance(here, Mapping) else f"{len(here)} of them, numbered from 0"
    raise UsageError(f"{path}: {step} is not there; there are {there}")


def _design_of(scenario: Scenario, request: Request) -> str:
    """Return the design that a path is in, and refuse a measure that it has not."""
    steps = _steps(request.path)
    if len(steps) < 3 or steps[0] != "designs" or steps[1] not in scenario.designs:
        raise UsageError(
            f"{request.path}: a threshold stands in a design: designs.NAME...; there are {listed(scenario.designs)}"
        )
    design = scenario.designs[steps[1]]
    allowed = [
        "reject_any",
        *(f"reject:{test}" for test in design.tests),
        *(f"stop:{why}" for why in _STOPS),
    ]
    if request.measure not in allowed:
        raise UsageError(f"--target: no measure is called {request.measure!r}; allowed: {listed(allowed)}")
    return str(steps[1])


def _shares(scenario: Scenario, design: str, request: Request, first: int, trials: int) -> dict[str, float]:
    """Return the share of trials of each truth in which the measure holds."""
    found: dict[str, list[np.ndarray]] = {truth: [] for truth in request.truths}

    def keep(tables: dict[str, pa.Table]) -> None:
        table = tables["trials"]
        found[table["truth"][0].as_py()].append(_holds(table, request.measure))

    run(
        scenario,
        [design],
        list(request.truths),
        trials,
        request.seed,
        "fast",
        request.workers,
        keep,
        first=first,
    )
    return {truth: float(np.concatenate(parts).mean()) for truth, parts in found.items()}


def _holds(table: pa.Table, measure: str) -> np.ndarray:
    """Return in which trials the measure holds."""
    if measure.startswith("stop:"):
        reasons = table["stop_reason"].combine_chunks().cast(pa.string()).to_pylist()
        return np.array([why == measure.removeprefix("stop:") for why in reasons])
    names = [
        name for name in table.column_names if name == measure or (measure == "reject_any" and name.startswith("reject:"))
    ]  # fmt: skip
    held = np.stack([table[name].to_numpy() for name in names], axis=1)
    return np.asarray(held.any(axis=1))


def _direction(rate: Callable[[float], float], request: Request) -> bool:
    """Return whether the error rises with the threshold; refuse a range that does not hold the target."""
    low, high = rate(request.low), rate(request.high)
    if not min(low, high) <= request.target <= max(low, high):
        raise UsageError(
            f"the error is {low:.4f} at {request.low:g} and {high:.4f} at {request.high:g}, so that {request.target:g} "
            "is not between them; give another range with --between"
        )
    return low < high


def _root(rate: Callable[[float], float], target: float, low: float, high: float, rising: bool) -> float:
    """Return where an error that is a step function of the threshold passes a target, on the side that keeps it.

    Thresholds of probabilities are halved on the probit scale, on which errors change evenly.
    """
    probit = 0.0 < low < 1.0 and 0.0 < high < 1.0
    ends = [_NORMAL.inv_cdf(end) for end in (low, high)] if probit else [low, high]
    for _ in range(_STEPS):
        middle = 0.5 * (ends[0] + ends[1])
        above = rate(_NORMAL.cdf(middle) if probit else middle) > target
        ends[1 if above == rising else 0] = middle
    kept = ends[0] if rising else ends[1]
    return _NORMAL.cdf(kept) if probit else kept
