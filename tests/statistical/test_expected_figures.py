"""Operating characteristics that somebody else computed: every figure of every ``expected.yaml``."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.twins.exhaustive import every
from trialsim.contracts import Status
from trialsim.engines.records import STATUSES
from trialsim.engines.runner import run
from trialsim.scenario.load import load_scenario
from trialsim.timegrid import DAYS_PER_MONTH

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(ROOT.glob("scenarios/*/expected.yaml"))
SEED = 20260101
NOT_TESTED = STATUSES[Status.NOT_ANALYSED]
QUICK = {"binary_sequential", "nph_oncology", "computed_bounds"}
FEW = {
    "binary_sequential": 40_000,
    "backlog": 1000,
    "fairness": 1000,
    "completion": 1000,
    "predictive_enrichment": 4000,
    "prognostic_enrichment": 1000,
    "rectifier": 500,
    "adaptr_three_arm": 2000,
    "rar_drift": 1200,
    "ranking_drift": 1200,
    "half_respond": 1200,
    "advent": 200,
    "goldilocks_survival": 400,
    "basket_borrowing": 500,
    "robust_borrowing": 500,
    "safety_stopping": 2000,
    "patient_wise": 3000,
    "early_rejection": 4000,
}
MANY = {
    "binary_sequential": 400_000,
    "backlog": 5000,
    "fairness": 5000,
    "completion": 5000,
    "predictive_enrichment": 10_000,
    "safety_stopping": 20_000,
    "prognostic_enrichment": 5000,
    "rectifier": 5000,
    "adaptr_three_arm": 10_000,
    "rar_drift": 5000,
    "ranking_drift": 5000,
    "half_respond": 5000,
    "advent": 800,
    "goldilocks_survival": 2500,
    "basket_borrowing": 2500,
    "robust_borrowing": 2500,
    "patient_wise": 20_000,
    "early_rejection": 10_000,
}


@functools.cache
def figures() -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in FILES:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for figure in content["figures"]:
            refuse_our_own(path.parent, figure)
        found += [
            (path.parent / figure.get("scenario", content["scenario"]), figure)
            for figure in content["figures"]
        ]
    return found


def refuse_our_own(folder: Path, figure: dict[str, Any]) -> None:
    """Refuse a figure without a source, or whose source is this package or a script that uses it."""
    source = figure.get("source")
    if not isinstance(source, str) or not source.strip():
        raise ValueError(f"{folder.name}: {figure} has no source; say who computed it and how")
    if "trialsim" in source.lower():
        raise ValueError(f"{folder.name}: {source} is this package itself, which proves nothing")
    if source.endswith(".py") and "trialsim" in _modules_of(folder / source):
        raise ValueError(f"{folder.name}: {source} imports this package, so that its figures prove nothing")


@functools.cache
def _modules_of(script: Path) -> frozenset[str]:
    """Return the first names of the modules that a script imports, itself or by a script beside it."""
    found = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    beside = (script.with_name(f"{name}.py") for name in sorted(found))
    return frozenset(found).union(*(_modules_of(other) for other in beside if other.exists()))


def name_of(value: Any) -> str:
    if isinstance(value, Path):
        return value.stem
    keys = ("design", "truth", "measure", "subgroup", "look", "reason", "source")
    parts = (value[key] for key in keys if key in value)
    return "-".join(str(part) for part in parts)


@functools.cache
def records(path: Path, design: str, truth: str, replicates: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the trials of one cell, and which hypotheses were tested at their looks."""
    trials, looks = [], []

    def keep(tables: dict[str, Any]) -> None:
        trials.append(tables["trials"].to_pandas())
        if "subgroups" in tables:
            of = (
                tables["subgroups"]
                .to_pandas()
                .pivot_table("randomised", "replicate", "subgroup", observed=True)
            )
            trials[-1] = trials[-1].join(of.add_prefix("randomised:"), on="replicate")
        if "screening" in tables:
            of = tables["screening"].to_pandas().pivot_table("failures", "replicate", "reason", observed=True)
            trials[-1] = trials[-1].join(of.add_prefix("failures:"), on="replicate")
        shown = tables["looks"].select(["replicate", "look", "cut_time", "hypothesis", "status"]).to_pandas()
        looks.append(shown[shown["status"] != NOT_TESTED].drop(columns="status"))

    run(load_scenario(path), [design], [truth], replicates, SEED, "fast", 1, keep)
    return pd.concat(trials, ignore_index=True), pd.concat(looks, ignore_index=True)


