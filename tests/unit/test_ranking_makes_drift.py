"""Ranked candidates and allocation that follows outcomes: a test must know of time, and certificates try both orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialsim.errors import ScenarioError
from trialsim.oc.certificate import certify
from trialsim.oc.montecarlo import upper_limit
from trialsim.scenario.load import scenario_from_text

FILE = Path(__file__).parents[2] / "scenarios" / "ranking_drift" / "ranking_drift.yaml"
TESTS = "tests: {naive: {alpha: 0.025}, by_block: {alpha: 0.025}}"
BY_BLOCK = "tests: {by_block: {alpha: 0.025}}"
NAIVE = "tests: {naive: {alpha: 0.025}}"
TRIALS = 1000


def text(tests: str) -> str:
    return FILE.read_text(encoding="utf-8").replace(TESTS, tests)


def test_the_naive_test_alone_is_refused_where_candidates_are_ranked_and_allocation_adapts() -> None:
    with pytest.raises(ScenarioError) as refused:
        scenario_from_text(text(NAIVE))
    found = str(refused.value)
    for design in ("thompson", "thompson_capped", "tempered_capped", "thompson_best_first"):
        assert f"designs.{design}.tests.naive: " in found
    assert "cmh_by_period" in found
    for design in ("designs.equal.", "designs.thompson_in_turn."):  # not adaptive; nobody ranked
        assert design not in found


@pytest.mark.parametrize(
    "analysis",
    ["cmh_by_period", "{rerandomised_proportions: {draws: 99}}"],
    ids=["by period", "re-randomised"],
)
def test_a_test_of_the_same_arms_that_knows_of_time_is_enough(analysis: str) -> None:
    known = scenario_from_text(text(TESTS).replace("analysis: cmh_by_period", f"analysis: {analysis}"))
    assert set(known.designs["thompson"].tests) == {"naive", "by_block"}
    other = text(TESTS).replace(
        "by_block: {endpoint: response, arms: [treatment, control]",
        "by_block: {endpoint: response, arms: [control, treatment]",
    )
    with pytest.raises(ScenarioError, match=r"designs\.thompson\.tests\.naive"):
        scenario_from_text(other)


@pytest.mark.slow
def test_a_certificate_holds_of_the_best_and_of_the_worst_prognosis_first() -> None:
    """Their errors are those of an independent simulation (expected.yaml), within 5 standard errors."""
    scenario = scenario_from_text(text(BY_BLOCK))
    found = certify(scenario, "thompson", None, 0.05, TRIALS)
    assert [point.truth for point in found.points] == ["none", "none, best first", "none, worst first"]
    own, best, worst = (point.value for point in found.points)
    assert own == worst  # this design calls the worst first by itself
    for value, figure in ((best, 0.03305), (worst, 0.0345)):
        assert abs(value - figure) < 5 * (figure * (1 - figure) * (1 / TRIALS + 1 / 40_000)) ** 0.5
    assert found.points[0].upper == pytest.approx(upper_limit(round(own * TRIALS), TRIALS, 0.025 / 3))
    assert found.scenario_digest == scenario.digest()


@pytest.mark.slow
def test_a_certificate_holds_of_both_orders_where_the_records_tell_the_prognosis() -> None:
    """The same world, its prognosis a covariate, of which a level says nothing: the same errors."""
    known = text(BY_BLOCK)
    for was, becomes in (
        (
            "traits: {prognosis: {sd: 1}}",
            "marginals: {score: {normal: {mean: 3, sd: 1}}, sex: {categorical: {f: 0.5, m: 0.5}}}",
        ),
        ("latent: {prognosis: 0.8}", "covariates: {score: 0.8, sex.m: 0}\n    centre: {score: 3}"),
        ("{adversarial: {reads: prognosis}}", "{by_covariate: {covariate: sex.m}}"),
        ("{adversarial: null, oracle: {reads: prognosis}}", "{by_covariate: {covariate: sex.f}}"),
    ):
        assert was in known
        known = known.replace(was, becomes)
    found = certify(scenario_from_text(known), "thompson", None, 0.05, TRIALS)
    assert [point.truth for point in found.points] == [
        "none", "none, highest response by the records first", "none, lowest response by the records first",
    ]  # fmt: skip
    for point, figure in zip(found.points[1:], (0.03305, 0.0345), strict=True):
        assert abs(point.value - figure) < 5 * (figure * (1 - figure) * (1 / TRIALS + 1 / 40_000)) ** 0.5


@pytest.mark.parametrize("design", ["equal", "thompson_in_turn"])
def test_where_nobody_is_ranked_or_nothing_adapts_the_truths_are_enough(design: str) -> None:
    found = certify(scenario_from_text(text(BY_BLOCK)), design, None, 0.05, 100)
    assert [point.truth for point in found.points] == ["none"]
