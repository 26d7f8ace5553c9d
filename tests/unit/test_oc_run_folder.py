"""A run on disk: whole or not there, read back column by column."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.synthetic_records import Tables, cell_fact, simulated_cell, tables, trial
from trialsim.errors import UsageError
from trialsim.oc import run_writer
from trialsim.oc.between_runs import compare_runs
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import Cell, numbers_of
from trialsim.oc.document import summary_document
from trialsim.oc.run_folder import ParquetRecords, alpha_targets, characteristics_of, load_run, planned_looks
from trialsim.oc.run_writer import RunWriter, TableWriter
from trialsim.scenario.load import scenario_from_text
from trialsim.scenario.writing import save_scenario

CELLS = [(design, truth) for design in ("fixed", "gs") for truth in ("none", "effect")]
POWER = {"none": 0.025, "effect": 0.8}


DESIGN = "n: 60, allocation: alternating, tests: {primary: {alpha: 0.025}}"
LOOKS = "[{when: {readouts: 20}}, {when: {readouts: 40}}, {when: {readouts: 60}}]"
SCENARIO = scenario_from_text(f"""
name: example
accrual: {{evenly_spaced: {{over: 12 months}}}}
arms: [control, treatment]
endpoints:
  response: {{kind: binary, readout: 4 weeks, rate: 0.3, effect: {{treatment: 0.6}}, effect_measure: rate}}
hypotheses:
  primary: {{endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}}
truths: {{effect: {{}}, none: {{endpoints.response.effect.treatment: 0.3}}}}
designs:
  fixed: {{kind: fixed, looks: [{{when: {{readouts: 60}}}}], {DESIGN}}}
  gs: {{kind: group_sequential, looks: {LOOKS}, bounds: {{efficacy_z: [3.7, 2.5, 1.99]}}, {DESIGN}}}
