"""Worlds in which recruitment cannot work, or hardly: a sentence at check, or a trial that ends; never a hang."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.statistical.recruited import recruitment_plan
from trialsim.conformance import twin_difference
from trialsim.contracts import Stop
from trialsim.engines.conduct import conduct
from trialsim.engines.fast_sites import MOST_ROWS
from trialsim.engines.plan import Plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import start_engine
from trialsim.errors import ScenarioError, UsageError

N, DAILY = 20, {"rate": "1 per day"}


def plan(
    sites: dict[str, Any], screening: dict[str, Any] | None = None, horizon: str = "100 days", n: int = N
) -> Plan:
    return recruitment_plan(sites, screening, n, horizon)


NOBODY: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "no site ever opens": ({"a": DAILY | {"count": 3, "never_opens": 1.0}}, None),
    "the records of nobody pass": ({"a": DAILY}, {"prescreen": {"probability": 0.0}}),
    "everybody refuses": ({"a": DAILY}, {"consent": {"probability": 0.0, "duration": "1 day"}}),
    "everybody fails": ({"a": DAILY}, {"eligible": {"probability": 0.0}}),
    "everybody fails again and again": (
        {"a": DAILY | {"coordinators": 1}},
        {
            "eligible": {"probability": 0.0},
            "rescreening": {"probability": 1.0, "after": "0 days", "eligible": 0.0, "attempts": 5},
        },
    ),
    "screening takes longer than its window": ({"a": DAILY}, {"duration": "14 days", "window": "10 days"}),
    "the lag takes longer than the window": ({"a": DAILY}, {"duration": "4 days", "lag": "30 days", "window": "10 days"}),
    "others take everybody": ({"a": DAILY | {"competing": [{"from": "0 days", "share": 1.0}]}}, None),
    "the rate falls to zero at once": ({"a": DAILY | {"drift": {"per_year": -1000}}}, None),
    "the rate rises too late": ({"a": DAILY | {"ramp_up": {"from": 0.0, "over": "900 years"}}}, None),
    "sites close before they open": (
        {"a": DAILY | {"activation": "30 days", "closes": "10 days"}, "b": {"rate": "0 per day"}},
        None,
    ),
    "candidates come after the horizon": ({"a": {"rate": "0.0001 per year"}}, None),
}  # fmt: skip

FEW: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "a backlog and nobody else": ({"a": {"rate": "0 per day", "backlog": 3}}, None),
    "capacity far below demand": ({"a": {"rate": "20 per day", "coordinators": 1}}, {"duration": "14 days"}),
    "nobody waits": ({"a": {"rate": "3 per day", "coordinators": 1}}, {"patience": "0 days", "duration": "9 days"}),
    "one site in a hundred finds anybody": ({"a": DAILY | {"count": 5, "rate_shape": 0.01}}, None),
}  # fmt: skip

ENOUGH: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "one patient a site": ({"a": DAILY | {"count": 40, "cap": 1}}, None),
    "caps that add up to the trial": ({"a": DAILY | {"count": 5, "cap": 4}}, None),
    "more candidates at the start than patients": ({"a": DAILY | {"backlog": 300}}, None),
    "everybody is there on day 0": ({"a": {"rate": "0 per day", "backlog": 300}}, None),
    "nothing takes any time": (
        {"a": DAILY},
        {"lag": "0 days", "duration": "0 days", "consent": {"probability": 1.0, "duration": "0 days"}},
    ),
    "a first site opens after 900 years": ({"a": DAILY | {"activation": "900 years"}}, None),
    "a second site opens after 900 years": ({"a": DAILY, "b": DAILY | {"activation": "900 years"}}, None),
    "many sites": ({"a": {"rate": "1 per year", "count": 500, "rate_shape": 0.5}}, None),
    "a pipeline that never empties": (
        {"a": {"rate": "5 per day"}},
        {"lag": {"log_normal": {"median": "1 year", "sd_log": 10}}, "when_enrolment_closes": "keep"},
    ),
    "a pipeline far larger than the trial": (
        {"a": {"rate": "60 per day"}},
        {"duration": {"uniform": {"from": "1 day", "to": "60 days"}}, "when_enrolment_closes": "keep"},
    ),
}


def ends(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Return patients and reasons of some trials, once both engines have told the same of them."""
    trials = columns_of(conduct(start_engine(plan, "fast").start(np.arange(4))))["trials"]
    assert twin_difference(plan, range(4)) is None
    return trials["enrolled"], trials["stop_reason"]


@pytest.mark.parametrize("world", NOBODY)
def test_a_trial_without_patients_ends_at_its_horizon(world: str) -> None:
    enrolled, reason = ends(plan(*NOBODY[world]))
    assert np.all(reason == Stop.HORIZON)
    assert np.all(enrolled == 0)


