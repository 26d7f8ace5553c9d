"""Basket trials a second: six baskets, three looks, by quadrature and by NUTS.

Run from the root of the repository: ``python benchmarks/bench_basket.py [NUTS_TRIALS] [FOLDER]``. NUTS needs the extra
``bayes``; with 0 trials it is left out. A folder keeps the trials, and a run that was broken off goes on from there.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from trialsim.designs.basket import BasketDesign
from trialsim.engines.basket_trials import by_nuts, by_quadrature
from trialsim.stats.bayes.basket import BasketPrior

DESIGN = BasketDesign(
    reference_rates=(0.15,) * 6,
    looks=(10, 20, 30),
    prior=BasketPrior(mean=-1.0, mean_sd=2.0, between_scale=1.0),
    futility=0.1,
    efficacy=0.9,
)
QUADRATURE_TRIALS = 5_000
RATES = (0.15, 0.15, 0.15, 0.35, 0.35, 0.35)


def main(nuts_trials: int, folder: Path | None) -> None:
    """Print trials a second of both, and how far their probabilities are apart."""
    by_quadrature(DESIGN, RATES, 1, np.arange(2))
    begin = time.perf_counter()
    spent = time.process_time()
    trials = by_quadrature(DESIGN, RATES, 1, np.arange(QUADRATURE_TRIALS))
    seconds, spent = time.perf_counter() - begin, time.process_time() - spent
    print(f"quadrature: {QUADRATURE_TRIALS:,} trials in {seconds:.2f} s, {spent:.2f} s of CPU,", end=" ")
    print(f"{QUADRATURE_TRIALS / spent:,.0f} trials a second of it")
    print("  success by basket", trials.success.mean(axis=0).round(4))
    if nuts_trials == 0:
        return
    chosen = folder or Path(tempfile.mkdtemp())
    begin, cpu = time.perf_counter(), time.process_time()

    def progress(done: int, of: int) -> None:
        if done % 20 == 0 or done == of:
            print(f"\r{done:,} of {of:,} trials, {time.perf_counter() - begin:.0f} s", end="", flush=True)

    sampled = by_nuts(DESIGN, RATES, 1, np.arange(nuts_trials), chosen, workers=2, progress=progress)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    failed = sum(bool(each) for each in sampled.failure)
    print(
        f"\nNUTS: {nuts_trials} trials in {seconds:.1f} s, {cpu:.1f} s of CPU; {failed} failed their chains"
    )
    print("  success by basket", sampled.success.mean(axis=0).round(4))
    apart = np.abs(sampled.above[:, 0] - trials.above[:nuts_trials, 0])
    print(
        f"  first look: mean distance of probabilities {np.nanmean(apart):.4f}, largest {np.nanmax(apart):.4f}"
    )
    same = (sampled.success == trials.success[:nuts_trials]).mean()
    print(f"  the same decision on {same:.2%} of baskets")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 0,
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,
    )
