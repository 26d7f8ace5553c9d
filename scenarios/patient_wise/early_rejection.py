"""Figures of expected.yaml: the trials of early_rejection.yaml patient by patient, in plain NumPy, without the package."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from independent import ARMS, MONTH, compared, dunnett, nth
from scipy.optimize import brentq
from scipy.special import ndtri
from scipy.stats import multivariate_normal

N, RATE, READOUT, MEDIAN = 800, 16.0, 14.0, 24 * MONTH
FIRST_READOUTS, ALL_EVENTS, ENDS, SHARE = 480, 408, (360, 48), 0.15
ALPHA, BATCH = 0.025, 1000


def two_bounds(rate: float) -> tuple[float, float]:
    """Return the bounds of two looks that spend alpha t by the information t (Kim and DeMets 1987)."""
    spent = ALPHA * rate
    first = float(-ndtri(spent))
    both = multivariate_normal(cov=[[1.0, np.sqrt(rate)], [np.sqrt(rate), 1.0]])
    last = brentq(lambda z: both.cdf([first, z], lower_limit=[-12, -12]) - (1 - ALPHA), 1.0, 4.0, xtol=1e-9)
    return first, float(last)


@dataclass
class Trials:
    """What happens in some trials up to the end, whatever was rejected: statistics by arm, positive where it is better."""

    kept: np.ndarray
    at_look: np.ndarray
    since_look: np.ndarray
    whole_first: np.ndarray
    second: np.ndarray
    gained: np.ndarray
    look: float
    cut: np.ndarray
    last: np.ndarray


def simulate(rng, trials: int, response_c: float, ratios, keep: int) -> Trials:
    """Return what becomes of trials in which so many arms are kept by their responses."""
    entry = (np.arange(N) + 1) / RATE
    prognosis, noise = rng.normal(size=(trials, N)), rng.normal(size=(trials, N))
    spent = rng.exponential(size=(trials, N))
    arm = np.broadcast_to(np.arange(N) % ARMS, (trials, N)).copy()
    look = entry[FIRST_READOUTS - 1] + READOUT
    cohort = np.broadcast_to(entry <= look, (trials, N))
    hazard = np.log(2) / MEDIAN * np.exp(-2 * prognosis)

    def events() -> np.ndarray:
        return entry + spent / (hazard * np.asarray(ratios)[arm])

    died = events()
    at_look, at_look_v = compared(died, entry, arm, np.full(trials, look), cohort)
    response = prognosis + 0.2 * noise + response_c * (arm == 3)
    seen = entry + READOUT <= look
    means = np.stack(
        [np.where((arm == a) & seen, response, 0).sum(1) / ((arm == a) & seen).sum(1) for a in range(ARMS)], 1
    )
    best_first = np.argsort(means[:, 0][:, None] - means[:, 1:], axis=1)
    kept = np.zeros((trials, ARMS - 1), dtype=bool)
    np.put_along_axis(kept, best_first[:, :keep], True, axis=1)
    later = np.flatnonzero(entry > look)
    turns = np.concatenate(
        [np.zeros((trials, 1), dtype=int), np.sort(best_first[:, :keep], axis=1) + 1], axis=1
    )
    arm[:, later] = turns[:, np.arange(len(later)) % (keep + 1)]
    died = events()
    ends = [nth(np.where(cohort, died, np.inf), ENDS[0]), nth(np.where(cohort, np.inf, died), ENDS[1])]
    first, first_v = compared(died, entry, arm, ends[0], cohort)
    second, second_v = compared(died, entry, arm, ends[1], ~cohort)
    last = nth(died, ALL_EVENTS)
    whole, whole_v = compared(died, entry, arm, last, np.ones_like(cohort))
    return Trials(
        kept,
        at_look / np.sqrt(at_look_v),
        (first - at_look) / np.sqrt(first_v - at_look_v),
        first / np.sqrt(first_v),
        np.where(kept, second / np.sqrt(np.maximum(second_v, 1e-12)), -np.inf),
        np.where(kept, (whole - at_look) / np.sqrt(whole_v - at_look_v), -np.inf),
        look,
        np.maximum(np.maximum(ends[0], ends[1]), last),
        last,
    )


def of_set(z: np.ndarray, members: list[int]) -> np.ndarray:
    """Return the normal deviate of Dunnett's p value of some arms, of those of them that have a statistic."""
    there = np.isfinite(z[:, members])
    largest = np.where(there, z[:, members], -np.inf).max(axis=1)
    found = np.full(len(z), -np.inf)
    for m in range(1, len(members) + 1):
        at = there.sum(axis=1) == m
        if at.any():
            p = dunnett(np.repeat(largest[at][:, None], m, axis=1))
            found[at] = -ndtri(np.clip(p, 1e-300, 1 - 1e-16))
    return found


