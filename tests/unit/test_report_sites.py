"""Single sites in the report and in a CSV file: the numbers are those of the table of sites."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.recruitment_scenario import RECRUITING, recruiting
from tests.unit.story_scenario import eventful
from trialsim.cli import main as entry
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import Cell, records_of
from trialsim.oc.in_memory import Collected, collect
from trialsim.oc.site_enrolment import site_enrolment
from trialsim.report import site_figures
from trialsim.report.page import page
from trialsim.report.site_figures import site_picture, site_table, sites_csv, sites_left_out


@pytest.fixture(scope="module")
def found() -> Collected:
    return collect(recruiting(), ["one", "larger"], ["base", "slow"], 90, 2)


def test_means_and_percentiles_are_those_of_numpy(found: Collected) -> None:
    assert found.sites is not None
    rows = found.sites.to_pandas()
    for cell in (Cell("one", "base"), Cell("larger", "slow")):
        mine = rows[(rows["design"] == cell.design) & (rows["truth"] == cell.truth)]
        sites = site_enrolment(records_of(found), cell)
        assert [site.site for site in sites] == ["big_1", "big_2", "small_1", "small_2", "small_3"]
        for site in sites:
            own = mine[mine["site"] == site.site]
            got = own["randomised"].to_numpy(dtype=float)
            assert site.randomised.value == pytest.approx(got.mean())
            assert site.randomised.mcse == pytest.approx(got.std(ddof=1) / np.sqrt(90))
            assert [site.p10.value, site.median.value, site.p90.value] == pytest.approx(
                list(np.quantile(got, [0.1, 0.5, 0.9]))
            )
            opened = own["opened_time"].dropna()
            assert site.opened == opened.size
            assert site.opened_days is not None
            assert site.opened_days.value == pytest.approx(opened.mean())
            assert site.without_patients == int((own["opened_time"].notna() & (got == 0)).sum())
        assert any(site.without_patients for site in sites)


@pytest.mark.slow
def test_the_page_shows_sites(found: Collected) -> None:
    records = records_of(found)
    picture, table = site_picture(records), site_table(records)
    assert picture is not None and table is not None
    assert [row[0] for row in table.rows] == [
        ("big_1",),
        ("big_2",),
        ("small_1",),
        ("small_2",),
        ("small_3",),
    ]
    site = site_enrolment(records, Cell("larger", "base"))[4]
    assert f"larger at small_3 {site.randomised.value:.2f}" in picture.alternative
    html = page({}, {}, operating_characteristics(records), records, {})
    assert "Patients of each single site" in html and "--sites FILE.csv" in html
    without = records_of(collect(eventful(), ["two_arms"], ["alternative"], 3, 1))
    assert site_picture(without) is None and site_table(without) is None and sites_csv(without) is None
    assert "Patients of each single site" not in page({}, {}, operating_characteristics(without), without, {})


def test_of_many_sites_those_with_the_most_patients_are_shown(
    found: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_figures, "MOST_SITES", 3)
    monkeypatch.setattr(site_figures, "MOST_DESIGNS", 1)
    records = records_of(found)
    sites = site_enrolment(records, Cell("one", "base"))
    least = sorted(sites, key=lambda site: site.randomised.value)[:2]
    table, picture = site_table(records), site_picture(records)
    assert table is not None and picture is not None and len(table.rows) == 3
    assert not {site.site for site in least} & {row[0][0] for row in table.rows}
    assert "larger at" not in picture.alternative
    assert sites_left_out(records)[:2] == [
        "Shown are the 3 of 5 sites with the most patients.",
        "Sites are drawn for the first 1 of 2 designs.",
    ]


def command(*arguments: str) -> int:
    return entry.main([*arguments])


@pytest.mark.slow
def test_the_command_writes_every_site(tmp_path: Path, capsys: Any) -> None:
    scenario, run, target = tmp_path / "recruiting.yaml", tmp_path / "run", tmp_path / "sites.csv"
    scenario.write_text(RECRUITING, encoding="utf-8")
    assert (
        command("run", str(scenario), "--designs", "one,larger", "--replicates", "20", "--out", str(run)) == 0
    )
    assert command("report", str(run), "--sites", str(target)) == 0
    rows = pd.read_csv(io.StringIO(target.read_text(encoding="utf-8")))
    assert len(rows) == 2 * 2 * 5
    assert rows["trials"].eq(20).all()
    assert rows["randomised"].sum() > 0
    capsys.readouterr()
    assert command("report", str(run), "--sites", str(target)) == 2
    assert "is there already and is not overwritten" in capsys.readouterr().err
