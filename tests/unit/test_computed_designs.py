"""Group sequential designs asked in a few lines: their looks, bounds and sizes, and what is refused."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import norm

from trialsim.designs import boundary_families
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError
from trialsim.oc.bounds_by_look import bounds_by_look
from trialsim.oc.sweep_grid import grid_of, parse_vary
from trialsim.report.computed_design import computed_sentences
from trialsim.report.more_tables import bounds_table
from trialsim.scenario import families
from trialsim.scenario.load import load_scenario, scenario_from

SURVIVAL: dict[str, Any] = yaml.safe_load("""
name: survival
horizon: 10 years
accrual: {evenly_spaced: {over: 12 months}}
arms: [control, treatment]
endpoints:
  death: {kind: survival, baseline: {median: 8 months}, effect: {treatment: 0.6666666666666666}}
hypotheses:
  primary: {endpoint: death, arms: [treatment, control], analysis: logrank, direction: lower}
truths:
  effect: {}
  no_effect: {endpoints.death.effect.treatment: 1.0}
  harm: {endpoints.death.effect.treatment: 1.2}
designs:
  sequential:
    kind: group_sequential
    n: 400
    allocation: alternating
    looks: [{when: {events: 86}}, {when: {events: 173}}, {when: {events: 259}}]
    tests: {primary: {alpha: 0.025}}
    efficacy: lan_demets_obrien_fleming
""")
BINARY: dict[str, Any] = yaml.safe_load("""
name: binary
accrual: {evenly_spaced: {over: 12 months}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 4 weeks, rate: 0.3, effect: {treatment: 0.5}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {effect: {}}
designs:
  sequential:
    kind: group_sequential
    allocation: {permuted_blocks: {size: 4}}
    looks: 3
    tests: {primary: {alpha: 0.025}}
    power: 0.9
    under: effect
    efficacy: lan_demets_obrien_fleming
""")


def with_design(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a scenario with keys of its design changed, or left out where None."""
    tree = copy.deepcopy(base)
    design = tree["designs"]["sequential"] | changes
    tree["designs"]["sequential"] = {key: value for key, value in design.items() if value is not None}
    return tree


def computed(tree: dict[str, Any]) -> Any:
    found = scenario_from(tree).designs["sequential"].computed
    assert found is not None
    return found


def counts(tree: dict[str, Any]) -> list[int | None]:
    return [look.when.count for look in scenario_from(tree).designs["sequential"].looks]


def problems(tree: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(ScenarioError) as caught:
        scenario_from(tree)
    return {problem.path: problem.message for problem in caught.value.problems}


def test_the_language_has_the_families_of_the_theory() -> None:
    assert families.EFFICACY == boundary_families.EFFICACY
    assert families.FUTILITY == boundary_families.FUTILITY


def test_bounds_for_the_events_of_the_looks_are_those_of_rpact() -> None:
    # rpact 4.3.0, getDesignGroupSequential(typeOfDesign = "asOF", informationRates = c(86, 173, 259) / 259).
    bounds = computed(SURVIVAL).bounds["primary"]
    assert bounds.efficacy_z == pytest.approx((3.71813, 2.50850, 1.99330), abs=5e-6)
    assert bounds.futility_z is None
    plan = build_plan(scenario_from(SURVIVAL), "sequential", "effect", 1)
    assert plan.tests[0].efficacy_z == bounds.efficacy_z


def test_non_binding_futility_leaves_efficacy_alone_and_binding_lowers_it() -> None:
    futility = {"futility": {"hwang_shih_decani": -2}, "power": 0.9}
    alone = computed(SURVIVAL).bounds["primary"].efficacy_z
    beside = computed(with_design(SURVIVAL, **futility)).bounds["primary"]
    binding = computed(with_design(SURVIVAL, **futility, futility_binding=True)).bounds["primary"]
    assert beside.efficacy_z == alone
    assert beside.futility_z[-1] is None and beside.futility_z[0] < beside.futility_z[1] < alone[1]
    assert binding.efficacy_z[-1] < alone[-1] - 0.01


def test_each_test_has_the_bounds_of_its_level() -> None:
    tree = with_design(SURVIVAL, tests={"primary": {"alpha": 0.02}, "other": {"alpha": 0.005}})
    tree["hypotheses"]["other"] = tree["hypotheses"]["primary"]
    bounds = computed(tree).bounds
    assert all(
        low < high for low, high in zip(bounds["primary"].efficacy_z, bounds["other"].efficacy_z, strict=True)
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"looks": 3, "events": 259}, [87, 173, 259]),
        ({"looks": None, "events": 300, "information": [0.33, 0.67, 1]}, [99, 201, 300]),
        ({"looks": 2, "events": 300, "information": [0.5, 1]}, [150, 300]),
    ],
)
def test_a_number_of_looks_is_spread_over_the_information(
    changes: dict[str, Any], expected: list[int]
) -> None:
    tree = with_design(SURVIVAL, **changes)
    assert counts(tree) == expected
    assert computed(tree).information["primary"] == tuple(count / expected[-1] for count in expected)


