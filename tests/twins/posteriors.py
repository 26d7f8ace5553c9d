"""Bayesian designs whose tests are analysed by every model that is not beta-binomial, one for each kind of endpoint."""

from __future__ import annotations

from typing import Any

from trialsim.scenario.hypotheses import POSTERIORS_OF_KIND

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "robust_beta_binomial": [{"control_a": 6, "control_b": 14, "margin": -0.1}],
    "logistic_laplace": [{}, {"covariates": ["age"], "margin_ratio": 0.9}],
    "normal_known_variance": [{"sd": 2, "prior_sd": 5}, {"sd": 2, "prior_sd": 5, "margin": -0.5}],
    "normal_unknown_variance": [{}],
    "robust_normal": [{"sd": 2, "control_mean": 1, "control_sd": 0.5, "vague_mean": 0, "vague_sd": 5}],
    "gamma_exponential": [{"prior_rate": "5 days", "margin_ratio": 1.2}],
    "piecewise_exponential": [
        {"at": "9 days", "prior_rate": "5 days", "starts": ["0 days", "4 days"], "followed_for": "9 days", "draws": 50},
    ],
    "event_rate": [
        {"at": "9 days", "hazard_exposure": ["5 days"], "starts": ["0 days", "4 days"], "draws": 60,
         "final_hazard_shape": [1.0], "margin": 0.1},
    ],
    "cox_laplace": [{}, {"covariates": ["age"]}],
}  # fmt: skip
ENDPOINTS: dict[str, dict[str, Any]] = {
    "survival": {
        "kind": "survival", "baseline": {"median": "9 days"}, "effect": {"treatment": 0.5}, "readout": "1 day",
    },
    "continuous": {"kind": "continuous", "readout": "3 days", "mean": 1, "sd": 2, "effect": {"treatment": 1.0}},
    "binary": {
        "kind": "binary", "readout": "3 days", "rate": 0.3, "effect": {"treatment": 0.5}, "effect_measure": "rate",
    },
}  # fmt: skip

AGEING = {"covariates": {"age": 0.02}, "centre": {"age": 50}, "effect_kind": "conditional"}
NULL = {"survival": 1.0, "continuous": 0, "binary": 0.3}


def tree(kind: str) -> dict[str, Any]:
    """Return a scenario in which every closed-form model of a kind of endpoint decides at three looks."""
    names = [name for name in POSTERIORS_OF_KIND[kind] if name in OPTIONS]
    hypotheses = {
        f"{name}_{k}": {
            "endpoint": "outcome", "arms": ["treatment", "control"], "analysis": {name: options},
            "direction": "lower" if kind == "survival" else "higher",
        }
        for name in names
        for k, options in enumerate(OPTIONS[name])
    }  # fmt: skip
    rules: list[dict[str, Any]] = [
        {"do": "stop_for_futility", "when": {"all": [{"posterior": {"test": name, "below": 0.05}} for name in hypotheses]}},
        {"do": "stop_for_success", "when": {"all": [{"posterior": {"test": name, "above": 0.97}} for name in hypotheses]}},
    ]  # fmt: skip
    if kind == "survival":
        predictive = {"tests": ["event_rate_0"], "at": "current", "above": [0.98, 0.95]}
        rules.insert(0, {"do": "stop_accrual", "when": {"predictive": predictive}})
        rules.append(
            {
                "do": "stop_for_futility",
                "when": {"predictive": predictive | {"at": "maximum", "above": None, "below": 0.1}},
            }
        )
        del rules[-1]["when"]["predictive"]["above"]
        of_survival = {"tests": ["piecewise_exponential_0"], "at": "maximum", "below": 0.1}
        rules.append({"do": "stop_for_futility", "when": {"predictive": of_survival}})
    last = {"events": 80} if kind == "survival" else {"readouts": 80}
    return {
        "name": "posteriors",
        "arms": ["control", "treatment"],
        "population": {"marginals": {"age": {"normal": {"mean": 50, "sd": 10}}}},
        "accrual": {"poisson": {"rate": "3 per day"}},
        "endpoints": {"outcome": ENDPOINTS[kind] | AGEING},
        "dropout": {"baseline": {"piecewise": [
            {"from": "0 days", "hazard": "0.01 per day"}, {"from": "9 days", "hazard": "1000 per day"},
        ]}},
        "hypotheses": hypotheses,
        "truths": {"world": {}, "null": {"endpoints.outcome.effect.treatment": NULL[kind]}},
        "designs": {
            "by_posterior": {
                "kind": "bayesian", "n": 80, "allocation": {"permuted_blocks": {"size": 4}},
                "looks": [{"when": {"enrolled": 40}}, {"when": {"enrolled": 60}, "decision_lag": "1 day"}, {"when": last}],
                "tests": {name: {"alpha": 0.05, "posterior": 0.95} for name in hypotheses},
                "decisions": rules,
            },
        },
    }  # fmt: skip


