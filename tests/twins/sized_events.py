"""Small scenarios whose numbers of events are re-estimated, on grids on which nearly every event ties with another.

Looks wait for more events than patients still can have, or for fewer than there are already; patients are lost, come at
random times, and are allocated in blocks; events become known late.
"""

from __future__ import annotations

from typing import Any

from tests.twins.lives import everything
from tests.twins.tie_rich_sites import CROWDED, RANKED, tree_of
from trialsim.timegrid import TICKS_PER_DAY

_DAY, _WEEK = TICKS_PER_DAY, 7 * TICKS_PER_DAY
_LOST = {"baseline": {"survival": 0.8, "at": "20 days"}}


def _look(count: int, cleaning: int = 0, decision: int = 0) -> dict[str, Any]:
    return {
        "when": {"events": count},
        "cleaning_lag": f"{cleaning} days",
        "decision_lag": f"{decision} days",
    }


def _tree(endpoint: dict[str, Any], designs: dict[str, Any], **parts: Any) -> dict[str, Any]:
    shared = {"kind": "sample_size_reestimation", "tests": {"better": {"alpha": 0.1}}}
    recovery = {"kind": "survival", "baseline": {"median": "12 days"}, "effect": {"treatment": 1.7}}
    return {
        "name": "sized_events",
        "horizon": "1 year",
        "arms": ["control", "treatment"],
        "accrual": {"evenly_spaced": {"over": "20 days"}},
        "endpoints": {"recovery": recovery | endpoint},
        "hypotheses": {
            "better": {
                "endpoint": "recovery",
                "arms": ["treatment", "control"],
                "analysis": "logrank",
                "direction": "higher",
            }
        },
        "truths": {"effect": {}},
        "designs": {name: shared | design for name, design in designs.items()},
    } | parts


def _in_a_zone() -> dict[str, Any]:
    """Two looks; while the decision is taken events go on, at times beyond what it asks for."""
    rule = {"conditional_power": {"target": 0.9, "zone": [0.1, 0.97], "maximum_events": 36}}
    shared = {"n": 40, "allocation": "alternating", "reestimation": rule}
    return _tree(
        {},
        {
            "late": shared | {"looks": [_look(10, 5, 9), _look(20)]},
            "soon": shared | {"looks": [_look(8), _look(20, 2)]},
        },
    )


def _up_and_down() -> dict[str, Any]:
    """Three looks, each giving the next stage its events; allocation two to one, events reported late."""
    rule = {
        "target": 0.8, "maximum_events": 44, "minimum_events": 8, "stage_minimum": 3, "stage_maximum": 18,
    }  # fmt: skip
    bounds = {"efficacy_z": [2.6, 2.2, 1.4], "futility_z": [-1.5, -1.0, None]}
    blocks = {"permuted_blocks": {"size": 6, "ratio": {"control": 1, "treatment": 2}}}
    shared = {"n": 48, "bounds": bounds}
    return _tree(
        {"report_delay": {"uniform": {"from": "1 days", "to": "6 days"}}},
        {
            "seen": shared
            | {
                "allocation": blocks,
                "looks": [_look(8), _look(16, 1), _look(26, 1)],
                "reestimation": {"conditional_power": rule},
            },
            "assumed": shared
            | {
                "allocation": "simple",
                "looks": [_look(8, 6), _look(16, 6, 6), _look(26, 3)],
                "reestimation": {"conditional_power": rule | {"hazard_ratio": 1.5}},
            },
        },
        accrual={"poisson": {"rate": "1.5 per day"}},
        costs={"patient": 100, "patient_month": 10, "look": 50},
    )


def _exhausted() -> dict[str, Any]:
    """As many events as there are patients, of whom many are lost; the horizon comes before the last of others."""
    rule = {"conditional_power": {"target": 0.99, "maximum_events": 30}}
    shared = {"n": 30, "allocation": "alternating", "reestimation": rule}
    looks = {"looks": [_look(6), _look(12)]}
    return _tree(
        {"baseline": {"median": "40 days"}},
        {"lost": shared | looks, "again": shared | {"looks": [_look(5), _look(9, 4), _look(12)],
         "bounds": {"efficacy_z": [3.0, 2.5, 1.4]}}},
        dropout=_LOST, horizon="90 days",
    )  # fmt: skip


