"""Recruitment in the reference engine: sites and candidates as SimPy processes, from first contact to randomisation.

A site keeps its waiting list as a plain dictionary and calls from it once at the end of an instant. A candidate is a
process that waits to be called, is screened, and becomes a patient or leaves; closings interrupt it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import simpy

from trialsim.contracts import CandidateView, Floats, Ints, Kind, Memory, Screenings, SitesSoFar
from trialsim.draws import Purpose, word
from trialsim.engines.candidate_views import candidate_view
from trialsim.engines.points import SitesReviewed, SiteTallies
from trialsim.engines.site_selection import choice_of_sites, closed_and_called, openings, site_view
from trialsim.operations.screening import (
    FAILS_PRESCREEN,
    PASSES,
    PASSES_INELIGIBLE,
    REFUSES,
    WAY_DRAWS,
    comes_again,
    is_eligible,
    way_draws,
    way_of,
)
from trialsim.operations.sites import NO_LIMIT, SITE_BITS, arrival_tick, next_amount, taken_by_competition
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.reference import ReferenceTrial

Process = Generator[simpy.Event, Any, None]

WAITING, IN_SCREENING, BEFORE_RANDOMISATION = 0, 1, 2
"""Where a candidate stood who was released, as the log says it."""

BY_CAP, BY_TIME, BY_REVIEW = 1.0, 2.0, 3.0
"""Why a site closed, as the log says it."""


@dataclass
class Counts:
    """What has happened at one site so far, and ticks added up."""

    came: int = 0
    prescreen_failures: int = 0
    consented: int = 0
    refused: int = 0
    failed: int = 0
    withdrew: int = 0
    released: int = 0
    randomised: int = 0
    ever_consented: int = 0
    came_again: int = 0
    attempts_again: int = 0
    randomised_again: int = 0
    refused_again: int = 0
    withdrew_again: int = 0
    to_consent: int = 0
    to_randomisation: int = 0


@dataclass
class Site:
    """One site."""

    number: int
    places: int
    cap: int
    free: int
    rate: float
    opening: int
    asked: bool = True
    opened: int = NEVER
    closed: int = NEVER
    committed: int = 0
    waiting: dict[int, tuple[int, simpy.Event]] = field(default_factory=dict)
    called: bool = False
    counts: Counts = field(default_factory=Counts)
    idle: int = 0
    since: int = 0


@dataclass
class Candidate:
    """One candidate who has come and not yet left."""

    key: int
    site: Site
    record: Floats
    chances: Floats
    came: int
    first: int
    attempt: int = 0
    state: int = WAITING
    process: Any = None
    score: int = 0
    scored_after: int = -1
    """How many reviews there had been when the score was given."""


class Recruitment:
    """All sites of one trial, and the candidates under way.

    Parameters
    ----------
    trial
        The trial; patients are handed to it as they are randomised.
    """

    def __init__(self, trial: ReferenceTrial) -> None:
        plan = trial.plan
        assert plan.world.sites is not None and plan.world.screening is not None
        assert plan.world.chances is not None
        self.traits_say = plan.world.chances
        self.trial, self.plan = trial, plan
        self.law, self.laws = plan.world.screening, plan.world.sites
        self.open = True
        one = np.array([trial.replicate])
        rates = self.laws.rates(plan.seed, one)[0]
        choice = choice_of_sites(plan, one)
        opening_at = openings(plan, one, choice)[0]
        self.sites = [
            Site(s, int(p), int(cap), int(p), float(rate), int(opening))
            for s, (p, cap, rate, opening) in enumerate(
                zip(self.laws.coordinators, self.laws.cap, rates, opening_at, strict=True)
            )
        ]
        self.under_way: dict[int, Candidate] = {}
        self.scored: list[tuple[int, int, CandidateView]] = []
        self.reviewed: list[SitesReviewed] = []
        self.reasons = [0] * len(self.law.reasons)
        self.screened_out = [0] * len(self.law.reasons)
        self.subgroups = np.zeros((len(plan.world.subgroup_levels), 3), dtype=np.int64)
        self.memories: dict[str, Memory] = {
            "sites": {} if choice is None else choice.memory,
            "recruitment": {},
        }
        self.reviews = 0
        self.resolved: list[tuple[int, int, Candidate, bool]] = []
        if plan.reselects_sites:
            self.before = site_view(plan, one) if choice is None else choice.view
            self.set_up = self.laws.activation_delays(plan.seed, one, plan.grid)[0]
            for site in self.sites:
                site.asked = choice is None or bool(choice.chosen[0, site.number])
        for site in self.sites:
            if site.opening < self.laws.closes[site.number]:
                trial.clock.process(self._site(site))

    # ---- sites ----------------------------------------------------------------------------------------------------

    def _site(self, site: Site) -> Process:
        """Open a site, and let its candidates come one after the other."""
        trial, plan, laws, s = self.trial, self.plan, self.laws, site.number
        if site.opening > plan.horizon:
            return
        yield trial.clock.at(site.opening, Kind.SITE, s)
        if self._turns_away(site):
            return
        trial.write(Kind.SITE, s)
        site.opened = site.since = site.opening
        if laws.closes[s] <= plan.horizon:
            trial.clock.at(int(laws.closes[s]), Kind.SITE, s, 1).callbacks.append(
                lambda _: self._close_site(site, BY_TIME)
            )
        number, amount, tick = 0, 0.0, site.opening
        while True:
            key = s << SITE_BITS | number
            backlog = number < laws.backlog[s]
            if not backlog:
                bits = np.uint64(word(plan.seed, trial.replicate, key, int(Purpose.ARRIVAL), 0))
                amount = float(next_amount(bits, amount))
                tick = int(
                    arrival_tick(
                        amount, site.rate, site.opening, laws.knot_days[s], laws.knot_factor[s], laws.knot_amount[s],
                        plan.grid,
                    )
                )  # fmt: skip
                if tick > plan.horizon:
                    return
            number += 1
            if not backlog and taken_by_competition(
                plan.seed, trial.replicate, key, tick, laws.competing_tick[s], laws.competing_share[s]
            ):
                continue
            yield trial.clock.at(tick, Kind.ARRIVAL, key)
            if self._turns_away(site):
                return
            self._welcome(site, key)

    def _close_site(self, site: Site, why: float) -> None:
        """Close a site: nobody new comes, those waiting are released."""
        if site.closed < NEVER or not self.open or self.trial.ended:
            return
        site.closed = int(self.trial.clock.now)
        self._settle(site)
        self.trial.write(Kind.SITE_CLOSED, site.number, 0, why)
        self._release(sorted(site.waiting))

    def _turns_away(self, site: Site) -> bool:
        """Return whether a site takes nobody any more."""
        return not self.open or site.closed < NEVER

    def _settle(self, site: Site) -> None:
        """Add up the time of free places until now; nothing is added once the site or enrolment has closed."""
        now = int(self.trial.clock.now)
        if site.opened < NEVER and site.places < NO_LIMIT:
            site.idle += site.free * (now - site.since)
        site.since = now

    def _poke(self, site: Site) -> None:
        """Let the site call from its waiting list at the end of this instant."""
        if not site.called:
            site.called = True
            self.trial.clock.at(int(self.trial.clock.now), Kind.DISPATCH, site.number).callbacks.append(
                lambda _: self._dispatch(site)
            )

    def _dispatch(self, site: Site) -> None:
        """Call candidates while there are places: the highest score first, then the lowest number."""
        site.called = False
        if self._turns_away(site):
            return
        while site.free and site.waiting and site.committed < site.cap:
            key = max(site.waiting, key=lambda one: (site.waiting[one][0], -one))
            _, called = site.waiting.pop(key)
            self._settle(site)
            site.free -= 1
            site.committed += 1
            self.trial.write(Kind.DISPATCH, key)
            called.succeed()

    def _let_go(self, site: Site, place: bool, seat: bool) -> None:
        """Note that a coordinator is free again, or that a candidate no longer counts towards the cap."""
        if self.open and site.closed == NEVER:
            self._settle(site)
        site.free += place
        site.committed -= seat
        self._poke(site)

    # ---- candidates -----------------------------------------------------------------------------------------------

    def _welcome(self, site: Site, key: int) -> None:
        """Meet a candidate for the first time."""
        trial, plan = self.trial, self.plan
        now = int(trial.clock.now)
        one = np.array([trial.replicate])
        record = plan.world.source.records_at(plan.seed, one, np.array([key], dtype=np.int64))
        candidate = Candidate(key, site, record[0], self.traits_say.of(record)[0], now, now)
        site.counts.came += 1
        level = self._level(candidate)
        if level >= 0:
            self.subgroups[level, 0] += 1
            self.subgroups[level, 1] += bool(
                is_eligible(plan.seed, trial.replicate, key, candidate.chances[2])
            )
        if self._draw_way(candidate)[0] == FAILS_PRESCREEN:
            trial.write(Kind.ARRIVAL, key, 0, 0.0)
            site.counts.prescreen_failures += 1
            return
        trial.write(Kind.ARRIVAL, key, 0, 1.0)
        candidate.process = trial.clock.process(self._way(candidate))

    def _draw_way(self, candidate: Candidate) -> tuple[int, ...]:
        """Return what nature has in store for a candidate at this attempt; see :func:`way_of`."""
        law, grid = self.law, self.plan.grid
        u = np.empty(WAY_DRAWS)
        way_draws(self.plan.seed, self.trial.replicate, candidate.key, candidate.attempt, u)
        way = way_of(u, candidate.attempt, candidate.chances, law.numbers, law.reason_bounds, grid)
        return tuple(int(part) for part in way)

    def _level(self, candidate: Candidate) -> int:
        """Return the subgroup of a candidate, or -1."""
        return int(candidate.record[self.law.subgroup]) if self.law.subgroup >= 0 else -1

    def _score(self, candidate: Candidate) -> int:
        """Return what the recruitment policy thinks of a candidate who comes, by what it has learnt so far."""
        policy = self.plan.recruitment
        if policy.as_they_come:
            return -candidate.came
        view = self._view_of([candidate])
        # Whoever was scored since the latest review keeps that score.
        if candidate.scored_after < self.reviews:
            (score,), _ = policy.decide(view, self.memories["recruitment"])
            candidate.score, candidate.scored_after = int(score), self.reviews
        self.scored.append((int(self.trial.clock.now), candidate.score, view))
        return candidate.score

    def _view_of(self, who: list[Candidate]) -> CandidateView:
        """Return what the recruitment policy sees of candidates."""
        world, count = self.plan.world, len(who)
        columns = len(world.source.columns)
        return candidate_view(
            world,
            self.plan.recruitment,
            self.plan.seed,
            np.full(count, self.trial.replicate, dtype=np.int64),
            np.array([one.key for one in who], dtype=np.int64),
            np.array([one.first for one in who], dtype=np.int64),
            np.array([one.record for one in who]).reshape(count, columns),
            np.array([one.chances for one in who]).reshape(count, 3),
            np.zeros(count, dtype=np.int64),
        )

    def _way(self, candidate: Candidate) -> Process:
        """Go a candidate's way, attempt after attempt."""
        trial, plan, site, key = self.trial, self.plan, candidate.site, candidate.key
        score = self._score(candidate)
        while True:
            self.under_way[key] = candidate
            candidate.state = WAITING
            try:
                outcome = yield from self._attempt(candidate, score)
            except simpy.Interrupt:
                trial.write(Kind.RELEASED, key, 0, candidate.state)
                site.counts.released += 1
                return
            if outcome is None:
                return
            passes = outcome in (PASSES, PASSES_INELIGIBLE)
            if plan.rescores_candidates:
                self.resolved.append((key, candidate.attempt, candidate, passes))
            if passes:
                self._randomise(candidate)
                return
            del self.under_way[key]
            self.trial.consider_exhaustion()
            if outcome == REFUSES:
                return
            self.reasons[outcome - 1] += 1
            self.screened_out[outcome - 1] += 1
            site.counts.failed += 1
            again = int(
                comes_again(plan.seed, trial.replicate, key, candidate.attempt, self.law.numbers, plan.grid)
            )
            if again >= NEVER:
                return
            yield trial.clock.at(int(trial.clock.now) + again, Kind.ARRIVAL, key)
            if self._turns_away(site):
                return
            candidate.attempt += 1
            candidate.came = int(trial.clock.now)
            self.screened_out[outcome - 1] -= 1
            site.counts.attempts_again += 1
            site.counts.came_again += candidate.attempt == 1
            if plan.rescores_candidates or plan.recruitment.as_they_come:
                score = self._score(candidate)
            trial.write(Kind.ARRIVAL, key, candidate.attempt, 1.0)

    def _attempt(self, candidate: Candidate, score: int) -> Generator[simpy.Event, Any, int | None]:
        """Wait, be screened, and return the outcome; None for who withdrew while waiting."""
        trial, plan, site, key = self.trial, self.plan, candidate.site, candidate.key
        clock, counts = trial.clock, site.counts
        came = candidate.came
        called = clock.event()
        site.waiting[key] = (score, called)
        self._poke(site)
        outcome, patience, answer, screened, final = self._draw_way(candidate)
        if came + patience <= plan.horizon:
            got = yield called | clock.at(came + patience, Kind.RENEGING, key)
            if called not in got:
                del site.waiting[key]
                del self.under_way[key]
                trial.write(Kind.RENEGING, key)
                counts.withdrew += 1
                counts.withdrew_again += candidate.attempt > 0
                return None
        else:
            yield called
        start = int(clock.now)
        candidate.state = IN_SCREENING
        if answer:
            yield clock.at(start + answer, Kind.SCREENING, key, 0)
            trial.write(Kind.SCREENING, key, 0, float(outcome != REFUSES))
            if outcome == REFUSES:
                counts.refused += 1
                counts.refused_again += candidate.attempt > 0
                self._let_go(site, place=True, seat=True)
                return outcome
        counts.consented += 1
        counts.ever_consented += candidate.attempt == 0
        counts.to_consent += int(clock.now) - came
        yield clock.at(start + screened, Kind.SCREENING, key, 1)
        at_once = outcome > 0 and final == screened
        trial.write(Kind.SCREENING, key, 1, outcome if at_once else 0)
        self._let_go(site, place=True, seat=at_once)
        if at_once:
            return outcome
        candidate.state = BEFORE_RANDOMISATION
        if outcome > 0:
            yield clock.at(start + final, Kind.SCREENING, key, 2)
            trial.write(Kind.SCREENING, key, 2, outcome)
            self._let_go(site, place=False, seat=True)
        else:
            yield clock.at(start + final, Kind.RANDOMISATION, key)
        return outcome

    def _randomise(self, candidate: Candidate) -> None:
        """Hand a candidate to the trial as a patient, and close what is full."""
        site = candidate.site
        del self.under_way[candidate.key]
        site.counts.randomised += 1
        site.counts.randomised_again += candidate.attempt > 0
        site.counts.to_randomisation += int(self.trial.clock.now) - candidate.came
        level = self._level(candidate)
        if level >= 0:
            self.subgroups[level, 2] += 1
        self.trial.randomise(candidate.key, candidate.record)
        if self.open and len(self.trial.patients) == self.plan.n:
            for each in self.sites:
                if each.closed == NEVER:
                    self._settle(each)
            self.open = False
            self._release(
                sorted(self.under_way)
                if not self.law.keep
                else sorted(key for each in self.sites for key in each.waiting)
            )
        elif self.open and site.counts.randomised == site.cap:
            self._close_site(site, BY_CAP)

    def _release(self, keys: list[int]) -> None:
        """Let candidates go, in the order of their numbers."""
        for key in keys:
            candidate = self.under_way.pop(key)
            candidate.site.waiting.pop(key, None)
            candidate.process.interrupt()

    # ---- reviews --------------------------------------------------------------------------------------------------

    def review(self, number: int) -> None:
        """Let policies close sites, open reserves, and score anew who waits, as things stand now."""
        self.reviews += 1
        if self.plan.reselects_sites:
            self._reselect(number)
        if self.plan.rescores_candidates:
            self._rescore(number)

    def _reselect(self, number: int) -> None:
        """Close sites, and ask reserves to open."""
        now = int(self.trial.clock.now)
        opened = [site.opened < NEVER for site in self.sites]
        is_open = [began and site.closed == NEVER for began, site in zip(opened, self.sites, strict=True)]
        ticks = [
            min(now, site.closed) - site.opened if began else 0
            for began, site in zip(opened, self.sites, strict=True)
        ]
        so_far = SitesSoFar(
            np.array([number]),
            np.array([now / float(TICKS_PER_DAY)]),
            np.array([is_open]),
            np.array([[not site.asked for site in self.sites]]),
            np.array([ticks]) / float(TICKS_PER_DAY),
            np.array([[site.counts.came for site in self.sites]]),
            np.array([[site.counts.randomised for site in self.sites]]),
            self.plan.n,
        )
        view, policy = replace(self.before, so_far=so_far), self.plan.site_policy
        assert policy is not None
        decision, self.memories["sites"] = policy.decide(view, self.memories["sites"])
        closes, opens = closed_and_called(decision, so_far)
        self.reviewed.append(SitesReviewed(np.array([0]), np.array([now]), view, closes, opens, decision))
        for site in self.sites:
            if closes[0, site.number]:
                self._close_site(site, BY_REVIEW)
        for site in self.sites:
            if opens[0, site.number]:
                self._call(site)

    def _call(self, site: Site) -> None:
        """Ask a reserve to open, which it does once its set-up has taken its time."""
        site.asked = True
        self.trial.write(Kind.SITE_CALLED, site.number)
        site.opening = int(self.trial.clock.now) + int(self.set_up[site.number])
        if site.opening < self.laws.closes[site.number]:
            self.trial.clock.process(self._site(site))

    def _rescore(self, number: int) -> None:
        """Show the recruitment policy what has become of screenings, and score anew who waits."""
        resolved = sorted(self.resolved, key=lambda one: one[:2])
        self.resolved = []
        screenings = Screenings(
            np.array([number]),
            np.array([int(self.trial.clock.now) / float(TICKS_PER_DAY)]),
            np.array([0, len(resolved)]),
            self._view_of([candidate for _, _, candidate, _ in resolved]),
            np.array([passes for *_, passes in resolved], dtype=bool),
        )
        waiting = [(site, self.under_way[key]) for site in self.sites for key in sorted(site.waiting)]
        who, now = [candidate for _, candidate in waiting], int(self.trial.clock.now)
        view = replace(self._view_of(who), screenings=screenings)
        scores, memory = self.plan.recruitment.decide(view, self.memories["recruitment"])
        self.memories["recruitment"] = memory
        for (site, candidate), score in zip(waiting, scores.tolist(), strict=True):
            candidate.score, candidate.scored_after = score, self.reviews
            site.waiting[candidate.key] = (score, site.waiting[candidate.key][1])
            self.scored.append((now, score, self._view_of([candidate])))
            self.trial.write(Kind.RESCORED, candidate.key, 0, score)

    @property
    def exhausted(self) -> bool:
        """Whether nobody more will be randomised because enrolment has closed and all under way have reached an end."""
        return not self.open and not self.under_way

    def scored_until(self, end: int) -> list[tuple[int, int, CandidateView]]:
        """Return the scores that the policy gave by a tick, as it did: tick, score and what it saw."""
        return [one for one in self.scored if one[0] <= end]

    def tallies(self) -> SiteTallies:
        """Return what happened at each site."""
        end = int(self.trial.rows[-1].tick)
        for site in self.sites:
            if self.open and site.closed == NEVER and site.opened < NEVER:
                site.idle += site.free * (end - site.since) if site.places < NO_LIMIT else 0
                site.since = end
        counts: Ints = np.array([[list(vars(site.counts).values()) for site in self.sites]], dtype=np.int64)
        return SiteTallies(
            counts,
            np.array([self.reasons], dtype=np.int64),
            np.array([self.screened_out], dtype=np.int64),
            self.subgroups[None],
            np.array([[site.idle for site in self.sites]], dtype=np.int64),
            np.array([[site.opened for site in self.sites]], dtype=np.int64),
            np.array([[site.closed for site in self.sites]], dtype=np.int64),
        )
