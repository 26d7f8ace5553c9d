"""Designs that decide on models that are sampled, one of them its user's own; and their decisions, logged and replayed.

``PYTHONPATH=. python -m tests.twins.sampled [NAME]`` runs the trials and writes the logs anew, or one of them.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.packages import write_package
from trialsim.contracts import Estimates, Ints
from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from

LOGGED = {"sampled": range(16), "weibull": range(6)}
"""Trials of each design whose decisions were logged."""
_NUMBERS = ("effect", "se", "z", "information", "error")
PACKAGE = """
import pymc as pm
from trialsim.analyses.sampled.two_arms import PymcAnalysis


def build(data, options):
    with pm.Model() as model:
        treated, value = pm.Data("treated", data["treated"]), pm.Data("value", data["value"])
        control, effect = pm.Normal("control", 0, 10), pm.Normal("effect", 0, options["prior_sd"])
        scale = pm.HalfNormal("scale", 5)
        pm.StudentT("outcome", nu=5, mu=control + effect * treated, sigma=scale, observed=value)
    return model


own = PymcAnalysis(
    "heavy_tails", build, prior={"prior_sd": "of the effect"}, defaults={"prior_sd": 5.0}, estimand="difference_in_means"
)
"""


def register(folder: Path, package: str = PACKAGE, model: str = "heavy_tails") -> None:
    """Put a package with a model of one's own into a folder that is then looked in."""
    write_package(folder, "package_of_twins", package, "trialsim.posteriors", model, "own")


TREE: dict[str, Any] = {
    "name": "sampled",
    "arms": ["control", "treatment"],
    "population": {"marginals": {"age": {"normal": {"mean": 50, "sd": 10}}}},
    "accrual": {"poisson": {"rate": "3 per day"}},
    "endpoints": {
        "response": {
            "kind": "binary", "readout": "3 days", "rate": 0.3, "effect": {"treatment": 0.6}, "effect_measure": "rate",
            "covariates": {"age": 0.03}, "centre": {"age": 50}, "effect_kind": "conditional",
        },
        "score": {"kind": "continuous", "readout": "3 days", "mean": 1, "sd": 2, "effect": {"treatment": 1.0}},
    },
    "hypotheses": {
        "responds": {
            "endpoint": "response", "arms": ["treatment", "control"], "direction": "higher",
            "analysis": {"logistic_nuts": {"covariates": ["age"]}},
        },
        "gains": {
            "endpoint": "score", "arms": ["treatment", "control"], "direction": "higher",
            "analysis": {"model": {"name": "heavy_tails", "options": {"prior_sd": 3}}},
        },
    },
    "truths": {"world": {}},
    "designs": {
        "by_sampling": {
            "kind": "bayesian", "n": 60, "allocation": {"permuted_blocks": {"size": 4}},
            "looks": [{"when": {"enrolled": 30}}, {"when": {"enrolled": 45}, "decision_lag": "1 day"},
                      {"when": {"readouts": {"count": 60, "endpoint": "response"}}}],
            "tests": {"responds": {"alpha": 0.05}, "gains": {"alpha": 0.05}},
            "decisions": [
                {"do": "stop_for_success",
                 "when": {"all": [{"posterior": {"test": name, "above": 0.95}} for name in ("responds", "gains")]}},
                {"do": "stop_for_futility", "looks": [2], "when": {"posterior": {"test": "gains", "below": 0.5}}},
            ],
        }
    },
}  # fmt: skip


WEIBULL: dict[str, Any] = {
    "name": "weibull",
    "arms": ["control", "treatment"],
    "population": {"marginals": {"age": {"normal": {"mean": 50, "sd": 10}}}},
    "accrual": {"poisson": {"rate": "3 per day"}},
    "endpoints": {
        "death": {
            "kind": "survival", "baseline": {"weibull": {"shape": 1.3, "median": "20 days"}}, "effect": {"treatment": 0.5},
            "covariates": {"age": 0.03}, "centre": {"age": 50}, "effect_kind": "conditional",
        },
    },
    "hypotheses": {
        "delays": {
            "endpoint": "death", "arms": ["treatment", "control"], "direction": "lower",
            "analysis": {"weibull_nuts": {"covariates": ["age"], "time_unit": "30 days"}},
        },
    },
    "truths": {"world": {}},
    "designs": {
        "by_sampling": {
            "kind": "bayesian", "n": 60, "allocation": {"permuted_blocks": {"size": 4}},
            "looks": [{"when": {"events": 15}}, {"when": {"events": 30}, "decision_lag": "1 day"},
                      {"when": {"events": 45}}],
            "tests": {"delays": {"alpha": 0.05}},
            "decisions": [
                {"do": "stop_for_success", "when": {"posterior": {"above": 0.97}}},
                {"do": "stop_for_futility", "looks": [2], "when": {"posterior": {"below": 0.6}}},
            ],
        }
    },
}  # fmt: skip

TREES = {"sampled": TREE, "weibull": WEIBULL}


def log_of(name: str) -> Path:
    """Return the file that holds a design's logged decisions."""
    return Path(__file__).parent / f"{name}_decisions.csv"


def plan(name: str = "sampled") -> Plan:
    """Return a design's plan; the own model must be registered."""
    return build_plan(scenario_from(TREES[name]), "by_sampling", "world", 1)


def rows_of(result: ChunkResult) -> Iterable[dict[str, Any]]:
    """Yield what was found at each look of each trial, a row a test."""
    for record in result.looks:
        assert record.error is not None
        for k, row in enumerate(record.point.rows):
            for test in range(record.z.shape[1]):
                numbers = {name: repr(float(getattr(record, name)[k, test])) for name in _NUMBERS}
                at = {
                    "replicate": int(result.chunk.replicates[row]),
                    "look": int(record.point.number[k]),
                    "test": test,
                }
                yield at | numbers | {"status": int(record.status[k, test])}


class Replayed:
    """The analysis of one test as a log tells it."""

    keyed = costly = True

    def __init__(self, name: str, test: int, log: Iterable[dict[str, str]]) -> None:
        self.name, self.estimator, self.estimand = name, "posterior_mean", "risk_difference"
        self._log = {
            (int(row["replicate"]), int(row["look"])): row for row in log if int(row["test"]) == test
        }

    def estimate_at(
        self, cut: Any, lower: bool, options: Any, seed: int, replicates: Ints, looks: Ints, last: int
    ) -> Estimates:
        """Return what the log holds."""
        found = [self._log[int(r), int(look)] for r, look in zip(replicates, looks, strict=True)]
        effect, se, z, information, error = (
            np.array([float(row[name]) for row in found]) for name in _NUMBERS
        )
        return Estimates(
            effect, se, z, information, np.array([int(row["status"]) for row in found], np.int8), error
        )


def replaying(real: Plan) -> Plan:
    """Return a plan with its fits taken from its log."""
    with log_of(real.scenario).open(encoding="utf-8", newline="") as file:
        log = list(csv.DictReader(file))
    tests: list[Any] = [
        replace(test, analysis=Replayed(test.analysis.name, t, log)) for t, test in enumerate(real.tests)
    ]
    return replace(real, tests=tuple(tests))


def main(chosen: list[str]) -> None:
    """Run the trials and write their logs."""
    with tempfile.TemporaryDirectory() as folder:
        register(Path(folder))
        sys.path.insert(0, folder)
        for name in chosen or TREES:
            rows = list(rows_of(conduct(start_engine(plan(name), "fast").start(np.array(LOGGED[name])))))
            with log_of(name).open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
