"""A learned allocation rule: trained, resumed, refused, the same in both engines, and exactly what simulation shows."""

from __future__ import annotations

import json
from hashlib import sha256
from html import escape
from pathlib import Path

import numpy as np
import pytest

import trialsim
from tests.unit.shipped_schema import check_document
from trialsim.cli.main import main
from trialsim.conformance import check_policy
from trialsim.contracts import AllocationView
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError, UsageError
from trialsim.learning.allocation_training import train_allocation
from trialsim.learning.env import AllocationEnvironment
from trialsim.learning.exact_rules import rule_of
from trialsim.learning.request import read_request
from trialsim.models.allocation_network import AllocationNetwork, arm_features, shares
from trialsim.policies.learned_allocation import LearnedAllocation
from trialsim.policies.thompson import Thompson
from trialsim.scenario.load import scenario_from_text
from trialsim.stats.optimal_allocation import Course, final_law

WORLD = Path(trialsim.__file__).parent / "learning" / "worlds" / "two_arms.yaml"
REQUEST = """\
policy: allocation
scenario: world.yaml
design: short
iterations: 22
trials: 100
hidden: [8]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a world and a request."""
    there = tmp_path_factory.mktemp("allocation")
    (there / "world.yaml").write_text(WORLD.read_text())
    (there / "request.yaml").write_text(REQUEST)
    return there


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> tuple[Path, str]:
    """A trained rule and its digest."""
    path = folder / "rule.safetensors"
    return path, train_allocation(read_request(folder / "request.yaml"), folder / "rule.unfinished").write(
        path
    )


@pytest.mark.slow
def test_an_interruption_changes_nothing(folder: Path, checkpoint: tuple[Path, str]) -> None:
    """Training that is cut off after 20 iterations and goes on gives the same bytes."""
    request, unfinished = read_request(folder / "request.yaml"), folder / "again.unfinished"

    class CutOff(Exception):
        pass

    def cut_off(text: str) -> None:
        raise CutOff(text)

    with pytest.raises(CutOff, match="iteration 20"):
        train_allocation(request, unfinished, cut_off)
    assert unfinished.exists()
    assert train_allocation(request, unfinished).write(folder / "again.safetensors") == checkpoint[1]
    assert not unfinished.exists()


