"""Looks without a result and hypotheses that are never analysed: measures, sentences, and what is claimed of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.unit.synthetic_records import Tables, cell_fact, table_of, tables, trial
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import records_of
from trialsim.oc.error_claims import FAMILY, error_claims
from trialsim.report.answer import type_one_error_sentences
from trialsim.report.failures import failure_sentences
from trialsim.scenario.load import scenario_from_text
from trialsim.simulation import simulate

NEVER = {"status": "not_analysed", "estimate": math.nan, "se": math.nan}

SCARCE = """
name: scarce
horizon: {horizon}
accrual: {evenly_spaced: {over: 12 months}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 8 weeks, rate: 0.05, effect: {treatment: 0.05}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {none: {}}
designs:
  gs:
    kind: group_sequential
    n: 100
    allocation: alternating
    looks: [{when: {readouts: 20}}, {when: {readouts: 100}}]
    bounds: {efficacy_z: [3.0, 1.96]}
    tests: {primary: {alpha: 0.025}}
"""


def seen() -> Tables:
    """Return four trials: a has no result at look 1 in three of them, in one of these neither at look 2."""
    statuses = {
        "a": [("no_variance", "no_variance"), ("no_variance", "ok"), ("no_events", "ok"), ("ok", None)],
        "b": [
            ("not_analysed", "no_events"),
            ("not_analysed", "ok"),
            ("not_analysed", "ok"),
            ("not_analysed", None),
        ],
    }
    looks: list[dict[str, Any]] = []
    for replicate in range(4):
        for look in (1, 2):
            for name in "ab":
                status = statuses[name][replicate][look - 1]
                row = {"replicate": replicate, "look": look, "hypothesis": name, "status": status}
                looks += [] if status is None else [{"design": "fixed", "truth": "effect", **row}]
    failed = {"a": {**NEVER, "status": "no_variance"}, "b": {**NEVER, "status": "no_events"}}
    rows = [trial(0, failed, status="failed", stop_look=2)]
    rows += [trial(i, {"a": {}, "b": {}}, stop_look=2) for i in (1, 2)] + [trial(3, {"a": {}, "b": NEVER})]
    made = tables(rows, [cell_fact("a"), cell_fact("b")])
    made.looks = table_of(looks)
    return made


def test_looks_without_a_result_are_counted_by_look_and_reason() -> None:
    found = operating_characteristics(seen())
    rows = {(row.hypothesis, row.look, row.reason): row for row in found.select("no_result")}
    assert {key: (row.value, row.n) for key, row in rows.items()} == {
        ("a", 1, None): (0.75, 4),
        ("a", 1, "no_variance"): (0.5, 4),
        ("a", 1, "no_events"): (0.25, 4),
        ("a", 2, None): (pytest.approx(1 / 3), 3),
        ("a", 2, "no_variance"): (pytest.approx(1 / 3), 3),
        ("b", 2, None): (pytest.approx(1 / 3), 3),
        ("b", 2, "no_events"): (pytest.approx(1 / 3), 3),
    }
    assert {row.n_failed for row in rows.values()} == {1}
    assert [(row.hypothesis, row.value) for row in found.select("not_analysed")] == [("b", 0.25)]
    assert {row.n_failed for row in found.select("reject")} == {1}


def test_looks_without_a_result_are_told_apart_from_failures() -> None:
    failed, went_on = failure_sentences(records_of(seen()))
    assert failed.startswith("In 1 of 4 trials of “fixed” under “effect” an analysis failed (“a”: ")
    assert went_on.startswith("In “fixed” under “effect” “a” had no result at look 1 in 3 of 4 trials (")
    assert ", in 2; " in went_on
    assert "look 2" not in went_on
    assert "“b”" not in went_on


def test_simulated_looks_without_a_result_are_those_without_any_response_at_the_look() -> None:
    scenario = scenario_from_text(SCARCE.replace("{horizon}", "3 years"))
    found = simulate(scenario, replicates=200, seed=1)
    looks, trials = found.looks(), found.trials()
    first = looks[looks["look"] == 1]
    none = int((first["status"] == "no_variance").sum())
    # The chance that none of 20 patients responds, within 5 standard errors.
    chance = 0.95**20
    assert abs(none / 200 - chance) < 5 * math.sqrt(chance * (1 - chance) / 200)
    rows = found.characteristics.select("no_result", look=1, reason="no_variance")
    assert [(row.value, row.n, row.n_failed) for row in rows] == [(none / 200, 200, 0)]
    assert (trials["status"] == "ok").all()
    (told,) = failure_sentences(records_of(found.records))
    assert f"“primary” had no result at look 1 in {none} of 200 trials" in told


def test_nothing_is_claimed_of_a_hypothesis_that_no_trial_tested() -> None:
    late = SCARCE.replace("{horizon}", "13 months").replace("readouts: 20}", "readouts: 99}")
    scenario = scenario_from_text(late)
    found = simulate(scenario, replicates=50, seed=1)
    characteristics = found.characteristics
    assert [row.value for row in characteristics.select("not_analysed")] == [1.0]
    assert not any(characteristics.select(name) for name in ("coverage", "estimate", "bias", "rmse"))
    (claim,) = error_claims(characteristics, {("gs", "primary"): 0.025})
    assert (claim.tested, claim.controlled, claim.exceeds) == (False, False, False)
    assert type_one_error_sentences(characteristics, {("gs", "primary"): 0.025}) == [
        "Type I error of “primary” in “gs” under “none”: not tested: every trial ended without an analysis, and nothing "
        "is claimed of it."
    ]
    # 1,000 trials without a rejection would otherwise show control at any level.
    many = [trial(i, {"a": NEVER, "b": {}}, stop_look=0) for i in range(1000)]
    both = operating_characteristics(tables(many, [cell_fact("a", null=True), cell_fact("b", null=True)]))
    targets = {("fixed", "a"): 0.025, ("fixed", "b"): 0.025, ("fixed", FAMILY): 0.025}
    claims = {each.hypothesis: each for each in error_claims(both, targets)}
    assert {name: (each.tested, each.controlled) for name, each in claims.items()} == {
        "a": (False, False),
        "b": (True, True),
        FAMILY: (True, True),
    }
    assert {each.n_claims for each in claims.values()} == {2}
    assert "1 more" not in " ".join(type_one_error_sentences(both, targets))
    assert type_one_error_sentences(both, targets)[-1].startswith("Type I error of “a” in “fixed”")
