"""Bayesian designs that are stopped by adverse events, in worlds in which clocks tie and lives change them."""

from __future__ import annotations

from typing import Any

from tests.twins.lives import everything, graded


def _tested(analysis: dict[str, Any], arms: list[str], direction: str = "lower") -> dict[str, Any]:
    return {"endpoint": "adverse_events", "arms": arms, "analysis": analysis, "direction": direction}


def by_adverse_events(world: dict[str, Any], severe: str | int, term: str) -> dict[str, Any]:
    """Return a world with a design that weighs counts and worst grades of adverse events, of two arms and of one."""
    first = next(name for name, endpoint in world["endpoints"].items() if endpoint["kind"] == "survival")
    both, alone = ["treatment", "control"], ["treatment"]
    hypotheses = {
        "delay": {"endpoint": first, "arms": both, "analysis": {"gamma_exponential": {"prior_rate": "20 days"}},
                  "direction": "lower", "follow_up": "60 days"},
        "counts": _tested({"gamma_poisson": {"prior_rate": "20 days", "margin_ratio": 1.5}}, both),
        "serious": _tested({"gamma_poisson": {"prior_rate": "20 days", "terms": [term], "serious": True,
                                              "rate": "0.01 per day"}}, alone),
        "worst": _tested({"dirichlet_multinomial": {"at_least": severe, "margin": 0.1}}, both),
        "early": _tested({"dirichlet_multinomial": {"at_least": severe, "within": "9 days", "rate": 0.2,
                                                    "terms": [term]}}, alone, "higher"),
    }  # fmt: skip
    rules = [
        {"do": "stop_for_safety", "when": {"posterior": {"test": "counts", "below": 0.1}}},
        {"do": "stop_for_safety", "when": {"any": [
            {"posterior": {"test": "worst", "below": 0.15}}, {"posterior": {"test": "early", "above": 0.9}},
            {"posterior": {"test": "serious", "below": 0.05}},
        ]}},
        {"do": "stop_for_success", "tests": ["delay"], "when": {"all": [
            {"posterior": {"test": "delay", "above": 0.8}},
            {"posterior": {"test": "worst", "beyond": 0.3, "above": 0.4}},
        ]}},
    ]  # fmt: skip
    looks = [
        {"when": {"calendar": "14 days"}},
        {"when": {"calendar": "24 days"}, "cleaning_lag": "2 days"},
        {"when": {"calendar": "40 days"}},
    ]
    design = {
        "kind": "bayesian", "n": 36, "allocation": {"permuted_blocks": {"size": len(world["arms"])}}, "looks": looks,
        "tests": {name: {"alpha": 0.1} for name in hypotheses}, "decisions": rules,
    }  # fmt: skip
    return world | {"hypotheses": hypotheses, "designs": {"by_adverse_events": design}}


TREES = {
    "words": by_adverse_events(everything(), "severe", "rash"),
    "grades": by_adverse_events(graded(), 3, next(iter(graded()["adverse_events"]))),
}
