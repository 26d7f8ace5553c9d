"""Simulating in Python gives what the command line gives, as tables, whatever the workers and chunks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import trialsim
from trialsim.cli import main as entry
from trialsim.oc.in_memory import Collected, collect
from trialsim.oc.montecarlo import wilson
from trialsim.oc.run_writer import TABLES as WRITTEN
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.simulation import Simulation
from trialsim.stats.exact_binary import exact_group_sequential_binary

REPLICATES = 400
TABLES = ("trials", "looks", "arms", "cells")


@pytest.fixture(scope="session")
def binary(root: Path) -> Path:
    return root / "scenarios" / "binary_sequential" / "binary_sequential.yaml"


@pytest.fixture(scope="module")
def simulation(binary: Path) -> Simulation:
    return trialsim.simulate(binary, replicates=REPLICATES, seed=3)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    names = [name for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)]
    return frame.astype(dict.fromkeys(names, object))


@pytest.mark.slow
def test_the_records_are_those_of_the_run_command(
    binary: Path, simulation: Simulation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ["run", binary, "--replicates", REPLICATES, "--seed", 3, "--workers", 1, "--out", out, "--json"]
    assert entry.main([str(word) for word in command]) == 0
    printed = json.loads(capsys.readouterr().out)
    for name in TABLES:
        written = pd.read_parquet(out / f"{name}.parquet")
        assert_frame_equal(_plain(getattr(simulation, name)()), _plain(written), check_exact=True)
    assert simulation.measures() == printed["measures"]
    assert simulation.comparisons() == printed["comparisons"]
    assert simulation.scenario.digest() == printed["digest"]


@pytest.mark.slow
def test_decision_rules_leave_the_table_of_the_run_command(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monitored = root / "scenarios" / "lee_liu" / "lee_liu.yaml"
    simulation, out = trialsim.simulate(monitored, replicates=40, seed=3), tmp_path / "run"
    command = ["run", monitored, "--replicates", 40, "--seed", 3, "--workers", 1, "--out", out, "--json"]
    assert entry.main([str(word) for word in command]) == 0
    assert simulation.measures() == json.loads(capsys.readouterr().out)["measures"]
    written = pd.read_parquet(out / "decisions.parquet")
    assert_frame_equal(_plain(simulation.decisions()), _plain(written), check_exact=True)
    assert (
        (simulation.decisions()["rule"] == 1).sum()
        == (simulation.trials()["stop_reason"] == "futility").sum()
        > 0
    )


def test_what_is_in_memory_has_room_for_every_table_of_a_run(simulation: Simulation) -> None:
    assert [field.name for field in fields(Collected)] == [*WRITTEN[:3], "cells", *WRITTEN[3:]]
    assert simulation.decisions().empty


@pytest.mark.slow
def test_workers_chunks_and_engine_change_nothing(binary: Path, simulation: Simulation) -> None:
    scenario = load_scenario(binary)
    few = trialsim.simulate(scenario, replicates=30, seed=3, engine="reference")
    two = trialsim.simulate(scenario, replicates=REPLICATES, seed=3, workers=2)
    odd = collect(scenario, simulation.designs, simulation.truths, REPLICATES, 3, chunk=7)
    for name in TABLES[:3]:
        whole = getattr(simulation, name)()
        assert_frame_equal(getattr(two, name)(), whole, check_exact=True)
        assert getattr(odd, name).equals(getattr(simulation.records, name))
        first = _plain(whole[whole["replicate"] < 30]).reset_index(drop=True)
        assert_frame_equal(_plain(getattr(few, name)()), first, check_exact=True)


def test_power_is_the_exact_one(simulation: Simulation) -> None:
    table = simulation.operating_characteristics()
    sizes, bounds = [(50, 50), (100, 100), (150, 150)], [3.71030, 2.51143, 1.99305]
    table = table.query("design == 'group_sequential' and name == 'reject'").set_index("truth")
    for truth, rate in (("alternative", 0.45), ("no_effect", 0.30)):
        exact = exact_group_sequential_binary((0.30, rate), sizes, bounds).power
        row = table.loc[truth]
        error = (exact * (1 - exact) / REPLICATES) ** 0.5
        assert abs(row["value"] - exact) <= 5 * error
        assert (row["lower"], row["upper"]) == wilson(round(row["value"] * REPLICATES), REPLICATES)


def test_a_row_is_a_trial_a_look_or_an_arm(simulation: Simulation) -> None:
    trials, looks, arms = simulation.trials(), simulation.looks(), simulation.arms()
    assert len(trials) == 2 * 2 * REPLICATES
    assert len(arms) == 2 * len(trials)
    key = ["design", "truth", "replicate"]
    taken = looks.groupby(key, observed=True)["look"].max()
    assert (trials.set_index(key)["stop_look"].sort_index() == taken.sort_index()).all()
    on_arms = arms.groupby(key, observed=True)["enrolled"].sum()
    assert (trials.set_index(key)["enrolled"].sort_index() == on_arms.sort_index()).all()


def test_names_are_categories_and_numbers_are_compact(simulation: Simulation) -> None:
    for name in TABLES:
        kinds = getattr(simulation, name)().dtypes
        assert [
            column for column, kind in kinds.items() if kind.kind == "O" and kind.name != "category"
        ] == []
    trials = simulation.trials()
    assert trials["reject:primary"].dtype == bool
    assert trials["enrolled"].dtype == "int32"
    assert trials.memory_usage(index=False, deep=True).sum() / len(trials) < 150


@pytest.mark.slow
def test_more_truths_than_fit_a_byte(binary: Path) -> None:
    tree = load_scenario(binary).dump()
    rates = [0.3 + step / 1000 for step in range(150)]
    tree["truths"] = {"ladder": {"grid": {"endpoints.response.effect.treatment": rates}}}
    simulation = trialsim.simulate(scenario_from(tree), "fixed", "ladder", replicates=2)
    trials = simulation.trials()
    assert len(simulation.truths) == 150
    assert list(dict.fromkeys(trials["truth"])) == list(simulation.truths)


def test_one_name_is_a_name_and_not_its_letters(binary: Path) -> None:
    simulation = trialsim.simulate(binary, designs="fixed", truths="no_effect", replicates=5)
    assert simulation.designs == ("fixed",)
    assert simulation.truths == ("no_effect",)
    assert set(simulation.trials()["design"]) == {"fixed"}
    assert repr(simulation) == (
        "Simulation(binary_sequential: designs fixed; truths no_effect; 5 replicates, seed 1)"
    )


def test_a_look_that_no_trial_reached_is_reported_all_the_same(binary: Path) -> None:
    simulation = trialsim.simulate(binary, "group_sequential", "alternative", replicates=1, seed=3)
    table = simulation.operating_characteristics()
    assert simulation.looks()["look"].max() < 3
    assert list(table[table["name"] == "reject_by_look"]["look"]) == [1, 2, 3]


def test_a_date_adds_its_measure(simulation: Simulation) -> None:
    table = simulation.operating_characteristics(finished_by="10 months")
    found = table[table["name"].str.startswith("finished_by")]
    trials = simulation.trials()
    for _, row in found.iterrows():
        own = trials[(trials["design"] == row["design"]) & (trials["truth"] == row["truth"])]
        assert row["value"] == (own["lock_time"] <= 10 * 30.4375).mean()
    assert len(found) == 4
    with pytest.raises(trialsim.UsageError, match=r"finished_by: .*18"):
        simulation.operating_characteristics(finished_by="18")


def test_a_trial_that_is_explained_is_the_one_in_the_records(simulation: Simulation) -> None:
    trials = simulation.trials().query("design == 'group_sequential' and truth == 'alternative'")
    row = trials[trials["stop_look"] == 2].iloc[0]
    story = simulation.explain("group_sequential", "alternative", int(row["replicate"]))
    assert story.replay.stop_look == 2
    assert len(story.patients) == row["enrolled"]
    assert "seed 3" in story.text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"designs": ["fixd"]}, "no design 'fixd'.*Did you mean 'fixed'"),
        ({"truths": ["nothing"]}, "no truth 'nothing'"),
        ({"replicates": 0}, "replicates is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"engine": "slow"}, "no engine is called 'slow'"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_what_cannot_be_simulated_is_a_sentence(
    binary: Path, arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(trialsim.UsageError, match=sentence):
        trialsim.simulate(binary, **{"replicates": 5, **arguments})  # type: ignore[arg-type]


def test_a_file_that_is_no_scenario_tells_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("name: empty\n")
    with pytest.raises(trialsim.ScenarioError) as raised:
        trialsim.simulate(path)
    assert len(raised.value.problems) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("compare_designs", "Fixed minus group sequential, paired by replicate"),
        ("sweep_sample_size", "Smallest n with a power of at least 0.9:"),
        ("truth_ladder", "true difference"),
    ],
)
def test_an_example_runs_and_says_something(root: Path, name: str, printed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(root / "examples" / f"{name}.py"), "200"],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout
    assert done.stderr == ""


def test_every_example_is_run(root: Path) -> None:
    without_output = {
        path.stem for path in (root / "examples").glob("*.py") if not path.with_suffix(".out").is_file()
    }
    assert without_output == {"compare_designs", "sweep_sample_size", "truth_ladder"}


def test_the_page_about_python_is_true(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    page = (root / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec("\n".join(blocks), {})
    out = capsys.readouterr().out
    assert len(blocks) == 4
    assert "patients saved: " in out
    assert "for efficacy at look 2" in out


def test_a_design_with_bounds_too_low_for_its_alpha_is_said_to_exceed_it(binary: Path) -> None:
    from trialsim.oc.run_folder import alpha_targets
    from trialsim.report.answer import type_one_error_sentences

    tree = load_scenario(binary).dump()
    tree["designs"]["group_sequential"]["bounds"]["efficacy_z"] = [1.0, 1.0, 1.0]
    broken = scenario_from(tree)
    found = trialsim.simulate(broken, truths="no_effect", replicates=1000).characteristics
    sentences = type_one_error_sentences(found, alpha_targets(broken.dump()))
    assert len(sentences) == 1
    assert "in “group_sequential” under “no_effect”" in sentences[0]
    assert sentences[0].endswith("(simultaneous over 2): exceeds the target 0.025.")
