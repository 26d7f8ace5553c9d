"""Operating characteristics of basket_borrowing.yaml by plain NumPy: sums over grids in place of the package's quadrature.

``python independent.py 20000`` prints the figures of expected.yaml; nothing here is shared with the package.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.special import betainc
from scipy.stats import binom, norm

REFERENCE, SIZES = 0.15, (10, 20, 30)
TRUTHS = {
    "no_effect": [0.15] * 6,
    "one_active": [0.15, 0.35, 0.15, 0.15, 0.15, 0.15],
    "three_active": [0.15, 0.35, 0.15, 0.35, 0.15, 0.35],
    "all_active": [0.35] * 6,
}
MEAN, MEAN_SD, SCALE, OWN_SD = -1.0, 2.0, 1.0, 2.0
THETA = np.linspace(-12.0, 10.0, 2201)
MEANS = np.linspace(MEAN - 5.5 * MEAN_SD, MEAN + 5.5 * MEAN_SD, 177)
SPREADS = (np.arange(48) + 0.5) / 48 * 4.5
EXNEX = 0.5


def tables():
    """Return for each n the probability of y, and that jointly with a rate above, on the grid and for a basket alone."""
    weight = norm.pdf(MEANS, MEAN, MEAN_SD)[None, :] * norm.pdf(SPREADS, 0, SCALE)[:, None]
    weight = (weight / weight.sum()).ravel()
    rate, step = 1 / (1 + np.exp(-THETA)), THETA[1] - THETA[0]
    border = np.log(REFERENCE / (1 - REFERENCE))
    # The cell that the border cuts counts by the part above it.
    over = np.clip((THETA + step / 2 - border) / step, 0, 1)
    found = {}
    for n in SIZES:
        chance = binom.pmf(np.arange(n + 1)[:, None], n, rate[None, :])
        both = np.concatenate([chance, chance * over])
        on_grid = np.empty((2 * n + 2, len(SPREADS), len(MEANS)))
        edges = np.append(THETA - step / 2, THETA[-1] + step / 2)
        for b, spread in enumerate(SPREADS):
            # The mass of each cell of log odds, exact however narrow the law.
            mass = np.diff(norm.cdf((edges[:, None] - MEANS) / spread), axis=0)
            on_grid[:, b] = both @ mass
        alone = both @ np.diff(norm.cdf((edges - MEAN) / OWN_SD))
        found[n] = on_grid.reshape(2, n + 1, -1), alone.reshape(2, n + 1)
    return weight, found


def above(design, seen, n, weight, table):
    """Return P(rate > reference) of each basket of one trial."""
    if design == "alone":
        return 1 - betainc(0.5 + seen, 0.5 + n - seen, REFERENCE)
    p = 1.0 if design == "exchangeable" else EXNEX
    own = np.array([table[m][1][0, y] for y, m in zip(seen, n, strict=True)])
    own_up = np.array([table[m][1][1, y] for y, m in zip(seen, n, strict=True)])
    grid = np.array([table[m][0][0, y] for y, m in zip(seen, n, strict=True)])
    grid_up = np.array([table[m][0][1, y] for y, m in zip(seen, n, strict=True)])
    like = p * grid + (1 - p) * own[:, None]
    joint = weight * like.prod(axis=0)
    return ((joint / like) * (p * grid_up + (1 - p) * own_up[:, None])).sum(axis=1) / joint.sum()


def trials(design, rates, count, rng, weight, table):
    """Return successes by basket and patients, ``[trial, 6]`` and ``[trial]``."""
    success, patients, known = np.zeros((count, 6), bool), np.zeros(count), {}
    for t in range(count):
        could = np.array([binom.rvs(10, rates, random_state=rng) for _ in SIZES]).cumsum(axis=0)
        is_open, seen, n = np.ones(6, bool), np.zeros(6, int), np.zeros(6, int)
        for k, size in enumerate(SIZES):
            seen[is_open], n[is_open] = could[k][is_open], size
            key = (*seen, *n)
            if key not in known:
                known[key] = above(design, seen.copy(), n.copy(), weight, table)
            up = known[key]
            if k == 2:
                success[t] = is_open & (up > 0.9)
            elif (up < 0.2).all():
                break
            elif (is_open & (up >= 0.2)).any():
                is_open = is_open & (up >= 0.2)
        patients[t] = n.sum()
    return success, patients


def main():
    """Print the figures."""
    count, rng = int(sys.argv[1]), np.random.default_rng(20261126)
    weight, table = tables()
    for design, short in (("alone", "alone"), ("exchangeable", "shared"), ("exnex", "exnex")):
        for truth, rates in TRUTHS.items():
            success, patients = trials(design, np.array(rates), count, rng, weight, table)
            for number, basket in ((1, "colon"), (4, "thyroid")):
                share = success[:, number].mean()
                print(
                    f"  - {{design: {design}, truth: {truth}, measure: reject, hypothesis: {basket}_{short}, "
                    f"value: {share:.5f}, unit: probability, n: {count}, source: independent.py}}"
                )
            error = patients.std() / count**0.5
            print(
                f"  - {{design: {design}, truth: {truth}, measure: enrolled, value: {patients.mean():.3f}, unit: patients, "
                f"mcse: {error:.3f}, source: independent.py}}",
                flush=True,
            )


if __name__ == "__main__":
    main()
