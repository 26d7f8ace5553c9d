"""What the engines hand to an analysis at a look, against lifelines and scipy on the same patients one by one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test
from scipy import stats
from statsmodels.duration.survfunc import survdiff

from tests.twins.tie_rich import FOLDER, SCENARIOS
from trialsim.contracts import Kind, Status
from trialsim.engines.conduct import ChunkResult, LookRecord, conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import load_scenario, patient_table, scenario_from
from trialsim.scenario.schema import Scenario

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Patients:
    """The patients of one trial as its log tells them, times in ticks, -1 for never."""

    entry: np.ndarray
    arm: np.ndarray
    event: dict[int, np.ndarray]
    readout: dict[int, np.ndarray]
    value: dict[int, np.ndarray]
    lost: np.ndarray


def patients_of(result: ChunkResult, row: int) -> Patients:
    plan, n = result.chunk.plan, result.chunk.plan.n
    endpoints = range(len(plan.world.outcomes))

    def never() -> np.ndarray:
        return np.full(n, np.inf)

    found = Patients(never(), np.full(n, -1), {e: never() for e in endpoints}, {e: never() for e in endpoints},
                     {e: np.full(n, np.nan) for e in endpoints}, never())  # fmt: skip
    for entry in result.chunk.log(row):
        if entry.kind == Kind.RANDOMISATION:
            found.entry[entry.id], found.arm[entry.id] = entry.tick, int(entry.value)
        elif entry.kind == Kind.EVENT:
            found.event[entry.part][entry.id] = entry.tick
        elif entry.kind == Kind.READOUT:
            found.readout[entry.part][entry.id], found.value[entry.part][entry.id] = entry.tick, entry.value
        elif entry.kind == Kind.DROPOUT:
            found.lost[entry.id] = entry.tick
    return found


def survival_at(patients: Patients, endpoint: int, until: float, arms: tuple[int, int]) -> pd.DataFrame:
    """Return time, event and treatment of everyone known at a cut, with their place in the trial."""
    known = (patients.entry <= until) & np.isin(patients.arm, arms)
    leave = np.minimum(np.minimum(patients.event[endpoint], patients.lost), until)
    return pd.DataFrame(
        {
            "time": (leave - patients.entry)[known],
            "event": (patients.event[endpoint] <= until)[known],
            "treated": (patients.arm == arms[0])[known],
            "place": np.flatnonzero(known),
        }
    )


def check_look(result: ChunkResult, look: LookRecord, k: int, strata: tuple[str, ...] = ()) -> int:
    """Compare every estimate of one replicate at one look; return how many there were."""
    plan, row, cut = result.chunk.plan, int(look.point.rows[k]), int(look.point.tick[k])
    patients = patients_of(result, row)
    compared = 0
    for t, test in enumerate(plan.tests):
        if look.status[k, t] != Status.OK:
            continue
        compared += 1
        sign = -1.0 if test.lower_is_better else 1.0
        z = sign * look.z[k, t]
        if plan.world.outcomes[test.endpoint].kind != "survival":
            seen = patients.readout[test.endpoint] <= cut
            treated = patients.value[test.endpoint][seen & (patients.arm == test.treatment)]
            control = patients.value[test.endpoint][seen & (patients.arm == test.control)]
            assert look.effect[k, t] == pytest.approx(treated.mean() - control.mean(), rel=1e-9, abs=1e-12)
            if test.analysis.name == "t_test":
                p = stats.ttest_ind(treated, control, alternative="greater" if z > 0 else "less").pvalue
                assert stats.norm.sf(abs(z)) == pytest.approx(p, rel=1e-8)
            else:
                table = [[control.sum(), (1 - control).sum()], [treated.sum(), (1 - treated).sum()]]
                assert z**2 == pytest.approx(
                    stats.chi2_contingency(table, correction=False).statistic, rel=1e-9, abs=1e-12
                )
            continue
        until = cut - plan.world.outcomes[test.endpoint].readout_ticks
        data = survival_at(patients, test.endpoint, until, (test.treatment, test.control))
        if test.analysis.name == "cox":
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # of lifelines about its own use of pandas, and of collinearity
                frame = data[["time", "event", "treated"]].astype(float)
                options = {"precision": 1e-12, "max_steps": 200}
                fit = CoxPHFitter().fit(frame, "time", "event", fit_options=options).summary.loc["treated"]
            assert look.effect[k, t] == pytest.approx(fit["coef"], rel=1e-5, abs=1e-6)
            assert look.se[k, t] == pytest.approx(fit["se(coef)"], rel=1e-5)
        elif strata:
            records = plan.world.source.records(plan.seed, int(result.chunk.replicates[row]), plan.n)
            stratum = plan.strata(strata).of(records)[data["place"]]
            chi_square, _ = survdiff(
                data["time"], data["event"].astype(int), data["treated"].astype(int), strata=stratum
            )
            assert z**2 == pytest.approx(chi_square, rel=1e-9, abs=1e-12)
        else:
            a, b = data[data["treated"]], data[~data["treated"]]
            expected = logrank_test(a["time"], b["time"], a["event"], b["event"])
            assert z**2 == pytest.approx(expected.test_statistic, rel=1e-9, abs=1e-12)
    return compared


def conducted(
    scenario: Scenario, design: str, engine: str, replicates: int, grid: int = 1
) -> list[ChunkResult]:
    plan = build_plan(scenario, design, next(iter(scenario.truths)), 9, grid, patient_table(scenario))
    if engine == "fast":
        return [conduct(start_engine(plan, engine).start(np.arange(replicates)))]
    return [conduct(start_engine(plan, engine).start(np.array([r]))) for r in range(replicates)]


def compared_in(results: list[ChunkResult], strata: tuple[str, ...] = ()) -> int:
    return sum(
        check_look(result, look, k, strata)
        for result in results
        for look in result.looks
        for k in range(len(look.point.rows))
    )


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize("name", ["nph_oncology", "binary_sequential"])
def test_shipped_trials(name: str, engine: str) -> None:
    scenario = load_scenario(ROOT / "scenarios" / name / f"{name}.yaml")
    assert compared_in(conducted(scenario, "group_sequential", engine, 5)) >= 8


@pytest.mark.parametrize("design", ["sequential", "drop_arm", "surrogate"])
def test_the_real_trial_re_enacted(design: str) -> None:
    scenario = load_scenario(ROOT / "scenarios" / "actg175" / "actg175.yaml")
    assert compared_in(conducted(scenario, design, "fast", 2)) >= 6


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize(
    "name", [name for name in SCENARIOS if name != "stages_of_arms"]
)  # closed tests by stage
def test_trials_full_of_ties(name: str, engine: str) -> None:
    tree, grid = SCENARIOS[name]
    scenario = scenario_from(tree, FOLDER)
    compared = sum(compared_in(conducted(scenario, design, engine, 6, grid)) for design in scenario.designs)
    assert compared >= 10


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_stratified_trials_full_of_ties(engine: str) -> None:
    tree, grid = SCENARIOS["arms_that_close"]
    changed: dict[str, Any] = {
        name: hypothesis | {"analysis": {"logrank": {"strata": ["sex"]}}}
        for name, hypothesis in tree["hypotheses"].items()
    }
    scenario = scenario_from(tree | {"hypotheses": changed}, FOLDER)
    assert compared_in(conducted(scenario, "stratified", engine, 8, grid), ("sex",)) >= 20
