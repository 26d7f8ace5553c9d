"""What fairness.yaml must give, by a plain calculation that shares no code with trialsim.

``python scenarios/recruitment_fairness/fairness.py`` prints group B's share of those enrolled and the share of screenings
that fail, with Monte Carlo standard errors, for each way of ranking; the percentile within the group both among all
candidates of a group (a normal quantile) and among the 1,500 at hand.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import norm, rankdata

CANDIDATES, TARGET, IN_B, PREVALENCE = 1500, 200, 0.3, 0.3
AREA_A, AREA_B = 0.9, 0.7
REPLICATES, SEED = 40_000, 6
THRESHOLD = ndtri(1 - PREVALENCE)


def area(rho: float) -> float:
    """Return P(score of an eligible > score of another) for correlation ``rho`` with the trait."""
    s = np.linspace(-8, 8, 16_001)
    step = s[1] - s[0]
    above = 1 - ndtr((THRESHOLD - rho * s) / np.sqrt(1 - rho**2))
    eligible = norm.pdf(s) * above / PREVALENCE
    other = norm.pdf(s) * (1 - above) / (1 - PREVALENCE)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (other[1:] + other[:-1]) * step)])
    return float(np.trapezoid(eligible * below, s))


def correlation(wanted: float) -> float:
    """Return the correlation that gives an area under the curve."""
    return float(brentq(lambda rho: area(rho) - wanted, 1e-6, 0.999, xtol=1e-10))


def enrol(key: np.ndarray, eligible: np.ndarray, in_b: np.ndarray) -> tuple[float, float]:
    """Return group B's share of the first 200 eligible in the order of a key, and the share of screenings that fail."""
    order = np.argsort(-key)
    found = np.cumsum(eligible[order])
    last = int(np.argmax(found >= TARGET))
    taken = order[: last + 1]
    return float(in_b[taken][eligible[taken]].mean()), 1 - TARGET / (last + 1)


def main() -> None:
    """Print the figures."""
    rng = np.random.default_rng(SEED)
    rho_a, rho_b = correlation(AREA_A), correlation(AREA_B)
    # Exposure: of those called, half are of B; a share x of all candidates called is x/2/0.3 of B and x/2/0.7 of A.
    results: dict[str, list[tuple[float, float]]] = {}
    for _ in range(REPLICATES):
        in_b = rng.random(CANDIDATES) < IN_B
        trait = rng.standard_normal(CANDIDATES)
        rho = np.where(in_b, rho_b, rho_a)
        score = rho * trait + np.sqrt(1 - rho**2) * rng.standard_normal(CANDIDATES)
        eligible = trait > THRESHOLD
        tail = 1 - ndtr(score)
        at_hand = np.empty(CANDIDATES)
        for group in (in_b, ~in_b):
            at_hand[group] = rankdata(score[group]) / group.sum()
        keys = {
            "as_they_come": np.arange(CANDIDATES, 0, -1.0),
            "calibrated": (rho * score - THRESHOLD) / np.sqrt(1 - rho**2),
            "percentile": score,
            "percentile at hand": at_hand,
            "half_exposure": -tail * np.where(in_b, IN_B, 1 - IN_B) / 0.5,
        }
        for name, key in keys.items():
            results.setdefault(name, []).append(enrol(key, eligible, in_b))
    for name, found in results.items():
        values = np.array(found)
        mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(REPLICATES)
        print(f"{name:20s} B {mean[0]:.5f} ({error[0]:.5f})  failures {mean[1]:.5f} ({error[1]:.5f})")


if __name__ == "__main__":
    main()
