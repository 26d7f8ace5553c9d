"""Response-adaptive allocation policies on views worked out by hand, and analyses that know how patients were allocated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from trialsim.analyses.allocation_periods import CmhByPeriod, InverseProbabilityWeighted
from trialsim.analyses.cochran_mantel_haenszel import CochranMantelHaenszel
from trialsim.contracts import AllocationRows, AllocationView, PatientRows
from trialsim.policies.doubly_adaptive import DoublyAdaptive, target_shares
from trialsim.policies.protected_control import ProtectedControl
from trialsim.policies.thompson import Thompson, within_limits
from trialsim.scenario.advice import notes
from trialsim.stats.bayes.beta_binomial import difference_above


def view(n: list[list[int]], good: list[list[float]], **changes: Any) -> AllocationView:
    readouts = np.array(n)
    size, arms = readouts.shape
    parts: dict[str, Any] = {
        "replicate": np.arange(size),
        "cut_days": np.full(size, 10.0),
        "arm_enrolled": readouts + 2,
        "arm_events": np.zeros_like(readouts),
        "arm_readouts": readouts,
        "arm_total": np.array(good, dtype=float),
        "open_arms": np.ones((size, arms), dtype=bool),
        "ratio": np.ones(arms, dtype=np.int64),
        "n_max": 100,
    }
    return AllocationView(**(parts | changes))


def weights(policy: Any, seen: AllocationView) -> np.ndarray:
    decision, _ = policy.decide(seen, {})
    return np.asarray(decision.canonical().weights)


def test_thompson_gives_the_probability_of_being_the_best() -> None:
    better = difference_above(0.0, 13.0, 9.0, 8.0, 14.0)
    seen = view([[20, 20]], [[7, 12]])
    assert weights(Thompson(), seen)[0, 1] == pytest.approx(better, abs=2e-5)
    low = view([[20, 20]], [[7, 12]], lower_is_better=True)
    assert weights(Thompson(), low)[0, 1] == pytest.approx(1.0 - better, abs=2e-5)
    odds = (better / (1.0 - better)) ** (44 / 200)
    assert weights(Thompson(tempered=True), seen)[0, 1] == pytest.approx(odds / (1.0 + odds), abs=2e-5)
    assert weights(Thompson(power=0.0), seen).tolist() == [[0.5, 0.5]]
    assert weights(Thompson(minimum=0.1, maximum=0.9), view([[50, 50]], [[0, 50]])) == pytest.approx(
        np.array([[0.1, 0.9]]), abs=1e-6
    )


@pytest.mark.parametrize("low", [False, True])
def test_a_prior_of_ones_own_is_that_of_every_rate(low: bool) -> None:
    """P(arm 2 better than arm 1) by adaptive quadrature of two beta laws, events good or bad."""
    first, second = stats.beta(0.3 + 7, 4.0 + 13), stats.beta(0.3 + 12, 4.0 + 8)
    chance = first.sf if low else first.cdf
    better = integrate.quad(lambda rate: second.pdf(rate) * chance(rate), 0.0, 1.0)[0]
    two = view([[20, 20]], [[7, 12]], lower_is_better=low)
    assert weights(Thompson(prior_a=0.3, prior_b=4.0), two)[0, 1] == pytest.approx(better, abs=2e-5)
    three = view([[20, 20, 20]], [[3, 7, 12]], lower_is_better=low)
    found = weights(ProtectedControl(prior_a=0.3, prior_b=4.0), three)[0]
    assert found[2] / (found[1] + found[2]) == pytest.approx(better, abs=2e-5)


def test_closed_arms_get_nothing() -> None:
    seen = view([[20, 20, 20]], [[7, 12, 9]], open_arms=np.array([[True, False, True]]))
    for policy in (Thompson(minimum=0.2), DoublyAdaptive(minimum=0.2), ProtectedControl()):
        found = weights(policy, seen)
        assert found[0, 1] == 0.0
        assert found[0].sum() == pytest.approx(1.0, abs=1e-6)


def test_limits_are_kept_and_the_others_share_what_is_left() -> None:
    found = within_limits(np.array([[0.9, 0.06, 0.04], [0.0, 0.97, 0.03], [0.5, 0.3, 0.2]]), 0.2, 1.0)
    assert found == pytest.approx(np.array([[0.6, 0.2, 0.2], [0.0, 0.8, 0.2], [0.5, 0.3, 0.2]]))
    assert within_limits(np.array([[0.9, 0.06, 0.04]]), 0.4, 1.0) == pytest.approx(np.full((1, 3), 1 / 3))
    assert within_limits(np.array([[0.9, 0.06, 0.04]]), 0.0, 0.7) == pytest.approx(
        np.array([[0.7, 0.18, 0.12]])
    )


def test_control_keeps_its_share() -> None:
    seen = view([[20, 20, 20]], [[19, 4, 15]])
    root = np.sqrt(2.0)
    found = weights(ProtectedControl(), seen)[0]
    assert found[0] == pytest.approx(root / (2.0 + root), abs=1e-6)
    best = difference_above(0.0, 16.0, 6.0, 5.0, 17.0)
    assert found[2] / (found[1] + found[2]) == pytest.approx(best, abs=2e-5)
    fixed = weights(ProtectedControl(share=0.35, power=0.0), seen)[0]
    assert fixed == pytest.approx(np.array([0.35, 0.325, 0.325]), abs=1e-6)


def test_targets_are_those_of_their_papers() -> None:
    """Rosenberger: sqrt(p1) / (sqrt(p0) + sqrt(p1)); Neyman: sqrt(p1 q1) / (sqrt(p0 q0) + sqrt(p1 q1))."""
    rates = np.array([[0.25, 0.64]])
    assert target_shares(rates, "rosenberger")[0] == pytest.approx([0.5 / 1.3, 0.8 / 1.3])
    low, high = np.sqrt(0.25 * 0.75), np.sqrt(0.64 * 0.36)
    assert target_shares(rates, "neyman")[0] == pytest.approx([low / (low + high), high / (low + high)])


def test_the_biased_coin_is_that_of_hu_and_zhang() -> None:
    """g(x, rho) = rho (rho / x)^g / (rho (rho / x)^g + (1 - rho) ((1 - rho) / (1 - x))^g), their eq. (2.1)."""
    seen = view([[40, 20]], [[19.75, 15.5]], arm_enrolled=np.array([[45, 15]]))
    one, other = np.sqrt(20.25 / 41.0), np.sqrt(16.0 / 21.0)
    rho, x = other / (one + other), 15 / 60
    up, down = rho * (rho / x) ** 2, (1 - rho) * ((1 - rho) / (1 - x)) ** 2
    assert weights(DoublyAdaptive(gamma=2.0), seen)[0, 1] == pytest.approx(up / (up + down), abs=1e-6)
    assert weights(DoublyAdaptive(gamma=0.0), seen)[0, 1] == pytest.approx(rho, abs=1e-6)


class Cut:
    """One trial of eight patients, four before allocation changed from 1:1 to 1:3."""

    rows = PatientRows(
        np.array([0, 8]), np.array([0, 1, 0, 1, 0, 1, 1, 1], dtype=np.int8), np.zeros(8, dtype=np.int64),
        np.array([0.0, 1, 1, 1, 0, 1, 0, 1]), np.zeros(8, dtype=np.int8), np.zeros((8, 0)),
    )  # fmt: skip

    def patients(self) -> PatientRows:
        return self.rows

    def allocations(self) -> AllocationRows:
        return AllocationRows(
            np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0.5, 0.5, 0.5, 0.5, 0.25, 0.75, 0.75, 0.75])
        )


def test_periods_are_strata() -> None:
    found = CmhByPeriod().estimate(Cut(), False, {})  # type: ignore[arg-type]
    plain = Cut()
    plain.rows = PatientRows(
        *(getattr(Cut.rows, name) for name in ("offsets", "treated")), Cut().allocations().period,
        *(getattr(Cut.rows, name) for name in ("value", "event", "covariates")),
    )  # fmt: skip
    expected = CochranMantelHaenszel().estimate(plain, False, {})  # type: ignore[arg-type]
    assert (found.z, found.effect, found.se) == (expected.z, expected.effect, expected.se)


def test_outcomes_are_weighted_by_the_inverse_of_their_probability() -> None:
    found = InverseProbabilityWeighted().estimate(Cut(), False, {})  # type: ignore[arg-type]
    on = (2 + 2 + (1 + 0 + 1) / 0.75) / (2 + 2 + 3 / 0.75)
    off = (0 + 2 + 0) / (2 + 2 + 4)
    assert found.effect[0] == pytest.approx(on - off)
    spread_on = sum(((y - on) / p) ** 2 for y, p in ((1, 0.5), (1, 0.5), (1, 0.75), (0, 0.75), (1, 0.75)))
    spread_off = sum(((y - off) / p) ** 2 for y, p in ((0, 0.5), (1, 0.5), (0, 0.25)))
    assert found.se[0] == pytest.approx(np.sqrt(spread_on / 8**2 + spread_off / 8**2))
    assert InverseProbabilityWeighted().estimate(Cut(), True, {}).z[0] == -found.z[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "noted"),
    [
        ({}, False),
        ({"recruitment": "oracle"}, True),
        ({"recruitment": "random"}, False),
        ({"recruitment": "oracle", "randomisation": "by_design"}, False),
        ({"recruitment": "oracle", "analysis": "cmh_by_period"}, False),
        ({"recruitment": "oracle", "analysis": {"rerandomised_proportions": {"draws": 99}}}, False),
        ({"drift": {"per_year": 0.2, "scale": "probability"}}, True),
    ],
)
def test_a_note_where_late_patients_differ_and_are_shared_otherwise(
    changes: dict[str, Any], noted: bool
) -> None:
    scenario: dict[str, Any] = {
        "endpoints": {
            "response": {"kind": "binary", **({"drift": changes["drift"]} if "drift" in changes else {})}
        },
        "hypotheses": {
            "primary": {"endpoint": "response", "analysis": changes.get("analysis", "score_test")}
        },
        "designs": {
            "adaptive": {
                "tests": {"primary": {"alpha": 0.025}},
                "policies": {
                    "randomisation": {changes.get("randomisation", "thompson"): {}},
                    "recruitment": {changes.get("recruitment", "first_come_first_served"): {}},
                },
            }
        },
    }
    found = [note for note in notes(scenario) if "those who come late" in note]
    assert bool(found) == noted
