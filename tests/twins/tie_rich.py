"""A handful of small scenarios on grids of a day and a week, in which nearly every event ties with another.

Together they use every rule of conduct; the mutations of either engine must show in at least one of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.costly import with_lives, with_sites
from trialsim.timegrid import TICKS_PER_DAY

FOLDER = Path(__file__).resolve().parent
_DAY, _WEEK = TICKS_PER_DAY, 7 * TICKS_PER_DAY
_PEOPLE = {
    "marginals": {
        "sex": {"categorical": {"female": 0.4, "male": 0.6}},
        "age": {"normal": {"mean": 50, "sd": 10}},
    }
}
_LOST = {"baseline": {"survival": 0.6, "at": "20 days"}}


def _against_control(endpoint: str, analysis: str, arms: list[str], direction: str) -> dict[str, Any]:
    return {
        arm: {"endpoint": endpoint, "arms": [arm, arms[0]], "analysis": analysis, "direction": direction}
        for arm in arms[1:]
    }


def _tree(arms: list[str], **parts: Any) -> dict[str, Any]:
    tests = {name: {"alpha": 0.025} for name in parts["hypotheses"]}
    tree: dict[str, Any] = {"name": "tie_rich", "arms": arms, "truths": {"world": {}}} | parts
    for design in tree["designs"].values():
        design |= {"kind": "group_sequential", "tests": tests}
    return tree


def _arms_that_close() -> dict[str, Any]:
    """Four arms in stratified blocks; bounds close arms one by one, or one look drops them."""
    arms = ["control", "low", "middle", "high"]
    looks = [
        {"when": {"events": 8}, "decision_lag": "2 days"},
        {
            "when": {"any": [{"events": {"count": 9, "arms": ["control", "high"]}}, {"calendar": "14 days"}]},
            "decision_lag": "3 days",
        },
        {
            "when": {"all": [{"events": 16}, {"gap": "5 days"}], "no_later_than": "25 days"},
            "cleaning_lag": "1 days",
        },
    ]
    shared = {
        "n": 48,
        "looks": looks,
        "bounds": {"efficacy_z": [1.0, 1.0, 0.5], "futility_z": [-0.5, 0.0, None]},
    }
    return _tree(
        arms,
        population=_PEOPLE,
        accrual={"evenly_spaced": {"over": "16 days"}},
        endpoints={
            "death": {
                "kind": "survival",
                "baseline": {"median": "9 days"},
                "effect": {"low": 1.0, "middle": 0.5, "high": 0.3},
                "readout": "1 days",
            }
        },
        dropout=_LOST,
        hypotheses=_against_control("death", "logrank", arms, "lower"),
        designs={
            "stratified": shared
            | {"allocation": {"stratified_permuted_blocks": {"size": 8, "strata": ["sex"]}}},
            "blocks_dropping": shared
            | {
                "allocation": {
                    "permuted_blocks": {"size": 5, "ratio": {"control": 2, "low": 1, "middle": 1, "high": 1}}
                },
                "policies": {"stopping": {"drop_arms": {"look": 1, "keep": 1}}},
            },
            "alternating": shared | {"allocation": "alternating"},
        },
    )


def _balance_that_goes_on() -> dict[str, Any]:
    """Minimisation whose arms close or whose rule gives way to weights; a biased coin of two arms, one of which closes."""
    arms = ["control", "low", "high"]
    looks = [{"when": {"readouts": 12}, "decision_lag": "1 days"}, {"when": {"readouts": 45}}]
    shared = {"looks": looks, "bounds": {"efficacy_z": [0.8, 1.0], "futility_z": [-0.5, None]}}
    factors = {"factors": ["sex", "region"], "weights": {"region": 2}}
    people = _PEOPLE["marginals"] | {"region": {"categorical": {"east": 0.5, "west": 0.3, "north": 0.2}}}
    tree = _tree(
        arms,
        population={"marginals": people},
        accrual={"evenly_spaced": {"over": "20 days"}},
        endpoints={
            "response": {
                "kind": "binary",
                "readout": "2 days",
                "rate": 0.3,
                "effect": {"low": 0.3, "high": 0.8},
                "effect_measure": "rate",
            }
        },
        dropout=_LOST,
        hypotheses=_against_control("response", "score_test", arms, "higher")
        | {
            "back": {
                "endpoint": "response",
                "arms": ["control", "high"],
                "analysis": "score_test",
                "direction": "higher",
            }
        },
        designs={
            "closing": shared | {"n": 60, "allocation": {"minimisation": factors}},
            "unequal": shared
            | {
                "n": 60,
                "allocation": {
                    "minimisation": factors
                    | {"measure": "sd", "probability": 0.9, "ratio": {"control": 3, "low": 2, "high": 1}}
                },
            },
            "reweighted": shared
            | {
                "n": 60,
                "allocation": {"minimisation": factors | {"measure": "variance"}},
                "policies": {"randomisation": "rosenberger"},
            },
            "coin": shared
            | {
                "n": 60,
                "arms": ["control", "high"],
                "allocation": {"biased_coin": {"strata": ["sex"], "ratio": {"control": 1, "high": 2}}},
            },
        },
    )
    for name, tests in {
        "closing": ["low", "high"],
        "unequal": ["low", "high"],
        "coin": ["high", "back"],
    }.items():
        tree["designs"][name]["tests"] = {test: {"alpha": 0.025} for test in tests}
    return tree


def _weights_that_change() -> dict[str, Any]:
    """Three arms with response-adaptive weights, decided at reviews or at looks, with and without lags."""
    arms = ["control", "low", "high"]
    shared = {
        "n": 42,
        "allocation": "simple",
        "looks": [
            {"when": {"readouts": 10}, "cleaning_lag": "1 days", "decision_lag": "1 days"},
            {
                "when": {"all": [{"enrolled": 28}, {"readouts": {"count": 6, "arms": ["high"]}}]},
                "decision_lag": "2 days",
            },
            {"when": {"readouts": 42}},
        ],
        "bounds": {"efficacy_z": [2.0, 1.5, 1.0], "futility_z": [-1.0, -0.3, None]},
    }
    adaptive = {"randomisation": "rosenberger"}
    return _tree(
        arms,
        population=_PEOPLE,
        accrual={"uniform": {"over": "15 days"}},
        endpoints={
            "response": {
                "kind": "binary",
                "readout": "3 days",
                "rate": 0.3,
                "effect": {"low": 0.5, "high": 0.7},
                "effect_measure": "rate",
            },
            "death": {
                "kind": "survival",
                "baseline": {"median": "12 days"},
                "effect": {"low": 1.0, "high": 0.6},
            },
        },
        dropout=_LOST,
        hypotheses=_against_control("response", "score_test", arms, "higher"),
        designs={
            "at_reviews": shared | {"reviews": {"every": {"calendar": "2 days"}}, "policies": adaptive},
            "by_enrolment": shared | {"reviews": {"every": {"enrolled": 7}}, "policies": adaptive},
            "at_looks": shared | {"policies": adaptive},
        },
    )


def _nobody_lost() -> dict[str, Any]:
    """Entries and read-outs alike in all trials, weights that are not: arrays of one row beside arrays of many."""
    arms = ["control", "treatment"]
    looks = [
        {"when": {"readouts": 8}},
        {"when": {"readouts": 16}},
        {"when": {"readouts": 24, "no_later_than": "8 weeks"}},
    ]
    return _tree(
        arms,
        accrual={"evenly_spaced": {"rate": "3 per week"}},
        endpoints={
            "response": {
                "kind": "binary",
                "readout": "2 weeks",
                "rate": 0.4,
                "effect": {"treatment": 0.7},
                "effect_measure": "rate",
            }
        },
        hypotheses=_against_control("response", "score_test", arms, "higher"),
        designs={
            "adaptive": {
                "n": 30,
                "allocation": {"permuted_blocks": {"size": 4}},
                "looks": looks,
                "bounds": {"efficacy_z": [1.0, 1.5, 1.0], "futility_z": [-0.5, 0.0, None]},
                "policies": {"randomisation": "rosenberger"},
            },
            "plain": {
                "n": 30,
                "allocation": "alternating",
                "looks": looks,
                "bounds": {"efficacy_z": [1.0, 1.5, 1.0], "futility_z": [-0.5, 0.0, None]},
            },
        },
    )


def _known_as_they_come() -> dict[str, Any]:
    """Nobody lost and no survival, so that arms and read-outs are laid out as cuts come to know of them, with lags."""
    arms = ["control", "low", "high"]
    shared = {
        "n": 70,
        "looks": [
            {"when": {"readouts": 20}, "cleaning_lag": "1 days", "decision_lag": "1 days"},
            {"when": {"all": [{"readouts": 40}, {"gap": "4 days"}]}, "decision_lag": "2 days"},
            {"when": {"readouts": 70}},
        ],
        "bounds": {"efficacy_z": [2.5, 2.0, 1.0], "futility_z": [-1.0, -0.3, None]},
    }
    adaptive = {"policies": {"randomisation": "rosenberger"}}
    return _tree(
        arms,
        accrual={"uniform": {"over": "20 days"}},
        endpoints={
            "response": {
                "kind": "binary",
                "readout": "3 days",
                "rate": 0.3,
                "effect": {"low": 0.5, "high": 0.7},
                "effect_measure": "rate",
            },
        },
        hypotheses=_against_control("response", "score_test", arms, "higher"),
        designs={
            "at_looks": shared | {"allocation": "simple"} | adaptive,
            "from_blocks": shared | {"allocation": {"permuted_blocks": {"size": 6}}} | adaptive,
            "at_reviews": shared
            | {"allocation": "simple", "reviews": {"every": {"calendar": "2 days"}}}
            | adaptive,
            "closing": shared | {"allocation": "simple"},
        },
    )


def _too_few_events() -> dict[str, Any]:
    """Looks that wait for more events than will come, a horizon that some trials meet, lags that cross it."""
    arms = ["control", "treatment"]
    return _tree(
        arms,
        horizon="13 weeks",
        costs={
            "patient": 3,
            "patient_month": 7,
            "look": 11,
            "trial_month": 13,
            "discount": "1% per week",
        },
        accrual={
            "piecewise": {
                "rates": [{"from": "0 weeks", "rate": "0 per week"}, {"from": "1 week", "rate": "6 per week"}]
            }
        },
        endpoints={
            "death": {
                "kind": "survival",
                "baseline": {"median": "2 weeks"},
                "effect": {"treatment": 0.5},
                "readout": "1 week",
            },
            "marker": {
                "kind": "continuous",
                "readout": "2 weeks",
                "mean": 10,
                "sd": 3,
                "effect": {"treatment": 2},
            },
        },
        dropout={"baseline": {"median": "3 weeks"}},
        hypotheses={
            "death": {
                "endpoint": "death",
                "arms": ["treatment", "control"],
                "analysis": "cox",
                "direction": "lower",
            },
            "marker": {
                "endpoint": "marker",
                "arms": ["treatment", "control"],
                "analysis": "t_test",
                "direction": "higher",
            },
        },
        designs={
            "waiting": {
                "n": 20,
                "allocation": {"permuted_blocks": {"size": 4}},
                "looks": [
                    {"when": {"readouts": 6}, "decision_lag": "1 week"},
                    {"when": {"events": 14}, "cleaning_lag": "1 week"},
                    {"when": {"all": [{"events": 20}, {"gap": "1 week"}]}, "decision_lag": "1 week"},
                ],
                "bounds": {"efficacy_z": [2.5, 2.0, 1.0]},
                "reviews": {"every": {"enrolled": 5}},
            },
        },
    )


def _stages_of_arms() -> dict[str, Any]:
    """Arms selected at looks that tie with read-outs and events, decided later; stages of every kind of endpoint."""
    arms = ["control", "low", "middle", "high"]
    marker = _against_control("marker", "t_test", arms, "higher")
    response = _against_control("response", "score_test", arms, "higher")
    death = _against_control("death", "logrank", arms, "lower")
    named = {"marker": marker, "response": response, "death": death}
    tree = _tree(
        arms,
        accrual={"evenly_spaced": {"over": "16 days"}},
        endpoints={
            "marker": {
                "kind": "continuous",
                "readout": "2 days",
                "mean": 1,
                "sd": 2,
                "effect": {"low": 0.5, "middle": 1.0, "high": 2.0},
            },
            "response": {
                "kind": "binary",
                "readout": "3 days",
                "rate": 0.3,
                "effect": {"low": 0.4, "middle": 0.5, "high": 0.7},
                "effect_measure": "rate",
            },
            "death": {
                "kind": "survival",
                "baseline": {"median": "9 days"},
                "effect": {"low": 1.0, "middle": 0.6, "high": 0.3},
                "readout": "1 days",
            },
        },
        dropout=_LOST,
        hypotheses={f"{name}_{arm}": each for name, part in named.items() for arm, each in part.items()},
        designs={
            "means": {
                "n": 60,
                "allocation": {"permuted_blocks": {"size": 4}},
                "looks": [
                    {"when": {"readouts": {"count": 4, "endpoint": "marker", "open_arms": "each"}}},
                    {
                        "when": {"readouts": {"count": 7, "endpoint": "marker", "open_arms": "each"}},
                        "decision_lag": "1 days",
                    },
                    {"when": {"readouts": {"count": 9, "endpoint": "marker", "open_arms": "each"}}},
                ],
                "bounds": {"efficacy_z": [2.0, 1.5, 1.0], "futility_z": [-0.5, 0.0, None]},
                "selection": {"drop_the_losers": {"keep": [2, 1]}},
            },
            "products": {
                "n": 60,
                "allocation": "simple",
                "looks": [
                    {
                        "when": {"readouts": {"count": 20, "endpoint": "response"}},
                        "cleaning_lag": "1 days",
                        "decision_lag": "1 days",
                    },
                    {"when": {"readouts": {"count": 32, "endpoint": "response"}, "no_later_than": "18 days"}},
                ],
                "combination": {"fisher": {"futility_p": 0.7}},
                "selection": {"within_epsilon": {"epsilon": 0.2}},
            },
            "increments": {
                "n": 60,
                "allocation": {
                    "permuted_blocks": {"size": 5, "ratio": dict(zip(arms, (2, 1, 1, 1), strict=True))}
                },
                "looks": [
                    {"when": {"events": {"count": 3, "open_arms": "each"}}},
                    {"when": {"events": {"count": 20, "open_arms": "together"}}},
                    {"when": {"all": [{"events": 30}, {"gap": "2 days"}]}},
                ],
                "bounds": {"efficacy_z": [1.5, 1.0, 0.8]},
                "intersection_test": "simes",
                "selection": {"all_promising": {"threshold": 0.1}},
            },
        },
    )
    for design, name in zip(tree["designs"].values(), named, strict=True):
        tests = {f"{name}_{arm}": {"alpha": 0.3} for arm in arms[1:]}
        design |= {"kind": "multi_arm_multi_stage", "tests": tests}
    tree["designs"]["increments"]["information"] = [0.3, 0.7, 1.0]
    tree["designs"]["cohorts"] = {
        "kind": "multi_arm_multi_stage",
        "n": 60,
        "allocation": "alternating",
        "looks": [
            {"when": {"enrolled": 24}},
            {"when": {"events": 12}, "decision_lag": "2 days"},
            {"when": {"any": [{"events": 30}, {"calendar": "20 days"}]}},
        ],
        "tests": {f"death_{arm}": {"alpha": 0.3} for arm in arms[1:]},
        "stages": {"patient_wise": {"events": [9, 8, 6]}},
        "combination": "fisher",
        "intersection_test": "simes",
        "selection": {"within_epsilon": {"epsilon": 1, "by": {"endpoint": "marker", "direction": "higher"}}},
    }
    tree["designs"]["cohorts_at_looks"] = {
        **tree["designs"]["cohorts"],
        "stages": {"patient_wise": {"events": [9, 8, 6], "interim_information": [0.5, 0.3]}},
        "combination": "inverse_normal",
        "intersection_test": "dunnett",
        "bounds": {"efficacy_z": [1.0, 1.0, 0.5]},
    }
    tree["designs"]["means"]["information"] = [0.4, 0.7, 1.0]
    return tree


def _both_ways() -> dict[str, Any]:
    """Two arms compared both ways round, so that one of two arms may close while the trial goes on."""
    arms = ["control", "treatment"]
    return _tree(
        arms,
        accrual={"evenly_spaced": {"over": "12 days"}},
        endpoints={
            "death": {"kind": "survival", "baseline": {"median": "3 days"}, "effect": {"treatment": 0.4}}
        },
        hypotheses={
            "forth": {"endpoint": "death", "arms": arms[::-1], "analysis": "logrank", "direction": "lower"},
            "back": {"endpoint": "death", "arms": arms, "analysis": "logrank", "direction": "lower"},
        },
        designs={
            "closing": {
                "n": 48,
                "allocation": "alternating",
                "looks": [{"when": {"enrolled": 24}}, {"when": {"events": 40}}],
                "bounds": {"efficacy_z": [1.0, 0.3]},
            },
        },
    )


SCENARIOS: dict[str, tuple[dict[str, Any], int]] = {
    "arms_that_close": (_arms_that_close(), _DAY),
    "balance_that_goes_on": (_balance_that_goes_on(), _DAY),
    "weights_that_change": (_weights_that_change(), _DAY),
    "nobody_lost": (_nobody_lost(), _WEEK),
    "known_as_they_come": (_known_as_they_come(), _DAY),
    "too_few_events": (_too_few_events(), _WEEK),
    "both_ways": (_both_ways(), _DAY),
    "stages_of_arms": (_stages_of_arms(), _DAY),
    "costly_sites": (with_sites(), _WEEK),
    "costly_lives": (with_lives(), _WEEK),
}
