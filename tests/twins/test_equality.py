"""Neither the size of chunks, nor the number of workers, nor the order of replicates, nor the engine changes a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.costly import without_sites
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import run, start_engine
from trialsim.scenario.load import load_scenario, patient_table, scenario_from

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ["binary_sequential", "nph_oncology", "actg175"]
REPLICATES = 20


def path_of(name: str) -> Path:
    return ROOT / "scenarios" / name / f"{name}.yaml"


def records(name: str, replicates: int = REPLICATES, **how: Any) -> dict[str, pa.Table]:
    """Return all records of a run of two truths."""
    scenario = load_scenario(path_of(name))
    parts: dict[str, list[pa.Table]] = {}

    def keep(tables: dict[str, pa.Table]) -> None:
        for table, rows in tables.items():
            parts.setdefault(table, []).append(rows)

    options = {"seed": 5, "engine": "fast", "workers": 1} | how
    cells = run(scenario, None, list(scenario.truths)[:2], replicates, sink=keep, **options)
    return {table: pa.concat_tables(rows).combine_chunks() for table, rows in parts.items()} | {
        "cells": cells
    }


def same(one: dict[str, pa.Table], other: dict[str, pa.Table]) -> None:
    assert one.keys() == other.keys()
    for table, rows in one.items():
        left, right = rows.to_pandas(), other[table].to_pandas()
        assert list(left.columns) == list(right.columns)
        assert len(left) == len(right) > 0
        for column in left.columns:
            a, b = left[column].to_numpy(), right[column].to_numpy()
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), (table, column)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_size_of_chunks(name: str) -> None:
    whole = records(name, chunk=512)
    same(whole, records(name, chunk=7))
    same(whole, records(name, chunk=1))
    same(whole, records(name))


@pytest.mark.parametrize(
    "name", ["binary_sequential", "nph_oncology", pytest.param("actg175", marks=pytest.mark.slow)]
)
def test_the_number_of_workers(name: str) -> None:
    same(records(name, workers=1), records(name, workers=2))


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_replicates(name: str) -> None:
    more, fewer = records(name, 20), records(name, 9)
    for table in ("trials", "looks", "arms"):
        frame = more[table].to_pandas()
        first = frame[frame["replicate"] < 9].reset_index(drop=True)
        assert first.equals(fewer[table].to_pandas().reset_index(drop=True)), table


@pytest.mark.parametrize(
    "name",
    [
        "binary_sequential",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("nph_oncology", "actg175")),
    ],
)
def test_the_engine(name: str) -> None:
    few = 1 if name == "actg175" else 12
    same(records(name, few), records(name, few, engine="reference"))


def test_the_engine_with_two_workers() -> None:
    same(records("binary_sequential", 6), records("binary_sequential", 6, engine="reference", workers=2))


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_replicates(name: str) -> None:
    scenario = load_scenario(path_of(name))
    for design in scenario.designs:
        plan = build_plan(scenario, design, next(iter(scenario.truths)), 5, 1, patient_table(scenario))
        order = np.random.default_rng(1).permutation(12)
        straight = columns_of(conduct(start_engine(plan, "fast").start(np.arange(12))))
        turned = columns_of(conduct(start_engine(plan, "fast").start(order)))
        for table, columns in straight.items():
            place = np.concatenate([np.flatnonzero(turned[table]["replicate"] == r) for r in range(12)])
            for column, values in columns.items():
                real = values.dtype.kind == "f"
                assert np.array_equal(values, turned[table][column][place], equal_nan=real), (
                    design,
                    table,
                    column,
                )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_other_trials(name: str) -> None:
    one, other = (records(name, 4, seed=seed)["trials"].to_pandas() for seed in (5, 6))
    first = next(column for column in one.columns if column.startswith("estimate:"))
    assert not np.array_equal(one[first].to_numpy(), other[first].to_numpy(), equal_nan=True)


def test_trials_to_which_nobody_comes() -> None:
    tree = without_sites(accrual={"sites": {"only": {"rate": "2 per day", "never_opens": 0.5}}})
    plan = build_plan(scenario_from(tree), "fixed", "world", 1)
    whole = columns_of(conduct(start_engine(plan, "fast").start(np.arange(12))))["trials"]
    assert set(whole["enrolled"]) == {0, 30}
    for engine in ("fast", "reference"):
        for replicate in range(12):
            single = columns_of(conduct(start_engine(plan, engine).start(np.array([replicate]))))["trials"]
            assert single["enrolled"][0] == whole["enrolled"][replicate]
            assert single["cost"][0] == whole["cost"][replicate]
