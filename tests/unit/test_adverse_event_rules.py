"""Draws of adverse events: addresses that do not collide, severities, actions; and that nothing else moves with them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from trialsim.contracts import DISCONTINUE, INTERRUPT, NOTHING, REDUCE, Kind, LogRow
from trialsim.draws import name_address
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.operations.adverse_events import (
    ACTION,
    FATAL,
    GAP,
    LENGTH,
    SERIOUS,
    SEVERITY,
    action_of,
    level_of,
    occurrence_draw,
    term_address,
)
from trialsim.scenario.load import scenario_from

WORLD: dict[str, Any] = {
    "name": "moving",
    "horizon": "300 days",
    "accrual": {"uniform": {"over": "30 days"}},
    "arms": ["control", "treatment"],
    "endpoints": {
        "death": {
            "kind": "survival",
            "baseline": {"weibull": {"shape": 1.4, "median": "150 days"}},
            "effect": {"treatment": 0.6},
        }
    },
    "dropout": {"baseline": {"median": "300 days"}},
    "hypotheses": {
        "h": {
            "endpoint": "death",
            "arms": ["treatment", "control"],
            "analysis": "logrank",
            "direction": "lower",
        }
    },
    "truths": {"here": {}},
    "designs": {
        "d": {
            "kind": "fixed",
            "n": 40,
            "allocation": "simple",
            "looks": [{"when": {"calendar": "290 days"}}],
            "tests": {"h": {"alpha": 0.025}},
        }
    },
}
RASH = {"baseline": {"hazard": "0.02 per day"}, "severity": {"mild": 0.7, "severe": 0.3}}


def log_of(engine: str = "fast", **parts: Any) -> list[LogRow]:
    chunk = chunk_of(scenario_from(copy.deepcopy(WORLD) | parts), "d", "here", [4], 9, engine)
    return conduct(chunk).chunk.log(0)


def of(rows: list[LogRow], *kinds: Kind) -> list[LogRow]:
    return [row for row in rows if row.kind in kinds]


def test_draws_of_an_occurrence_do_not_collide() -> None:
    address = term_address(name_address("rash"))
    assert address % (1 << 20) == 0
    assert address <= name_address("rash") < address + (1 << 20)
    seen = {
        occurrence_draw(address, o, field)
        for o in range(500)
        for field in (GAP, SEVERITY, SERIOUS, FATAL, LENGTH)
    }
    assert len(seen) == 2500
    assert ACTION < 8 and LENGTH < 8
    assert all(term_address(draw) == address for draw in seen)


@pytest.mark.parametrize(
    ("u", "level"), [(0.0, 0), (0.4999, 0), (0.5, 1), (0.79, 1), (0.8, 2), (0.9999999999, 2)]
)
def test_severity(u: float, level: int) -> None:
    import numpy as np

    assert level_of(u, np.array([[1.0, 1.0, 1.0], [0.5, 0.8, 1.0]]), 1) == level


@pytest.mark.parametrize(
    ("u", "action"),
    [
        (0.0, DISCONTINUE),
        (0.29, DISCONTINUE),
        (0.3, REDUCE),
        (0.49, REDUCE),
        (0.5, INTERRUPT),
        (0.6, NOTHING),
    ],
)
def test_actions(u: float, action: int) -> None:
    assert action_of(u, 0.3, 0.2, 0.1) == action


def test_adverse_events_move_no_endpoint_and_one_term_no_other() -> None:
    endpoints = (Kind.RANDOMISATION, Kind.EVENT, Kind.DROPOUT)
    plain = of(log_of(), *endpoints)
    with_rash = log_of(adverse_events={"rash": RASH})
    both = log_of(adverse_events={"nausea": RASH, "rash": RASH, "zoster": RASH})
    assert of(with_rash, *endpoints) == plain == of(both, *endpoints)
    alone = [(row.tick, row.id, row.value) for row in of(with_rash, Kind.ADVERSE_EVENT)]
    beside = [(row.tick, row.id, row.value) for row in of(both, Kind.ADVERSE_EVENT) if row.part == 1]
    assert len(alone) > 50
    assert alone == beside


def test_a_term_is_found_by_its_name() -> None:
    one = of(log_of(adverse_events={"rash": RASH}), Kind.ADVERSE_EVENT)
    other = of(log_of(adverse_events={"itch": RASH}), Kind.ADVERSE_EVENT)
    assert {row.tick for row in one}.isdisjoint(row.tick for row in other)


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_grade_five_is_death(engine: str) -> None:
    event = {"baseline": {"hazard": "0.02 per day"}, "grades": {1: 0.5, 3: 0.3, 5: 0.2}}
    endpoints = {"death": WORLD["endpoints"]["death"] | {"terminal": True}}
    rows = log_of(engine, adverse_events={"rash": event}, endpoints=endpoints)
    fatal = [row for row in of(rows, Kind.ADVERSE_EVENT) if row.value == 5]
    assert fatal
    for row in fatal:
        at = rows.index(row)
        assert [r.kind for r in rows[at + 1 : at + 3]] == [Kind.EVENT, Kind.DEATH]
        assert rows[at + 2].part == 1
        assert not [r for r in rows if r.id == row.id and r.tick > row.tick and r.kind == Kind.ADVERSE_EVENT]
