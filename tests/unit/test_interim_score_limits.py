"""``trialsim analyse`` by Miettinen and Nurminen's test: limits are the differences that the score test does not reject."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import optimize, special
from scipy.stats import multivariate_normal

from trialsim.cli import main as entry

PUBLISHED = {
    (56, 70, 48, 80): (0.0528, 0.3382),
    (9, 10, 3, 10): (0.1700, 0.8406),
    (5, 56, 0, 29): (-0.0326, 0.1933),
    (10, 10, 0, 20): (0.7156, 1.0),
}
"""Successes and patients on treatment and control; Newcombe (1998, Statistics in Medicine 17, 873-890), table II."""


def analysed(
    capsys: pytest.CaptureFixture[str], folder: Path, counts: tuple[int, ...], design: dict[str, Any]
) -> dict[str, Any]:
    """Return what the command prints of a trial with these successes and patients on treatment and control."""
    x1, n1, x0, n0 = counts
    lines = [f"{arm},{int(place < x)}" for arm, x, n in (("t", x1, n1), ("c", x0, n0)) for place in range(n)]
    (folder / "data.csv").write_text("\n".join(["arm,value", *lines]), encoding="utf-8")
    whole = {
        "arms": ["c", "t"], "columns": {"arm": "arm", "value": "value"}, "maximum": {"patients": n1 + n0},
    } | design  # fmt: skip
    (folder / "design.yaml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    written = str(folder / "design.yaml")
    assert entry.main(["analyse", str(folder / "data.csv"), "--design", written, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


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
    found = analysed(capsys, tmp_path, counts, design)
    for each in found["conclusions"]:
        assert (each["lower"], each["upper"]) == pytest.approx(PUBLISHED[counts], abs=5.001e-5)
        assert each["estimate"] == pytest.approx(counts[0] / counts[1] - counts[2] / counts[3], abs=1e-9)
    turned = analysed(
        capsys, tmp_path, (*counts[2:], *counts[:2]), design | {"direction": "lower", "analysis": "miettinen_nurminen"}
    )  # fmt: skip
    limits = [-each for each in PUBLISHED[counts][::-1]]
    for each in turned["conclusions"]:
        assert [each["lower"], each["upper"]] == pytest.approx(limits, abs=5.001e-5)


@pytest.mark.parametrize(("direction", "margin"), [("higher", -0.05), ("lower", 0.15)])
def test_after_two_looks_each_limit_is_found_at_its_own_variance(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, direction: str, margin: float
) -> None:
    """The chance of an outcome as extreme, from a bivariate normal law with the information of the difference itself."""
    counts = (60, 90, 48, 90) if direction == "higher" else (40, 90, 52, 90)
    sign = 1.0 if direction == "higher" else -1.0
    plan = {"information": [0.5, 1], "alpha": 0.025, "efficacy": "lan_demets_pocock"}
    design = {
        "analysis": {"miettinen_nurminen": {"margin": margin}}, "direction": direction, "design": plan,
        "looks": [{"z": 1.2, "at": 80}],
    }  # fmt: skip
    found = analysed(capsys, tmp_path, counts, design)
    first, last = found["efficacy_z"]
    rate = 80 / 180
    difference = counts[0] / counts[1] - counts[2] / counts[3]
    assert found["z"] == pytest.approx(
        sign * (difference - margin) * np.sqrt(information(counts, margin)), abs=1e-6
    )

    def as_extreme(true: float) -> float:
        root = np.sqrt(information(counts, true))
        mean, z = sign * (true - margin) * root, sign * (difference - margin) * root
        law = multivariate_normal([mean * np.sqrt(rate), mean], [[1, np.sqrt(rate)], [np.sqrt(rate), 1]])
        return 1.0 - float(law.cdf([first, z]))

    repeated, stagewise = found["conclusions"]
    assert stagewise["p_value"] == pytest.approx(as_extreme(margin), abs=1e-6)
    for key, chance in (("lower", 0.025), ("estimate", 0.5), ("upper", 0.975)):
        wanted = chance if sign > 0 or key == "estimate" else 1.0 - chance
        true = optimize.brentq(lambda each: as_extreme(each) - wanted, -0.9, 0.9, xtol=1e-10)  # noqa: B023
        assert stagewise[key] == pytest.approx(true, abs=2e-6)
    for key in ("lower", "upper"):
        distance = abs(difference - repeated[key])
        assert distance * np.sqrt(information(counts, repeated[key])) == pytest.approx(last, abs=1e-6)
