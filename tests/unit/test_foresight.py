"""No policy can work out the future from the seed in its view, and one that knows it by any way is found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from trialsim.conformance import check_policy
from trialsim.conformance.chance import SEED
from trialsim.conformance.foresight import _DECIDED, _MONITORED
from trialsim.contracts import (
    DISCONTINUE,
    NOTHING,
    AllocationView,
    Decision,
    LookView,
    VisitView,
)
from trialsim.draws import Purpose, name_address, uniforms_at
from trialsim.engines.candidate_views import seed_for_policies
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.operations.adverse_events import GAP, occurrence_draw, term_address
from trialsim.policies.bounds import Bounds
from trialsim.scenario.load import scenario_from_text


def responses(seed: int, replicate: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Return how often patients of a trial respond, as the engines draw it from the seed of the run, ``[trial]``."""
    out = np.empty(len(replicate) * len(patients))
    keys = np.tile(patients, len(replicate))
    draw = name_address("response")
    uniforms_at(seed, np.repeat(replicate, len(patients)), keys, int(Purpose.READOUT), draw, out)
    return (out.reshape(len(replicate), -1) < 0.4).mean(axis=1)


@dataclass
class StopsBeforeBadLuck(Bounds):
    """Give up where those still to come will not respond; ``known`` is the seed of the run, None takes that of the view."""

    known: int | None = None
    name, reference, any_rejection, follow_futility = "mine", "", False, False

    def decide(self, view: LookView, memory: Any) -> tuple[Decision, Any]:
        seed = view.seed if self.known is None else self.known
        poor = responses(seed, view.replicate, np.arange(20, 60)) < 0.4
        futile = np.repeat(poor[:, None], view.z.shape[1], axis=1)
        return self._conclude(view, np.zeros_like(futile), futile, view.open_arms), memory


@dataclass
class AllocatesToLuck:
    """Give the next patients a new treatment where they will respond."""

    known: int | None = None
    name, reference, decides_on, adaptive = "mine", "", "allocation", True

    def decide(self, view: AllocationView, memory: Any) -> tuple[Decision, Any]:
        seed = view.seed if self.known is None else self.known
        lucky = responses(seed, view.replicate, np.arange(20, 60))
        weights = np.where(view.open_arms, 1.0, 0.0)
        weights[:, 1:] *= 1.0 + lucky[:, None]
        return Decision(weights=weights), memory


@dataclass
class EndsBeforeRashes:
    """End the treatment of those who will have their first rash before the next visit."""

    known: int | None = None
    name, reference, decides_on = "mine", "", "visit"

    def decide(self, view: VisitView, memory: Any) -> tuple[np.ndarray, Any]:
        seed, rash = view.seed if self.known is None else self.known, view.terms.index("rash")
        draw = int(occurrence_draw(term_address(name_address("rash")), 0, GAP))
        u = np.empty(len(view.patient))
        uniforms_at(seed, view.replicate, view.patient, int(Purpose.ADVERSE_EVENT), draw, u)
        first = -np.log(u) * 365.25 / 6.0  # days, at six a year
        soon = (view.events[:, rash].sum(axis=1) == 0) & (first < view.days + 30.0)
        return np.where(soon, DISCONTINUE, NOTHING), memory


@pytest.mark.parametrize("hostile", [StopsBeforeBadLuck, AllocatesToLuck, EndsBeforeRashes])
def test_who_knows_the_seed_of_the_run_is_found_and_the_view_does_not_tell_it(hostile: Any) -> None:
    """The same policy foresees everything with the run's own seed, and nothing with the one that it is given."""
    (fault,) = check_policy(hostile(SEED))
    assert fault.startswith("peeking: what it decides at")
    assert check_policy(hostile()) == []


class Keeps(Bounds):
    """Stops by the bounds, does nothing at visits, and keeps the seeds of its views."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds: set[int] = set()

    def decide(self, view: Any, memory: Any) -> tuple[Any, Any]:
        self.seeds.add(view.seed)
        if isinstance(view, VisitView):
            return np.full(len(view.patient), NOTHING), memory
        return super().decide(view, memory)


@pytest.mark.parametrize("engine", ["fast", "reference"])
@pytest.mark.parametrize(("text", "design"), [(_DECIDED, "looks"), (_MONITORED, "visits")])
def test_no_view_holds_the_seed_of_the_run(engine: str, text: str, design: str) -> None:
    """Both engines give the same other seed, at looks and at visits."""
    plan, keeps = build_plan(scenario_from_text(text), design, "none", 77), Keeps()
    monitored = {"monitoring": keeps} if design == "visits" else {}
    conduct(start_engine(replace(plan, stopping=keeps, **monitored), engine).start(np.array([3])))
    assert keeps.seeds == {seed_for_policies(77)} != {77}
