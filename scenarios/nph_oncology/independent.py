"""Simulate ``nph_oncology.yaml`` in plain NumPy, sharing no code with the engines.

``python scenarios/nph_oncology/independent.py`` prints the figures that ``expected.yaml`` cites from here,
each with its Monte Carlo standard error: 100,000 trials per truth, seed 5, about half a minute.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_PATIENTS = 400
ACCRUAL_MONTHS = 12.0
CONTROL_HAZARD = np.log(2.0) / 8.0
DROPOUT_HAZARD = -np.log(0.95) / 12.0
LOOK_EVENTS = [86, 173, 259]
EFFICACY_Z = np.array([3.71813, 2.50850, 1.99330])
FIXED_Z = 1.959963984540054
TRUTHS = {"proportional": (2 / 3, 2 / 3), "no_effect": (1.0, 1.0), "delayed": (1.0, 0.6)}  # before, after
DELAY_MONTHS = 4.0
BATCH = 2_000

Array = NDArray[np.float64]


def survival_times(exponentials: Array, treated: NDArray[np.bool_], before: float, after: float) -> Array:
    """Return survival times in months whose hazard ratio changes at ``DELAY_MONTHS``."""
    hazard = np.where(treated, before, 1.0) * CONTROL_HAZARD
    later = np.where(treated, after, 1.0) * CONTROL_HAZARD
    spent = hazard * DELAY_MONTHS
    return np.where(
        exponentials < spent, exponentials / hazard, DELAY_MONTHS + (exponentials - spent) / later
    )


def logrank_z(follow_up: Array, event: NDArray[np.bool_], treated: NDArray[np.bool_]) -> Array:
    """Return the log-rank z of each row, positive in favour; negative follow-up marks the not entered."""
    order = np.argsort(follow_up, axis=1)
    entered = np.take_along_axis(follow_up, order, 1) >= 0
    dead = np.take_along_axis(event, order, 1)
    arm = treated[order]
    at_risk = np.maximum(np.cumsum(entered[:, ::-1], axis=1)[:, ::-1], 1)
    share = np.cumsum((arm & entered)[:, ::-1], axis=1)[:, ::-1] / at_risk
    observed_less_expected = (dead * (arm - share)).sum(axis=1)
    return -observed_less_expected / np.sqrt((dead * share * (1 - share)).sum(axis=1))


def batch(generator: np.random.Generator, before: float, after: float) -> tuple[Array, Array, Array]:
    """Return z, calendar months and patients enrolled, each ``[look, trial]``."""
    treated = np.arange(N_PATIENTS) % 2 == 1
    entry = np.arange(1, N_PATIENTS + 1) / N_PATIENTS * ACCRUAL_MONTHS
    survival = survival_times(generator.exponential(size=(BATCH, N_PATIENTS)), treated, before, after)
    dropout = generator.exponential(1.0 / DROPOUT_HAZARD, size=(BATCH, N_PATIENTS))
    exit_time = np.minimum(survival, dropout)
    is_event = survival <= dropout
    event_dates = np.sort(np.where(is_event, entry + exit_time, np.inf), axis=1)
    z, months, enrolled = [], [], []
    for count in LOOK_EVENTS:
        cut = event_dates[:, count - 1 : count]
        follow_up = np.where(entry <= cut, np.minimum(exit_time, cut - entry), -1.0)
        z.append(logrank_z(follow_up, is_event & (entry + exit_time <= cut), treated))
        months.append(cut[:, 0])
        enrolled.append((entry <= cut).sum(axis=1).astype(float))
    return np.array(z), np.array(months), np.array(enrolled)


def figure(name: str, values: NDArray[np.generic]) -> str:
    """Return mean and standard error as text."""
    numbers = values.astype(float)
    return f"{name} {numbers.mean():.5f} ({numbers.std() / np.sqrt(len(numbers)):.5f})"


def main(trials: int = 100_000, seed: int = 5) -> None:
    """Print every figure for every truth."""
    generator = np.random.default_rng(seed)
    for truth, (before, after) in TRUTHS.items():
        batches = [batch(generator, before, after) for _ in range(trials // BATCH)]
        z, months, enrolled = (np.concatenate(parts, axis=1) for parts in zip(*batches, strict=True))
        crossed = z >= EFFICACY_Z[:, None]
        first = np.where(crossed.any(axis=0), crossed.argmax(axis=0), len(LOOK_EVENTS))
        last = np.minimum(first, len(LOOK_EVENTS) - 1)
        trial = np.arange(z.shape[1])
        print(f"{truth}, group_sequential")
        for look in range(len(LOOK_EVENTS)):
            print("  ", figure(f"reject by look {look + 1}", first <= look))
            print("  ", figure(f"months at look {look + 1}, where reached", months[look][last >= look]))
        print("  ", figure("events", np.array(LOOK_EVENTS)[last]))
        print("  ", figure("enrolled", enrolled[last, trial]))
        print("  ", figure("duration in months", months[last, trial]))
        print(f"{truth}, fixed")
        print("  ", figure("reject", z[-1] >= FIXED_Z))
        print("  ", figure("duration in months", months[-1]))


if __name__ == "__main__":
    main()
