"""``trialsim adjust`` and ``trialsim combination``: figures of others, JSON by its schema, sentences for what cannot be."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests

from trialsim.cli import main as entry

P = "0.011,0.02,0.004,0.03"


def run(*arguments: object) -> int:
    return entry.main([str(each) for each in arguments])


def printed(capsys: pytest.CaptureFixture[str], name: str, *arguments: object) -> dict[str, Any]:
    assert run(name, *arguments, "--json") == 0
    schema = json.loads(files("trialsim").joinpath("schemas", f"{name}.json").read_text())
    Draft202012Validator.check_schema(schema)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert list(Draft202012Validator(schema).iter_errors(document)) == []
    return document


@pytest.mark.parametrize(
    ("method", "theirs"),
    [("bonferroni", "bonferroni"), ("holm", "holm"), ("hochberg", "simes-hochberg"), ("hommel", "hommel")],
)
def test_adjusted_p_values_are_those_of_statsmodels(
    capsys: pytest.CaptureFixture[str], method: str, theirs: str
) -> None:
    found = printed(capsys, "adjust", P, "--method", method)
    rejected, p, *_ = multipletests([float(each) for each in P.split(",")], 0.025, theirs)
    assert found["adjusted_p"] == pytest.approx(p, rel=1e-12)
    assert found["rejected"] == rejected.tolist()
    assert found["names"] == ["H1", "H2", "H3", "H4"]


def test_a_graph_is_written_with_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Bretz, Maurer, Brannath and Posch (2009): two primary hypotheses, each with a secondary one."""
    rows = "0,.5,.5,0;.5,0,0,.5;0,1,0,0;1,0,0,0"
    options = ("--method", "graph", "--weights", ".5,.5,0,0", "--transitions", rows, "--names", "a,b,c,d")
    found = printed(capsys, "adjust", "0.02,0.011,0.009,0.003", *options)
    assert found["adjusted_p"] == pytest.approx([0.022] * 4)
    assert found["names"] == ["a", "b", "c", "d"]
    alone = printed(capsys, "adjust", "0.02,0.5,0.009,0.003", *options)
    assert alone["rejected"] == [False] * 4  # 0.02 exceeds half of the level
    assert run("adjust", "0.02,0.011,0.009,0.003", *options) == 0
    assert "share of the level left" in capsys.readouterr().out


