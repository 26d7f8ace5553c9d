"""What the rules of actg175_bayesian.yaml would have concluded on the real patients of ACTG 175: when, and on how many.

``python scenarios/actg175/bayesian_replay.py`` applies the design's looks and rules to the published table: real arms, real
progression and real censoring. The table has no entry dates; twelve months of even accrual are assumed, as in the
scenario, and the order of entry is drawn 200 times. Arms are those that patients really had, so that what the closing of an
arm would have sent elsewhere cannot be replayed: the script says in how many orders an arm would have been closed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.analyses.bayesian.regressions import CoxLaplace
from trialsim.scenario.load import load_scenario
from trialsim.timegrid import DAYS_PER_MONTH

HERE = Path(__file__).resolve().parent
ARMS = ("zdv", "zdv_ddi", "zdv_zal", "ddi")
ACCRUAL_DAYS = 12 * DAYS_PER_MONTH
SUCCESS, FUTILE = 0.995, 0.1


def replay(orders: int, seed: int) -> list[tuple[float, str, int, tuple[str, ...], list[float]]]:
    """Return for each order of entry the month of the end, why, on how many patients, arms closed, probabilities."""
    table = pd.read_csv(HERE / "patients.csv")
    design = load_scenario(HERE / "actg175_bayesian.yaml").designs["bayesian"]
    looks = [look.when.duration / DAYS_PER_MONTH for look in design.looks]
    arm, days, event = (table[name].to_numpy() for name in ("arms", "days", "cens"))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(orders):
        entry = rng.permutation((np.arange(len(table)) + 0.5) / len(table) * ACCRUAL_DAYS)
        is_open, closed = np.ones(4, dtype=bool), []
        for number, month in enumerate(looks):
            until = month * DAYS_PER_MONTH
            come = entry <= until
            followed = np.minimum(days, until - entry)
            had = (event == 1) & (days <= until - entry)
            chance = []
            for other in (1, 2, 3):
                pair = come & np.isin(arm, (0, other))
                cut = cut_of(arm[pair] == other, followed[pair], had[pair])
                posterior = CoxLaplace().posterior(cut, True, {"prior_sd": 0.5}, None)
                chance.append(float(posterior.probability[0]))
            likely = np.array(chance)
            last = number == len(looks) - 1
            reason = ""
            if (likely > SUCCESS).all():
                reason = "all three delay progression"
            elif (likely < FUTILE).all():
                reason = "none is likely to"
            elif last:
                won = [ARMS[k] for k in (1, 2, 3) if likely[k - 1] > SUCCESS and is_open[k]]
                reason = f"at the end: {', '.join(won) or 'nothing shown'}"
            if reason:
                found.append((month, reason, int(come.sum()), tuple(closed), chance))
                break
            for k in (1, 2, 3):
                if is_open[k] and likely[k - 1] < FUTILE:
                    is_open[k] = False
                    closed.append(ARMS[k])
    return found


def main() -> None:
    """Print what would have been concluded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = replay(options.orders, options.seed)
    counts = Counter((month, reason, n) for month, reason, n, _, _ in found)
    for (month, reason, n), count in sorted(counts.items()):
        print(f"month {month:g}, {n:,} patients, {reason}: {count} of {options.orders} orders")
    print(f"an arm would have been closed in {sum(bool(each[3]) for each in found)} orders")
    probabilities = np.array([each[4] for each in found])
    for k, name in enumerate(ARMS[1:]):
        print(f"P({name} delays progression) at that look: mean {probabilities[:, k].mean():.4f}")


if __name__ == "__main__":
    main()
