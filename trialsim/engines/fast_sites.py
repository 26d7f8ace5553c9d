"""Recruitment in the fast engine: the candidates of a chunk, who is randomised when, and what became of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import CandidateView, Ints
from trialsim.engines import fast_candidate_kernels as candidates
from trialsim.engines import fast_closing_kernels as closing
from trialsim.engines import fast_site_kernels as kernels
from trialsim.engines.candidate_views import candidate_view
from trialsim.engines.fast_site_reviews import Reviewed, run_through_reviews
from trialsim.engines.points import SiteTallies
from trialsim.engines.remembered import Remembered
from trialsim.engines.site_selection import choice_of_sites, openings
from trialsim.errors import UsageError
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.plan import Plan


MOST_ROWS = 1 << 20
"""Attempts of candidates that a chunk of trials is meant to hold at a time, about 100 MB."""

_FIRST_CHUNK = 4

# Where nothing is decided at reviews.
_FROM_THE_BEGINNING = np.zeros(0, dtype=np.int64)
_NOT_TOLD = np.zeros((0, 0), dtype=np.int64)


class Window:
    """How far sites are run before anybody knows when enrolment closes, and how much room that takes.

    Widened on the way, as chunks show how long enrolment takes; no number depends on it.
    """

    def __init__(self, plan: Plan) -> None:
        assert plan.world.sites is not None
        horizon = plan.horizon / TICKS_PER_DAY
        days = np.linspace(0.0, horizon, 2000)[1:]
        assert plan.world.chances is not None
        chances = plan.world.chances.of(plan.world.sample).prod(axis=1).mean()
        enough = plan.world.sites.expected_arrivals(days) * chances >= 1.1 * plan.n + 5
        first = days[int(np.argmax(enough))] if enough.any() else horizon
        self._horizon, self._latest = plan.horizon, 0
        assert plan.world.screening is not None
        # Where candidates are many a day or a month more would be thousands of them.
        way = 2 * plan.world.screening.median_ticks(plan.grid)
        self.ticks = min(int(first * TICKS_PER_DAY) + way, plan.horizon)
        self._rows_of_a_trial = 0

    def learn(self, closing: Ints, until: Ints, rows: int) -> None:
        """Set the window for the next chunk a little beyond the latest closing seen so far, stragglers aside.

        Parameters
        ----------
        closing
            When enrolment closed in each replicate, NEVER where it did not.
        until
            How far its sites had to be run to see it.
        rows
            Rows of ``contact`` that the chunk took.
        """
        seen = np.minimum(closing, until)
        # A few trials that take many times as long as the others are run again by themselves.
        self._latest = max(self._latest, min(int(seen.max()), 2 * int(np.median(seen))))
        self.ticks = min(self._latest + self._latest // 32, self._horizon)
        self._rows_of_a_trial = max(self._rows_of_a_trial, -(-rows // len(closing)))

    def fitting(self, replicates: int) -> int:
        """Return how many of some replicates to run at a time; few before it is known what one takes."""
        if not self._rows_of_a_trial:
            return min(replicates, _FIRST_CHUNK)
        return min(replicates, max(1, MOST_ROWS // self._rows_of_a_trial))


class Recruitment:
    """What happens before randomisation in a chunk of trials, as if none ended before its enrolment closes.

    Parameters
    ----------
    plan
        The design under a truth, in a world with sites.
    replicates
        Global numbers of the replicates.
    window
        How far to run sites at first.

    Attributes
    ----------
    entry, keys
        Tick of randomisation and candidate's key of each patient, ``[replicate, patient]``; NEVER and 0 for patients who
        never come.
    closing
        Tick at which enrolment closes, NEVER where it does not, ``[replicate]``.
    pipeline_end
        Tick at which the last of those carried through after the closing has reached an end, ``[replicate]``.
    """

    def __init__(self, plan: Plan, replicates: Ints, window: Window) -> None:
        world = plan.world
        assert world.sites is not None and world.screening is not None and world.chances is not None
        self.plan, self.replicates = plan, replicates
        self.sites, self.law, self.traits_say = world.sites, world.screening, world.chances
        size = len(replicates)
        self._rates = self.sites.rates(plan.seed, replicates)
        self.choice = choice_of_sites(plan, replicates)
        opening = openings(plan, replicates, self.choice)
        self.openings = np.where(opening < self.sites.closes, opening, NEVER)
        self.learnt = Remembered(size)
        self.reviews: list[Reviewed] = []
        self.told_to_close = _NOT_TOLD
        until = self._run_to_closing(window)
        window.learn(self.closing, until, len(self.contact))
        width = max(int(self.enrolled.max(initial=0)), plan.n)
        self.entry = np.full((size, width), NEVER, dtype=np.int64)
        self.keys = np.zeros((size, width), dtype=np.int64)
        self.places = np.full((size, width), -1, dtype=np.int64)
        closing.list_enrolled(
            self.offsets, self.contact, self.candidates, self.sites.count, self.law.attempts, self.law.keep, until,
            self.closing, self.closing_place, self.entry, self.keys, self.places,
        )  # fmt: skip

    def _run_to_closing(self, window: Window) -> Ints:
        """Run all sites until enrolment has closed; return until when, ``[replicate]``."""
        plan, size = self.plan, len(self.replicates)
        until = np.full(size, window.ticks)
        if plan.reselects_sites or plan.rescores_candidates:
            return run_through_reviews(self, until)
        # Trials that are not full by the end of the window are run further; then all are laid out together.
        rows = np.arange(size)
        while True:
            self._run(rows, until[rows])
            late = rows[(self.closing >= NEVER) & (until[rows] < plan.horizon)]
            if not len(late):
                break
            rows = late
            until[rows] = np.minimum(until[rows] + until[rows] // 3 + plan.grid, plan.horizon)
        if len(rows) < size:
            self._run(np.arange(size), until)
        return until

    def _run(self, rows: Ints, until: Ints) -> None:
        """Run all sites of some replicates, each until a tick of its own, and find when enrolment closes."""
        self.list_candidates(rows, until)
        self.score_all()
        self.closed_at = np.empty((len(rows), self.sites.count), dtype=np.int64)
        self.closed_why = np.zeros((len(rows), self.sites.count), dtype=np.int64)
        self.run_sites(until, _FROM_THE_BEGINNING)
        self.find_closing(until)

    def list_candidates(self, rows: Ints, until: Ints) -> None:
        """List who comes to the sites of some replicates, each until a tick of its own, and what is in store for them."""
        plan, sites, law = self.plan, self.sites, self.law
        size, replicates, rates = len(rows), self.replicates[rows], self._rates[rows]
        self._running = replicates
        self.offsets = np.zeros(size * sites.count + 1, dtype=np.int64)
        days = until / TICKS_PER_DAY
        room = int(
            min(1.1 * float(rates.sum(axis=1) @ days) + float(sites.backlog.sum()) * size + 64, 1 << 22)
        )
        while True:
            self.candidates, ticks = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
            found = candidates.list_candidates(
                plan.seed, replicates, rates, self.openings[rows], sites.closes, sites.backlog, sites.knot_days,
                sites.knot_factor, sites.knot_amount, sites.competing_tick, sites.competing_share, until, plan.grid,
                closing.MOST_PLACES // law.attempts, self.offsets, self.candidates, ticks,
            )  # fmt: skip
            if found < 0:
                raise UsageError(_too_many(int(replicates[-1 - found]), law.attempts))
            if found <= room:
                break
            room = found
        self.candidates, self.ticks = self.candidates[:found], ticks[:found]
        self._describe()
        self.contact = np.empty((found * law.attempts, kernels.COLUMNS), dtype=np.int64, order="F")
        candidates.draw_ways(
            plan.seed, replicates, self.offsets, self.candidates, sites.count, self.chances, self.chance_rows,
            law.numbers, law.reason_bounds, plan.grid, law.attempts, self.contact,
        )  # fmt: skip

    def run_sites(self, until: Ints, since: Ints) -> None:
        """Run the sites of the replicates that are listed; see :func:`~trialsim.engines.fast_site_kernels.run_sites`."""
        plan, sites, law = self.plan, self.sites, self.law
        kernels.run_sites(
            plan.seed, self._running, self.offsets, self.candidates, self.ticks, self.chances, self.chance_rows,
            self.scores, law.numbers, law.reason_bounds, sites.closes, sites.coordinators, sites.cap, until, plan.grid,
            law.attempts, since, self.told_to_close, self.contact, self.closed_at, self.closed_why,
        )  # fmt: skip

    def find_closing(self, until: Ints) -> None:
        """Find when enrolment closes in the replicates that have been run, each until a tick of its own."""
        size = len(self._running)
        self.closing, self.closing_place = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
        self.enrolled, self.pipeline_end = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
        closing.find_closing(
            self.offsets, self.contact, self.sites.count, self.law.attempts, self.plan.n, self.law.keep, until,
            self.closing, self.closing_place, self.enrolled, self.pipeline_end,
        )  # fmt: skip

    @property
    def owner(self) -> Ints:
        """The replicate (position among those that are run) of each candidate."""
        counts = np.diff(self.offsets[:: self.sites.count])
        return np.repeat(np.arange(len(self._running)), counts)

    def _describe(self) -> None:
        """Find the chances and the subgroup of every candidate: once for each row where they are rows of a table."""
        source, law = self.plan.world.source, self.law
        owner = self.owner
        if source.finite:
            records = source.rows
            self.chance_rows = source.row_numbers(self.plan.seed, self._running[owner], self.candidates)
        else:
            records = source.records_at(self.plan.seed, self._running[owner], self.candidates)
            self.chance_rows = np.arange(len(self.candidates))
        self.records = records
        self.chances = self.traits_say.of(records)
        self.levels = np.zeros(0, dtype=np.int64)
        if law.subgroup >= 0:
            self.levels = records[self.chance_rows, law.subgroup].astype(np.int64)

    def score_all(self) -> None:
        """Score every candidate who is listed; nobody where they are served as they come."""
        nobody = np.zeros(0, dtype=np.int64)
        as_they_come = self.plan.recruitment.as_they_come
        self.scores = nobody if as_they_come else self.score(np.arange(len(self.candidates)))

    def score(self, places: Ints) -> Ints:
        """Return the scores of some candidates at first contact, by what has been learnt of their trials so far."""
        policy, owner = self.plan.recruitment, self.owner[places]
        if not self.learnt.known.any():
            scores, _ = policy.decide(self.view_of(places, owner, owner), {})
            return np.ascontiguousarray(scores, dtype=np.int64)
        # Where others have been reviewed and a trial has not, its enrolment has closed: nobody more is called there.
        reviewed = np.flatnonzero(self.learnt.known[owner])
        trials, rows = np.unique(owner[reviewed], return_inverse=True)
        scores = np.zeros(len(places), dtype=np.int64)
        view = self.view_of(places[reviewed], owner[reviewed], rows)
        scores[reviewed], _ = policy.decide(view, self.learnt.of(trials))
        return scores

    def view_of(self, places: Ints, owner: Ints, memory_rows: Ints) -> CandidateView:
        """Return what the recruitment policy sees of some candidates, whose replicates are given by position."""
        rows = self.chance_rows[places]
        return candidate_view(
            self.plan.world, self.plan.recruitment, self.plan.seed, self._running[owner], self.candidates[places],
            self.ticks[places], self.records[rows], self.chances[rows], memory_rows,
        )  # fmt: skip

    def last_activity(self, rows: Ints, last: Ints) -> Ints:
        """Return when nobody is left who could add to any count, given when the last patient has nothing more to give."""
        later = np.maximum(last, np.maximum(self.pipeline_end[rows], self.closing[rows]))
        return np.where(self.closing[rows] < NEVER, later, NEVER)

    def tallies(self, ends: Ints) -> SiteTallies:
        """Return what happened at each site by the end of each trial.

        Parameters
        ----------
        ends
            Tick at which each trial ended, ``[replicate]``.
        """
        size, count, levels = len(self.replicates), self.sites.count, self.plan.world.subgroup_levels
        tally = np.empty((size, count, kernels.TALLIES), dtype=np.int64)
        reasons, screened_out = (np.empty((size, len(self.law.reasons)), dtype=np.int64) for _ in range(2))
        subgroups = np.empty((size, len(levels), 3), dtype=np.int64)
        idle, closed = np.empty((size, count), dtype=np.int64), np.empty((size, count), dtype=np.int64)
        kernels.site_tallies(
            self.plan.seed, self.replicates, self.offsets, self.candidates, self.contact, self.chances, self.chance_rows,
            self.levels, count, self.law.attempts, self.law.keep, self.closing, self.closing_place, ends, self.openings,
            self.closed_at, self.closed_why, self.sites.coordinators, tally, reasons, screened_out, subgroups, idle, closed,
        )  # fmt: skip
        opens = (self.openings <= ends[:, None]) & (self.openings < self.closing[:, None])
        return SiteTallies(
            tally, reasons, screened_out, subgroups, idle, np.where(opens, self.openings, NEVER), closed
        )

    def candidates_of(self, row: int) -> range:
        """Return the places of a replicate's candidates."""
        return range(
            int(self.offsets[row * self.sites.count]), int(self.offsets[(row + 1) * self.sites.count])
        )


def _too_many(replicate: int, attempts: int) -> str:
    """Return what is wrong where more candidates come than a trial can hold."""
    most = closing.MOST_PLACES // attempts
    return (
        f"in replicate {replicate} more than {most:,} candidates come before enrolment closes or the horizon is reached; "
        f"lower the rates of sites, state when they close, or shorten the horizon."
    )
