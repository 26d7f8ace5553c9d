"""The exact answer to ``overruled.yaml``, by integration over the statistics of the looks.

``python scenarios/overruled/exact.py`` prints the figures of ``expected.yaml``. Statistics of the three looks are standard
normal around the drift, increments of the score are independent. Every path goes through a region at each look (give up,
go on, reject); the probabilities of the regions come from Gauss-Legendre quadrature of the first two and the normal
distribution of the third, and what a committee makes of them is added up by hand.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.special import ndtr

READOUTS = [80, 160, 240]
FUTILITY = [0.5, 1.2]
LAST = {"binding": 1.8985, "free": 2.0040}
EFFECTS = {"none": 0.0, "works": 0.4}
PEOPLE = {
    "followed": (0.0, 0.0),
    "delayed": (0.5, 0.0),
    "overridden": (0.0, 0.5),
    "always_overridden": (0.0, 1.0),
}
FAR, NODES = 10.0, 400
GIVE_UP, GO_ON, REJECT = range(3)


def regions(last: float, look: int) -> list[tuple[float, float]]:
    """Return the limits of giving up, going on and rejecting at a look, by O'Brien and Fleming's shape of bounds."""
    bound = round(last * math.sqrt(3.0 / (look + 1)), 4)
    if look == 2:
        return [(-FAR, bound), (bound, bound), (bound, FAR)]
    return [(-FAR, FUTILITY[look]), (FUTILITY[look], bound), (bound, FAR)]


def chances(last: float, effect: float) -> dict[tuple[int, int, int], float]:
    """Return the probability of each path of regions, were the trial to take all looks."""
    drift = effect * math.sqrt(READOUTS[0]) / 2.0
    x, w = np.polynomial.legendre.leggauss(NODES)
    found = {}
    for first, second in itertools.product(range(3), repeat=2):
        (a, b), (c, d) = regions(last, 0)[first], regions(last, 1)[second]
        z1, w1 = a + (b - a) * (x + 1) / 2, w * (b - a) / 2
        z2, w2 = c + (d - c) * (x + 1) / 2, w * (d - c) / 2
        rise = math.sqrt(2.0) * z2[None, :] - z1[:, None] - drift
        density = np.exp(-0.5 * ((z1 - drift)[:, None] ** 2 + rise**2)) / (2.0 * math.pi) * math.sqrt(2.0)
        weight = w1[:, None] * w2[None, :] * density
        up = ndtr(math.sqrt(2.0) * z2[None, :] + drift - math.sqrt(3.0) * last)
        found[first, second, REJECT] = float((weight * up).sum())
        found[first, second, GIVE_UP] = float((weight * (1.0 - up)).sum())
    return found


def rejects_and_looks(path: tuple[int, ...], look: int, delay: float, override: float) -> tuple[float, float]:
    """Return the probability of a rejection from a look (from 0) on, and the mean look at which the trial ends."""
    here = path[look]
    if look == 2:
        return float(here == REJECT), 3.0
    if here == GO_ON:
        return rejects_and_looks(path, look + 1, delay, override)
    reject, stop = float(here == REJECT), look + 1.0
    later, ends = rejects_and_looks(path, look + 1, delay, override)
    follow = 1.0 - delay - override
    return (
        (follow + delay) * reject + override * later,
        follow * stop + delay * (stop + 1.0) + override * ends,
    )


def main() -> None:
    """Print every figure."""
    for (futility, last), (truth, effect) in itertools.product(LAST.items(), EFFECTS.items()):
        paths = chances(last, effect)
        for people, (delay, override) in PEOPLE.items():
            rejects, looks = (
                sum(p * rejects_and_looks(path, 0, delay, override)[k] for path, p in paths.items())
                for k in range(2)
            )
            cell = f"design: {futility}_{people}, truth: {truth}"
            print(
                f"  - {{{cell}, measure: reject, hypothesis: primary, value: {rejects:.12f}, unit: probability, mcse: 0, "
                "source: exact.py}"
            )
            print(
                f"  - {{{cell}, measure: analysed, value: {READOUTS[0] * looks:.9f}, unit: patients, mcse: 0, "
                "source: exact.py}"
            )


if __name__ == "__main__":
    main()
