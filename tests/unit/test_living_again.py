"""Patients about whom something is done live again among themselves as they would among all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.twins.lives import SCENARIOS
from trialsim.contracts import NOTHING
from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastChunk
from trialsim.engines.fast_again import LifeArrays, live
from trialsim.engines.runner import chunk_of
from trialsim.scenario.load import scenario_from

TREE = SCENARIOS["monitored"][0]


def lived(chunk: FastChunk) -> LifeArrays:
    """Return what has become of the patients of a chunk."""
    assert chunk.lives is not None
    return chunk.lives._arrays(chunk)


@pytest.mark.parametrize("design", list(TREE["designs"])[:2])
def test_lives_are_those_of_all_orders_given_from_the_start(design: str) -> None:
    chunk: Any = conduct(chunk_of(scenario_from(TREE), design, "here", list(range(20)), 1, "fast")).chunk
    found = lived(chunk)
    assert np.count_nonzero(found.orders != NOTHING) > 100
    size, n = found.left.shape
    room = {name: np.full_like(getattr(found, name), -1) for name in LifeArrays._fields[13:23]}
    journal = {
        name: np.zeros((size, 2 * found.ticks.shape[1]), dtype=np.int64) for name in ("ticks", "codes")
    }
    anew = found._replace(
        **room,
        **journal,
        outcomes=chunk.lives._as_drawn.copy(),
        offsets=np.zeros((size, n + 1), dtype=np.int64),
        full=np.zeros(size, dtype=np.bool_),
    )
    live(chunk.plan.seed, chunk.replicates, np.arange(size), np.zeros(size, dtype=np.int64), anew)
    for name in (*room, "outcomes", "offsets"):
        np.testing.assert_array_equal(getattr(found, name), getattr(anew, name), err_msg=name)
    for row, rows in enumerate(found.offsets[:, -1]):
        for name in ("ticks", "codes"):
            np.testing.assert_array_equal(
                getattr(found, name)[row, :rows], getattr(anew, name)[row, :rows], err_msg=name
            )
