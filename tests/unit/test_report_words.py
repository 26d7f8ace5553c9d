"""What reports say of trials that came to no end at a look, failed, or applied other bounds than planned."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.synthetic_records import cell_fact, table_of, tables, trial
from tests.unit.test_followed_bounds import CALENDAR
from tests.unit.test_oc_adverse_events import steady
from trialsim.oc import run_writer
from trialsim.oc.bounds_by_look import bounds_by_look
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import records_of
from trialsim.oc.in_memory import collect
from trialsim.oc.run_folder import ParquetRecords
from trialsim.oc.run_writer import RunWriter
from trialsim.report.answer import type_one_error_sentences
from trialsim.report.applied_bounds import applied_bounds_table
from trialsim.report.cautions import horizon_sentences
from trialsim.report.failures import failure_sentences
from trialsim.report.legend import legend
from trialsim.report.lives_table import lives_table
from trialsim.report.page import page
from trialsim.report.tables import summary_tables
from trialsim.scenario.load import load_scenario, scenario_from

ROOT = Path(__file__).parents[2]
NEVER = {"stop_reason": "horizon", "stop_look": 0}


def test_trials_that_wait_in_vain_are_told_apart_by_the_looks_they_took() -> None:
    taken = [1, 1, 1, 0, 2, 2, 2, 2]
    ends = [NEVER, NEVER, {}, NEVER, {"stop_look": 2}, NEVER, {"stop_look": 2}, {"stop_look": 2}]
    rows = [trial(i, **end) for i, end in enumerate(ends)]
    looks = [
        {
            "design": "fixed",
            "truth": "effect",
            "replicate": i,
            "look": look,
            "hypothesis": "primary",
            "cut_time": 100.0 * look,
        }
        for i, last in enumerate(taken)
        for look in range(1, last + 1)
    ]
    found = operating_characteristics(replace(tables(rows, [cell_fact()]), looks=table_of(looks)))
    of = "of 8 trials of “fixed” under “effect”"
    assert horizon_sentences(found) == [
        f"In 1 {of} no look was reached before the horizon.",
        f"In 2 {of} look 1 was taken, but not look 2 before the horizon.",
        f"In 1 {of} look 2 was taken, but not look 3 before the horizon.",
    ]


def test_failures_are_counted_with_their_reasons_and_how_they_count() -> None:
    rows = [
        trial(0, {"primary": {"status": "no_events"}}, status="failed"),
        trial(1, {"primary": {"status": "no_events"}}, status="failed"),
        trial(2, {"primary": {"status": "empty_arm"}}, **NEVER),
        *(trial(i) for i in range(3, 9)),
    ]
    source = tables(rows, [cell_fact()])
    assert failure_sentences(records_of(source)) == [
        "In 3 of 9 trials of “fixed” under “effect” an analysis failed (“primary”: no events in the compared arms, in 2; "
        "one of the compared arms has no data, in 1). Of these 2 ended at a look: they are the ending “failed”, and are "
        "left out of means; the others ended at no look, fail in the probabilities of rejecting alone, and are in the "
        "means."
    ]
    found = operating_characteristics(source)
    (table,) = summary_tables(found)
    assert table.rows[0][-1] == ("3 of 9",) and "whether or not the trial ended" in " ".join(
        legend(found, [table])
    )
    (ending,) = found.select("stop", reason="failed")
    assert round(ending.value * 9) == 2 and found.select("enrolled")[0].n == 7
    every = tables(
        [trial(i, {"primary": {"status": "no_events"}}, status="failed") for i in range(3)], [cell_fact()]
    )
    (said,) = failure_sentences(records_of(every))
    assert "In 3 of 3" in said and "no events in the compared arms" in said and "They ended at a look" in said
    assert failure_sentences(records_of(tables([trial(0)], [cell_fact()]))) == []


def test_numbers_of_a_trial_leave_out_failed_replicates() -> None:
    design = next(iter(scenario_from(steady()).designs))
    collected = collect(scenario_from(steady()), [design], ["here"], 12, 1)
    whole = collected.trials
    flags = ["failed" if i < 5 else "ok" for i in whole["replicate"].to_pylist()]
    place = whole.column_names.index("status")
    marked = whole.set_column(place, "status", pa.array(flags).dictionary_encode())
    table = lives_table(records_of(replace(collected, trials=marked)))
    assert table is not None
    arms = collected.arms.to_pandas()
    chosen = [name for name in arms.columns if name.startswith("adverse_events:")]
    own = arms[chosen].sum(axis=1).groupby(arms["replicate"]).sum()
    told = dict(zip(table.headings, table.rows[0], strict=True))["adverse events"][0].split(" (")[0]
    digits = len(told.partition(".")[2])
    assert float(told) == pytest.approx(own[5:].mean(), abs=0.51 * 10**-digits)
    assert abs(own[5:].mean() - own.mean()) > 0.51 * 10**-digits


def test_the_type_one_error_highest_over_its_own_target_is_told_first() -> None:
    rows = [
        trial(i, {"a": {"reject": i < 6}, "b": {"reject": i < 17}, "c": {"reject": i < 14}})
        for i in range(400)
    ]
    found = operating_characteristics(tables(rows, [cell_fact(name, null=True) for name in "abc"]))
    targets = {("fixed", "a"): 0.0125, ("fixed", "b"): 0.025, ("fixed", "c"): 0.05}
    first, more = type_one_error_sentences(found, targets)
    assert first.startswith("Type I error of “b” in “fixed” under “effect”: 0.0425")
    assert more == (
        "That is the highest over its target of 3; the estimate of 1 more is above the target too, within Monte Carlo "
        "error: see the report."
    )


def test_bounds_that_followed_the_information_are_shown_as_applied() -> None:
    scenario = scenario_from(CALENDAR)
    collected = collect(scenario, ["sequential"], ["effect"], 40, 1)
    table = applied_bounds_table(scenario.dump(), records_of(collected))
    assert table is not None and table.rows
    looks = collected.looks.to_pandas()
    planned = {row["look"]: row["efficacy_z"] for row in bounds_by_look(scenario.dump(), ["sequential"])}
    for row in table.rows:
        told = dict(zip(table.headings, row, strict=True))
        own = looks[looks["look"] == int(told["look"][0])]["efficacy_z"]
        assert told["trials"] == (f"{len(own)}",)
        mean, band = told["rejected from z"]
        assert float(mean) == pytest.approx(own.mean(), abs=6e-4)
        low, high = (float(part) for part in band.split(" to "))
        assert (low, high) == pytest.approx(tuple(np.quantile(own, (0.1, 0.9))), abs=6e-4)
        assert abs(own - planned[int(told["look"][0])]).max() > 1e-6
    text = page(scenario.dump(), {}, operating_characteristics(collected), records_of(collected), {})
    assert "Bounds by look, as planned" in text and "Bounds by look, as applied" in text


def test_applied_bounds_are_found_in_whatever_part_of_the_records_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_writer, "ROWS_PER_GROUP", 16)
    scenario = scenario_from(CALENDAR)
    plan = bounds_by_look(scenario.dump(), ["sequential"])
    collected = collect(scenario, ["sequential"], ["effect"], 40, 1)
    other = len(collected.looks) - 1
    last = collected.looks["look"][other].as_py()
    planned = {row["look"]: (row["efficacy_z"], row["futility_z"]) for row in plan}
    looks = collected.looks
    for place, name in enumerate(("efficacy_z", "futility_z")):
        values = [planned[look][place] for look in looks["look"].to_pylist()]
        values = [-math.inf if value is None else value for value in values]
        if name == "efficacy_z":
            values[other] += 0.5
        looks = looks.set_column(looks.column_names.index(name), name, pa.array(values))
    with RunWriter(tmp_path / "run") as writer:
        writer.write_chunk({"trials": collected.trials, "looks": looks, "arms": collected.arms})
        table = applied_bounds_table(scenario.dump(), ParquetRecords(writer.close_tables(collected.cells)))
    assert table is not None
    assert [row[3] for row in table.rows] == [(str(last),)]


def test_bounds_that_stayed_as_planned_are_shown_once() -> None:
    scenario = load_scenario(ROOT / "scenarios" / "binary_sequential" / "binary_sequential.yaml")
    truth = next(iter(scenario.truths))
    records = records_of(collect(scenario, ["group_sequential"], [truth], 20, 1))
    assert applied_bounds_table(scenario.dump(), records) is None


def test_one_trial_that_applied_another_bound_is_found_wherever_it_stands() -> None:
    scenario = load_scenario(ROOT / "scenarios" / "nph_oncology" / "nph_oncology.yaml")
    collected = collect(scenario, ["group_sequential"], ["proportional"], 8, 1)
    looks = collected.looks.to_pandas()
    assert len(looks) > 12
    for row in range(len(looks)):
        changed = looks.copy()
        changed.loc[row, "efficacy_z"] += 0.125
        table = applied_bounds_table(scenario.dump(), records_of(replace(collected, looks=changed)))
        assert table is not None
        (only,) = table.rows
        assert dict(zip(table.headings, only, strict=True))["look"] == (str(looks["look"][row]),)


def test_months_are_said_to_run_to_the_horizon_where_trials_ended_there() -> None:
    def about_months(rows: list[dict[str, Any]]) -> str:
        found = operating_characteristics(tables(rows, [cell_fact()]))
        (line,) = [line for line in legend(found, summary_tables(found)) if line.startswith("Months: ")]
        return line.removesuffix(".").partition(";")[0]

    decided = "Months: from the start of accrual to the data lock of the deciding analysis"
    assert about_months([trial(0), trial(1)]) == decided
    assert (
        about_months([trial(0), trial(1, **NEVER)]) == f"{decided}, or to the horizon where no look decided"
    )
    assert (
        about_months([trial(0, **NEVER), trial(1, **NEVER)])
        == f"{decided}, or to the horizon where no look decided"
    )
