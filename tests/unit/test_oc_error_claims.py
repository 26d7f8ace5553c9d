"""Type I error is called controlled only when its simultaneous upper limit says so."""

from __future__ import annotations

import pytest
from scipy import stats

from tests.unit.synthetic_records import cell_fact, tables, trial
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.error_claims import ErrorClaim, error_claims
from trialsim.oc.montecarlo import upper_limit


def claims(
    n_rejected: int, n: int, targets: dict[tuple[str, str], float], n_hypotheses: int = 1
) -> tuple[ErrorClaim, ...]:
    names = [f"h{place}" for place in range(n_hypotheses)]
    rows = [trial(i, {name: {"reject": i < n_rejected} for name in names}) for i in range(n)]
    source = tables(rows, [cell_fact(name, null=True) for name in names])
    return error_claims(operating_characteristics(source), targets)


def test_controlled_only_when_the_limit_is_at_or_below_the_target() -> None:
    (claim,) = claims(10, 1000, {("fixed", "h0"): 0.025})
    assert claim.upper == pytest.approx(stats.beta.ppf(0.975, 11, 990))
    assert claim.lower == pytest.approx(stats.beta.ppf(0.025, 10, 991))
    assert (claim.controlled, claim.exceeds) == (True, False)
    assert claim.sentence == (
        "Type I error of “h0” in “fixed” under “effect”: 0.0100, upper 97.5% limit 0.0183: "
        "controlled at the target 0.025."
    )
    (claim,) = claims(20, 1000, {("fixed", "h0"): 0.025})
    assert (claim.controlled, claim.exceeds) == (False, False)
    assert claim.sentence.endswith(
        "0.0200, upper 97.5% limit 0.0307: compatible with the target 0.025, not shown to be controlled."
    )


def test_how_few_of_fifty_thousand_nulls_may_be_rejected() -> None:
    # Exact limits: 0.0236 at one point; 0.0230 at each of ten (0.0231 by the normal approximation).
    for points, most in ((1, 1181), (10, 1152)):
        claimed = [
            ErrorClaim("d", "t", "h", 0.025, x / 50_000, 0.0, upper_limit(x, 50_000, 0.025 / points), points)
            for x in (most, most + 1)
        ]
        assert [claim.controlled for claim in claimed] == [True, False]
        assert stats.beta.ppf(1 - 0.025 / points, most + 1, 50_000 - most) <= 0.025
        assert stats.beta.ppf(1 - 0.025 / points, most + 2, 50_000 - most - 1) > 0.025


def test_a_design_whose_lower_limit_is_above_the_target_exceeds_it() -> None:
    (claim,) = claims(50, 1000, {("fixed", "h0"): 0.025})
    assert (claim.controlled, claim.exceeds) == (False, True)
    assert claim.sentence.endswith("0.0500, lower 97.5% limit 0.0373: exceeds the target 0.025.")
    (claim,) = claims(1000, 1000, {("fixed", "h0"): 0.025})
    assert claim.exceeds
    (claim,) = claims(0, 1000, {("fixed", "h0"): 0.025})
    assert claim.lower == 0.0


def test_limits_are_simultaneous_over_the_hypotheses_shown() -> None:
    found = claims(10, 1000, {("fixed", "h0"): 0.025, ("fixed", "h1"): 0.025}, n_hypotheses=2)
    assert [claim.hypothesis for claim in found] == ["h0", "h1"]
    assert found[0].upper == pytest.approx(stats.beta.ppf(1 - 0.025 / 2, 11, 990))
    assert found[0].lower == pytest.approx(stats.beta.ppf(0.025 / 2, 10, 991))
    assert "(simultaneous over 2)" in found[0].sentence


def test_a_failure_under_the_null_weighs_against_the_claim() -> None:
    rows = [trial(i, status="failed" if i < 50 else "ok") for i in range(1000)]
    found = operating_characteristics(tables(rows, [cell_fact(null=True)]))
    (claim,) = error_claims(found, {("fixed", "primary"): 0.025})
    assert claim.value == 0.05
    assert not claim.controlled


def test_a_false_null_is_not_claimed_about() -> None:
    found = operating_characteristics(tables([trial(0)], [cell_fact(null=False)]))
    assert error_claims(found, {("fixed", "primary"): 0.025}) == ()
