"""Rankings and choices of sites that know the future, an arm or an outcome by any way are found, and no view tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from trialsim.conformance import check_policy
from trialsim.conformance.chance import SEED, beyond_chance, ranks
from trialsim.conformance.foresight_in_recruitment import CHOSEN, RANKED
from trialsim.contracts import CandidateView, Kind, SiteDecision, SitesSoFar, SiteView
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.policies.scores import on_grid
from trialsim.scenario.load import scenario_from_text
from trialsim.timegrid import TICKS_PER_DAY

TRIALS = 60
UNKNOWN = {"arm": 0.5, "responds": 0.4}
"""What is expected of patients stands for those who will be none, so that nothing tells who will be."""


@cache
def ahead(text: str, design: str, seed: int) -> tuple[dict[tuple[int, int], dict[str, float]], np.ndarray]:
    """Run the trials of a seed ahead of those who run them; return what becomes of candidates, and days of set-up."""
    plan = build_plan(scenario_from_text(text), design, "none", seed)
    chunk = conduct(start_engine(plan, "fast").start(np.arange(TRIALS if design == "chosen" else 12))).chunk
    fates: dict[tuple[int, int], dict[str, float]] = {}
    for row in range(len(chunk.replicates)):
        log = chunk.log(row)
        keys = {each.id: int(each.value) for each in log if each.kind == Kind.CANDIDATE}
        for each in log:
            if each.kind == Kind.ARRIVAL:
                fates[row, each.id] = {"days": each.tick / TICKS_PER_DAY}
        for each in log:
            if each.kind == Kind.RANDOMISATION:
                fates[row, keys[each.id]] |= {"passes": 1.0, "arm": each.value}
            elif each.kind == Kind.READOUT:
                fates[row, keys[each.id]]["responds"] = each.value
    assert plan.world.sites is not None
    return fates, plan.world.sites.activation_delays(seed, chunk.replicates, 1) / TICKS_PER_DAY


@dataclass
class KnowsFates:
    """Calls those who will pass, get the treatment or respond; ``known`` is the seed of the run, None takes the view's."""

    knows: str
    known: int | None = None
    name, reference, decides_on, as_they_come = "mine", "", "candidate", False

    def decide(self, view: CandidateView, memory: Any) -> tuple[np.ndarray, Any]:
        return self.known_of(view), memory

    def known_of(self, view: CandidateView) -> np.ndarray:
        fates, _ = ahead(RANKED, "ranked", view.seed if self.known is None else self.known)
        usual = UNKNOWN.get(self.knows, 0.0)
        pairs = zip(view.replicate.tolist(), view.candidate.tolist(), strict=True)
        return on_grid(np.array([fates.get(pair, {}).get(self.knows, usual) for pair in pairs]))


class LearnsFates(KnowsFates):
    """Knows nothing before the first review, and everything from then on."""

    at_reviews = True

    def decide(self, view: CandidateView, memory: Any) -> tuple[np.ndarray, Any]:
        if view.screenings is not None:
            memory = {"asked": np.ones(len(view.screenings.review))}
        return self.known_of(view) if memory else np.zeros(len(view.candidate), dtype=np.int64), memory


