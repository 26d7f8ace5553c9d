"""``trialsim boundaries`` on the command line: table, JSON, picture, and sentences for what cannot be."""

from __future__ import annotations

import json
import re
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from scipy import stats

from trialsim.cli import main as entry
from trialsim.designs import group_sequential
from trialsim.designs.boundary_families import FUTILITY

THIRDS = ("--information", "1/3,2/3,1")
HSD = ("--futility", "hwang_shih_decani", "--futility-parameter", "-2")


def run(*arguments: str | float | Path) -> int:
    return entry.main(["boundaries", *(str(argument) for argument in arguments)])


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    schema = json.loads(files("trialsim").joinpath("schemas", "boundaries.json").read_text())
    Draft202012Validator.check_schema(schema)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    return document


def test_json_holds_what_python_returns_to_the_last_digit(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--information", "0.33,0.67,1", *HSD, "--json") == 0
    document = printed(capsys)
    found = group_sequential([0.33, 0.67, 1.0], futility="hwang_shih_decani", futility_parameter=-2)
    assert document == found.document()
    fields = list(document)[:12]
    assert fields == [
        "information_rates", "efficacy_z", "futility_z", "alpha_spent", "beta_spent", "inflation_factor", "power",
        "stage_reject_h1", "stage_futility_h1", "expected_information_h0", "expected_information_h1", "warnings",
    ]  # fmt: skip
    for name in (*fields, "maximum_information"):
        value = getattr(found, name)
        assert document[name] == (list(value) if hasattr(value, "__len__") else value), name
    assert len(document) == 21


def test_json_holds_the_bounds_on_every_scale(capsys: pytest.CaptureFixture[str]) -> None:
    """A normal statistic with the drift of the effect, worked out here from z, the rates and the maximum information."""
    effect, rates = 0.31, np.array([0.4, 0.7, 1.0])
    assert run("--information", "0.4,0.7,1", "--effect", effect, *HSD, "--json") == 0
    document = printed(capsys)
    information = rates * document["maximum_information"]
    for side in ("efficacy", "futility"):
        z = np.array(document[f"{side}_z"])
        assert document[f"{side}_p"] == pytest.approx(stats.norm.sf(z), rel=1e-12)
        assert document[f"{side}_effect"] == pytest.approx(z / np.sqrt(information), rel=1e-12)
        left = information[-1] - information[:2]
        short = document["efficacy_z"][-1] * np.sqrt(information[-1]) - z[:2] * np.sqrt(information[:2])
        for name, ahead in (("", effect), ("_trend", (z / np.sqrt(information))[:2])):
            shown = document[f"{side}_conditional_power{name}"]
            assert shown[:2] == pytest.approx(stats.norm.sf((short - ahead * left) / np.sqrt(left)), rel=1e-9)
            assert shown[2] is None
    assert run("--information", "0.01,1", "--json", "--alpha", "0.0001") == 0
    assert printed(capsys)["efficacy_p"][0] is None  # no bound that a double could hold


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        (
            ("--futility", "kim_demets", "--futility-parameter", "2", "--futility-binding"),
            {"futility": "kim_demets", "futility_parameter": 2, "futility_binding": True},
        ),
        (
            ("--sides", "2", "--alpha", "0.05", "--efficacy", "wang_tsiatis", "--efficacy-parameter", "0.25"),
            {"sides": 2, "alpha": 0.05, "efficacy": "wang_tsiatis", "efficacy_parameter": 0.25},
        ),
        (
            ("--efficacy", "piecewise_linear", "--efficacy-parameter", "0.4:0.1,0.8:0.5", "--power", "0.8"),
            {"efficacy": "piecewise_linear", "efficacy_parameter": [(0.4, 0.1), (0.8, 0.5)], "power": 0.8},
        ),
        (
            (
                "--futility",
                "z",
                "--futility-parameter",
                "-0.5,0.5",
                "--futility-non-binding",
                "--effect",
                "0.2",
            ),
            {"futility": "z", "futility_parameter": [-0.5, 0.5], "effect": 0.2},
        ),
        (("--spending-times", "0.5,3/4,1"), {"spending_times": [0.5, 0.75, 1.0]}),
    ],
    ids=["binding", "two-sided", "pairs", "list", "calendar"],
)
def test_options_are_the_arguments_of_python(
    options: tuple[str, ...], asked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*THIRDS, *options, "--json") == 0
    assert printed(capsys) == group_sequential([1 / 3, 2 / 3, 1.0], **asked).document()


