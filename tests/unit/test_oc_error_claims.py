"""Type I error is called controlled only when its simultaneous upper limit says so."""

from __future__ import annotations

import pytest
from scipy import stats

from tests.unit.synthetic_records import cell_fact, tables, trial
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.error_claims import ErrorClaim, error_claims


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
    assert claim.controlled
    assert "controlled" in claim.sentence
    (claim,) = claims(20, 1000, {("fixed", "h0"): 0.025})
    assert not claim.controlled
    assert "controlled" not in claim.sentence
    assert "at most 0.0307" in claim.sentence


def test_limits_are_simultaneous_over_the_hypotheses_shown() -> None:
    found = claims(10, 1000, {("fixed", "h0"): 0.025, ("fixed", "h1"): 0.025}, n_hypotheses=2)
    assert [claim.hypothesis for claim in found] == ["h0", "h1"]
    assert found[0].upper == pytest.approx(stats.beta.ppf(1 - 0.025 / 2, 11, 990))


def test_a_failure_under_the_null_weighs_against_the_claim() -> None:
    rows = [trial(i, status="failed" if i < 50 else "ok") for i in range(1000)]
    found = operating_characteristics(tables(rows, [cell_fact(null=True)]))
    (claim,) = error_claims(found, {("fixed", "primary"): 0.025})
    assert claim.value == 0.05
    assert not claim.controlled


def test_a_false_null_is_not_claimed_about() -> None:
    found = operating_characteristics(tables([trial(0)], [cell_fact(null=False)]))
    assert error_claims(found, {("fixed", "primary"): 0.025}) == ()
