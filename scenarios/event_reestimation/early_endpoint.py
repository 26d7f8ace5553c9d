"""Figures of early_endpoint.yaml, patient by patient, in plain NumPy, without the package.

500 patients over three months, every other one treated. A prognosis, normal, is read out as a response two weeks after
randomisation, with some noise, and moves the hazard of death. Events are raised from 100 to 240 where the treated respond
better in the mean at the interim look.

`by_patients`: at the 150th read-out. Those randomised by then are tested by the log-rank test at their 60th event, the
others at their 40th, or 180th; `increments`: at the 25th event, then what the score of all has gained up to the 100th or
240th. The two statistics are combined with weights from the planned events and tested at one-sided 0.025.
"""

from __future__ import annotations

import sys

import numpy as np
from independent import logrank
from scipy.special import ndtri

N, ACCRUAL, READOUT, MEDIAN, MONTH = 500, 3.0, 14.0, 72.0, 30.4375
PLANNED, MAXIMUM, STAGES, READ_OUT, FIRST = 100, 240, (60, 40), 150, 25
NOISE, ON_DEATH, BOUND, BATCH = 0.2, -2.0, -float(ndtri(0.025)), 2000


def responds_better(response: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return whether the treated, every other patient, have the larger mean of those seen, ``[trial]``."""
    treated = np.arange(N) % 2 == 1
    shown = [seen & arm for arm in (treated, ~treated)]
    means = [(response * arm).sum(axis=1) / arm.sum(axis=-1) for arm in shown]
    return np.asarray(means[0] >= means[1])


def of_some(
    time: np.ndarray, entry: np.ndarray, some: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return when some patients have had so many events, and their log-rank statistic then, positive for treatment."""
    dates = np.where(some, time + entry, np.inf)
    end = np.take_along_axis(np.sort(dates, axis=1), count[:, None] - 1, 1)[:, 0]
    late = np.where(some, entry, np.inf)  # whoever is not among them has not come
    score, variance = logrank(time, late, end)
    return end, -score / np.sqrt(variance)


def by_patients(time: np.ndarray, entry: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which trials reject, and the events that their last look knows."""
    cut = entry[READ_OUT - 1] + READOUT
    more = np.where(responds_better(response, entry + READOUT <= cut), MAXIMUM - PLANNED, 0)
    first = np.broadcast_to(entry <= cut, time.shape)
    one, z_one = of_some(time, entry, first, np.full(len(time), STAGES[0]))
    two, z_two = of_some(time, entry, ~first, STAGES[1] + more)
    weight = STAGES[0] / PLANNED
    dates = np.sort(time + entry, axis=1)
    all_have = np.take_along_axis(dates, (PLANNED + more)[:, None] - 1, 1)[:, 0]
    last = np.maximum(all_have, np.maximum(one, two))
    combined = np.sqrt(weight) * z_one + np.sqrt(1 - weight) * z_two
    return combined >= BOUND, (dates <= last[:, None]).sum(axis=1)


def increments(time: np.ndarray, entry: np.ndarray, response: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which trials reject, and the events that their last look knows."""
    dates = np.sort(time + entry, axis=1)
    first = dates[:, FIRST - 1]
    better = responds_better(response, entry + READOUT <= first[:, None])
    count = np.where(better, MAXIMUM, PLANNED)
    u1, v1 = logrank(time, entry, first)
    u2, v2 = logrank(time, entry, np.take_along_axis(dates, count[:, None] - 1, 1)[:, 0])
    weight = FIRST / PLANNED
    combined = -np.sqrt(weight) * u1 / np.sqrt(v1) - np.sqrt(1 - weight) * (u2 - u1) / np.sqrt(v2 - v1)
    return combined >= BOUND, count


def simulate(
    trials: int, gain: float, ratio: float, seed: int
) -> dict[str, tuple[float, float, float, float]]:
    """Return rejection and mean events of both designs, each with its standard error."""
    generator = np.random.default_rng(seed)
    entry = (np.arange(N) + 0.5) * ACCRUAL * MONTH / N
    treated = np.arange(N) % 2 == 1
    found: dict[str, list[np.ndarray]] = {"by_patients": [], "increments": []}
    for _ in range(trials // BATCH):
        prognosis = generator.normal(size=(BATCH, N))
        response = prognosis + NOISE * generator.normal(size=(BATCH, N)) + gain * treated
        hazard = np.log(2) / (MEDIAN * MONTH) * np.exp(ON_DEATH * prognosis) * np.where(treated, ratio, 1.0)
        time = generator.exponential(size=(BATCH, N)) / hazard
        for name, design in (("by_patients", by_patients), ("increments", increments)):
            found[name].append(np.stack(design(time, entry, response)).astype(float))
    whole = {name: np.concatenate(parts, axis=1) for name, parts in found.items()}
    return {
        name: (
            float(values[0].mean()), float(values[0].std() / np.sqrt(values.shape[1])),
            float(values[1].mean()), float(values[1].std() / np.sqrt(values.shape[1])),
        )
        for name, values in whole.items()
    }  # fmt: skip


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    print("no_effect", simulate(2 * number, 0.0, 1.0, 1), flush=True)
    print("effect", simulate(number, 0.1, 0.5, 2), flush=True)
