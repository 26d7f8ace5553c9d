"""A learned choice of sites: its law, its features, training that goes on to the same bytes, and both engines alike."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import trialsim
from tests.unit.shipped_schema import check_document
from trialsim.cli.main import main
from trialsim.conformance import check_policy
from trialsim.conformance.sample_views import site_view
from trialsim.errors import ScenarioError, UsageError
from trialsim.learning.request import read_request
from trialsim.learning.site_benchmark import Effort, benchmark_sites
from trialsim.learning.site_training import _log_chance, train_sites
from trialsim.models.site_network import SiteNetwork, feature_names, site_features
from trialsim.oc.rankings import Difference
from trialsim.oc.site_choices import Rival
from trialsim.oc.subgroup_shares import distance
from trialsim.policies.learned_sites import LearnedSites
from trialsim.report.site_choices import draw_site_choices, site_choices_table, site_verdicts

MIX = Path(__file__).parents[2] / "scenarios" / "site_selection" / "site_mix.yaml"
REQUEST = """\
policy: sites
scenario: world.yaml
design: balanced
diversity_weight: 5
iterations: 22
trials: 12
hidden: [8]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a world and a request."""
    there = tmp_path_factory.mktemp("sites")
    (there / "world.yaml").write_text(MIX.read_text())
    (there / "request.yaml").write_text(REQUEST)
    return there


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> tuple[Path, str]:
    """A trained choice and its digest, from the command line."""
    path = folder / "sites.safetensors"
    assert main(["train", str(folder / "request.yaml"), "--out", str(path)]) == 0
    return path, trialsim_digest(path)


def trialsim_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_law_of_rankings_adds_up() -> None:
    """Over all ordered sets the probabilities add up to one, and the first draw is a softmax."""
    scores = torch.tensor([0.3, -1.0, 2.0, 0.0], dtype=torch.float64)
    orders = torch.tensor(list(itertools.permutations(range(4), 2)))
    chances = torch.exp(_log_chance(scores.expand(len(orders), 4), orders))
    assert float(chances.sum()) == pytest.approx(1.0, abs=1e-12)
    raised = torch.exp(scores)
    by_hand = raised[2] / raised.sum() * raised[0] / (raised.sum() - raised[2])
    assert float(chances[orders.tolist().index([2, 0])]) == pytest.approx(float(by_hand), abs=1e-12)


def test_features_by_hand() -> None:
    """What is missing is 0 and said so; shares are beyond those of all records."""
    view = site_view()
    found = site_features(view)
    assert found.shape == (40, 6, len(feature_names(("A", "B"))))
    assert np.isfinite(found).all()
    fresh = view.history_days == 0
    assert (found[:, fresh, :3] == 0).all()
    assert (found[:, ~fresh, 0] == 1).all()
    silent = np.isnan(view.promised)
    assert (found[silent][:, 3:5] == 0).all()
    row, site = 3, 1
    mean = (view.history_patients[row, ~fresh].sum() + 0.5) / view.history_days.sum()
    count = view.history_patients[row, site]
    assert found[row, site, 1] == pytest.approx(np.log((count + 0.5) / (365 + 0.5 / mean) / mean))
    logs = np.log(view.promised[row])
    heard = ~silent[row]
    assert found[row, heard, 4] == pytest.approx(logs[heard] - logs[heard].mean())
    levels = view.history_levels[row]
    pool = (levels.sum(axis=0) + 0.5) / (levels.sum() + 1)
    assert found[row, site, 6] == pytest.approx(
        4 * ((levels[site, 1] + 20 * pool[1]) / (count + 20) - pool[1])
    )


@pytest.mark.slow
def test_the_policy_keeps_the_rules(checkpoint: tuple[Path, str]) -> None:
    """It says what it was trained with; scores do not depend on who else is asked about."""
    from trialsim.models.checkpoint import read_checkpoint

    _, about, _ = read_checkpoint(*checkpoint)
    assert about["levels"] == ["A", "B"]
    assert check_policy(LearnedSites(3, *map(str, checkpoint))) == []


def test_an_interruption_changes_nothing(folder: Path, checkpoint: tuple[Path, str]) -> None:
    """Training that is cut off after 20 iterations and goes on gives the same bytes, and it has learned something."""
    request, unfinished = read_request(folder / "request.yaml"), folder / "again.unfinished"

    class CutOff(Exception):
        pass

    def cut_off(text: str) -> None:
        raise CutOff(text)

    with pytest.raises(CutOff, match="iteration 20"):
        train_sites(request, unfinished, cut_off)
    trained = train_sites(request, unfinished)
    assert trained.write(folder / "again.safetensors") == checkpoint[1]
    assert not unfinished.exists()
    values = [each["value"] for each in trained.curve]
    assert np.mean(values[-5:]) > np.mean(values[:5])


def test_both_engines_open_the_same_sites(folder: Path, checkpoint: tuple[Path, str]) -> None:
    path, digest = checkpoint
    text = MIX.read_text().replace(
        "{balanced: {open: 6, shape: 4, price: 5}}",
        f"{{learned: {{open: 6, checkpoint: {path.name}, digest: {digest}}}}}",
    )
    (folder / "learned.yaml").write_text(text)
    scenario = trialsim.load_scenario(folder / "learned.yaml")
    both = [
        trialsim.simulate(scenario, designs="balanced", replicates=6, engine=engine, workers=1).trials()
        for engine in ("fast", "reference")
    ]
    assert both[0].equals(both[1])
    (folder / "other.yaml").write_text(text.replace(digest, "ab" * 32))
    with pytest.raises(ScenarioError, match="it is another model"):
        trialsim.load_scenario(folder / "other.yaml")


def test_another_subgroup_is_refused(checkpoint: tuple[Path, str]) -> None:
    network = SiteNetwork.load(*checkpoint)
    view = site_view()
    object.__setattr__(view, "levels", ("A", "C"))
    with pytest.raises(UsageError, match="of the levels A, B; the scenario has A, C"):
        network.scores(view)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("design: balanced", "design: all_sites"), "every site opens"),
        (("diversity_weight: 5", "diversity_weight: -1"), "diversity_weight"),
        (("hidden: [8]", "label: eligible"), "label"),
    ],
)
def test_what_cannot_be_trained_gets_a_sentence(folder: Path, change: tuple[str, str], sentence: str) -> None:
    (folder / "bad.yaml").write_text(REQUEST.replace(*change))
    with pytest.raises((ScenarioError, UsageError)) as caught:
        train_sites(read_request(folder / "bad.yaml"), folder / "bad.unfinished")
    assert sentence in str(caught.value)


def test_a_subgroup_is_needed_for_diversity(folder: Path) -> None:
    (folder / "plain.yaml").write_text(MIX.read_text().replace("  subgroup: group\n", ""))
    (folder / "plain_request.yaml").write_text(REQUEST.replace("world.yaml", "plain.yaml"))
    with pytest.raises(UsageError, match="no subgroup is reported"):
        train_sites(read_request(folder / "plain_request.yaml"), folder / "bad.unfinished")


def test_json_of_training(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "short.yaml").write_text(REQUEST.replace("22", "1"))
    capsys.readouterr()
    command = ["train", str(folder / "short.yaml"), "--out", str(folder / "short.safetensors"), "--json"]
    assert main(command) == 0
    check_document("train", json.loads(capsys.readouterr().out))


def test_distance() -> None:
    assert distance(np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([0.7, 0.3])) == pytest.approx([0.2, 0.2])


@pytest.mark.slow
def test_the_benchmark_orders_the_controls(tmp_path: Path) -> None:
    """The oracle fills soonest of those that open ten, its reverse last; all is said with its error, and drawn."""
    result = benchmark_sites(Effort((20.0,), 3, 8, 8, 30), tmp_path, 1, 1, lambda text: None)
    months = {each.label: each.estimate("months_to_last_patient").value for each in result.choices}
    some = {label: value for label, value in months.items() if label != "all_sites"}
    assert min(some, key=lambda label: some[label]) == "oracle"
    assert max(some, key=lambda label: some[label]) == "backwards"
    assert months["all_sites"] < months["oracle"]
    for each in result.choices:
        shares = [each.estimate(f"share of {level}").value for level in "AB"]
        assert sum(shares) == pytest.approx(1.0)
        if each.estimate("reached_target").value == 1.0:
            enrolled = sum(each.estimate(f"enrolled of {level}").value for level in "AB")
            assert enrolled == pytest.approx(120)
    table = site_choices_table("sites", result.choices)
    assert len(table.rows) == len(result.choices) == 15
    assert "<svg" in draw_site_choices(result.choices, result.rivals, "svg").decode()
    assert {each.family for each in result.choices} == {"traditional", "learned", "control"}


def test_verdicts_say_who_loses() -> None:
    """By the 95% interval of the paired difference."""
    said = site_verdicts(
        [
            Rival(0.0, "learned_0", "drawn", Difference("value", gain, 0.1))
            for gain in (-0.3, 0.1, 0.3)
        ]
    )  # fmt: skip
    assert ["loses to" in said[0], "cannot be told from" in said[1], "beats" in said[2]] == [True] * 3
