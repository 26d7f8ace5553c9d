"""Learned rankings: trained apart from what they are judged on, kept to the last bit, refused when they are another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import trialsim
from tests.unit.logged_run import write_run
from tests.unit.shipped_schema import check_document
from trialsim import registry
from trialsim.cli.main import main
from trialsim.conformance import check_policy, check_twins
from trialsim.conformance.sample_views import candidate_view
from trialsim.contracts import Screenings
from trialsim.engines.runner import MOST_REPLICATES
from trialsim.errors import ScenarioError, UsageError
from trialsim.learning import evaluation
from trialsim.learning.request import OPTIONS, TrainingRequest, read_request
from trialsim.learning.screening_log import FIRST_REPLICATE, ScreeningLog, split_by_site
from trialsim.learning.training import Trained, train
from trialsim.models.checkpoint import read_checkpoint
from trialsim.models.dense import training_device
from trialsim.models.quality import area_under_curve, brier_score, log_loss
from trialsim.oc.decision_log import ROOT, verify
from trialsim.oc.decision_replay import replayed
from trialsim.oc.in_memory import collect
from trialsim.oc.run_checks import require_scenario
from trialsim.report.rankings import draw_rankings
from trialsim.scenario.load import scenario_from, scenario_from_text
from trialsim.scenario.schema import Scenario

sklearn = pytest.importorskip("sklearn")
torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

WORLD = """
name: learning
horizon: 3 years
population:
  marginals:
    group: {categorical: {A: 0.6, B: 0.4}}
    age: {normal: {mean: 60, sd: 10}}
    marker: {log_normal: {median: 2, sd_log: 0.7}}
accrual:
  sites:
    ward: {count: 4, rate: 6 per month, backlog: 40, coordinators: 1, activation: {uniform: {from: 0 days, to: 30 days}}}
