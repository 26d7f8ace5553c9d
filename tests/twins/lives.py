"""Small scenarios of patients' lives on a grid of days, in which clocks tie and everything changes everything else."""

from __future__ import annotations

from typing import Any

from trialsim.timegrid import TICKS_PER_DAY

ARMS = ["control", "treatment", "high"]
_DAY = TICKS_PER_DAY


def _tree(**parts: Any) -> dict[str, Any]:
    analyses = {"survival": "logrank", "continuous": "t_test", "binary": "score_test"}
    hypotheses = {
        name: {
            "endpoint": name,
            "arms": ["treatment", "control"],
            "analysis": analyses[endpoint["kind"]],
            "direction": "lower" if endpoint["kind"] == "survival" else "higher",
        }
        for name, endpoint in parts["endpoints"].items()
    }
    design = {
        "kind": "group_sequential",
        "n": 36,
        "allocation": {"permuted_blocks": {"size": 6}},
        "tests": {name: {"alpha": 0.025} for name in hypotheses},
    }
    tree = {"name": "lives", "arms": ARMS, "truths": {"here": {}}, "hypotheses": hypotheses} | parts
    tree["designs"] = {name: design | own for name, own in parts["designs"].items()}
    return tree


def everything() -> dict[str, Any]:
    """Return a scenario in which every part of a life is at work."""
    return _tree(
        horizon="120 days",
        population={
            "marginals": {"age": {"normal": {"mean": 50, "sd": 10}}},
            "traits": {"toxicity": {"sd": 0.5}},
        },
        accrual={"uniform": {"over": "30 days"}},
        endpoints={
            "death": {
                "kind": "survival",
                "baseline": {"median": "90 days"},
                "effect": {"treatment": 0.6, "high": 0.5},
                "terminal": True,
            },
            "marker": {
                "kind": "continuous",
                "readout": "10 days",
                "mean": 10,
                "sd": 3,
                "effect": {"treatment": 2, "high": 3},
            },
            "progression": {
                "kind": "survival",
                "baseline": {"weibull": {"shape": 1.3, "median": "40 days"}},
                "effect": {
                    "treatment": [
                        {"from": "0 days", "hazard_ratio": 1.0},
                        {"from": "9 days", "hazard_ratio": 0.4},
                    ],
                    "high": 0.5,
                },
                "readout": "5 days",
                "covariates": {"age": 0.02},
                "centre": {"age": 50},
                "effect_kind": "conditional",
            },
        },
        dropout={"baseline": {"median": "150 days"}, "after": {"moderate": 2.0}},
        treatment={
            "doses": [1, 0.5],
            "duration": "40 days",
            "waning": {"half_life": "16 days"},
            "rescue": {
                "probability": 0.6,
                "delay": "5 days",
                "hazard_ratio": {"progression": 0.5, "death": 0.7},
            },
            "crossover": {
                "from": ["control", "high"],
                "to": "treatment",
                "probability": 0.7,
                "on": "progression",
                "delay": {"exponential": {"mean": "4 days"}},
            },
        },
        discontinuation={
            "adverse_event": {
                "baseline": {"median": "80 days"},
                "effect": {"treatment": 1.5, "high": 2},
                "after": {"moderate": 2.0, "severe": 4.0},
                "outcome": {"marker": -0.1},
            },
            "physician": {
                "baseline": {
                    "piecewise": [
                        {"from": "0 days", "hazard": "0 per day"},
                        {"from": "6 days", "hazard": "0.02 per day"},
                    ]
                }
            },
        },
        withdrawal={
            "baseline": {"median": "200 days"},
            "after": {"severe": 3.0},
            "outcome": {"marker": 0.05},
        },
        adverse_events={
            "nausea": {
                "baseline": {"hazard": "0.08 per day"},
                "severity": {"mild": 0.7, "moderate": 0.3},
                "window": "0 days",
                "actions": {"moderate": {"interrupt": 1.0}},
                "interruption": "3 days",
            },
            "rash": {
                "baseline": {"hazard": "0.06 per day"},
                "effect": {"treatment": 1.5, "high": 2.0},
                "latent": {"toxicity": 1},
                "dose_exponent": 1.0,
                "severity": {"mild": 0.5, "moderate": 0.3, "severe": 0.2},
                "serious": {"severe": 0.5},
                "fatal": {"severe": 0.05},
                "duration": {"log_normal": {"median": "5 days", "sd_log": 1}},
                "window": "8 days",
                "actions": {
                    "moderate": {"interrupt": 0.5, "reduce": 0.3},
                    "severe": {"discontinue": 0.3, "reduce": 0.3, "interrupt": 0.3},
                },
                "interruption": {"uniform": {"from": "2 days", "to": "12 days"}},
            },
        },
        designs={
            "two_looks": {
                "looks": [
                    {"when": {"events": {"count": 6, "endpoint": "death"}}, "decision_lag": "2 days"},
                    {"when": {"events": {"count": 22, "endpoint": "progression"}}},
                ],
                "bounds": {"efficacy_z": [2.0, 1.5], "futility_z": [-0.3, None]},
            },
            "read_out": {
                "looks": [{"when": {"readouts": 12}, "decision_lag": "1 days"}, {"when": {"readouts": 36}}],
                "bounds": {"efficacy_z": [1.0, 1.5], "futility_z": [0.2, None]},
                "reviews": {"every": {"enrolled": 9}},
            },
        },
    )


