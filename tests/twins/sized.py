"""Small scenarios whose sizes are re-estimated, on grids on which nearly every event ties with another.

Enrolment closes before the decision and opens again, closes by a decision, or goes on; patients are lost, come at random
times, drift, and are allocated in blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.engines.conduct import conduct
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY

_DAY, _WEEK = TICKS_PER_DAY, 7 * TICKS_PER_DAY
_LOST = {"baseline": {"survival": 0.7, "at": "10 days"}}
_SPACED = {"evenly_spaced": {"over": "20 days"}}
_SCORE = {"kind": "continuous", "readout": "4 days", "mean": 0, "sd": 1, "effect": {"treatment": 0.6}}
_RESPONSE = {
    "kind": "binary", "readout": "3 days", "rate": 0.3, "effect": {"treatment": 0.6}, "effect_measure": "rate",
}  # fmt: skip


def _tree(endpoint: dict[str, Any], analysis: Any, accrual: dict[str, Any], **parts: Any) -> dict[str, Any]:
    designs = parts.pop("designs")
    for design in designs.values():
        design |= {"kind": "sample_size_reestimation", "tests": {"better": {"alpha": 0.1}}}
    return {
        "name": "sized",
        "horizon": "2 years",
        "arms": ["control", "treatment"],
        "accrual": accrual,
        "endpoints": {"outcome": endpoint},
        "hypotheses": {
            "better": {
                "endpoint": "outcome",
                "arms": ["treatment", "control"],
                "analysis": analysis,
                "direction": "higher",
            }
        },
        "truths": {"effect": {}},
        "designs": designs,
    } | parts


def _look(count: int, cleaning: int = 0, decision: int = 0) -> dict[str, Any]:
    return {
        "when": {"readouts": count},
        "cleaning_lag": f"{cleaning} days",
        "decision_lag": f"{decision} days",
    }


def _reopening() -> dict[str, Any]:
    """Everybody planned has come before the decision; enrolment opens again for some trials."""
    rule = {"conditional_power": {"target": 0.9, "zone": [0.1, 0.95], "maximum": 60}}
    shared = {"n": 24, "allocation": "alternating", "reestimation": rule}
    return _tree(
        _SCORE,
        {"z_test": {"sd": 1}},
        _SPACED,
        designs={
            "late": shared | {"looks": [_look(12, 5, 9), _look(24)]},
            "just": shared | {"looks": [_look(12, 3, 3), _look(24, 2)]},
            "soon": shared | {"looks": [_look(8), _look(24)]},
        },
    )


def _seesaw() -> dict[str, Any]:
    """A decision closes enrolment below those enrolled, and the next opens it again."""
    rule = {"target": 0.8, "maximum": 48, "minimum": 8, "stage_minimum": 3, "stage_maximum": 20}
    design = {
        "n": 24, "allocation": "alternating", "bounds": {"efficacy_z": [3.0, 0.8, 1.4]},
        "looks": [_look(6, 4), _look(20, 2), _look(24)], "reestimation": {"conditional_power": rule},
    }  # fmt: skip
    slow = {"evenly_spaced": {"over": "40 days"}}
    return _tree(_SCORE | {"readout": "9 days"}, {"z_test": {"sd": 1}}, slow, designs={"seesaw": design})


def _up_and_down() -> dict[str, Any]:
    """Three looks, each of which resizes the next stage, up or down to less than has been enrolled."""
    rule = {
        "target": 0.8, "maximum": 50, "minimum": 10, "stage_minimum": 3, "stage_maximum": 20,
    }  # fmt: skip
    bounds = {"efficacy_z": [2.5, 2.2, 1.4], "futility_z": [-1.5, -1.0, None]}
    shared = {"n": 30, "bounds": bounds, "reestimation": {"conditional_power": rule}}
    return _tree(
        _SCORE | {"drift": {"per_year": 3.0}},
        "t_test",
        {"poisson": {"rate": "1.5 per day"}},
        dropout=_LOST,
        costs={"patient": 100, "patient_month": 10, "look": 50},
        designs={
            "blocks": shared
            | {
                "allocation": {"permuted_blocks": {"size": 6, "ratio": {"control": 1, "treatment": 2}}},
                "looks": [_look(8), _look(14, 1), _look(21, 1)],
            },
            "lagging": shared
            | {"allocation": "simple", "looks": [_look(8, 6), _look(14, 6, 6), _look(21, 3)]},
        },
    )


def _blinded() -> dict[str, Any]:
    """The pooled rate moves the size, downwards too."""
    rule = {"blinded_variance": {"effect": 0.3, "power": 0.8, "maximum": 70, "minimum": 16}}
    return _tree(
        _RESPONSE,
        "score_test",
        _SPACED,
        designs={
            "early": {
                "n": 40, "allocation": "alternating", "looks": [_look(12), _look(40)], "reestimation": rule,
            },
            "late": {
                "n": 40, "allocation": {"permuted_blocks": {"size": 4}}, "looks": [_look(32, 4, 2), _look(40)],
                "reestimation": rule,
            },
        },
    )  # fmt: skip


SIZED: dict[str, tuple[dict[str, Any], int]] = {
    "reopening": (_reopening(), _DAY),
    "reopening by the week": (_reopening(), _WEEK),
    "reopening on fine time": (_reopening(), 1),
    "seesaw": (_seesaw(), _DAY),
    "up and down": (_up_and_down(), _DAY),
    "up and down by the week": (_up_and_down(), _WEEK),
    "up and down on fine time": (_up_and_down(), 1),
    "blinded": (_blinded(), _DAY),
    "blinded by the week": (_blinded(), _WEEK),
}
"""A tree and the grid on which it ties."""


def plans_of(cases: dict[str, tuple[dict[str, Any], int]], name: str) -> list[Plan]:
    """Return the plans of all designs of a tree, on its grid."""
    tree, grid = cases[name]
    scenario = scenario_from(tree)
    (truth,) = scenario.truths
    return [build_plan(scenario, design, truth, 11, grid) for design in scenario.designs]


def what_chunks_change(plan: Plan, replicates: int) -> list[tuple[str, str]]:
    """Return the columns in which trials that are run alone differ from the same trials run together."""
    whole = columns_of(conduct(start_engine(plan, "fast").start(np.arange(replicates))))
    engine = start_engine(plan, "fast")
    alone = [columns_of(conduct(engine.start(np.array([r])))) for r in range(replicates)]
    return [
        (table, column)
        for table, columns in whole.items()
        for column, values in columns.items()
        if not np.array_equal(
            values,
            np.concatenate([part[table][column] for part in alone]),
            equal_nan=values.dtype.kind == "f",
        )
    ]
