"""Rankings of candidates: what they see, what they say, and what is refused."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialsim import registry
from trialsim.contracts import CandidateView
from trialsim.engines.candidate_views import candidate_view, prepared
from trialsim.engines.plan import Plan, build_plan
from trialsim.errors import ScenarioError
from trialsim.policies.scores import LARGEST, on_grid
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.scenario.policies import read_policies, write_policies
from trialsim.stats.discrimination import area_of_correlation, correlation_for_area

ROOT = Path(__file__).resolve().parents[2]
# Integrated otherwise by scenarios/recruitment_worlds/scores.py, for a prevalence of 0.3.
CORRELATIONS = {0.6: 0.213514, 0.7: 0.423498, 0.8: 0.626545, 0.9: 0.819535, 0.95: 0.911442}
N = 40_000


@cache
def plan() -> Plan:
    scenario = load_scenario(ROOT / "scenarios" / "recruitment_fairness" / "fairness.yaml")
    return build_plan(scenario, "calibrated", "expected", 1)


def view(policy: Any, n: int = N, seed: int = 1) -> CandidateView:
    world, keys = plan().world, np.arange(n)
    replicates = np.zeros(n, dtype=np.int64)
    records = world.source.records_at(seed, replicates, keys)
    assert world.chances is not None
    return candidate_view(
        world, policy, seed, replicates, keys, keys * 1000, records, world.chances.of(records), replicates
    )


def policy(name: str, **parameters: Any) -> Any:
    return prepared(plan().world, registry.get("policies", f"recruitment.{name}")(**parameters))


def area(score: np.ndarray, label: np.ndarray) -> float:
    """Return the area under the curve by ranks (Mann-Whitney)."""
    rank = np.empty(len(score))
    rank[np.argsort(score)] = np.arange(1, len(score) + 1)
    positive = int(label.sum())
    return (rank[label].sum() - positive * (positive + 1) / 2) / (positive * (len(label) - positive))


@pytest.mark.parametrize(("wanted", "rho"), CORRELATIONS.items())
def test_the_correlation_of_an_area(wanted: float, rho: float) -> None:
    assert correlation_for_area(wanted, 0.3) == pytest.approx(rho, abs=1e-6)
    assert correlation_for_area(1 - wanted, 0.3) == pytest.approx(-rho, abs=1e-6)


def test_a_trait_cut_at_its_middle_has_a_closed_form() -> None:
    # P(S1 > S0) for a bivariate normal cut at 0, twice conditioned: from orthant probabilities of four signs.
    rng = np.random.default_rng(8)
    trait, noise = rng.standard_normal((2, 2_000_000))
    score = 0.6 * trait + 0.8 * noise
    assert area_of_correlation(0.6, 0.5) == pytest.approx(area(score, trait > 0), abs=0.002)
    assert area_of_correlation(0.0, 0.2) == pytest.approx(0.5, abs=1e-12)


def test_an_emulated_score_has_its_area_in_each_subgroup() -> None:
    emulated = policy("emulated", auc=0.9, prevalence=0.3, subgroup="group", auc_by_level={"B": 0.7})
    seen = view(emulated)
    score, eligible, group = emulated.decide(seen, {})[0], seen.chances[:, 2] > 0.5, seen.covariates[:, 0]
    error = 0.5 / np.sqrt(0.3 * 0.3 * 0.7 * N) / 2
    assert area(score[group == 0], eligible[group == 0]) == pytest.approx(0.9, abs=5 * error)
    assert area(score[group == 1], eligible[group == 1]) == pytest.approx(0.7, abs=5 * error)


def test_controls_are_perfect_useless_and_perverse() -> None:
    oracle, adversarial, null = policy("oracle"), policy("adversarial"), policy("random")
    seen = view(oracle)
    eligible = seen.chances[:, 2] > 0.5
    assert area(policy("oracle", reads="eligibility").decide(seen, {})[0], eligible) == 1.0
    assert oracle.decide(seen, {})[0][eligible].min() > oracle.decide(seen, {})[0][~eligible].max()
    assert adversarial.decide(seen, {})[0][eligible].max() < adversarial.decide(seen, {})[0][~eligible].min()
    assert area(null.decide(view(null), {})[0], eligible) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("random", {}),
        ("by_covariate", {"covariate": "group.A"}),
        ("prescreen_rules", {"require": {"group": {"levels": ["A"]}}}),
        ("within_group", {"covariate": "group", "ranking": {"random": {}}}),
        ("human_in_the_loop", {"ranking": {"random": {}}}),
    ],
)
def test_nothing_hidden_is_in_the_view_of_those_who_do_not_declare_to_read_it(
    name: str, parameters: dict[str, Any]
) -> None:
    seen = view(policy(name, **parameters), 10)
    assert seen.latent.size == 0
    assert seen.chances.size == 0
    assert seen.traits == ()
    assert seen.names == ("group",)
    arrays = [getattr(seen, field.name) for field in dataclasses.fields(seen)]
    whole = [x.base for x in arrays if isinstance(x, np.ndarray) and x.base is not None]
    assert all(x.size <= 10 for x in whole), "an array of the view is a window into the whole records"
    assert seen.seed != 1


def test_a_wrapped_control_declares_what_it_reads() -> None:
    wrapped = policy("within_group", covariate="group", ranking={"oracle": {}})
    assert wrapped.reads_latent
    assert view(wrapped, 3).latent.shape == (3, 1)


def test_groups_are_called_in_proportion() -> None:
    ranking = {"emulated": {"auc": 0.9, "prevalence": 0.3, "rank_by": "probability"}}
    for name, more, expected in [("within_group", {}, 0.3), ("exposure", {"shares": {"B": 0.5}}, 0.5)]:
        ranked = policy(name, covariate="group", ranking=ranking, **more)
        seen = view(ranked)
        order = np.argsort(-ranked.decide(seen, {})[0], kind="stable")
        for called in (2_000, 8_000, 20_000):
            share = (seen.covariates[order[:called], 0] == 1).mean()
            # The candidates' own share varies, and the reference's quantiles do.
            assert share == pytest.approx(expected, abs=5 * np.sqrt(0.25 / called))


def test_exposure_of_the_shares_that_there_are_is_parity_within_groups() -> None:
    ranking = {"random": {}}
    first = policy("within_group", covariate="group", ranking=ranking)
    seen = view(first, 500)
    scores = first.decide(seen, {})[0]
    group = seen.covariates[:, 0]
    inner = policy("random").decide(seen, {})[0]
    for level in (0, 1):
        here = group == level
        same = np.argsort(inner[here], kind="stable")
        assert (np.diff(scores[here][same]) >= 0).all()


def test_people_accept_delay_and_override() -> None:
    inner = {"emulated": {"auc": 0.9, "prevalence": 0.3}}
    plain = policy("emulated", **inner["emulated"])
    human = policy("human_in_the_loop", ranking=inner, delay=0.2, override=0.3)
    seen = view(human)
    wanted, given = plain.decide(seen, {})[0], human.decide(seen, {})[0]
    delayed, accepted = given < -LARGEST, given == wanted
    error = 5 * np.sqrt(0.25 / N)
    assert delayed.mean() == pytest.approx(0.2, abs=error)
    assert accepted.mean() == pytest.approx(0.5, abs=error)
    overridden = ~delayed & ~accepted
    assert np.corrcoef(given[overridden], wanted[overridden])[0, 1] == pytest.approx(0.0, abs=0.05)
    assert np.median(given[overridden]) == pytest.approx(np.median(wanted), abs=0.1 * wanted.std())


def test_declared_criteria_are_counted_and_what_is_missing_meets_none() -> None:
    rules = policy("prescreen_rules", require={"age": {"least": 18, "most": 75}, "sex": {"levels": ["f"]}})
    seen = dataclasses.replace(
        view(rules, 5),
        covariates=np.array([[18, 0], [75, 1], [17.9, 0], [np.nan, 1], [80, np.nan]]),
        names=("age", "sex"),
        levels={"sex": ("f", "m")},
    )
    assert rules.decide(seen, {})[0].tolist() == [0, -1, -1, -2, -2]


def test_expected_completion_is_the_product_of_the_chances() -> None:
    chances = {
        "eligible": {"probability": 0.3, "covariates": {"age": -0.05, "sex.m": 0.4}, "centre": {"age": 60.0}},
        "consents": {"probability": 0.8, "covariates": {}, "centre": {}},
        "stays": {"probability": 0.9, "covariates": {"age": 0.02}, "centre": {}},
    }
    ranked = registry.get("policies", "recruitment.expected_completion")(**chances)
    ages, sexes = np.array([40.0, 60.0, np.nan, 80.0, 60.0]), np.array([0.0, 1.0, 1.0, np.nan, np.nan])
    seen = dataclasses.replace(
        view(policy("random"), 5),
        covariates=np.column_stack([ages, sexes]),
        names=("age", "sex"),
        levels={"sex": ("f", "m")},
    )
    # A missing value counts as the centre.
    odds = np.log(0.3 / 0.7) + np.array([1.0, 0.4, 0.4, -1.0, 0.0])
    stays = np.log(0.9 / 0.1) + 0.02 * np.nan_to_num(ages)
    product = 1 / (1 + np.exp(-odds)) * 0.8 / (1 + np.exp(-stays))
    assert ranked.decide(seen, {})[0] == pytest.approx(on_grid(np.log(product)), abs=2)


def test_steep_chances_stay_in_order() -> None:
    steep = {"eligible": {"probability": 0.5, "covariates": {"age": 20.0}, "centre": {}}}
    ranked = registry.get("policies", "recruitment.expected_completion")(**steep)
    ages = np.array([-1e6, -50.0, -2.0, -1.7, 0.0, 1e6])
    seen = dataclasses.replace(view(policy("random"), 6), covariates=ages[:, None], names=("age",), levels={})
    scores = ranked.decide(seen, {})[0]
    assert (np.diff(scores) > 0).all()
    assert scores[-1] == 0
    assert scores[1] == pytest.approx(on_grid(np.array([-1000.0]))[0])


def test_who_lacks_the_covariate_is_called_last() -> None:
    assert on_grid(np.array([np.nan, -1e300, -1.0, np.inf])).tolist() == [
        -LARGEST,
        1 - LARGEST,
        -(1 << 20),
        LARGEST,
    ]


def test_nested_rankings_are_written_as_they_are_read() -> None:
    scenario = load_scenario(ROOT / "scenarios" / "recruitment_fairness" / "fairness.yaml")
    assert scenario_from(scenario.dump()) == scenario
    chosen = scenario.designs["within_group"].policies
    from trialsim.scenario.policies import Slots

    assert read_policies(Slots.model_validate(write_policies(chosen))) == chosen


GROUP = {"covariate": "group", "ranking": {"random": {}}}
EMULATED = {"auc": 0.8, "prevalence": 0.3}
CHANCE = {"probability": 0.3, "covariates": {"group.A": 1.0}}


@pytest.mark.parametrize(
    ("recruitment", "where", "said"),
    [
        ({"oracle": {"reads": "eligibilty"}}, "oracle.reads", "Did you mean 'eligibility'"),
        ({"adversarial": {"reads": "toxicity"}}, "adversarial.reads", "is not declared"),
        ({"emulated": EMULATED | {"auc": 1.0}}, "emulated.auc", "at most 0.999"),
        ({"emulated": EMULATED | {"subgroup": "group"}}, "emulated", "belong together"),
        ({"emulated": EMULATED | {"subgroup": "group", "auc_by_level": {"C": 0.7}}}, "auc_by_level.C", "level 'C'"),
        ({"prescreen_rules": {"require": {"age": {"least": 1}}}}, "require.age", "covariate 'age'"),
        ({"prescreen_rules": {"require": {"group": {"least": 1}}}}, "require.group", "is categorical"),
        ({"prescreen_rules": {"require": {"group": {}}}}, "require.group", "either least and most"),
        ({"within_group": GROUP | {"covariate": "grp"}}, "within_group.covariate", "Did you mean 'group'"),
        ({"within_group": GROUP | {"ranking": {"oracle": {"reads": "x"}}}}, "ranking.oracle.reads", "'x'"),
        ({"within_group": GROUP | {"ranking": {"best": {}}}}, "within_group.ranking", "best"),
        ({"exposure": GROUP | {"shares": {"A": 0.5, "B": 0.6}}}, "exposure.shares", "add up to 1.1"),
        ({"exposure": GROUP | {"shares": {"A": 0.5, "B": 0.4}}}, "exposure.shares", "add up to 0.9"),
        ({"expected_completion": {}}, "expected_completion", "all candidates are alike"),
        ({"expected_completion": {"stays": {"probability": 0.5}}}, "expected_completion", "all candidates are alike"),
        ({"expected_completion": {"stays": CHANCE | {"probability": 1}}}, "stays", "above 0 and below 1"),
        ({"expected_completion": {"stays": CHANCE, "prognostic": CHANCE, "predictive": CHANCE}}, "completion", "two kinds"),
        ({"expected_completion": {"stays": CHANCE | {"centre": {"age": 60}}}}, "stays.centre.age", "not among"),
        ({"expected_completion": {"stays": CHANCE | {"covariates": {"grp": 1}}}}, "stays.covariates.grp", "'grp'"),
        ({"expected_completion": {"stays": CHANCE | {"covariates": {"group": 1}}}}, "covariates.group", "group.A"),
        ({"expected_completion": {"stays": CHANCE | {"latent": {"eligibility": 1}}}}, "stays.latent", "is not known here"),
        ({"human_in_the_loop": {"ranking": {"random": {}}, "delay": 0.6, "override": 0.6}}, "loop", "add up to 1.2"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(recruitment: Any, where: str, said: str) -> None:
    scenario = load_scenario(ROOT / "scenarios" / "recruitment_fairness" / "fairness.yaml")
    tree = scenario.dump()
    tree["designs"] = {"one": tree["designs"]["as_they_come"] | {"policies": {"recruitment": recruitment}}}
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree)
    problems = refused.value.problems
    assert any(where in problem.path and said in problem.message for problem in problems), problems


def test_records_of_covariates_that_do_not_exist_are_refused() -> None:
    tree = load_scenario(ROOT / "scenarios" / "recruitment_fairness" / "fairness.yaml").dump()
    tree["screening"]["records"] = {"missing": {"age": 0.1}, "site_sd": {"group": 1.0}}
    tree["screening"]["eligible"]["interactions"] = [{"of": ["age", "group.A"], "coefficient": 1.0}]
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree)
    paths = [problem.path for problem in refused.value.problems]
    assert "screening.records.missing.age" in paths
    assert "screening.records.site_sd.group" in paths
    assert any(path.startswith("screening.eligible.interactions") for path in paths)