def graded() -> dict[str, Any]:
    """Return a scenario of grades, an effect that stops, crossover at discontinuation, and one endpoint besides death."""
    return _tree(
        horizon="90 days",
        accrual={"evenly_spaced": {"over": "20 days"}},
        endpoints={
            "alive": {
                "kind": "survival",
                "baseline": {"median": "40 days"},
                "effect": {"treatment": 0.5, "high": 0.4},
                "terminal": True,
                "readout": "3 days",
            },
        },
        treatment={
            "effect_stops": True,
            "crossover": {
                "from": ["control"],
                "to": "high",
                "probability": 0.8,
                "on": "discontinuation",
                "delay": "2 days",
            },
        },
        discontinuation={"patient": {"baseline": {"median": "20 days"}, "after": {"2": 1.5, "4": 3}}},
        adverse_events={
            "sepsis": {
                "baseline": {"weibull": {"shape": 0.7, "scale": "20 days"}},
                "grades": {1: 0.3, 2: 0.3, 3: 0.2, 4: 0.1, 5: 0.1},
                "serious": {3: 0.5, 4: 1.0},
                "actions": {3: {"discontinue": 0.5}, 4: {"discontinue": 1.0}},
                "window": "4 days",
            },
        },
        designs={
            "blocks": {
                "looks": [
                    {"when": {"events": 8}, "cleaning_lag": "2 days"},
                    {"when": {"events": 30, "no_later_than": "60 days"}},
                ],
                "bounds": {"efficacy_z": [1.5, 1.0]},
            },
            "in_turn": {
                "looks": [{"when": {"events": 35}}],
                "bounds": {"efficacy_z": [1.0]},
                "allocation": "alternating",
            },
        },
    )


def visited() -> dict[str, Any]:
    """Return a scenario whose progression is seen at visits, reported late and adjudicated."""
    return _tree(
        horizon="100 days",
        accrual={"uniform": {"over": "20 days"}},
        endpoints={
            "death": {
                "kind": "survival",
                "baseline": {"median": "80 days"},
                "effect": {"treatment": 0.6, "high": 0.5},
                "terminal": True,
                "report_delay": {"uniform": {"from": "1 days", "to": "6 days"}},
            },
            "marker": {
                "kind": "binary",
                "readout": "12 days",
                "rate": 0.4,
                "effect": {"treatment": 0.6, "high": 0.7},
                "effect_measure": "rate",
                "detected": "visits",
            },
            "progression": {
                "kind": "survival",
                "baseline": {"median": "25 days"},
                "effect": {"treatment": 0.6, "high": 0.5},
                "detected": "visits",
                "report_delay": "3 days",
                "adjudication": {"delay": {"exponential": {"mean": "8 days"}}, "confirmed": 0.7},
            },
        },
        dropout={"baseline": {"median": "120 days"}, "outcome": {"marker": -1.0}},
        visits={
            "every": "6 days",
            "until": "60 days",
            "jitter": {"sd": "2 days"},
            "missed": 0.15,
            "late": {"probability": 0.2, "delay": {"exponential": {"mean": "5 days"}}},
        },
        treatment={
            "crossover": {
                "from": ["control"],
                "to": "treatment",
                "probability": 0.5,
                "on": "progression",
                "delay": "2 days",
            }
        },
        designs={
            "reported": {
                "looks": [
                    {"when": {"events": {"count": 9, "endpoint": "progression"}}},
                    {"when": {"events": {"count": 34, "endpoint": "progression"}}, "cleaning_lag": "1 days"},
                ],
                "bounds": {"efficacy_z": [1.5, 1.0], "futility_z": [-0.5, None]},
            },
            "dead": {
                "looks": [
                    {"when": {"events": {"count": 6, "endpoint": "death"}}},
                    {"when": {"readouts": 30}},
                    {"when": {"events": {"count": 35, "endpoint": "death"}}},
                ],
                "bounds": {"efficacy_z": [2.5, 2.0, 1.5]},
            },
        },
    )