def _in_strata() -> dict[str, Any]:
    """A stratified log-rank test; the last look comes no later than a day of the calendar."""
    rule = {"conditional_power": {"target": 0.9, "zone": [0.05, 0.97], "maximum_events": 44}}
    shared = {"n": 48, "allocation": "alternating", "reestimation": rule}
    last = _look(22) | {"when": {"events": 22, "no_later_than": "40 days"}}
    tree = _tree(
        {"covariates": {"sex.female": 0.7}, "effect_kind": "conditional"},
        {
            "open": shared | {"looks": [_look(9), _look(22)]},
            "bounded": shared | {"looks": [_look(9, 2), last]},
        },
        population={"marginals": {"sex": {"categorical": {"female": 0.4, "male": 0.6}}}},
    )
    tree["hypotheses"]["better"]["analysis"] = {"logrank": {"strata": ["sex"]}}
    return tree


def _at_sites() -> dict[str, Any]:
    """Candidates of crowded sites, of whom there may be fewer than looks come to wait for."""
    tree = tree_of(CROWDED, 16, {"as_they_come": None, "ranked": RANKED})
    rule = {"conditional_power": {"target": 0.9, "zone": [0.02, 0.98], "maximum_events": 15}}
    bounds: dict[str, Any] = {"bounds": {"efficacy_z": [2.5, 1.3]}}
    looks = {"looks": [_look(4, 1), _look(8)], "reestimation": rule}
    for design in tree["designs"].values():
        design |= {"kind": "sample_size_reestimation"} | bounds | looks
    return tree


def _with_lives() -> dict[str, Any]:
    """Everything that can happen to patients, and the events of whoever is still treated."""
    tree = everything()
    (name, *_) = tree["designs"]
    rule = {"conditional_power": {"target": 0.9, "zone": [0.02, 0.98], "maximum_events": 20}}
    tree["designs"] = {
        name: {
            "kind": "sample_size_reestimation",
            "n": 36,
            "arms": ["control", "treatment"],
            "allocation": {"permuted_blocks": {"size": 4}},
            "tests": {"progression": {"alpha": 0.1}},
            "looks": [
                {"when": {"events": {"count": 6, "endpoint": "progression"}}, "decision_lag": "3 days"},
                {"when": {"events": {"count": 11, "endpoint": "progression"}}},
            ],
            "reestimation": rule,
        }
    }
    return tree


def _by_response() -> dict[str, Any]:
    """Events set by an early response, the stages split by patients or not, and events reported late."""
    trees = _up_and_down()
    response = {
        "kind": "continuous", "readout": "3 days", "mean": 0, "sd": 1, "effect": {"treatment": 0.4},
    }  # fmt: skip
    rule = {"endpoint": "response", "direction": "higher", "zone": [-0.4, 1.6], "maximum_events": 38}
    shared = {
        "kind": "sample_size_reestimation", "n": 54, "tests": {"better": {"alpha": 0.1}},
        "reestimation": {"early_endpoint": rule},
    }  # fmt: skip
    readouts = {"when": {"readouts": {"count": 20, "endpoint": "response"}}, "decision_lag": "2 days"}
    last = _look(24, 1)
    trees["endpoints"]["response"] = response
    trees["designs"] = {
        "by_patients": shared
        | {
            "allocation": "alternating", "looks": [readouts, last], "stages": {"patient_wise": {"events": [14, 10]}},
        },
        "in_blocks": shared
        | {
            "allocation": {"permuted_blocks": {"size": 6, "ratio": {"control": 1, "treatment": 2}}},
            "looks": [_look(5), last], "stages": {"patient_wise": {"events": [9, 15]}},
        },
        "increments": shared
        | {"allocation": "simple", "looks": [_look(9, 3), last], "stages": "increments"},
    }  # fmt: skip
    return trees


_TREES = {
    "in a zone": _in_a_zone, "up and down": _up_and_down, "exhausted": _exhausted, "in strata": _in_strata,
    "at sites": _at_sites, "with lives": _with_lives, "by response": _by_response,
}  # fmt: skip

SIZED_EVENTS: dict[str, tuple[dict[str, Any], int]] = {
    f"{name}{word}": (tree(), grid)
    for name, tree in _TREES.items()
    for word, grid in ((" by the day", _DAY), (" by the week", _WEEK), (" on fine time", 1))
}
"""A tree and the grid on which it ties."""