""")


def facts() -> pa.Table:
    return pa.Table.from_pylist(
        [
            cell_fact(
                design=design, truth=truth, null=truth == "none", true_value=0.0 if truth == "none" else -0.3
            )
            for design, truth in CELLS
        ]
    )


def blocks(n: int, size: int, seed: int = 1) -> list[dict[str, pa.Table]]:
    return [
        simulated_cell(design, truth, min(size, n - first), seed=seed, power=POWER[truth], first=first)
        for design, truth in CELLS
        for first in range(0, n, size)
    ]


def write_run(folder: Path, *, n: int = 200, seed: int = 1, **provenance: Any) -> Path:
    with RunWriter(folder) as writer:
        for block in blocks(n, 64, seed):
            writer.write_chunk(block)
        found = operating_characteristics(ParquetRecords(writer.close_tables(facts())))
        save_scenario(SCENARIO, writer.partial)
        writer.write_json("provenance.json", provenance_of(writer, n, seed) | provenance)
        writer.write_json("summary.json", summary_document("example", "0" * 64, seed, found, SCENARIO.dump()))
        return writer.finish()


def provenance_of(writer: RunWriter, n: int, seed: int) -> dict[str, Any]:
    return {
        "scenario": "example",
        "digest": SCENARIO.digest(),
        "population_digest": "p",
        "seed": seed,
        "replicates": n,
        "designs": ["fixed", "gs"],
        "truths": ["effect", "none"],
        "finished_by": [],
        "engine": "fast",
        "rows": writer.rows,
        "columns": writer.columns,
    }


def test_what_is_written_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_writer, "ROWS_PER_GROUP", 100)
    run = load_run(write_run(tmp_path / "run"))
    assert run.records.cells() == tuple(CELLS)
    assert run.records.n_rows("trials") == 800
    assert run.records.n_rows("arms") == 1600
    written = blocks(200, 64)
    whole = Tables(
        *(pa.concat_tables([block[name] for block in written]) for name in ("trials", "arms")), facts()
    )
    from_memory, from_disk = operating_characteristics(whole), operating_characteristics(run.records)
    assert from_disk.rows == from_memory.rows
    assert from_disk.differences == from_memory.differences
    for name in ("trials", "arms", "looks"):
        on_disk = pq.read_table(run.folder / f"{name}.parquet").to_pylist()
        assert on_disk == pa.concat_tables([block[name] for block in written]).to_pylist()


def pieces(block: dict[str, pa.Table], size: int) -> list[dict[str, pa.Table]]:
    """Cut a block into blocks of `size` trials."""
    n = block["trials"].num_rows
    per_trial = {name: table.num_rows // n for name, table in block.items()}
    return [
        {name: table.slice(first * per_trial[name], size * per_trial[name]) for name, table in block.items()}
        for first in range(0, n, size)
    ]


@pytest.mark.parametrize("threads", [2, 5])
def test_what_is_computed_at_the_same_time_is_the_same_in_the_same_order(
    tmp_path: Path, threads: int
) -> None:
    records = load_run(write_run(tmp_path / "run", n=500)).records
    one, several = (
        operating_characteristics(records, finished_by=(300.0,), planned_looks={"gs": 3}, threads=number)
        for number in (1, threads)
    )
    assert len(one.rows) > 100
    assert several == one


def test_what_fails_in_a_thread_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = load_run(write_run(tmp_path / "run")).records
    read = ParquetRecords.numbers

    def damaged(self: ParquetRecords, table: Any, column: str, *which: Any) -> Any:
        if (table, column) == ("arms", "enrolled"):
            raise UsageError("arms: damaged")
        return read(self, table, column, *which)

    monkeypatch.setattr(ParquetRecords, "numbers", damaged)
    with pytest.raises(UsageError, match="arms: damaged"):
        operating_characteristics(records, threads=2)


def test_block_size_changes_no_byte_of_the_results(tmp_path: Path) -> None:
    for size in (7, 200):
        with RunWriter(tmp_path / str(size)) as writer:
            for block in blocks(200, 200):
                for piece in pieces(block, size):
                    writer.write_chunk(piece)
            writer.close_tables(facts())
            writer.finish()
    for table in ("trials", "arms", "looks", "cells"):
        small, large = (tmp_path / size / f"{table}.parquet" for size in ("7", "200"))
        assert small.read_bytes() == large.read_bytes()


@pytest.mark.parametrize(
    ("table", "delta"), [("trials", ["replicate"]), ("sites", ["replicate", "events", "visits"])]
)
def test_numbers_that_repeat_are_compressed_and_none_is_changed(
    tmp_path: Path, table: str, delta: list[str]
) -> None:
    """Dates and counts that few trials differ in are; what each trial has for itself is written as it is."""
    rng, n = np.random.default_rng(3), 5000
    columns = {
        "cut_time": np.where(np.arange(n) % 3 == 2, 40.5, np.nan),
        "look": (1 + np.arange(n) // 3 % 2).astype(np.int16),
        "enrolled": np.full(n, 120, dtype=np.int32),
        "replicate": np.arange(n),
        "events": rng.integers(0, 2**20, n).astype(np.int32),
        "visits": rng.integers(-128, 128, n).astype(np.int8),
        "z": rng.normal(size=n),
    }
    names = pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int8), ["one"])
    given = pa.table({"design": names, "truth": names} | columns)
    path = tmp_path / f"{table}.parquet"
    writer = TableWriter(path, given.schema)
    for first in range(0, n, 1700):
        writer.write(given.slice(first, 1700))
    writer.close()
    group = pq.read_metadata(path).row_group(0)
    written = [group.column(k) for k in range(group.num_columns)]
    assert {c.path_in_schema for c in written if c.compression != "UNCOMPRESSED"} == {
        "cut_time", "look", "enrolled",
    }  # fmt: skip
    assert [c.path_in_schema for c in written if "DELTA_BINARY_PACKED" in c.encodings] == delta
    found = pq.read_table(path)
    for name, values in columns.items():
        assert found[name].type == given[name].type
        assert found[name].to_numpy().tobytes() == values.tobytes()


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_every_so_many_rows_are_those_of_the_whole_column(step: int) -> None:
    column = pa.chunked_array([np.arange(0, 5), np.arange(5, 5), np.arange(5, 6), np.arange(6, 19)])
    assert numbers_of(column, step).tolist() == list(range(0, 19, step))


@pytest.mark.parametrize("step", [2, 3, 7])
def test_every_so_many_rows_are_read_a_row_group_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(run_writer, "ROWS_PER_GROUP", 50)
    records = load_run(write_run(tmp_path / "run")).records
    for cell in records.cells():
        whole = records.numbers("arms", "replicate", cell)
        assert len(whole) == 400
        assert np.array_equal(records.numbers("arms", "replicate", cell, step), whole[::step])
    assert records.numbers("arms", "replicate", Cell("none", "such"), step).size == 0


def test_parts_of_a_table_follow_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_writer, "ROWS_PER_GROUP", 50)
    records = load_run(write_run(tmp_path / "run")).records
    cell = records.cells()[1]
    parts = list(records.parts("arms", ("arm", "enrolled"), cell))
    assert [part.num_rows for part in parts] == [50] * 8
    assert all(part.column_names == ["arm", "enrolled"] for part in parts)
    enrolled = np.concatenate([numbers_of(part["enrolled"]) for part in parts])
    assert np.array_equal(enrolled, records.numbers("arms", "enrolled", cell))


def test_a_block_of_several_cells_and_plain_strings_is_taken_apart(tmp_path: Path) -> None:
    rows = [trial(i, truth=truth) for truth in ("x", "y") for i in range(3)]
    source = tables(rows, [cell_fact(truth="x"), cell_fact(truth="y")])
    plain = pa.Table.from_pylist(source.trials.to_pylist())
    assert plain.schema.field("truth").type == pa.string()
    with RunWriter(tmp_path / "run") as writer:
        writer.write_chunk({"trials": plain, "arms": source.arms})
        records = ParquetRecords(writer.close_tables(source.cells))
        assert records.cells() == (("fixed", "x"), ("fixed", "y"))
        assert records.numbers("trials", "replicate", records.cells()[1]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, SystemExit])
def test_an_interrupt_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def begin() -> None:
        with RunWriter(tmp_path / "deep" / "run") as writer:
            writer.write_chunk(blocks(10, 10)[0])
            assert writer.partial.is_dir()
            raise error

    with pytest.raises(error):
        begin()
    assert list(tmp_path.rglob("*run*")) == []


def test_blocks_with_other_columns_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    first = blocks(10, 10)[0]

    def write() -> None:
        with RunWriter(tmp_path / "run") as writer:
            writer.write_chunk(first)
            writer.write_chunk({"trials": first["trials"].drop_columns(["events"])})
            writer.close_tables(facts())

    with pytest.raises(ValueError, match="differ from those of the first block"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    with pytest.raises(UsageError, match=r"already holds a run .* --out, or read it with"):
        RunWriter(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        RunWriter(tmp_path / "other")
    with pytest.raises(UsageError, match="is a file"):
        RunWriter(tmp_path / "other" / "notes.txt")


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert load_run(write_run(tmp_path / "run")).records.cells()


def test_a_folder_that_fills_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run") as writer:
        writer.write_text("summary.json", "{}")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "summary.json").write_text("theirs")
        with pytest.raises(UsageError, match="never overwritten"):
            writer.finish()
    assert (tmp_path / "run" / "summary.json").read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_number_that_is_not_finite_is_never_written(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run") as writer, pytest.raises(ValueError, match="not JSON compliant"):
        writer.write_json("summary.json", {"value": float("nan")})


def test_a_folder_that_is_no_finished_run_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such run folder"):
        load_run(tmp_path / "missing")
    (tmp_path / "run.partial-7").mkdir()
    with pytest.raises(UsageError, match="never finished"):
        load_run(tmp_path / "run.partial-7")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"not a finished run, scenario\.yaml, provenance\.json"):
        load_run(tmp_path / "empty")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("summary.json", b"{"),
        ("summary.json", b"[" * 100_000),
        ("scenario.yaml", b"[" * 20_000),
        ("provenance.json", b"[]"),
        ("provenance.json", b"\xff\xfe"),
        ("scenario.yaml", b"a: [1"),
        ("trials.parquet", b"PAR1"),
        ("cells.parquet", b""),
        ("arms.parquet", b"not a parquet file at all"),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, name: str, damage: bytes) -> None:
    folder = write_run(tmp_path / "run", n=10)
    (folder / name).write_bytes(damage)
    with pytest.raises(UsageError, match=rf"{re.escape(name)}\b.*run it again"):
        load_run(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("finished_by", 5),
        ("finished_by", ["18 months"]),
        ("rows", []),
        ("rows", {"trials": "40"}),
        ("designs", "fixed"),
        ("seed", True),
        ("digest", 7),
        ("population_digest", None),
    ],
)
def test_a_provenance_that_no_run_wrote_is_a_sentence(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"damaged, {key} is not what a run writes there"):
        load_run(write_run(tmp_path / "run", n=10, **{key: value}))
    folder = write_run(tmp_path / "other", n=10)
    provenance = json.loads((folder / "provenance.json").read_text())
    del provenance[key]
    (folder / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(UsageError, match=f"damaged, {key} is missing"):
        load_run(folder)


def test_a_scenario_that_was_changed_after_the_run_is_noticed(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", n=10)
    path = folder / "scenario.yaml"
    path.write_text(path.read_text().replace("0.025", "0.05"))
    with pytest.raises(UsageError, match="is not the scenario that was run"):
        load_run(folder)
    path.write_text("name: example\n")
    with pytest.raises(UsageError, match="it is no scenario any more"):
        load_run(folder)


@pytest.mark.parametrize(
    ("table", "column"),
    [("cells", "null"), ("looks", "look"), ("arms", "dropped_look"), ("trials", "lock_time")],
)
def test_a_table_that_lacks_a_column_is_noticed(tmp_path: Path, table: str, column: str) -> None:
    path = write_run(tmp_path / "run", n=10) / f"{table}.parquet"
    whole = pq.ParquetFile(path).read()
    path.unlink()
    pq.write_table(whole.drop_columns([column]), path)
    with pytest.raises(UsageError, match=f"{table}.parquet: damaged, the column {column} is missing"):
        load_run(path.parent)


def test_missing_effects_and_tables_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"effects\.parquet is missing"):
        load_run(write_run(tmp_path / "run", n=10, effects=4))
    folder = write_run(tmp_path / "other", n=10)
    (folder / "looks.parquet").unlink()
    with pytest.raises(UsageError, match=r"looks\.parquet does not hold the rows"):
        load_run(folder)


def test_a_place_that_is_a_link_or_a_mount_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "mount").mkdir()
    renamed = Path.rename

    def busy(path: Path, target: Path) -> Path:
        if target == tmp_path / "mount":
            raise OSError(16, "Device or resource busy")
        return renamed(path, target)

    monkeypatch.setattr(Path, "rename", busy)
    for name in ("link", "dangling", "mount"):
        assert load_run(write_run(tmp_path / name, n=10)).records.cells()
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "link", "dangling", "nowhere", "mount"}


def test_a_name_that_no_finished_run_can_have_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="those of unfinished runs"):
        RunWriter(tmp_path / "run.partial-7")
    with pytest.raises(UsageError, match="the name is not UTF-8"):
        RunWriter(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UsageError, match="link in a circle"):
        RunWriter(tmp_path / "circle")


def test_truncated_records_and_missing_rows_are_noticed(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", n=10)
    whole = (folder / "trials.parquet").read_bytes()
    (folder / "trials.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="damaged"):
        load_run(folder)
    (folder / "trials.parquet").write_bytes(whole)
    provenance = json.loads((folder / "provenance.json").read_text())
    provenance["rows"]["trials"] += 1
    (folder / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(UsageError, match="does not hold the rows"):
        load_run(folder)


def test_records_without_a_needed_column_are_damaged(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", n=10)
    table = pq.read_table(folder / "trials.parquet")
    with pq.ParquetWriter(folder / "trials.parquet", table.drop_columns(["status"]).schema) as writer:
        for place in range(4):
            writer.write_table(table.drop_columns(["status"]).slice(10 * place, 10))
    with pytest.raises(UsageError, match="damaged, the column status is missing"):
        load_run(folder)


def test_what_the_scenario_says_of_looks_and_levels() -> None:
    scenario = {
        "designs": {"a": {"looks": [1, 2], "tests": {"h": {"alpha": 0.02}}}, "b": {"looks": 3}, "c": None}
    }
    assert planned_looks(scenario) == {"a": 2}
    assert alpha_targets(scenario) == {("a", "h"): 0.02}
    assert planned_looks({}) == {}


def test_runs_with_other_seeds_are_compared_as_independent(tmp_path: Path) -> None:
    first = load_run(write_run(tmp_path / "one", seed=1))
    second = load_run(write_run(tmp_path / "two", seed=2))
    found = compare_runs(first, second)
    assert not found.paired
    assert "seeds differ" in found.why
    row = next(row for row in found.rows if (row.design, row.truth, row.name) == ("gs", "effect", "duration"))
    before, after = (
        characteristics_of(run).select("duration", design="gs", truth="effect")[0] for run in (first, second)
    )
    assert row.value == after.value - before.value
    assert before.mcse is not None
    assert after.mcse is not None
    assert row.mcse == pytest.approx((before.mcse**2 + after.mcse**2) ** 0.5)


def test_runs_of_the_same_patients_are_paired(tmp_path: Path) -> None:
    first = load_run(write_run(tmp_path / "one"))
    second = load_run(write_run(tmp_path / "two"))
    found = compare_runs(first, second)
    assert found.paired
    assert {row.value for row in found.rows} == {0}
    assert {row.n_first for row in found.rows} == {200}
    other = load_run(write_run(tmp_path / "three", population_digest="q"))
    assert not compare_runs(first, other).paired


def test_runs_without_anything_in_common_are_refused(tmp_path: Path) -> None:
    first = load_run(write_run(tmp_path / "one", n=10))
    with RunWriter(tmp_path / "two") as writer:
        writer.write_chunk(simulated_cell("another", "effect", 10, seed=1, power=0.5))
        writer.close_tables(pa.Table.from_pylist([cell_fact(design="another")]))
        save_scenario(SCENARIO, writer.partial)
        writer.write_json("provenance.json", provenance_of(writer, 10, 1))
        writer.write_text("summary.json", "{}")
        writer.finish()
    with pytest.raises(UsageError, match="no design in common"):
        compare_runs(first, load_run(tmp_path / "two"))
