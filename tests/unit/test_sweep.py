"""A sweep against exact answers: power over the sample size, and the smallest size with enough of it."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import pytest

import trialsim
from trialsim.errors import ScenarioError, UsageError
from trialsim.oc.sweep import Sweep, sweep
from trialsim.oc.sweep_grid import Vary, parse_vary
from trialsim.oc.sweep_solve import _smallest, parse_target, solve
from trialsim.report.sweep_page import solution_sentences, sweep_tables
from trialsim.scenario.load import load_scenario, scenario_from
from trialsim.scenario.schema import Scenario
from trialsim.stats.exact_binary import exact_group_sequential_binary

N = "designs.fixed.n+designs.fixed.looks[0].when.readouts"
REPLICATES = 4000
Z = NormalDist().inv_cdf(0.975)


@pytest.fixture(scope="module")
def binary(root: Path) -> Scenario:
    return load_scenario(root / "scenarios" / "binary_sequential" / "binary_sequential.yaml")


@pytest.fixture(scope="module")
def by_size(binary: Scenario) -> Sweep:
    return sweep(binary, f"{N}=200:440:60", truths="alternative", replicates=REPLICATES)


def exact_power(n: int, rate: float = 0.45) -> float:
    return exact_group_sequential_binary((0.30, rate), [(n // 2, n // 2)], [Z]).power


def error(power: float, n: int = REPLICATES) -> float:
    return float((power * (1 - power) / n) ** 0.5)


def test_power_over_the_sample_size_is_the_exact_one(by_size: Sweep) -> None:
    assert [row.point for row in by_size.rows] == [(200,), (260,), (320,), (380,), (440,)]
    for row in by_size.rows:
        exact = exact_power(int(row.point[0]))
        assert abs(row.measure.value - exact) <= 5 * error(exact), row.point
        assert row.measure.n == REPLICATES


@pytest.mark.slow
def test_a_design_with_decision_rules_is_swept_too(root: Path) -> None:
    # Lee and Liu, Clinical Trials 5, 2008, 93-106: errors of the first kind and power, exact by recursion.
    found = sweep(
        root / "scenarios" / "lee_liu" / "lee_liu.yaml",
        "endpoints.response.rate=0.2,0.4",
        truths="no_effect",
        measures=["reject:primary"],
        replicates=REPLICATES,
    )
    for row, exact in zip(found.rows, (0.0878, 0.9062), strict=True):
        assert abs(row.measure.value - exact) <= 5 * error(exact)


def test_power_over_a_number_of_the_world_is_the_exact_one(binary: Scenario) -> None:
    found = sweep(
        binary,
        "endpoints.response.effect.treatment=0.35:0.5:0.05",
        "fixed",
        ["alternative", "no_effect"],
        ["reject:primary"],
        REPLICATES,
    )
    for row in found.rows:
        # The truth without effect sets the number itself: it does not vary there.
        exact = exact_power(300, float(row.point[0]) if row.measure.truth == "alternative" else 0.30)
        assert abs(row.measure.value - exact) <= 5 * error(exact), row
    assert len({row.measure.value for row in found.rows if row.measure.truth == "no_effect"}) == 1
    assert found.notes == (
        "Truth no_effect sets endpoints.response.effect.treatment itself: under it, that number does not vary.",
    )


def test_all_points_have_the_same_patients(binary: Scenario, by_size: Sweep) -> None:
    alone = sweep(binary, f"{N}=320", truths="alternative", replicates=REPLICATES)
    plain = trialsim.simulate(binary, "fixed", "alternative", REPLICATES)
    (at_300,) = sweep(binary, f"{N}=300", truths="alternative", replicates=REPLICATES).rows
    assert alone.rows[0] == by_size.rows[2]
    (row,) = plain.characteristics.select("power_disjunctive")
    assert at_300.measure == row


@pytest.mark.slow
def test_workers_and_engine_change_nothing(binary: Scenario) -> None:
    def found(**how: object) -> object:
        return sweep(
            binary, f"{N}=40,60", replicates=60, measures=["reject_any", "duration"], **how
        ).document()  # type: ignore[arg-type]

    assert found() == found(workers=2) == found(engine="reference")


def test_two_numbers_make_every_combination(binary: Scenario) -> None:
    vary = [f"{N}=100,200", "endpoints.response.readout=4,8 weeks"]
    found = sweep(binary, vary, truths="alternative", measures="duration", replicates=20)
    months = {row.point: row.measure.value for row in found.rows}
    assert list(months) == [(100, 4), (100, 8), (200, 4), (200, 8)]
    # Patients enter at a steady rate and all are read out four weeks later than before.
    assert months[100, 8] - months[100, 4] == pytest.approx(28.0)
    assert months[200, 8] - months[200, 4] == pytest.approx(28.0)


def test_a_number_that_moves_nothing_is_noted(binary: Scenario) -> None:
    found = sweep(binary, "designs.fixed.n=300:340:20", truths="alternative", replicates=50)
    assert len({row.measure.value for row in found.rows}) == 1
    assert found.notes[0].startswith("Nothing here moves with designs.fixed.n for fixed under alternative")


def test_solving_in_vain_points_to_the_counts_of_the_looks(binary: Scenario) -> None:
    still = solve(binary, "designs.fixed.n=300:340:20", 0.99, truths="alternative", replicates=50)
    assert still.solution is not None
    assert still.solution.at is None
    assert still.notes[0].startswith("Nothing here moves with designs.fixed.n for fixed under alternative")
    moved = solve(binary, "designs.fixed.n=300:340:20", 1e6, "enrolled", truths="alternative", replicates=20)
    assert "whatever n is" in moved.notes[0]


def test_a_probability_of_one_throughout_is_not_taken_for_a_number_that_moves_nothing(
    binary: Scenario,
) -> None:
    vary = "endpoints.response.effect.treatment=0.98,0.99"
    found = sweep(binary, vary, "fixed", "alternative", replicates=50)
    assert {row.measure.value for row in found.rows} == {1.0}
    assert found.notes == ()


def test_a_measure_split_by_reason_is_given_as_a_whole_unless_a_reason_is_named(binary: Scenario) -> None:
    def reasons(measure: str) -> set[tuple[str | None, int | None]]:
        found = sweep(binary, f"{N}=100", truths="alternative", measures=measure, replicates=100)
        return {(row.measure.reason, row.measure.look) for row in found.rows}

    assert reasons("bias") == {(None, None)}
    assert reasons("bias:efficacy") == {("efficacy", None)}
    assert reasons("stop:efficacy") == {("efficacy", None)}


def test_a_truth_that_is_not_asked_about_is_in_nobodys_way(binary: Scenario) -> None:
    tree = binary.dump()
    tree["endpoints"]["response"] |= {"effect_measure": "risk_difference", "effect": {"treatment": 0.15}}
    tree["truths"] = {"hoped_for": {}, "great": {"endpoints.response.effect.treatment": 0.6}}
    scenario = scenario_from(tree)
    vary = "endpoints.response.rate=0.3,0.5"
    assert len(sweep(scenario, vary, "fixed", "hoped_for", replicates=20).rows) == 2
    with pytest.raises(ScenarioError) as raised:
        sweep(scenario, vary, "fixed", "great", replicates=20)
    assert raised.value.source == "binary_sequential with endpoints.response.rate = 0.5"


def test_only_the_designs_that_vary_are_simulated_unless_named(binary: Scenario) -> None:
    assert sweep(binary, f"{N}=40", replicates=5).grid.designs == ("fixed",)
    both = sweep(binary, f"{N}=40", designs=["group_sequential", "fixed"], replicates=5).grid.designs
    assert both == ("group_sequential", "fixed")
    assert sweep(binary, "endpoints.response.rate=0.2", replicates=5).grid.designs == tuple(binary.designs)


def test_the_smallest_size_is_the_exact_one(binary: Scenario) -> None:
    sizes = range(200, 601, 40)
    smallest = next(n for n in sizes if exact_power(n) >= 0.85)
    target = (exact_power(smallest - 40) + exact_power(smallest)) / 2
    assert min(exact_power(smallest) - target, target - exact_power(smallest - 40)) > 3 * error(target)
    found = solve(binary, f"{N}=200:600:40", target, replicates=REPLICATES)
    solution = found.solution
    assert solution is not None
    assert solution.at is not None
    assert solution.below is not None
    assert (solution.value, solution.below.point) == (smallest, (smallest - 40,))
    assert solution.at.measure.value >= target > solution.below.measure.value
    assert (solution.truth, solution.monotone) == ("alternative", True)
    assert solution.tried < len(sizes)
    whole = sweep(binary, f"{N}=200:600:40", truths="alternative", replicates=REPLICATES)
    assert solution.value == next(row.point[0] for row in whole.rows if row.measure.value >= target)


def test_a_solution_too_close_to_call_says_so(binary: Scenario) -> None:
    found = solve(binary, f"{N}=280:320:4", 0.77, replicates=400)
    assert found.solution is not None
    assert found.solution.interval_covers_target is True
    assert any("replicates do not settle" in sentence for sentence in solution_sentences(found))


def test_a_target_that_nothing_reaches_is_told(binary: Scenario) -> None:
    found = solve(binary, f"{N}=40:100:20", 0.9, replicates=200)
    assert found.solution is not None
    assert found.solution.value is None
    assert found.solution.interval_covers_target is None
    assert solution_sentences(found)[0].startswith("No value of designs.fixed.n+")
    assert "the highest was" in solution_sentences(found)[0]


def test_the_first_value_may_do(binary: Scenario) -> None:
    found = solve(binary, f"{N}=400:500:50", 0.5, replicates=100)
    assert found.solution is not None
    assert (found.solution.value, found.solution.below, found.solution.tried) == (400, None, 1)
    assert "a smaller one may do as well" in " ".join(solution_sentences(found))


def test_a_measure_that_falls_is_told(binary: Scenario) -> None:
    # A higher control rate leaves less to find, until it is above the treatment's.
    vary = "endpoints.response.rate=0.1,0.3,0.4,0.5,0.7"
    found = solve(binary, vary, 0.99, "reject", "fixed", "alternative", replicates=200)
    assert found.solution is not None
    assert found.solution.value == 0.1
    rising = solve(binary, "designs.fixed.tests.primary.alpha=0.001,0.01,0.1", 0.7, replicates=400)
    assert rising.solution is not None
    assert rising.solution.monotone
    # Faster accrual makes a trial shorter.
    falling = solve(
        binary, "accrual.evenly_spaced.rate=10:40:10 per month", 1000.0, "duration", "fixed", "alternative",
        replicates=20,
    )  # fmt: skip
    assert falling.solution is not None
    assert (falling.solution.value, falling.solution.monotone) == (None, False)
    assert any("not monotone" in sentence for sentence in solution_sentences(falling))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_bisection_finds_the_first_of_those_that_reach(size: int) -> None:
    for first in range(size):
        tried: list[int] = []

        def reaches(place: int, first: int = first, tried: list[int] = tried) -> bool:
            tried.append(place)
            return place >= first

        assert _smallest(reaches, size) == first
        assert len(set(tried)) <= size.bit_length() + 2
    assert _smallest(lambda place: False, size) is None


def test_bisection_finds_a_hump_between_the_ends() -> None:
    assert _smallest(lambda place: 40 <= place <= 60, 101) == 40


@pytest.mark.parametrize(
    ("text", "values", "unit"),
    [
        ("a=300:900:200", (300, 500, 700, 900), None),
        ("a=300:850:200", (300, 500, 700), None),
        ("a=0.1:0.4:0.1", (0.1, 0.2, 0.3, 0.4), None),
        ("a=1:2:0.5", (1.0, 1.5, 2.0), None),
        ("a=-1e-1:0.1:.1", (-0.1, 0.0, 0.1), None),
        ("a=5:5:1", (5,), None),
        ("a= 3, 1,2 ", (1, 2, 3), None),
        ("a=4 weeks,8 weeks", (4, 8), "weeks"),
        ("a=20:40:10 per month", (20, 30, 40), "per month"),
        ("a=20,30/month", (20, 30), "/month"),
    ],
)
def test_values_are_read_exactly(text: str, values: tuple[float, ...], unit: str | None) -> None:
    found = parse_vary(text)
    assert found == Vary(("a",), values, unit)
    assert [type(value) for value in found.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("designs.fixed.n", "is not a path and its values"),
        ("=1:2:1", "is not a path and its values"),
        ("a+=1:2:1", "is not a path and its values"),
        ("a=", "are no values"),
        ("a=1:2", "is no range"),
        ("a=1:2:3:4", "is no range"),
        ("a=1:2:0", "the step 0 is not allowed"),
        ("a=1:2:-1", "the step -1 is not allowed"),
        ("a=2:1:1", "begins at 2, above its end 1"),
        ("a=1:2:1e-9", "more than 100,000 values"),
        ("a=1,1.0", "holds a value twice"),
        ("a=1,x", "are no values"),
        ("a=1,nan", "are no values"),
        ("a=1e999", "are too large"),
        ("a=4 weeks,8 days", "mixes units"),
        ("a=4 weeks,8", "mixes units"),
        ("a=1_000", "are no values"),
        ("a=٣", "are no values"),
    ],
)
def test_values_that_cannot_be_used_are_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_vary(text)


@pytest.mark.parametrize(
    ("vary", "sentence"),
    [
        (["designs.fixd.n=1,2"], r"matches no number.*Did you mean 'designs.fixed.n'"),
        (["designs.fixed.kind=1,2"], "matches no number"),
        (["designs=1"], "matches no number"),
        (["horizon=1"], "cannot vary"),
        (["hypotheses.primary.alpha=0.1"], "cannot vary"),
        (["designs.fixed.n=300", "designs.*.n=300"], "set twice"),
        (["designs.fixed.n=300"] * 2, "set twice"),
        (
            ["designs.fixed.n=1", "designs.fixed.looks.0.when.readouts=1", "endpoints.response.rate=1"],
            "3 numb",
        ),
        ([], "0 numbers are to vary"),
        (["designs.fixed.n=300:100000:1"], "at most 2,000 are tabulated"),
    ],
)
def test_paths_that_cannot_vary_are_a_sentence(binary: Scenario, vary: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        sweep(binary, vary, replicates=5)


def test_a_design_that_is_not_simulated_cannot_vary(binary: Scenario) -> None:
    with pytest.raises(UsageError, match=r"matches no number of the scenario \(designs: group_sequential\)"):
        sweep(binary, "designs.fixed.n=300", designs="group_sequential", replicates=5)


@pytest.mark.parametrize(
    ("vary", "where", "problem"),
    [
        ("designs.fixed.n=340,200,300", "designs.fixed.n = 200", "exceeds the 200 patients"),
        ("designs.fixed.n=300,300.5", "designs.fixed.n = 300.5", "whole number"),
        ("endpoints.response.rate=0.5:1.5:0.5", "endpoints.response.rate = 1.0", "1"),
        ("endpoints.response.readout=4,5", "endpoints.response.readout = 4", "needs a unit"),
        ("endpoints.response.readout=4,5 parsecs", "endpoints.response.readout = 4 parsecs", "parsecs"),
    ],
)
def test_a_point_that_is_no_scenario_is_named(binary: Scenario, vary: str, where: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        sweep(binary, vary, replicates=5)
    assert raised.value.source == f"binary_sequential with {where}"
    assert any(problem in str(each) for each in raised.value.problems)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"measures": "power"}, "no measure 'power'"),
        ({"measures": "powr_disjunctive"}, "Did you mean 'power_disjunctive'"),
        ({"measures": "finished_by"}, "needs a date"),
        ({"measures": "reject:second"}, "is of nothing in the scenario"),
        ({"truths": "none"}, "no truth 'none'"),
        ({"replicates": 0}, "replicates is 0"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(
    binary: Scenario, arguments: dict[str, object], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        sweep(binary, "designs.fixed.n=300", **{"replicates": 5, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("vary", "measure", "truths", "sentence"),
    [
        ("endpoints.response.rate=0.2", "power_disjunctive", None, "name one design"),
        ("designs.fixed.n=300,400", "enrolled", None, "name one truth"),
        ("designs.fixed.n=300,400", "power_disjunctive", "no_effect", "is not reported for fixed"),
        ("designs.fixed.n=300,400", "arm_enrolled", "no_effect", "name one, such as arm_enrolled:control"),
    ],
)
def test_what_cannot_be_solved_for_is_a_sentence(
    binary: Scenario, vary: str, measure: str, truths: str | None, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        solve(binary, vary, 0.9, measure, truths=truths, replicates=5)


@pytest.mark.parametrize("text", ["reject", "reject=", "=0.9", "reject=high", "reject=nan", "reject=inf"])
def test_a_target_that_cannot_be_read_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="is not a measure and its target"):
        parse_target(text)


def test_the_table_shows_error_and_interval(by_size: Sweep) -> None:
    (table,) = sweep_tables(by_size)
    assert table.title == "power_disjunctive; design fixed, truth alternative"
    assert [row[0] for row in table.rows] == [("200",), ("260",), ("320",), ("380",), ("440",)]
    first = by_size.rows[0].measure
    assert first.lower is not None
    assert table.rows[0][1] == (f"{first.value:.4f} ({first.mcse:.4f})",)
    assert table.rows[0][2][0].startswith(f"{first.lower:.4f} to ")


def test_the_frame_has_a_column_for_what_varies(by_size: Sweep) -> None:
    frame = by_size.to_frame()
    assert list(frame[N]) == [200, 260, 320, 380, 440]
    assert list(frame["value"]) == [row.measure.value for row in by_size.rows]
