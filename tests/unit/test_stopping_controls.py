"""Controls of stopping give up whom they say, as often as they say, and leave the efficacy bounds alone."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm

from trialsim import registry
from trialsim.conformance import check_policy, check_twins
from trialsim.conformance.sample_views import look_view
from trialsim.contracts import LookView, Status
from trialsim.errors import ScenarioError
from trialsim.oc.in_memory import collect
from trialsim.scenario.load import scenario_from_text

WORLD = """
name: controls
accrual: {evenly_spaced: {rate: 10 per month}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 1 week, rate: 0.4, effect: {treatment: 0.6}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {expected: {}, none: {endpoints.response.effect.*: 0.4}}
designs:
"""
DESIGN = """
  %s: {kind: group_sequential, n: 60, allocation: simple, looks: [{when: {readouts: 20}}, {when: {readouts: 60}}],
    tests: {primary: {alpha: 0.025}}, bounds: {efficacy_z: [null, 1.96]}, policies: {stopping: %s}}
"""
CONTROLS = {
    "bounds": "bounds",
    "oracle": "oracle",
    "adversarial": "adversarial",
    "null": "{random: {share: 0.3}}",
    "emulated": "{emulated: {auc: 0.8}}",
}
TRIALS = 400


def undecided(n: int, benefit: list[float]) -> LookView:
    """Return first looks of trials in which nothing is decided and no bound is reached."""
    view, pairs = look_view(n), (n, 2)
    nothing = np.zeros(pairs, dtype=bool)
    return replace(
        view,
        look=np.zeros(n, dtype=np.int64),
        is_last=np.zeros(n, dtype=bool),
        z=np.zeros(pairs),
        status=np.full(pairs, Status.OK, dtype=np.int8),
        rejected=nothing,
        futile=nothing,
        benefit=np.array(benefit),
    )


def made(name: str, **parameters: object) -> object:
    return registry.get("policies", f"stopping.{name}")(**parameters)


@pytest.fixture(scope="module")
def scenario():  # type: ignore[no-untyped-def]
    return scenario_from_text(WORLD + "".join(DESIGN % each for each in CONTROLS.items()))


def test_both_engines_stop_alike(scenario) -> None:  # type: ignore[no-untyped-def]
    assert check_twins(scenario, None, None, range(4), seed=5) == []


def test_how_often_trials_stop_for_futility(scenario) -> None:  # type: ignore[no-untyped-def]
    """An area of 0.8 gives up 1 - Phi(Phi^-1(0.8) / sqrt 2) of what works, and goes on with as much of what does not."""
    trials = collect(scenario, list(CONTROLS), ["expected", "none"], TRIALS, 1).trials.to_pandas()
    stopped = (trials["stop_reason"] == "futility").groupby(
        [trials["truth"], trials["design"]], observed=True
    )
    share = stopped.mean()
    wrong = float(1.0 - norm.cdf(norm.ppf(0.8) / sqrt(2.0)))
    expected = {"bounds": (0.0, 0.0), "oracle": (0.0, 1.0), "adversarial": (1.0, 0.0), "null": (0.3, 0.3),
                "emulated": (wrong, 1.0 - wrong)}  # fmt: skip
    for design, rates in expected.items():
        for truth, rate in zip(("expected", "none"), rates, strict=True):
            error = sqrt(rate * (1.0 - rate) / TRIALS)
            assert abs(share[truth, design] - rate) <= 5 * error, (design, truth)
    # Giving up never rejects what the bounds alone would not.
    rejects = trials.pivot_table(
        index=["truth", "replicate"], columns="design", values="reject:primary", observed=True
    )
    for design in expected:
        assert (rejects[design] <= rejects["bounds"]).all()


@pytest.mark.parametrize("auc", [0.2, 0.5, 0.95])
def test_an_emulated_score_has_the_area_that_is_stated(auc: float) -> None:
    """The test that works is given up less often than the one that does not, as two normal laws so far apart have it."""
    n = 4000
    decision, _ = made("emulated", auc=auc).decide(undecided(n, [0.2, 0.0]), {})  # type: ignore[attr-defined]
    kept = float(norm.cdf(norm.ppf(auc) / sqrt(2.0)))
    for test, rate in ((0, 1.0 - kept), (1, kept)):
        assert abs(decision.futile[:, test].mean() - rate) < 5 * sqrt(kept * (1 - kept) / n)


def test_it_is_decided_at_one_look_and_draws_say_nothing_of_each_other() -> None:
    n = 4000
    view, rule = undecided(n, [0.2, 0.0]), made("random", look=1, share=0.5)
    futile = rule.decide(view, {})[0].futile  # type: ignore[attr-defined]
    assert abs(np.corrcoef(futile[:, 0], futile[:, 1])[0, 1]) < 5 / sqrt(n)
    later = replace(view, look=np.ones(n, dtype=np.int64))
    assert not rule.decide(later, {})[0].futile.any()  # type: ignore[attr-defined]
    rejected = replace(view, z=np.full((n, 2), 3.0))
    assert not rule.decide(rejected, {})[0].futile.any()  # type: ignore[attr-defined]


def test_who_reads_the_truth_without_saying_so_is_found() -> None:
    hidden = type("Hidden", (type(made("oracle")),), {"reads_latent": False})
    (fault,) = check_policy(hidden(), look_view())
    assert "declares reads_latent = True" in fault


def test_a_control_needs_an_interim_look() -> None:
    with pytest.raises(ScenarioError, match="tests are given up at an interim"):
        scenario_from_text(WORLD + DESIGN % ("late", "{oracle: {look: 2}}"))
