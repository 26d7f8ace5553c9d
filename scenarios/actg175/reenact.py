"""Re-enact ACTG 175 in its fitted world, and say where the real trial lies among the re-enactments.

``python scenarios/actg175/reenact.py`` draws 2,000 trials of the design ``fixed`` under the truth ``fitted`` with the
fast engine, computes from the patients of each the figures that ``real.json`` gives for the real trial (Kaplan-Meier
survival by arm at 6, 12, 24 and 30 months, mean CD4 count at week 20 by arm), and prints for each figure the real
value, the simulated mean and 2.5th to 97.5th percentile, and the percentile at which the real value falls.
``--picture FILE`` draws it.

Both sides use the same estimator, :func:`survival_at`. It is consistent whatever the censoring, as long as that is
unrelated to prognosis: the assumed accrual and dropout change how many are at risk, hence the width of the ranges a
little, not their middle. ``--uncensored`` leaves them out altogether: everyone is followed to their event.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim.engines.fast import FastEngine
from trialsim.engines.plan import Plan, build_plan
from trialsim.scenario.load import load_scenario, patient_table
from trialsim.timegrid import TICKS_PER_DAY

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from reenactments import Figure, figure_among, survival_at  # noqa: E402

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DAYS_PER_MONTH = 30.4375
CHECK_MONTHS = (6, 12, 24, 30)
CURVE_MONTHS = tuple(float(month) for month in np.arange(0.0, 30.5, 0.5))
CUT_MONTHS = 40
_CHUNK = 100


@dataclass(frozen=True)
class Reenactment:
    """What re-enactments showed.

    Parameters
    ----------
    arms, months
        Names, and months since randomisation.
    survival
        Kaplan-Meier estimates, ``[replicate, arm, month]``.
    cd4
        Mean CD4 count at week 20, ``[replicate, arm]``.
    at_risk
        Patients still followed, ``[replicate, arm, month]``.
    """

    arms: tuple[str, ...]
    months: tuple[float, ...]
    survival: Floats
    cd4: Floats
    at_risk: Ints


def fitted_plan(seed: int = 1, truth: str = "fitted", design: str = "fixed") -> Plan:
    """Return the plan of a design of ``actg175.yaml`` under one of its truths."""
    scenario = load_scenario(HERE / "actg175.yaml")
    return build_plan(scenario, design, truth, seed, 1, patient_table(scenario))


def reenact(
    plan: Plan, replicates: int, months: tuple[float, ...] = CHECK_MONTHS, *, censored: bool = True
) -> Reenactment:
    """Return what re-enactments of a plan show, patient by patient, at a data cut at 40 months.

    Parameters
    ----------
    plan
        From :func:`fitted_plan`; its first survival endpoint and first other endpoint are read.
    replicates
        Trials, numbered from 0.
    months
        When survival is estimated.
    censored
        Whether patients are lost to follow-up and censored at the cut, as the scenario assumes.
    """
    kinds = [law.kind for law in plan.world.outcomes]
    progression, count = kinds.index("survival"), kinds.index("continuous")
    engine, arms = FastEngine(plan), len(plan.arms)
    times = np.array([round(month * DAYS_PER_MONTH * TICKS_PER_DAY) for month in months])
    cut = round(CUT_MONTHS * DAYS_PER_MONTH * TICKS_PER_DAY)
    survival = np.empty((replicates, arms, len(months)))
    at_risk = np.empty((replicates, arms, len(months)), dtype=np.int64)
    cd4 = np.empty((replicates, arms))
    for first in range(0, replicates, _CHUNK):
        numbers = np.arange(first, min(first + _CHUNK, replicates))
        chunk = engine.start(numbers)
        event, cell = chunk.outcome(progression), chunk.outcome(count)
        shape = (len(numbers), plan.n)
        entry, arm = np.broadcast_to(chunk.entry, shape), np.broadcast_to(chunk.arm, shape)
        readout_at = np.broadcast_to(cell.readout_at, shape)
        for row, number in enumerate(numbers):
            if censored:
                followed = np.minimum(event.exit_at[row], cut) - entry[row]
                had = event.event_at[row] <= cut
                read = readout_at[row] <= cut
            else:
                followed, had = event.delay[row], np.ones(plan.n, dtype=bool)
                read = np.ones(plan.n, dtype=bool)
            for a in range(arms):
                here = arm[row] == a
                found = survival_at(followed[here], had[here], times)
                survival[number, a], at_risk[number, a] = found
                cd4[number, a] = cell.value([row])[0][here & read].mean()
    return Reenactment(plan.arms, tuple(months), survival, cd4, at_risk)


def real_curves(months: tuple[float, ...]) -> dict[str, Floats]:
    """Return the Kaplan-Meier curves of the real patients by arm, by :func:`survival_at`."""
    table = pd.read_csv(HERE / "patients.csv", usecols=["arms", "days", "cens"])
    days, event, codes = table["days"].to_numpy(), table["cens"].to_numpy() == 1, table["arms"].to_numpy()
    times = np.array(months) * DAYS_PER_MONTH
    names = ("zdv", "zdv_ddi", "zdv_zal", "ddi")  # codes 0 to 3 of the column `arms`
    return {
        name: survival_at(days[codes == code], event[codes == code], times)[0]
        for code, name in enumerate(names)
    }


def figures(found: Reenactment) -> list[Figure]:
    """Return the 16 survival figures and 4 CD4 means of ``real.json`` beside their re-enactments."""
    real = json.loads((HERE / "real.json").read_text(encoding="utf-8"))["arms"]
    listed = []
    for a, arm in enumerate(found.arms):
        for point in real[arm]["kaplan_meier"]:
            simulated = found.survival[:, a, found.months.index(point["months"])]
            listed.append(
                figure_among(arm, f"survival at {point['months']} months", point["survival"], simulated)
            )
        listed.append(figure_among(arm, "CD4 at week 20", real[arm]["cd4_week20"]["mean"], found.cd4[:, a]))
    return listed


def table_text(listed: list[Figure]) -> str:
    """Return the figures as a table."""
    lines = ["| arm | figure | real | simulated mean | 2.5% to 97.5% | percentile of the real value |"]
    lines.append("|---|---|---|---|---|---|")
    for one in listed:
        digits = 1 if one.name.startswith("CD4") else 3
        numbers = [f"{value:.{digits}f}" for value in (one.real, one.mean, one.low, one.high)]
        span = f"{numbers[2]} to {numbers[3]}{'' if one.inside else ' (outside)'}"
        lines.append(
            f"| {one.arm} | {one.name} | {numbers[0]} | {numbers[1]} | {span} | {one.percentile:.1f} |"
        )
    return "\n".join(lines)


def at_risk_text(found: Reenactment, month: int = 30) -> str:
    """Return how many were still followed late in the trial: the assumed censoring beside the real one."""
    real = json.loads((HERE / "real.json").read_text(encoding="utf-8"))["arms"]
    followed = found.at_risk[:, :, found.months.index(month)].mean(axis=0)
    parts = []
    for a, arm in enumerate(found.arms):
        (point,) = [point for point in real[arm]["kaplan_meier"] if point["months"] == month]
        parts.append(f"{arm} {point['at_risk']} and {followed[a]:.0f}")
    return f"At risk at {month} months, really and on average in re-enactments: {', '.join(parts)}."


def main(arguments: list[str] | None = None) -> int:
    """Print the table, draw the picture where one is asked for; fail where a real value lies outside."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=2000, help="re-enactments (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of every draw (default 1)")
    parser.add_argument("--truth", default="fitted", help="a truth of actg175.yaml (default fitted)")
    parser.add_argument("--uncensored", action="store_true", help="no dropout and no data cut")
    parser.add_argument("--picture", type=Path, help="draw the curves into this file (.png or .svg)")
    options = parser.parse_args(arguments)
    if options.replicates < 40:
        parser.error("--replicates: at least 40 are needed for a 2.5th percentile")
    plan = fitted_plan(options.seed, options.truth)
    months = CURVE_MONTHS if options.picture else CHECK_MONTHS
    found = reenact(plan, options.replicates, months, censored=not options.uncensored)
    listed = figures(found)
    inside = sum(one.inside for one in listed)
    print(table_text(listed))
    print(f"\n{inside} of {len(listed)} real values lie inside the central 95% of their re-enactments.")
    print(at_risk_text(found))
    if options.picture:
        sys.path.insert(0, str(HERE))
        from draw_reenactment import draw

        days = tuple(day / DAYS_PER_MONTH for day in range(round(max(months) * DAYS_PER_MONTH) + 1))
        draw(found, days, real_curves(days), listed, options.picture)
    return 0 if inside == len(listed) else 1


if __name__ == "__main__":
    sys.exit(main())
