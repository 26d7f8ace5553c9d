"""Assurance against its closed form for normal outcomes, and what cannot be a design prior."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from scipy.special import ndtr, ndtri

from tests.unit.shipped_schema import check_document
from trialsim.cli.main import main
from trialsim.errors import UsageError
from trialsim.oc.assurance import assurance, prior_written
from trialsim.scenario.load import scenario_from

TREE = {
    "name": "normal",
    "arms": ["control", "treatment"],
    "accrual": {"evenly_spaced": {"over": "10 weeks"}},
    "endpoints": {"score": {"kind": "continuous", "readout": "1 week", "mean": 0, "sd": 1, "effect": {"treatment": 0.4}}},
    "hypotheses": {
        "gain": {
            "endpoint": "score", "arms": ["treatment", "control"], "direction": "higher", "analysis": {"z_test": {"sd": 1}},
        },
    },
    "truths": {"planned": {}},
    "designs": {
        "fixed": {
            "kind": "fixed", "n": 100, "allocation": "alternating", "looks": [{"when": {"readouts": 100}}],
            "tests": {"gain": {"alpha": 0.025}},
        }
    },
}  # fmt: skip


def test_it_is_that_of_the_closed_form() -> None:
    prior = prior_written("endpoints.score.effect.treatment=normal(0.4, 0.25)")
    found = assurance(scenario_from(TREE, Path()), "fixed", [prior], "all", 40, 250, 1)
    se, z = math.sqrt(4 / 100), float(ndtri(0.975))
    expected = float(ndtr((0.4 / se - z) / math.sqrt(1 + (0.25 / se) ** 2)))
    assert found.mcse < 0.005
    assert found.probability == pytest.approx(expected, abs=5 * found.mcse)
    assert found.at_mean[0] == pytest.approx(float(ndtr(0.4 / se - z)), abs=5 * found.at_mean[1])
    # A prior this wide costs what the power at its mean does not tell.
    assert found.probability < found.at_mean[0]


@pytest.mark.parametrize(
    "text", ["0.4", "a=normal(1)", "a=cauchy(0, 1)", "a=normal(0, -1)", "a=uniform(2, 1)", "a=beta(x, 1)"]
)
def test_what_is_no_prior_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="laws: normal"):
        prior_written(text)


def test_json_keeps_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    scenario = (
        Path(__file__).resolve().parents[2] / "scenarios" / "binary_sequential" / "binary_sequential.yaml"
    )
    prior = "endpoints.response.effect.treatment=beta(45, 55)"
    options = ["--design", "fixed", "--prior", prior, "--points", "3", "--trials", "5", "--json"]
    assert main(["assurance", str(scenario), *options]) == 0
    check_document("assurance", json.loads(capsys.readouterr().out))
