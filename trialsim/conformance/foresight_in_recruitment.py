"""Whether rankings and choices of sites know the future: asked in trials whose recruitment goes on as if they said nothing.

In these worlds records, sites, history and promises tell nothing: sites find candidates alike, who consent, pass, get an
arm and respond by chance alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from trialsim.conformance.chance import SEED, beyond_chance, plan_of, ranks
from trialsim.contracts import (
    Bools,
    CandidateView,
    Floats,
    Ints,
    Kind,
    Memory,
    SiteDecision,
    SiteView,
)
from trialsim.engines.candidate_views import prepared
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import Plan
from trialsim.engines.points import Chunk
from trialsim.engines.runner import start_engine
from trialsim.policies.scores import reads_latent
from trialsim.timegrid import TICKS_PER_DAY

RANKED = """
name: foresight_of_rankings
horizon: 200 days
population:
  marginals:
    group: {categorical: {A: 0.6, B: 0.4}}
    age: {normal: {mean: 60, sd: 10}}
    marker: {log_normal: {median: 1.6, sd_log: 0.7}}
  traits: {eligibility: {sd: 1}}
accrual:
  sites: {clinics: {count: 5, rate: 20 per month}}
screening:
  consent: {probability: 0.7, duration: 1 day}
  duration: {uniform: {from: 2 days, to: 20 days}}
  eligible: {probability: 0.5}
  records: {missing: {age: 0.1, marker: 0.1}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 1 week, rate: 0.4, effect: {treatment: 0.4}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {none: {}}
designs:
  ranked:
    kind: fixed
    n: 600
    allocation: simple
    looks: [{when: {readouts: 600}}]
    tests: {primary: {alpha: 0.025}}
    reviews: {every: {calendar: 30 days}}
"""
CHOSEN = """
name: foresight_of_sites
horizon: 390 days
population:
  marginals: {group: {categorical: {A: 0.6, B: 0.4}}}
accrual:
  sites:
    clinics:
      count: 12
      rate: 5 per month
      activation: {uniform: {from: 0 days, to: 50 days}}
      history: {over: 6 months, spread: 0.5}
      feasibility: {optimism: 1.5, spread: 0.5, answered: 0.8}
screening:
  duration: 7 days
  eligible: {probability: 0.6}
  subgroup: group
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 1 week, rate: 0.4, effect: {treatment: 0.4}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {none: {}}
designs:
  chosen:
    kind: fixed
    n: 900
    allocation: simple
    looks: [{when: {readouts: 900}}]
    tests: {primary: {alpha: 0.025}}
    reviews: {every: {calendar: 60 days}}
"""
# Nobody's enrolment is ever full, and whoever comes this long before the end has reached one.
_RANKING_TRIALS, _RANKED_DAYS, _HALF_MONTH = 12, 165.0, 15.0
_SITE_TRIALS, _BETWEEN_REVIEWS, _OPEN_AT_FIRST, _REVIEWS = 60, 60.0, 6, 4


@dataclass(frozen=True)
class _Candidates:
    """All who came in some trials, ``[candidate]`` each; NaN where there is none."""

    trial: Ints
    key: Ints
    days: Floats
    randomised: Floats
    waited: Floats
    arm: Floats
    responds: Floats

    @property
    def site(self) -> Ints:
        """Where they came."""
        return np.asarray(self.key >> 32)


@cache
def _candidates(text: str, design: str, trials: int) -> _Candidates:
    """Return who comes in trials in which a policy is asked, and what becomes of them: the same whatever it says."""
    plan, found = plan_of(text, design), list[tuple[float, ...]]()
    given: dict[str, Any] = {"site_policy": _Chooser(None)} if text == CHOSEN else {}
    chunk = _conducted(replace(plan, **given), trials)
    for row in range(len(chunk.replicates)):
        came, key_of, entry, arm, response = ({} for _ in range(5))
        for each in chunk.log(row):
            if each.kind == Kind.ARRIVAL:
                came[each.id] = each.tick / TICKS_PER_DAY
            elif each.kind == Kind.RANDOMISATION:
                arm[each.id], entry[each.id] = each.value, each.tick / TICKS_PER_DAY
            elif each.kind == Kind.CANDIDATE:
                key_of[int(each.value)] = each.id
            elif each.kind == Kind.READOUT:
                response[each.id] = each.value
        for key, days in came.items():
            number = key_of.get(key, -1)
            waited = entry.get(number, np.nan) - days
            fate = (float(number >= 0), waited, arm.get(number, np.nan), response.get(number, np.nan))
            found.append((row, key, days, *fate))
    columns = np.array(found).T
    return _Candidates(columns[0].astype(np.int64), columns[1].astype(np.int64), *columns[2:])


@dataclass
class _Ranker:
    """Calls candidates as they come, and keeps how a policy would have ranked them when they came."""

    policy: Any
    scores: dict[tuple[int, int], int] = field(default_factory=dict)
    reviewed: float = -1.0
    """Day of the latest review."""

    name, reference, decides_on, as_they_come = "recorder", "", "candidate", False

    @property
    def reads_latent(self) -> bool:
        """Whether the policy does."""
        return reads_latent(self.policy)

    @property
    def at_reviews(self) -> bool:
        """Whether the policy learns."""
        return bool(getattr(self.policy, "at_reviews", False))

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Ask the policy, and rank nobody."""
        if view.screenings is not None:
            self.reviewed = float(view.screenings.review_days[0])
        scores, memory = self.policy.decide(view, memory)
        return self._noted(view, scores), memory

    def _noted(self, view: CandidateView, scores: Ints) -> Ints:
        """Keep the scores of those who come after the latest review; that of a candidate before is never overwritten."""
        later = view.contact_days > self.reviewed
        keys = zip(view.replicate[later].tolist(), view.candidate[later].tolist(), strict=True)
        self.scores.update(zip(keys, scores[later].tolist(), strict=True))
        return np.zeros(len(scores), dtype=np.int64)


def of_rankings(policy: Any) -> list[tuple[str, float]]:
    """Return by how many standard errors scores go with what becomes of candidates, and with who comes next.

    Parameters
    ----------
    policy
        Ranks candidates who have a group, an age and a marker.
    """
    if policy.as_they_come:
        return []
    plan = plan_of(RANKED, "ranked")
    ranker = _Ranker(prepared(plan.world, policy))
    _conducted(replace(plan, recruitment=ranker), _RANKING_TRIALS)
    all_of_them = _candidates(RANKED, "ranked", _RANKING_TRIALS)
    keys = zip(all_of_them.trial.tolist(), all_of_them.key.tolist(), strict=True)
    place = ranks(np.array([ranker.scores[key] for key in keys], dtype=np.float64))
    early = all_of_them.days < _RANKED_DAYS
    got_in = early & (all_of_them.randomised > 0)
    fates = np.stack([all_of_them.arm, all_of_them.responds, all_of_them.waited], axis=1)
    how_many, mean = _by_half_months(all_of_them, place)
    return [
        ("about a candidate", beyond_chance(place[early, None], all_of_them.randomised[early, None])),
        ("about a patient", beyond_chance(place[got_in, None], fates[got_in])),
        (
            "about those of half a month",
            beyond_chance(mean[:, :-1].reshape(-1, 1), how_many[:, 1:].reshape(-1, 1)),
        ),
    ]


def _by_half_months(candidates: _Candidates, place: Floats) -> tuple[Floats, Floats]:
    """Return how many came in each half month, and their mean place, ``[trial and site, half month]``."""
    sites, spans = int(candidates.site.max()) + 1, int(_RANKED_DAYS / _HALF_MONTH)
    span = (candidates.days / _HALF_MONTH).astype(np.int64)
    inside = span < spans
    cell = ((candidates.trial * sites + candidates.site) * spans + span)[inside]
    size = (int(candidates.trial.max()) + 1) * sites * spans
    count = np.bincount(cell, minlength=size).astype(np.float64)
    total = np.bincount(cell, place[inside], minlength=size)
    mean = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    return count.reshape(-1, spans), mean.reshape(-1, spans)


@dataclass
class _Chooser:
    """Opens the first sites of the list and, at each review, the next; keeps what a policy would have done."""

    policy: Any | None
    scores: Floats | None = None
    asked: list[tuple[Bools, Bools, Bools]] = field(default_factory=list)
    """Of each review: which sites were open, which would have been closed, which reserves would have opened."""

    open_sites: int | None = _OPEN_AT_FIRST
    name, reference, decides_on, at_reviews = "recorder", "", "site", True

    @property
    def reads_latent(self) -> bool:
        """Whether the policy does."""
        return reads_latent(self.policy)

    def decide(self, view: SiteView, memory: Memory) -> tuple[SiteDecision, Memory]:
        """Ask the policy, and take the first of the list, at each review the next."""
        so_far, decided = view.so_far, SiteDecision()
        if self.policy is not None and (so_far is None or getattr(self.policy, "at_reviews", False)):
            decided, memory = self.policy.decide(view, memory)
        if so_far is None:
            if self.policy is not None:
                self.scores = np.asarray(decided.score, dtype=np.float64)
            count = len(view.names)
            listed = np.tile(-np.arange(count, dtype=np.float64), (len(view.replicate), 1))
            return SiteDecision(score=listed), memory
        nothing = np.zeros(so_far.open.shape, dtype=bool)
        closes, opens = (nothing if each is None else each for each in (decided.close, decided.open))
        self.asked.append((so_far.open, closes, opens))
        first = _OPEN_AT_FIRST + int(so_far.review[0])
        following = nothing.copy()
        following[:, first : first + 1] = True
        return SiteDecision(open=following), memory


def of_site_choices(policy: Any) -> list[tuple[str, float]]:
    """Return by how many standard errors choices of sites go with who comes there later, with arms and with outcomes.

    Parameters
    ----------
    policy
        Chooses among twelve sites.
    """
    chooser = _Chooser(policy)
    chunk = _conducted(replace(plan_of(CHOSEN, "chosen"), site_policy=chooser), _SITE_TRIALS)
    came, patients = _by_spans(_candidates(CHOSEN, "chosen", _SITE_TRIALS))
    delays = _set_up(chunk)
    assert chooser.scores is not None
    first = slice(0, _OPEN_AT_FIRST)
    place = ranks(chooser.scores[:, first].ravel())
    found = [
        (
            "before the trial",
            beyond_chance(
                place[:, None], _columns(delays[:, first], came[:, first, 1], patients[:, first, 1])
            ),
        )
    ]
    # What comes after a review stands at the review's number and one.
    closes, opens = [], []
    for number, (is_open, close, open_now) in enumerate(chooser.asked[:_REVIEWS]):
        then, since, before = came[:, :, number + 1], patients[:, :, number + 1], patients[:, :, number]
        closes.append(
            np.concatenate([close[is_open][:, None], _columns(then, since, before)[is_open.ravel()]], axis=1)
        )
        new = slice(_OPEN_AT_FIRST + number, _OPEN_AT_FIRST + number + 1)
        later = _columns(delays[:, new], came[:, new, number + 2], patients[:, new, number + 2])
        opens.append(np.concatenate([open_now[:, new].reshape(-1, 1), later], axis=1))
    for where, rows in (("about sites to close", closes), ("about sites to open", opens)):
        table = np.concatenate(rows)
        found.append((where, beyond_chance(table[:, :1], table[:, 1:])))
    return found


def _columns(*parts: Floats) -> Floats:
    """Return arrays ``[trial, site]`` and ``[trial, site, column]`` as columns of ``[trial and site]``."""
    rows = parts[0].shape[0] * parts[0].shape[1]
    return np.concatenate([part.reshape(rows, -1) for part in parts], axis=1)


def _by_spans(candidates: _Candidates) -> tuple[Floats, Floats]:
    """Return who came between reviews, ``[trial, site, span]``, and shares ``[trial, site, span, share]``.

    They are of those who are randomised among who came, and of those on treatment and those who respond among patients.
    """
    sites, spans = int(candidates.site.max()) + 1, _REVIEWS + 2
    span = (candidates.days / _BETWEEN_REVIEWS).astype(np.int64)
    cell = (candidates.trial * sites + candidates.site) * spans + span
    shape = (int(candidates.trial.max()) + 1, sites, spans)
    inside = span < spans
    shares = []
    for value in (candidates.randomised, candidates.arm, candidates.responds):
        known = inside & np.isfinite(value)
        count = np.bincount(cell[known], minlength=int(np.prod(shape)))
        total = np.bincount(cell[known], value[known], minlength=int(np.prod(shape)))
        shares.append(np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape))
    came = np.bincount(cell[inside], minlength=int(np.prod(shape))).astype(np.float64)
    return came.reshape(shape), np.stack(shares, axis=-1)


def _set_up(chunk: Chunk) -> Floats:
    """Return how long each site took to open once it was asked, in days, NaN where it was not, ``[trial, site]``."""
    laws = chunk.plan.world.sites
    assert laws is not None
    return np.asarray(
        laws.activation_delays(SEED, chunk.replicates, chunk.plan.grid) / TICKS_PER_DAY, dtype=np.float64
    )


def _conducted(plan: Plan, trials: int) -> Chunk:
    """Return trials that have been run."""
    return conduct(start_engine(plan, "fast").start(np.arange(trials))).chunk