def told_late() -> dict[str, Any]:
    """Return a scenario of one endpoint that is seen at once and adjudicated, and whose patients are all told apart."""
    return _tree(
        horizon="400 days",
        accrual={"evenly_spaced": {"over": "10 days"}},
        endpoints={
            "relapse": {
                "kind": "survival",
                "baseline": {"median": "15 days"},
                "effect": {"treatment": 0.6, "high": 0.5},
                "report_delay": {"uniform": {"from": "1 days", "to": "9 days"}},
                "adjudication": {"delay": {"uniform": {"from": "1 days", "to": "30 days"}}, "confirmed": 0.6},
            },
            "cure": {
                "kind": "survival",
                "baseline": {"median": "25 days"},
                "effect": {"treatment": 1.5, "high": 2},
                "detected": "visits",
            },
        },
        withdrawal={"baseline": {"median": "30 days"}},
        visits={"at": ["5 days", "6 days", "20 days", "41 days"], "jitter": {"uniform": "3 days"}},
        designs={
            "relapses": {
                "looks": [
                    {"when": {"events": {"count": 12, "endpoint": "relapse"}}},
                    {"when": {"events": {"count": 36, "endpoint": "relapse"}}},
                ],
                "bounds": {"efficacy_z": [1.5, 1.0]},
            },
            "cures": {
                "looks": [{"when": {"events": {"count": 36, "endpoint": "cure"}}}],
                "bounds": {"efficacy_z": [1.0]},
            },
        },
    )


def strategies() -> dict[str, Any]:
    """Return a scenario whose hypotheses handle discontinuation, crossover and death in every way there is."""
    tree = everything()
    tree["name"] = "strategies"
    tree["endpoints"]["response"] = {
        "kind": "binary",
        "readout": "20 days",
        "rate": 0.4,
        "effect": {"treatment": 0.6, "high": 0.7},
        "effect_measure": "rate",
    }
    ways = ["treatment_policy", "hypothetical", "composite", "while_on_treatment", "principal_stratum"]
    arms = {"arms": ["treatment", "control"]}
    tree["hypotheses"] = (
        {
            f"progression_{way}": {"endpoint": "progression", "analysis": "cox", "direction": "lower", "strategy": way}
            | arms
            for way in ways
        }
        | {
            f"death_{way}": {"endpoint": "death", "analysis": "logrank", "direction": "lower", "strategy": way} | arms
            for way in ways[1:4]
        }
        | {
            f"response_{way}": {"endpoint": "response", "analysis": "score_test", "direction": side, "strategy": way}
            | arms
            for way, side in [*((way, "higher") for way in ways), ("composite", "higher")]
        }
        | {
            "response_lower": {
                "endpoint": "response", "analysis": "score_test", "direction": "lower", "strategy": "composite"
            } | arms,
            "marker_window": {
                "endpoint": "marker", "analysis": "t_test", "direction": "higher", "strategy": "while_on_treatment",
                "window": "3 days",
            } | arms,
            "progression_window": {
                "endpoint": "progression", "analysis": "cox", "direction": "lower", "strategy": "while_on_treatment",
                "window": "6 days",
            } | arms,
            "marker_on": {
                "endpoint": "marker", "analysis": "t_test", "direction": "higher", "strategy": "while_on_treatment"
            } | arms,
        }
    )  # fmt: skip
    two_looks = tree["designs"]["two_looks"]
    two_looks["tests"] = {name: {"alpha": 0.025} for name in tree["hypotheses"]}
    tree["designs"] = {"two_looks": two_looks}
    return tree


