"""Records that workers lay down in shared memory are taken from there as they were."""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from trialsim.engines import runner, shared_records
from trialsim.engines.records import Columns
from trialsim.engines.shared_records import Laid, SharedRecords
from trialsim.scenario.load import load_scenario

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")


def _tables(seed: int) -> dict[str, Columns]:
    """Return tables of all that records hold: numbers, flags, texts, columns without rows and parts of larger arrays."""
    draws = np.random.default_rng(seed)
    wide = draws.normal(size=(7, 3))
    return {
        "trials": {
            "replicate": np.arange(seed, seed + 7),
            "z": np.where(draws.random(7) < 0.3, np.nan, draws.normal(size=7)),
            "reject": draws.random(7) < 0.5,
            "part": wide[:, 1],
            "across": wide.T,
            "status": draws.integers(0, 3, 7).astype(np.int8),
        },
        "log": {"text": np.array([b"a", b"longer", b""] * 3)},
        "looks": {"look": np.zeros(0, dtype=np.int16)},
    }


def _same(found: dict[str, Columns], expected: dict[str, Columns]) -> None:
    assert {name: list(columns) for name, columns in found.items()} == {
        name: list(columns) for name, columns in expected.items()
    }
    for name, columns in expected.items():
        for column, values in columns.items():
            other = found[name][column]
            assert (other.dtype, other.shape) == (values.dtype, values.shape)
            assert np.array_equal(other, values, equal_nan=values.dtype.kind == "f")


def test_what_another_process_laid_down_is_taken_as_it_was_and_stays_when_its_place_is_used_again() -> None:
    shared = SharedRecords(3)
    context = multiprocessing.get_context("fork")
    told: Any = context.SimpleQueue()

    def lay(round_: int) -> None:
        for place in range(3):
            told.put(shared.lay(place, _tables(10 * round_ + place)))

    found = []
    for round_ in range(2):
        worker = context.Process(target=lay, args=(round_,))
        worker.start()
        laid = [told.get() for _ in range(3)]
        worker.join()
        assert all(isinstance(each, Laid) for each in laid)
        found += [(10 * round_ + place, shared.take(place, laid[place])) for place in (2, 0, 1)]
    for seed, tables in found:
        _same(tables, _tables(seed))
        assert tables["trials"]["z"].flags.writeable


def test_records_too_large_for_their_place_come_back_and_harm_no_other() -> None:
    shared = SharedRecords(2, place_bytes=4096)
    small = _tables(1)
    laid = shared.lay(1, small)
    assert isinstance(laid, Laid)
    large = {"trials": {"z": np.zeros(513)}}
    assert shared.lay(0, large) is large
    just = {"trials": {"z": np.ones(512)}}
    assert isinstance(shared.lay(0, just), Laid)
    _same(shared.take(1, laid), small)


def _shared_mappings() -> int:
    """Return how much memory this process shares that is no file."""
    return sum(
        " rw-s " in line and "/dev/zero" in line for line in Path("/proc/self/maps").read_text().splitlines()
    )


def test_memory_is_given_back_and_what_was_taken_stays() -> None:
    before = _shared_mappings()
    shared = SharedRecords(1)
    assert _shared_mappings() == before + 1
    laid = shared.lay(0, _tables(5))
    assert isinstance(laid, Laid)
    tables = shared.take(0, laid)
    shared.close()
    assert _shared_mappings() == before
    _same(tables, _tables(5))


@pytest.mark.parametrize("room", ["none", "little", "enough"])
def test_a_run_is_the_same_whether_its_records_find_room(
    root: Path, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_scenario(root / "scenarios" / "binary_sequential" / "binary_sequential.yaml")
    laid: list[bool] = []
    take = SharedRecords.take

    def told(self: SharedRecords, place: int, how: Laid) -> dict[str, Columns]:
        laid.append(True)
        return take(self, place, how)

    def none(*_: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(SharedRecords, "take", told)
    if room == "none":
        monkeypatch.setattr(shared_records, "SharedRecords", none)
    elif room == "little":
        monkeypatch.setattr(runner, "shared_records", lambda places: SharedRecords(places, place_bytes=9_000))

    def trials(workers: int) -> pa.Table:
        parts: list[dict[str, pa.Table]] = []
        runner.run(scenario, "group_sequential", "alternative", 1_000, 4, "fast", workers, parts.append)
        return [pa.concat_tables([part[name] for part in parts]).to_pandas() for name in ("trials", "looks")]

    before = _shared_mappings()
    for one, two in zip(trials(1), trials(2), strict=True):
        assert one.equals(two)
    assert _shared_mappings() == before
    there = len(laid)
    assert {"none": there == 0, "little": 0 < there < 32, "enough": there >= 32}[room]