@pytest.mark.slow
def test_another_request_does_not_go_on_with_it(folder: Path) -> None:
    """What was left by one request is refused by another, with a sentence."""
    request, unfinished = read_request(folder / "request.yaml"), folder / "other.unfinished"
    (folder / "other.yaml").write_text(REQUEST.replace("hidden: [8]", "hidden: [4]"))

    def cut_off(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_allocation(request, unfinished, cut_off)
    with pytest.raises(UsageError, match="unfinished training of another request"):
        train_allocation(read_request(folder / "other.yaml"), unfinished)
    unfinished.write_bytes(unfinished.read_bytes()[:500])
    with pytest.raises(
        UsageError, match=r"training that was cut off, .*other.unfinished, cannot be taken up: .* remove it"
    ):
        train_allocation(request, unfinished)


def test_both_engines_and_the_exact_answer_agree(folder: Path, checkpoint: tuple[Path, str]) -> None:
    """The same trials in both engines, and power within 5 standard errors of the exact one."""
    path, digest = checkpoint
    text = WORLD.read_text().replace(
        "thompson: {minimum: 0.1, maximum: 0.9}", f"learned: {{checkpoint: {path.name}, digest: {digest}}}"
    )
    (folder / "learned.yaml").write_text(text)
    scenario = trialsim.load_scenario(folder / "learned.yaml")
    truth = next(name for name in scenario.truths if "rate=0.3" in name and "treatment=0.5" in name)
    both = [
        trialsim.simulate(
            scenario, designs="short", truths=truth, replicates=12, engine=engine, workers=1
        ).trials()
        for engine in ("fast", "reference")
    ]
    assert both[0].equals(both[1])
    course = Course(100, 20)
    law = final_law(course, 0.3, 0.5, rule_of(LearnedAllocation(str(path), digest), course))
    exact = law[course.score_z() >= 1.959964].sum()
    trials = trialsim.simulate(scenario, designs="short", truths=truth, replicates=4000, workers=1).trials()
    assert abs((trials["reject_look:better"] > 0).mean() - exact) < 5 * np.sqrt(exact * (1 - exact) / 4000)


@pytest.mark.parametrize("rates", [(0.3, 0.3), (0.3, 0.5)])
def test_simulated_thompson_is_the_exact_one(rates: tuple[float, float]) -> None:
    """Engines, policy and recursion share nothing but the policy: rejections and responders within 5 standard errors."""
    scenario = trialsim.load_scenario(WORLD)
    truth = next(n for n in scenario.truths if f"rate={rates[0]}" in n and f"treatment={rates[1]}" in n)
    plan = build_plan(scenario, "short", truth, 5, 1, None)
    environment, policy = AllocationEnvironment([plan], 4000), Thompson(minimum=0.1, maximum=0.9)
    halt = environment.reset(0)
    while halt is not None:
        weights = policy.decide(halt.view, {})[0].weights
        assert weights is not None
        halt = environment.step(weights)
    found, course = environment.outcome(), Course(100, 20)
    law = final_law(course, *rates, rule_of(policy, course))
    exact = law[course.score_z() >= 1.959964].sum()
    assert abs(found.rejected.mean() - exact) < 5 * np.sqrt(exact * (1 - exact) / 4000)
    responders = course.responders()
    mean = (law * responders).sum()
    sd = np.sqrt((law * responders**2).sum() - mean**2)
    assert abs(found.responders.mean() - mean) < 5 * sd / np.sqrt(4000)


def test_policy_conforms(checkpoint: tuple[Path, str]) -> None:
    """Deterministic, valid, and the same whoever else is asked about."""
    assert check_policy(LearnedAllocation(*map(str, checkpoint))) == []


def test_features_of_a_row_are_its_own(checkpoint: tuple[Path, str]) -> None:
    """Weights of a trial do not depend on the others of the batch, bit by bit."""
    rng = np.random.default_rng(1)
    n = rng.integers(1, 60, (700, 3))
    view = AllocationView(
        replicate=np.arange(700), cut_days=np.zeros(700), arm_enrolled=n, arm_events=n * 0, arm_readouts=n,
        arm_total=rng.binomial(n, 0.4).astype(float), open_arms=rng.random((700, 3)) < 0.8,
        ratio=np.ones(3, dtype=np.int64), n_max=200,
    )  # fmt: skip
    view.open_arms[:, 0] = True
    network = AllocationNetwork.load(*checkpoint)
    together = network.weights(view)
    assert np.allclose(together.sum(axis=1), 1.0)
    assert np.all(together[~view.open_arms] == 0.0)
    assert np.all(together[view.open_arms] >= 0.1 - 1e-12)
    for row in (0, 313, 699):
        part = slice(row, row + 1)
        alone = AllocationView(
            replicate=view.replicate[part], cut_days=view.cut_days[part], arm_enrolled=n[part], arm_events=n[part] * 0,
            arm_readouts=n[part], arm_total=view.arm_total[part], open_arms=view.open_arms[part], ratio=view.ratio,
            n_max=200,
        )  # fmt: skip
        assert np.array_equal(network.weights(alone)[0], together[row])
        assert np.array_equal(arm_features(alone)[0], arm_features(view)[row])


def test_shares_by_hand() -> None:
    """Two of three arms open, scores a log 3 apart, at least a tenth each: 0.1 + 0.8 (3/4, 1/4)."""
    found = shares(np.array([[np.log(3.0), 5.0, 0.0]]), np.array([[True, False, True]]), 0.1)
    assert found[0] == pytest.approx([0.1 + 0.8 * 0.75, 0.0, 0.1 + 0.8 * 0.25])


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("iterations: 0", "iterations"),
        ("label: randomised", "label"),
        ("minimum: 0.7", "minimum"),
        ("power_weight: many", "power_weight"),
    ],
)
def test_bad_requests_get_a_sentence(folder: Path, line: str, sentence: str) -> None:
    """Each with where it stands."""
    lines = [each for each in REQUEST.splitlines() if not each.startswith(line.split(":")[0])]
    (folder / "bad.yaml").write_text("\n".join([*lines, line]))
    with pytest.raises(ScenarioError) as caught:
        read_request(folder / "bad.yaml")
    assert sentence in str(caught.value)


