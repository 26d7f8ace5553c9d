"""A small scenario with sites in which everything is paid for, and its bill made out by hand from an event log."""

from __future__ import annotations

import copy
import math
from collections import Counter
from typing import Any

from trialsim.contracts import Kind, LogRow
from trialsim.timegrid import TICKS_PER_DAY

Tree = dict[str, Any]
DAYS_PER_MONTH = 30.4375

PRICES: dict[str, float] = {
    "site_activation": 25000,
    "site_month": 1500,
    "prescreen": 40,
    "consent": 100,
    "screen": 1800,
    "patient": 5000,
    "patient_month": 300,
    "visit": 400,
    "adverse_event": 250,
    "serious_adverse_event": 5000,
    "look": 40000,
    "trial_month": 80000,
}
COMPONENTS = {
    "sites": ("site_activation", "site_month"),
    "screening": ("prescreen", "consent", "screen"),
    "patients": ("patient", "patient_month"),
    "visits": ("visit",),
    "adverse_events": ("adverse_event", "serious_adverse_event"),
    "looks": ("look",),
    "running": ("trial_month",),
}
OF_SITES = ("site_activation", "site_month", "prescreen", "consent", "screen")
OF_LIVES = ("visit", "adverse_event", "serious_adverse_event")
_ELSEWHERE = {name: price for name, price in PRICES.items() if name not in OF_LIVES}

_LOOKS = [
    {"when": {"events": 8}, "cleaning_lag": "20 days"},
    {"when": {"events": 20}, "decision_lag": "14 days"},
]
WITH_SITES: Tree = {
    "name": "costly",
    "horizon": "3 years",
    "accrual": {
        "sites": {
            "large": {
                "count": 2,
                "rate": "4 per month",
                "activation": {"uniform": {"from": "0 days", "to": "3 months"}},
                "coordinators": 1,
                "cap": 12,
            },
            "small": {"count": 2, "rate": "1 per month", "closes": "6 months", "backlog": 2},
        }
    },
    "screening": {
        "prescreen": {"probability": 0.8},
        "patience": {"exponential": {"mean": "20 days"}},
        "consent": {"probability": 0.7, "duration": {"uniform": {"from": "1 day", "to": "18 days"}}},
        "eligible": {"probability": 0.7},
        "duration": "10 days",
        "rescreening": {"probability": 0.5, "after": "20 days", "eligible": 0.6},
        "lag": "2 days",
    },
    "costs": {"currency": "EUR", **_ELSEWHERE, "discount": "5% per year"},
    "arms": ["control", "treatment"],
    "endpoints": {
        "death": {"kind": "survival", "baseline": {"median": "8 months"}, "effect": {"treatment": 0.6}},
        "marker": {
            "kind": "continuous",
            "readout": "60 days",
            "mean": 10,
            "sd": 3,
            "effect": {"treatment": 1},
        },
    },
    "dropout": {"baseline": {"survival": 0.8, "at": "1 year"}},
    "hypotheses": {
        "primary": {
            "endpoint": "death",
            "arms": ["treatment", "control"],
            "analysis": "logrank",
            "direction": "lower",
        }
    },
    "truths": {"world": {}, "dear": {"costs.look": 50000, "costs.patient_month": 0}},
    "designs": {
        "fixed": {
            "kind": "fixed",
            "n": 30,
            "allocation": "simple",
            "looks": _LOOKS[1:],
            "tests": {"primary": {"alpha": 0.025}},
        },
        "sequential": {
            "kind": "group_sequential",
            "n": 30,
            "allocation": "simple",
            "looks": _LOOKS,
            "bounds": {"efficacy_z": [2.0, 1.96], "futility_z": [0.0, None]},
            "tests": {"primary": {"alpha": 0.025}},
        },
    },
}


def with_sites(**parts: Any) -> Tree:
    """Return the scenario with sites, some of its parts replaced; None leaves one out."""
    tree = copy.deepcopy(WITH_SITES) | parts
    return {name: part for name, part in tree.items() if part is not None}


