"""Several arms against one control in stages, against MAMS and rpact."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.stats.multiplicity.dunnett import control_loadings, dunnett_bound

HERE = Path(__file__).parent
MAMS = pd.read_csv(HERE / "mams.csv")
ONE_STAGE = MAMS[MAMS.J == 1]
TWO_STAGES = sorted({(int(row.K), row.shape) for row in MAMS[MAMS.J == 2].itertuples()})
RPACT = pd.read_csv(HERE / "sim_oc_multiarm.csv").set_index("row_id")
SCENARIO = HERE.parents[1] / "scenarios" / "multi_arm" / "multi_arm.yaml"
TRIALS = 20_000


def run(scenario: Any, design: str, truth: str, trials: int = TRIALS) -> ChunkResult:
    plan = build_plan(scenario, design, truth, 20260101)
    return conduct(start_engine(plan, "fast").start(np.arange(trials)))


@pytest.mark.parametrize("arms", sorted(ONE_STAGE.K))
def test_one_stage_of_mams_is_dunnetts_bound(arms: int) -> None:
    """Its bound is found to the tolerance of its own integration, as the level that it reports says."""
    row = ONE_STAGE[arms == ONE_STAGE.K].iloc[0]
    bound = dunnett_bound(row.alpha_star_final, control_loadings(1.0, np.ones(arms)))
    assert bound == pytest.approx(row.upper, abs=2e-6)


def mams_trial(arms: int, shape: str) -> Any:
    """Return a trial with the bounds of a row of MAMS: every arm until it falls below, all until one is above."""
    rows = MAMS[(MAMS.J == 2) & (arms == MAMS.K) & (MAMS["shape"] == shape)]
    size, names = int(rows.n_stage1_control.iloc[0]), [f"a{k}" for k in range(arms)]
    return scenario_from(
        {
            "name": "mams",
            "arms": ["control", *names],
            "accrual": {"evenly_spaced": {"rate": "1 per day"}},
            "endpoints": {
                "score": {
                    "kind": "continuous", "readout": "12 hours", "mean": 0, "sd": 1, "effect": dict.fromkeys(names, 0),
                }
            },
            "hypotheses": {
                name: {
                    "endpoint": "score", "arms": [name, "control"], "analysis": {"z_test": {"sd": 1}},
                    "direction": "higher",
                }
                for name in names
            },
            # p = 0.75: a patient in the arm does better than one on control with this chance.
            "truths": {"null": {}, "one": {"endpoints.score.effect.a0": math.sqrt(2) * float(norm.ppf(0.75))}},
            "designs": {
                "only": {
                    "kind": "group_sequential",
                    "n": int(rows.N_total.iloc[0]),
                    "allocation": "alternating",
                    "looks": [
                        {"when": {"readouts": {"count": (k + 1) * size, "open_arms": "each"}}} for k in range(2)
                    ],
                    "tests": {name: {"alpha": 0.05} for name in names},
                    "bounds": {"efficacy_z": rows.upper.tolist(), "futility_z": [rows.lower.iloc[0], None]},
                    "policies": {"stopping": {"bounds": {"stop_when": "any"}}},
                }
            },
        }
    )  # fmt: skip


@pytest.mark.parametrize(("arms", "shape"), TWO_STAGES)
def test_two_stages_of_mams_have_its_level_and_power(arms: int, shape: str) -> None:
    """Level 0.05 with all arms null, power 0.9 for the one arm that works; n is rounded up to whole patients."""
    rows = MAMS[(MAMS.J == 2) & (arms == MAMS.K) & (MAMS["shape"] == shape)]
    level = float(rows.alpha_star_final.iloc[0])
    scenario = mams_trial(arms, shape)
    wrong = run(scenario, "only", "null").rejected.any(axis=1).mean()
    assert abs(wrong - level) < 5 * math.sqrt(level * (1 - level) / TRIALS)
    # Power is that of rejecting with the arm that works the best of those above the bound.
    found = run(scenario, "only", "one")
    right = found.rejected[:, 0] & (found.z[:, 0] >= np.nanmax(found.z, axis=1))
    error = 5 * math.sqrt(0.09 / TRIALS)
    size = int(rows.n_stage1_control.iloc[0])
    assert 0.9 - error < right.mean() < 0.9 + error + 0.9 * 0.5 / size


def figures(text: str) -> list[float]:
    return [float(each) for each in text.split(";")]


@pytest.mark.slow
@pytest.mark.parametrize(("row_id", "design"), [("E17", "rates_best"), ("E21", "means_epsilon")])
def test_power_is_rpacts(row_id: str, design: str) -> None:
    """Any arm, and each arm by stage; survival (E22) has other events in its second stage: see expected.yaml."""
    row = RPACT.loc[row_id]
    found = run(load_scenario(SCENARIO), design, "effect")
    nrep = float(row.nrep)

    def near(ours: float, theirs: float) -> bool:
        return abs(ours - theirs) < 5 * math.sqrt(max(theirs * (1 - theirs), 1e-3) * (1 / TRIALS + 1 / nrep))

    assert near(found.rejected.any(axis=1).mean(), row.reject_overall)
    per_arm = figures(row.rejected_arms_per_stage_by_arm)
    for arm in range(found.rejected.shape[1]):
        for look in (1, 2):
            ours = (found.reject_look[:, arm] == look).mean()
            assert near(ours, per_arm[2 * arm + look - 1]), (arm, look)