def test_stated_information_where_looks_are_by_the_calendar() -> None:
    looks = [{"when": {"calendar": "1 year"}}, {"when": {"calendar": "2 years"}}]
    found = problems(with_design(SURVIVAL, looks=looks))
    assert "information is needed" in found["designs.sequential.looks[0].when"]
    stated = with_design(SURVIVAL, looks=looks, information=[0.4, 1])
    assert computed(stated).information["primary"] == (0.4, 1.0)


def test_events_are_solved_as_rpact_does() -> None:
    # rpact 4.3.0, getSampleSizeSurvival(dLD, lambda2 = log(2)/8, hazardRatio = 2/3, ...): 258.682206814134 events.
    tree = with_design(SURVIVAL, looks=3, power=0.9, under="effect")
    assert computed(tree).events == 259
    assert counts(tree) == [87, 173, 259]
    two_to_one = with_design(
        tree, allocation={"alternating": {"ratio": {"control": 1, "treatment": 2}}}, n=450
    )
    # Schoenfeld (1981): events go with 1 / (p (1 - p)), here 9/2 in place of 4.
    assert computed(two_to_one).events == -(-258.682206814134 * 9 // 8)


def test_patients_are_solved_as_rpact_does_and_fill_their_blocks() -> None:
    # rpact 4.3.0, getSampleSizeRates(dLD, pi1 = 0.5, pi2 = 0.3): 250.936712708854 patients.
    scenario = scenario_from(BINARY)
    assert scenario.designs["sequential"].n == computed(BINARY).n == 252
    assert counts(BINARY) == [84, 168, 252]
    assert scenario_from(with_design(BINARY, allocation="alternating")).designs["sequential"].n == 252
    blocks = with_design(BINARY, allocation={"permuted_blocks": {"size": 10}})
    assert scenario_from(blocks).designs["sequential"].n == 260


def test_the_test_that_needs_most_decides() -> None:
    tree = with_design(BINARY, tests={"primary": {"alpha": 0.025}, "strict": {"alpha": 0.005}})
    tree["hypotheses"]["strict"] = tree["hypotheses"]["primary"]
    alone = with_design(tree, tests={"strict": {"alpha": 0.005}})
    assert computed(tree).n == computed(alone).n > 252


@pytest.mark.parametrize(
    "tree", [SURVIVAL, with_design(SURVIVAL, looks=3, power=0.9, under="effect"), BINARY]
)
def test_the_resolved_scenario_holds_everything_and_reads_back(tree: dict[str, Any]) -> None:
    scenario = scenario_from(tree)
    resolved = scenario.dump()
    assert "computed" in resolved["designs"]["sequential"]
    again = scenario_from(yaml.safe_load(yaml.safe_dump(resolved)))
    assert again.digest() == scenario.digest()
    assert again.dump() == resolved


def test_the_digest_knows_the_bounds() -> None:
    other = with_design(SURVIVAL, efficacy={"wang_tsiatis": 0.25})
    assert scenario_from(other).digest() != scenario_from(SURVIVAL).digest()


@pytest.mark.parametrize(
    ("key", "value"), [("n", 300), ("looks", [{"when": {"readouts": 100}}, {"when": {"readouts": 252}}])]
)
def test_a_resolved_design_that_was_edited_is_refused(key: str, value: Any) -> None:
    resolved = scenario_from(BINARY).dump()
    resolved["designs"]["sequential"][key] = value
    found = problems(resolved)
    assert all("take out computed" in message for message in found.values())
    assert any(path.startswith(f"designs.sequential.{key}") for path in found)


def test_a_sweep_works_them_out_at_each_point() -> None:
    tree = with_design(BINARY)
    tree["truths"]["other"] = {"endpoints.response.effect.treatment": 0.4}
    grid = grid_of(scenario_from(tree), [parse_vary("designs.sequential.power=0.8,0.9")], None, ["other"])
    sizes = [grid.at(point).designs["sequential"].n for point in grid.points()]
    assert sizes[0] < sizes[1] == 252


LATE = [{"from": "0 days", "hazard_ratio": 1}, {"from": "90 days", "hazard_ratio": 0.5}]


@pytest.mark.parametrize(
    ("base", "changes", "place", "words"),
    [
        (SURVIVAL, {"bounds": {"efficacy_z": [3, 2, 2]}}, "efficacy", "keep one of them"),
        (SURVIVAL, {"efficacy": None}, "bounds", "efficacy, a family"),
        (SURVIVAL, {"efficacy": "obrien_flemming"}, "efficacy", "obrien_fleming"),
        (SURVIVAL, {"efficacy": "wang_tsiatis"}, "efficacy", "needs its parameter"),
        (SURVIVAL, {"efficacy": {"wang_tsiatis": "half"}}, "efficacy", "a number or a list of numbers"),
        (SURVIVAL, {"efficacy": None, "futility": {"z": 0}}, "futility", "efficacy as well"),
        (SURVIVAL, {"futility": {"hwang_shih_decani": -2}}, "power", "is required"),
        (SURVIVAL, {"power": 0.9}, "power", "moves nothing"),
        (SURVIVAL, {"futility_binding": True}, "futility_binding", "no futility bounds"),
        (SURVIVAL, {"information": [0.2, 0.5, 1]}, "information", "leave information out"),
        (SURVIVAL, {"events": 259}, "events", "leave one out"),
        (SURVIVAL, {"looks": 3}, "events", "is required"),
        (SURVIVAL, {"looks": 0, "events": 259}, "looks", "out of range"),
        (SURVIVAL, {"looks": 3.5, "events": 259}, "looks", "a list of looks, or their number"),
        (BINARY, {"under": None, "futility": {"z": 0}}, "n", "required and missing"),
        (BINARY, {"power": None}, "power", "is required beside under"),
        (SURVIVAL, {"looks": 3, "events": 401}, "looks[2].when.events.count", "exceeds"),
        (SURVIVAL, {"under": "effect"}, "power", "is required"),
        (SURVIVAL, {"power": 0.9, "under": "effect"}, "looks", "write looks: 3"),
        (SURVIVAL, {"looks": 3, "events": 300, "power": 0.9, "under": "effect"}, "events", "is solved"),
        (SURVIVAL, {"looks": 3, "power": 0.9, "under": "efect"}, "under", "effect"),
        (SURVIVAL, {"looks": 3, "power": 0.9, "under": "no_effect"}, "under", "no better"),
        (SURVIVAL, {"looks": 3, "power": 0.9, "under": "harm"}, "under", "no better"),
        (SURVIVAL, {"looks": 3, "power": 0.9, "under": "effect", "n": 240}, "n", "events are needed"),
        (BINARY, {"n": 300}, "n", "is solved"),
        (BINARY, {"events": 300}, "events", "counts no events"),
        (BINARY, {"kind": "fixed", "looks": 1}, "efficacy", "fixed design has no bounds"),
    ],
)  # fmt: skip
def test_what_is_refused(base: dict[str, Any], changes: dict[str, Any], place: str, words: str) -> None:
    found = problems(with_design(base, **changes))
    assert words in found[f"designs.sequential.{place}"]


def test_a_ratio_that_changes_in_time_is_not_sized_by_proportional_hazards() -> None:
    tree = with_design(SURVIVAL, looks=3, power=0.9, under="effect")
    tree["endpoints"]["death"]["effect"]["treatment"] = LATE
    assert "changes in time" in problems(tree)["designs.sequential.under"]


def test_more_events_than_come_by_the_horizon_are_refused() -> None:
    tree = with_design(SURVIVAL, looks=3, power=0.9, under="effect") | {"horizon": "15 months"}
    assert "by the horizon of" in problems(tree)["designs.sequential.n"]


def test_outcomes_moved_by_more_than_the_arm_are_not_sized() -> None:
    tree = copy.deepcopy(BINARY)
    tree["dropout"] = {"baseline": {"median": "10 years"}}
    assert "dropout" in problems(tree)["designs.sequential.under"]


def test_a_wrong_number_of_looks_is_said_once() -> None:
    found = problems(with_design(SURVIVAL, looks=3, events="many"))
    assert list(found) == ["designs.sequential.events"]


def test_check_prints_what_was_worked_out() -> None:
    said = list(computed_sentences(scenario_from(BINARY)))
    assert said[0].startswith(
        "sequential: 252 patients for power 0.9 under effect; 252 patients, looks at 84 readouts"
    )
    assert "efficacy z 3.710303, 2.511427, 1.993047" in said[1]  # rpact 4.3.0, "asOF", three looks


def test_json_and_report_hold_the_bounds_in_full_precision() -> None:
    tree = scenario_from(with_design(SURVIVAL, futility={"z": 0})).dump()
    rows = bounds_by_look(tree, ["sequential"])
    bounds = tree["designs"]["sequential"]["computed"]["bounds"]["primary"]
    assert [row["efficacy_z"] for row in rows] == bounds["efficacy_z"]
    assert [row["futility_z"] for row in rows] == [0.0, 0.0, None]
    assert [row["information"] for row in rows] == [86 / 259, 173 / 259, 1.0]
    table = bounds_table(tree, ["sequential"])
    assert table is not None and table.rows[1][4] == ("2.508502",)


def test_the_completed_scenario_stays_where_it_was_read() -> None:
    path = Path(__file__).resolve().parents[2] / "scenarios" / "computed_bounds" / "computed_bounds.yaml"
    assert load_scenario(path).folder == path.parent


def test_patients_in_all_count_the_arms_that_a_test_does_not_compare() -> None:
    tree = with_design(BINARY, allocation="alternating", arms=None)
    tree["arms"] = ["control", "treatment", "other"]
    tree["endpoints"]["response"]["effect"]["other"] = 0.4
    # 250.936712708854 patients in two of three equal arms (rpact 4.3.0): 376.4 in all, rounded up to threes.
    assert scenario_from(tree).designs["sequential"].n == 378


@pytest.mark.parametrize(
    ("measure", "effect"),
    [("risk_difference", 0.2), ("odds_ratio", (0.5 / 0.5) / (0.3 / 0.7)), ("rate", 0.5)],
)
def test_every_measure_of_effect_gives_the_same_size(measure: str, effect: float) -> None:
    tree = with_design(BINARY)
    tree["endpoints"]["response"] |= {"effect": {"treatment": effect}, "effect_measure": measure}
    assert computed(tree).n == 252


@pytest.mark.parametrize(("analysis", "n"), [("t_test", 288), ({"z_test": {"sd": 1}}, None)])
def test_means_are_solved_as_rpact_does(analysis: Any, n: int | None) -> None:
    # rpact 4.3.0, getSampleSizeMeans(dFut, alternative = 0.4, stDev = 1): 286.119113854261 patients by the t distribution,
    # Lan-DeMets O'Brien-Fleming and non-binding Hwang-Shih-DeCani futility (gamma -2) at 0.5, 0.75 and 1.
    tree = with_design(
        BINARY,
        looks=None,
        information=[0.5, 0.75, 1],
        futility={"hwang_shih_decani": -2},
    )
    tree["endpoints"] = {
        "response": {
            "kind": "continuous", "readout": "4 weeks", "mean": 1.0, "sd": 1.0, "effect": {"treatment": 0.4},
        }
    }  # fmt: skip
    tree["hypotheses"]["primary"]["analysis"] = analysis
    found = computed(tree)
    if n is None:
        # Known deviation: (z_alpha + z_beta)^2 4 / 0.16 times the factor, closed form.
        factor = found.inflation_factor["primary"]
        exact = (norm.isf(0.025) + norm.isf(0.1)) ** 2 * 4.0 / 0.16 * factor
        n = 4 * math.ceil(exact / 4)
    assert found.n == n
    assert counts(tree) == [n // 2, 3 * n // 4, n]


def test_events_do_not_tell_the_information_of_weighted_tests() -> None:
    tree = with_design(SURVIVAL)
    tree["hypotheses"]["primary"]["analysis"] = {"fleming_harrington": {"rho": 0, "gamma": 1}}
    assert "information is needed" in problems(tree)["designs.sequential.looks[0].when"]
    stated = with_design(tree, information=[0.1, 0.5, 1])
    assert computed(stated).information["primary"] == (0.1, 0.5, 1.0)
    assert build_plan(scenario_from(stated), "sequential", "effect", 1).tests[0].follower is None
    sized = with_design(tree, looks=None, information=[0.5, 1], power=0.9, under="effect")
    assert "no formula here" in problems(sized)["designs.sequential.under"]


def test_a_z_test_of_another_deviation_is_not_sized() -> None:
    tree = with_design(BINARY)
    tree["endpoints"]["response"] = {
        "kind": "continuous", "readout": "4 weeks", "mean": 1.0, "sd": 1.5, "effect": {"treatment": 0.4},
    }  # fmt: skip
    tree["hypotheses"]["primary"]["analysis"] = {"z_test": {"sd": 1}}
    assert "standard deviation of 1" in problems(tree)["designs.sequential.under"]


DEATHS = copy.deepcopy(SURVIVAL)
DEATHS["endpoints"]["death"] = {
    "kind": "survival", "baseline": {"hazard": "0.06 per month"}, "effect": {"treatment": 0.6},
}  # fmt: skip
DEATHS["endpoints"]["other"] = {
    "kind": "survival", "terminal": True, "baseline": {"median": "60 months"}, "effect": {"treatment": 1.0},
}  # fmt: skip
DEATHS["designs"]["sequential"] |= {"looks": 2, "power": 0.8, "under": "effect"}
DEATHS["truths"] = {"effect": {}}
BINARY_DIFFERENCE = copy.deepcopy(BINARY)
BINARY_DIFFERENCE["endpoints"]["response"] |= {
    "effect": {"treatment": 0.2}, "effect_measure": "risk_difference",
}  # fmt: skip


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize(
    ("base", "path", "value"),
    [
        # A number that cannot stand there, and one that a rule would refuse.
        (DEATHS, "endpoints.death.effect.treatment", 0),
        (BINARY_DIFFERENCE, "endpoints.response.effect.treatment", 0.9),
    ],
)
def test_a_size_under_one_of_too_many_wrong_truths_is_passed_over(
    readable: bool, base: dict[str, Any], path: str, value: float
) -> None:
    tree = with_design(base, under="wrong_100")
    tree["truths"] = {f"wrong_{k}": {path: value} for k in range(101)}
    if not readable:
        tree["costs"] = "x y"
    wrong = {f"truths.wrong_{k}" for k in range(100)}
    assert {*problems(tree)} == (wrong if readable else wrong | {"costs"})


@pytest.mark.parametrize(
    ("part", "entry", "wrong", "overlay", "place"),
    [
        # An invented time to death would end the time in which an event can come.
        ("endpoints", "other", DEATHS["endpoints"]["other"] | {"baseline": {"median": "60 monhts"}}, {},
         "endpoints.other.baseline.median"),
        # The truth leads into what stands for something that could not be read.
        ("endpoints", "third", 5, {"endpoints.third.rate": 0.2}, "endpoints.third"),
        ("costs", "consent", "x y", {"costs.consent": 5}, "costs.consent"),
        ("endpoints", "pfs-2", DEATHS["endpoints"]["other"], {"endpoints.pfs_2.baseline.median": "9 months"},
         "endpoints.pfs-2"),
    ],
)  # fmt: skip
def test_no_size_is_worked_out_in_a_world_that_is_not_as_it_is_written(
    part: str, entry: str, wrong: Any, overlay: dict[str, Any], place: str
) -> None:
    tree = copy.deepcopy(DEATHS)
    scenario_from(tree)
    tree.setdefault(part, {})[entry] = wrong
    tree["truths"]["effect"] = overlay
    assert [*problems(tree)] == [place]


@pytest.mark.parametrize("other", [{"name": "X Y"}, {"costs": {"consent": "x y"}}])
def test_a_size_is_refused_beside_what_moves_no_size(other: dict[str, Any]) -> None:
    found = problems(with_design(DEATHS, n=20) | other)
    assert len(found) == 2
    assert "events are needed" in found["designs.sequential.n"]
