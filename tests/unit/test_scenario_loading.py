"""A loaded scenario: what engines read from it, how files extend one another, and what its identity is."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest

from trialsim.errors import Problem, ScenarioError, UsageError
from trialsim.scenario.load import load_scenario, patient_table, scenario_from, scenario_from_text
from trialsim.scenario.schema import Scenario
from trialsim.scenario.sentences import causes_first
from trialsim.scenario.starter import starter_text
from trialsim.scenario.writing import canonical_yaml, save_scenario

RICH = Path(__file__).with_name("scenario_rich.yaml")

SMALL = """\
name: small
accrual: {uniform: {over: 12 months}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 4 weeks, rate: 0.3, effect: {treatment: 0.45}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {as_written: {}}
designs:
  fixed:
    {kind: fixed, n: 90, allocation: simple, looks: [{when: {readouts: 90}}], tests: {primary: {alpha: 0.1}}}
"""


@pytest.fixture(scope="module")
def rich() -> Scenario:
    return load_scenario(RICH)


def test_quantities_are_in_days_and_per_day(rich: Scenario) -> None:
    assert rich.name == "rich"
    assert rich.folder == RICH.parent
    assert rich.horizon == 20 * 365.25
    assert rich.accrual.kind == "piecewise"
    assert rich.accrual.rates == ((0.0, 5 / 30.4375), (91.3125, 20 / 30.4375))
    assert rich.accrual.arrivals == "poisson"
    assert (rich.accrual.over, rich.accrual.rate) == (None, None)
    progression = rich.endpoints["progression"]
    assert progression.effect == {"low": 0.8, "high": ((0.0, 1.0), (121.75, 0.6))}
    starts, hazards = progression.baseline.segments()
    assert starts == (0.0,)
    assert hazards == (pytest.approx(math.log(2) / 547.875),)
    assert progression.baseline.weibull is None
    assert rich.dropout is not None
    assert rich.dropout.baseline.segments()[1][0] == pytest.approx(-math.log(0.95) / 365.25)
    assert rich.endpoints["response"].readout == 84.0
    assert rich.assumed["designs.fixed.n"] == "too"


def test_hypotheses_and_designs_have_their_accessors(rich: Scenario) -> None:
    high, mean = rich.hypotheses["high"], rich.hypotheses["mean"]
    assert (high.analysis, high.strata, high.arms) == ("logrank", ("sex",), ("high", "control"))
    assert (mean.analysis, mean.analysis_options, mean.strata) == ("z_test", {"sd": 100.0}, ())
    assert high.strategy == "treatment_policy"
    design = rich.designs["sequential"]
    assert design.n == 300
    assert design.arms == ("control", "low", "high")
    assert (design.allocation.kind, design.allocation.size) == ("permuted_blocks", 8)
    assert design.allocation.ratio == {"control": 2, "low": 1, "high": 1}
    assert design.efficacy_z("high") == (3.7, math.inf, 1.99)
    assert design.futility_z("high") == (0.0, -math.inf, -math.inf)
    assert design.futility_binding is False
    assert design.reviews == ("enrolled", 100)
    assert design.policies["stopping"] == (
        "drop_arms",
        {"look": 1, "keep": 1, "stop_when": "all", "futility": "follow"},
    )
    assert design.policies["recruitment"] == ("first_come_first_served", {})
    first, second, third = design.looks
    assert (first.when.kind, first.when.count, first.when.endpoint) == ("events", 50, "progression")
    assert (second.when.arms, second.cleaning_lag, second.decision_lag) == (("high", "control"), 30.0, 14.0)
    assert third.no_later_than == 6 * 365.25
    assert [child.kind for child in third.when.children] == ["events", "gap"]
    assert third.when.children[1].duration == 60.0


def test_a_fixed_design_has_the_normal_quantile(rich: Scenario) -> None:
    assert rich.designs["fixed"].efficacy_z("high") == (pytest.approx(1.959963984540054, abs=1e-12),)
    assert rich.designs["fixed"].futility_z("high") == (-math.inf,)
    assert rich.designs["fixed"].policies["stopping"] == (
        "bounds",
        {"stop_when": "all", "futility": "follow"},
    )


def test_bounds_may_be_given_for_each_test(rich: Scenario) -> None:
    tree = rich.dump()
    bounds = {"efficacy_z": [3.0, None, 2.0]}
    tree["designs"]["sequential"]["bounds"] = {
        "high": bounds,
        "low": bounds | {"futility_z": [0.1, 0.2, None]},
        "resp": bounds,
    }
    design = scenario_from(tree).designs["sequential"]
    assert design.efficacy_z("low") == (3.0, math.inf, 2.0)
    assert design.futility_z("low") == (0.1, 0.2, -math.inf)
    assert design.futility_z("high") == (-math.inf,) * 3


def test_the_last_futility_bound_has_no_effect_and_may_be_infinite(rich: Scenario) -> None:
    tree = rich.dump()
    tree["designs"]["sequential"]["bounds"]["futility_z"] = [0.0, None, math.inf]
    assert scenario_from(tree).dump() == rich.dump()


@pytest.mark.parametrize(
    ("baseline", "starts", "hazards"),
    [
        ({"hazard": "0.01 per day"}, (0.0,), (0.01,)),
        ({"survival": 0.5, "at": "10 days"}, (0.0,), (math.log(2) / 10,)),
        (
            {
                "piecewise": [
                    {"from": "0 days", "hazard": "0 per day"},
                    {"from": "5 days", "hazard": "1 per day"},
                ]
            },
            (0.0, 5.0),
            (0.0, 1.0),
        ),
        ({"weibull": {"shape": 2, "scale": "10 days"}}, (), ()),
    ],
)
def test_baselines_become_segments(
    rich: Scenario, baseline: object, starts: tuple[float, ...], hazards: tuple[float, ...]
) -> None:
    tree = rich.dump()
    tree["endpoints"]["progression"]["baseline"] = baseline
    tree["truths"] = {"as_written": {}}
    found = scenario_from(tree).endpoints["progression"].baseline.segments()
    assert found[0] == starts
    assert found[1] == pytest.approx(hazards)


def test_a_weibull_law_has_shape_and_scale(rich: Scenario) -> None:
    tree = rich.dump()
    tree["endpoints"]["progression"]["baseline"] = {"weibull": {"shape": 1.5, "median": "10 days"}}
    tree["truths"] = {"as_written": {}}
    shape, scale = scenario_from(tree).endpoints["progression"].baseline.weibull or (0, 0)
    assert shape == 1.5
    assert scale * math.log(2) ** (1 / 1.5) == pytest.approx(10)


def test_scenarios_are_frozen(rich: Scenario) -> None:
    with pytest.raises(ValueError, match="frozen"):
        rich.name = "other"  # type: ignore[misc]


def test_truths_change_the_world_alone(rich: Scenario) -> None:
    world = rich.world("no_effect")
    assert world.endpoints["progression"].effect == {"low": 1.0, "high": 1.0}
    assert world.endpoints["response"].effect == {"low": 0.3, "high": 0.3}
    assert world.designs == rich.designs
    assert world.folder == rich.folder
    slow = rich.world("slow")
    assert slow.accrual.rates[1] == (91.3125, pytest.approx(10 / 30.4375))
    assert slow.endpoints["progression"].covariates["sex.male"] == 0.0
    assert slow.endpoints["progression"].baseline.median == 730.5
    assert rich.world("as_written") is rich


def test_truths_are_chosen_by_name_or_family(rich: Scenario) -> None:
    ladder = rich.select_truths(["ladder"])
    assert len(ladder) == 6
    assert "ladder[cd4.effect.low=10.0,progression.effect.low=0.8]" in ladder
    assert rich.select_truths(["slow", "ladder", "slow"]) == ("slow", *ladder)
    assert rich.select_truths(None) == tuple(rich.truths)
    assert rich.select_designs(["sequential"]) == ("sequential",)
    with pytest.raises(UsageError, match=r"There is no truth 'laddr'; there are .* Did you mean 'ladder'"):
        rich.select_truths(["laddr"])
    with pytest.raises(UsageError, match="ladder is a grid of truths; name one of them"):
        rich.world("ladder")
    with pytest.raises(UsageError, match="There is no design 'fixd'"):
        rich.select_designs(["fixd"])


def test_grids_name_their_cells_by_the_last_segments_that_differ() -> None:
    tree = load_scenario(RICH).dump()
    tree["truths"] = {
        "one": {"grid": {"endpoints.progression.effect.low": [1, 0.5]}},
        "every": {"grid": {"endpoints.progression.effect.*": [1.0]}},
        "late": {"grid": {"endpoints.progression.baseline.median": ["182.625 days", "52 weeks", "2 years"]}},
        "index": {"grid": {"accrual.piecewise.rates[0].rate": ["1 per day"]}, "endpoints.cd4.sd": 5},
    }
    scenario = scenario_from(tree)
    assert list(scenario.truths) == [
        "one[low=1.0]",
        "one[low=0.5]",
        "every[effect.*=1.0]",
        "late[median=6 months]",
        "late[median=52 weeks]",
        "late[median=2 years]",
        "index[rate=1.0 per day]",
    ]
    assert scenario.truths["index[rate=1.0 per day]"] == {
        "accrual.piecewise.rates.0.rate": "1.0 per day",
        "endpoints.cd4.sd": 5.0,
    }


def test_the_identity_is_that_of_what_is_meant() -> None:
    one = scenario_from_text(SMALL)
    other = scenario_from_text(
        "# a comment\n"
        + SMALL.replace("12 months", "365.25 days")
        .replace("4 weeks", "28 d")
        .replace("n: 90", "n: 9e1")
        .replace(
            "{when: {readouts: 90}}",
            "{when: {readouts: {endpoint: response, count: 90}}, cleaning_lag: 0 days}",
        )
    )
    assert one == other
    assert one.digest() == other.digest()
    assert hash(one) == hash(other)
    different = scenario_from_text(SMALL.replace("0.45", "0.46"))
    assert different != one
    assert different.digest() != one.digest()
    assert one != "small"


def test_the_digest_of_the_same_file_never_changes() -> None:
    """A golden value: where it moves, saved runs no longer match their files, and CHANGELOG.md says so."""
    assert scenario_from_text(SMALL).digest()[:16] == "361957e0d27b0113"


def test_first_tests_decide_whose_events_are_counted() -> None:
    tree = load_scenario(RICH).dump()
    tests = tree["designs"]["fixed"]["tests"]
    original = scenario_from(tree).digest()
    tree["designs"]["fixed"]["tests"] = {name: tests[name] for name in ("low", "high", "resp")}
    assert scenario_from(tree).digest() == original
    tree["designs"]["fixed"]["tests"] = {name: tests[name] for name in ("resp", "high", "low")}
    assert scenario_from(tree).digest() != original


def test_files_extend_files_of_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SMALL + "description: base\n")
    (tmp_path / "middle.yaml").write_text("extends: base.yaml\ndescription: null\nname: middle\n")
    (tmp_path / "top.yaml").write_text(
        "extends: middle.yaml\nname: top\nendpoints: {response: {rate: 0.2}}\narms: [control, treatment]\n"
        "designs:\n  fixed: null\n"
        "  larger: {kind: fixed, n: 200, allocation: alternating, looks: [{when: {enrolled: 200}}],\n"
        "           tests: {primary: {alpha: 0.05}}}\n"
        "  largest: {extends: larger, n: 300, looks: [{when: {enrolled: 300}}]}\n"
    )
    scenario = load_scenario(tmp_path / "top.yaml")
    assert scenario.name == "top"
    assert scenario.description is None
    assert scenario.endpoints["response"].rate == 0.2
    assert list(scenario.designs) == ["larger", "largest"]
    assert scenario.designs["largest"].n == 300
    assert scenario.designs["largest"].tests["primary"].alpha == 0.05


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("../outside.yaml", "leads out of the scenario's folder"),
        ("/etc/hostname", "leads out of the scenario's folder"),
        ("C:\\scenario.yaml", "leads out of the scenario's folder"),
        ("~/x.yaml", "leads out of the scenario's folder"),
        ("link.yaml", "is a link out of the scenario's folder"),
        ("linked/outside.yaml", "is a link out of the scenario's folder"),
        ("none.yaml", "there is no file 'none.yaml'"),
        ("folder", "there is no file 'folder'"),
        ("top.yaml", "comes back to itself"),
        ("circle.yaml", "comes back to itself"),
        ("list.yaml", "is not a mapping"),
        ("5", "the name of a file"),
        ("[a, b]", "the name of a file"),
        ("null", "the name of a file"),
        ("''", "the name of a file"),
    ],
)
def test_files_that_cannot_be_extended_are_refused(tmp_path: Path, target: str, words: str) -> None:
    home = tmp_path / "home"
    (home / "folder").mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text(SMALL)
    (home / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (home / "linked").symlink_to(tmp_path)
    (home / "circle.yaml").write_text("extends: top.yaml\n")
    (home / "list.yaml").write_text("[1, 2]\n")
    (home / "top.yaml").write_text(f"extends: {target}\nname: top\n")
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(home / "top.yaml")
    assert words in str(refusal.value)


def test_long_chains_of_files_are_refused(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"s{number}.yaml").write_text(f"extends: s{number + 1}.yaml\n")
    with pytest.raises(ScenarioError, match="more than 10 files"):
        load_scenario(tmp_path / "s0.yaml")


def with_table(
    folder: Path, rows: str = "years,sex,site\n50,f,1\n60,m,2\n70,f,1\n", **population: object
) -> Path:
    (folder / "patients.csv").write_text(rows)
    written = {
        "resample": "patients.csv",
        "columns": {"age": "years", "sex": "sex", "site": "site"},
        **population,
    }
    path = folder / "trial.yaml"
    path.write_text(SMALL + f"population: {written!r}\n".replace("'", '"'))
    return path


def test_a_table_of_patients_is_read_beside_the_scenario(tmp_path: Path) -> None:
    scenario = load_scenario(with_table(tmp_path))
    table = patient_table(scenario)
    assert table is not None
    assert list(table) == ["age", "sex", "site"]
    assert list(table["sex"].values) == [0.0, 1.0, 0.0]
    assert table["sex"].levels == ("f", "m")
    assert scenario.population.kind == "resampled"
    assert patient_table(scenario_from_text(SMALL)) is None


def test_the_table_is_part_of_the_identity_and_the_folder_is_not(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    for folder in (one, two, three):
        folder.mkdir()
    first, second = load_scenario(with_table(one)), load_scenario(with_table(two))
    other = load_scenario(with_table(three, rows="years,sex,site\n50,f,1\n60,m,2\n71,f,1\n"))
    assert first == second
    assert first.digest() == second.digest() != other.digest()


def test_a_saved_scenario_loads_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "to").mkdir()
    scenario = load_scenario(with_table(tmp_path / "from"))
    again = load_scenario(save_scenario(scenario, tmp_path / "to"))
    assert again == scenario
    assert canonical_yaml(again) == canonical_yaml(scenario)
    assert pickle.loads(pickle.dumps(again)) == scenario


def test_tables_make_strata_of_few_values(tmp_path: Path) -> None:
    rows = "years,sex,site\n" + "".join(f"{n},f,{n % 4}\n" for n in range(99))
    path = with_table(tmp_path, rows)
    blocks = "{stratified_permuted_blocks: {size: 4, strata: [site]}}"
    text = path.read_text().replace("allocation: simple", f"allocation: {blocks}")
    path.write_text(text)
    assert load_scenario(path).designs["fixed"].allocation.strata == ("site",)
    path.write_text(text.replace("[site]", "[age]"))
    with pytest.raises(ScenarioError, match="takes more than 50 values"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.csv", "there is no file 'none.csv'"),
        ("../patients.csv", "leads out of the scenario's folder"),
        ("link.csv", "is a link out of the scenario's folder"),
        (".", "is a folder"),
    ],
)
def test_tables_outside_the_folder_are_refused(tmp_path: Path, name: str, words: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "patients.csv").write_text("years\n1\n2\n")
    (home / "link.csv").symlink_to(tmp_path / "patients.csv")
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(with_table(home, resample=name))
    assert words in str(refusal.value)


def test_names_may_be_words_that_yaml_takes_for_others() -> None:
    text = (
        SMALL.replace("treatment", "no")
        .replace("as_written", "null")
        .replace("fixed:", "on:")
        .replace("primary", "yes")
    )
    scenario = scenario_from_text(text)
    assert scenario.arms == ("control", "no")
    assert list(scenario.truths) == ["null"]
    assert list(scenario.designs) == ["on"]
    assert scenario_from_text(canonical_yaml(scenario)) == scenario


def test_the_starter_is_good() -> None:
    scenario = scenario_from_text(starter_text("my_trial"))
    assert scenario.name == "my_trial"
    assert scenario_from_text(canonical_yaml(scenario)) == scenario


def test_the_most_exact_path_of_a_truth_holds_whatever_the_order(rich: Scenario) -> None:
    tree = rich.dump()
    exact, general = {"endpoints.cd4.effect.low": 3.0}, {"endpoints.cd4.effect.*": 7.0}
    tree["truths"] = {"first": exact | general, "last": general | exact}
    made = scenario_from(tree)
    for truth in ("first", "last"):
        effect = made.world(truth).endpoints["cd4"].effect
        assert effect["low"] == 3.0
        assert {value for arm, value in effect.items() if arm != "low"} == {7.0}


def test_a_misspelt_key_is_told_before_the_missing_one_that_it_was_meant_for(tmp_path: Path) -> None:
    path = tmp_path / "misspelt.yaml"
    path.write_text(MISSPELT)
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(path)
    assert [(problem.line, problem.path) for problem in refusal.value.problems] == [
        (None, "name"),
        (4, "acrual"),
        (None, "accrual"),
        (6, "endpoints.death.baseline"),
        (7, "endpoints.score.readuot"),
        (7, "endpoints.score.readout"),
        (12, "designs.fixed.nn"),
        (11, "designs.fixed.n"),
        (13, "designs.fixed.mind"),
    ]
    with pytest.raises(ScenarioError) as refusal:  # a text without lines
        scenario_from_text(MISSPELT)
    paths = [problem.path for problem in refusal.value.problems]
    for misspelt, meant in (("acrual", "accrual"), ("designs.fixed.nn", "designs.fixed.n")):
        assert paths.index(meant) == paths.index(misspelt) + 1


MISSPELT = """
description: "its name is missing, and nothing like it is there"
arms: [control, treatment]
acrual: {poisson: {rate: 20 per month}}
endpoints:
  death: {kind: survival, effect: {treatment: 0.5}}
  score: {kind: continuous, readuot: 30 days, mean: 10, sd: 3, effect: {treatment: -1}}
hypotheses: {primary: {endpoint: death, arms: [treatment, control], analysis: logrank, direction: lower}}
truths: {base: {}}
designs:
  fixed:
    nn: 100
    mind: fixed
    kind: fixed
    allocation: simple
    looks: [{when: {events: 50}}]
    tests: {primary: {alpha: 0.025}}
"""


def test_problems_that_follow_from_nothing_keep_their_order_also_beside_one_without_a_place() -> None:
    problems = [Problem("a", "first"), Problem("", "of the whole"), Problem("b", "last", follows="c")]
    assert causes_first(problems) == problems
    assert causes_first([Problem("b", "then", follows="c"), Problem("c", "first")])[0].path == "c"
