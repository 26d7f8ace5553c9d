"""Response-adaptive allocation in two arms against figures of an independent prototype, by recursion instead of simulation.

The prototype (NumPy, 40,000 trials a rule): 200 patients in ten blocks of 20, the first 1:1, outcomes known at each block's
end; treatment's probability is P(theta1 > theta0) by the normal approximation to Beta(1, 1) posteriors (TS), limited to
0.1 to 0.9 (capped), or p^c / (p^c + (1 - p)^c) with c = patients so far / 400, so limited (TW). One-sided z with pooled
variance. Type I error at control rate 0.3 and bound 1.95996; power at 0.3 against 0.5, the bound calibrated to 0.025 there.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from trialsim.contracts import Floats
from trialsim.stats.optimal_allocation import Course, Rule, final_law

TRIALS = 40_000
COURSE = Course(200, 20)
FIGURES = {
    "equal": (0.024, 0.819, 80.1),
    "TS": (0.042, 0.497, 94.0),
    "capped": (0.027, 0.628, 92.2),
    "TW": (0.028, 0.790, 87.6),
}
"""Type I error, calibrated power, expected successes."""


def prototype(rule: str, seen: int) -> Floats:
    """Return treatment's probability in each state by the prototype's formula."""
    n1, s0, s1 = (x.astype(float) for x in np.ogrid[: seen + 1, : seen + 1, : seen + 1])
    if seen == 0 or rule == "equal":
        return np.full((seen + 1,) * 3, 0.5)
    a0, b0, a1, b1 = s0 + 1, np.maximum(seen - n1 - s0, 0) + 1, s1 + 1, np.maximum(n1 - s1, 0) + 1
    means, variances = zip(
        *((a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))) for a, b in ((a0, b0), (a1, b1))), strict=True
    )
    p = norm.cdf((means[1] - means[0]) / np.sqrt(variances[0] + variances[1]))
    if rule == "TW":
        c = seen / (2 * COURSE.n)
        p = p**c / (p**c + (1 - p) ** c)
    return np.ascontiguousarray(p if rule == "TS" else np.clip(p, 0.1, 0.9))


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_prototype(name: str) -> None:
    """Within 5 standard errors of the prototype's trials, that of its calibrated bound included, and its rounding."""
    error, power, successes = FIGURES[name]
    rule = Rule(lambda seen: prototype(name, seen))
    z = COURSE.score_z()
    null, effect = final_law(COURSE, 0.3, 0.3, rule), final_law(COURSE, 0.3, 0.5, rule)
    assert abs(null[z > 1.95996].sum() - error) < 5 * np.sqrt(error * (1 - error) / TRIALS) + 0.0005

    def power_at(level: float) -> float:
        order = np.argsort(-z, axis=None, kind="stable")
        bound = z.ravel()[order][np.searchsorted(np.cumsum(null.ravel()[order]), level)]
        return float(effect[z > bound].sum())

    # The prototype's level is itself estimated, from as many null trials.
    off = 5 * np.sqrt(0.025 * 0.975 / TRIALS)
    room = 5 * np.sqrt(power * (1 - power) / TRIALS) + 0.0005
    assert power_at(0.025 - off) - room < power < power_at(0.025 + off) + room
    mean = (effect * COURSE.responders()).sum()
    sd = np.sqrt((effect * COURSE.responders() ** 2).sum() - mean**2)
    assert abs(mean - successes) < 5 * sd / np.sqrt(TRIALS) + 0.05