def only_leaving() -> dict[str, Any]:
    """Return a scenario in which adverse events change treatment and leaving, and the end of treatment changes nothing."""
    tree = everything()
    tree["name"] = "only_leaving"
    tree["treatment"] = {"doses": [1, 0.75, 0.5], "duration": "40 days"}
    for part in (tree["discontinuation"]["adverse_event"], tree["withdrawal"]):
        del part["outcome"]
    tree["withdrawal"]["after"] = {"mild": 0.4, "moderate": 2.5, "severe": 0.5}
    tree["dropout"]["after"] = {"mild": 1.5, "severe": 6.0}
    rash, nausea = tree["adverse_events"]["rash"], tree["adverse_events"]["nausea"]
    del rash["dose_exponent"]
    del rash["fatal"]
    rash["actions"]["mild"] = {"reduce": 0.4}
    nausea["fatal"] = {"moderate": 0.1}
    nausea["actions"]["mild"] = {"interrupt": 0.5}
    return tree


def told_strategies() -> dict[str, Any]:
    """Return a scenario whose hypotheses handle intercurrent events of endpoints that are told late."""
    tree = visited()
    tree["name"] = "told_strategies"
    tree["discontinuation"] = {"any": {"baseline": {"median": "30 days"}}}
    tree["hypotheses"] |= {
        f"{name}_{way}": {
            "endpoint": name, "arms": ["treatment", "control"], "direction": "lower", "strategy": way,
            "analysis": "cox" if way == "composite" else "logrank",
        }
        for name in ("progression", "death")
        for way in ("hypothetical", "composite", "while_on_treatment")
    }  # fmt: skip
    reported = tree["designs"]["reported"]
    reported["tests"] = {name: {"alpha": 0.025} for name in tree["hypotheses"]}
    tree["designs"] = {"reported": reported}
    return tree


def outcomes_change() -> dict[str, Any]:
    """Return a scenario in which read-outs depend on the treatment taken, and loss and stopping on read-outs."""
    tree = everything()
    tree["name"] = "outcomes_change"
    tree["population"]["marginals"]["sex"] = {"categorical": {"female": 0.5, "male": 0.5}}
    tree["endpoints"]["marker"] |= {
        "readout": "21 days",
        "modifiers": {"sex.male": 1.5},
        "effect_kind": "conditional",
    }
    tree["endpoints"]["response"] = {
        "kind": "binary",
        "readout": "14 days",
        "rate": 0.2,
        "effect": {"treatment": 0.9, "high": 0.95},
        "effect_measure": "rate",
        "detected": "visits",
        "drift": {"per_year": -0.5, "scale": "probability"},
    }
    tree["visits"] = {"every": "7 days", "until": "42 days", "jitter": {"uniform": "2 days"}, "missed": 0.1}
    tree["dropout"] |= {"outcome": {"response": 1.5, "marker": -0.05}}
    tree["treatment"]["crossover"] |= {"probability": 0.8, "delay": "2 days"}
    tree["discontinuation"]["often"] = {"baseline": {"median": "15 days"}, "outcome": {"response": 1.0}}
    return tree


def monitored() -> dict[str, Any]:
    """Return a scenario in which doses fall and treatment ends at visits, and read-outs and hazards follow."""
    tree = outcomes_change()
    tree["name"] = "monitored"
    tree["treatment"]["doses"] = [1, 0.7, 0.4]
    first, second = list(tree["designs"])[:2]
    rule = {"level": "mild", "reduce_after": 1, "discontinue_after": 4}
    tree["designs"][first] |= {"policies": {"monitoring": {"dose_modification": rule}}}
    tree["designs"][second] |= {
        "policies": {"monitoring": {"dose_modification": {"level": "moderate", "discontinue_after": 1}}}
    }
    return tree


SCENARIOS: dict[str, tuple[dict[str, Any], int]] = {
    "monitored": (monitored(), _DAY),
    "outcomes_change": (outcomes_change(), _DAY),
    "strategies": (strategies(), _DAY),
    "only_leaving": (only_leaving(), _DAY),
    "told_strategies": (told_strategies(), _DAY),
    "visited": (visited(), _DAY),
    "told_late": (told_late(), _DAY),
    "everything": (everything(), _DAY),
    "graded": (graded(), _DAY),
}
