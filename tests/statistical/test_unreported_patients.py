"""Predicted success where reports lag behind enrolment, against trials simulated by hand with NumPy and SciPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from

TRIALS = 1500
HAZARD, RATIO, LOST, LAG, AT = 0.012, 0.6, 0.002, 20.0, 60.0
ENROLLED, LARGEST, DRAWS, THRESHOLD = 40, 60, 100, 0.9
SHAPE, EXPOSURE = 0.5, 30.0

TREE: dict[str, Any] = {
    "name": "unreported",
    "arms": ["control", "treatment"],
    "accrual": {"poisson": {"rate": "1 per day"}},
    "endpoints": {
        "outcome": {
            "kind": "survival", "baseline": {"hazard": f"{HAZARD} per day"}, "effect": {"treatment": RATIO},
            "readout": f"{LAG:g} days",
        },
    },
    "dropout": {"baseline": {"piecewise": [
        {"from": "0 days", "hazard": f"{LOST} per day"}, {"from": f"{AT:g} days", "hazard": "100000 per day"},
    ]}},
    "hypotheses": {
        "primary": {
            "endpoint": "outcome", "arms": ["treatment", "control"], "direction": "lower",
            "analysis": {"event_rate": {
                "at": f"{AT:g} days", "hazard_shape": [SHAPE], "hazard_exposure": [f"{EXPOSURE:g} days"], "draws": DRAWS,
            }},
        },
    },
    "truths": {"effect": {}},
    "designs": {
        "goldilocks": {
            "kind": "bayesian", "n": LARGEST, "allocation": {"permuted_blocks": {"size": 2}},
            "looks": [{"when": {"enrolled": ENROLLED}}, {"when": {"events": LARGEST}}],
            "tests": {"primary": {"alpha": 0.1, "posterior": THRESHOLD}},
            "decisions": [
                {"do": "stop_for_success", "when": {"all": [
                    {"predictive": {"at": "current", "above": 0.5}}, {"predictive": {"at": "maximum", "above": 0.5}},
                ]}},
            ],
        },
    },
}  # fmt: skip


def _succeeds(patients: int) -> np.ndarray:
    """Return by events on control and on treatment, of as many patients each, whether treatment's rate is lower."""
    grid = (np.arange(4000) + 0.5) / 4000
    law = stats.beta(1 + np.arange(patients + 1)[:, None], 1 + patients - np.arange(patients + 1)[:, None])
    lower: np.ndarray = law.pdf(grid) @ law.cdf(grid).T / 4000
    return lower > THRESHOLD


def by_hand() -> np.ndarray:
    """Return the shares of completed data sets that succeed, ``[now and later, trial]``."""
    rng, tables = np.random.default_rng(4), (_succeeds(ENROLLED // 2), _succeeds(LARGEST // 2))
    found = np.empty((2, TRIALS))
    for trial in range(TRIALS):
        entry = np.cumsum(rng.exponential(1.0, ENROLLED))
        arm = np.concatenate([rng.permutation(2) for _ in range(ENROLLED // 2)])
        had = rng.exponential(1 / (HAZARD * np.where(arm, RATIO, 1.0)))
        leaves = np.minimum(rng.exponential(1 / LOST, ENROLLED), AT)
        # What is known is what had happened a lag before; of those who came since then nothing is.
        seen_for = entry[-1] - LAG - entry
        until = np.minimum(leaves, seen_for)
        event, days = had <= until, np.minimum(had, until)
        totals = np.empty((2, 2, DRAWS), dtype=int)
        for a in range(2):
            mine = (arm == a) & (seen_for >= 0)
            hazard = rng.gamma(SHAPE + event[mine].sum(), size=(DRAWS, 1)) / (EXPOSURE + days[mine].sum())
            left = AT - np.where(mine, days, 0.0)[(arm == a) & ~(mine & event)]
            more = rng.random((DRAWS, len(left))) < -np.expm1(-hazard * left)
            totals[0, a] = event[mine].sum() + more.sum(axis=1)
            come = rng.random((DRAWS, (LARGEST - ENROLLED) // 2)) < -np.expm1(-hazard * AT)
            totals[1, a] = totals[0, a] + come.sum(axis=1)
        found[:, trial] = [tables[k][totals[k, 0], totals[k, 1]].mean() for k in range(2)]
    return found


@pytest.mark.slow
def test_patients_of_whom_nothing_is_reported_yet_are_imputed() -> None:
    plan = build_plan(scenario_from(TREE), "goldilocks", "effect", 1)
    decided = columns_of(conduct(start_engine(plan, "fast").start(np.arange(TRIALS))))["decisions"]
    first = decided["look"] == 1
    for theirs, when in zip(by_hand(), ("current", "maximum"), strict=True):
        ours = decided[f"probability:predictive primary at {when}"][first]
        assert len(ours) == TRIALS
        for one, other in ((ours, theirs), (ours > 0.5, theirs > 0.5)):
            error = np.sqrt((one.var() + other.var()) / TRIALS)
            assert 0.15 < other.mean() < 0.85
            assert abs(one.mean() - other.mean()) < 5 * error, (when, one.mean(), other.mean(), error)
