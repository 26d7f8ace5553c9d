"""Power of weighted log-rank tests and of restricted means against lrstat and simtrial."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialsim.engines.runner import run
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

TRIALS = 8000
TABLE = Path(__file__).parents[1] / "reference" / "nph.csv"
ROWS = [
    row
    for row in csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines())
    if (row["test"] == "FH" and row["method"].startswith("simulation"))
    or (row["test"] == "RMST(20)" and row["package"] != "gsDesign2")
]
COURSES = {row["scenario"]: (row["hr_change_times"].split(";"), row["hr"].split(";")) for row in ROWS}


def name_of(row: dict[str, str]) -> str:
    return (
        f"fh_{float(row['rho1']) * 10:.0f}_{float(row['rho2']) * 10:.0f}" if row["test"] == "FH" else "rmst"
    )


def analysis_of(row: dict[str, str]) -> dict[str, Any]:
    if row["test"] == "FH":
        return {"fleming_harrington": {"rho": float(row["rho1"]), "gamma": float(row["rho2"])}}
    return {"restricted_mean": {"up_to": "20 months"}}


def trial(course: str) -> Scenario:
    months, ratios = COURSES[course]
    effect: Any = [
        {"from": f"{m} months", "hazard_ratio": float(r)} for m, r in zip(months, ratios, strict=True)
    ]
    analyses = {name_of(row): analysis_of(row) for row in ROWS if row["scenario"] == course}
    return scenario_from(
        {
            "name": "nph",
            "arms": ["control", "treatment"],
            "accrual": {"uniform": {"over": "12 months"}},
            "endpoints": {
                "death": {
                    "kind": "survival",
                    "baseline": {"median": "8 months"},
                    "effect": {"treatment": effect if len(effect) > 1 else float(ratios[0])},
                }
            },
            "dropout": {"baseline": {"survival": 0.95, "at": "12 months"}},
            "hypotheses": {
                name: {
                    "endpoint": "death",
                    "arms": ["treatment", "control"],
                    "analysis": each,
                    "direction": "lower",
                }
                for name, each in analyses.items()
            },
            "truths": {"here": {}},
            "designs": {
                "one": {
                    "kind": "fixed",
                    "n": 400,
                    "allocation": "alternating",
                    "looks": [{"when": {"calendar": "30 months"}}],
                    "tests": {name: {"alpha": 0.025} for name in analyses},
                }
            },
        }
    )


@pytest.mark.parametrize(
    "course",
    [
        course if course in ("delayed4", "null") else pytest.param(course, marks=pytest.mark.slow)
        for course in COURSES
    ],
)
def test_the_power_is_that_of_lrstat_and_simtrial(course: str) -> None:
    rejected: dict[str, list[np.ndarray]] = {}
    rows = [row for row in ROWS if row["scenario"] == course]

    def keep(tables: dict[str, Any]) -> None:
        for row in rows:
            z = np.array(tables["trials"][f"z:{name_of(row)}"])
            rejected.setdefault(name_of(row), []).append(z > 1.959963984540054)

    run(trial(course), None, None, TRIALS, 1, "fast", 1, keep)
    for row in rows:
        found = np.concatenate(rejected[name_of(row)]).mean()
        power, error = float(row["power"]), float(row["mc_se"] or 0.0)
        # What is computed without simulation is itself an approximation by large samples.
        spread = np.hypot(np.sqrt(power * (1 - power) / TRIALS), error)
        assert abs(found - power) < 5 * spread, (row["test"], row["package"], row["method"], found)
