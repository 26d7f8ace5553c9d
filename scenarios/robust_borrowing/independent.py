"""Operating characteristics of robust_borrowing.yaml, exact: every pair of counts, posteriors by sums over a grid of rates.

``python independent.py`` prints the figures of expected.yaml; nothing here is shared with the package.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln
from scipy.stats import beta, binom

SIZES, LAST, SUCCESS, FUTILE = (50, 75, 100), 0.98, 0.99, 0.2
PRIORS = {
    "nothing": [(1.0, 1.0, 1.0)],
    "robust": [(0.5, 31.0, 71.0), (0.5, 1.0, 1.0)],
    "everything": [(1.0, 31.0, 71.0)],
}
NULLS = {"rate_20": 0.2, "rate_25": 0.25, "rate_30": 0.3, "rate_35": 0.35, "rate_40": 0.4, "rate_50": 0.5}
TRUTHS = {name: (rate, rate) for name, rate in NULLS.items()} | {"effect": (0.3, 0.5)}
GRID = (np.arange(2_000) + 0.5) / 2_000


def better(prior, n):
    """Return P(treatment's rate exceeds control's) for each pair of responses, ``[control, treatment]``."""
    y = np.arange(n + 1)[:, None]
    logs = np.array([np.log(w) + betaln(a + y, b + n - y) - betaln(a, b) for w, a, b in prior])[:, :, 0]
    share = np.exp(logs - logs.max(axis=0))
    share /= share.sum(axis=0)
    density = sum(
        s[:, None] * beta.pdf(GRID, a + y, b + n - y) for s, (_, a, b) in zip(share, prior, strict=True)
    )
    above = beta.sf(GRID, 1 + y, 1 + n - y)
    return density @ above.T / len(GRID)


def characteristics(prior, rates):
    """Return the probability of success and the expected number of patients."""
    path, success, patients, before = np.ones((1, 1)), 0.0, 0.0, 0
    for n in SIZES:
        step = [binom.pmf(np.arange(n - before + 1), n - before, rate) for rate in rates]
        joint = np.zeros((n + 1, n + 1))
        for i in range(len(path)):
            for j in range(len(path)):
                if path[i, j] > 0:
                    joint[i : i + n - before + 1, j : j + n - before + 1] += path[i, j] * np.outer(*step)
        up = better(prior, n)
        wins = up > (LAST if n == SIZES[-1] else SUCCESS)
        stops = wins | (up < FUTILE) | (n == SIZES[-1])
        success += joint[wins].sum()
        patients += 2 * n * joint[stops].sum()
        path, before = np.where(stops, 0.0, joint), n
    return success, patients


def main():
    """Print the figures."""
    for name, prior in PRIORS.items():
        for truth, rates in TRUTHS.items():
            success, patients = characteristics(prior, rates)
            cell = f"design: borrow_{name}, truth: {truth}"
            print(
                f"  - {{{cell}, measure: reject, hypothesis: {name}, value: {success:.6f}, unit: probability, mcse: 0, "
                f"source: independent.py}}"
            )
            print(
                f"  - {{{cell}, measure: enrolled, value: {patients:.4f}, unit: patients, mcse: 0, source: independent.py}}"
            )


if __name__ == "__main__":
    main()
