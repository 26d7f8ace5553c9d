"""Trials whose sizes are re-estimated: the engines agree event by event, and every way a size can change occurs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.twins.exhaustive import every
from tests.twins.sized import SIZED, plans_of, what_chunks_change
from tests.twins.test_mutations import Mutation, load
from trialsim.conformance import twin_difference
from trialsim.contracts import Kind
from trialsim.engines import fast
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import Plan
from trialsim.engines.runner import start_engine


def plans(name: str) -> list[Plan]:
    return plans_of(SIZED, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZED)
def test_the_engines_agree(name: str) -> None:
    for plan in plans(name):
        found = twin_difference(plan, range(40))
        assert found is None, f"{plan.design}: {found}"


@pytest.mark.slow
def test_every_way_a_size_can_change_occurs() -> None:
    seen = set()
    for name in SIZED:
        for plan in plans(name):
            chunk = start_engine(plan, "fast").start(np.arange(40))
            conduct(chunk)
            for row in range(40):
                log = chunk.log(row)
                kinds = [each.kind for each in log]
                sizes = [int(each.value) for each in log if each.kind == Kind.RESIZED]
                seen |= {"raised"} if any(size > plan.n for size in sizes) else set()
                seen |= {"lowered"} if any(size < plan.n for size in sizes) else set()
                seen |= {"at the most"} if plan.most in sizes else set()
                seen |= {"twice"} if len(sizes) > 1 else set()
                seen |= (
                    {"reopened"} if any(each.kind == Kind.RESIZED and each.part for each in log) else set()
                )
                shut = [each.tick for each in log if each.kind == Kind.ENROLMENT_CLOSED]
                again = [each.tick for each in log if each.kind == Kind.RESIZED and each.part]
                by_decision = [each.tick for each in log if each.kind == Kind.RESIZED and each.tick in shut]
                seen |= (
                    {"closed and reopened by decisions"}
                    if again and min(by_decision, default=again[0]) < again[0]
                    else set()
                )
                after = kinds.index(Kind.RESIZED) + 1 if sizes else 0
                closes = kinds[after : after + 1] == [Kind.ENROLMENT_CLOSED]
                seen |= {"closed by a decision"} if sizes and closes else set()
    assert seen == {
        "raised", "lowered", "at the most", "twice", "reopened", "closed by a decision", "closed and reopened by decisions",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["reopening", "up and down"])
def test_the_size_of_chunks_changes_nothing(name: str) -> None:
    for plan in plans(name):
        assert not what_chunks_change(plan, 30)


SLIPS = [
    ("enrolment opens without a pause", "pause = np.where(reopens, ticks - closed, 0)", "pause = 0 * ticks"),
    (
        "those of the closing's instant come at the decision",
        "ticks[opened] + chunk.plan.grid)",
        "ticks[opened])",
    ),
    ("who was enrolled ahead is forgotten", "np.maximum(target, entered)", "target"),
    ("a decision closes nothing", "~was_closed & (target <= entered)", "was_closed & (target < 0)"),
    ("the closing of a decision is forgotten", "np.where(closes, ticks, closed)", "closed"),
    ("outcomes of those who come now are not drawn", "first[rows] = before", "first[rows] = before + 1"),
]


@pytest.mark.slow
@pytest.mark.parametrize("slip", every(3, SLIPS), ids=[name for name, _, _ in SLIPS])
def test_a_slip_is_found(slip: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, old, new = slip
    found = load(Mutation(name, "fast_sizes", old, new), tmp_path)
    monkeypatch.setattr(fast, "sizes_of", found.sizes_of)
    differences = (twin_difference(plan, range(40)) for name in SIZED for plan in plans(name))
    assert any(difference is not None for difference in differences), "the twins did not notice"
