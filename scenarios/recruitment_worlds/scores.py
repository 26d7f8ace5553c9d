"""What backlog.yaml must give, by a plain calculation that shares no code with trialsim.

``python scenarios/recruitment_worlds/scores.py`` prints the correlation of a score with the hidden trait for each area
under the curve, then weeks and screening failures of the ranked backlog, with Monte Carlo standard errors.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import norm

PREVALENCE, CONSENT, CANDIDATES, TARGET, PER_WEEK = 0.3, 0.8, 1500, 200, 20
AREAS = (0.6, 0.7, 0.8, 0.9, 0.95)
REPLICATES, SEED = 20_000, 5


def area(rho: float) -> float:
    """Return P(score of an eligible > score of another) for correlation ``rho`` with the trait."""
    threshold = ndtri(1 - PREVALENCE)
    s = np.linspace(-8, 8, 16_001)
    step = s[1] - s[0]
    above = 1 - ndtr((threshold - rho * s) / np.sqrt(1 - rho**2))
    eligible = norm.pdf(s) * above / PREVALENCE
    other = norm.pdf(s) * (1 - above) / (1 - PREVALENCE)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (other[1:] + other[:-1]) * step)])
    return float(np.trapezoid(eligible * below, s))


def correlation(wanted: float) -> float:
    """Return the correlation that gives an area under the curve."""
    return float(brentq(lambda rho: area(rho) - wanted, 1e-6, 0.999, xtol=1e-10))


def recruit(rho: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return weeks to the target and the share of screenings that failed, for one backlog in the order of its scores."""
    trait = rng.standard_normal(CANDIDATES)
    score = rho * trait + np.sqrt(1 - rho**2) * rng.standard_normal(CANDIDATES)
    order = np.argsort(-score)
    consents = rng.random(CANDIDATES) < CONSENT
    eligible = trait[order] > ndtri(1 - PREVALENCE)
    enrolled = np.cumsum(eligible & consents)
    last = int(np.argmax(enrolled >= TARGET))
    screened = int(consents[: last + 1].sum())
    return (last + 1) / PER_WEEK, 1 - TARGET / screened


def main() -> None:
    """Print correlations and figures."""
    rng = np.random.default_rng(SEED)
    for wanted in (0.5, *AREAS):
        rho = 0.0 if wanted == 0.5 else correlation(wanted)
        found = np.array([recruit(rho, rng) for _ in range(REPLICATES)])
        error = found.std(axis=0, ddof=1) / np.sqrt(REPLICATES)
        weeks, failures = found.mean(axis=0)
        print(
            f"area {wanted:4.2f}  rho {rho:.6f}  days {7 * weeks:.4f} ({7 * error[0]:.4f})"
            f"  weeks {weeks:.3f}  failures {failures:.5f} ({error[1]:.5f})"
        )


if __name__ == "__main__":
    main()
