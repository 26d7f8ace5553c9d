"""A run on disk: whole or not there, read back column by column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.synthetic_records import Tables, cell_fact, simulated_cell, tables, trial
from trialsim.errors import UsageError
from trialsim.oc import run_writer
from trialsim.oc.between_runs import compare_runs
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.document import summary_document
from trialsim.oc.run_folder import ParquetRecords, alpha_targets, characteristics_of, load_run, planned_looks
from trialsim.oc.run_writer import RunWriter

CELLS = [(design, truth) for design in ("fixed", "gs") for truth in ("none", "effect")]
POWER = {"none": 0.025, "effect": 0.8}


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
        writer.write_text("scenario.yaml", "name: example\ndesigns: {gs: {looks: [{}, {}, {}]}}\n")
        document = {
            "seed": seed,
            "digest": "0" * 64,
            "population_digest": "p",
            "rows": writer.rows,
        } | provenance
        writer.write_json("provenance.json", document)
        writer.write_json("summary.json", summary_document("example", "0" * 64, seed, found))
        return writer.finish()


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


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("summary.json", b"{"),
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
    with pytest.raises(UsageError, match="run it again"):
        load_run(folder)


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
    with pytest.raises(UsageError, match="damaged"):
        characteristics_of(load_run(folder))


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
        for name in ("provenance.json", "summary.json", "scenario.yaml"):
            writer.write_text(name, "{}")
        writer.finish()
    with pytest.raises(UsageError, match="no design in common"):
        compare_runs(first, load_run(tmp_path / "two"))
