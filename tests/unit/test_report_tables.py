"""The table of a run as people read it."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from tests.unit.synthetic_records import cell_fact, tables, trial
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.measures import Measure
from trialsim.report.legend import legend
from trialsim.report.numbers import decimals_for, percent, plain, with_error
from trialsim.report.tables import rich_table, summary_tables


def row(value: float, mcse: float | None, unit: str = "patients", **limits: float) -> Measure:
    given = {"lower": None, "upper": None, **limits}
    return Measure(
        "d",
        "t",
        "m",
        None,
        None,
        None,
        None,
        None,
        None,
        unit,
        value,
        mcse,
        given["lower"],
        given["upper"],
        int(limits.get("n", 100)),
        0,
    )


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (row(0.89783, 0.00096), "0.89783 (0.00096)"),
        (row(0.89783, 0.0030), "0.8978 (0.0030)"),
        (row(397.52, 0.112), "397.52 (0.11)"),
        (row(12345.6, 25.0), "12,346 (25)"),
        (row(-0.00004, 0.012), "0.000 (0.012)"),
        (row(-1.5, 0.5), "−1.50 (0.50)"),
        (row(400, 0.0), "400 (0)"),
        (row(1 / 3, 0.0), "0.33 (0.00)"),
        (row(17.0, None), "17.0 (–)"),
        (replace(row(17.0, None), n=1), "17.0 (one replicate)"),
        (row(0.0, 0.0, "probability", lower=0.0, upper=0.00038), "0 (at most 0.00038)"),
        (row(1.0, 0.0, "probability", lower=0.9963, upper=1.0), "1 (at least 0.9963)"),
        (None, "–"),
    ],
)
def test_numbers_show_their_error_and_no_more_digits_than_it_bears_out(
    measure: Measure | None, text: str
) -> None:
    assert with_error(measure) == text


def test_decimals() -> None:
    assert [decimals_for(error) for error in (0.0, 99.0, 9.9, 0.5, 0.05, 1e-9, math.nan)] == [
        0,
        0,
        1,
        2,
        3,
        6,
        0,
    ]
    assert plain(-0.0, 2) == "0.00"


def test_a_percentage_names_its_interval() -> None:
    text = percent(row(0.8978, 0.003, "probability", lower=0.8917, upper=0.9036))
    assert text == "89.8% (95% interval 89.2 to 90.4)"


def two_tests() -> list[dict[str, object]]:
    return [
        trial(i, {"a": {"reject": i < 8}, "b": {"reject": i < 1}}, lock_time=300.0 + i) for i in range(10)
    ]


def test_a_table_per_truth_with_hypotheses_in_lines() -> None:
    source = tables(two_tests(), [cell_fact("a"), cell_fact("b", null=True)])
    (table,) = summary_tables(operating_characteristics(source))
    assert table.title == "truth: effect"
    assert table.headings[:2] == ("design", "power (mcse)")
    assert table.rows[0][1] == ("any false null 0.80 (0.13)", "a 0.80 (0.13)", "b (null) 0.100 (0.095)")
    assert "failed" not in table.headings


def test_the_global_null_shows_the_familywise_error_and_failures() -> None:
    rows = [trial(0, status="failed"), trial(1), trial(2)]
    (table,) = summary_tables(operating_characteristics(tables(rows, [cell_fact(null=True)])))
    assert table.headings[1] == "type I error (mcse)"
    assert table.headings[-1] == "failed"
    assert table.rows[0][-1] == ("1 of 3",)


def test_what_does_not_apply_has_no_column() -> None:
    rows = [trial(i, events=0) for i in range(3)]
    (table,) = summary_tables(operating_characteristics(tables(rows, [cell_fact(true_value=math.nan)])))
    assert "events" not in table.headings
    assert "bias" not in table.headings


def test_names_with_brackets_are_no_markup_on_the_terminal() -> None:
    rows = [trial(i, truth="ladder[red=0.8]") for i in range(3)]
    found = operating_characteristics(tables(rows, [cell_fact(truth="ladder[red=0.8]")]))
    screen = io.StringIO()
    Console(file=screen, width=150).print(rich_table(summary_tables(found)[0]))
    assert "truth: ladder[red=0.8]" in screen.getvalue()


def test_the_legend_explains_what_is_shown_and_nothing_else() -> None:
    found = operating_characteristics(tables(two_tests(), [cell_fact("a"), cell_fact("b", null=True)]))
    text = " ".join(legend(found, summary_tables(found)))
    assert "Any false null: at least one" in text
    assert "(null): a true null hypothesis" in text
    assert "Bias: mean estimate minus true value (log hazard ratio)" in text
    assert "familywise" not in text
    assert "stopped early" not in text
    assert "Wilson" not in text
    nulls = operating_characteristics(tables(two_tests(), [cell_fact(name, null=True) for name in "ab"]))
    (table,) = summary_tables(nulls)
    assert table.headings[1] == "type I error (mcse)"
    assert table.rows[0][1][0] == "familywise 0.80 (0.13)"
    assert "Familywise: at least one hypothesis rejected" in " ".join(legend(nulls, [table]))
