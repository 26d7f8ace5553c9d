"""A count that can no longer be reached does not hold up the trial, whatever other endpoints still do; in both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trialsim import simulate
from trialsim.conformance import check_twins
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY

VISITS = {"every": "8 weeks", "until": "1 year", "jitter": {"sd": "5 days"}, "missed": 0.2}
TOLD_LATE = {
    "report_delay": {"exponential": {"mean": "30 days"}},
    "adjudication": {"confirmed": 0.7, "delay": {"exponential": {"mean": "20 days"}}},
}


def scenario(look: dict[str, Any], **world: Any) -> Any:
    """Return a trial of 30 patients within a month, one endpoint of which goes on for years."""
    return scenario_from(
        {
            "name": "out_of_reach",
            "horizon": "10 years",
            "accrual": {"evenly_spaced": {"over": "1 month"}},
            "arms": ["control", "treatment"],
            "endpoints": {
                "score": {"kind": "continuous", "readout": "24 weeks", "mean": 0, "sd": 1, "effect": {"treatment": 1}},
                "event": {"kind": "survival", "baseline": {"median": "1 year"}, "effect": {"treatment": 0.8}},
                "slow": {"kind": "survival", "baseline": {"hazard": "0.02 per year"}, "effect": {"treatment": 1}},
            },
            "dropout": {"baseline": {"hazard": "0.3 per year"}},
            "hypotheses": {
                "score": {"endpoint": "score", "arms": ["treatment", "control"], "analysis": "t_test",
                          "direction": "higher"},
            },
            "truths": {"expected": {}},
            "designs": {
                "only": {"kind": "fixed", "n": 30, "allocation": "alternating", "looks": [{"when": look}],
                         "tests": {"score": {"alpha": 0.025}}},
            },
        }
        | world
    )  # fmt: skip


def with_visits(look: dict[str, Any], **event: Any) -> Any:
    """Return the trial with visits, at which the event and the score are seen; the event that goes on is death."""
    plain = scenario(look).dump()
    ends = plain["endpoints"]
    ends["slow"]["terminal"] = True
    ends["event"] |= {"detected": "visits", **event}
    ends["score"]["detected"] = "visits"
    return scenario_from(plain | {"visits": VISITS, "horizon": "10 years"})


READOUTS = {"readouts": {"count": 30, "endpoint": "score"}}
EVENTS = {"events": {"count": 30, "endpoint": "event"}}


@pytest.mark.parametrize("grid", [1, 7 * TICKS_PER_DAY])
@pytest.mark.parametrize("look", [READOUTS, EVENTS], ids=["readouts", "events"])
@pytest.mark.parametrize("seen", ["at_once", "at_visits", "reported_late"])
def test_the_engines_agree_on_when_nothing_more_can_come(seen: str, look: dict[str, Any], grid: int) -> None:
    made = {
        "at_once": lambda: scenario(look),
        "at_visits": lambda: with_visits(look),
        "reported_late": lambda: with_visits(look, **TOLD_LATE),
    }[seen]()
    assert check_twins(made, replicates=range(12), grid=grid) == []


def test_read_outs_end_with_the_last_read_out_or_loss() -> None:
    """30 patients in a month, read out at 24 weeks: the last can be read out on day 30.4375 + 168."""
    looks = simulate(scenario(READOUTS), replicates=200).looks()
    assert len(looks) == 200
    days = looks["cut_time"].to_numpy()
    assert days.max() <= 30.4375 + 168 + 1e-6
    assert (
        np.mean(looks["readouts"] < 30) > 0.5
    )  # most lose somebody: 30 (1 - exp(-0.3 * 168 / 365.25)) is 3.9


def test_events_seen_at_visits_end_with_the_last_visit() -> None:
    looks = simulate(with_visits(EVENTS), replicates=200).looks()
    days = looks["cut_time"].to_numpy()
    assert days.max() <= 30.4375 + 366 + 6 * 5
    assert days.max() < 500.0
