"""Re-enact the CDISC pilot study in its fitted world, and say where the real trial lies among the re-enactments.

``python scenarios/cdisc_pilot/reenact.py`` draws 1,000 trials of the design ``as_conducted`` under the truth ``fitted``
with the fast engine, computes of each the figures that ``real.json`` gives for the real trial, and prints for each figure
the real value, the simulated mean and 2.5th to 97.5th percentile, and the percentile at which the real value falls.
``--picture FILE`` draws them.

Both sides count the same things: candidates whose screening began, patients randomised, adverse events from first dose to
disposition (here: the window after the last dose), the Kaplan-Meier estimate of staying on treatment where those who
complete it are censored, and mean changes of ADAS-Cog. Of each arm as many changes are averaged as the real trial has,
those of the patients who came first: in the fitted world who they are has nothing to do with their changes.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastChunk, FastEngine
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.records import columns_of
from trialsim.engines.site_records import COUNTS
from trialsim.scenario.load import load_scenario, patient_table
from trialsim.timegrid import TICKS_PER_DAY

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from reenactments import Figure, figure_among, joint, survival_at  # noqa: E402

Floats = NDArray[np.float64]

SEVERITIES = ("mild", "moderate", "severe")
CURVE_WEEKS = tuple(range(27))
PLANNED_TICKS = 182 * TICKS_PER_DAY
_CHUNK = 50


@dataclass(frozen=True)
class Reenactment:
    """What re-enactments showed.

    Parameters
    ----------
    arms, days
        Names, and study days of the enrolment curves.
    screened, randomised
        Numbers by those days, ``[replicate, day]``.
    failures
        Screen failures, ``[replicate]``.
    counts
        By name of a column of the table of arms, ``[replicate, arm]``.
    on_treatment
        Kaplan-Meier estimates at every week from 0 to 26, ``[replicate, arm, week]``.
    adas
        Mean changes by endpoint, ``[replicate, arm]``.
    """

    arms: tuple[str, ...]
    days: tuple[int, ...]
    screened: Floats
    randomised: Floats
    failures: Floats
    counts: dict[str, Floats]
    on_treatment: Floats
    adas: dict[str, Floats]


@cache
def real_results() -> dict[str, Any]:
    """Return what the real trial showed."""
    found: dict[str, Any] = json.loads((HERE / "real.json").read_text(encoding="utf-8"))
    return found


def fitted_plan(seed: int = 1, truth: str = "fitted", design: str = "as_conducted") -> Plan:
    """Return the plan of a design of ``cdisc_pilot.yaml`` under one of its truths."""
    scenario = load_scenario(HERE / "cdisc_pilot.yaml")
    return build_plan(scenario, design, truth, seed, 1, patient_table(scenario))


def reenact(plan: Plan, replicates: int) -> Reenactment:
    """Return what re-enactments of a plan show.

    Parameters
    ----------
    plan
        From :func:`fitted_plan`.
    replicates
        Trials, numbered from 0.
    """
    engine = FastEngine(plan)
    days = tuple(point["day"] for point in real_results()["enrolment"]["by_day"])
    parts = []
    for first in range(0, replicates, _CHUNK):
        chunk = engine.start(np.arange(first, min(first + _CHUNK, replicates)))
        tables = columns_of(conduct(chunk))
        shape = len(chunk.replicates), len(plan.arms)
        counts = {name: values.reshape(shape).astype(float) for name, values in tables["arms"].items()}
        failures = tables["trials"]["screen_failures"].astype(float)
        parts.append((*_enrolment(chunk, days), failures, counts, _on_treatment(chunk), _adas(chunk)))

    def joined(place: int) -> Floats:
        return np.concatenate([part[place] for part in parts])

    def joined_mapping(place: int) -> dict[str, Floats]:
        return {name: np.concatenate([part[place][name] for part in parts]) for name in parts[0][place]}

    return Reenactment(
        plan.arms, days, joined(0), joined(1), joined(2), joined_mapping(3), joined(4), joined_mapping(5)
    )


def _enrolment(chunk: FastChunk, days: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return how many were screened and randomised by some days, ``[replicate, day]``; a day counts to its end."""
    recruitment = chunk.patients.recruitment
    assert recruitment is not None
    screened, randomised = [], []
    for day in days:
        ticks = np.full(len(chunk.replicates), (day + 1) * TICKS_PER_DAY - 1)
        screened.append(recruitment.tallies(ticks).counts[:, :, COUNTS.index("screened")].sum(axis=1))
        randomised.append((chunk.entry <= ticks[:, None]).sum(axis=1))
    return np.array(screened, dtype=float).T, np.array(randomised, dtype=float).T


def _on_treatment(chunk: FastChunk) -> Floats:
    """Return the curves of staying on treatment, ``[replicate, arm, week]``."""
    assert chunk.lives is not None
    times = np.array(CURVE_WEEKS) * 7 * TICKS_PER_DAY
    found = np.empty((len(chunk.replicates), len(chunk.plan.arms), len(times)))
    for row in range(len(found)):
        taken = np.minimum(chunk.lives.off_at[row] - chunk.entry[row], chunk.lives.complete[row])
        for a in range(found.shape[1]):
            here = taken[chunk.arm[row] == a]
            found[row, a] = survival_at(here, here < PLANNED_TICKS, times)[0]
    return found


