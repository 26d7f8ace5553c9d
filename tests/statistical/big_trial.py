"""One trial large enough for its patients to show the laws they came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import patient_table, scenario_from
from trialsim.timegrid import TICKS_PER_DAY

RARE = 5.7e-7
"""The two-sided tail probability of five standard errors."""

_ANALYSES = {"survival": "logrank", "binary": "score_test", "continuous": "t_test"}


@dataclass(frozen=True)
class BigTrial:
    """Patients in the order of entry; days since entry, infinite for what did not happen, NaN for what was not read."""

    plan: Plan
    entry: np.ndarray
    arm: np.ndarray
    event: np.ndarray
    value: np.ndarray
    lost: np.ndarray
    records: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """Return one column of the patients' records."""
        return self.records[:, self.plan.world.source.columns.index(name)]


def plan_of(endpoint: dict[str, Any], n: int, seed: int = 1, **parts: Any) -> Plan:
    """Return the plan of a trial of one endpoint in which everything is seen; ``parts`` replace parts of the scenario."""
    tree: dict[str, Any] = {
        "name": "big",
        "horizon": "1000 years",
        "accrual": {"evenly_spaced": {"over": "1 day"}},
        "arms": ["control", "treatment"],
        "endpoints": {"outcome": endpoint},
        "hypotheses": {
            "primary": {
                "endpoint": "outcome",
                "arms": ["treatment", "control"],
                "analysis": _ANALYSES[endpoint["kind"]],
                "direction": "lower",
            }
        },
        "truths": {"world": {}},
        "designs": {
            "one": {
                "kind": "fixed",
                "n": n,
                "allocation": "alternating",
                "looks": [{"when": {"calendar": "900 years"}}],
                "tests": {"primary": {"alpha": 0.025}},
            }
        },
    } | parts
    scenario = scenario_from(tree)
    return build_plan(scenario, "one", "world", seed, 1, patient_table(scenario))


def big_trial(endpoint: dict[str, Any], n: int = 20_000, seed: int = 1, **parts: Any) -> BigTrial:
    """Return the patients of one large trial, as its event log tells them."""
    plan = plan_of(endpoint, n, seed, **parts)
    result = conduct(start_engine(plan, "fast").start(np.array([0])))
    entry, arm = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    event, lost, value = np.full(n, np.inf), np.full(n, np.inf), np.full(n, np.nan)
    for row in result.chunk.log(0):
        if row.kind == Kind.RANDOMISATION:
            entry[row.id], arm[row.id] = row.tick, int(row.value)
        elif row.kind == Kind.EVENT:
            event[row.id] = (row.tick - entry[row.id]) / TICKS_PER_DAY
        elif row.kind == Kind.DROPOUT:
            lost[row.id] = (row.tick - entry[row.id]) / TICKS_PER_DAY
        elif row.kind == Kind.READOUT:
            value[row.id] = row.value
    records = plan.world.source.records(seed, 0, n)
    return BigTrial(plan, entry / TICKS_PER_DAY, arm, event, value, lost, records)


def share_error(p: float, n: int) -> float:
    """Return five standard errors of a share."""
    return 5 * float(np.sqrt(p * (1 - p) / n))
