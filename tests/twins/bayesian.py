"""Bayesian and response-adaptive trials made for ties and for every rule, run in both engines."""

from __future__ import annotations

from typing import Any

from trialsim.timegrid import TICKS_PER_DAY

DAY, WEEK = TICKS_PER_DAY, 7 * TICKS_PER_DAY


def _tree(arms: list[str], designs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    others = arms[1:]
    tree: dict[str, Any] = {
        "name": "bayesian_ties",
        "accrual": {"poisson": {"rate": "2 per day"}},
        "arms": arms,
        "endpoints": {
            "response": {
                "kind": "binary", "readout": "9 days", "rate": 0.3, "effect": dict.fromkeys(others, 0.45),
                "effect_measure": "rate",
            },
            "harm": {
                "kind": "binary", "readout": "2 days", "rate": 0.2, "effect": dict.fromkeys(others, 0.2),
                "effect_measure": "rate",
            },
        },
        "dropout": {"baseline": {"hazard": "0.01 per day"}},
        "hypotheses": {
            "gain": {
                "endpoint": "response", "arms": [arms[-1], arms[0]], "direction": "higher",
                "analysis": {"beta_binomial": {"prior": [0.5, 0.5]}},
            },
            "safety": {
                "endpoint": "harm", "arms": [arms[-1], arms[0]], "direction": "lower",
                "analysis": {"beta_binomial": {"margin": 0.1}},
            },
        },
        "truths": {"world": {}},
        "designs": designs,
    }  # fmt: skip
    return tree | changes


def _looks(*counts: int) -> list[dict[str, Any]]:
    return [{"when": {"enrolled": count}} for count in counts]


_TESTS = {"gain": {"alpha": 0.1, "posterior": 0.8}, "safety": {"alpha": 0.1, "posterior": 0.7}}

TWO_ARMS = _tree(
    ["control", "treatment"],
    {
        "goldilocks": {
            "kind": "bayesian", "n": 60, "allocation": {"permuted_blocks": {"size": 4}},
            "looks": [*_looks(20, 30, 40), {"when": {"readouts": {"count": 60, "endpoint": "response"}}}],
            "tests": _TESTS,
            "decisions": [
                {"do": "stop_accrual", "when": {"predictive": {"above": [0.6, 0.5, 0.4]}}},
                {
                    "do": "stop_for_futility",
                    "when": {"any": [
                        {"predictive": {"tests": ["gain"], "at": "maximum", "below": 0.2}},
                        {"predictive": {"tests": ["safety"], "at": "maximum", "below": 0.1}},
                    ]},
                },
            ],
        },
        "weighed": {
            "kind": "bayesian", "n": 60, "allocation": {"permuted_blocks": {"size": 4}},
            "looks": [*_looks(20, 30, 40), {"when": {"readouts": {"count": 60, "endpoint": "response"}}}],
            "tests": _TESTS,
            "decisions": [
                {"do": "stop_for_safety", "when": {"posterior": {"test": "safety", "below": 0.3}}},
                {"do": "stop_for_equivalence", "when": {"posterior": {"test": "gain", "within": 0.2, "above": 0.7}}},
                {"do": "stop_for_success",
                 "when": {"utility": {"weights": {"gain": 1, "safety": 0.5}, "above": [0.25, 0.2, 0.15, 0.1]}}},
            ],
        },
        "by_enrolment": {
            "kind": "bayesian", "n": 40, "allocation": "alternating",
            "looks": [
                {"when": {"enrolled": 15}, "decision_lag": "3 days"},
                {"when": {"calendar": "15 days"}, "cleaning_lag": "1 day"},
                {"when": {"enrolled": 40}},
            ],
            "tests": _TESTS,
            "decisions": [
                {"do": "stop_accrual", "when": {"posterior": {"test": "gain", "above": 0.93}}},
                {
                    "do": "stop_for_success", "tests": ["gain"],
                    "when": {"all": [{"posterior": {"beyond": 0.05, "above": 0.5}}, {"predictive": {"above": 0.2}}]},
                },
            ],
            "policies": {"randomisation": {"thompson": {"tempered": True, "minimum": 0.1}}},
            "reviews": {"every": {"enrolled": 7}},
        },
    },
)  # fmt: skip

FOUR_ARMS = _tree(
    ["control", "low", "middle", "high"],
    {
        "adaptive": {
            "kind": "bayesian", "n": 80, "allocation": "simple",
            "looks": [{"when": {"readouts": {"count": count, "endpoint": "response"}}} for count in (20, 40, 60, 70)],
            "tests": _TESTS,
            "decisions": [
                {"do": "stop_for_superiority", "when": {"best": {"above": 0.9}}},
                {"do": "drop_arms", "when": {"best": {"below": 0.1}}},
                {"do": "drop_arms", "when": {"posterior": {"below": 0.4}}, "looks": [2, 3]},
                {"do": "stop_for_equivalence", "when": {"equivalent": {"within": 0.15, "above": 0.6}}},
            ],
            "policies": {"randomisation": {"thompson": {"power": 0.5, "minimum": 0.15}}},
        },
    },
)  # fmt: skip


def _adaptive(policy: Any, **changes: Any) -> dict[str, Any]:
    """Return a design in which every analysis that knows of allocation looks at an adaptive trial."""
    return {
        "kind": "group_sequential", "n": 40, "allocation": {"permuted_blocks": {"size": 4}},
        "looks": [{"when": {"readouts": {"count": 12, "endpoint": "response"}}, "decision_lag": "2 days"},
                  {"when": {"calendar": "16 days"}}, {"when": {"enrolled": 40}}],
        "tests": {"by_period": {"alpha": 0.1}, "weighted": {"alpha": 0.1}, "again": {"alpha": 0.1}},
        "bounds": {"efficacy_z": [None, None, 1.3]},
        "policies": {"randomisation": policy},
    } | changes  # fmt: skip


def _compared(analysis: Any) -> dict[str, Any]:
    return {
        "endpoint": "response", "arms": ["treatment", "control"], "direction": "higher", "analysis": analysis,
    }  # fmt: skip


ADAPTIVE = _tree(
    ["control", "treatment"],
    {
        "thompson": _adaptive("thompson"),
        "tempered": _adaptive(
            {"thompson": {"tempered": True, "maximum": 0.8}}, reviews={"every": {"enrolled": 6}}
        ),
        "neyman": _adaptive({"doubly_adaptive": {"target": "neyman", "minimum": 0.1}}, allocation="simple"),
        "rosenberger": _adaptive("doubly_adaptive", reviews={"every": {"calendar": "5 days"}}),
        "protected": _adaptive({"protected_control": {"share": 0.4}}),
    },
    hypotheses={
        "by_period": _compared("cmh_by_period"),
        "weighted": _compared("inverse_probability_weighted"),
        "again": _compared({"rerandomised_proportions": {"draws": 99}}),
    },
)

PROTECTED = _tree(
    ["control", "low", "middle", "high"],
    {
        "protected": FOUR_ARMS["designs"]["adaptive"]
        | {"policies": {"randomisation": {"protected_control": {"power": 0.75, "power_at_start": 0.25}}}},
    },
)

SCENARIOS: dict[str, tuple[dict[str, Any], int]] = {
    "two_arms": (TWO_ARMS, 1),
    "two_arms_by_day": (TWO_ARMS, DAY),
    "two_arms_by_week": (TWO_ARMS, WEEK),
    "adaptive": (ADAPTIVE, 1),
    "adaptive_by_day": (ADAPTIVE, DAY),
    "protected": (PROTECTED, 1),
    "four_arms": (FOUR_ARMS, 1),
    "four_arms_by_day": (FOUR_ARMS, DAY),
}
