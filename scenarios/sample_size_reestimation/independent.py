"""Operating characteristics of the promising-zone design by quadrature over the interim statistic, apart from any engine.

Mehta and Pocock (2011), example 1: two arms, a normal outcome with standard deviation 7.5, n = 442, an interim analysis
at 208 patients, at most 884. In the zone, where the conditional power under the observed effect is at least 0.365 and
below 0.8, the size is raised so that it becomes 0.8 (their eq. (7)), rounded up to an even number and cut off at 884. The
last test is that of Cui, Hung and Wang at one-sided 0.025. Prints power, mean size, and the chances of the zones.

The blinded design has no such integral: 2 million trials are drawn by their sufficient statistics. The variance of
all 208 outcomes, arms unknown, is put into n = 4 s^2 (z_0.975 + z_0.8)^2 / 2^2, rounded up to an even number, at least
442 and at most 884; a t test of all data follows.

Given the interim statistic, the statistic of the second stage is normal whatever its size, so that one integral is left. It
is a sum over a fine grid of the interim statistic, because the size is a step function of it.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

SD, PLANNED, INTERIM, MAXIMUM = 7.5, 442, 208, 884
LOWER, TARGET, LEVEL = 0.365, 0.8, 0.025
STEP = 1e-5


def sizes(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return conditional power as planned, what the second stage needs, and the size in the end, for interim statistics."""
    rate = INTERIM / PLANNED
    needed = (-ndtri(LEVEL) - np.sqrt(rate) * z) / np.sqrt(1 - rate)
    conditional = ndtr(z * np.sqrt((PLANNED - INTERIM) / INTERIM) - needed)
    promising = (conditional >= LOWER) & (conditional < TARGET)
    positive = np.where(z > 0, z, 1.0)
    second = INTERIM / positive**2 * np.maximum(needed + ndtri(TARGET), 0) ** 2
    second = np.minimum(2 * np.ceil(second / 2 - 1e-9), MAXIMUM - INTERIM)
    return conditional, needed, np.where(promising, np.maximum(INTERIM + second, PLANNED), PLANNED)


def least_zone() -> float:
    """Return the least conditional power from which on the ordinary test keeps its level with these sizes.

    Mehta and Pocock's eq. (11): b(z1, n2*), with which the ordinary statistic has the conditional error of the plan, is at
    most the ordinary bound.
    """
    z = np.arange(0.5, 3.0, STEP)
    conditional, needed, _ = sizes(z)
    second = INTERIM / z**2 * np.maximum(needed + ndtri(TARGET), 0) ** 2
    size = np.clip(INTERIM + second, PLANNED, MAXIMUM)  # not rounded, as in their table 1
    bound = (np.sqrt(size - INTERIM) * needed + z * np.sqrt(INTERIM)) / np.sqrt(size)
    return float(conditional[(bound <= -ndtri(LEVEL) + 1e-12) & (conditional < TARGET)].min())


def characteristics(effect: float) -> dict[str, float]:
    """Return power, mean and squared size, and the chances of the zones under a difference of means."""
    mean = effect / (2 * SD) * np.sqrt(INTERIM)
    z = np.arange(mean - 9, mean + 9, STEP)
    weight = np.exp(-0.5 * (z - mean) ** 2) / np.sqrt(2 * np.pi) * STEP
    conditional, needed, size = sizes(z)
    drift = effect / (2 * SD) * np.sqrt(size - INTERIM)
    return {
        "power": float(weight @ ndtr(drift - needed)),
        "size": float(weight @ size),
        "unfavourable": float(weight @ (conditional < LOWER)),
        "promising": float(weight @ ((conditional >= LOWER) & (conditional < TARGET))),
        "favourable": float(weight @ (conditional >= TARGET)),
        "at the maximum": float(weight @ (size == MAXIMUM)),
    }


def blinded(effect: float, sd: float, trials: int = 2_000_000) -> dict[str, tuple[float, float]]:
    """Return power and mean size of the blinded design, each with its standard error."""
    generator = np.random.default_rng(20261126)
    one, half = INTERIM // 2, INTERIM / 4
    means = generator.normal([0.0, effect], sd / np.sqrt(one), (trials, 2))
    squares = sd**2 * generator.chisquare(INTERIM - 2, trials)
    variance = (squares + half * (means[:, 1] - means[:, 0]) ** 2) / (INTERIM - 1)
    size = 4 * variance * (-ndtri(LEVEL) + ndtri(TARGET)) ** 2 / 2.0**2
    size = np.clip(2 * np.ceil(size / 2 - 1e-9), PLANNED, MAXIMUM)
    more = size / 2 - one
    later = np.array([0.0, effect]) + sd / np.sqrt(more)[:, None] * generator.normal(size=(trials, 2))
    squares += sd**2 * generator.chisquare(2 * more - 2)
    squares += (one * more / (one + more) * ((later - means) ** 2).T).sum(axis=0)
    all_means = (one * means + more[:, None] * later) / (size / 2)[:, None]
    t = (all_means[:, 1] - all_means[:, 0]) / np.sqrt(squares / (size - 2) * 4 / size)
    power = float((t >= stdtrit(size - 2, 1 - LEVEL)).mean())
    return {
        "power": (power, float(np.sqrt(power * (1 - power) / trials))),
        "size": (float(size.mean()), float(size.std() / np.sqrt(trials))),
    }


if __name__ == "__main__":
    print("zone from", round(least_zone(), 5))
    for effect in (0.0, 1.6, 1.7, 1.8, 1.9, 2.0):
        print(effect, {name: round(value, 7) for name, value in characteristics(effect).items()})
    for effect, sd in ((2.0, 7.5), (0.0, 7.5), (2.0, 9.0)):
        print("blinded", effect, sd, blinded(effect, sd))
