"""Recruitment from review to review in the fast engine: sites run ahead, go back to the review, and go on as it decides.

Nothing outside recruitment decides there, so that all reviews of a chunk are gone through before anything else is laid
out. The state at a review is what has become of the candidates by then: whatever was run beyond it is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trialsim.contracts import Bools, Ints, Memory, Screenings, SiteDecision, SitesSoFar, SiteView
from trialsim.engines import fast_closing_kernels as closing
from trialsim.engines import fast_review_kernels as kernels
from trialsim.engines.fast_site_kernels import OUTCOME
from trialsim.engines.remembered import Remembered
from trialsim.engines.site_selection import closed_and_called, site_view
from trialsim.operations.screening import PASSES, PASSES_INELIGIBLE
from trialsim.timegrid import NEVER, TICKS_PER_DAY

if TYPE_CHECKING:
    from trialsim.engines.fast_sites import Recruitment


_NO_REVIEW = -1


@dataclass(frozen=True)
class Reviewed:
    """What a round of reviews decided, for the event log.

    Parameters
    ----------
    rows
        Positions of the replicates in the chunk, ``[k]``.
    number
        Of the review, from 0.
    tick
        When it was, ``[k]``.
    closed, called
        Sites that closed, and reserves that were asked to open, ``[k, site]``.
    rescored
        What was learnt, and who was scored anew; None where the recruitment policy does not learn.
    view, decision
        What the policy of sites saw and answered; None where sites are not reviewed.
    """

    rows: Ints
    number: int
    tick: Ints
    closed: Bools
    called: Bools
    rescored: Rescored | None = None
    view: SiteView | None = None
    decision: SiteDecision | None = None


@dataclass(frozen=True)
class Rescored:
    """What a recruitment policy answered at a round of reviews.

    Parameters
    ----------
    memory
        What it remembers from then on, in the order of the reviewed replicates.
    owner
        Positions in the chunk of the replicates of those who waited, in ascending order, ``[candidate]``.
    keys, scores
        Who they are, and their scores from then on, ``[candidate]``.
    """

    memory: Memory
    owner: Ints
    keys: Ints
    scores: Ints


def run_through_reviews(recruitment: Recruitment, listed: Ints) -> Ints:
    """Run the sites of a chunk to the closing of enrolment, deciding at each review; return until when, ``[replicate]``.

    Parameters
    ----------
    recruitment
        Of a chunk whose candidates are not listed yet.
    listed
        Until when candidates are listed at first, ``[replicate]``.
    """
    return _Course(recruitment, listed).run()


class _Course:
    """How far a chunk has come."""

    def __init__(self, recruitment: Recruitment, listed: Ints) -> None:
        self._of, self._plan = recruitment, recruitment.plan
        size, count = len(recruitment.replicates), recruitment.sites.count
        self._all = np.arange(size)
        self._listed = listed
        self._since = np.full(size, -1)
        self._review_before = np.full(size, -1)
        recruitment.told_to_close = np.full((size, count), NEVER)
        recruitment.closed_at = np.full((size, count), NEVER)
        recruitment.closed_why = np.zeros((size, count), dtype=np.int64)
        if self._plan.reselects_sites:
            plan, replicates, choice = self._plan, recruitment.replicates, recruitment.choice
            self._memory = Remembered(size)
            if choice is not None:
                self._memory.keep(self._all, choice.memory)
            self._before = site_view(plan, replicates) if choice is None else choice.view
            self._asked = np.ones((size, count), dtype=bool) if choice is None else choice.chosen.copy()
            self._set_up = recruitment.sites.activation_delays(plan.seed, replicates, plan.grid)
        recruitment.list_candidates(self._all, listed)
        recruitment.score_all()

    def run(self) -> Ints:
        """Go from review to review until enrolment has closed everywhere; return until when sites were run."""
        assert self._plan.reviews is not None
        every, step = self._plan.reviews
        live, number = self._all, 0
        while len(live):
            wanted = (number + 1) * step
            if every == "calendar":
                live, due = self._run_to(live, np.full(len(live), wanted), 0)
            else:
                # As much again as since the review before, and a little more.
                pace = (self._since[live] - self._review_before[live]).clip(0)
                guess = self._since[live] + pace // 4 + self._listed[live] * step // self._plan.n
                if wanted >= self._plan.n:
                    guess, wanted = self._listed[live], _NO_REVIEW
                live, due = self._run_to(live, guess, wanted)
            if len(live):
                at = np.full(len(self._all), -1)
                at[live] = due
                kernels.take_back(
                    self._of.offsets, self._of.sites.count, self._of.law.attempts, at, self._of.contact
                )
                self._review(live, number, at)
                self._since[live] = self._review_before[live] = due
            number += 1
        self._of.find_closing(self._since)
        return self._since

    def _run_to(self, rows: Ints, aim: Ints, wanted: int) -> tuple[Ints, Ints]:
        """Run some replicates to their next review; return those that have one before enrolment closes, and when.

        Parameters
        ----------
        rows, aim
            Positions of the replicates, and how far to run them at first, ``[k]``.
        wanted
            How many are randomised at the review; 0 where it is at ``aim``, :data:`_NO_REVIEW` where there is none.
        """
        plan, found = self._plan, np.full(len(self._all), NEVER)
        fixed = found.copy()
        if wanted == 0:
            fixed[rows] = aim
        aims = np.zeros(len(self._all), dtype=np.int64)
        aims[rows] = np.minimum(np.maximum(aim, self._since[rows]), plan.horizon)
        pending = rows
        while len(pending):
            self._run(pending, aims[pending])
            shut = self._time_of(plan.n)[pending]
            due = fixed[pending] if wanted <= 0 else self._time_of(wanted)[pending]
            due = np.where(due <= self._since[pending], due, NEVER)
            comes = (due < NEVER) & (due < shut)
            found[pending[comes]] = due[comes]
            over = comes | (shut < NEVER) | (self._since[pending] >= plan.horizon)
            pending = pending[~over]
            further = aims[pending] + aims[pending] // 8 + self._listed[pending] // 16 + plan.grid
            aims[pending] = np.minimum(further, plan.horizon)
        come = found[rows] < NEVER
        return rows[come], found[rows[come]]

    def _time_of(self, wanted: int) -> Ints:
        """Return when so many are randomised in each replicate, as far as its sites were run; NEVER if they are not."""
        of, size = self._of, len(self._all)
        when, unused = np.empty(size, dtype=np.int64), np.empty((3, size), dtype=np.int64)
        closing.find_closing(
            of.offsets, of.contact, of.sites.count, of.law.attempts, wanted, False, self._since, when, *unused
        )
        return when

    def _run(self, rows: Ints, until: Ints) -> None:
        """Run the sites of some replicates on to some ticks."""
        if (until > self._listed[rows]).any():
            self._listed[rows] = np.maximum(self._listed[rows], until + until // 8)
            self._list_anew()
        limits = np.full(len(self._all), -1)
        limits[rows] = until
        self._of.run_sites(limits, self._since)
        self._since[rows] = until

    def _list_anew(self) -> None:
        """List candidates again, because some come later, or to sites that had not been asked to open."""
        of = self._of
        offsets, contact, scores = of.offsets, of.contact, of.scores
        of.list_candidates(self._all, self._listed)
        kernels.carry_over(offsets, contact, of.offsets, of.law.attempts, of.contact)
        if self._plan.recruitment.as_they_come:
            return
        # Candidates of a cell stand in the same order, and those who are new come after them.
        places = np.arange(len(scores)) + np.repeat((of.offsets - offsets)[:-1], np.diff(offsets))
        new = np.ones(len(of.candidates), dtype=bool)
        new[places] = False
        of.scores = np.empty(len(of.candidates), dtype=np.int64)
        of.scores[places], of.scores[new] = scores, of.score(np.flatnonzero(new))

    def _review(self, rows: Ints, number: int, at: Ints) -> None:
        """Let policies decide in some replicates; ``at[replicate]`` is the tick of the review, below 0 in the others."""
        of, count = self._of, self._of.sites.count
        closed, called = np.zeros((len(rows), count), dtype=bool), np.zeros((len(rows), count), dtype=bool)
        view = decision = rescored = None
        if self._plan.reselects_sites:
            view, decision, closed, called = self._decide_on_sites(rows, number, at)
        if self._plan.rescores_candidates:
            rescored = self._rescore(rows, number, at)
        of.reviews.append(Reviewed(rows, number, at[rows], closed, called, rescored, view, decision))
        if called.any():
            self._list_anew()

    def _decide_on_sites(
        self, rows: Ints, number: int, at: Ints
    ) -> tuple[SiteView, SiteDecision, Bools, Bools]:
        """Close sites and ask reserves to open; return what was seen and answered, and both, ``[k, site]``."""
        of, plan = self._of, self._plan
        came, randomised = np.empty_like(of.openings), np.empty_like(of.openings)
        kernels.seen_at_sites(of.offsets, of.sites.count, of.law.attempts, at, of.contact, came, randomised)
        now, opening, closes = at[rows, None], of.openings[rows], of.closed_at[rows]
        since_opening = np.where(opening <= now, np.minimum(now, closes) - opening, 0)
        is_open, reserve = (opening <= now) & (closes > now), ~self._asked[rows]
        so_far = SitesSoFar(
            np.full(len(rows), number),
            now[:, 0] / float(TICKS_PER_DAY),
            is_open,
            reserve,
            since_opening / float(TICKS_PER_DAY),
            came[rows],
            randomised[rows],
            plan.n,
        )
        view = replace(self._before.of(rows), so_far=so_far)
        assert plan.site_policy is not None
        decision, memory = plan.site_policy.decide(view, self._memory.of(rows))
        self._memory.keep(rows, memory)
        closed, called = closed_and_called(decision, so_far)
        of.told_to_close[rows] = np.where(closed, now, of.told_to_close[rows])
        self._asked[rows] |= called
        opens = now + self._set_up[rows]
        opens = np.where(called & (opens < of.sites.closes), opens, NEVER)
        of.openings[rows] = np.minimum(opening, opens)
        return view, decision, closed, called

    def _rescore(self, rows: Ints, number: int, at: Ints) -> Rescored:
        """Show the recruitment policy what has become of screenings since the review before, and let it score anew."""
        of, plan, attempts = self._of, self._plan, self._of.law.attempts
        ends, places = np.empty(len(at), dtype=np.int64), np.empty(len(of.contact), dtype=np.int64)
        kernels.resolved_between(
            of.offsets, of.sites.count, attempts, self._review_before, at, of.contact, ends, places
        )
        memory_rows = np.zeros(len(at), dtype=np.int64)
        memory_rows[rows] = np.arange(len(rows))
        resolved, owner = places[: ends[-1]], np.repeat(self._all, np.diff(ends, prepend=0))
        outcomes = of.contact[:, OUTCOME][resolved]
        screenings = Screenings(
            np.full(len(rows), number),
            at[rows] / float(TICKS_PER_DAY),
            np.concatenate([[0], ends[rows]]),
            of.view_of(resolved // attempts, owner, memory_rows[owner]),
            (outcomes <= PASSES) & (outcomes >= PASSES_INELIGIBLE),
        )
        closes = np.minimum(of.closed_at, of.told_to_close)
        kernels.waiting_at(of.offsets, of.sites.count, attempts, at, closes, of.contact, ends, places)
        waiting, owner = places[: ends[-1]] // attempts, np.repeat(self._all, np.diff(ends, prepend=0))
        view = replace(of.view_of(waiting, owner, memory_rows[owner]), screenings=screenings)
        scores, memory = plan.recruitment.decide(view, of.learnt.of(rows))
        of.learnt.keep(rows, memory)
        # Whoever comes later, for the first time or again, is scored by what is known now.
        of_all = of.owner
        later = (at[of_all] >= 0) & ((of.ticks > at[of_all]) | (attempts > 1))
        later[waiting] = False
        coming = np.flatnonzero(later)
        of.scores[coming], of.scores[waiting] = of.score(coming), scores
        return Rescored(memory, owner, of.candidates[waiting], np.asarray(scores, dtype=np.int64))