FIRST: dict[str, dict[str, Any]] = {
    "continuous": {"normal_known_variance": {"sd": 2, "prior_sd": 5}},
    "unknown": {
        "normal_unknown_variance": {"prior_worth": 1, "variance_shape_parameter": 1, "variance_scale_parameter": 2}
    },
    "survival": {"gamma_exponential": {"prior_rate": "5 days", "followed_for": "9 days", "draws": 60}},
    "binary": {"robust_beta_binomial": {"control_a": 6, "control_b": 14}},
}  # fmt: skip
"""Models of which more is asked than whether treatment is better."""


def compared(name: str) -> dict[str, Any]:
    """Return a scenario whose rules compare arms, predict success, and ask for effects beyond other margins."""
    kind = "continuous" if name == "unknown" else name
    found, (model,) = tree(kind), FIRST[name]
    arms = ["control", "treatment"] if name == "binary" else ["control", "treatment", "other"]
    ratio, means = kind == "survival", kind == "continuous"
    within, far = (1.7, 1.2) if ratio else (1.2, 0.3) if means else (0.2, 0.1)
    direction = "lower" if ratio or name == "unknown" else "higher"
    hypotheses = {
        f"{arm}_better": {
            "endpoint": "outcome", "arms": [arm, "control"], "analysis": FIRST[name], "direction": direction,
        }
        for arm in arms[1:]
    }  # fmt: skip
    # An effect that is wanted to be low is one below 1, or below 0.
    beyond = {"lower": 1 / far if ratio else -far, "higher": far}[direction]
    rules: list[dict[str, Any]] = [
        {"do": "stop_for_equivalence", "when": {"posterior": {"within": within, "above": 0.75}}},
        {"do": "stop_for_success", "when": {"posterior": {"beyond": beyond, "above": 0.97}}},
    ]
    if model != "robust_beta_binomial":
        rules += [
            {"do": "stop_for_superiority", "when": {"best": {"above": 0.95}}},
            {"do": "drop_arms", "when": {"best": {"below": 0.03}}},
            {"do": "stop_for_equivalence", "when": {"equivalent": {"within": within, "above": 0.5}}},
        ]
    first = next(iter(hypotheses))
    rules += [
        {"do": "stop_accrual", "when": {"predictive": {"tests": [first], "above": [0.7, 0.6]}}},
        {
            "do": "stop_for_futility",
            "when": {"predictive": {"tests": [first], "at": "maximum", "below": 0.05}},
        },
    ]
    design = found["designs"]["by_posterior"]
    design |= {
        "tests": {test: {"alpha": 0.05, "posterior": 0.95} for test in hypotheses}, "decisions": rules,
        "allocation": {"permuted_blocks": {"size": len(arms)}},
    }  # fmt: skip
    endpoint = found["endpoints"]["outcome"]
    sign = -1 if name == "unknown" else 1
    endpoint["effect"] = dict.fromkeys(arms[1:], sign * endpoint["effect"]["treatment"])
    null = {f"endpoints.outcome.effect.{arm}": NULL[kind] for arm in arms[1:]}
    return found | {"arms": arms, "hypotheses": hypotheses, "truths": {"world": {}, "null": null}}
