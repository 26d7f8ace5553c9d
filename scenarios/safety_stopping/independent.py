"""How often safety_stopping.yaml stops for safety, exact: sums over counts, look by look.

``python independent.py`` prints the figures of expected.yaml; nothing here is shared with the package.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta, binom, poisson

LOOKS = (20, 40, 60, 80, 100, 120)
YEAR, WITHIN = 365.25, 42.0
RATIOS = {"harmless": 1.0, "twice": 2.0, "harmful": 3.5}
SEVERE = 3 * 0.3 + 4 * 0.05
MODERATE = 3 * 0.6 + 4 * 0.3
"""Events of grade 3 and of grade 2 and worse, a patient-year on control."""


def by_grade(ratio):
    """Return the probability of stopping for safety, and the mean number of patients read out, by grade on treatment."""
    chance = 1 - np.exp(-SEVERE * ratio * WITHIN / YEAR)
    path, stopped, patients, before = np.ones(1), 0.0, 0.0, 0
    for look in LOOKS:
        treated = look // 2
        path = np.convolve(path, binom.pmf(np.arange(treated - before + 1), treated - before, chance))
        had = np.arange(treated + 1)
        # Six grades with a Dirichlet prior worth one patient: three of them count.
        stops = beta.cdf(0.25, 0.5 + had, 0.5 + treated - had) < 0.1
        stopped += path[stops].sum()
        patients += look * path[stops].sum()
        path, before = np.where(stops, 0.0, path), treated
    return stopped, patients + LOOKS[-1] * path.sum()


def exposures(look):
    """Return days at risk by arm at the time at which so many patients have been read out, control first."""
    entry = np.arange(1, LOOKS[-1] + 1, dtype=float)
    cut = entry[look - 1] + WITHIN
    days = np.clip(cut - entry, 0, WITHIN)
    return days[0::2].sum(), days[1::2].sum()


def by_counts(ratio, most=200):
    """Return the same by counts of events in both arms, from Poisson increments."""
    path, stopped, patients, before = np.ones((1, 1)), 0.0, 0.0, (0.0, 0.0)
    for look in LOOKS:
        days = exposures(look)
        means = [MODERATE * r * (d - b) / YEAR for r, d, b in zip((1.0, ratio), days, before, strict=True)]
        steps = [poisson.pmf(np.arange(most + 1), mean) for mean in means]
        on_control = np.array([np.convolve(row, steps[1])[: most + 1] for row in path])
        path = np.array([np.convolve(column, steps[0])[: most + 1] for column in on_control.T]).T
        shapes = 0.5 + np.arange(most + 1)
        # P(rate on treatment < 2 x rate on control): a beta variable below a share.
        odds = 2 * (100 + days[1]) / (100 + days[0])
        below = beta.cdf(odds / (1 + odds), shapes[None, :], shapes[:, None])
        stops = below < 0.1
        stopped += path[stops].sum()
        patients += look * path[stops].sum()
        path, before = np.where(stops, 0.0, path), days
    return stopped, patients + LOOKS[-1] * path.sum()


def main():
    """Print the figures."""
    for design, worked_out in (("by_grade", by_grade), ("by_counts", by_counts)):
        for truth, ratio in RATIOS.items():
            stopped, patients = worked_out(ratio)
            cell = f"design: {design}, truth: {truth}, source: independent.py, mcse: 0"
            print(
                f"  - {{{cell}, measure: stop_reason, reason: safety, value: {stopped:.6f}, unit: probability}}"
            )
            print(f"  - {{{cell}, measure: analysed, value: {patients:.4f}, unit: patients}}")


if __name__ == "__main__":
    main()
