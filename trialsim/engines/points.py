"""What passes between an engine and the loop that runs it: decision points, and what is left when a trial has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import (
    Bools,
    CandidateView,
    DataCut,
    Decision,
    Floats,
    Ints,
    LogRow,
    SiteDecision,
    SiteView,
    TestPlan,
    VisitView,
)
from trialsim.engines.life import LifeLaw
from trialsim.engines.life_tally import LifeTally
from trialsim.engines.missing_records import MissingOutcomes
from trialsim.engines.plan import Plan


@dataclass(frozen=True)
class CutCounts:
    """Visible counts by arm at a cut, each ``[replicate, arm]``, of the plan's primary endpoint."""

    enrolled: Ints
    events: Ints
    readouts: Ints


@dataclass(frozen=True)
class Point:
    """Replicates that have come to a decision.

    Parameters
    ----------
    kind
        ``look`` or ``review``.
    rows
        Positions of the replicates in the chunk, ``[k]``.
    number
        Index of the look, or number of the review, from 0, ``[k]``.
    tick
        The cut, ``[k]``.
    """

    kind: str
    rows: Ints
    number: Ints
    tick: Ints


@dataclass(frozen=True)
class Ends:
    """How the trials of a chunk ended, each ``[replicate]`` unless said otherwise.

    Parameters
    ----------
    reason
        :class:`~trialsim.contracts.Stop` codes.
    tick
        When the trial ended.
    look
        Index of the look that decided, or -1.
    cut
        Data cut of that look, or the end.
    enrolled
        Patients randomised when randomisation ended.
    first_entry
        Time of the first randomisation, 0 without any.
    enrolment_end
        Time of the last randomisation, 0 without any.
    last_visit
        When the last patient randomised gives the last read-out, at least the cut.
    arm_enrolled
        ``[replicate, arm]``.
    dropped_look
        Look (from 1) at which an arm was closed, 0 for never, ``[replicate, arm]``.
    """

    reason: NDArray[np.int8]
    tick: Ints
    look: Ints
    cut: Ints
    enrolled: Ints
    first_entry: Ints
    enrolment_end: Ints
    last_visit: Ints
    arm_enrolled: Ints
    dropped_look: Ints


@dataclass(frozen=True)
class SiteTallies:
    """What happened before randomisation by the end of each trial.

    Parameters
    ----------
    counts
        ``[replicate, site, column]``: candidates who came, failed on their records, consented, refused, failed screening,
        withdrew while waiting, were released, were randomised; candidates who ever consented, who came again, and how often
        they did; of those who came again, who was randomised, refused then and withdrew then; ticks from contact to
        consent, and to randomisation, added up over attempts that got there. Consents and failures count with each attempt.
    reasons
        Screening failures by reason, ``[replicate, reason]``.
    screened_out
        Candidates whose last screening failed, by its reason, ``[replicate, reason]``.
    subgroups
        By level of the subgroup: candidates who came, those of them who were eligible, and patients,
        ``[replicate, level, 3]``.
    idle
        Ticks that places for screening were free while the site enrolled, ``[replicate, site]``; 0 without a limit.
    opened, closed
        Ticks, ``[replicate, site]``; NEVER where that did not happen.
    """

    counts: Ints
    reasons: Ints
    screened_out: Ints
    subgroups: Ints
    idle: Ints
    opened: Ints
    closed: Ints


@dataclass(frozen=True)
class Scored:
    """Scores that a recruitment policy gave in a chunk of trials, by replicate in the order in which it did.

    A candidate is scored at first contact; where scores change at reviews, at each review while waiting too, and whenever
    they come again.

    Parameters
    ----------
    offsets
        Those of the replicate in row ``r`` are ``offsets[r]`` to ``offsets[r + 1] - 1``, ``[replicate + 1]``.
    keys
        Site << 32 | arrival number at the site, ``[score]``.
    ticks
        When, ``[score]``.
    scores
        What the policy said, ``[score]``.
    """

    offsets: Ints
    keys: Ints
    ticks: Ints
    scores: Ints


@dataclass(frozen=True)
class SitesReviewed:
    """What was seen of sites at a round of reviews, and decided.

    Parameters
    ----------
    rows
        Positions of the replicates in the chunk, ``[k]``.
    tick
        When, ``[k]``.
    view
        What the policy saw.
    closed, called
        Sites that closed, and reserves that were asked to open, ``[k, site]``.
    decision
        What the policy answered.
    """

    rows: Ints
    tick: Ints
    view: SiteView
    closed: Bools
    called: Bools
    decision: SiteDecision


@dataclass(frozen=True)
class VisitsDecided:
    """What a monitoring policy was asked by the trials' ends, by trial, time and patient, each ``[visit]``.

    Parameters
    ----------
    rows
        Positions of the replicates in the chunk.
    tick
        When.
    view
        What the policy saw.
    done
        What it answered.
    """

    rows: Ints
    tick: Ints
    view: VisitView
    done: Ints


def no_visits(law: LifeLaw) -> VisitView:
    """Return the view of no visit at all."""
    nothing = np.zeros(0, dtype=np.int64)
    events = np.zeros((0, len(law.terms), len(law.levels)), dtype=np.int64)
    return VisitView(
        nothing, nothing, nothing, np.zeros(0), events, nothing, nothing, law.terms, law.levels,
        law.numbers.treatment.doses, 0,
    )  # fmt: skip


