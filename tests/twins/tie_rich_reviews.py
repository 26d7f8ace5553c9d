"""Small trials on a grid of a day whose reviews close sites, open others and learn who passes screening."""

from __future__ import annotations

from typing import Any

from tests.twins.tie_rich_sites import CROWDED, LEVELS, RANKED, tree_of
from trialsim.timegrid import TICKS_PER_DAY

_DAY = TICKS_PER_DAY


def _reviewed(tree: dict[str, Any], every: dict[str, Any], **sites: Any) -> dict[str, Any]:
    """Return a trial whose designs review recruitment: sites are chosen again, and who learns learns."""
    for design in tree["designs"].values():
        design["reviews"] = {"every": every}
        if sites:
            design["policies"] = design.get("policies", {}) | {"sites": {"reselection": sites}}
    return tree


_STRANGERS: dict[str, Any] = {
    "known": {
        "count": 4,
        "rate": "0.8 per day",
        "rate_shape": 1.0,
        "coordinators": 2,
        "cap": 5,
        "backlog": 2,
        "history": {"over": "10 days", "spread": 0.5},
        "activation": {"uniform": {"from": "0 days", "to": "4 days"}},
    },
    "fresh": {
        "count": 4,
        "rate": "0.8 per day",
        "rate_shape": 1.0,
        "coordinators": 1,
        "closes": "20 days",
        "never_opens": 0.2,
        "competing": [{"from": "3 days", "share": 0.3}],
        "activation": {"uniform": {"from": "0 days", "to": "4 days"}},
    },
}
_AGED: dict[str, Any] = {"marginals": LEVELS | {"age": {"normal": {"mean": 50, "sd": 10}}}}
_LEARNS: dict[str, Any] = {"relearned": {"prior_sd": 2}}


def _told_by_age(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a trial in which the old are seldom eligible."""
    tree["population"] = _AGED
    tree["screening"]["eligible"] = {"probability": 0.5, "covariates": {"age": -0.2}}
    return tree


REVIEW_SCENARIOS: dict[str, tuple[dict[str, Any], int]] = {
    "sites_chosen_again": (
        _reviewed(
            tree_of(_STRANGERS, 14, {"as_they_come": None, "ranked": RANKED}),
            {"calendar": "2 days"},
            open=4,
            close_below="0.2 per day",
            after="6 days",
        ),
        _DAY,
    ),
    "sites_chosen_again_by_draws": (
        _reviewed(
            tree_of(_STRANGERS, 12, {"as_they_come": None}, when_enrolment_closes="keep"),
            {"enrolled": 2},
            open=3,
            close_below="0.5 per day",
            judged_by="posterior",
            after="1 day",
            reserves="thompson",
        ),
        _DAY,
    ),
    "learnt_from_screenings": (
        _told_by_age(_reviewed(tree_of(CROWDED, 14, {"learns": _LEARNS}), {"enrolled": 3})),
        _DAY,
    ),
    "learnt_while_sites_are_chosen_again": (
        _told_by_age(
            _reviewed(
                tree_of(_STRANGERS, 24, {"learns": _LEARNS}),
                {"calendar": "3 days"},
                open=5,
                close_below="0.5 per day",
                judged_by="candidates",
                after="2 days",
            )
        ),
        _DAY,
    ),
}
"""By name: a scenario as data, and the step of its time grid in ticks."""