def without_sites(**parts: Any) -> Tree:
    """Return the scenario with patients who simply enter."""
    costs = {name: value for name, value in WITH_SITES["costs"].items() if name not in OF_SITES}
    plain: Tree = {"accrual": {"poisson": {"rate": "5 per month"}}, "screening": None, "costs": costs}
    return with_sites(**plain | parts)


def with_lives(**parts: Any) -> Tree:
    """Return the scenario with sites, visits, adverse events, deaths, withdrawal and losses."""
    headache: Tree = {"baseline": {"hazard": "0.3 per month"}, "severity": {"mild": 0.6, "severe": 0.4}}
    infection = headache | {"serious": {"mild": 0.1, "severe": 0.8}, "fatal": {"severe": 0.1}}
    lives: Tree = {
        "visits": {"every": "4 weeks", "until": "1 year", "jitter": {"sd": "3 days"}, "missed": 0.1},
        "adverse_events": {"headache": headache, "infection": infection},
        "withdrawal": {"baseline": {"hazard": "0.02 per month"}},
    }
    tree = with_sites(**lives)
    tree["endpoints"]["death"]["terminal"] = True
    tree["costs"] |= {name: PRICES[name] for name in OF_LIVES}
    return tree | parts


def bill(log: list[LogRow], prices: dict[str, float], rate: float, tree: Tree) -> dict[str, float]:
    """Return what a trial costs by component, added up by hand over the rows of its log.

    Parameters
    ----------
    log
        Of one trial.
    prices
        By key.
    rate
        Discount per day.
    tree
        The scenario, for the kinds of its endpoints.
    """
    survival = [part["kind"] == "survival" for _, part in sorted(tree["endpoints"].items())]
    asks = "consent" in tree.get("screening", {})
    end = log[-1].tick / TICKS_PER_DAY
    paid: Counter[str] = Counter()

    def once(price: str, day: float) -> None:
        paid[price] += prices.get(price, 0.0) * math.exp(-rate * day)

    def by_month(price: str, first: float, last: float) -> None:
        days = (math.exp(-rate * first) - math.exp(-rate * last)) / rate if rate else last - first
        paid[price] += prices.get(price, 0.0) * days / DAYS_PER_MONTH

    opened: dict[int, float] = {}
    entered: dict[int, float] = {}
    known: Counter[int] = Counter()
    for row in log:
        day = row.tick / TICKS_PER_DAY
        match row.kind:
            case Kind.SITE:
                once("site_activation", day)
                opened[row.id] = day
            case Kind.SITE_CLOSED:
                by_month("site_month", opened.pop(row.id), day)
            case Kind.ARRIVAL if row.part == 0:
                once("prescreen", day)
            case Kind.SCREENING if row.part == 0:
                once("consent", day)
                if row.value == 1:
                    once("screen", day)
            case Kind.DISPATCH if not asks:
                once("screen", day)
            case Kind.RANDOMISATION:
                once("patient", day)
                entered[row.id] = day
            case Kind.EVENT | Kind.READOUT if (row.kind == Kind.EVENT) == survival[row.part]:
                known[row.id] += 1
                if known[row.id] == len(survival):
                    by_month("patient_month", entered.pop(row.id), day)
            case Kind.DROPOUT | Kind.DEATH if row.id in entered:
                by_month("patient_month", entered.pop(row.id), day)
            case Kind.VISIT if row.part != 1:
                once("visit", day)
            case Kind.ADVERSE_EVENT:
                once("adverse_event", day)
            case Kind.SERIOUS:
                once("serious_adverse_event", day)
            case Kind.LOOK if row.part == 0:
                once("look", day)
            case _:
                pass
    for day in opened.values():
        by_month("site_month", day, end)
    for day in entered.values():
        by_month("patient_month", day, end)
    by_month("trial_month", 0.0, end)
    return {name: sum(paid[price] for price in keys) for name, keys in COMPONENTS.items()}
