"""``trialsim samplesize`` and ``trialsim power``: JSON by its schema, tables, pictures, and what is refused."""

from __future__ import annotations

import json
import math
import re
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from matplotlib.figure import Figure
from scipy.stats import nct, norm

from trialsim.cli import main as entry

DOCS = Path(__file__).resolve().parents[2] / "docs"
PLAN = '--hazard-ratio 0.7 --control "8 months" --accrual "12 months"'
DELAYED = (
    '--hazard-ratio 0.6 --delay "4 months" --control "8 months" --accrual "12 months" --follow-up "18 months"'
)
THIRDS = "--information 1/3,2/3,1"


def run(line: str) -> int:
    return entry.main(shlex.split(line))


def answered(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(f"{line} --json") == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    schema = json.loads(files("trialsim").joinpath("schemas", f"{document['question']}.json").read_text())
    Draft202012Validator.check_schema(schema)
    assert [each.message for each in Draft202012Validator(schema).iter_errors(document)] == []
    return document


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("samplesize means --effect 0.5 --sd 1", "n_exact", 170.0626266),
        ("samplesize means --effect 0.5 --sd 1 --alpha 0.05 --sides 2", "n_exact", 170.0626266),
        ("samplesize means --effect 0.4 --sd 1 --samples 1", "n_exact", 67.6214162),
        (f"samplesize means --effect 0.5 --sd 1 --test z {THIRDS}", "n_exact", 168.118768983 * 1.01185275995),
        ("power means --effect 1.6 --sd 7.5 --patients 442 --test z", "power", 0.6112483930),
        ("samplesize proportions --treatment-rate 0.5 --control-rate 0.3", "n_exact", 247.997259899334),
        (
            "samplesize proportions --treatment-rate 0.5 --control-rate 0.3 --scale ratio --unrounded",
            "critical_effect",
            1.39820194165951,
        ),
        (f"samplesize survival {PLAN} --follow-up '12 months'", "n_exact", 459.791252091009),
        (
            f"samplesize survival {PLAN} --follow-up '12 months' {THIRDS}",
            "events_exact",
            330.37791396381 * 1.01185275995,
        ),
        ("samplesize survival --hazard-ratio 0.7", "events_exact", 330.37791396381),
        ("samplesize survival --hazard-ratio 0.7 --unrounded", "power", 0.9),
        (f"samplesize survival {PLAN} --patients 480", "study_duration", 22.5604567998 * 30.4375),
        (
            'samplesize survival --control "{survival: 0.4, at: 12 months}" --treatment "{survival: 0.6, at: 12 months}" '
            '--accrual "12 months" --follow-up "6 months"',
            "n_exact",
            251.410981533836,
        ),
        (
            'samplesize survival --method lachin-foulkes --hazard-ratio 0.7 --control "{piecewise: [{from: 0 months, '
            "hazard: 0.06 per month}, {from: 6 months, hazard: 0.08 per month}, {from: 12 months, hazard: 0.05 per "
            'month}]}" --dropout "{survival: 0.95, at: 12 months}" --accrual-rate "[{from: 0 months, rate: 10 per month}, '
            '{from: 6 months, rate: 25 per month}]" --follow-up "12 months"',
            "n_exact",
            511.7927538682,
        ),
        (
            f'power survival {DELAYED} --patients 400 --dropout "{{survival: 0.95, at: 12 months}}" --test "fh(0,1)"',
            "power",
            0.921111411772851,
        ),
        ("power survival --hazard-ratio 0.7 --events 330.37791396381", "power", 0.9),
        (f"power survival {PLAN} --patients 480 --events 330.37791396381", "power", 0.9),
    ],
)
def test_a_figure_of_a_command(
    line: str, name: str, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answered(line, capsys)["results"][name] == pytest.approx(value, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "samplesize proportions --treatment-rate 0.8 --control-rate 0.4 --test exact",
        "samplesize proportions --treatment-rate 0.4 --samples 1 --null 0.2 --test exact",
        "power proportions --treatment-rate 0.5 --control-rate 0.3 --patients 60 --test exact",
        "power proportions --treatment-rate 0.5 --samples 1 --null 0.3 --patients 60",
        f"power proportions --treatment-rate 0.5 --control-rate 0.3 --patients 200 {THIRDS} --futility kim_demets "
        "--futility-parameter 2",
        f"power means --effect 2 --sd 4 --control-sd 6 --patients 300 --ratio 2 {THIRDS}",
        f"power survival {PLAN} --patients 300 --follow-up '6 months' --test gehan --at '9 months, 12 months' {THIRDS}",
        f"power survival {PLAN} --patients 300 --follow-up '6 months' --test 'modest(3 months)'",
        f"samplesize survival {DELAYED} {THIRDS}",
        f"samplesize survival {PLAN} --patients 600 --test 'fh(0,1)'",
    ],
)
def test_an_answer_is_as_its_schema_says(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = answered(line, capsys)
    assert document["curves"][0]["points"]
    assert run(line) == 0
    printed = capsys.readouterr().out
    assert "power" in printed
    assert "Attained one-sided alpha" in printed


def test_one_sample_has_no_control_in_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("samplesize means --effect 0.4 --sd 1 --samples 1") == 0
    printed = capsys.readouterr().out
    assert re.search(r"patients +68\b", printed) and "control" not in printed


def test_a_power_has_expected_events_and_no_solution(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"power survival {PLAN} --follow-up '12 months' --patients 400") == 0
    printed = capsys.readouterr().out
    assert "expected events, rounded up" in printed and "exact solution" not in printed


def test_more_events_may_be_the_benefit(capsys: pytest.CaptureFixture[str]) -> None:
    plan = '--control "8 months" --accrual "12 months" --follow-up "18 months" --patients 300'
    by_integral = f"{plan} --method nonproportional"
    good = answered(f"power survival {by_integral} --hazard-ratio 1.5", capsys)["results"]["power"]
    assert good > 0.8
    assert (
        answered(f"power survival {by_integral} --hazard-ratio 1.5 --direction lower", capsys)["results"][
            "power"
        ]
        < 1e-6
    )
    pieces = '"[{from: 0 months, hazard_ratio: 1}, {from: 0.001 days, hazard_ratio: 1.5}]"'
    changing = answered(f"power survival {plan} --hazard-ratio {pieces} --direction higher", capsys)[
        "results"
    ]["power"]
    assert changing == pytest.approx(good, abs=1e-4)
    worse_first = '"[{from: 0 months, hazard_ratio: 3}, {from: 3 months, hazard_ratio: 0.5}]"'
    found = answered(f"power survival {plan} --hazard-ratio {worse_first}", capsys)["results"]
    assert found["critical_effect"] == pytest.approx(
        math.exp(-2 * 1.959963984540054 / math.sqrt(found["events_exact"]))
    )
    assert run(f"power survival {plan} --hazard-ratio 0.7 --method freedman --direction higher") == 2
    assert "--direction: a hazard ratio of 0.7 is no benefit in this direction" in capsys.readouterr().err


def test_bounds_without_independent_increments_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"power survival {PLAN} --patients 300 --follow-up '6 months' --test gehan {THIRDS}"
    document = answered(line, capsys)
    assert any("independent increments" in each for each in document["warnings"])
    assert {each["independent_increments"] for each in document["analyses"]} == {"no"}


def test_fh_looks_are_by_information_not_by_events(capsys: pytest.CaptureFixture[str]) -> None:
    document = answered(f"samplesize survival {DELAYED} --test 'fh(0,1)' {THIRDS}", capsys)
    first = document["analyses"][0]
    assert first["information_fraction"] == pytest.approx(1 / 3, rel=1e-6)
    assert first["event_fraction"] > 0.55
    assert document["results"]["power"] >= 0.9


@pytest.mark.parametrize(
    ("ending", "start"), [("svg", b"<?xml"), pytest.param("png", b"\x89PNG", marks=pytest.mark.slow)]
)
def test_a_picture_is_drawn(
    ending: str, start: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"curve.{ending}"
    line = f"samplesize survival {PLAN} --follow-up '12 months' --picture {path}"
    assert run(line) == 0
    assert path.read_bytes().startswith(start)
    first = path.read_bytes()
    assert run(line) == 2
    assert "exists already" in capsys.readouterr().err
    assert run(f"{line} --force") == 0
    assert path.read_bytes() == first


def test_the_level_goes_up_to_one_half(capsys: pytest.CaptureFixture[str]) -> None:
    """The bound of a single test is 0 there, so that only the quantile of the power is left of each formula."""
    beta = norm.isf(0.1)
    found = answered("samplesize means --effect 0.3 --sd 1 --test z --alpha 0.5", capsys)["results"]
    assert found["n_exact"] == pytest.approx(4 * (beta / 0.3) ** 2, rel=1e-9)
    found = answered("samplesize survival --hazard-ratio 0.7 --alpha 0.5", capsys)["results"]
    assert found["events_exact"] == pytest.approx(4 * (beta / math.log(0.7)) ** 2, rel=1e-9)
    found = answered("power means --effect 0.3 --sd 1 --patients 20 --alpha 0.5", capsys)
    assert found["results"]["power"] == pytest.approx(nct.sf(0, 18, 0.3 * math.sqrt(5)), rel=1e-9)
    assert found["attained_alpha"]["attained"] == pytest.approx(0.5, abs=1e-12)
    planned = answered(
        "samplesize means --effect 0.3 --sd 1 --test z --alpha 0.5 --information 0.5,1", capsys
    )
    assert planned["looks"][-1]["alpha_spent"] == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (
            "samplesize means --effect 0 --sd -1 --power 0.01",
            [
                "trialsim samplesize means: 3 problems",
                "--power: 0.01 is not above alpha",
                "--sd: -1 is out of range",
            ],
        ),
        (
            "samplesize means --effect nan --sd 1",
            ["--effect: nan is out of range; it must be a finite number"],
        ),
        ("power means --effect 1 --sd 1 --patients 3", ["--patients: 3 is out of range"]),
        (
            "samplesize means --effect 1 --sd 1 --alpha 0.51",
            ["--alpha: 0.51 is out of range; it must be above 0 and at most 0.5"],
        ),
        ("power means --effect 1 --sd 1 --patients 9 --alpha nan", ["--alpha: nan is out of range"]),
        ("samplesize means --effect 1 --sd 1 --sides 3", ["--sides: 3 is out of range; it must be 1 or 2."]),
        ("samplesize means --effect 1 --sd 1 --futility pocock", ["give --information too"]),
        ("samplesize means --effect 1 --sd 1 --efficacy-parameter 3", ["give --information too"]),
        ("samplesize means --effect 1 --sd 1 --futility-parameter 0", ["give --information too"]),
        ("samplesize means --effect 1 --sd 1 --futility-binding", ["give --information too"]),
        (
            "samplesize means --effect 1 --sd 1 --information 0.5,0.9",
            ["the last look has all the information"],
        ),
        (f"samplesize means --effect 1 --sd 1 {THIRDS} --efficacy pocok", ["pocock"]),
        ("samplesize proportions --treatment-rate 0.5", ["--control-rate is missing"]),
        ("samplesize proportions --treatment-rate 0.5 --samples 1", ["--null"]),
        (
            "samplesize proportions --treatment-rate 1.5 --control-rate 0 --null 2",
            ["3 problems", "--treatment-rate: 1.5", "--control-rate: 0", "--null: 2"],
        ),
        (
            'samplesize survival --hazard-ratio 0 --control 8 --accrual "12 mnths" --patients 100 --test fh0 --method x',
            [
                "5 problems",
                "--control: a rate is expected",
                "Did you mean 'months'?",
                "--test: 'fh0' is unknown",
            ],
        ),
        (f"samplesize survival {PLAN}", ["--follow-up: is missing"]),
        (
            f"samplesize survival {PLAN} --patients 100 --follow-up '1 month'",
            ["--patients: are given, and so is"],
        ),
        ("power survival --hazard-ratio 0.7", ["--events: give the number of events"]),
        ('samplesize survival --hazard-ratio 0.7 --follow-up "3 months"', ["--control: is missing"]),
        ("samplesize survival --control '8 months'", ["--hazard-ratio: give the hazard ratio or survival"]),
        (
            "samplesize survival --control '{piecewise: [{from: 0 days, hazard: -1 per day}]}' --hazard-ratio 0.5",
            ["--control.piecewise[0].hazard"],
        ),
        (
            f"samplesize survival {PLAN} --patients 100",
            ["330.4 events are needed, but 100 patients can give only"],
        ),
        (
            f"samplesize survival {PLAN} --patients 100 {THIRDS}",
            ["334.3 events are needed, but 100 patients can give"],
        ),
        (
            f"samplesize survival {PLAN} --patients 100 --method lachin-foulkes {THIRDS}",
            ["100 patients reach a power"],
        ),
        (f"samplesize survival {PLAN} --follow-up '6 months' --picture x.pdf", ["ends in .png or .svg"]),
        (
            f"samplesize survival {PLAN} --follow-up '6 months' --test 'fh(0,1)' --method schoenfeld",
            ["--test: only"],
        ),
    ],
)
def test_what_cannot_be_used_is_told(
    line: str, sentences: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    for sentence in sentences:
        assert sentence in captured.err


def test_the_page_says_what_the_commands_say(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "sample_size.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^trialsim (power survival .*)$", page, re.M)
    delayed, never_better = (answered(each, capsys) for each in commands)
    month_12 = delayed["analyses"][0]
    events, information = (100 * month_12[f"{name}_fraction"] for name in ("event", "information"))
    assert f"month 12 has {events:.0f}% of the events and {information:.0f}% of the information" in page
    assert f"in favour of treatment in {100 * never_better['results']['power']:.1f}% of trials" in page


@pytest.mark.slow
def test_every_command_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "sample_size.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"^trialsim (.*?)(?: +#.*)?$", page, re.M)
    assert len(commands) > 12
    for command in commands:
        assert run(command) == 0, command
    assert capsys.readouterr().out


@pytest.mark.parametrize("power", ["0.51", "0.9", "0.999999"])
def test_an_inflation_factor_is_never_below_one(power: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answered(
        "samplesize means --effect 0.4 --sd 50 --alpha 0.0003 --information 0.001,1 --efficacy obrien_fleming "
        f"--power {power}",
        capsys,
    )
    assert found["results"]["inflation_factor"] == pytest.approx(1.0, abs=1e-9)
    assert found["results"]["inflation_factor"] >= 1.0


@pytest.mark.slow
def test_a_picture_of_vectors_is_drawn_once_and_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    original = Figure.draw

    def draw(figure: Figure, renderer: Any) -> None:
        drawn.append(renderer)
        original(figure, renderer)

    monkeypatch.setattr(Figure, "draw", draw)
    paths = [tmp_path / f"{number}.svg" for number in (1, 2)]
    for path in paths:
        drawn.clear()
        assert run(f"samplesize survival {PLAN} --follow-up '12 months' --picture {path}") == 0
        assert len(drawn) == 1
    first, second = (path.read_bytes() for path in paths)
    assert first == second and b"<svg" in first
