"""Type I error of response-adaptive rules under drift by plain NumPy, block by block: what expected.yaml is made of.

    python prototype.py

It shares no code with the simulator. Two arms, 200 patients in ten blocks of 20 whose outcomes are known at each
block's end, the first block 1:1; afterwards the probability of the treatment arm is that of its being better, by the
normal approximation to two Beta(1, 1) posteriors. One-sided z > 1.959964 with the pooled variance, and
Cochran-Mantel-Haenszel by block.
"""

from __future__ import annotations

from math import erf

import numpy as np

TRIALS, BLOCKS, SIZE, RATE, SEED = 40_000, 10, 20, 0.3, 20260101
normal_cdf = np.vectorize(lambda z: 0.5 * (1.0 + erf(z / 2.0**0.5)))


def better(good: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return P(treatment better than control) by the normal approximation, ``[trial]``."""
    mean = (good + 1) / (n + 2)
    variance = mean * (1 - mean) / (n + 3)
    return np.asarray(normal_cdf((mean[1] - mean[0]) / np.sqrt(variance.sum(axis=0))))


def errors(rule: str, drift: float, generator: np.random.Generator) -> tuple[float, float]:
    """Return the shares of trials that the naive test and the test by block reject."""
    n, good = np.zeros((2, TRIALS)), np.zeros((2, TRIALS))
    score, spread = np.zeros(TRIALS), np.zeros(TRIALS)
    for block in range(BLOCKS):
        p = np.full(TRIALS, 0.5)
        if block and rule != "equal":
            p = better(good, n)
            if rule == "tempered_capped":
                power = block * SIZE / (2.0 * BLOCKS * SIZE)
                p = p**power / (p**power + (1 - p) ** power)
            if rule != "thompson":
                p = np.clip(p, 0.1, 0.9)
        on = generator.binomial(SIZE, p)
        rate = RATE + drift * (block + 0.5) / BLOCKS
        here = np.array([SIZE - on, on])
        hits = generator.binomial(here, rate)
        n, good = n + here, good + hits
        total = hits.sum(axis=0)
        score += hits[1] - on * total / SIZE
        spread += here[0] * on * total * (SIZE - total) / (SIZE**2 * (SIZE - 1.0))
    share, pooled = good / np.maximum(n, 1), good.sum(axis=0) / n.sum(axis=0)
    se = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(n, 1)).sum(axis=0))
    naive = (share[1] - share[0]) / np.where(se > 0, se, np.inf)
    by_block = score / np.sqrt(np.where(spread > 0, spread, np.inf))
    return float((naive > 1.959964).mean()), float((by_block > 1.959964).mean())


if __name__ == "__main__":
    random = np.random.default_rng(SEED)
    for chosen in ("equal", "thompson", "thompson_capped", "tempered_capped"):
        for truth, size in (("no_drift", 0.0), ("drift_01", 0.1), ("drift_02", 0.2), ("drift_04", 0.4)):
            for name, found in zip(("naive", "by_block"), errors(chosen, size, random), strict=True):
                print(
                    f"  - {{design: {chosen}, truth: {truth}, measure: reject, hypothesis: {name}, value: {found:.6g}, "
                    f"unit: probability, n: {TRIALS}, precision: 0.25, source: prototype.py}}"
                )