def test_dunnett_is_a_multivariate_normal_chance(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = np.array([40.0, 50.0, 70.0])
    options = ("--method", "dunnett", "--patients", "40,50,70")
    found = printed(capsys, "adjust", "0.01,0.03", *options)
    loading = np.sqrt(sizes[1:] / (sizes[1:] + sizes[0]))
    covariance = np.array([[1.0, loading.prod()], [loading.prod(), 1.0]])
    for p, adjusted in zip([0.01, 0.03], found["adjusted_p"], strict=True):
        z = stats.norm.isf(p)
        assert adjusted == pytest.approx(
            1.0 - stats.multivariate_normal.cdf([z, z], cov=covariance), abs=1e-7
        )


@pytest.mark.parametrize(("alpha", "c", "first"), [(0.05, 0.0087, 0.0233), (0.025, 0.0038, 0.0102)])
def test_bauer_and_koehne(capsys: pytest.CaptureFixture[str], alpha: float, c: float, first: float) -> None:
    options = ("--combination", "fisher", "--stages", 2, "--futility-p", 0.5, "--method", "full_last_level")
    found = printed(capsys, "combination", *options, "--alpha", alpha, "--p", 0.2)
    assert found["critical"] == pytest.approx([first, c], abs=5e-5)
    assert found["critical"][1] == pytest.approx(math.exp(-stats.chi2.isf(alpha, 4) / 2), rel=1e-9)
    # P(reject) = a1 + integral of c / p over (a1, 0.5]
    a1, last = found["critical"]
    assert a1 + last * math.log(0.5 / a1) == pytest.approx(alpha, rel=1e-9)
    assert found["decision"] == "go_on"
    assert found["conditional_error"] == pytest.approx(last / 0.2, rel=1e-12)


def test_the_inverse_normal_weighs_stages_and_orders_them(capsys: pytest.CaptureFixture[str]) -> None:
    rates, p = [0.4, 1.0], [0.2, 0.004]
    found = printed(
        capsys, "combination", "--information", "0.4,1", "--efficacy", "pocock", "--p", "0.2,0.004"
    )
    weights = np.sqrt(np.diff([0.0, *rates]))
    z = (weights * stats.norm.isf(p)).sum()
    assert found["weights"] == pytest.approx(weights)
    assert found["combined"][1] == pytest.approx(z, rel=1e-12)
    assert found["decision"] == "reject"
    bound = found["critical"][0]
    later, _ = integrate.quad(
        lambda x: stats.norm.pdf(x) * stats.norm.sf((z - weights[0] * x) / weights[1]),
        -9,
        bound,
        epsabs=1e-13,
    )
    assert found["overall_p"] == pytest.approx(stats.norm.sf(bound) + later, rel=1e-8)
    going = printed(capsys, "combination", "--information", "0.4,1", "--efficacy", "pocock", "--p", 0.2)
    short = (found["critical"][1] - weights[0] * stats.norm.isf(0.2)) / weights[1]
    assert going["conditional_error"] == pytest.approx(stats.norm.sf(short), rel=1e-8)
    assert run("combination", "--information", "0.4,1") == 0
    assert "bound (z)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("adjust", "0.01,x"), "P: 'x' is not a number"),
        (("adjust", "0.01,1.2"), "p values lie from 0 to 1"),
        (("adjust", "nan,0.2"), "p values lie from 0 to 1"),
        (("adjust", P, "--method", "holms"), "Did you mean 'holm'?"),
        (("adjust", P, "--alpha", "0.7", "--weights", "1"), "alpha is 0.7; it lies above 0, up to 0.5; weights are for"),
        (("adjust", P, "--method", "graph"), "a graph needs weights; a graph needs transitions"),
        (("adjust", P, "--method", "graph", "--weights", "1", "--transitions", "0"), "needs 4 weights, and 4 rows"),
        (("adjust", "0.1,0.2", "--method", "dunnett", "--patients", "1,2"), "control and 2 arms are 3"),
        (("adjust", P, "--names", "a,a,b,c"), "give each a name of its own"),
        (("combination",), "needs --information, such as"),
        (("combination", "--combination", "fisher"), "needs --stages"),
        (("combination", "--combination", "fishers"), "Did you mean 'fisher'?"),
        (("combination", "--information", "0.5,1", "--stages", "2"), "--stages: for --combination fisher"),
        (("combination", "--combination", "fisher", "--stages", "2", "--efficacy", "pocock"), "--efficacy: for"),
        (("combination", "--information", "0.5,1", "--p", "0.1,0.2,0.3"), "3 p values are given, of 2 stages"),
        (("combination", "--information", "0.5,1", "--p", "0.0001,0.2"), "The trial rejects at stage 1; leave"),
        (("combination", "--information", "0.5,1", "--p", "-0.1"), "p values lie from 0 to 1"),
        (("combination", "--information", "0.5,1", "--alpha", "0.9"), "alpha"),
        (("combination", "--combination", "fisher", "--stages", "99"), "1 to 12 are allowed"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_sentence(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], sentence: str
) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_rounding_leaves_no_chance_above_one(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "combination", "--information", "0.5,1", "--alpha", "1e-6", "--p", "1,1")
    assert found["overall_p"] == 1.0
    rows = ";".join(",".join("0" if i == j else "0.2" for j in range(6)) for i in range(6))
    options = ("--method", "graph", "--weights", ",".join(["0.16666666666666666"] * 6), "--transitions", rows)
    found = printed(capsys, "adjust", "0,1e-300,0,0.44,0.00029,1e-300", *options)
    assert max(found["weights"]) <= 1.0
