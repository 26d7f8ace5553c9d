"""Designs that are stopped by adverse events: both engines count them alike, from logs that are written apart."""

from __future__ import annotations

import numpy as np
import pytest

from tests.twins.adverse_event_tests import TREES
from trialsim.conformance import check_twins
from trialsim.contracts import Kind, Stop
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.points import Point
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("grid", [1, TICKS_PER_DAY])
def test_the_engines_agree(name: str, grid: int) -> None:
    found = check_twins(scenario_from(TREES[name]), None, None, range(8), grid=grid)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", TREES)
def test_trials_are_stopped_for_safety_and_others_are_not(name: str) -> None:
    plan = build_plan(scenario_from(TREES[name]), "by_adverse_events", "here", 1)
    reasons = conduct(start_engine(plan, "fast").start(np.arange(200))).ends.reason
    assert 10 < (reasons == Stop.SAFETY).sum() < 190


def test_what_is_counted_stands_in_the_log() -> None:
    plan = build_plan(scenario_from(TREES["words"]), "by_adverse_events", "here", 1, TICKS_PER_DAY)
    chunk = start_engine(plan, "fast").start(np.arange(30))
    found = conduct(chunk)
    terms, severe = plan.world.life.terms, plan.world.life.levels.index("severe") + 1
    some = 0
    for r in range(30):
        log = chunk.log(r)
        arm = {row.id: int(row.value) for row in log if row.kind == Kind.RANDOMISATION}
        cut = int(found.ends.cut[r])
        point = Point("look", np.array([r]), np.array([0]), np.array([cut]))
        serious = chunk.cut(point, 2).patients()
        counted = [
            row for row in log
            if row.kind == Kind.SERIOUS and row.part == terms.index("rash") and arm[row.id] == 1 and row.tick <= cut
        ]  # fmt: skip
        assert serious.event.sum() == len(counted)
        worst = chunk.cut(point, 3).patients()
        with_severe = {
            row.id for row in log
            if row.kind == Kind.ADVERSE_EVENT and row.value >= severe and arm[row.id] in (0, 1) and row.tick <= cut
        }  # fmt: skip
        assert (worst.value >= severe).sum() == len(with_severe)
        some += len(with_severe)
    assert some > 20
