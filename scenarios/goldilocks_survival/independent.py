"""The trials of ``goldilocks_survival.yaml``, simulated with NumPy and SciPy alone, patient by patient.

``python scenarios/goldilocks_survival/independent.py [TRIALS]`` prints, by truth, rejections, trials stopped for futility,
mean patients, each with its standard error.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.special import fdtr

MONTH = 365.25 / 12
RATE, MEDIAN, YEAR, LOST = 15 / MONTH, 300.0, 360.0, 0.0001
SIZES, LARGEST, DRAWS = (120, 160, 200), 240, 200
CURRENT, MAXIMUM, POSTERIOR = (0.95, 0.9, 0.9), 0.05, 0.978
SHAPE, EXPOSURE = 0.5, 200.0


def benefit(events: np.ndarray, exposure: np.ndarray) -> np.ndarray:
    """Return P(treatment's hazard < control's): their ratio is a scaled F variable; control first on the last axis."""
    a, b = SHAPE + events, EXPOSURE + exposure
    return fdtr(2 * a[..., 1], 2 * a[..., 0], (b[..., 1] / a[..., 1]) / (b[..., 0] / a[..., 0]))


def trial(rng: np.random.Generator, hazards: tuple[float, float]) -> tuple[bool, bool, int]:
    """Return whether one trial rejects, whether it stops for futility, and its patients."""
    entry = np.cumsum(rng.exponential(1 / RATE, LARGEST))
    arm = np.concatenate([rng.permutation(2) for _ in range(LARGEST // 2)])
    event = rng.exponential(1 / np.array(hazards)[arm])
    leaves = np.minimum(rng.exponential(1 / LOST, LARGEST), YEAR)
    size = LARGEST
    for look, enrolled in enumerate(SIZES):
        now, here = entry[enrolled - 1] - entry[:enrolled], arm[:enrolled]
        until = np.minimum(leaves[:enrolled], now)
        had = event[:enrolled] <= until
        followed = np.minimum(event[:enrolled], until)
        waits = ~had & (leaves[:enrolled] > now)
        events, exposure = np.empty((2, DRAWS, 2)), np.empty((2, DRAWS, 2))
        for a in range(2):
            mine = here == a
            d, t = had[mine].sum(), followed[mine].sum()
            hazard = rng.gamma(SHAPE + d, size=(DRAWS, 1)) / (EXPOSURE + t)
            left = YEAR - followed[mine & waits]
            times = rng.exponential(size=(DRAWS, len(left))) / hazard
            events[0, :, a] = d + (times <= left).sum(axis=1)
            exposure[0, :, a] = t + np.minimum(times, left).sum(axis=1)
            times = rng.exponential(size=(DRAWS, LARGEST // 2 - mine.sum())) / hazard
            events[1, :, a] = events[0, :, a] + (times <= YEAR).sum(axis=1)
            exposure[1, :, a] = exposure[0, :, a] + np.minimum(times, YEAR).sum(axis=1)
        succeed = (benefit(events, exposure) > POSTERIOR).mean(axis=1)
        if succeed[0] > CURRENT[look]:
            size = enrolled
            break
        if succeed[1] < MAXIMUM:
            return False, True, enrolled
    had, followed = event[:size] <= leaves[:size], np.minimum(event[:size], leaves[:size])
    events = np.array([had[arm[:size] == a].sum() for a in range(2)])
    exposure = np.array([followed[arm[:size] == a].sum() for a in range(2)])
    return bool(benefit(events, exposure) > POSTERIOR), False, size


def main(trials: int) -> None:
    """Print the figures."""
    control = np.log(2.0) / MEDIAN
    for name, ratio in (("effect", 0.6), ("no_effect", 1.0)):
        rng = np.random.default_rng(20261126)
        found = np.array([trial(rng, (control, ratio * control)) for _ in range(trials)], dtype=float)
        error = found.std(axis=0) / np.sqrt(trials)
        for what, mean, s in zip(("reject", "futility", "enrolled"), found.mean(axis=0), error, strict=True):
            print(f"{name} {what} {mean:.5f} {s:.5f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
