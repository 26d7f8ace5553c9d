"""Type I error where patients are enrolled in the order of their prognosis, by plain NumPy: what expected.yaml is made of.

    python independent.py

It shares no code with the simulator. Two arms, 200 patients in ten blocks of 20 whose outcomes are known at each block's
end; log odds of a response are those of 0.3 plus 0.8 times a standard normal prognosis, or those of 0.5 plus 0.65 times it
(half_respond.yaml), whatever the arm. The first block is 1:1; afterwards the probability of the treatment arm is
that of its being better, by the sum for two beta posteriors with uniform priors. One-sided z > 1.959964 with the pooled
variance, and Cochran-Mantel-Haenszel by block.
"""

from __future__ import annotations

from math import log

import numpy as np

TRIALS, BLOCKS, SIZE, SEED = 40_000, 10, 20, 20260101
LOG_FACTORIAL = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, 1000.0)))])


def log_beta(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the logarithm of the beta function of whole numbers."""
    return np.asarray(LOG_FACTORIAL[a - 1] + LOG_FACTORIAL[b - 1] - LOG_FACTORIAL[a + b - 1])


def better(good: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return P(treatment better than control) exactly, ``[trial]``: a sum over the successes of treatment."""
    a, b = (each.astype(int) + 1 for each in (good, n - good))
    total = np.zeros(a.shape[1])
    for i in range(int(a[1].max())):
        k = np.full(a.shape[1], i)
        term = (
            log_beta(a[0] + i, b[0] + b[1]) - log_beta(k + 1, b[1]) - log_beta(a[0], b[0]) - np.log(b[1] + i)
        )
        total += np.where(i < a[1], np.exp(term), 0.0)
    return np.minimum(total, 1.0)


def errors(
    rule: str, order: str, rate: float, slope: float, generator: np.random.Generator
) -> tuple[float, float]:
    """Return the shares of trials that the naive test and the test by block reject."""
    prognosis = generator.standard_normal((TRIALS, BLOCKS * SIZE))
    if order != "as_they_come":
        prognosis.sort(axis=1)
    if order == "best_first":
        prognosis = prognosis[:, ::-1]
    chance = 1.0 / (1.0 + np.exp(-(log(rate / (1.0 - rate)) + slope * prognosis)))
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
        treated = generator.random((TRIALS, SIZE)) < p[:, None]
        responds = generator.random((TRIALS, SIZE)) < chance[:, block * SIZE : (block + 1) * SIZE]
        on = treated.sum(axis=1)
        here = np.array([SIZE - on, on])
        hits = np.array([(responds & ~treated).sum(axis=1), (responds & treated).sum(axis=1)])
        n, good = n + here, good + hits
        total = hits.sum(axis=0)
        score += hits[1] - on * total / SIZE
        spread += here[0] * on * total * (SIZE - total) / (SIZE**2 * (SIZE - 1.0))
    share, pooled = good / np.maximum(n, 1), good.sum(axis=0) / n.sum(axis=0)
    se = np.sqrt(pooled * (1 - pooled) * (1 / np.maximum(n, 1)).sum(axis=0))
    naive = (share[1] - share[0]) / np.where(se > 0, se, np.inf)
    by_block = score / np.sqrt(np.where(spread > 0, spread, np.inf))
    return float((naive > 1.959964).mean()), float((by_block > 1.959964).mean())


RATE, SLOPE = 0.3, 0.8
HALF_RATE, HALF_SLOPE = 0.5, 0.65
DESIGNS = {
    "equal": ("equal", "worst_first"),
    "thompson": ("thompson", "worst_first"),
    "thompson_capped": ("thompson_capped", "worst_first"),
    "tempered_capped": ("tempered_capped", "worst_first"),
    "thompson_best_first": ("thompson", "best_first"),
    "thompson_in_turn": ("thompson", "as_they_come"),
}

if __name__ == "__main__":
    random = np.random.default_rng(SEED)
    worst_first = {design: how for design, how in DESIGNS.items() if how[1] == "worst_first"}
    for file, rate, slope, designs in (
        ("", RATE, SLOPE, DESIGNS),
        ("scenario: half_respond.yaml, ", HALF_RATE, HALF_SLOPE, worst_first),
    ):
        for design, (chosen, how) in designs.items():
            for test, found in zip(
                ("naive", "by_block"), errors(chosen, how, rate, slope, random), strict=True
            ):
                print(
                    f"  - {{{file}design: {design}, truth: none, measure: reject, hypothesis: {test}, value: {found:.6g}, "
                    f"unit: probability, n: {TRIALS}, precision: 0.25, source: independent.py}}"
                )
