"""Rankings against each other in the same simulated trials, on the same candidates, with Monte Carlo errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engines.plan import build_plan
from trialsim.errors import Problem, ScenarioError, UsageError
from trialsim.learning.screening_log import screening_view
from trialsim.learning.trial_measures import finite, rows_of, safety, shares, trials_of
from trialsim.models.quality import area_under_curve
from trialsim.oc.in_memory import Collected, collect
from trialsim.oc.rankings import Compared, Curve, difference, estimated
from trialsim.policies.scores import scores_of
from trialsim.replicate_ranges import AREAS
from trialsim.scenario.load import patient_table
from trialsim.scenario.rules_rankings import ranking_findings
from trialsim.scenario.schema import Scenario
from trialsim.scenario.validate import parts_of

Floats = NDArray[np.float64]
Ranking = Mapping[str, Mapping[str, Any]]
Progress = Callable[[int, int], None]

_TRIALS_FOR_THE_AREA = 8


def compare_rankings(
    scenario: Scenario,
    design: str,
    truth: str,
    rankings: Mapping[str, Ranking],
    folder: Path | None,
    replicates: int,
    seed: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> list[Compared]:
    """Return what each ranking brings, and by how much it differs from the first, replicate by replicate.

    Parameters
    ----------
    scenario
        The world.
    design, truth
        Which of its designs, whose recruitment policy is replaced, and truths.
    rankings
        ``{name: parameters}`` of each recruitment policy, by label; differences are from the first.
    folder
        Where checkpoints lie; by default the scenario's.
    replicates, seed, workers
        Trials of each ranking, the seed of all, and processes.
    progress
        Called with trials done and trials in all.

    Raises
    ------
    ScenarioError, UsageError
        If a ranking does not fit the scenario.
    """
    refuse_rankings(scenario, rankings)
    derived = _with_rankings(scenario, design, rankings, folder)
    labels = list(rankings)
    found = collect(derived, labels, [truth], replicates, seed, "fast", workers, progress)
    values = {label: _values(found, label, scenario.designs[design].n) for label in labels}
    areas = {label: _area(derived, label, truth, seed) for label in labels}
    first = values[labels[0]]
    shared = [name for name in first if all(name in each for each in values.values())]
    return [
        Compared(
            label,
            areas[label],
            tuple(estimated(name, values[label][name]) for name in shared),
            tuple(difference(name, values[label][name], first[name]) for name in shared),
            _curve(found, label),
            values[label]["weeks_to_target"],
        )
        for label in labels
    ]


def refuse_rankings(scenario: Scenario, rankings: Mapping[str, Ranking]) -> None:
    """Refuse rankings that do not fit a world, before anything is simulated.

    Parameters
    ----------
    scenario
        The world.
    rankings
        ``{name: parameters}`` of each recruitment policy, by label.

    Raises
    ------
    ScenarioError, UsageError
        With every problem, or where there is nobody to rank.
    """
    if scenario.accrual.sites is None:
        raise UsageError(f"{scenario.name} has no sites: there are no candidates to rank")
    world = parts_of(scenario).world
    problems = [
        Problem(".".join(map(str, place)), sentence)
        for label, ranking in rankings.items()
        for place, sentence in ranking_findings(
            (label,), {name: dict(parameters) for name, parameters in ranking.items()}, world
        )
    ]
    if problems:
        raise ScenarioError(problems)


def _with_rankings(
    scenario: Scenario, design: str, rankings: Mapping[str, Ranking], folder: Path | None
) -> Scenario:
    """Return the scenario with one design for each ranking."""
    base = scenario.designs[design]
    designs = {}
    for label, ranking in rankings.items():
        ((name, parameters),) = ranking.items()
        designs[label] = base.model_copy(
            update={"policies": dict(base.policies) | {"recruitment": (name, dict(parameters))}}
        )
    derived = scenario.model_copy(update={"designs": designs})
    return derived.located(folder or scenario.folder, scenario.table)


def _values(found: Collected, label: str, n: int) -> dict[str, Floats]:
    """Return each measure of one ranking by replicate, in order."""
    trials = trials_of(found, label)
    enrolled = np.maximum(trials["enrolled"].to_numpy(dtype=float), 1.0)
    reached = trials["enrolled"].to_numpy() >= n
    # The count of the screened is of those who consented; a refusal took a call as well.
    screened = trials["screened"].to_numpy(dtype=float)
    failures = trials["screen_failures"].to_numpy(dtype=float)
    look = next(name for name in trials.columns if name.startswith("reject_look:"))
    values = {
        "weeks_to_target": trials["enrolment_end_time"].to_numpy(dtype=float) / 7.0,
        "reached_target": reached.astype(float),
        "screened_per_enrolled": screened / enrolled,
        "screen_failure_rate": failures / np.maximum(failures + enrolled, 1.0),
        "power": (trials[look].to_numpy() > 0).astype(float),
    }
    values |= {
        name: trials[name].to_numpy(dtype=float) for name in ("days_to_consent", "idle_days", "cost")
        if name in trials.columns
    }  # fmt: skip
    for cell in found.cells.to_pylist():
        estimates = trials.get(f"estimate:{cell['hypothesis']}")
        if cell["design"] == label and cell["true_value"] is not None and estimates is not None:
            # The true value is that in all candidates: what the enrolled say of those who are not selected.
            values[f"bias of {cell['hypothesis']}"] = estimates.to_numpy(dtype=float) - cell["true_value"]
    if found.screening is not None and len(found.screening):
        reasons = rows_of(found.screening, label)
        wide = reasons.pivot_table("failures", "replicate", "reason", observed=True).sort_index()
        ended = np.maximum(failures + enrolled, 1.0)
        values |= {
            f"screen failures: {reason}": wide[reason].to_numpy(dtype=float) / ended
            for reason in wide.columns
        }
    return finite(values | safety(found, label) | shares(found, label))


def _curve(found: Collected, label: str) -> Curve:
    """Return patients over time, all sites together."""
    if found.enrolment is None or not len(found.enrolment):
        return Curve((), (), (), ())
    rows = rows_of(found.enrolment, label)
    rows = rows[rows["group"] == ""].sort_values("time")
    weeks = rows["time"].to_numpy() / 7.0
    return Curve(*(tuple(map(float, x)) for x in (weeks, rows["mean"], rows["p10"], rows["p90"])))


def _area(scenario: Scenario, label: str, truth: str, seed: int) -> float:
    """Return how well a ranking tells those who would be randomised, if called, from others, among all candidates.

    The candidates are of trials that nobody runs and that come after those of training.
    """
    plan = build_plan(scenario, label, truth, seed, 1, patient_table(scenario))
    view, would_pass = screening_view(plan, AREAS.start, _TRIALS_FOR_THE_AREA)
    scores, _ = scores_of(plan.recruitment, view, {})
    return area_under_curve(scores.astype(np.float64), would_pass)