@dataclass
class KnowsSites:
    """Opens and keeps sites that will find many, open soon, or have patients who respond."""

    knows: str
    known: int | None = None
    name, reference, decides_on, open_sites, at_reviews = "mine", "", "site", 6, True

    def _worth(self, seed: int, replicate: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return what is known of each site from one day to another, ``[replicate, site]``."""
        _, delays = ahead(CHOSEN, "chosen", seed)
        if self.knows == "opens_soon":
            return -delays[replicate % TRIALS]
        row, site, days, value = _table(CHOSEN, "chosen", seed, self.knows)
        size, there = len(replicate), {}
        for k, number in enumerate(replicate % TRIALS):
            inside = (row == number) & (days > first[k]) & (days <= last[k]) & np.isfinite(value)
            count = np.bincount(site[inside], minlength=12)
            total = np.bincount(site[inside], value[inside], minlength=12)
            there[k] = count if self.knows == "comes" else total / np.maximum(count, 1)
        return np.stack([there[k] for k in range(size)])

    def decide(self, view: SiteView, memory: Any) -> tuple[SiteDecision, Any]:
        now = view.so_far
        return SiteDecision(score=self.score(view)) if now is None else self.reviewed(view, now), memory

    def score(self, view: SiteView) -> np.ndarray:
        if self.knows == "responds":
            return np.zeros(view.promised.shape)
        seed, none = view.seed if self.known is None else self.known, np.zeros(len(view.replicate))
        return self._worth(seed, view.replicate, none, none + 120.0)[:, : len(view.names)] * 1.0

    def reviewed(self, view: SiteView, now: SitesSoFar) -> SiteDecision:
        seed = view.seed if self.known is None else self.known
        worth = self._worth(seed, view.replicate, now.review_days, now.review_days + 60.0)
        worth = worth[:, : now.open.shape[1]]
        better = worth > np.median(worth, axis=1, keepdims=True)
        return SiteDecision(close=now.open & ~better, open=now.reserve & better)


@cache
def _table(text: str, design: str, seed: int, knows: str) -> tuple[np.ndarray, ...]:
    """Return trial, site, day and fate of all candidates; NaN where it is not known."""
    fates, _ = ahead(text, design, seed)
    rows = [(row, key >> 32, fate["days"], fate.get(knows, np.nan)) for (row, key), fate in fates.items()]
    row, site, days, value = np.array(rows).T
    return row.astype(np.int64), site.astype(np.int64), days, np.ones(len(row)) if knows == "comes" else value


CHEATS = [
    (KnowsFates, "passes", "about a candidate"),
    (KnowsFates, "arm", "about a patient"),
    (KnowsFates, "responds", "about a patient"),
    (LearnsFates, "passes", "about a candidate"),
    (KnowsSites, "comes", ""),
    (KnowsSites, "opens_soon", ""),
    (KnowsSites, "responds", "about sites to close"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "knows", "where"), CHEATS)
def test_who_knows_the_seed_of_the_run_is_found_and_the_view_does_not_tell_it(
    kind: Any, knows: str, where: str
) -> None:
    """The same policy foresees with the run's own seed, and finds noise with the one that it is given."""
    (fault,) = check_policy(kind(knows, SEED))
    assert fault.startswith(f"peeking: what it decides {where}")
    assert check_policy(kind(knows)) == []


@dataclass
class KeepsTheList:
    """Calls those after whom few come: keeps all who are laid before it at once, later ones too, outside its memory."""

    seen: dict[int, int] = field(default_factory=dict)
    name, reference, decides_on, as_they_come = "mine", "", "candidate", False

    def decide(self, view: CandidateView, memory: Any) -> tuple[np.ndarray, Any]:
        for key, site, days in zip(view.candidate.tolist(), view.site, view.contact_days, strict=True):
            later = (view.site == site) & (view.contact_days > days) & (view.contact_days < days + 15.0)
            self.seen.setdefault(key, int(later.sum()))
        return np.array([self.seen[key] for key in view.candidate.tolist()], dtype=np.int64), memory


class KeepsTheFirstRates(KnowsSites):
    """Keeps what it saw of all replicates the first time it was asked."""

    def __init__(self) -> None:
        super().__init__("comes")
        self.kept: dict[int, np.ndarray] = {}

    def score(self, view: SiteView) -> np.ndarray:
        for number in view.replicate.tolist():
            self.kept.setdefault(number, view.history_patients.mean(axis=0))
        return np.stack([self.kept[number] for number in view.replicate.tolist()])

    def reviewed(self, view: SiteView, now: SitesSoFar) -> SiteDecision:
        return SiteDecision()


@pytest.mark.parametrize("kind", [KeepsTheList, KeepsTheFirstRates])
def test_what_is_kept_outside_the_memory_is_told(kind: Any) -> None:
    assert any("outside its memory" in fault for fault in check_policy(kind()))


def test_correlations_in_standard_errors_and_ranks() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((2, 500, 1))
    assert beyond_chance(x, y) == pytest.approx(
        abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]) * np.sqrt(500), rel=1e-12
    )
    y[::7] = np.nan
    known = np.isfinite(y[:, 0])
    centred = np.where(known, y[:, 0] - y[known, 0].mean(), 0.0)
    assert beyond_chance(x, y) == pytest.approx(
        abs(np.corrcoef(x[:, 0], centred)[0, 1]) * np.sqrt(500), rel=1e-12
    )
    assert beyond_chance(np.ones((500, 1)), x) == 0.0
    assert ranks(np.array([3.0, np.nan, 1.0, 3.0])).tolist() == [0.5, -0.75, -0.25, 0.5]