@pytest.mark.slow
@pytest.mark.parametrize("world", FEW)
def test_a_trial_with_too_few_patients_ends_at_its_horizon(world: str) -> None:
    enrolled, reason = ends(plan(*FEW[world], n=60))
    short = enrolled < 60
    assert short.any()
    assert np.all(reason[short] == Stop.HORIZON)


@pytest.mark.parametrize("world", ENOUGH)
def test_a_trial_that_fills_in_an_odd_way_is_analysed(world: str) -> None:
    enrolled, reason = ends(plan(*ENOUGH[world], horizon="500 days"))
    assert np.all(enrolled >= N)
    kept = (ENOUGH[world][1] or {}).get("when_enrolment_closes") == "keep"
    assert kept or np.all(enrolled == N)
    assert np.all(reason != Stop.HORIZON)


@pytest.mark.parametrize(
    ("sites", "screening", "horizon", "says"),
    [
        ({"a": {"rate": "0 per day"}}, None, "1 year", "no site ever finds a candidate"),
        (
            {"a": DAILY | {"cap": 1, "count": 4}},
            None,
            "1 year",
            "at most 4 of 20 patients fit under the caps",
        ),
        ({"a": {"rate": "1000000 per day"}}, None, "50 years", "about 18,262,500,000 candidates may come"),
        (
            {"a": {"rate": "1000 per day", "count": 2}},
            {"rescreening": {"probability": 0.1, "after": "1 day", "eligible": 0.5, "attempts": 2}},
            "1 year",
            "each screened up to 3 times, may come within the horizon of 365.25 days; a trial can hold 666,666",
        ),
    ],
)
def test_what_cannot_be_simulated_is_said_at_once(
    sites: dict[str, Any], screening: dict[str, Any] | None, horizon: str, says: str
) -> None:
    with pytest.raises(ScenarioError, match=says.replace("(", r"\(")):
        plan(sites, screening, horizon)


def test_sites_that_close_or_a_shorter_horizon_help() -> None:
    busy = {"rate": "10000 per day"}
    with pytest.raises(ScenarioError):
        plan({"a": busy}, None, "2 years")
    plan({"a": busy | {"closes": "100 days"}}, None, "2 years")
    plan({"a": busy}, None, "100 days")


def test_a_rate_drawn_far_above_its_mean_is_refused_while_running() -> None:
    """Expected are 1.8 million candidates; one trial draws far more than its memory can hold."""
    world = plan({"a": {"rate": "18000 per day", "rate_shape": 0.01}}, {"eligible": {"probability": 0.0}})
    with pytest.raises(UsageError, match=r"in replicate [0-9]+ more than 8,388,608 candidates come"):
        conduct(start_engine(world, "fast").start(np.arange(200)))


def test_chunks_shrink_to_the_room_that_a_trial_takes() -> None:
    engine = start_engine(
        plan({"a": {"rate": "200 per day", "coordinators": 1}}, {"duration": "10 days"}), "fast"
    )
    assert engine.fitting(5000) == 4
    conduct(engine.start(np.arange(4)))
    assert 40 < engine.fitting(5000) < MOST_ROWS / 20_000 + 1
    assert start_engine(plan({"a": DAILY}), "fast").fitting(3) == 3


def test_what_was_run_before_changes_no_number() -> None:
    """An engine that has learned how long enrolment takes finds for each trial what a new one finds."""
    sites = {"a": {"count": 3, "rate": "2 per month", "rate_shape": 0.4, "coordinators": 1}}
    screening = {"duration": "10 days", "patience": {"exponential": {"mean": "30 days"}}}
    world = plan(sites, screening, "20 years")
    used = start_engine(world, "fast")
    together = columns_of(conduct(used.start(np.arange(60))))
    for replicate in (3, 59, 0, 31):
        for engine in (used, start_engine(world, "fast")):
            alone = columns_of(conduct(engine.start(np.array([replicate]))))
            for table, columns in alone.items():
                if "replicate" not in columns:  # sums over the trials of a chunk
                    continue
                here = together[table]["replicate"] == replicate
                for name, values in columns.items():
                    real = values.dtype.kind == "f"
                    assert np.array_equal(values, together[table][name][here], equal_nan=real), (table, name)


def test_a_large_trial_keeps_little() -> None:
    """A large trial of 43 sites takes less than a megabyte for each replicate in flight."""
    sites = {"a": {"count": 43, "rate": "4 per month", "rate_shape": 1.4, "coordinators": 2}}
    screening = {"prescreen": {"probability": 0.7}, "eligible": {"probability": 0.6}, "duration": "14 days"}
    world = plan(sites, screening, "10 years", n=2139)
    chunk = start_engine(world, "fast").start(np.arange(16))
    recruitment = chunk.patients.recruitment
    held = sum(value.nbytes for value in vars(recruitment).values() if isinstance(value, np.ndarray))
    assert held / 16 < 1e6
