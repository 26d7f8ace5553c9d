"""Past screening logs, simulated: who was called, what the records held, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import CandidateView
from trialsim.draws import Purpose, uniform
from trialsim.engines import fast_site_kernels as columns
from trialsim.engines.candidate_views import candidate_view
from trialsim.engines.fast_sites import Recruitment, Window
from trialsim.engines.plan import Plan
from trialsim.errors import UsageError
from trialsim.operations.screening import PASSES, PASSES_INELIGIBLE, REFUSES
from trialsim.replicate_ranges import TRAINING
from trialsim.timegrid import NEVER

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FIRST_REPLICATE = TRAINING.start
"""Replicates from here on are for training; no run reaches them."""

LABELS = ("randomised", "eligible")
TRAIN, VALIDATION, TEST = range(3)
_PARTS_OF_TWENTY = (14, 3, 3)
_FEWEST_SITES = 20
_CHUNK = 8


@dataclass(frozen=True)
class ScreeningLog:
    """Candidates who were called, over several trials.

    Parameters
    ----------
    values
        Covariates as the records held them, ``[candidate, covariate]``.
    label
        Whether it came to what is learned, ``[candidate]``.
    site
        Which site of which trial, numbered on, ``[candidate]``.
    """

    values: Floats
    label: Bools
    site: Ints


def screening_log(plan: Plan, trials: int, label: str) -> ScreeningLog:
    """Return the log of trials that no run simulates, whose candidates are called as the plan's recruitment policy has it.

    Only what had come out when enrolment closed is in a log, and only first attempts.

    Parameters
    ----------
    plan
        A design under a truth, in a world with sites.
    trials
        How many.
    label
        ``randomised``: of all called, who was; ``eligible``: of those who consented, who passed screening.

    Raises
    ------
    UsageError
        Where there are no sites.
    """
    if plan.world.sites is None:
        raise UsageError(
            f"{plan.scenario} has no sites, so that nobody is screened: there is no log to learn from"
        )
    window = Window(plan)
    parts = [
        _log_of(plan, Recruitment(plan, np.arange(first, min(first + _CHUNK, FIRST_REPLICATE + trials)), window), label)
        for first in range(FIRST_REPLICATE, FIRST_REPLICATE + trials, _CHUNK)
    ]  # fmt: skip
    return ScreeningLog(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _log_of(plan: Plan, chunk: Recruitment, label: str) -> tuple[Floats, Bools, Ints]:
    """Return covariates, labels and sites of those called in a chunk of trials."""
    contact, trial = chunk.contact[:: chunk.law.attempts], _trial_of(chunk)
    outcome = contact[:, columns.OUTCOME]
    known = (contact[:, columns.DISPATCH] < NEVER) & (contact[:, columns.FINAL] <= chunk.closing[trial])
    if label == "eligible":
        known &= outcome != REFUSES
    at = np.flatnonzero(known)
    view = _view_of(plan, chunk, at)
    number = (view.replicate - FIRST_REPLICATE) * chunk.sites.count + view.site
    return view.covariates, _passes(outcome[at]), number


def screening_view(plan: Plan, first: int, trials: int) -> tuple[CandidateView, Bools]:
    """Return all candidates of some trials, called or not, and whether they would be randomised if called at once.

    Parameters
    ----------
    plan
        A design under a truth, in a world with sites.
    first, trials
        The first replicate, and how many.
    """
    chunk = Recruitment(plan, np.arange(first, first + trials), Window(plan))
    at = np.arange(len(chunk.candidates))
    return _view_of(plan, chunk, at), _passes(chunk.contact[:: chunk.law.attempts, columns.OUTCOME])


def _passes(outcome: Ints) -> Bools:
    """Return which outcomes of an attempt end in randomisation."""
    return np.asarray((outcome == PASSES) | (outcome == PASSES_INELIGIBLE))


def _trial_of(chunk: Recruitment) -> Ints:
    """Return the place of each candidate's trial in its chunk."""
    return np.repeat(np.arange(len(chunk.replicates)), np.diff(chunk.offsets[:: chunk.sites.count]))


def _view_of(plan: Plan, chunk: Recruitment, at: Ints) -> CandidateView:
    """Return what the plan's policy sees of some of a chunk's candidates."""
    rows, trials = chunk.chance_rows[at], _trial_of(chunk)[at]
    return candidate_view(
        plan.world, plan.recruitment, plan.seed, chunk.replicates[trials], chunk.candidates[at],
        chunk.ticks[at], chunk.records[rows], chunk.chances[rows], trials,
    )  # fmt: skip


def split_by_site(log: ScreeningLog, seed: int) -> Ints:
    """Return which part each candidate is for: 70% of the sites for training, 15% for validation, 15% for testing.

    A site's candidates stay together, so that a model is chosen and judged at sites that it has not seen. Sites are
    stratified by their share of positives: of each twenty that follow each other in that order, 14, 3 and 3 are drawn.

    Parameters
    ----------
    log
        The screening log.
    seed
        Of the draw.

    Returns
    -------
    numpy.ndarray
        :data:`TRAIN`, :data:`VALIDATION` or :data:`TEST`, ``[candidate]``.

    Raises
    ------
    UsageError
        Where there are too few sites.
    """
    sites, place = np.unique(log.site, return_inverse=True)
    if len(sites) < _FEWEST_SITES:
        found = "1 site" if len(sites) == 1 else f"{len(sites)} sites"
        raise UsageError(
            f"the log has {found} with candidates who were called; at least {_FEWEST_SITES} are needed to "
            "split it 70/15/15 by site; ask for more replicates, or supply a log of more sites"
        )
    share = np.bincount(place, weights=log.label) / np.bincount(place)
    drawn = np.array([uniform(seed, FIRST_REPLICATE, int(s), int(Purpose.SAMPLER), 9) for s in sites])
    order = np.lexsort((drawn, share))
    part = np.empty(len(sites), dtype=np.int64)
    kinds = np.repeat(np.arange(3), _PARTS_OF_TWENTY)
    for first in range(0, len(sites), len(kinds)):
        block = order[first : first + len(kinds)]
        # A last block that is not full is spread over the parts as well as it can be.
        chosen = kinds[np.linspace(0, len(kinds) - 1, len(block)).round().astype(int)]
        part[block[np.argsort(drawn[block] * 1e6 % 1.0, kind="stable")]] = chosen
    return part[place]
