"""The report shows recruitment in scenarios with sites, and the numbers it draws are those of the records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from tests.unit.recruitment_scenario import RECRUITING, recruiting, straight
from tests.unit.story_scenario import eventful
from trialsim.cli import main as entry
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.columns import Cell, Records, records_of
from trialsim.oc.enrolment import enrolment_curves
from trialsim.oc.in_memory import collect
from trialsim.oc.montecarlo import MonteCarlo
from trialsim.report.funnel import Step, funnel
from trialsim.report.numbers import DAYS_PER_MONTH
from trialsim.report.page import page
from trialsim.report.recruitment_figures import (
    draw_curve,
    enrolment_picture,
    funnel_pictures,
    left_out_sentences,
    loss_lines,
)
from trialsim.report.recruitment_tables import losses_table, recruitment_table, recruitment_times_table

Found = tuple[Records, OperatingCharacteristics]


@pytest.fixture(scope="module")
def found() -> Found:
    records = records_of(collect(recruiting(), ["one", "larger"], ["base", "slow"], 60, 1))
    return records, operating_characteristics(records)


@pytest.fixture(scope="module")
def without() -> Found:
    records = records_of(collect(eventful(), ["two_arms"], ["alternative"], 5, 1))
    return records, operating_characteristics(records)


def html(found: Found, scenario: dict[str, object]) -> str:
    return page(scenario, {}, found[1], found[0], {})


@pytest.mark.parametrize("cell", [Cell("one", "base"), Cell("larger", "slow")])
def test_a_funnel_begins_with_the_candidates_of_the_records(found: Found, cell: Cell) -> None:
    steps = funnel(found[0], cell)
    trials = found[0].numbers("trials", "candidates", cell)
    assert steps[0].left.value == pytest.approx(trials.mean())
    assert steps[0].left.mcse == pytest.approx(trials.std(ddof=1) / np.sqrt(trials.size))
    reasons = [why for why, _ in steps[3].losses]
    assert reasons[:3] == ["failed: imaging", "failed: labs", "failed: window"]


def test_nothing_is_lost_where_everybody_goes_straight_through() -> None:
    records = records_of(collect(straight(), ["one"], ["base"], 5, 1))
    steps = funnel(records, Cell("one", "base"))
    assert [step.losses for step in steps[1:3]] == [(), ()]
    assert [step.left.value for step in steps[:3]] == [steps[0].left.value] * 3


def test_who_comes_after_the_deciding_cut_is_told_apart_from_who_is_not_read_out() -> None:
    collected = collect(straight(), ["one"], ["base"], 5, 1)
    trials = collected.trials
    enrolled = trials["enrolled"].to_numpy()
    late = np.arange(5, dtype=np.int32)
    for name, values in (("overrun", late), ("analysed", (enrolled - late - 3).astype(np.int32))):
        trials = trials.set_column(trials.column_names.index(name), name, pa.array(values))
    step = funnel(records_of(replace(collected, trials=trials)), Cell("one", "base"))[4]
    assert {why: value.value for why, value in step.losses} == {
        "randomised after the deciding cut": 2.0,
        "not read out by the deciding cut": 3.0,
    }


def test_the_largest_losses_are_named_and_the_rest_summed() -> None:
    def number(value: float) -> MonteCarlo:
        return MonteCarlo(value, 0.1, value - 0.2, value + 0.2, 10)

    losses = tuple((f"reason {place}", number(float(place))) for place in range(9))
    step = Step("consented", number(5.0), losses)
    lines = loss_lines(step)
    assert lines[0] == "8.00 (0.10) reason 8"
    assert len(lines) == 7
    assert lines[6] == "3.0 for 3 other reasons"


def test_the_curve_that_is_drawn_is_that_of_the_table(found: Found) -> None:
    curve = enrolment_curves(found[0], Cell("one", "base"))[0]
    axes = Figure().add_subplot()
    draw_curve(axes, curve, 0, until=90.0)
    planned, median = axes.get_lines()
    np.testing.assert_array_equal(planned.get_ydata()[1:-1], curve.planned)
    np.testing.assert_array_equal(median.get_ydata()[1:-1], curve.median)
    np.testing.assert_allclose(median.get_xdata(), [0.0, *(curve.days / DAYS_PER_MONTH), 90.0])
    assert median.get_ydata()[-1] == curve.median[-1]
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices[:, 1]
    assert set(np.unique(corners)) == {0.0, *curve.p10.tolist(), *curve.p90.tolist()}


@pytest.mark.slow
def test_the_page_has_a_section_on_recruitment_with_sites_alone(found: Found, without: Found) -> None:
    text = html(found, {"name": "x", "screening": {"rescreening": {"probability": 0.4}}})
    assert text.count("<h2>Recruitment</h2>") == 1
    assert "Patients over time" in text
    assert text.count("<figcaption>From first contact to analysis: ") == 4
    assert "10th to the 90th percentile" in text
    assert text == html(found, {"name": "x", "screening": {"rescreening": {"probability": 0.4}}})
    plain = html(without, {"name": "x"})
    assert "Recruitment</h2>" not in plain
    assert "Patients over time" not in plain
    assert enrolment_picture(without[0]) is None
    assert funnel_pictures(without[0]) == []
    assert left_out_sentences(without[0]) == []
    assert recruitment_table(without[1]) is None


def test_times_have_medians_and_percentiles_beside_their_means(found: Found) -> None:
    records, characteristics = found
    cell = Cell("one", "base")
    days = records.numbers("trials", "days_to_consent", cell)
    for suffix, share in (("median", 0.5), ("p10", 0.1), ("p90", 0.9)):
        (row,) = characteristics.select(f"days_to_consent_{suffix}", design="one", truth="base")
        assert row.value == pytest.approx(np.quantile(days, share), abs=0.05 * days.std())
        assert row.unit == "days" and row.mcse is not None
    names = ("first_patient_in", "last_patient_in", "days_to_randomisation", "idle_days")
    assert all(len(characteristics.select(f"{name}_p90", design="one", truth="base")) == 1 for name in names)
    table = recruitment_times_table(characteristics)
    assert table is not None
    shown = dict(zip(table.headings, table.rows[0], strict=True))["contact to consent, days"]
    middle, low, high = (
        characteristics.select(f"days_to_consent_{suffix}", design="one", truth="base")[0].value
        for suffix in ("median", "p10", "p90")
    )
    digits = len(shown[1].partition(";")[0].partition(".")[2])
    assert shown[1] == f"{middle:.{digits}f}; {low:.{digits}f} to {high:.{digits}f}"


def test_refusals_are_a_share_of_those_who_were_asked(found: Found) -> None:
    records, characteristics = found
    cell = Cell("one", "base")
    refused, screened = (records.numbers("trials", name, cell) for name in ("refusals", "screened"))
    (row,) = characteristics.select("refusal_rate", design="one", truth="base")
    assert row.value == pytest.approx((refused / (refused + screened)).mean())
    # Of those who are asked the scenario lets 0.8 consent.
    assert row.mcse is not None and abs(row.value - 0.2) < 5.0 * row.mcse


def test_losses_on_the_way_are_numbers_beside_the_picture(found: Found) -> None:
    records, _ = found
    table = losses_table(records)
    assert table is not None
    assert table.headings[2:] == tuple(f"{cell.design} under {cell.truth}" for cell in records.cells())
    told = {row[1][0]: row[2] for row in table.rows}
    assert {"refused", "failed: labs", "failed: imaging", "records did not pass"} <= set(told)
    cell = records.cells()[0]
    refused, again, unfit, came = (
        records.numbers("trials", name, cell).mean()
        for name in ("refusals", "refusals_again", "prescreen_failures", "candidates")
    )
    assert float(told["refused"][0].split(" ")[0]) == pytest.approx(refused - again, abs=0.05)
    assert told["records did not pass"][1] == f"{100.0 * unfit / came:.1f}%"


def test_pictures_say_in_words_what_they_show(found: Found) -> None:
    picture = enrolment_picture(found[0])
    assert picture is not None
    curve = enrolment_curves(found[0], Cell("larger", "slow"))[2]
    assert f"larger under slow, small: half of {curve.median[-1]:.0f} (" in picture.alternative
    first = funnel_pictures(found[0])[0]
    mean = found[0].numbers("trials", "prescreen_failures", Cell("one", "base")).mean()
    assert "records did not pass" in first.alternative
    assert f"{mean:.0f}" in first.alternative or f"{mean:.1f}" in first.alternative


@pytest.mark.slow
def test_the_block_of_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                   found: Found) -> None:  # fmt: skip
    table = recruitment_table(found[1])
    assert table is not None
    assert table.headings[2:] == (
        "last patient in, months", "candidates", "refusals, share of answers",
        "screen failures, share of screenings", "idle coordinator months",
    )  # fmt: skip
    trials = found[0].numbers("trials", "enrolment_end_time", Cell("one", "base"))
    (row,) = found[1].select("last_patient_in", design="one", truth="base")
    assert row.value == pytest.approx(trials.mean())
    monkeypatch.chdir(tmp_path)
    Path("recruiting.yaml").write_text(RECRUITING)
    arguments = [
        "run",
        "recruiting.yaml",
        "--designs",
        "one",
        "--replicates",
        "20",
        "--workers",
        "1",
        "--out",
        "r",
    ]
    assert entry.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "last patient in, months" in printed
    assert "idle coordinator months" in printed
    assert entry.main(["report", "r"]) == 0
    assert "idle coordinator months" in capsys.readouterr().out