def simulated(trials: pd.DataFrame, looks: pd.DataFrame, figure: dict[str, Any]) -> np.ndarray:
    """Return the values whose mean is the measure."""
    measure = figure["measure"]
    if measure in ("reject", "reject_by_look"):
        look = trials[f"reject_look:{figure['hypothesis']}"].to_numpy()
        last = figure["look"] if measure == "reject_by_look" else look.max()
        values = (look > 0) & (look <= last)
    elif measure == "reject_any":
        tested = [name for name in trials.columns if name.startswith("reject_look:")]
        values = (trials[tested] > 0).any(axis=1).to_numpy()
    elif measure == "reject_all":
        tested = [name for name in trials.columns if name.startswith("reject_look:")]
        values = (trials[tested] > 0).all(axis=1).to_numpy()
    elif measure == "duration":
        values = trials["lock_time"].to_numpy()
    elif measure == "look_time":
        first = looks.drop_duplicates(["replicate", "look"])
        values = first.loc[first["look"] == figure["look"], "cut_time"].to_numpy()
    elif measure == "tested_at_look":
        here = (looks["look"] == figure["look"]) & (looks["hypothesis"] == figure["hypothesis"])
        values = trials["replicate"].isin(looks.loc[here, "replicate"]).to_numpy()
    elif measure == "stop_reason":
        values = trials["stop_reason"].to_numpy() == figure["reason"]
    elif measure == "stop":
        values = trials["stop_look"].to_numpy() == figure["look"]
    elif measure == "screen_failure_rate":
        failures = trials["screen_failures"].to_numpy()
        values = failures / (failures + trials["enrolled"].to_numpy())
    elif measure == "found_eligible":
        values = (trials["screened"] - trials["failures:ineligible"]).to_numpy()
    elif measure == "subgroup_of_randomised":
        values = (trials[f"randomised:{figure['subgroup']}"] / trials["enrolled"]).to_numpy()
    else:
        values = trials[measure].to_numpy()
    values = values.astype(float)
    return values / DAYS_PER_MONTH if figure["unit"] == "months" else values


def check(path: Path, figure: dict[str, Any], replicates: int) -> None:
    values = simulated(*records(path, figure["design"], figure["truth"], replicates), figure)
    value = figure["value"]
    probability = figure["unit"] == "probability"
    # The error of a probability is taken at the figure, so that a share of zero is not thought exact.
    own = np.sqrt(value * (1 - value)) if probability else values.std(ddof=1)
    theirs = figure["mcse"] if "mcse" in figure else own / np.sqrt(figure["n"])
    error = np.hypot(own / np.sqrt(len(values)), theirs)
    difference = values.mean() - value
    assert abs(difference) <= 5 * error + figure.get("slack", 0.0), (
        f"{values.mean():.6g} instead of {value}: {difference / error:.1f} standard errors"
    )
    precision = figure.get(
        "precision", 0.05
    )  # relative; wider only where the published simulation itself is small
    assert error < precision * max(abs(value), 0.02), "too few trials to tell anything"


@pytest.mark.parametrize(
    "cell",
    [cell if cell[0].stem in QUICK else pytest.param(cell, marks=pytest.mark.slow) for cell in figures()],
    ids=lambda cell: "-".join(map(name_of, cell)),
)
def test_figure(cell: tuple[Path, dict[str, Any]]) -> None:
    path, figure = cell
    check(path, figure, FEW.get(path.stem, 20_000))


@pytest.mark.slow
@pytest.mark.parametrize("cell", every(70, figures()), ids=lambda cell: "-".join(map(name_of, cell)))
def test_figure_of_a_hundred_thousand_trials(cell: tuple[Path, dict[str, Any]]) -> None:
    path, figure = cell
    check(path, figure, MANY.get(path.stem, 100_000))


def test_there_are_figures_for_the_scenarios() -> None:
    stems = {
        "binary_sequential", "nph_oncology", "backlog", "computed_bounds", "sample_size_reestimation",
        "three_stages", "multi_arm", "fairness", "advent", "basket_borrowing", "robust_borrowing", "late_effect",
        "lee_liu", "adaptr_three_arm", "adaptr_two_arm", "rar_drift", "ranking_drift", "shared_level", "completion",
        "predictive_enrichment", "prognostic_enrichment", "rectifier", "safety_stopping",
        "goldilocks_survival", "patient_wise", "early_rejection", "half_respond",
        "event_reestimation", "early_endpoint", "overruled",
    }  # fmt: skip
    assert {path.stem for path, _ in figures()} == stems
    assert len(figures()) > 40


@pytest.mark.parametrize("source", ["", None, "trialsim 0.1, 10^6 trials", "ours.py", "beside.py"])
def test_a_figure_of_our_own_is_refused(tmp_path: Path, source: str | None) -> None:
    (tmp_path / "ours.py").write_text("from trialsim.simulation import simulate\n", encoding="utf-8")
    (tmp_path / "beside.py").write_text("import ours\n", encoding="utf-8")
    (tmp_path / "theirs.py").write_text("import numpy\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"source|proves? nothing"):
        refuse_our_own(tmp_path, {"value": 0.9, "source": source})
    refuse_our_own(tmp_path, {"value": 0.9, "source": "theirs.py"})
