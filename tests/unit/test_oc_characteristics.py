"""Every measure against records small enough to count by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from tests.unit.synthetic_records import Tables, cell_fact, simulated_cell, table_of, tables, trial
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.measures import MEASURE_KEYS, Measure, definition, definitions

REJECT = {"primary": {"reject": True}}
FAILED = {"primary": {"reject": True, "estimate": math.nan, "se": math.nan, "status": "no_events"}}


def one(found: OperatingCharacteristics, name: str, **keys: Any) -> Measure:
    defaults: dict[str, Any] = {"look": None, "reason": None}
    rows = found.select(name, **{**defaults, **keys})
    assert len(rows) == 1, rows
    return rows[0]


def with_failures(null: bool) -> OperatingCharacteristics:
    rows = [trial(0, REJECT), trial(1), trial(2), trial(3, REJECT, status="failed", enrolled=7)]
    return operating_characteristics(tables(rows, [cell_fact(null=null)]))


def test_a_failed_replicate_does_not_reject_under_an_alternative() -> None:
    found = with_failures(null=False)
    for name in ("reject", "reject_any", "power_disjunctive", "power_conjunctive"):
        row = one(found, name)
        assert (row.value, row.n, row.n_failed) == (0.25, 4, 1)
    assert not found.select("familywise_error")
    assert [row.value for row in found.select("reject_by_look")] == [0.25]


def test_a_failed_replicate_rejects_under_a_null() -> None:
    found = with_failures(null=True)
    for name in ("reject", "reject_any", "familywise_error"):
        row = one(found, name)
        assert (row.value, row.n, row.n_failed) == (0.5, 4, 1)
    assert not found.select("power_disjunctive")
    assert not found.select("power_conjunctive")
    assert [row.value for row in found.select("reject_by_look")] == [0.5]


def test_a_failed_analysis_counts_for_its_hypothesis_alone() -> None:
    rows = [
        trial(0, {"a": {"reject": True}, "b": {"reject": True}}),
        trial(1, {"a": {"reject": True, "status": "no_variance"}, "b": {"reject": True}}),
        trial(2, {"a": {"reject": False, "status": "no_variance"}, "b": {}}),
        trial(3, {"a": {}, "b": {}}),
    ]
    found = operating_characteristics(tables(rows, [cell_fact("a"), cell_fact("b", null=True)]))
    assert (one(found, "reject", hypothesis="a").value, one(found, "reject", hypothesis="a").n_failed) == (
        0.25,
        2,
    )
    assert (one(found, "reject", hypothesis="b").value, one(found, "reject", hypothesis="b").n_failed) == (
        0.5,
        0,
    )
    assert one(found, "power_disjunctive").value == 0.25
    assert one(found, "familywise_error").value == 0.5


def test_a_failed_replicate_counts_by_each_null_of_its_own() -> None:
    rows = [trial(0, {"a": {}, "b": {}}, status="failed"), trial(1, {"a": {}, "b": {}})]
    found = operating_characteristics(tables(rows, [cell_fact("a"), cell_fact("b", null=True)]))
    assert one(found, "reject", hypothesis="a").value == 0
    assert one(found, "reject", hypothesis="b").value == 0.5
    assert one(found, "power_disjunctive").value == 0
    assert one(found, "reject_any").value == 0.5


def test_ending_without_an_analysis_is_no_failure() -> None:
    never = {"primary": {"status": "not_analysed", "estimate": math.nan, "se": math.nan}}
    rows = [trial(0, never, stop_reason="horizon", stop_look=0), trial(1, REJECT)]
    found = operating_characteristics(tables(rows, [cell_fact(null=True)]))
    assert (one(found, "reject").value, one(found, "reject").n_failed) == (0.5, 0)
    assert (one(found, "estimate").n, one(found, "estimate").n_failed) == (1, 0)
    assert (one(found, "coverage").value, one(found, "coverage").n) == (1.0, 1)
    assert (one(found, "not_analysed").value, one(found, "not_analysed").n) == (0.5, 2)


def test_failures_are_not_covered_and_what_was_never_analysed_has_no_coverage() -> None:
    never = {"primary": {"status": "not_analysed", "estimate": math.nan, "se": math.nan}}
    rows = [trial(i, FAILED, status="failed") for i in range(3)] + [trial(3, never, stop_look=0)]
    found = operating_characteristics(tables(rows, [cell_fact()]))
    coverage = one(found, "coverage")
    assert (coverage.value, coverage.n, coverage.n_failed) == (0.0, 3, 3)
    assert one(found, "not_analysed").value == 0.25
    none = operating_characteristics(tables([trial(i, never, stop_look=0) for i in range(3)], [cell_fact()]))
    assert not any(none.select(name) for name in ("coverage", "estimate", "bias", "rmse"))
    assert (one(none, "not_analysed").value, one(none, "reject").value) == (1.0, 0.0)
    assert not found.select("no_result")


def test_joint_powers_of_two_false_nulls() -> None:
    patterns = [(True, True), (True, False), (False, True), (False, False)]
    rows = [trial(i, {"a": {"reject": a}, "b": {"reject": b}}) for i, (a, b) in enumerate(patterns)]
    found = operating_characteristics(tables(rows, [cell_fact("a"), cell_fact("b")]))
    assert one(found, "power_disjunctive").value == 0.75
    assert one(found, "power_conjunctive").value == 0.25
    assert one(found, "reject_any").value == 0.75


def test_a_hypothesis_that_a_design_does_not_test_is_not_reported() -> None:
    rows = [trial(0, {"a": {"reject": True}, "b": {"status": ""}})]
    found = operating_characteristics(tables(rows, [cell_fact("a"), cell_fact("b")]))
    assert {row.hypothesis for row in found.rows} == {"a", None}


def test_sizes_and_times_leave_failures_out() -> None:
    found = with_failures(null=False)
    row = one(found, "enrolled")
    assert (row.value, row.mcse, row.n, row.n_failed, row.unit) == (100, 0, 3, 1, "patients")
    assert one(found, "duration").unit == "days"


@pytest.mark.parametrize(
    ("name", "column"),
    [("enrolled", "enrolled"), ("duration", "lock_time"), ("last_visit_time", "last_visit_time")],
)
def test_means_and_percentiles_are_those_of_the_column(name: str, column: str) -> None:
    block = simulated_cell("gs", "effect", 2000, seed=1, power=0.8)
    found = operating_characteristics(Tables(block["trials"], block["arms"], facts("gs", "effect")))
    values = block["trials"][column].to_numpy()
    assert one(found, name).value == pytest.approx(values.mean())
    assert one(found, name).mcse == pytest.approx(stats.sem(values))
    for suffix, probability in (("median", 0.5), ("p10", 0.1), ("p90", 0.9)):
        assert one(found, f"{name}_{suffix}").value == pytest.approx(np.quantile(values, probability))


def test_endings_by_look_and_reason_add_up() -> None:
    rows = [
        trial(0, REJECT, stop_reason="efficacy", stop_look=1),
        trial(1, REJECT, stop_reason="efficacy", stop_look=2),
        trial(2, stop_reason="final", stop_look=2),
        trial(3, stop_reason="horizon", stop_look=0),
        trial(4, status="failed"),
    ]
    other = [trial(i, stop_reason="futility", stop_look=1, truth="none") for i in range(2)]
    found = operating_characteristics(tables(rows + other, [cell_fact(), cell_fact(truth="none", null=True)]))
    at_looks = {(row.look, row.reason): row.value for row in found.select("stop", truth="effect")}
    assert at_looks == {
        (1, "efficacy"): 0.2, (2, "efficacy"): 0.2, (1, "futility"): 0.0, (2, "final"): 0.2,
        (None, "efficacy"): 0.4, (None, "futility"): 0.0, (None, "final"): 0.2, (None, "horizon"): 0.2,
        (None, "failed"): 0.2,
    }  # fmt: skip
    assert sum(value for (look, _), value in at_looks.items() if look is None) == pytest.approx(1)
    never = found.select("stop", truth="effect", look=1, reason="futility")[0]
    assert never.upper is not None
    assert never.upper > 0
    assert one(found, "stop_early", truth="effect").value == 0.2
    assert one(found, "stop_early", truth="none").value == 1


def test_stopping_early_is_early_against_the_planned_looks() -> None:
    rows = [trial(i, REJECT, stop_reason="efficacy", stop_look=1) for i in range(3)]
    source = tables(rows, [cell_fact()])
    assert not operating_characteristics(source).select("stop_early")
    planned = operating_characteristics(source, planned_looks={"fixed": 3})
    assert one(planned, "stop_early").value == 1
    assert [(row.look, row.value) for row in planned.select("reject_by_look")] == [(1, 1), (2, 1), (3, 1)]


def test_rejection_by_look_is_cumulative() -> None:
    rows = [
        trial(0, {"primary": {"reject": True, "reject_look": 1}}, stop_look=1),
        trial(1, {"primary": {"reject": True, "reject_look": 3}}, stop_look=3),
        trial(2, stop_look=3),
        trial(3, stop_look=3),
    ]
    found = operating_characteristics(tables(rows, [cell_fact()]))
    by_look = {row.look: row.value for row in found.select("reject_by_look")}
    assert by_look == {1: 0.25, 2: 0.25, 3: 0.5}


def test_the_time_of_a_look_is_a_mean_over_those_that_reach_it() -> None:
    rows = [trial(0, stop_look=2), trial(1), trial(2, status="failed"), trial(3)]
    looks = [(0, 1, 10.0), (0, 2, 20.0), (1, 1, 12.0), (2, 1, 99.0), (3, 1, 17.0)]
    by_look = [
        {"design": "fixed", "truth": "effect", "replicate": r, "look": k, "hypothesis": name, "cut_time": t}
        for r, k, t in looks
        for name in ("a", "b")
        if (r, k, name) != (1, 1, "b")  # not analysed any more
    ]
    source = tables(rows, [cell_fact("a"), cell_fact("b")])
    for order in (by_look, sorted(by_look, key=lambda row: str(row["hypothesis"]))):
        source.looks = table_of(order)
        found = operating_characteristics(source).select("look_time")
        assert [(row.look, row.value, row.n, row.n_failed) for row in found] == [
            (1, 13.0, 3, 1),
            (2, 20.0, 1, 1),
        ]


@pytest.mark.parametrize("shuffled", [False, True])
def test_looks_of_several_hypotheses_count_once_in_whatever_order_they_lie(shuffled: bool) -> None:
    looks = [(0, 1, 10.0), (0, 2, 20.0), (1, 1, 12.0), (2, 1, 17.0)]
    rows = [
        {"design": "fixed", "truth": "effect", "replicate": r, "look": k, "hypothesis": name, "cut_time": t}
        for r, k, t in looks
        for name in ("a", "b", "c")
    ]
    source = tables([trial(r) for r in range(3)], [cell_fact("a"), cell_fact("b"), cell_fact("c")])
    source.looks = table_of(
        rows[::-5] + rows[-2::-5] + rows[-3::-5] + rows[-4::-5] + rows[-5::-5] if shuffled else rows
    )
    found = operating_characteristics(source).select("look_time")
    assert [(row.look, row.value, row.n) for row in found] == [(1, 13.0, 3), (2, 20.0, 1)]


def test_finished_by_a_date() -> None:
    rows = [trial(i, lock_time=100.0 * (i + 1)) for i in range(4)] + [
        trial(4, lock_time=1.0, status="failed")
    ]
    found = operating_characteristics(tables(rows, [cell_fact()]), finished_by=[300.0, 547.875])
    assert one(found, "finished_by[300 days]").value == 0.6
    assert one(found, "finished_by[547.875 days]").value == 0.8
    assert definition("finished_by[300 days]").name == "finished_by"


def test_estimation_by_hand() -> None:
    def estimated(value: float, se: float) -> dict[str, dict[str, Any]]:
        return {"primary": {"estimate": value, "se": se}}

    rows = [
        trial(0, estimated(-0.5, 0.1), stop_reason="efficacy"),
        trial(1, estimated(-0.3, 0.1), stop_reason="efficacy"),
        trial(2, estimated(-0.2, 0.2)),
        trial(3, FAILED, status="failed"),
    ]
    found = operating_characteristics(tables(rows, [cell_fact(true_value=-0.2)]))
    errors = np.array([-0.3, -0.1, 0.0])
    assert one(found, "estimate").value == pytest.approx(-1 / 3)
    assert one(found, "bias").value == pytest.approx(errors.mean())
    assert one(found, "bias").mcse == pytest.approx(stats.sem(errors))
    assert (one(found, "bias").n, one(found, "bias").n_failed) == (3, 1)
    assert one(found, "bias", reason="efficacy").value == pytest.approx(-0.2)
    assert one(found, "bias", reason="efficacy").n == 2
    assert one(found, "rmse").value == pytest.approx(math.sqrt(0.1 / 3))
    assert (one(found, "coverage").value, one(found, "coverage").n) == (0.5, 4)
    assert one(found, "bias").unit == "log hazard ratio"


def test_without_a_true_value_there_is_no_bias() -> None:
    found = operating_characteristics(tables([trial(0), trial(1)], [cell_fact(true_value=math.nan)]))
    assert found.select("estimate")
    assert not found.select("bias")
    assert not found.select("coverage")


def test_patients_by_arm_and_on_the_best_arm() -> None:
    trials = [trial(0, enrolled=10), trial(1, enrolled=20)]
    four = [(1, "control", 5, 0), (1, "treatment", 15, 0), (0, "treatment", 4, 0), (0, "control", 6, 2)]
    arms = [
        {
            "design": "fixed",
            "truth": "effect",
            "replicate": r,
            "arm": arm,
            "enrolled": n,
            "dropped_look": look,
        }
        for r, arm, n, look in four
    ]
    found = operating_characteristics(tables(trials, [cell_fact()], arms))
    assert one(found, "arm_enrolled", arm="control").value == 5.5
    assert one(found, "on_best_arm").value == 9.5
    assert one(found, "on_best_arm").arm == "treatment"
    assert one(found, "on_best_arm_share").value == pytest.approx((4 / 10 + 15 / 20) / 2)
    assert one(found, "arm_dropped", arm="control").value == 0.5
    assert one(found, "arm_dropped", arm="treatment").value == 0


def test_outcomes_missing_are_shares_of_those_due() -> None:
    keys = ("replicate", "arm", "enrolled", "missing:lost", "missing:died", "outcomes_due", "due_missing")
    four = [
        (0, "control", 12, 1, 2, 10, 2),
        (0, "treatment", 8, 0, 1, 8, 1),
        (1, "control", 20, 3, 2, 20, 5),
        (1, "treatment", 2, 1, 0, 0, 0),
    ]
    arms = [
        {"design": "fixed", "truth": "effect", "dropped_look": 0} | dict(zip(keys, row, strict=True))
        for row in four
    ]
    found = operating_characteristics(tables([trial(0), trial(1)], [cell_fact()], arms))
    assert one(found, "outcomes_missing", arm="control").value == pytest.approx((2 / 10 + 5 / 20) / 2)
    alone = one(found, "outcomes_missing", arm="treatment")
    assert (alone.value, alone.n, alone.n_failed) == (1 / 8, 1, 1)
    assert one(found, "outcomes_missing", arm=None).value == pytest.approx((3 / 18 + 5 / 20) / 2)
    assert one(found, "missing", arm="control", reason="lost").value == 2.0
    assert one(found, "missing", arm="treatment", reason=None).value == 1.0
    assert one(found, "missing", arm=None, reason="died").value == 2.5
    assert one(found, "missing", arm=None, reason=None).value == 5.0
    alive = [row | {"missing:died": 0} for row in arms]
    found = operating_characteristics(tables([trial(0), trial(1)], [cell_fact()], alive))
    assert not found.select("missing", reason="died") and len(found.select("missing")) == 6


def test_no_events_means_no_measure_of_events() -> None:
    found = operating_characteristics(tables([trial(0, events=0)], [cell_fact()]))
    assert not found.select("events")


def test_comparisons_are_paired_by_replicate() -> None:
    first = [trial(i, {"primary": {"reject": i < 2}}, lock_time=100.0 + i, enrolled=50) for i in range(4)]
    second = [
        trial(i, {"primary": {"reject": i < 3}}, lock_time=90.0 + 2 * i, enrolled=50, design="sequential")
        for i in reversed(range(4))
    ]
    facts_ = [cell_fact(), cell_fact(design="sequential")]
    found = operating_characteristics(tables(first + second, facts_))
    rows = {row.name: row for row in found.differences}
    assert list(rows) == ["reject_any", "power_disjunctive", "duration", "enrolled", "events"]
    difference = [-10.0 + i for i in range(4)]
    assert rows["duration"].value == pytest.approx(np.mean(difference))
    assert rows["duration"].mcse == pytest.approx(stats.sem(difference))
    assert rows["power_disjunctive"].value == 0.25
    assert rows["power_disjunctive"].mcse == pytest.approx(stats.sem([0, 0, 1, 0]))
    assert (rows["enrolled"].value, rows["enrolled"].mcse) == (0, 0)
    assert {(row.design, row.reference, row.n, row.n_failed) for row in rows.values()} == {
        ("sequential", "fixed", 4, 0)
    }


def test_comparisons_use_the_replicates_that_both_have_and_count_failures() -> None:
    first = [trial(i, lock_time=100.0) for i in range(4)]
    second = [trial(i, lock_time=90.0, design="other") for i in (2, 3, 4)]
    second[0]["status"] = "failed"
    found = operating_characteristics(tables(first + second, [cell_fact(), cell_fact(design="other")]))
    rows = {row.name: row for row in found.differences}
    assert (rows["duration"].n, rows["duration"].n_failed, rows["duration"].value) == (1, 1, -10)
    assert (rows["reject_any"].n, rows["reject_any"].n_failed) == (2, 1)


def test_interleaved_records_and_frames_give_the_same_as_ordered_tables() -> None:
    blocks = [
        simulated_cell(design, truth, 50, seed=2, power=0.5) for design in ("a", "b") for truth in ("x", "y")
    ]
    cells = pa.concat_tables([facts(design, truth) for design in ("a", "b") for truth in ("x", "y")])
    whole = {name: pa.concat_tables([block[name] for block in blocks]) for name in ("trials", "arms")}
    ordered = operating_characteristics(Tables(whole["trials"], whole["arms"], cells))
    frames = [whole[name].to_pandas().sort_values("replicate", kind="stable") for name in ("trials", "arms")]
    mixed = operating_characteristics(Tables(*frames, cells.to_pandas()))
    assert sorted(map(repr, mixed.rows)) == sorted(map(repr, ordered.rows))
    assert set(mixed.differences) == set(ordered.differences)


def test_one_replicate_gives_values_without_errors_and_valid_json() -> None:
    found = operating_characteristics(tables([trial(0, FAILED)], [cell_fact(null=True)]))
    text = json.dumps({"measures": found.measures(), "comparisons": found.comparisons()}, allow_nan=False)
    assert "NaN" not in text
    assert one(found, "duration").mcse is None


def test_every_row_has_the_keys_of_the_contract_and_a_definition() -> None:
    block = simulated_cell("gs", "effect", 100, seed=1, power=0.8)
    found = operating_characteristics(
        Tables(block["trials"], block["arms"], facts("gs", "effect")), finished_by=[300.0]
    )
    keys = "design truth name hypothesis arm subgroup site look reason unit value mcse lower upper n n_failed"
    assert list(MEASURE_KEYS) == keys.split()
    assert all(list(row) == keys.split() for row in found.measures())
    assert {definition(row.name).name for row in found.rows} <= {each.name for each in definitions()}
    frame = found.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == keys.split()


def test_definitions_are_unique_sentences() -> None:
    names = [each.name for each in definitions()]
    assert len(names) == len(set(names))
    assert all(each.sentence.endswith(".") and each.unit for each in definitions())
    with pytest.raises(KeyError):
        definition("powr")


def facts(design: str, truth: str, **values: Any) -> pa.Table:
    return pa.Table.from_pylist([cell_fact(design=design, truth=truth, true_value=-0.3, **values)])
