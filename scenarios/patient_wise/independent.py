"""Figures of expected.yaml: the trials of patient_wise.yaml patient by patient, in plain NumPy, without the package."""

from __future__ import annotations

import sys

import numpy as np
from scipy.special import ndtr, ndtri

N, ARMS, RATE, READOUT, MONTH = 400, 4, 4.0, 14.0, 30.4375
FIRST_READOUTS, ALL_EVENTS, ENDS = 270, 260, (220, 36)
ALPHA, BATCH = 0.025, 2000
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(96)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def log_rank(time: np.ndarray, event: np.ndarray, inside: np.ndarray, treated: np.ndarray):
    """Return score (expected minus observed on treatment) and variance of each row; no two times are equal."""
    order = np.argsort(np.where(inside, time, np.inf), axis=1)
    inside, treated = np.take_along_axis(inside, order, 1), np.take_along_axis(treated, order, 1)
    event = np.take_along_axis(event, order, 1) & inside
    at_risk = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1]
    on_treatment = np.cumsum((inside & treated)[:, ::-1], axis=1)[:, ::-1]
    share = on_treatment / np.maximum(at_risk, 1)
    return (event * (share - treated)).sum(axis=1), (event * share * (1 - share)).sum(axis=1)


def dunnett(z: np.ndarray) -> np.ndarray:
    """Return p values of the largest of some statistics of arms as large as control, ``[trial]``."""
    m, largest = z.shape[1], z.max(axis=1)
    if m == 1:
        return ndtr(-largest)
    below = ndtr((largest[:, None] - np.sqrt(0.5) * NODES) / np.sqrt(0.5)) ** m
    return 1.0 - below @ WEIGHTS


def simes(z: np.ndarray) -> np.ndarray:
    """Return Simes' p values, ``[trial]``."""
    p = np.sort(ndtr(-z), axis=1)
    return (z.shape[1] * p / np.arange(1, z.shape[1] + 1)).min(axis=1)


def closed(first: np.ndarray, second: np.ndarray, chosen: np.ndarray, test, rejects) -> np.ndarray:
    """Return which arms are shown, ``[trial, arm]``: the chosen one, where every set that holds it is rejected."""
    trials, arms = first.shape
    held = np.ones(trials, dtype=bool)
    own = np.clip(ndtr(-second), 1e-300, 1.0)
    for code in range(1, 1 << arms):
        members = [arm for arm in range(arms) if code >> arm & 1]
        inside = np.isin(chosen, members)
        p = np.clip(test(first[:, members]), 1e-300, 1.0)
        held &= ~inside | rejects(p, own)
    shown = np.zeros((trials, arms), dtype=bool)
    shown[np.arange(trials), chosen] = held
    return shown