@pytest.mark.slow
def test_train_on_the_command_line(
    folder: Path, checkpoint: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same request gives the same bytes; what is printed is as its schema says, and nothing is overwritten."""
    asked = ["train", str(folder / "request.yaml"), "--out", str(folder / "printed.safetensors")]
    assert main([*asked, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    check_document("train", printed)
    assert printed["digest"] == checkpoint[1]
    assert len(printed["curve"]) == 22
    assert main(asked) == 2
    assert "is not overwritten" in capsys.readouterr().err


def test_a_design_that_never_adapts_is_refused(folder: Path) -> None:
    """There is nothing to learn where weights never change."""
    text = WORLD.read_text().replace(
        "policies: {randomisation: {thompson: {minimum: 0.1, maximum: 0.9}}}", ""
    )
    (folder / "fixed.yaml").write_text(text)
    (folder / "fixed_request.yaml").write_text(REQUEST.replace("world.yaml", "fixed.yaml"))
    with pytest.raises(UsageError, match="nothing to learn"):
        train_allocation(read_request(folder / "fixed_request.yaml"), folder / "none.unfinished")


def test_gymnasium_sees_the_same_trials() -> None:
    """Steps of the vector environment with equal weights end as the trials do, and every reward is of its own trial."""
    from trialsim.learning.gymnasium_env import TrialVectorEnv
    from trialsim.learning.screening_log import FIRST_REPLICATE

    scenario = trialsim.load_scenario(WORLD)
    truth = next(n for n in scenario.truths if "rate=0.3" in n and "treatment=0.5" in n)
    plan = build_plan(scenario, "short", truth, 5, 1, None)
    there = TrialVectorEnv([plan], 50, 40.0)
    seen, _ = there.reset(seed=0)
    assert there.observation_space.contains(seen)
    steps, ended = 0, np.zeros(50, dtype=bool)
    while not ended.all():
        seen, reward, now, cut_off, _ = there.step(np.ones((50, 2)))
        ended |= now
        steps += 1
        assert there.observation_space.contains(seen)
        assert not cut_off.any()
    assert steps == 4
    environment = AllocationEnvironment([plan], 50)
    halt = environment.reset(FIRST_REPLICATE)
    while halt is not None:
        halt = environment.step(np.full((len(halt.trial), 2), 0.5))
    outcome = environment.outcome()
    assert np.array_equal(reward, outcome.responders + 40.0 * outcome.rejected)
    with pytest.raises(UsageError, match="reset"):
        there.step(np.ones((50, 2)))
    halt = environment.reset(FIRST_REPLICATE)
    assert halt is not None
    with pytest.raises(UsageError, match="must not all be 0"):
        environment.step(np.zeros((len(halt.trial), 2)))


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.full((50, 2), np.nan), "must be finite"),
        (np.full((50, 2), -1.0), "not negative"),
        (np.ones((50, 3)), r"of shape \(50, 2\) are expected, a row a trial; these have \(50, 3\)"),
        (np.ones((49, 2)), r"these have \(49, 2\)"),
    ],
)
def test_what_are_no_weights_is_refused_where_a_learner_gives_them(weights: np.ndarray, said: str) -> None:
    """Not taken for equal ones: a learner that has diverged would never hear of it."""
    from trialsim.learning.gymnasium_env import TrialVectorEnv

    scenario = trialsim.load_scenario(WORLD)
    plan = build_plan(scenario, "short", next(iter(scenario.truths)), 5, 1, None)
    there, environment = TrialVectorEnv([plan], 50, 40.0), AllocationEnvironment([plan], 50)
    there.reset(seed=0)
    environment.reset(0)
    for step in (there.step, environment.step):
        with pytest.raises(UsageError, match=said):
            step(weights)


def test_gymnasium_finds_nothing_wrong() -> None:
    """Its checks of single environments, where they hold of vectors too; spaces are batches; episode statistics add up."""
    from gymnasium.utils import env_checker, passive_env_checker
    from gymnasium.vector.utils import batch_space
    from gymnasium.wrappers.vector.common import RecordEpisodeStatistics

    from trialsim.learning.gymnasium_env import TrialVectorEnv

    text = WORLD.read_text().replace(
        "bounds: {efficacy_z: [null, null, null, null, 1.959964]}",
        "bounds: {efficacy_z: [2.5, 2.4, 2.3, 2.2, 1.959964]}",
    )
    assert "2.5, 2.4" in text
    scenario = scenario_from_text(text)
    truth = next(n for n in scenario.truths if "rate=0.3" in n and "treatment=0.9" in n)
    there = TrialVectorEnv([build_plan(scenario, "short", truth, 5, 1, None)], 30, 40.0)
    assert batch_space(there.single_observation_space, 30) == there.observation_space
    assert batch_space(there.single_action_space, 30) == there.action_space
    passive_env_checker.check_observation_space(there.observation_space)
    passive_env_checker.check_action_space(there.action_space)
    for check in (
        env_checker.check_reset_seed_determinism, env_checker.check_reset_options,
        env_checker.check_reset_return_type,
    ):  # fmt: skip
        check(there)
    watched = RecordEpisodeStatistics(there)
    watched.reset(seed=0)
    ended = np.zeros(30, dtype=bool)
    while not ended.any():
        _, reward, ended, _, said = watched.step(np.ones((30, 2)))
    assert ended.all()
    assert said["episode"]["r"].tolist() == reward.tolist()
    assert reward.min() >= 40.0  # a rate of 0.9 beside 0.3: all reject, most of them early
    assert len(set(reward.tolist())) > 5


def learned_world(folder: Path, checkpoint: tuple[Path, str]) -> Path:
    """Return a scenario file whose designs allocate by the trained rule."""
    path, digest = checkpoint
    there = folder / "gated.yaml"
    there.write_text(
        WORLD.read_text().replace(
            "thompson: {minimum: 0.1, maximum: 0.9}",
            f"learned: {{checkpoint: {path.name}, digest: {digest}}}",
        )
    )
    return there


@pytest.mark.slow
def test_a_learned_rule_needs_a_certificate(
    folder: Path, checkpoint: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one it is refused; too few trials, another policy or a failure do not count; a good one does."""
    world = learned_world(folder, checkpoint)
    truths = [name for name in trialsim.load_scenario(world).truths if "rate=0.3" in name]
    null, other = (next(n for n in truths if f"treatment={rate}" in n) for rate in ("0.3", "0.5"))
    run = ["run", str(world), "--designs", "short", "--truths", null, "--replicates", "20", "--workers", "1"]
    assert main([*run, "--out", str(folder / "none")]) == 2
    assert "has no certificate" in capsys.readouterr().err
    assert not (folder / "none").exists()
    assert main([*run, "--out", str(folder / "all_the_same"), "--uncertified"]) == 0
    assert "Uncertified" in capsys.readouterr().err
    provenance = json.loads((folder / "all_the_same" / "provenance.json").read_text())
    assert "has no certificate" in provenance["uncertified"][0]
    assert provenance["command"].endswith(" --uncertified")
    assert (
        "Uncertified: designs.short: its learned randomisation"
        in (folder / "all_the_same" / "report.html").read_text()
    )

    certify = ["certify", str(world), "--design", "short", "--replicates", "2000", "--workers", "1"]
    assert main([*certify, "--truths", other]) == 2
    assert "no tested hypothesis is null" in capsys.readouterr().err
    assert main([*certify, "--truths", null]) == 0
    assert "upper 97.5% limit" in capsys.readouterr().out
    kept = folder / "gated.short.certificate.json"
    document = json.loads(kept.read_text())
    check_document("certify", document)
    # The share that rejects, on trials of its own, is the exact one within 5 standard errors.
    course = Course(100, 20)
    law = final_law(course, 0.3, 0.3, rule_of(LearnedAllocation(*map(str, checkpoint)), course))
    exact = law[course.score_z() >= 1.959964].sum()
    assert abs(document["points"][0]["value"] - exact) < 5 * np.sqrt(exact * (1 - exact) / 2000)
    assert document["first_replicate"] == 1 << 41
    assert main([*run, "--out", str(folder / "few")]) == 2
    assert "fewer than 50,000 trials" in capsys.readouterr().err
    # Neither its trials nor its share of the level are spent again, with another seed either.
    for again in ([], ["--seed", "2"], ["--attempt", "2", "--attempts", "2"]):
        assert main([*certify, "--truths", null, *again]) == 2
        assert "attempt 1 of 1 has spent its trials" in capsys.readouterr().err

    def with_changes(**changes: object) -> int:
        kept.write_text(json.dumps(document | changes))
        return main([*run, "--out", str(folder / f"run_{len(list(folder.iterdir()))}")])

    document["verdict"] = f"controlled at 0.025 under {null}"
    good = [document["points"][0] | {"n": 50_000, "upper": 0.0249}]
    # The scenario has fourteen more truths without an effect: whoever certifies one of them has not certified the rest.
    assert len(document["left_out"]) == 14
    assert with_changes(points=good) == 2
    assert f"leaves out {document['left_out'][0]}" in capsys.readouterr().err
    document["left_out"] = []
    assert with_changes(points=good) == 0
    said = capsys.readouterr()
    assert "ncertified" not in said.err
    digest = sha256(kept.read_bytes()).hexdigest()
    where = f"(gated.short.certificate.json, SHA-256 {digest})"
    sentence = f"controlled at 0.025 under {null}; nothing is claimed of other truths {where}"
    assert f"Certified: designs.short: rejecting a true null is {sentence}" in said.err
    (ran,) = (path for path in folder.iterdir() if path.name.startswith("run_"))
    assert sentence in json.loads((ran / "provenance.json").read_text())["certified"][0]
    assert (
        f"Certified: designs.short: rejecting a true null is {escape(sentence)}."
        in (ran / "report.html").read_text()
    )
    # A target that anything meets opens no gate: it lies a fifth above the design's level at most.
    assert with_changes(points=good, target=0.0301) == 2
    assert (
        "of at most 0.0301, and its tests have the level 0.025: it counts up to a target of 0.03"
        in capsys.readouterr().err
    )
    assert with_changes(points=[good[0] | {"upper": 0.0299}], target=0.03) == 0
    capsys.readouterr()
    assert with_changes(points=[good[0] | {"upper": 0.0251}]) == 2
    assert "failed its certification" in capsys.readouterr().err
    assert with_changes(points=good, policies={"randomisation": "0" * 64}) == 2
    assert "of another policy" in capsys.readouterr().err
    assert with_changes(points=good, scenario_digest="0" * 64) == 2
    assert "of another scenario or design" in capsys.readouterr().err
    # A sweep's points are other scenarios: a good certificate of the file says nothing of them.
    kept.unlink()
    bound = "designs.short.bounds.efficacy_z[4]=1.959964"
    told = ["--designs", "short", "--truths", null, "--replicates", "20"]
    sweep = ["sweep", str(world), "--vary", f"{bound},2.1", *told]
    assert main([*sweep, "--out", str(folder / "swept")]) == 2
    said = capsys.readouterr().err
    assert "designs.short: its learned randomisation has no certificate" in said
    assert "give --uncertified to run it all the same" in said
    kept.write_text(json.dumps(document | {"points": good}))
    assert main([*sweep, "--out", str(folder / "swept")]) == 2
    assert "of another scenario or design" in capsys.readouterr().err
    assert not (folder / "swept").exists()
    assert main([*sweep, "--out", str(folder / "swept"), "--uncertified"]) == 0
    assert "Uncertified: designs.short: its learned randomisation" in capsys.readouterr().err
    assert main(["sweep", str(world), "--vary", bound, *told, "--out", str(folder / "the_same")]) == 0
    provenance = json.loads((folder / "swept" / "provenance.json").read_text())
    assert "of another scenario" in provenance["uncertified"][0]
    assert provenance["command"].endswith(" --uncertified")
    silent = document | {"points": good}
    del silent["verdict"]
    for text in ("{", json.dumps(silent)):
        kept.write_text(text)
        assert main([*run, "--out", str(folder / "broken")]) == 2
        assert "cannot be read" in capsys.readouterr().err


def test_a_certificate_of_all_nulls() -> None:
    """All fifteen truths in which treatment is no better, a fifteenth of the level each; another attempt, other trials."""
    from trialsim.oc.certificate import certify
    from trialsim.oc.montecarlo import upper_limit

    scenario = trialsim.load_scenario(WORLD)
    first = certify(scenario, "short", None, 0.025, 200)
    second = certify(scenario, "short", None, 0.025, 200, attempt=2, attempts=2)
    assert len(first.points) == 15
    assert second.first_replicate == first.first_replicate + (1 << 27)
    assert first.left_out == second.left_out == ()
    for found, tail in ((first.points[0], 0.025 / 15), (second.points[0], 0.025 / 30)):
        assert found.upper == pytest.approx(upper_limit(round(found.value * 200), 200, tail))
    assert not first.controlled
    assert "not controlled" in first.verdict
    # However many trials an attempt takes, the next one begins behind what any can take.
    few = certify(scenario, "short", [first.points[0].truth], 0.025, 100, attempt=2, attempts=2)
    assert few.first_replicate == second.first_replicate
    assert few.left_out == tuple(point.truth for point in first.points[1:])


def test_attempts_at_a_certificate_are_planned_beforehand(tmp_path: Path) -> None:
    """The second of two follows the first of two; nothing follows the only one, or the second."""
    from trialsim.oc.certificate import certify, refuse_spent

    scenario, path = trialsim.load_scenario(WORLD), tmp_path / "certificate.json"
    made = certify(scenario, "short", None, 0.025, 100, attempt=1, attempts=2).to_dict()
    refuse_spent(scenario, "short", path, 2, 2)
    for attempt, attempts, then, refused in (
        (1, 2, (2, 2), None), (1, 2, (1, 2), "attempt 1 of 2 has spent"), (1, 2, (3, 3), "attempt 1 of 2 has spent"),
        (2, 2, (2, 2), "attempt 2 of 2 has spent"), (1, 1, (2, 2), "attempt 1 of 1 has spent"),
    ):  # fmt: skip
        path.write_text(json.dumps(made | {"attempt": attempt, "attempts": attempts}))
        if refused is None:
            refuse_spent(scenario, "short", path, *then)
            continue
        with pytest.raises(UsageError, match=refused):
            refuse_spent(scenario, "short", path, *then)
    path.write_text(json.dumps(made | {"policies": {"randomisation": "0" * 64}}))
    with pytest.raises(UsageError, match="of another scenario, design or policy: remove it"):
        refuse_spent(scenario, "short", path, 2, 2)
    path.write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        refuse_spent(scenario, "short", path, 1, 1)
