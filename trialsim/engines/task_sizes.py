"""How many trials are computed together, and how those of a run are cut into tasks.

Tasks are of one size until the end comes near; from there on each is a share of what is left, so that all workers end
at nearly the same time (guided self-scheduling: Polychronopoulos CD, Kuck DJ (1987), IEEE Trans Comput C-36:1425-1439).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trialsim.engines.plan import Plan
from trialsim.engines.task_store import Task

_TASKS_A_WORKER = 32
_SHARES_A_WORKER = 4
_FEWEST = 32
_TASK, _LIGHT_TASK, _IMPUTED_TASK = 16384, 65536, 64


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
    together = (19 if len(world.outcomes) == 1 else 18) if survival else 23
    return max(4, min(_TASK, (1 << together) // plan.n))


def _little_but_bits(plan: Plan) -> bool:
    """Return whether all that replicates have of their own are binary outcomes, so that many of them need little room."""
    world = plan.world
    of_their_own = world.accrual.random or world.dropout is not None or plan.adaptive
    of_their_own = of_their_own or plan.may_close_early or plan.resizing is not None
    return not of_their_own and all(law.kind == "binary" for law in world.outcomes)


def samples(plan: Plan) -> bool:
    """Return whether a test of a plan is analysed by a sampler."""
    return any(
        getattr(each.analysis, "keyed", False) and each.analysis.name != "event_rate" for each in plan.tests
    )


def most_at_once(plan: Plan, engine: str) -> int:
    """Return how many trials of a plan to run and hand over in one go at most."""
    if samples(plan):
        return 1
    imputes = any(getattr(test.analysis, "keyed", False) for test in plan.tests)
    imputes = imputes or bool(getattr(plan.stopping, "imputed_tests", False))
    if engine == "reference":
        return 16
    if imputes:
        return _IMPUTED_TASK
    return _LIGHT_TASK if _little_but_bits(plan) else _TASK


def task_size(total: int, most: int, workers: int) -> int:
    """Return how many trials to run in one go at most.

    Parameters
    ----------
    total
        Trials of the run.
    most
        How many to run and hand over in one go at most.
    workers
        Processes.
    """
    if workers == 1:
        return most
    enough = -(-total // (_TASKS_A_WORKER * workers))
    fewest = min(_FEWEST, -(-total // (4 * workers)))
    return min(most, max(enough, fewest))


def tasks_of(
    cells: Sequence[tuple[str, str]], begin: int, replicates: int, size: int, chunk: int, workers: int
) -> Iterator[Task]:
    """Return the tasks of all cells in their order, smaller ones towards the end where there are several workers.

    Parameters
    ----------
    cells
        Designs and truths.
    begin, replicates
        Number of the first trial of each cell, and how many there are.
    size
        Trials of a task.
    chunk
        Trials that are computed together: a task holds a whole number of them where it holds one, and is not made smaller.
    workers
        Processes; with one all tasks have their full size.
    """
    left = replicates * len(cells)
    for design, truth in cells:
        first, end = begin, begin + replicates
        while first < end:
            share = size if workers == 1 else -(-left // (_SHARES_A_WORKER * workers))
            wanted = max(min(size, share), min(size, chunk))
            if workers > 1 and wanted > chunk:
                wanted -= wanted % chunk
            last = min(first + wanted, end)
            yield design, truth, first, last
            left -= last - first
            first = last