def inverse_normal(share: float):
    """Return the combination test with the first stage of some share of the information, at the last look alone."""
    bound = -ndtri(ALPHA)

    def rejects(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return -np.sqrt(share) * ndtri(p) - np.sqrt(1 - share) * ndtri(q) >= bound

    return rejects


def product():
    """Return Fisher's product test of two p values: c (1 - log c) = alpha (Bauer and Köhne 1994)."""
    low, high = 1e-9, ALPHA
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if middle * (1 - np.log(middle)) < ALPHA else (low, middle)
    return lambda p, q: p * q <= low


def nth(times: np.ndarray, count: int) -> np.ndarray:
    """Return the count-th of the times of each row."""
    return np.partition(times, count - 1, axis=1)[:, count - 1]


def simulate(rng, trials: int, response_c: float, ratio_c: float, by_response: bool):
    """Return statistics and what is needed of them for some trials."""
    entry = np.arange(N) / RATE  # the first comes at time 0; only differences matter
    prognosis, noise, spent = (
        rng.normal(size=(trials, N)),
        rng.normal(size=(trials, N)),
        rng.exponential(size=(trials, N)),
    )
    arm = np.broadcast_to(np.arange(N) % ARMS, (trials, N)).copy()
    look = entry[FIRST_READOUTS - 1] + READOUT
    cohort = np.broadcast_to(entry <= look, (trials, N))
    hazard = np.log(2) / (24 * MONTH) * np.exp(-2 * prognosis)

    def events() -> np.ndarray:
        return entry + spent / np.where(arm == 3, ratio_c * hazard, hazard)

    # The interim look.
    died = events()
    seen = entry + READOUT <= look
    response = prognosis + 0.2 * noise + response_c * (arm == 3)
    early, early_v = compared(died, entry, arm, np.full(trials, look), cohort)
    if by_response:
        means = [
            np.where((arm == a) & seen, response, 0).sum(1) / ((arm == a) & seen).sum(1) for a in range(ARMS)
        ]
        worth = np.stack([means[a] - means[0] for a in range(1, ARMS)], axis=1)
    else:
        worth = early / early_v
    chosen = worth.argmax(axis=1)
    # Those who come later go to control and the arm chosen, in turn.
    later = np.flatnonzero(entry > look)
    arm[:, later] = np.where(np.arange(len(later)) % 2 == 0, 0, chosen[:, None] + 1)
    died = events()
    # Each stage's patients at their own end; all data at the last look.
    ends = [nth(np.where(cohort, died, np.inf), ENDS[0]), nth(np.where(cohort, np.inf, died), ENDS[1])]
    first, first_v = compared(died, entry, arm, ends[0], cohort)
    second, second_v = compared(died, entry, arm, ends[1], ~cohort)
    second_v = np.maximum(second_v, 1e-12)  # arms that were not chosen have nobody
    last = nth(died, ALL_EVENTS)
    whole, whole_v = compared(died, entry, arm, last, np.ones_like(cohort))
    cut = np.maximum(np.maximum(ends[0], ends[1]), last)
    return {
        "chosen": chosen,
        "first": first / np.sqrt(first_v),
        "second": pick(second / np.sqrt(second_v), chosen),
        "early": early / np.sqrt(early_v),
        "gained": pick((whole - early) / np.sqrt(whole_v - early_v), chosen),
        "cut": cut + 1 / RATE,
        "last": last + 1 / RATE,
    }


def compared(died, entry, arm, cut, inside):
    """Return scores and variances of each arm against control of some patients at a cut, ``[trial, arm]``."""
    here = inside & (entry <= cut[:, None])
    time = np.minimum(died, cut[:, None]) - entry
    found = [
        log_rank(time, died <= cut[:, None], here & ((arm == 0) | (arm == a)), arm == a)
        for a in range(1, ARMS)
    ]
    return np.stack([score for score, _ in found], axis=1), np.stack([v for _, v in found], axis=1)


def pick(values, chosen):
    """Return the value of the arm chosen, ``[trial]``."""
    return values[np.arange(len(chosen)), chosen]


def figures(truth: str, response_c: float, ratio_c: float, batches: int) -> None:
    """Print the figures of every design under a truth."""
    shown: dict[str, list[np.ndarray]] = {}
    more: dict[tuple[str, str], list[np.ndarray]] = {}
    for batch in range(batches):
        for by_response in (True, False):
            rng = np.random.default_rng([batch, int(1000 * response_c), int(1000 * ratio_c)])
            found = simulate(rng, BATCH, response_c, ratio_c, by_response)
            naive = closed(found["early"], found["gained"], found["chosen"], dunnett, inverse_normal(0.03))
            name = "increments" if by_response else "own_endpoint"
            shown.setdefault(name, []).append(naive)
            more.setdefault((name, "last look"), []).append(found["last"])
            if not by_response:
                continue
            weight = ENDS[0] / sum(ENDS)
            apart = (found["first"], found["second"], found["chosen"])
            shown.setdefault("by_patients", []).append(closed(*apart, dunnett, inverse_normal(weight)))
            shown.setdefault("by_product", []).append(closed(*apart, simes, product()))
            more.setdefault(("by_patients", "last look"), []).append(found["cut"])
            more.setdefault(("by_patients", "c chosen"), []).append((found["chosen"] == 2).astype(float))
    for name, parts in shown.items():
        arms = np.concatenate(parts)
        for what, values in (
            ("any", arms.any(axis=1)),
            ("a", arms[:, 0]),
            ("b", arms[:, 1]),
            ("c", arms[:, 2]),
        ):
            print(f"{name} {truth} {what} {values.mean():.6g} {values.std() / np.sqrt(len(values)):.2g}")
    for (name, what), parts in more.items():
        values = np.concatenate(parts)
        print(f"{name} {truth} {what} {values.mean():.6g} {values.std() / np.sqrt(len(values)):.2g}")


def main() -> None:
    """Print every figure."""
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    figures("no_effect", 0.0, 1.0, batches)
    figures("one_works", 0.3, 0.4, batches)


if __name__ == "__main__":
    main()
