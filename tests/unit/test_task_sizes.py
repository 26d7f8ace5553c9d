"""The trials of a run are cut into tasks that hold each once, the last of them small."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialsim.engines.task_sizes import task_size, tasks_of

WHOLE = st.integers(1, 3_000)


@given(st.integers(1, 4), st.integers(0, 50), WHOLE, WHOLE, WHOLE, st.integers(1, 9))
def test_every_trial_is_in_one_task_in_its_order(
    n_cells: int, begin: int, replicates: int, most: int, chunk: int, workers: int
) -> None:
    cells = [("design", str(number)) for number in range(n_cells)]
    size = task_size(replicates * n_cells, most, workers)
    tasks = list(tasks_of(cells, begin, replicates, size, chunk, workers))
    trials = [(*cell, number) for cell in cells for number in range(begin, begin + replicates)]
    assert [
        (design, truth, number) for design, truth, first, last in tasks for number in range(first, last)
    ] == trials
    assert all(first < last <= first + most for _, _, first, last in tasks)
    if workers == 1:  # none but the last of a cell is smaller
        assert all(last == begin + replicates or last - first == most for _, _, first, last in tasks)


def _ends(sizes: list[int], paces: list[float]) -> list[float]:
    """Return when each worker has nothing more to do, of those who take the next task and so long over each trial of it."""
    free = [(0.0, pace) for pace in paces]
    for size in sizes:
        time, pace = free[0]
        heapq.heapreplace(free, (time + size * pace, pace))
    return [time for time, _ in free]


@pytest.mark.parametrize("workers", [2, 3, 16])
@pytest.mark.parametrize("total", [80_000, 120_000, 1_600_000])
def test_workers_that_are_not_equally_fast_end_within_one_chunk_of_each_other(
    workers: int, total: int
) -> None:
    size = task_size(total, 16_384, workers)
    tasks = tasks_of([("fixed", "effect")], 0, total, size, 122, workers)
    sizes = [last - first for _, _, first, last in tasks]
    paces = [1 + 0.3 * number / workers for number in range(workers)]
    ends = _ends(sizes, paces)
    assert max(ends) - min(ends) <= 122 * max(paces)
    assert all(each % min(size, 122) == 0 for each in sizes[:-1])
    assert len(sizes) < 100 * workers
    of_one_size = _ends([size] * (total // size) + [total % size], paces)
    assert max(ends) < max(of_one_size)
