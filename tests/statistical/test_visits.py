"""Visits, detection, reports and adjudication against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.statistical.test_lives import PATIENTS, agrees, per_day, tallies
from trialsim.contracts import Kind, LogRow
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.operations.visits import EVEN, NORMAL, PUNCTUAL, visit_time
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY

RATE, STEP, VISITS, MISSED = 0.006, 30.0, 9, 0.3
DAY = TICKS_PER_DAY


def progression(**more: Any) -> dict[str, Any]:
    return {
        "progression": {
            "kind": "survival",
            "baseline": per_day(RATE),
            "effect": {"treatment": 0.5},
            "detected": "visits",
        }
        | more
    }


def schedule(**more: Any) -> dict[str, Any]:
    return {"every": f"{STEP} days", "until": f"{STEP * VISITS} days"} | more


def share_detected(rate: float, missed: float, visits: int = VISITS) -> float:
    """Return the share detected by the last visit: the onset lies before a visit, and one of those from it on is held."""
    due = STEP * np.arange(visits + 1)
    onset = np.exp(-rate * due[:-1]) - np.exp(-rate * due[1:])
    return float(np.sum(onset * (1.0 - missed ** np.arange(visits, 0, -1))))


def test_events_are_detected_at_the_first_visit_held_after_them() -> None:
    found = tallies(progression(), visits=schedule(missed=MISSED))
    for arm, rate in enumerate((RATE, RATE / 2)):
        agrees(found["events"][:, arm], PATIENTS / 2 * share_detected(rate, MISSED), "detected")
        # A patient's visits end with the one at which progression is detected.
        due = STEP * np.arange(VISITS + 1)
        onset = np.exp(-rate * due[:-1]) - np.exp(-rate * due[1:])
        unseen = [1.0 - sum(onset[j] * (1.0 - MISSED ** (k - j)) for j in range(k)) for k in range(VISITS)]
        agrees(found["visits_missed"][:, arm], PATIENTS / 2 * MISSED * sum(unseen), "missed")
        agrees(found["visits_on_time"][:, arm], PATIENTS / 2 * (1.0 - MISSED) * sum(unseen), "held")


def test_the_share_confirmed_and_known_at_the_cut() -> None:
    delay, mean, confirmed = 20.0, 15.0, 0.8
    told = {
        "report_delay": f"{delay} days",
        "adjudication": {"delay": {"exponential": {"mean": f"{mean} days"}}, "confirmed": confirmed},
    }
    found = tallies(progression(**told), visits=schedule())
    due = STEP * np.arange(1, VISITS + 1)
    in_time = 1.0 - np.exp(-np.maximum(300.0 - due - delay, 0.0) / mean)
    for arm, rate in enumerate((RATE, RATE / 2)):
        seen = np.exp(-rate * (due - STEP)) - np.exp(-rate * due)
        expected = PATIENTS / 2 * confirmed * float(np.sum(seen * in_time))
        agrees(found["events"][:, arm], expected, "adjudicated by the cut")


def test_a_read_out_at_a_visit_is_missing_where_all_later_visits_are_missed() -> None:
    endpoint = {
        "response": {
            "kind": "binary",
            "readout": f"{STEP * 7} days",
            "rate": 0.4,
            "effect": {"treatment": 0.4},
            "effect_measure": "rate",
            "detected": "visits",
        }
    }
    hypothesis = {
        "endpoint": "response",
        "arms": ["treatment", "control"],
        "analysis": "score_test",
        "direction": "higher",
    }
    found = tallies(endpoint, hypotheses={"h": hypothesis}, visits=schedule(missed=MISSED))
    for arm in range(2):
        agrees(found["readouts"][:, arm], PATIENTS / 2 * (1.0 - MISSED**3), "read out at one of three visits")


@pytest.mark.parametrize("jitter", ["sd", "uniform"])
def test_jitter_and_lateness(jitter: str) -> None:
    tree: dict[str, Any] = {
        "name": "visits",
        "horizon": "2 years",
        "accrual": {"evenly_spaced": {"over": "1 days"}},
        "arms": ["control", "treatment"],
        "endpoints": {"death": {"kind": "survival", "baseline": per_day(1e-9), "effect": {"treatment": 1.0}}},
        "visits": schedule(
            jitter={jitter: "3 days"},
            late={"probability": 0.25, "delay": {"uniform": {"from": "1 days", "to": "5 days"}}},
        ),
        "hypotheses": {
            "h": {"endpoint": "death", "arms": ["treatment", "control"], "analysis": "logrank", "direction": "lower"}
        },
        "truths": {"here": {}},
        "designs": {
            "d": {
                "kind": "fixed",
                "n": 3000,
                "allocation": "alternating",
                "looks": [{"when": {"calendar": "400 days"}}],
                "tests": {"h": {"alpha": 0.025}},
            }
        },
    }  # fmt: skip
    log: list[LogRow] = conduct(chunk_of(scenario_from(tree), "d", "here", [0], 3, "fast")).chunk.log(0)
    entry = {row.id: row.tick for row in log if row.kind == Kind.RANDOMISATION}
    held = [row for row in log if row.kind == Kind.VISIT]
    shift = {
        part: np.array(
            [(row.tick - entry[row.id]) / DAY - STEP * row.value for row in held if row.part == part]
        )
        for part in (0, 2)
    }
    n = len(held)
    assert n == 3000 * VISITS
    assert not [row for row in held if row.part == 1]
    assert abs(len(shift[2]) / n - 0.25) < 5.0 * np.sqrt(0.25 * 0.75 / n)
    spread = 3.0 if jitter == "sd" else 3.0 / np.sqrt(3.0)
    for part, lag, variance in ((0, 0.0, 0.0), (2, 3.0, 16.0 / 12.0)):
        sd = np.sqrt(spread**2 + variance)
        assert abs(shift[part].mean() - lag) < 5.0 * sd / np.sqrt(len(shift[part]))
        assert abs(shift[part].var() / sd**2 - 1.0) < 5.0 * np.sqrt(2.0 / len(shift[part]))


def test_a_visit_keeps_its_place() -> None:
    assert visit_time(10 * DAY, 0, 0.5, PUNCTUAL, 0.0, 1) == 10 * DAY
    assert visit_time(10 * DAY, 0, 0.5, NORMAL, 4.0, 1) == 10 * DAY
    assert visit_time(10 * DAY, 9 * DAY, 1e-9, NORMAL, 4.0, 1) == 9 * DAY + 1
    assert visit_time(10 * DAY, 9 * DAY, 1e-9, NORMAL, 4.0, DAY) == 10 * DAY
    assert visit_time(10 * DAY, 0, 0.75, EVEN, 4.0, 1) == 12 * DAY
    assert visit_time(14 * DAY, 0, 0.75, EVEN, 4.0, 7 * DAY) == 14 * DAY
    assert visit_time(14 * DAY, 0, 0.99, EVEN, 4.0, 7 * DAY) == 21 * DAY


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_a_pending_event_leaves_its_patient_at_risk(engine: str) -> None:
    """One event of two is adjudicated by the cut: the other's patient counts as followed without it."""
    tree: dict[str, Any] = {
        "name": "pending",
        "horizon": "200 days",
        "accrual": {"evenly_spaced": {"over": "1 days"}},
        "arms": ["control", "treatment"],
        "endpoints": {
            "relapse": {
                "kind": "survival",
                "baseline": per_day(0.03),
                "effect": {"treatment": 1.0},
                "adjudication": {"delay": "40 days", "confirmed": 1.0},
            }
        },
        "hypotheses": {
            "h": {"endpoint": "relapse", "arms": ["treatment", "control"], "analysis": "logrank", "direction": "lower"}
        },
        "truths": {"here": {}},
        "designs": {
            "d": {
                "kind": "fixed",
                "n": 200,
                "allocation": "alternating",
                "looks": [{"when": {"calendar": "100 days"}}],
                "tests": {"h": {"alpha": 0.025}},
            }
        },
    }  # fmt: skip
    chunk = chunk_of(scenario_from(tree), "d", "here", [0], 8, engine)
    point = chunk.advance()
    assert point is not None
    tables = chunk.cut(point, 0).risk_tables()
    log = conduct(chunk).chunk.log(0)
    entry = {row.id: row.tick for row in log if row.kind == Kind.RANDOMISATION}
    cut = 100 * DAY
    seen = {row.id: row.tick - entry[row.id] for row in log if row.kind == Kind.EVENT}
    told = {i: t for i, t in seen.items() if entry[i] + t + 40 * DAY <= cut}
    assert 20 < len(told) < len(seen)
    followed = [told.get(i, cut - at) for i, at in entry.items()]
    times = sorted(set(told.values()))
    size = int(tables.offsets[1])
    assert list(tables.at_risk[:size]) == [sum(f >= t for f in followed) for t in times]
    assert int(tables.events[:size].sum()) == len(told)
