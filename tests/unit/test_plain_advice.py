"""Notes on screening that nobody passes, looks that count what a test leaves out, and survival that is to be shorter."""

from __future__ import annotations

from typing import Any

import pytest

from trialsim.scenario.dose_advice import doses_without_effect
from trialsim.scenario.hypothesis_advice import longer_is_lower
from trialsim.scenario.nobody_advice import nobody_passes, nothing_known
from trialsim.scenario.strategy_advice import censored_counts


@pytest.mark.parametrize("step", ["prescreen", "consent", "eligible"])
def test_a_step_of_screening_that_nobody_passes_is_noted(step: str) -> None:
    (said,) = nobody_passes({"screening": {step: {"probability": 0.0}}})
    assert said.startswith(f"screening.{step}.probability is 0") and "nobody is ever randomised" in said
    assert list(nobody_passes({"screening": {step: {"probability": 0.01}}})) == []


@pytest.mark.parametrize(
    ("duration", "lag", "least"),
    [
        (None, {"fixed": "22 days"}, "22 days"),
        ({"uniform": {"from": "20 days", "to": "30 days"}}, {"fixed": "2 days"}, "22 days"),
        ({"exponential": {"mean": "10 days"}}, {"fixed": "21 days"}, None),
        ({"uniform": {"from": "20 days", "to": "30 days"}}, {"fixed": "1 day"}, None),
    ],
)
def test_a_window_that_no_screening_keeps_is_noted(
    duration: dict[str, Any] | None, lag: dict[str, Any], least: str | None
) -> None:
    said = list(nobody_passes({"screening": {"window": "21.0 days", "duration": duration, "lag": lag}}))
    assert len(said) == (least is not None)
    if least is not None:
        assert said[0].startswith("screening.window is 3 weeks") and f"takes {least} at the least" in said[0]
        assert "nobody is ever randomised" in said[0]


def test_events_that_nobody_comes_to_know_are_noted() -> None:
    endpoints = {"death": {"adjudication": {"confirmed": 0.0}}, "progression": {"detected": "visits"}}
    said = list(nothing_known({"endpoints": endpoints, "visits": {"missed": 1.0}}))
    assert [line.partition(":")[0] for line in said] == [
        "endpoints.death.adjudication.confirmed is 0", "visits.missed is 1",
    ]  # fmt: skip
    assert "progression" in said[1]
    endpoints["death"] = {"adjudication": {"confirmed": 0.01}}
    assert list(nothing_known({"endpoints": endpoints, "visits": {"missed": 0.99}})) == []
    assert list(nothing_known({})) == []


def test_who_may_pass_wrongly_or_at_the_next_attempt_is_not_nobody() -> None:
    none = {"eligible": {"probability": 0.0}}
    again = {"rescreening": {"probability": 0.3, "eligible": 0.5}}
    assert list(nobody_passes({"screening": none | again})) == []
    assert list(nobody_passes({"screening": none | {"wrongly_randomised": 0.05}})) == []
    assert list(nobody_passes({"screening": none | {"wrongly_randomised": 0.0}})) != []
    assert list(nobody_passes({})) == []


@pytest.mark.parametrize("kind", ["milestone", "restricted_mean"])
def test_longer_survival_is_lower(kind: str) -> None:
    def said(**changes: str) -> list[str]:
        hypothesis = {"analysis": {kind: {"at": "1 year"}}, "direction": "higher"} | changes
        return list(longer_is_lower({"hypotheses": {"late": hypothesis}}))

    (sentence,) = said()
    assert "“late” has direction: higher" in sentence and kind in sentence
    assert said(direction="lower") == [] and said(analysis="score_test") == []


def _counting(strategy: str, when: dict[str, Any], **parts: Any) -> list[str]:
    looks = [{"when": when}, {"when": when}]
    hypotheses = {"primary": {"endpoint": "death", "strategy": strategy}}
    designs = {"gs": {"kind": "group_sequential", "looks": looks, "tests": {"primary": {}}}}
    return list(censored_counts({"hypotheses": hypotheses, "designs": designs} | parts))


def test_looks_that_count_events_a_strategy_censors_are_noted() -> None:
    ending = {"discontinuation": {"other": {}}}
    for strategy in ("while_on_treatment", "hypothetical"):
        (said,) = _counting(strategy, {"events": {"count": 80}}, **ending)
        assert "“gs” count events of “death”" in said and f"strategy: {strategy}" in said
    joined = {"any": [{"calendar": "365 days"}, {"events": {"count": 80, "endpoint": "death"}}]}
    assert _counting("hypothetical", joined, **ending)
    assert not _counting("treatment_policy", {"events": {"count": 80}}, **ending)
    assert not _counting("hypothetical", {"events": {"count": 80, "endpoint": "other"}}, **ending)
    assert not _counting("hypothetical", {"calendar": "365 days"}, **ending)
    assert not _counting("hypothetical", {"events": {"count": 80}})


@pytest.mark.parametrize(
    ("policy", "lowers"),
    [
        ({"oracle": {"trait": "toxicity"}}, True),
        ({"emulated": {"auc": 0.8, "do": "reduce"}}, True),
        ({"random": {"do": "discontinue"}}, False),
        ({"dose_modification": {"level": "severe", "reduce_after": 1}}, True),
        ({"dose_modification": {"level": "severe", "discontinue_after": 1}}, False),
        ({"by_protocol": {}}, False),
    ],
)
def test_doses_that_are_lowered_to_no_effect_are_noted(policy: dict[str, Any], lowers: bool) -> None:
    scenario: dict[str, Any] = {
        "treatment": {"doses": [1, 0.5]},
        "adverse_events": {"rash": {"baseline": {"hazard": 1}}, "fatigue": {"dose_exponent": None}},
        "designs": {"watched": {"policies": {"monitoring": policy}}},
    }
    found = list(doses_without_effect(scenario))
    assert len(found) == lowers
    assert all("“watched” lowers doses at visits" in said and "changes nothing" in said for said in found)
    scenario["adverse_events"]["fatigue"]["dose_exponent"] = 1.0
    assert list(doses_without_effect(scenario)) == []
    # With one level only, lowering the dose is the end of treatment.
    scenario["adverse_events"], scenario["treatment"] = {}, {"doses": [1]}
    assert list(doses_without_effect(scenario)) == []
