"""The log-rank test with Fleming-Harrington weights, from a table of numbers at risk."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from trialsim.compiled import kernel
from trialsim.elementary import power


@kernel
def _weight(survival, rho, gamma):
    """Return S^rho (1 - S)^gamma; a power of zero is 1 throughout."""
    early = 1.0 if rho == 0.0 else (0.0 if survival <= 0.0 else power(survival, rho))
    late = 1.0 if gamma == 0.0 else (0.0 if survival >= 1.0 else power(1.0 - survival, gamma))
    return early * late


@kernel
def fleming_harrington_sums(
    offsets, at_risk, at_risk_treatment, events, events_treatment, rho, gamma, score, variance, slope
):
    """Fill the weighted log-rank score, its variance, and what the score gains per unit of log hazard ratio.

    Harrington and Fleming, Biometrika 69, 1982, 553-566; Fleming and Harrington, Counting Processes and Survival Analysis,
    1991, section 7.2. The survival S is the pooled Kaplan-Meier estimate just before each time.

    Parameters
    ----------
    offsets, at_risk, at_risk_treatment, events, events_treatment
        Of :class:`~trialsim.contracts.RiskTables`, not stratified.
    rho, gamma
        Powers of S and of 1 - S.
    score, variance, slope
        Results, ``[replicate]``: sums of w (O - E), of w^2 v and of w v, v the hypergeometric variance.
    """
    for r in range(len(offsets) - 1):
        survival = 1.0
        total = spread = gain = 0.0
        for i in range(offsets[r], offsets[r + 1]):
            n, n1 = float(at_risk[i]), float(at_risk_treatment[i])
            d = float(events[i])
            w = _weight(survival, rho, gamma)
            share = n1 / n
            v = d * share * (1.0 - share) * ((n - d) / max(n - 1.0, 1.0))
            total += w * (float(events_treatment[i]) - d * share)
            spread += w * w * v
            gain += w * v
            survival *= (n - d) / n
        score[r], variance[r], slope[r] = total, spread, gain
