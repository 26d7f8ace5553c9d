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
from trialsim.engines.shared_records import Laid, SharedRecords, shared_records
from trialsim.engines.task_sizes import chunk_size, most_at_once, samples, task_size, tasks_of
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
_KEPT_BYTES = 48 << 20
_IN_FLIGHT = 3
_KEPT_TASK, _LOGGED_TASK = 256, 4096


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
    responses
        Whether responses to the first binary endpoint that is tested are counted by arm.
    """

    scenario: Scenario
    seed: int
    engine: str = "fast"
    chunk: int | None = None
    grid: int = 1
    decision_log: bool = False
    responses: bool = False


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
            parts.append(columns_of(conduct(engine.start(numbers), journal), self.job.responses))
            first += step
        return joined(parts)


_workshop: _Workshop | None = None
_shared: SharedRecords | None = None


def _open_workshop(job: Job, parent: int, shared: SharedRecords | None) -> None:
    """Prepare a worker process."""
    global _workshop, _shared
    settle(parent)
    _workshop, _shared = _Workshop(job), shared


def _work(place: int, task: Task) -> Laid | dict[str, Columns]:
    """Run one task in a worker process, and lay its records where they are taken from."""
    assert _workshop is not None
    columns = _workshop.run(*task)
    return columns if _shared is None else _shared.lay(place, columns)


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
    responses: bool = False,
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
    responses
        Whether the table ``arms`` has ``responses``: to the first binary endpoint tested, by the deciding cut.

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
    job = Job(scenario, seed, engine, chunk, grid, decision_log, responses)
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
    plan = home.engine(*cells[0]).plan
    most = most_at_once(plan, engine)
    most = min(most, _LOGGED_TASK) if decision_log else most
    if progress is not None:
        progress(0, total)
    if store is None:
        size = task_size(total, most, workers)
        tasks = list(tasks_of(cells, first, replicates, size, chunk or chunk_size(plan, engine), workers))
    else:  # found again by a run of any number of workers
        tasks = list(tasks_of(cells, first, replicates, min(most, _KEPT_TASK), 1, 1))
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
    if not samples(home.engine(task[0], task[1]).plan):
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
    places = list(range(workers * _IN_FLIGHT))
    shared = shared_records(len(places)) if method == "fork" else None
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context(method), _open_workshop, (job, os.getpid(), shared)
    )
    waiting: list[_Given] = []
    complete = False
    try:
        for task in tasks:
            place = places.pop()
            waiting.append(_Given(task, place, pool.submit(_work, place, task), shared))
            if not places:
                yield _next(waiting, places, keep)
        while waiting:
            yield _next(waiting, places, keep)
        complete = True
    except GivenUp:
        raise KeyboardInterrupt from None
    except BrokenProcessPool:
        raise UsageError(
            "a worker process was ended from outside, probably for want of memory; run again with fewer workers."
        ) from None
    finally:
        if not complete:
            call_off(pool, [each.future for each in waiting])
            for each in waiting:
                if not each.future.cancelled() and each.future.done() and each.future.exception() is None:
                    keep(each.task, each.columns())
        pool.shutdown(wait=True, cancel_futures=True)
        if shared is not None:
            shared.close()


@dataclass(frozen=True)
class _Given:
    """A task that was given to the workers, and the place where its records will lie."""

    task: Task
    place: int
    future: Future[Laid | dict[str, Columns]]
    shared: SharedRecords | None

    def columns(self) -> dict[str, Columns]:
        """Wait for the records, and return them."""
        found = self.future.result()
        if not isinstance(found, Laid):
            return found
        assert self.shared is not None
        return self.shared.take(self.place, found)


def _next(
    waiting: list[_Given], places: list[int], keep: Callable[[Task, Mapping[str, Columns]], None]
) -> tuple[Task, dict[str, Columns]]:
    """Wait for the task that is due, keep its records and return them; it stays the next where an interrupt comes."""
    given = waiting[0]
    columns = given.columns()
    keep(given.task, columns)
    waiting.pop(0)
    places.append(given.place)
    return given.task, columns


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
