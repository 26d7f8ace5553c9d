"""A scenario with a model that cannot serve it is refused where it is read, at the place of its checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from trialsim.errors import ScenarioError
from trialsim.models.checkpoint import write_checkpoint
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario

WORLD: dict[str, Any] = {
    "name": "served",
    "population": {
        "marginals": {
            "age": {"normal": {"mean": 60, "sd": 10}},
            "sex": {"categorical": {"male": 0.5, "female": 0.5}},
        }
    },
    "accrual": {"sites": {"ward": {"count": 2, "rate": "5 per month"}}},
    "screening": {"eligible": {"probability": 0.4}},
    "arms": ["control", "treatment"],
    "endpoints": {"response": {"kind": "binary", "readout": "1 week", "rate": 0.3, "effect": {"treatment": 0.5},
                               "effect_measure": "rate"}},
    "hypotheses": {"primary": {"endpoint": "response", "arms": ["treatment", "control"], "analysis": "score_test",
                               "direction": "higher"}},
    "truths": {"expected": {}},
}  # fmt: skip
ENCODING = {"names": ["age", "sex"], "levels": [[], ["female", "male"]]}


def read(
    folder: Path, about: dict[str, Any], change: Callable[[bytes], bytes], ranking: dict[str, Any]
) -> Scenario:
    """Read a world in which a ranking has a checkpoint that says this of itself, its bytes changed and pinned."""
    file = folder / "m.safetensors"
    write_checkpoint(file, {"weights": np.arange(4.0)}, about)
    file.write_bytes(change(file.read_bytes()))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    pinned = {"checkpoint": file.name, "digest": digest}
    design = {"kind": "fixed", "n": 20, "allocation": "simple", "looks": [{"when": {"readouts": 20}}],
              "tests": {"primary": {"alpha": 0.025}}, "reviews": {"every": {"enrolled": 5}},
              "policies": {"recruitment": _with(ranking, pinned)}}  # fmt: skip
    path = folder / "served.yaml"
    path.write_text(yaml.safe_dump(WORLD | {"designs": {"ranked": design}}), encoding="utf-8")
    return load_scenario(path)


def _with(ranking: dict[str, Any], pinned: dict[str, str]) -> dict[str, Any]:
    ((name, parameters),) = ranking.items()
    if "ranking" in parameters:
        return {name: parameters | {"ranking": _with(parameters["ranking"], pinned)}}
    return {name: parameters | pinned}


def unchanged(content: bytes) -> bytes:
    return content


@pytest.mark.parametrize(
    ("about", "change", "ranking", "said"),
    [
        ({}, lambda content: content[:-1], {"mlp": {}}, "is no checkpoint of trialsim, or not whole"),
        ({}, lambda content: content[:60], {"mlp": {}}, "is no checkpoint of trialsim, or not whole"),
        ({}, lambda content: b"", {"mlp": {}}, "is no checkpoint of trialsim, or not whole"),
        ({}, lambda content: b"\x80\x04K\x01.", {"mlp": {}}, "is no checkpoint of trialsim, or not whole"),
        ({"kind": "logistic"}, unchanged, {"mlp": {}}, "holds a model of kind logistic; mlp is expected"),
        ({"kind": "mlp"}, unchanged, {"relearned": {}}, "holds a model of kind mlp; logistic is expected"),
        (
            {"encoding": {"names": ["crp"], "levels": [[]]}}, unchanged, {"mlp": {}},
            "was trained on the covariate 'crp', which the scenario does not have; it has age, sex",
        ),
        (
            {"encoding": {"names": ["sex"], "levels": [["female", "male", "other"]]}}, unchanged, {"mlp": {}},
            "was trained on 'sex' as female, male, other; the scenario has female, male",
        ),
        (
            {"encoding": {"names": ["age"], "levels": [["old", "young"]]}}, unchanged, {"mlp": {}},
            "was trained on 'age' as old, young; the scenario has a number",
        ),
    ],
)  # fmt: skip
def test_a_model_that_cannot_serve_is_refused_at_its_place(
    tmp_path: Path,
    about: dict[str, Any],
    change: Callable[[bytes], bytes],
    ranking: dict[str, Any],
    said: str,
) -> None:
    (name,) = ranking
    with pytest.raises(ScenarioError) as told:
        read(tmp_path, {"kind": "mlp", "encoding": ENCODING} | about, change, ranking)
    (problem,) = told.value.problems
    assert problem.path == f"designs.ranked.policies.recruitment.{name}.checkpoint"
    assert problem.message.startswith(f"'m.safetensors' {said}")


def test_one_inside_another_ranking_is_found_there(tmp_path: Path) -> None:
    ranking = {"within_group": {"covariate": "sex", "ranking": {"gradient_boosting": {}}}}
    with pytest.raises(ScenarioError) as told:
        read(tmp_path, {"kind": "logistic"}, unchanged, ranking)
    (problem,) = told.value.problems
    assert (
        problem.path
        == "designs.ranked.policies.recruitment.within_group.ranking.gradient_boosting.checkpoint"
    )


@pytest.mark.parametrize(
    "ranking", [{"mlp": {}}, {"within_group": {"covariate": "sex", "ranking": {"mlp": {}}}}]
)
def test_one_that_fits_is_taken(tmp_path: Path, ranking: dict[str, Any]) -> None:
    taken = read(tmp_path, {"kind": "mlp", "encoding": ENCODING}, unchanged, ranking)
    assert list(taken.designs) == ["ranked"]
