"""Small trials with sites on a grid of a day: candidates come, wait, withdraw and are released in the same instants.

Each of them is crowded: more candidates than coordinators, and more patients than caps and closing sites leave room for.
"""

from __future__ import annotations

from typing import Any

from trialsim.timegrid import TICKS_PER_DAY

_DAY = TICKS_PER_DAY
_ARMS = ["control", "treatment"]
LEVELS = {"sex": {"categorical": {"female": 0.4, "male": 0.6}}}

CROWDED: dict[str, Any] = {
    "crowded": {
        "count": 3,
        "rate": "2 per day",
        "backlog": 3,
        "coordinators": 1,
        "cap": 3,
        "closes": "12 days",
        "competing": [{"from": "0 days", "share": 0.2}],
    },
    "busy": {"count": 2, "rate": "1.5 per day", "coordinators": 2, "cap": 8},
    "late": {
        "count": 2,
        "rate": "1 per day",
        "activation": {"uniform": {"from": "0 days", "to": "7 days"}},
        "closes": "5 days",
        "never_opens": 0.1,
    },
}

_SCREENING: dict[str, Any] = {
    "prescreen": {"probability": 0.9},
    "patience": {"uniform": {"from": "0 days", "to": "5 days"}},
    "consent": {"probability": 0.8, "duration": {"uniform": {"from": "0 days", "to": "2 days"}}},
    "eligible": {"probability": 0.6},
    "duration": {"uniform": {"from": "0 days", "to": "3 days"}},
    "window": "5 days",
    "reasons": {"laboratory": 2, "imaging": 1},
    "wrongly_randomised": 0.2,
    "rescreening": {
        "probability": 0.8,
        "after": {"uniform": {"from": "0 days", "to": "3 days"}},
        "eligible": 0.7,
        "attempts": 2,
    },
    "lag": {"uniform": {"from": "0 days", "to": "2 days"}},
    "stratum_errors": 0.2,
    "subgroup": "sex",
}


def tree_of(
    sites: dict[str, Any], n: int, policies: dict[str, Any], follow_up: int = 6, **changes: Any
) -> dict[str, Any]:
    """Return a trial whose looks wait for patients, for events, and for more events than may come.

    Half of the patients on control have had their event after ``follow_up`` days, and three in ten are lost by then.
    """
    looks = [{"when": {"enrolled": n // 2}}, {"when": {"events": n}}]
    return {
        "name": "tie_rich_sites",
        "horizon": "60 days",
        "arms": _ARMS,
        "truths": {"world": {}},
        "population": {"marginals": LEVELS},
        "accrual": {"sites": sites},
        "screening": _SCREENING | changes,
        "endpoints": {
            "death": {
                "kind": "survival",
                "baseline": {"median": f"{follow_up} days"},
                "effect": {"treatment": 0.6},
                "readout": "1 days",
            }
        },
        "dropout": {"baseline": {"survival": 0.7, "at": f"{follow_up} days"}},
        "hypotheses": {
            "death": {
                "endpoint": "death",
                "arms": _ARMS[::-1],
                "analysis": "logrank",
                "direction": "lower",
            }
        },
        "designs": {
            name: {
                "kind": "group_sequential",
                "n": n,
                "allocation": {"stratified_permuted_blocks": {"size": 4, "strata": ["sex"]}},
                "looks": looks,
                "bounds": {"efficacy_z": [2.5, 1.9]},
                "tests": {"death": {"alpha": 0.025}},
            }
            | ({} if policy is None else {"policies": {"recruitment": policy}})
            for name, policy in policies.items()
        },
    }


_FILLING: dict[str, Any] = {
    "one": {"count": 4, "rate": "2 per day", "coordinators": 1, "cap": 2, "closes": "6 days"},
    "rest": {"rate": "1 per day"},
}
_FEW: dict[str, Any] = {
    "few": {"count": 2, "rate": "0.3 per day", "backlog": 2, "cap": 5},
    "one": {"rate": "0.3 per day"},
}
_AT_ONCE: dict[str, Any] = {"probability": 0.9, "after": "0 days", "eligible": 0.9, "attempts": 1}
RANKED: dict[str, Any] = {"by_covariate": {"covariate": "sex.male"}}


def _within_sites(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a trial whose designs have blocks of each site, alone and in each stratum, and tests stratified by them."""
    tree["hypotheses"]["death"]["analysis"] = {"logrank": {"strata": ["site"]}}
    tree["hypotheses"]["both"] = tree["hypotheses"]["death"] | {
        "analysis": {"cox": {"strata": ["sex", "site"]}}
    }
    for strata, design in zip((["site"], ["sex", "site"]), tree["designs"].values(), strict=True):
        design["allocation"] = {"stratified_permuted_blocks": {"size": 2, "strata": strata}}
        design["tests"] = {name: {"alpha": 0.025} for name in tree["hypotheses"]}
    return tree


SITE_SCENARIOS: dict[str, tuple[dict[str, Any], int]] = {
    "crowded_released": (tree_of(CROWDED, 14, {"as_they_come": None, "ranked": RANKED}), _DAY),
    "crowded_kept": (tree_of(CROWDED, 14, {"as_they_come": None}, when_enrolment_closes="keep"), _DAY),
    "kept_to_the_end": (
        tree_of(
            CROWDED,
            10,
            {"as_they_come": None},
            follow_up=1,
            when_enrolment_closes="keep",
            duration={"uniform": {"from": "0 days", "to": "12 days"}},
            window="12 days",
        ),
        _DAY,
    ),
    "sites_that_fill": (
        tree_of(_FILLING, 14, {"ranked": RANKED}, consent={"probability": 0.9}, rescreening=_AT_ONCE),
        _DAY,
    ),
    "full_at_once": (
        tree_of(
            {"one": {"count": 3, "rate": "1 per day", "backlog": 2, "cap": 1}, "rest": {"rate": "1 per day"}},
            8,
            {"as_they_come": None},
            patience="9 days",
            duration="1 day",
            window="9 days",
            lag="1 day",
        ),
        _DAY,
    ),
    "blocks_of_sites": (
        _within_sites(tree_of(CROWDED, 14, {"by_site": None, "by_site_and_sex": None})),
        _DAY,
    ),
    "too_few_candidates": (tree_of(_FEW, 18, {"at_random": "random"}), _DAY),
}
"""By name: a scenario as data, and the step of its time grid in ticks."""