def closed(kept: np.ndarray, parts, bounds) -> tuple[np.ndarray, np.ndarray]:
    """Return which arms are shown at the first look and in all, ``[trial, arm]``.

    ``parts`` are pairs of a weight and the statistics of the arms: the first is tested at the look, all at the end.
    """
    trials, arms = kept.shape
    early, late = np.ones((trials, arms), dtype=bool), np.ones((trials, arms), dtype=bool)
    for code in range(1, 1 << arms):
        members = [a for a in range(arms) if code >> a & 1]
        deviates = [weight * of_set(z, members) for weight, z in parts]
        first = deviates[0] / parts[0][0] >= bounds[0]
        both = first | (sum(deviates) >= bounds[1])
        for a in members:
            early[:, a] &= first
            late[:, a] &= both
    return early, early | (late & kept)


def figures(truth: str, response_c: float, ratios, batches: int) -> None:
    """Print the figures of every design under a truth."""
    of_first = ENDS[0] / sum(ENDS)
    rate = SHARE * of_first
    split = np.sqrt([rate, of_first - rate, 1 - of_first])
    found: dict[str, list[np.ndarray]] = {}

    def note(name: str, early: np.ndarray, shown: np.ndarray, trials: Trials, cut: np.ndarray) -> None:
        none = [arm for arm in range(ARMS - 1) if ratios[arm + 1] == 1]
        ended = ((trials.kept & ~early).sum(axis=1) == 0).astype(float)
        for what, values in (
            ("any", shown.any(axis=1)),
            ("error", shown[:, none].any(axis=1)),
            ("any at look 1", early.any(axis=1)),
            ("a", shown[:, 0]),
            ("c", shown[:, 2]),
            ("c at look 1", early[:, 2]),
            ("ended at look 1", ended),
            ("duration", np.where(ended > 0, trials.look, cut)),
        ):
            found.setdefault(f"{name} {what}", []).append(values.astype(float))

    for batch in range(batches):
        for keep in (1, 2):
            rng = np.random.default_rng([batch, keep, int(1000 * ratios[3])])
            trials = simulate(rng, BATCH, response_c, ratios, keep)
            parts = list(zip(split, (trials.at_look, trials.since_look, trials.second), strict=True))
            note(f"early_{keep}", *closed(trials.kept, parts, two_bounds(rate)), trials, trials.cut)
            if keep == 2:
                continue
            whole = [(np.sqrt(of_first), trials.whole_first), (np.sqrt(1 - of_first), trials.second)]
            note("at_the_end", *closed(trials.kept, whole, (np.inf, -ndtri(ALPHA))), trials, trials.cut)
            grown = [(np.sqrt(rate), trials.at_look), (np.sqrt(1 - rate), trials.gained)]
            note("increments", *closed(trials.kept, grown, two_bounds(rate)), trials, trials.last)
    for name, several in found.items():
        values = np.concatenate(several)
        print(f"{truth} {name} {values.mean():.6g} {values.std() / np.sqrt(len(values)):.2g}")


def main() -> None:
    """Print every figure."""
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    print("bounds", two_bounds(SHARE * ENDS[0] / sum(ENDS)))
    figures("no_effect", 0.0, (1.0, 1.0, 1.0, 1.0), batches)
    figures("one_works", 0.3, (1.0, 1.0, 1.0, 0.3), 3 * batches // 10)


if __name__ == "__main__":
    main()
