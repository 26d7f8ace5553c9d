"""Limits of ``trialsim analyse`` are the effects that the test itself does not reject: score tests, and those of t."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as formula
import yaml
from scipy import optimize, special
from scipy.stats import multivariate_normal, norm, ttest_ind

from trialsim.cli import main as entry

PUBLISHED = {
    (56, 70, 48, 80): (0.0528, 0.3382),
    (9, 10, 3, 10): (0.1700, 0.8406),
    (5, 56, 0, 29): (-0.0326, 0.1933),
    (10, 10, 0, 20): (0.7156, 1.0),
}
"""Successes and patients on treatment and control; Newcombe (1998, Statistics in Medicine 17, 873-890), table II."""


def analysed(
    capsys: pytest.CaptureFixture[str], folder: Path, frame: pd.DataFrame, design: dict[str, Any]
) -> dict[str, Any]:
    """Return what the command prints of a trial."""
    frame.to_csv(folder / "data.csv", index=False)
    whole = {
        "arms": ["c", "t"], "columns": {"arm": "arm", "value": "value"}, "maximum": {"patients": len(frame)},
    } | design  # fmt: skip
    (folder / "design.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    written = str(folder / "design.yaml")
    assert entry.main(["analyse", str(folder / "data.csv"), "--design", written, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def successes(counts: tuple[int, ...]) -> pd.DataFrame:
    """Return the patients of a trial with these successes and patients on treatment and control."""
    x1, n1, x0, n0 = counts
    rows = [(arm, int(place < x)) for arm, x, n in (("t", x1, n1), ("c", x0, n0)) for place in range(n)]
    return pd.DataFrame(rows, columns=["arm", "value"])


def information(counts: tuple[int, ...], difference: float) -> float:
    """Return 1 / variance of the difference, the rates maximising the likelihood by search."""
    x1, n1, x0, n0 = counts

    def against(rate: float) -> float:
        return -float(
            special.xlogy(x1, rate + difference) + special.xlog1py(n1 - x1, -rate - difference)
            + special.xlogy(x0, rate) + special.xlog1py(n0 - x0, -rate)
        )  # fmt: skip

    within = (max(0.0, -difference), min(1.0, 1.0 - difference))
    rate = optimize.minimize_scalar(against, bounds=within, method="bounded", options={"xatol": 1e-13}).x
    moved = rate + difference
    variance = moved * (1 - moved) / n1 + rate * (1 - rate) / n0
    return float((n1 + n0 - 1) / (n1 + n0) / variance)


@pytest.mark.parametrize("margin", [0.0, -0.1])
@pytest.mark.parametrize("counts", PUBLISHED)
def test_with_one_look_the_limits_are_those_published(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, counts: tuple[int, ...], margin: float
) -> None:
    """Whatever margin is tested: the interval does not go with it."""
    plan = {"information": [1], "alpha": 0.025}
    design = {
        "analysis": {"miettinen_nurminen": {"margin": margin}},
        "direction": "higher",
        "design": plan,
    }
    found = analysed(capsys, tmp_path, successes(counts), design)
    for each in found["conclusions"]:
        assert (each["lower"], each["upper"]) == pytest.approx(PUBLISHED[counts], abs=5.001e-5)
        assert each["estimate"] == pytest.approx(counts[0] / counts[1] - counts[2] / counts[3], abs=1e-9)
    design |= {"direction": "lower", "analysis": "miettinen_nurminen"}
    turned = analysed(capsys, tmp_path, successes((*counts[2:], *counts[:2])), design)
    limits = [-each for each in PUBLISHED[counts][::-1]]
    for each in turned["conclusions"]:
        assert [each["lower"], each["upper"]] == pytest.approx(limits, abs=5.001e-5)


@pytest.mark.parametrize(("direction", "margin"), [("higher", -0.05), ("lower", 0.15)])
def test_after_two_looks_each_limit_is_found_at_its_own_variance(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, direction: str, margin: float
) -> None:
    """Chances of outcomes as extreme, from a bivariate normal law; the first look went by the variance at the margin."""
    counts = (60, 90, 48, 90) if direction == "higher" else (40, 90, 52, 90)
    sign = 1.0 if direction == "higher" else -1.0
    plan = {"information": [0.5, 1], "alpha": 0.025, "efficacy": "lan_demets_pocock"}
    design = {
        "analysis": {"miettinen_nurminen": {"margin": margin}}, "direction": direction, "design": plan,
        "looks": [{"z": 1.2, "at": 80}],
    }  # fmt: skip
    found = analysed(capsys, tmp_path, successes(counts), design)
    first, last = found["efficacy_z"]
    rate = 80 / 180
    difference = counts[0] / counts[1] - counts[2] / counts[3]
    assert found["z"] == pytest.approx(
        sign * (difference - margin) * np.sqrt(information(counts, margin)), abs=1e-6
    )

    def as_extreme(true: float) -> float:
        mean = sign * (true - margin) * np.sqrt(information(counts, margin))
        beyond = sign * (difference - true) * np.sqrt(information(counts, true))
        law = multivariate_normal([mean * np.sqrt(rate), 0.0], [[1, np.sqrt(rate)], [np.sqrt(rate), 1]])
        return 1.0 - float(law.cdf([first, beyond]))

    repeated, stagewise = found["conclusions"]
    assert stagewise["p_value"] == pytest.approx(as_extreme(margin), abs=1e-6)
    for key, chance in (("lower", 0.025), ("estimate", 0.5), ("upper", 0.975)):
        wanted = chance if sign > 0 or key == "estimate" else 1.0 - chance
        true = optimize.brentq(lambda each: as_extreme(each) - wanted, -0.9, 0.9, xtol=1e-10)  # noqa: B023
        assert stagewise[key] == pytest.approx(true, abs=2e-6)
    for key in ("lower", "upper"):
        distance = abs(difference - repeated[key])
        assert distance * np.sqrt(information(counts, repeated[key])) == pytest.approx(last, abs=1e-6)


@pytest.mark.parametrize(
    ("counts", "direction", "margin", "z"),
    [
        ((0, 100, 0, 100), "lower", 0.1, 2.5),
        ((1, 100, 1, 100), "lower", 0.1, 2.5),
        ((98, 100, 98, 100), "higher", -0.1, 2.5),
        ((196, 200, 195, 200), "higher", -0.1, 2.0),
    ],
)
def test_rates_near_the_ends_do_not_make_much_of_a_look_that_was_passed(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    counts: tuple[int, ...],
    direction: str,
    margin: float,
    z: float,
) -> None:
    """The first look has little to say: its bound is far off, so that estimates stay near the difference seen."""
    plan = {"information": [0.5, 1], "alpha": 0.025, "efficacy": "lan_demets_obrien_fleming"}
    design = {
        "analysis": {"miettinen_nurminen": {"margin": margin}}, "direction": direction, "design": plan,
        "looks": [{"z": z, "at": (counts[1] + counts[3]) // 2}],
    }  # fmt: skip
    difference = counts[0] / counts[1] - counts[2] / counts[3]
    for each in analysed(capsys, tmp_path, successes(counts), design)["conclusions"]:
        assert each["lower"] < difference < each["upper"]
        assert each["estimate"] == pytest.approx(difference, abs=0.01)


MEANS = pd.DataFrame(
    {
        "arm": ["t", "c", "c"] * 6,
        "base": np.round(np.linspace(-1.3, 2.4, 18) ** 2, 2),
        "value": [3.1, 0.4, 1.2, 4.8, 1.9, -0.7, 2.2, 2.6, 0.1, 5.9, 1.1, 1.4, 1.7, 0.2, 2.9, 3.6, -1.2, 0.8],
    }
)
TESTS: dict[str, Any] = {"t_test": "t_test", "welch": "welch", "ancova": {"ancova": {"covariates": ["base"]}}}


def interval(test: str, level: float) -> tuple[float, float]:
    """Return the interval of scipy, or of statsmodels."""
    if test == "ancova":
        fitted = formula.ols("value ~ I(arm == 't') + base", MEANS).fit()
        lower, upper = fitted.conf_int(1 - level).loc["I(arm == 't')[T.True]"]
        return float(lower), float(upper)
    arms = [MEANS.value[MEANS.arm == arm] for arm in "tc"]
    found = ttest_ind(*arms, equal_var=test == "t_test").confidence_interval(level)
    return float(found.low), float(found.high)


@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize("test", TESTS)
def test_limits_of_few_patients_are_those_of_t(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, test: str, direction: str
) -> None:
    """With one look; at the first of two the repeated interval has the level of its bound."""
    design = {"analysis": TESTS[test], "direction": direction, "design": {"information": [1], "alpha": 0.025}}
    alone = analysed(capsys, tmp_path, MEANS, design)
    for each in alone["conclusions"]:
        assert (each["lower"], each["upper"]) == pytest.approx(interval(test, 0.95), abs=1e-9)
        assert each["estimate"] == pytest.approx(alone["estimate"], abs=1e-9)
    design |= {"design": {"information": [0.6, 1], "alpha": 0.025}, "maximum": {"patients": 30}}
    early = analysed(capsys, tmp_path, MEANS, design)
    repeated = early["conclusions"][0]
    level = 1 - 2 * norm.sf(early["efficacy_z"][0])
    assert (repeated["lower"], repeated["upper"]) == pytest.approx(interval(test, level), abs=1e-7)
    assert repeated["estimate"] == early["estimate"]


def test_a_look_that_spends_nothing_leaves_no_limit(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plan = {
        "information": [0.5, 1], "alpha": 0.025, "efficacy": "user_defined", "efficacy_parameter": [0, 0.025],
    }  # fmt: skip
    design = {"analysis": "t_test", "direction": "higher", "design": plan, "maximum": {"patients": 36}}
    (repeated,) = analysed(capsys, tmp_path, MEANS, design)["conclusions"]
    assert (repeated["lower"], repeated["upper"]) == (None, None)
