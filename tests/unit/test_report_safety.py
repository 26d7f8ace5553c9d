"""The tables of safety hold what the table of arms says."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from tests.twins.lives import everything
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import Records, records_of
from trialsim.oc.in_memory import collect
from trialsim.report.page import page
from trialsim.report.safety_tables import adverse_event_tables, patients_by_arm
from trialsim.scenario.load import scenario_from

REPLICATES = 40
Found = tuple[Records, pd.DataFrame, str]


@pytest.fixture(scope="module")
def found() -> Found:
    scenario = scenario_from(everything())
    design = next(iter(scenario.designs))
    collected = collect(scenario, [design], ["here"], REPLICATES, 4)
    text = page({"name": "x"}, {}, operating_characteristics(collected), records_of(collected), {})
    return records_of(collected), collected.arms.to_pandas(), text


def numbers(line: str) -> tuple[float, float]:
    """Return a value and the half of its last digit."""
    value = re.split(r"[ %]", line.replace(",", ""))[0]
    return float(value), 0.51 * 10.0 ** -len(value.partition(".")[2])


def test_adverse_events_are_counted_by_arm_term_and_severity(found: Found) -> None:
    records, arms, text = found
    (table,) = adverse_event_tables(records)
    assert table.headings == (
        "arm", "term", "mild", "moderate", "severe", "all severities", "serious", "exposure, years"
    )  # fmt: skip
    assert [tuple(cell[0] for cell in row[:2]) for row in table.rows] == [
        (arm, term) for arm in ("control", "treatment", "high") for term in ("nausea", "rash")
    ]
    for row in table.rows:
        (arm, term), cells = (cell[0] for cell in row[:2]), dict(zip(table.headings, row, strict=True))
        own = arms[arms["arm"] == arm]
        years = own[f"risk_years:{term}"]
        levels = ("mild", "moderate", "severe")
        counts = {level: own[f"adverse_events:{term}:{level}"] for level in levels}
        counts["all severities"] = sum(counts.values())
        counts["serious"] = sum(own[f"serious:{term}:{level}"] for level in levels)
        for heading, events in counts.items():
            value, half = numbers(cells[heading][0])
            assert value == pytest.approx(events.mean(), abs=half)
            rate, half = numbers(cells[heading][1])
            assert rate == pytest.approx(events.sum() / years.sum(), abs=half)
            assert cells[heading][1].endswith(" per year")
        value, half = numbers(cells["exposure, years"][0])
        assert value == pytest.approx(years.mean(), abs=half)
    assert "adverse events by severity: " in text and "Exposure is the mean number of those years" in text


def test_who_leaves_and_why_stands_by_arm(found: Found) -> None:
    records, arms, text = found
    table = patients_by_arm(records)
    assert table is not None and table.headings[3:] == ("control", "treatment", "high")
    told = {row[2][0]: row[3:] for row in table.rows}
    columns = {
        "had an adverse event": "patients_with_adverse_event",
        "discontinued treatment: adverse event": "discontinued:adverse_event",
        "discontinued treatment: physician": "discontinued:physician",
        "died: disease": "deaths:disease",
        "withdrew consent": "withdrawals",
    }
    assert set(columns) <= set(told)
    for what, column in columns.items():
        for arm, lines in zip(table.headings[3:], told[what], strict=True):
            own = arms[arms["arm"] == arm]
            value, half = numbers(lines[0])
            assert value == pytest.approx(own[column].mean(), abs=half)
            share, half = numbers(lines[1])
            assert share == pytest.approx(100.0 * own[column].sum() / own["enrolled"].sum(), abs=half)
    assert "patients by arm" in text
