"""Trials whose events are re-estimated: the engines agree event by event, and every way their number can change occurs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.twins.sized import plans_of, what_chunks_change
from tests.twins.sized_events import SIZED_EVENTS
from tests.twins.test_mutations import Mutation, load
from trialsim.conformance import twin_difference
from trialsim.contracts import Kind, Stop
from trialsim.designs.reestimation_rules import ByEarlyEndpoint
from trialsim.engines import fast
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import Plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import start_engine


def plans(name: str) -> list[Plan]:
    return plans_of(SIZED_EVENTS, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED_EVENTS)
def test_the_engines_agree(name: str) -> None:
    for plan in plans(name):
        found = twin_difference(plan, range(40))
        assert found is None, f"{plan.design}: {found}"


@pytest.mark.slow
def test_every_way_a_number_of_events_can_change_occurs() -> None:
    seen = set()
    for name in SIZED_EVENTS:
        for plan in plans(name):
            assert plan.resizing is not None and plan.most == plan.n
            rule: Any = plan.resizing.rule
            early = isinstance(rule, ByEarlyEndpoint)
            most = plan.events_awaited + rule.more if early else rule.sizes.most
            chunk = start_engine(plan, "fast").start(np.arange(40))
            result = conduct(chunk)
            columns = columns_of(result)["trials"]
            for row in range(40):
                log = chunk.log(row)
                sizes = [int(each.value) for each in log if each.kind == Kind.RESIZED]
                assert columns["events_awaited"][row] == (sizes[-1] if sizes else plan.events_awaited)
                seen |= {"raised"} if any(size > plan.events_awaited for size in sizes) else set()
                seen |= {"lowered"} if any(size < plan.events_awaited for size in sizes) else set()
                seen |= {"at the most"} if most in sizes else set()
                seen |= {"twice"} if len(sizes) > 1 else set()
                short = columns["events"][row] < columns["events_awaited"][row]
                seen |= (
                    {"fewer than wanted"} if short and columns["stop_reason"][row] == Stop.FINAL else set()
                )
                seen |= {"horizon"} if sizes and columns["stop_reason"][row] == Stop.HORIZON else set()
                assert not any(each.kind == Kind.RESIZED and each.part for each in log)
                assert columns["enrolled"][row] <= plan.n
    assert seen == {"raised", "lowered", "at the most", "twice", "fewer than wanted", "horizon"}


def test_the_size_of_chunks_changes_nothing() -> None:
    for plan in plans("up and down by the day"):
        assert not what_chunks_change(plan, 30)


SLIPS = [
    (
        "looks wait for as many events as planned",
        "fast_sizes",
        "self.further[rows] = further\n        never",
        "never",
    ),
    (
        "the log tells the further events alone",
        "fast_sizes",
        "chunk.plan.events_awaited + further",
        "further",
    ),
    (
        "the last stage ends as planned",
        "fast_cohorts",
        "count = events + further if",
        "count = np.array([events]) if",
    ),
    (
        "the first stage gets more events too",
        "fast_cohorts",
        "if stage == len(planned.events) - 1 else",
        "if stage >= 0 else",
    ),
]
_PLACES = {"fast_sizes": "sizes_of", "fast_cohorts": "FastCohorts"}


@pytest.mark.slow
@pytest.mark.parametrize("slip", SLIPS, ids=[name for name, *_ in SLIPS])
def test_a_slip_is_found(
    slip: tuple[str, str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, module, old, new = slip
    found = load(Mutation(name, module, old, new), tmp_path)
    monkeypatch.setattr(fast, _PLACES[module], getattr(found, _PLACES[module]))
    names = ("in a zone by the day", "by response by the day")
    differences = (twin_difference(plan, range(40)) for name in names for plan in plans(name))
    assert any(difference is not None for difference in differences), "the twins did not notice"
