"""The runner as an environment to learn allocation in: thousands of trials in lockstep, halted at every change of weights.

The trials are those of the engines: what has not been read out yet is not seen, and outcomes come with the delay that the
scenario states. Several worlds can be learned from at once, one plan each.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from trialsim.contracts import AllocationView, Decision, Floats, Ints, any_of
from trialsim.engines.conduct import Asked, ChunkResult, Minds, conducted
from trialsim.engines.fast import FastEngine
from trialsim.engines.plan import Plan
from trialsim.engines.points import Point
from trialsim.errors import UsageError


@dataclass(frozen=True)
class Halt:
    """Trials at a change of their allocation.

    Parameters
    ----------
    view
        What may be seen, of all worlds one after the other.
    trial
        Numbers of the trials among all that run, from 0, ``[row]``.
    """

    view: AllocationView
    trial: Ints


@dataclass(frozen=True)
class Outcome:
    """How all trials ended.

    Parameters
    ----------
    responders
        Good outcomes of all who were randomised, ``[trial]``.
    rejected
        Whether any hypothesis was rejected, ``[trial]``.
    arm_enrolled
        Patients by arm, ``[trial, arm]``.
    """

    responders: Floats
    rejected: Floats
    arm_enrolled: Ints


def require_weights(weights: Floats, shape: tuple[int, int]) -> None:
    """Refuse weights of another shape, or that are no weights: a learner that has diverged is to hear of it.

    Parameters
    ----------
    weights
        Allocation weights, ``[row, arm]``.
    shape
        How many rows and arms there are.
    """
    if np.shape(weights) != shape:
        raise UsageError(
            f"weights of shape {shape} are expected, a row a trial; these have {np.shape(weights)}"
        )
    if not np.isfinite(weights).all() or (weights < 0.0).any():
        raise UsageError("allocation weights must be finite and not negative")


class AllocationEnvironment:
    """Trials of one or several worlds, run in lockstep from one change of allocation to the next.

    Parameters
    ----------
    plans
        One a world, with the same arms and a randomisation policy that adapts: it is asked nothing, the learner is.
    trials
        Trials of each world that run at once.
    """

    def __init__(self, plans: Sequence[Plan], trials: int) -> None:
        self._engines = [FastEngine(plan) for plan in plans]
        self.plans, self.trials = tuple(plans), trials
        self._running: list[_Running] = []

    def reset(self, first: int) -> Halt | None:
        """Start trials anew and run them to the first change of allocation.

        Parameters
        ----------
        first
            Number of the first replicate, the same in every world: they share patients.

        Returns
        -------
        Halt or None
            None where no trial ever asks.
        """
        numbers = np.arange(first, first + self.trials)
        self._running = [_Running(engine, numbers) for engine in self._engines]
        return self._halt()

    def step(self, weights: Floats) -> Halt | None:
        """Give the trials that asked their weights, and run on to the next change; None once all have ended.

        Parameters
        ----------
        weights
            Allocation probabilities, ``[row, arm]``, in the order of the halt.

        Raises
        ------
        UsageError
            If they are not finite, negative, all 0 in a row, or not one for each arm of each row.
        """
        waiting = [world.asked for world in self._running if world.asked is not None]
        rows = sum(len(asked.rows) for asked in waiting)
        require_weights(weights, (rows, waiting[0].view.open_arms.shape[1] if waiting else 0))
        if not (np.asarray(weights).sum(axis=1) > 0.0).all():
            raise UsageError("allocation weights of a trial must not all be 0")
        start = 0
        for world in self._running:
            if world.asked is not None:
                end = start + len(world.asked.rows)
                world.answer(weights[start:end])
                start = end
        return self._halt()

    def outcome(self) -> Outcome:
        """Return how the trials ended; only once :meth:`step` has returned None."""
        found = [world.outcome() for world in self._running]
        return Outcome(
            *(np.concatenate([getattr(each, part.name) for each in found]) for part in fields(Outcome))
        )

    def _halt(self) -> Halt | None:
        asked = [(place, world.asked) for place, world in enumerate(self._running) if world.asked is not None]
        if not asked:
            return None
        views = [each.view for _, each in asked]
        joined: dict[str, Any] = {
            part.name: np.concatenate([getattr(view, part.name) for view in views])
            for part in fields(AllocationView)
            if part.name not in ("ratio", "lower_is_better", "n_max", "best_arms", "benefit", "seed")
        }
        first = views[0]
        view = AllocationView(
            **joined,
            ratio=first.ratio,
            lower_is_better=first.lower_is_better,
            n_max=first.n_max,
            seed=first.seed,
        )
        return Halt(view, np.concatenate([place * self.trials + each.rows for place, each in asked]))


class _Running:
    """The trials of one world: questions of stopping are answered by the design, those of allocation by the learner."""

    def __init__(self, engine: FastEngine, replicates: Ints) -> None:
        self._chunk = engine.start(replicates)
        self._minds = Minds(engine.plan, len(replicates))
        self._course: Generator[Asked, Decision, ChunkResult] = conducted(self._chunk)
        self._result: ChunkResult | None = None
        self.asked: Asked | None = None
        self._go_on(None)

    def answer(self, weights: Floats) -> None:
        """Give the trials that asked their weights."""
        self._go_on(Decision(weights=weights).canonical())

    def _go_on(self, decision: Decision | None) -> None:
        """Run to the next question of allocation, or to the end."""
        self.asked = None
        try:
            asked = next(self._course) if decision is None else self._course.send(decision)
            while asked.slot != "randomisation":
                asked = self._course.send(self._minds.answer(asked))
            self.asked = asked
        except StopIteration as ended:
            self._result = ended.value

    def outcome(self) -> Outcome:
        """Return how the trials ended."""
        assert self._result is not None
        ends, plan = self._result.ends, self._chunk.plan
        everybody = np.arange(len(self._chunk.replicates))
        last = np.maximum(ends.cut, ends.last_visit)
        n, total = self._chunk.totals(Point("review", everybody, np.zeros_like(everybody), last))
        good = n - total if plan.response_lower_is_better else total
        return Outcome(
            np.asarray(good.sum(axis=1), dtype=np.float64),
            any_of(self._result.rejected).astype(np.float64),
            ends.arm_enrolled,
        )
