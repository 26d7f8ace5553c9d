"""What the rules of actg175_bayesian.yaml would have concluded on the real patients of ACTG 175: when, and on how many.

``python scenarios/actg175/bayesian_replay.py`` applies the design's looks and rules to the published table: real arms, real
progression and real censoring. The table has no entry dates; twelve months of even accrual are assumed, as in the
scenario, and the order of entry is drawn 200 times. Arms are those that patients really had, so that what the closing of an
arm would have sent elsewhere cannot be replayed: the script says in how many orders an arm would have been closed.

The design ``adaptive`` gives arms itself. Whoever comes is then a real patient of the arm that the rule gives, drawn with
replacement from those who were on it, with their real CD4 counts, progression and censoring.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.analyses.bayesian.regressions import CoxLaplace
from trialsim.contracts import AllocationView
from trialsim.policies.protected_control import ProtectedControl
from trialsim.scenario.load import load_scenario
from trialsim.timegrid import DAYS_PER_MONTH

HERE = Path(__file__).resolve().parent
ARMS = ("zdv", "zdv_ddi", "zdv_zal", "ddi")
ACCRUAL_DAYS, READOUT_DAYS = 12 * DAYS_PER_MONTH, 140
SUCCESS, FUTILE = 0.995, 0.1


def judged(
    entry: np.ndarray, arm: np.ndarray, days: np.ndarray, event: np.ndarray, month: float
) -> tuple[np.ndarray, int]:
    """Return the probabilities that each arm delays progression at a month, and how many have come."""
    until = month * DAYS_PER_MONTH
    come = entry <= until
    followed = np.minimum(days, until - entry)
    had = (event == 1) & (days <= until - entry)
    chance = []
    for other in (1, 2, 3):
        pair = come & np.isin(arm, (0, other))
        cut = cut_of(arm[pair] == other, followed[pair], had[pair])
        chance.append(float(CoxLaplace().posterior(cut, True, {"prior_sd": 0.5}, None).probability[0]))
    return np.array(chance), int(come.sum())


def concluded(likely: np.ndarray, last: bool, is_open: np.ndarray) -> str:
    """Return what the rules conclude, or nothing."""
    if (likely > SUCCESS).all():
        return "all three delay progression"
    if (likely < FUTILE).all():
        return "none is likely to"
    if last:
        won = [ARMS[k] for k in (1, 2, 3) if likely[k - 1] > SUCCESS and is_open[k]]
        return f"at the end: {', '.join(won) or 'nothing shown'}"
    return ""


def look_months(design: str) -> list[float]:
    """Return the months of a design's looks."""
    looks = load_scenario(HERE / "actg175_bayesian.yaml").designs[design].looks
    return [look.when.duration / DAYS_PER_MONTH for look in looks]


def replay(orders: int, seed: int) -> list[tuple[float, str, int, tuple[str, ...], list[float]]]:
    """Return for each order of entry the month of the end, why, on how many patients, arms closed, probabilities."""
    table = pd.read_csv(HERE / "patients.csv")
    looks = look_months("bayesian")
    arm, days, event = (table[name].to_numpy() for name in ("arms", "days", "cens"))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(orders):
        entry = rng.permutation((np.arange(len(table)) + 0.5) / len(table) * ACCRUAL_DAYS)
        is_open, closed = np.ones(4, dtype=bool), []
        for number, month in enumerate(looks):
            likely, n = judged(entry, arm, days, event, month)
            reason = concluded(likely, number == len(looks) - 1, is_open)
            if reason:
                found.append((month, reason, n, tuple(closed), likely.tolist()))
                break
            for k in (1, 2, 3):
                if is_open[k] and likely[k - 1] < FUTILE:
                    is_open[k] = False
                    closed.append(ARMS[k])
    return found


def replay_adaptive(trials: int, seed: int) -> list[tuple[float, str, int, list[int]]]:
    """Return for each trial the month of the end, why, on how many patients, and how many of them by arm."""
    table = pd.read_csv(HERE / "patients.csv")
    looks, policy = look_months("adaptive"), ProtectedControl(minimum=0.15)
    held = (table["cd420"] >= table["cd40"]).to_numpy()
    days_of, event_of = (table[name].to_numpy() for name in ("days", "cens"))
    of_arm = [np.flatnonzero(table["arms"] == k) for k in range(4)]
    n, rng, found = len(table), np.random.default_rng(seed), []
    entry = (np.arange(n) + 0.5) / n * ACCRUAL_DAYS
    for _ in range(trials):
        arm, row = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
        weights, is_open = None, np.ones(4, dtype=bool)
        turns = [(month, "look") for month in looks] + [(month, "review") for month in range(1, 13)]
        came = 0
        for month, kind in sorted(turns):
            upto = int((entry <= month * DAYS_PER_MONTH).sum())
            new = upto - came
            if weights is None:
                blocks = [rng.permutation(np.repeat(np.arange(4), 3)) for _ in range(-(-new // 12))]
                arm[came:upto] = np.concatenate([*blocks, np.zeros(0, dtype=np.int64)])[:new]
            else:
                arm[came:upto] = rng.choice(4, new, p=weights / weights.sum())
            row[came:upto] = [rng.choice(of_arm[k]) for k in arm[came:upto]]
            came = upto
            if kind == "look":
                some = slice(0, came)
                likely, seen = judged(entry[some], arm[some], days_of[row[some]], event_of[row[some]], month)
                reason = concluded(likely, month == looks[-1], is_open)
                if reason:
                    found.append((month, reason, seen, np.bincount(arm[some], minlength=4).tolist()))
                    break
                is_open[1:] &= likely >= FUTILE
                weights = None if weights is None else weights * is_open
                continue
            known = np.arange(came)[entry[:came] + READOUT_DAYS <= month * DAYS_PER_MONTH]
            counts = [np.bincount(arm[some], minlength=4)[None, :] for some in (slice(0, came), known)]
            total = np.bincount(arm[known], held[row[known]], minlength=4)[None, :]
            view = AllocationView(
                np.zeros(1, dtype=np.int64), np.array([month * DAYS_PER_MONTH]), counts[0], 0 * counts[0], counts[1], total,
                is_open[None, :], np.ones(4, dtype=np.int64), False, n,
            )  # fmt: skip
            given = policy.decide(view, {})[0].weights
            assert given is not None
            weights = given[0]
    return found


def main() -> None:
    """Print what would have been concluded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--design", choices=("bayesian", "adaptive"), default="bayesian")
    options = parser.parse_args()
    if options.design == "adaptive":
        trials = replay_adaptive(options.orders, options.seed)
        for (month, reason, n), count in sorted(Counter(each[:3] for each in trials).items()):
            print(f"month {month:g}, {n:,} patients, {reason}: {count} of {options.orders} trials")
        by_arm = np.array([each[3] for each in trials])
        for k, name in enumerate(ARMS):
            low, high = np.percentile(by_arm[:, k], [10, 90])
            print(f"{name}: {by_arm[:, k].mean():.0f} patients on average, {low:.0f} to {high:.0f}")
        return
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
