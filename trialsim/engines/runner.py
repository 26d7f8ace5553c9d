"""Runs designs under truths: chunks of replicates, in one process or several, in an order that never matters."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from trialsim.engines.cell_facts import cell_table
from trialsim.engines.conduct import conduct
from trialsim.engines.decision_log import Journal, origin_of
from trialsim.engines.fast import FastEngine
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.points import Chunk
from trialsim.engines.records import Columns, columns_of, joined, to_arrow
from trialsim.engines.task_store import Task, TaskStore
from trialsim.engines.worker_process import GivenUp, call_off, go_on, settle
from trialsim.errors import UsageError, names_given, require_whole
from trialsim.replicate_ranges import EVALUATION
from trialsim.scenario.load import patient_table
from trialsim.scenario.schema import Scenario

Sink = Callable[[dict[str, pa.Table]], None]
Progress = Callable[[int, int], None]

ENGINES = ("fast", "reference")
MOST_REPLICATES = EVALUATION.stop
_TASK, _LIGHT_TASK = 16384, 65536
_KEPT_BYTES = 48 << 20
_IN_FLIGHT = 3
_TASKS_A_WORKER = 32
_FEWEST = 32
_KEPT_TASK, _IMPUTED_TASK, _LOGGED_TASK = 256, 64, 4096


@dataclass(frozen=True)
class Job:
    """One request: what to run and how.

    Parameters
    ----------
    scenario
        A loaded scenario.
    seed
        Seed of the run.
    engine
        ``fast`` or ``reference``.
    chunk
        Replicates at a time, or None for a size that suits the caches; no number depends on it.
    grid
        Step of the time grid in ticks.
    decision_log
        Whether the log of decisions is kept.
    """

    scenario: Scenario
    seed: int
    engine: str = "fast"
    chunk: int | None = None
    grid: int = 1
    decision_log: bool = False


def start_engine(plan: Plan, engine: str) -> Any:
    """Return an engine for a plan.

    Raises
    ------
    UsageError
        If there is no such engine.
    """
    if engine == "fast":
        return FastEngine(plan)
    if engine == "reference":
        from trialsim.engines.reference import ReferenceEngine

        return ReferenceEngine(plan)
    raise UsageError(f"no engine is called {engine!r}; there are {' and '.join(ENGINES)}.")


def chunk_size(plan: Plan, engine: str) -> int:
    """Return how many replicates at a time suit the caches."""
    if engine == "reference":
        return 1
    survival = any(law.kind == "survival" for law in plan.world.outcomes)
    world = plan.world
    if world.sites is not None:
        # Candidates take more room than patients.
        return max(4, min(8192, (3 << 15) // plan.n))
    if world.life is not None or not (world.source.identical or world.source.finite):
        # So do lives, and records of their own.
        return max(4, min(8192, (1 << (18 if survival else 20)) // plan.n))
    if _little_but_bits(plan):
        return max(4, min(_LIGHT_TASK, (1 << 25) // plan.n))
    return max(4, min(_TASK, (1 << (18 if survival else 23)) // plan.n))


def _little_but_bits(plan: Plan) -> bool:
    """Return whether all that replicates have of their own are binary outcomes, so that many of them need little room."""
    world = plan.world
    of_their_own = world.accrual.random or world.dropout is not None or plan.adaptive
    of_their_own = of_their_own or plan.may_close_early or plan.resizing is not None
    return not of_their_own and all(law.kind == "binary" for law in world.outcomes)


def _keep_freed_memory() -> None:
    """Let the process keep what chunks free for the next one, where the C library is that of GNU.

    It otherwise goes back to the system and comes again page by page, which takes as long as what is computed in it. The
    library keeps up to twice the largest block that was ever freed, so one is made, which costs nothing untouched.
    """
    np.empty(_KEPT_BYTES // 2, dtype=np.uint8)


class _Workshop:
    """Builds plans and engines of a job once each, in whatever process it lives."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._table = patient_table(job.scenario)
        self._engines: dict[tuple[str, str], Any] = {}
        _keep_freed_memory()

    def engine(self, design: str, truth: str) -> Any:
        """Return the engine of a cell."""
        key = (design, truth)
        if key not in self._engines:
            self._engines.clear()
            plan = build_plan(self.job.scenario, design, truth, self.job.seed, self.job.grid, self._table)
            self._engines[key] = start_engine(plan, self.job.engine)
        return self._engines[key]

    def run(self, design: str, truth: str, first: int, last: int) -> dict[str, Columns]:
        """Return the records of replicates ``first`` to ``last - 1`` of a cell."""
        engine = self.engine(design, truth)
        origin = origin_of(self.job.scenario, design, truth, self.job.seed) if self.job.decision_log else None
        wanted = (
            1
            if self.job.engine == "reference"
            else self.job.chunk or chunk_size(engine.plan, self.job.engine)
        )
        parts = []
        while first < last:
            go_on()
            most = wanted if self.job.engine == "reference" else engine.fitting(wanted)
            step = -(-(last - first) // -(-(last - first) // most))  # chunks of about the same size
            numbers = np.arange(first, first + step)
            journal = None if origin is None else Journal(engine.plan, origin, numbers)
            parts.append(columns_of(conduct(engine.start(numbers), journal)))
            first += step
        return joined(parts)


_workshop: _Workshop | None = None


def _open_workshop(job: Job, parent: int) -> None:
    """Prepare a worker process."""
    global _workshop
    settle(parent)
    _workshop = _Workshop(job)


def _work(design: str, truth: str, first: int, last: int) -> dict[str, Columns]:
    """Run one task in a worker process."""
    assert _workshop is not None
    return _workshop.run(design, truth, first, last)


def _samples(plan: Plan) -> bool:
    """Return whether a test of a plan is analysed by a sampler."""
    return any(
        getattr(each.analysis, "keyed", False) and each.analysis.name != "event_rate" for each in plan.tests
    )


def _most_at_once(plan: Plan, engine: str) -> int:
    """Return how many trials of a plan to run and hand over in one go at most."""
    if _samples(plan):
        return 1
    imputes = any(getattr(test.analysis, "keyed", False) for test in plan.tests)
    imputes = imputes or bool(getattr(plan.stopping, "imputed_tests", False))
    if engine == "reference":
        return 16
    if imputes:
        return _IMPUTED_TASK
    return _LIGHT_TASK if _little_but_bits(plan) else _TASK


def _task_size(total: int, most: int, workers: int) -> int:
    """Return how many trials to run in one go: few enough that no worker waits long for the last ones of another."""
    if workers == 1:
        return most
    enough = -(-total // (_TASKS_A_WORKER * workers))
    fewest = min(_FEWEST, -(-total // (4 * workers)))
    return min(most, max(enough, fewest))


def _tasks(
    cells: Sequence[tuple[str, str]], begin: int, replicates: int, size: int
) -> Iterator[tuple[str, str, int, int]]:
    """Return the tasks of all cells in their order."""
    for design, truth in cells:
        for first in range(begin, begin + replicates, size):
            yield design, truth, first, min(first + size, begin + replicates)


def run(
    scenario: Scenario,
    designs: Sequence[str] | str | None,
    truths: Sequence[str] | str | None,
    replicates: int,
    seed: int,
    engine: str,
    workers: int,
    sink: Sink,
    progress: Progress | None = None,
    chunk: int | None = None,
    grid: int = 1,
    first: int = 0,
    store: TaskStore | None = None,
    decision_log: bool = False,
) -> pa.Table:
    """Run every design under every truth and hand over the records block by block.

    Parameters
    ----------
    scenario
        A loaded scenario.
    designs, truths
        Names, or None for all.
    replicates
        Trials of each design under each truth.
    seed
        Seed of the run, 0 to 2**64 - 1.
    engine
        ``fast`` or ``reference``.
    workers
        Processes.
    sink
        Called with the tables ``trials``, ``looks`` and ``arms`` of each block, in the order of design, truth and
        replicate.
    progress
        Called with trials done and trials in all.
    chunk, grid
        See :class:`Job`.
    first
        Number of the first trial.
    store
        Where finished trials are kept, and those of an earlier run found again.
    decision_log
        Whether to hand over the log of decisions too: the tables ``decision_log``, ``log_heads`` and, where candidates
        are ranked, ``rankings``.

    Returns
    -------
    pyarrow.Table
        A row a design, truth and hypothesis: estimand, estimator, true value, whether it is null, and the best arm.

    Raises
    ------
    UsageError
        If a name or a number cannot be used.
    """
    _check(replicates, seed, engine, workers, chunk)
    job = Job(scenario, seed, engine, chunk, grid, decision_log)
    quantities: dict[str, None] = {}
    chosen_designs = scenario.select_designs(names_given("designs", designs))
    chosen_truths = scenario.select_truths(names_given("truths", truths))
    cells = [(design, truth) for design in chosen_designs for truth in chosen_truths]
    tests = tuple(dict.fromkeys(test for design in chosen_designs for test in scenario.designs[design].tests))
    home = _Workshop(job)
    for design in chosen_designs:
        if scenario.designs[design].decisions:
            quantities |= dict.fromkeys(home.engine(design, chosen_truths[0]).plan.quantities)
    # First, as it may be that an estimand is about nobody.
    true = cell_table([build_plan(scenario, d, t, seed, grid, patient_table(scenario)) for d, t in cells])
    total, done = replicates * len(cells), 0
    most = _most_at_once(home.engine(*cells[0]).plan, engine)
    most = min(most, _LOGGED_TASK) if decision_log else most
    size = _task_size(total, most, workers) if store is None else min(most, _KEPT_TASK)
    if progress is not None:
        progress(0, total)
    tasks = list(_tasks(cells, first, replicates, size))
    for (design, truth, begin, end), columns in _kept(job, home, tasks, workers, store):
        sink(to_arrow(columns, home.engine(design, truth).plan, tests, tuple(quantities)))
        done += end - begin
        if progress is not None:
            progress(done, total)
    return true


def _check(replicates: int, seed: int, engine: str, workers: int, chunk: int | None) -> None:
    """Refuse what cannot be run, with a sentence."""
    require_whole("replicates", replicates, 1, MOST_REPLICATES)
    require_whole("seed", seed, 0, (1 << 63) - 1)
    if engine not in ENGINES:
        raise UsageError(f"no engine is called {engine!r}; there are {' and '.join(ENGINES)}.")
    require_whole("workers", workers, 1, 256)
    if chunk is not None:
        require_whole("chunk", chunk, 1, MOST_REPLICATES)


def _kept(
    job: Job, home: _Workshop, tasks: list[Task], workers: int, store: TaskStore | None
) -> Iterator[tuple[Task, dict[str, Columns]]]:
    """Return the records of each task in their order: those that a store holds, and those that are run now and kept."""
    if store is None:
        yield from _results(job, home, tasks, workers)
        return
    there = {task for task in tasks if store.find(task) is not None}
    missing = [task for task in tasks if task not in there]
    if there and missing:
        _require_same_draws(home, store, next(task for task in tasks if task in there))
    running = _results(job, home, missing, workers, store.keep) if missing else iter(())
    for task in tasks:
        if task in there:
            held = store.find(task)  # gone or damaged since, it is run again
            yield task, home.run(*task) if held is None else held
        else:
            yield next(running)


def _require_same_draws(home: _Workshop, store: TaskStore, task: Task) -> None:
    """Refuse to add to trials of a sampler whose draws are others here: one task is run again, and must be the same."""
    if not _samples(home.engine(task[0], task[1]).plan):
        return
    held, again = store.find(task), home.run(*task)
    assert held is not None
    for table, columns in again.items():
        for name, values in columns.items():
            if not np.array_equal(values, held[table][name], equal_nan=values.dtype.kind == "f"):
                raise UsageError(
                    f"{store.folder}: trial {task[2]} of {task[0]} under {task[1]} has other draws there than here "
                    f"({table}, {name}), as after another version of PyMC, nutpie, PyTensor or Numba, or on another "
                    "machine; name another folder with --checkpoint"
                )


def _results(
    job: Job,
    home: _Workshop,
    tasks: list[Task],
    workers: int,
    keep: Callable[[Task, Mapping[str, Columns]], None] = lambda task, columns: None,
) -> Iterator[tuple[Task, dict[str, Columns]]]:
    """Return the records of each task, in the order of tasks, whoever finishes first; ``keep`` is told of each at once."""
    if workers == 1 or len(tasks) == 1:
        for task in tasks:
            columns = home.run(*task)
            keep(task, columns)
            yield task, columns
        return
    method = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context(method), _open_workshop, (job, os.getpid())
    )
    waiting: list[tuple[Task, Future[dict[str, Columns]]]] = []
    complete = False
    try:
        following = iter(tasks)
        for task in following:
            waiting.append((task, pool.submit(_work, *task)))
            if len(waiting) >= workers * _IN_FLIGHT:
                yield _next(waiting, keep)
        while waiting:
            yield _next(waiting, keep)
        complete = True
    except GivenUp:
        raise KeyboardInterrupt from None
    except BrokenProcessPool:
        raise UsageError(
            "a worker process was ended from outside, probably for want of memory; run again with fewer workers."
        ) from None
    finally:
        if not complete:
            call_off(pool, [future for _, future in waiting])
            for task, future in waiting:
                if not future.cancelled() and future.done() and future.exception() is None:
                    keep(task, future.result())
        pool.shutdown(wait=True, cancel_futures=True)


def _next(
    waiting: list[tuple[Task, Future[dict[str, Columns]]]],
    keep: Callable[[Task, Mapping[str, Columns]], None],
) -> tuple[Task, dict[str, Columns]]:
    """Wait for the task that is due, keep its records and return them; it stays the next where an interrupt comes."""
    task, future = waiting[0]
    columns = future.result()
    keep(task, columns)
    waiting.pop(0)
    return task, columns


def chunk_of(
    scenario: Scenario,
    design: str,
    truth: str,
    replicates: Sequence[int],
    seed: int,
    engine: str,
    grid: int = 1,
) -> Chunk:
    """Return a chunk of chosen replicates at the start of accrual, for one who wants to follow single trials."""
    plan = build_plan(scenario, design, truth, seed, grid, patient_table(scenario))
    chunk: Chunk = start_engine(plan, engine).start(np.asarray(replicates, dtype=np.int64))
    return chunk