def _adas(chunk: FastChunk) -> dict[str, Floats]:
    """Return mean changes of ADAS-Cog of as many patients of each arm as the real trial has, ``[replicate, arm]``."""
    found = {}
    real = real_results()["adas_cog"]
    for place, name in enumerate(outcome.name for outcome in chunk.plan.world.outcomes):
        if not name.startswith("adas_week"):
            continue
        outcome, week = chunk.outcome(place), int(name.removeprefix("adas_week"))
        means = np.empty((len(chunk.replicates), len(chunk.plan.arms)))
        for a, arm in enumerate(chunk.plan.arms):
            (wanted,) = [point["n"] for point in real[arm]["observed"] if point["week"] == week]
            for row in range(len(means)):
                ends = chunk.ends().tick[row]
                read = (chunk.arm[row] == a) & (outcome.readout_at[row] <= ends)
                means[row, a] = outcome.value([row])[0][read][:wanted].mean()
        found[name] = means
    return found


def figures(found: Reenactment) -> list[Figure]:
    """Return the figures of ``real.json`` beside their re-enactments."""
    return [*_figures_of_enrolment(found), *_figures_of_arms(found)]


def _figures_of_enrolment(found: Reenactment) -> list[Figure]:
    """Return the figures of screening and randomisation."""
    real = real_results()["enrolment"]
    listed = [
        figure_among("all", f"{kind} by day {point['day']}", point[kind], simulated[:, k])
        for kind, simulated in (("screened", found.screened), ("randomised", found.randomised))
        for k, point in enumerate(real["by_day"])
    ]
    listed.append(figure_among("all", "screen failures", real["screen_failures"], found.failures))
    return listed


def _figures_of_arms(found: Reenactment) -> list[Figure]:
    """Return the figures of each arm: adverse events, who stops, the curve of treatment, ADAS-Cog."""
    real, listed = real_results(), []
    events = real["adverse_events"]
    for a, arm in enumerate(found.arms):
        pairs = [
            (
                f"{level} adverse events",
                events["emergent_events"][arm][level],
                f"adverse_events:{level}_event:{level}",
            )
            for level in SEVERITIES
        ]
        with_any = events["patients_with_emergent_event"][arm]
        stopped = real["disposition"][arm]
        pairs += [
            ("patients with an adverse event", with_any, "patients_with_adverse_event"),
            ("stopped for an adverse event", stopped["adverse_event"], "discontinued:adverse_event"),
            ("stopped by withdrawal", stopped["withdrawal"], "discontinued:withdrawal"),
            ("completed", stopped["completed"], "treatment_ended"),
        ]
        listed += [
            figure_among(arm, name, value, found.counts[column][:, a]) for name, value, column in pairs
        ]
        for point in real["on_treatment"][arm]:
            simulated = found.on_treatment[:, a, CURVE_WEEKS.index(point["weeks"])]
            name = f"on treatment at week {point['weeks']}"
            listed.append(figure_among(arm, name, point["on_treatment"], simulated))
        for point in real["adas_cog"][arm]["observed"]:
            simulated = found.adas[f"adas_week{point['week']}"][:, a]
            name = f"change of ADAS-Cog at week {point['week']}"
            listed.append(figure_among(arm, name, point["mean"], simulated))
    return listed


def table_text(listed: list[Figure]) -> str:
    """Return the figures as a table."""
    lines = ["| arm | figure | real | simulated mean | 2.5% to 97.5% | percentile of the real value |"]
    lines.append("|---|---|---|---|---|---|")
    for one in listed:
        treatment, change = one.name.startswith("on treatment"), one.name.startswith("change")
        digits = 3 if treatment else 2 if change else 0
        real, low, high = (f"{value:.{digits}f}" for value in (one.real, one.low, one.high))
        mean = f"{one.mean:.{max(digits, 1)}f}"
        span = f"{low} to {high}{'' if one.inside else ' (outside)'}"
        lines.append(f"| {one.arm} | {one.name} | {real} | {mean} | {span} | {one.percentile:.1f} |")
    return "\n".join(lines)


def joint_text(listed: list[Figure]) -> str:
    """Return, as a table, how far off the real trial is in the figures of each kind at once."""
    kinds = {
        "enrolment": [one for one in listed if one.arm == "all"],
        "adverse events by severity": [one for one in listed if one.name.endswith(" adverse events")],
        "staying on treatment": [one for one in listed if one.name.startswith("on treatment")],
        "who stops and completes": [
            one for one in listed if one.name.startswith("stopped") or one.name == "completed"
        ],
        "ADAS-Cog": [one for one in listed if one.name.startswith("change")],
        "all": listed,
    }
    lines = [
        "| figures | how many | real values outside | of re-enactments, median (95%) | p, as many | p, as extreme |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for name, some in kinds.items():
        one = joint(some)
        low, middle, high = (f"{value:.0f}" for value in one.usual)
        lines.append(
            f"| {name} | {one.figures} | {one.outside} | {middle} ({low} to {high}) | {one.p_outside:.3f} | "
            f"{one.p_extreme:.3f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table, draw the picture where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=1000, help="re-enactments (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of every draw (default 1)")
    parser.add_argument("--truth", default="fitted", help="a truth of cdisc_pilot.yaml (default fitted)")
    parser.add_argument("--picture", type=Path, help="draw the figures into this file (.png or .svg)")
    options = parser.parse_args(arguments)
    if options.replicates < 40:
        parser.error("--replicates: at least 40 are needed for a 2.5th percentile")
    found = reenact(fitted_plan(options.seed, options.truth), options.replicates)
    listed = figures(found)
    inside = sum(one.inside for one in listed)
    print(table_text(listed))
    print(f"\n{inside} of {len(listed)} real values lie inside the central 95% of their re-enactments.\n")
    print(joint_text(listed))
    if options.picture:
        sys.path.insert(0, str(HERE))
        from draw_pilot_reenactment import draw

        draw(found, listed, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