class Chunk(Protocol):
    """The state of some replicates of one plan in an engine."""

    plan: Plan
    replicates: Ints

    def advance(self) -> Point | None:
        """Run every live replicate to its next decision and return those that share a kind; None when all ended."""
        ...

    def cut(self, point: Point, test: int | TestPlan) -> DataCut:
        """Return what is known at the point for a test, by its number, or of other arms than the design's tests compare."""
        ...

    def stage_cut(self, point: Point, test: int) -> DataCut:
        """Return what has become known for a test since the look before: read-outs, or all where there was none."""
        ...

    def stage_ends(self, rows: Ints) -> Ints:
        """Return when each stage ends whose patients are followed to an end of their own, ``[k, stage]``.

        NEVER, or a later time than that of the look, where its patients do not have as many events by then; only at looks
        of designs whose stages are split by patients.
        """
        ...

    def stage_events(self, rows: Ints, ends: Ints) -> Ints:
        """Return the events of each stage's patients that are known by its end, ``[k, stage]``."""
        ...

    def cohort_cut(self, point: Point, test: int, stage: int) -> DataCut:
        """Return what is known for a test at the point of the patients of one stage alone."""
        ...

    def counts(self, rows: Ints, ticks: Ints) -> CutCounts:
        """Return the visible counts of some replicates at some times."""
        ...

    def lost(self, rows: Ints, ticks: Ints) -> Ints:
        """Return how many patients were lost to follow-up by some times, ``[k, arm]``."""
        ...

    def in_pipeline(self, ticks: Ints) -> Ints | None:
        """Return how many patients are waited for at some times, ``[replicate]``; only once the trials have ended.

        They are randomised by then, their primary outcome is not known then and can still become known. None where
        everybody randomised is known, lost or waited for, so that the other counts tell.
        """
        ...

    def missing(self, ticks: Ints, lost: Ints) -> MissingOutcomes:
        """Return whose outcome of the primary endpoint is missing at some times, ``[replicate]``.

        Only once the trials have ended, in a world in which outcomes can be missing; ``lost`` is what :meth:`lost` said of
        these times.
        """
        ...

    def tally(self, ticks: Ints) -> LifeTally | None:
        """Return what has become of the patients of each replicate by a time, ``[replicate]``, where the scenario says."""
        ...

    def adverse_events_by(self, ends: Ints, group: Ints, cut: Ints) -> Ints:
        """Return adverse events by time since randomisation, added up over groups of trials.

        Only where the scenario has adverse events, and once the trials have ended.

        Parameters
        ----------
        ends
            Ends of the periods since randomisation, in order, in ticks, ``[period]``.
        group
            Group of each trial, ``[replicate]``.
        cut
            Tick up to which is counted, ``[replicate]``.

        Returns
        -------
        numpy.ndarray
            int64 ``[group, arm, term, period, 3]``: events, serious ones, ticks at risk.
        """
        ...

    def totals(self, point: Point) -> tuple[Ints, Floats]:
        """Return read-outs and their sum by arm, ``[k, arm]``, of the endpoint a randomisation policy learns from."""
        ...

    def seen(self, point: Point, endpoint: int) -> tuple[Ints, Floats, Ints]:
        """Return read-outs, their sum, and patients who can still be read out, by arm, ``[k, arm]``."""
        ...

    def open_arms(self, rows: Ints) -> Bools:
        """Return which arms are open to allocation, ``[k, arm]``."""
        ...

    def apply(self, point: Point, decision: Decision, marks: Floats) -> None:
        """Take a decision into account from its time on; ``marks[k, test]`` are the statistics for the log."""
        ...

    def ends(self) -> Ends:
        """Return how every trial ended; only once :meth:`advance` has returned None."""
        ...

    def tallies(self) -> SiteTallies | None:
        """Return what happened at each site; None in a world without sites. Only once the trials have ended."""
        ...

    def follow_up(self, ticks: Ints) -> None:
        """Follow those randomised by the end until some times, ``[replicate]``; only once the trials have ended.

        A cut then sees what has become known by its time, and nobody who would have been randomised later.
        """
        ...

    def cost_amounts(self) -> Ints:
        """Return what has to be paid for in each trial, ``[replicate, item]``; only once the trials have ended.

        The items, and what each counts, are those of :mod:`trialsim.operations.costs`.
        """
        ...

    def randomised_by(self, ticks: Ints, group: Ints) -> Ints:
        """Return how many patients of each group of sites were randomised by some times and by the trial's end.

        Only in a world with sites, and once the trials have ended.

        Parameters
        ----------
        ticks
            The times, in order, ``[date]``.
        group
            Number of the group of each site, ``[site]``.

        Returns
        -------
        numpy.ndarray
            int64 ``[replicate, date, group]``.
        """
        ...

    def scored(self) -> Scored | None:
        """Return whom the recruitment policy scored by the trials' ends; None where it was never asked."""
        ...

    def candidates_seen(self, row: int) -> CandidateView:
        """Return what it saw of those of one replicate, in the order of :meth:`scored`."""
        ...

    def sites_reviewed(self) -> list[SitesReviewed]:
        """Return the reviews of sites, also those that would have come after a trial's end; none without sites."""
        ...

    def visits_decided(self) -> VisitsDecided | None:
        """Return what the monitoring policy was asked by the trials' ends; None where there is none."""
        ...

    def log(self, row: int) -> list[LogRow]:
        """Return the event log of one replicate, in order."""
        ...