screening:
  consent: {probability: 0.8, duration: 1 day}
  eligible:
    probability: 0.4
    covariates: {age: -0.08, group.B: 0.6}
    centre: {age: 60}
    interactions: [{of: [age, group.B], coefficient: 0.15}]
  duration: {uniform: {from: 3 days, to: 9 days}}
  subgroup: group
  records: {missing: {age: 0.2, group: 0.1}, site_sd: {marker: 0.5}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 4 weeks, rate: 0.3, effect: {treatment: 0.5}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {expected: {}}
designs:
  usual:
    kind: fixed
    n: 40
    allocation: simple
    looks: [{when: {readouts: 40}}]
    tests: {primary: {alpha: 0.025}}
"""
SHORT: dict[str, dict[str, Any]] = {
    "logistic": {},
    "gradient_boosting": {"trees": 30},
    "mlp": {"epochs": 4, "hidden": (8, 4)},
}


def request(kind: str, path: Path, **changes: Any) -> TrainingRequest:
    options = {key: default for key, (default, *_) in OPTIONS[kind].items()} | SHORT[kind]
    return replace(TrainingRequest(kind, path, None, None, "randomised", 16, 1, options), **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("learning")
    (made / "world.yaml").write_text(WORLD, encoding="utf-8")
    return made


def test_where_a_network_is_trained_is_recorded_and_checked(
    folder: Path, trained: dict[str, tuple[Trained, str]]
) -> None:
    """A GPU is taken where there is one and refused where there is none; trees and logistic regression need none."""
    there = torch.cuda.is_available()
    assert trained["mlp"][0].about["device"] == ("cuda" if there else "cpu")
    assert train(request("logistic", folder / "world.yaml", device="cuda")).about["device"] == "cpu"
    assert training_device("cpu") == "cpu"
    if there:
        assert training_device("cuda") == "cuda"
    else:
        with pytest.raises(UsageError, match="sees no GPU"):
            train(request("mlp", folder / "world.yaml", device="cuda"))
    with pytest.raises(UsageError, match="no device 'gpu'; allowed: auto, cpu, cuda"):
        training_device("gpu")


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, tuple[Trained, str]]:
    found = {}
    for kind in OPTIONS:
        result = train(request(kind, folder / "world.yaml"))
        found[kind] = (result, result.write(folder / f"{kind}.safetensors"))
    return found


def scenario_with(folder: Path, rankings: dict[str, Any]) -> Scenario:
    whole = scenario_from_text(WORLD, folder)
    return evaluation._with_rankings(whole, "usual", rankings, folder)


def pinned(trained: dict[str, tuple[Trained, str]], kind: str) -> dict[str, Any]:
    return {kind: {"checkpoint": f"{kind}.safetensors", "digest": trained[kind][1]}}


def policy(trained: dict[str, tuple[Trained, str]], folder: Path, kind: str) -> Any:
    name = folder / f"{kind}.safetensors"
    return registry.get("policies", f"recruitment.{kind}")(str(name), trained[kind][1])


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_learned_ranking_keeps_the_rules(trained: Any, folder: Path, kind: str) -> None:
    assert check_policy(policy(trained, folder, kind)) == []


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_decision_is_the_same_to_the_last_bit_wherever_a_candidate_stands(trained: Any, kind: str) -> None:
    model = trained[kind][0].model
    values = candidate_view(1500).covariates
    whole = model.log_odds(values)
    assert np.isfinite(whole).all()
    for rows in (slice(0, 1), slice(1, 2), slice(3, 700), slice(511, 1024), slice(700, 1500)):
        assert model.log_odds(values[rows]).tobytes() == whole[rows].tobytes()
    order = np.random.default_rng(3).permutation(1500)
    assert model.log_odds(values[order]).tobytes() == whole[order].tobytes()
    one = np.repeat(values[:1], 1024, axis=0)
    assert len(set(model.log_odds(one).tolist())) == 1


def test_trees_give_what_scikit_learn_gives_to_the_last_bit() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    from trialsim.models.features import learn_encoding
    from trialsim.models.gradient_boosting import GradientBoostingModel, arrays_of

    view = candidate_view(4000)
    label = np.random.default_rng(5).random(4000) < 1 / (
        1 + np.exp(np.nan_to_num(view.covariates[:, 1]) - 60)
    )
    encoding = learn_encoding(view.covariates, view.names, view.levels)
    fitted = HistGradientBoostingClassifier(max_iter=25, early_stopping=False, random_state=1)
    fresh = candidate_view(5000).covariates
    with threadpool_limits(1):  # several threads wait for each other for a minute where the machine is busy
        fitted.fit(encoding.trees(view.covariates), label)
        expected = fitted.decision_function(encoding.trees(fresh))
    model = GradientBoostingModel(encoding, arrays_of(fitted, 25))
    assert model.log_odds(fresh).tobytes() == expected.tobytes()


def test_logistic_regression_gives_what_scikit_learn_gives(trained: Any) -> None:
    from sklearn.linear_model import LogisticRegression

    model = trained["logistic"][0].model
    weights = model.arrays()["weights"]
    theirs = LogisticRegression()
    theirs.classes_, theirs.coef_, theirs.intercept_ = np.array([0, 1]), weights[None, 1:], weights[:1]
    values = candidate_view(500).covariates
    np.testing.assert_allclose(
        model.log_odds(values),
        theirs.decision_function(model.encoding.linear(values)),
        rtol=1e-12,
        atol=1e-12,
    )


def test_the_network_gives_what_torch_gives(trained: Any) -> None:
    model = trained["mlp"][0].model
    arrays, parts = model.arrays(), []
    for k in range(3):
        weight = torch.tensor(arrays[f"weight_{k}"])
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
        layer.load_state_dict({"weight": weight, "bias": torch.tensor(arrays[f"bias_{k}"])})
        parts += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*parts[:-1])
    values = candidate_view(700).covariates
    with torch.no_grad():
        expected = network(torch.from_numpy(model.encoding.linear(values)))[:, 0].numpy()
    np.testing.assert_allclose(model.log_odds(values), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_same_request_gives_the_same_checkpoint(
    trained: Any, folder: Path, tmp_path: Path, kind: str
) -> None:
    again = train(request(kind, folder / "world.yaml"))
    assert again.write(tmp_path / "again.safetensors") == trained[kind][1]
    other = train(request(kind, folder / "world.yaml", seed=2))
    assert other.write(tmp_path / "other.safetensors") != trained[kind][1]


def test_what_is_learned_from_is_never_what_is_judged(trained: Any) -> None:
    assert FIRST_REPLICATE > MOST_REPLICATES
    for kind in OPTIONS:
        about = trained[kind][0].about
        assert about["replicates"][0] >= FIRST_REPLICATE
        quality = trained[kind][0].quality
        assert sum(part["sites"] for part in quality.values()) == 64
        assert quality["train"]["sites"] == pytest.approx(0.7 * 64, abs=2)
    # Trained on enough to be worth something at sites that it has not seen.
    assert trained["gradient_boosting"][0].quality["test"]["auc"] > 0.6


def test_sites_are_split_whole_and_each_part_has_its_share_of_good_ones() -> None:
    rng = np.random.default_rng(2)
    site = np.repeat(np.arange(200) * 3 + 1, rng.integers(3, 30, 200))
    quality = rng.beta(2, 3, 601)
    label = rng.random(len(site)) < quality[site]
    part = split_by_site(ScreeningLog(np.zeros((len(site), 1)), label, site), 4)
    sites = [set(site[part == each].tolist()) for each in range(3)]
    assert [len(each) for each in sites] == [140, 30, 30]
    assert not (sites[0] & sites[1] or sites[1] & sites[2] or sites[0] & sites[2])
    shares = [np.mean([label[site == s].mean() for s in each]) for each in sites]
    # Simple random halves of 30 sites would differ by about 0.04 each.
    assert max(shares) - min(shares) < 0.03
    with pytest.raises(UsageError, match="at least 20"):
        split_by_site(ScreeningLog(np.zeros((5, 1)), np.ones(5, dtype=bool), np.arange(5)), 1)


def test_areas_and_losses_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    rng = np.random.default_rng(6)
    odds = np.round(rng.normal(0, 2, 500), 1)  # with ties
    label = rng.random(500) < 1 / (1 + np.exp(-odds))
    chance = 1 / (1 + np.exp(-odds))
    assert area_under_curve(odds, label) == pytest.approx(metrics.roc_auc_score(label, odds), abs=1e-12)
    assert log_loss(odds, label) == pytest.approx(metrics.log_loss(label, chance), abs=1e-12)
    assert brier_score(odds, label) == pytest.approx(metrics.brier_score_loss(label, chance), abs=1e-12)
    assert np.isnan(area_under_curve(odds, np.ones(500, dtype=bool)))


@pytest.mark.parametrize("kind", OPTIONS)
def test_both_engines_call_in_the_order_of_a_learned_ranking(trained: Any, folder: Path, kind: str) -> None:
    scenario = scenario_with(folder, {"learned": pinned(trained, kind)})
    assert check_twins(scenario, ["learned"], None, range(2), seed=5) == []


def test_a_ranking_that_learns_in_its_trial_begins_from_a_checkpoint(
    trained: dict[str, tuple[Trained, str]], folder: Path
) -> None:
    """At first it scores as the checkpoint does; afterwards the more as its own screenings say, the wider the prior is."""
    options = {"checkpoint": str(folder / "logistic.safetensors"), "digest": trained["logistic"][1]}
    make = registry.get("policies", "recruitment.relearned")
    view = replace(candidate_view(), levels={"group": ("A", "B")})
    fixed = policy(trained, folder, "logistic").decide(view, {})[0]
    beginning = make(prior_sd=1.0, **options).prepared(view)
    assert np.array_equal(beginning.decide(view, {})[0], fixed)
    assert not np.array_equal(make(prior_sd=1.0).prepared(view).decide(view, {})[0], fixed)
    assert check_policy(beginning) == []
    size = len(view.candidate)
    alone = replace(view, replicate=np.zeros(size, dtype=np.int64))
    seen = Screenings(
        np.zeros(1, dtype=np.int64), np.array([90.0]), np.array([0, size]), alone, np.arange(size) % 3 == 0
    )
    moved = []
    for prior_sd in (0.001, 1.0):
        ranking = make(prior_sd=prior_sd, **options).prepared(view)
        scores, _ = ranking.decide(replace(alone, screenings=seen), {})
        moved.append(np.std(scores - fixed) / np.std(fixed))
    assert moved[0] < 0.001 < 0.05 < moved[1]
    pinned_design = {"relearned": {"checkpoint": "logistic.safetensors", "digest": trained["logistic"][1]}}
    text = WORLD.replace("    tests: {primary", "    reviews: {every: {enrolled: 10}}\n    tests: {primary")
    whole = evaluation._with_rankings(
        scenario_from_text(text, folder), "usual", {"one": pinned_design}, folder
    )
    assert check_twins(whole, ["one"], None, range(2), seed=5) == []


def test_rolling_back_to_an_earlier_digest_reproduces_the_earlier_run(
    trained: Any, folder: Path, tmp_path: Path
) -> None:
    """To the last byte of every table, its decision log and its root included, whatever the chunks."""
    kinds = {"first": "logistic", "second": "mlp", "back": "logistic"}
    runs = {
        name: write_run(
            tmp_path / name,
            4,
            what=scenario_with(folder, {"one": pinned(trained, kind)}),
            seed=3,
            chunk=3 if name == "back" else None,
        )
        for name, kind in kinds.items()
    }
    logs = {
        name: pq.read_table(run.folder / "decision_log.parquet").to_pylist() for name, run in runs.items()
    }
    for name, kind in kinds.items():
        records = [json.loads(row["record"]) for row in logs[name] if row["design"] == "one"]
        models = {tuple(each["models"]) for each in records if each["kind"] == "candidates"}
        assert models == {(trained[kind][1],)}
        assert verify(runs[name]).broken is None
    assert runs["back"].provenance[ROOT] == runs["first"].provenance[ROOT]
    assert runs["second"].provenance[ROOT] != runs["first"].provenance[ROOT]
    for path in sorted(runs["first"].folder.glob("*.parquet")):
        again = (runs["back"].folder / path.name).read_bytes()
        assert again == path.read_bytes(), path.name
    assert (runs["back"].folder / "scenario.yaml").read_bytes() == (
        runs["first"].folder / "scenario.yaml"
    ).read_bytes()
    # The checkpoint lies beside the scenario, so that the folder can be read and its trials made again.
    rows, ranked = replayed(runs["first"], "one", "expected", 2)
    stored_rows = [row for row in logs["first"] if row["design"] == "one" and row["replicate"] == 2]
    assert [row["link"] for row in rows] == [row["link"] for row in stored_rows]
    assert len(ranked) > 0


def test_a_run_folder_whose_checkpoint_was_changed_names_the_checkpoint(
    trained: Any, folder: Path, tmp_path: Path
) -> None:
    scenario = scenario_with(folder, {"one": pinned(trained, "mlp")})
    run = write_run(tmp_path / "run", 2, what=scenario, seed=3)
    require_scenario(run.folder, scenario.digest())
    checkpoint = run.folder / "mlp.safetensors"
    data = bytearray(checkpoint.read_bytes())
    data[-1] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(
        UsageError, match=r"scenario.yaml: .*'mlp.safetensors' has the digest .*another model"
    ):
        require_scenario(run.folder, scenario.digest())
    checkpoint.unlink()
    with pytest.raises(UsageError, match=r"scenario.yaml: .*'mlp.safetensors' cannot be read"):
        require_scenario(run.folder, scenario.digest())


def test_another_model_than_the_one_pinned_is_refused(trained: Any, folder: Path, tmp_path: Path) -> None:
    wrong = {"mlp": {"checkpoint": "mlp.safetensors", "digest": trained["logistic"][1]}}
    with pytest.raises(UsageError, match="it is another model"):
        collect(scenario_with(folder, {"one": wrong}), ["one"], ["expected"], 1, 1)
    kind = {"mlp": {"checkpoint": "logistic.safetensors", "digest": trained["logistic"][1]}}
    with pytest.raises(UsageError, match="of kind logistic; mlp is expected"):
        collect(scenario_with(folder, {"one": kind}), ["one"], ["expected"], 1, 1)
    (tmp_path / "no.safetensors").write_bytes(b"nothing of the sort")
    with pytest.raises(UsageError, match="is no checkpoint"):
        read_checkpoint(tmp_path / "no.safetensors", None)
    with pytest.raises(UsageError, match="cannot be read"):
        read_checkpoint(tmp_path / "absent.safetensors", None)
    with pytest.raises(UsageError, match="not overwritten"):
        trained["logistic"][0].write(folder / "logistic.safetensors")
    outside = {"mlp": {"checkpoint": "../mlp.safetensors", "digest": trained["mlp"][1]}}
    with pytest.raises(ScenarioError, match="leads out of"):
        collect(scenario_with(folder, {"one": outside}), ["one"], ["expected"], 1, 1)


def test_a_model_of_other_covariates_is_refused(trained: Any, folder: Path) -> None:
    view, learned = candidate_view(5), policy(trained, folder, "logistic")
    with pytest.raises(UsageError, match="trained on the covariate 'marker'"):
        learned.decide(replace(view, covariates=view.covariates[:, :2], names=("group", "age")), {})
    with pytest.raises(UsageError, match="trained on 'group' as A, B"):
        learned.decide(replace(view, levels={"group": ("B", "A")}), {})


def test_rankings_are_compared_on_the_same_candidates(trained: Any, folder: Path) -> None:
    rankings = {
        "usual": {"first_come_first_served": {}},
        "again": {"first_come_first_served": {}},
        "learned": pinned(trained, "gradient_boosting"),
        "best": {"oracle": {"reads": "eligible"}},
    }
    whole = scenario_from_text(WORLD, folder)
    usual, again, learned, best = evaluation.compare_rankings(
        whole, "usual", "expected", rankings, folder, 60, 1
    )
    assert {each.value for each in again.differences} == {0.0}
    assert usual.estimate("reached_target").value == 1.0
    assert best.difference("screen_failure_rate").value < learned.difference("screen_failure_rate").value < 0
    apart = learned.difference("screen_failure_rate")
    assert abs(apart.value) > 3 * apart.mcse
    assert best.area > learned.area > usual.area - 0.05
    shares = [each.value for each in learned.estimates if each.name.endswith("of enrolled")]
    assert sum(shares) == pytest.approx(1.0)
    assert list(usual.curve.mean) == sorted(usual.curve.mean)
    assert usual.curve.mean[-1] == pytest.approx(40.0)
    # As a run of the same trials reports them.
    run = trialsim.simulate(whole, designs=["usual"], truths=["expected"], replicates=60, seed=1, workers=1)
    reported = run.operating_characteristics()
    reported = reported[reported["hypothesis"].isna() | (reported["hypothesis"] == "primary")]
    for ours, theirs in (
        ("days_to_consent", "days_to_consent"), ("idle_days", "idle_days"), ("bias of primary", "bias"),
        ("screen failures: ineligible", "screen_failure_rate"),
    ):  # fmt: skip
        rows = reported[reported["name"] == theirs]
        rows = rows[rows["reason"] == "ineligible"] if ": " in ours else rows[rows["reason"].isna()]
        (row,) = rows.to_dict("records")
        assert usual.estimate(ours).value == pytest.approx(row["value"], rel=1e-12), ours
        assert usual.estimate(ours).mcse == pytest.approx(row["mcse"], rel=1e-9), ours
    by_reason = [each.value for each in usual.estimates if each.name.startswith("screen failures: ")]
    assert sum(by_reason) == pytest.approx(usual.estimate("screen_failure_rate").value)


def test_everything_wrong_in_a_training_file_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(
        "policy: mlp\nscenario: ../world.yaml\nreplicates: 0\nepochs: 2.5\nhidden: [0]\nlabel: enrolled\nlayers: 3\n",
        encoding="utf-8",
    )
    with pytest.raises(ScenarioError) as refused:
        read_request(path)
    assert {problem.path for problem in refused.value.problems} == {
        "scenario", "replicates", "epochs", "hidden", "label", "layers",
    }  # fmt: skip
    path.write_text("policy: forest\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="forest"):
        read_request(path)


def test_train_and_evaluate_on_the_command_line(
    trained: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "world.yaml").write_text(WORLD, encoding="utf-8")
    (tmp_path / "ranker.yaml").write_text(
        "policy: logistic\nscenario: world.yaml\nreplicates: 16\n", encoding="utf-8"
    )
    assert main(["train", str(tmp_path / "ranker.yaml")]) == 0
    # The same request as that of the fixture: the same bytes.
    assert trained["logistic"][1] in capsys.readouterr().out
    common = ["--scenario", str(tmp_path / "world.yaml"), "--replicates", "20", "--workers", "1"]
    (tmp_path / "rules.yaml").write_text("prescreen_rules: {require: {age: {most: 60}}}\n", encoding="utf-8")
    against = f"first_come_first_served,oracle,{tmp_path / 'rules.yaml'}"
    assert (
        main(["evaluate", str(tmp_path / "ranker.safetensors"), *common, "--against", against, "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    check_document("evaluate", found)
    assert [each["ranking"] for each in found["rankings"]] == [
        "first_come_first_served", "oracle", "prescreen_rules", "logistic",
    ]  # fmt: skip
    measures = found["rankings"][1]["measures"]
    assert measures["screen_failure_rate"]["difference"] < 0
    assert measures["screen_failure_rate"]["difference_mcse"] > 0
    again = str(tmp_path / "again.safetensors")
    assert main(["train", str(tmp_path / "ranker.yaml"), "--out", again, "--json"]) == 0
    check_document("train", json.loads(capsys.readouterr().out))
    assert main(["evaluate", "oracle", *common, "--against", "first_come_first_served"]) == 0
    printed = capsys.readouterr().out
    assert "screened per enrolled" in printed
    assert "Shares of the eligible candidates" in printed


def test_what_cannot_be_evaluated_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = str(folder / "world.yaml")
    (tmp_path / "bare.yaml").write_text("policy: mlp\n", encoding="utf-8")
    for arguments, said in [
        (["evaluate", "orcale", "--scenario", world], "orcale"),
        (["evaluate", str(tmp_path / "no.safetensors"), "--scenario", world], "cannot be read"),
        (["evaluate", "by_covariate", "--scenario", world], "covariate"),
        (["train", str(tmp_path / "bare.yaml")], "scenario: is required"),
        (["train", str(tmp_path / "bare.yaml"), "--out", str(tmp_path / "x.pt")], "ends in .safetensors"),
        (["benchmark", "everything"], "allowed: recruitment"),
        (["benchmark", "recruitment", "--out", str(tmp_path)], "not overwritten"),
    ]:
        assert main(arguments) == 2, arguments
        captured = capsys.readouterr()
        assert said in captured.err
        assert "Traceback" not in captured.err


@pytest.mark.slow
def test_the_picture_shows_every_ranking(folder: Path) -> None:
    rankings = {"as_they_come": {"first_come_first_served": {}}, "oracle": {"oracle": {"reads": "eligible"}}}
    whole = scenario_from_text(WORLD, folder)
    compared = evaluation.compare_rankings(whole, "usual", "expected", rankings, folder, 10, 1)
    first, second = (draw_rankings({"learning": compared}, "svg") for _ in range(2))
    assert first == second
    assert b"<svg" in first
    assert draw_rankings({"learning": compared}, "png").startswith(b"\x89PNG")


def test_a_scenario_says_at_once_which_checkpoints_it_lacks(trained: Any, folder: Path) -> None:
    tree = scenario_from_text(WORLD, folder).dump()
    usual = tree["designs"]["usual"]
    digest = trained["mlp"][1]
    rankings = {
        "pinned": {"mlp": {"checkpoint": "mlp.safetensors", "digest": digest}},
        "absent": {"mlp": {"checkpoint": "absent.safetensors", "digest": digest}},
        "other": {
            "human_in_the_loop": {
                "ranking": {"logistic": {"checkpoint": "logistic.safetensors", "digest": digest}}
            }
        },
    }
    tree["designs"] = {name: usual | {"policies": {"recruitment": each}} for name, each in rankings.items()}
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree, folder)
    assert [problem.path for problem in refused.value.problems] == [
        "designs.absent.policies.recruitment.mlp.checkpoint",
        "designs.other.policies.recruitment.human_in_the_loop.ranking.logistic.digest",
    ]
    tree["designs"] = {"pinned": tree["designs"]["pinned"]}
    assert scenario_from(tree, folder).digest() != scenario_from_text(WORLD, folder).digest()