def test_what_is_infinite_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    spent = "0,0.01,0.025"
    assert run(*THIRDS, "--efficacy", "user_defined", "--efficacy-parameter", spent, "--json") == 0
    document = printed(capsys)
    assert document["efficacy_z"][0] is None
    assert document["futility_z"] == [None] * 3
    assert len(document["warnings"]) == 1


def test_observed_information_moves_the_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--observed", "0.3,0.7,1.05", "--observed-spending-times", "0.4,0.8,1")
    assert run(*THIRDS, *options, "--json") == 0
    expected = group_sequential([1 / 3, 2 / 3, 1.0]).monitored([0.3, 0.7, 1.05], [0.4, 0.8, 1.0])
    assert printed(capsys) == expected.document()


def test_the_table_shows_bounds_on_every_scale(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*THIRDS, *HSD) == 0
    out = capsys.readouterr().out
    found = group_sequential([1 / 3, 2 / 3, 1.0], futility="hwang_shih_decani", futility_parameter=-2)
    for z in (*found.efficacy_z, *found.futility_z):
        assert f"{z:.6f}" in out
    assert f"{found.efficacy_p[1]:.4g}" in out
    assert f"{found.efficacy_effect[1]:.5g}" in out
    assert f"{found.conditional_power(found.futility_z, 1.0)[1]:.4f}" in out
    assert f"{found.inflation_factor:.6f} times that of the fixed design" in out
    assert "Futility bounds, non-binding" in out
    assert run(*THIRDS, "--observed", "0.3,0.7,0.9") == 0
    assert (
        "note: The last look has information rate 0.9, under the planned maximum" in capsys.readouterr().out
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "svg"])
@pytest.mark.parametrize("sides", ["1", "2"])
def test_a_picture_is_drawn_and_not_replaced(
    kind: str, sides: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"bounds.{kind}"
    options = ("--information", "0.01,0.5,1", "--sides", sides, *HSD, "--picture", path)
    assert run(*options, "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["power"] == pytest.approx(0.9)
    assert captured.err == f"Picture: {path}\n"
    drawn = path.read_bytes()
    assert drawn.startswith(b"\x89PNG") if kind == "png" else b"</svg>" in drawn
    assert run(*options) == 2
    assert "exists already; name another file, or replace it with --force" in capsys.readouterr().err
    assert run(*options, "--force") == 0
    assert path.read_bytes() == drawn


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--information", "0.5,x"), "--information: 'x' is not a number"),
        (("--information", "0.5,1/0"), "--information: '1/0' is not a number"),
        (("--information", f"0.5,1{'0' * 400}/1"), "is not a number; write numbers such as"),
        (("--information", "0.5,0.5,1"), "information[1]: 0.5 follows 0.5; information rates ascend"),
        ((*THIRDS, "--efficacy", "pocok"), "Did you mean 'pocock'?"),
        (
            (*THIRDS, "--efficacy", "piecewise_linear", "--efficacy-parameter", "0.5:0.2,0.8"),
            "mixes pairs and numbers",
        ),
        ((*THIRDS, "--observed-spending-times", "0.5,1"), "goes with --observed"),
        ((*THIRDS, "--observed", "0.5,0.4,1"), "observed[1]: 0.4 follows 0.5"),
        ((*THIRDS, "--picture", "bounds.pdf"), "a picture is a file that ends in .png or .svg"),
        ((*THIRDS, "--picture", "nowhere/bounds.png"), "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    options: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*options) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.out == ""


def test_the_page_shows_what_the_command_prints_and_its_python_runs(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (root / "docs" / "boundaries.md").read_text(encoding="utf-8")
    command, shown = re.findall(r"```\n\$ trialsim boundaries ([^\n]*)\n(.*?)```", page, re.S)[0]
    assert run(*command.split()) == 0
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == shown.splitlines()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    found: dict[str, Any] = {}
    exec(code, found)
    assert found["seen"].drift == found["design"].drift
    for family in FUTILITY:
        assert f"`{family}`" in page


def test_no_conditional_power_is_defined_towards_no_bound(capsys: pytest.CaptureFixture[str]) -> None:
    """The third look passes the planned maximum, so that nothing is left for the last."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        options = ("--futility", "z", "--futility-parameter", "0", "--observed", "0.4,0.7,1.1,1.2")
        assert run("--information", "0.25,0.5,0.75,1", *options, "--json") == 0
        document = printed(capsys)
        assert run("--information", "0.25,0.5,0.75,1", *options) == 0
    assert document["efficacy_z"][3] is None
    assert document["alpha_spent"][2] == 0.025
    assert document["futility_conditional_power"] == [None] * 4
