"""What rectifier.yaml must give, by a plain calculation that shares no code with trialsim.

``python scenarios/rectifier/rectifier.py`` prints how the numbers of the scenario follow from published ones, and for each
way of ordering records how many patients are found eligible and enrolled, on average.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import norm

# Unlu et al., JAMA 2025;333:1084: patients, found eligible, enrolled, by manual and by assisted prescreening.
PATIENTS = {"manual": 2234, "assisted": 2242}
FOUND = {"manual": 284, "assisted": 458}
ENROLLED = {"manual": 19, "assisted": 35}
# Unlu et al., NEJM AI 2024;1(7): sensitivity and specificity of the tool for eligibility.
SENSITIVITY, SPECIFICITY = 0.923, 0.939

CANDIDATES = 2238
DAYS, HOURS_A_RECORD, WINDOW = 100.0, 1.72291, 60.0
REPLICATES, SEED = 40_000, 7


def area(rho: float, prevalence: float) -> float:
    """Return P(score of an eligible > score of another) for correlation ``rho`` with the trait."""
    threshold = ndtri(1 - prevalence)
    s = np.linspace(-8, 8, 16_001)
    step = s[1] - s[0]
    above = 1 - ndtr((threshold - rho * s) / np.sqrt(1 - rho**2))
    eligible = norm.pdf(s) * above / prevalence
    other = norm.pdf(s) * (1 - above) / (1 - prevalence)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (other[1:] + other[:-1]) * step)])
    return float(np.trapezoid(eligible * below, s))


def correlation(wanted: float, prevalence: float) -> float:
    """Return the correlation that gives an area under the curve."""
    return float(brentq(lambda rho: area(rho, prevalence) - wanted, 1e-6, 0.99999, xtol=1e-10))


def main() -> None:
    """Print the figures."""
    # Two normal distributions of one variance that are as far apart as sensitivity and specificity say.
    auc = float(ndtr((ndtri(SENSITIVITY) + ndtri(SPECIFICITY)) / np.sqrt(2)))
    # A good score finds nearly all, so that the assisted team's share is that of the eligible.
    eligible = FOUND["assisted"] / PATIENTS["assisted"]
    read = FOUND["manual"] / PATIENTS["manual"] / eligible
    joins = sum(ENROLLED.values()) / sum(FOUND.values())
    records = int(np.ceil(DAYS / (HOURS_A_RECORD / 24)))
    mean_lag = (WINDOW - HOURS_A_RECORD / 24) / -np.log1p(-joins)
    print(f"area {auc:.3f}, eligible {eligible:.4f}, trait above {ndtri(1 - eligible):.4f}")
    print(f"records read by hand {read:.4f} of all, {read * CANDIDATES:.0f}; in {DAYS:.0f} days {records}")
    print(
        f"of those found {joins:.5f} are enrolled: mean lag {mean_lag:.1f} days for a window of {WINDOW:.0f}"
    )
    rng = np.random.default_rng(SEED)
    rho = {a: correlation(a, eligible) for a in (0.7, 0.8, 0.9, round(auc, 3))}
    found: dict[str, list[int]] = {}
    for _ in range(REPLICATES):
        trait = rng.standard_normal(CANDIDATES)
        noise = rng.standard_normal(CANDIDATES)
        hit = trait > ndtri(1 - eligible)
        found.setdefault("manual", []).append(int(hit[:records].sum()))
        for wanted, r in rho.items():
            score = r * trait + np.sqrt(1 - r * r) * noise
            taken = np.argpartition(-score, records)[:records]
            found.setdefault(f"area {wanted}", []).append(int(hit[taken].sum()))
    for name, values in found.items():
        mean, error = np.mean(values), np.std(values, ddof=1) / np.sqrt(REPLICATES)
        print(
            f"{name:12s} found {mean:.3f} ({error:.3f})  enrolled {mean * joins:.4f} ({error * joins:.4f})  "
            f"over manual {mean / np.mean(found['manual']):.3f}"
        )


if __name__ == "__main__":
    main()
