"""The trials of ``nph_oncology`` worked out anew from their draws, in plain NumPy."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import start_engine
from trialsim.scenario.load import load_scenario

ROOT = Path(__file__).resolve().parent.parent.parent
N, EVENTS, BOUNDS = 400, (86, 173, 259), (3.71813, 2.50850, 1.99330)
TICKS = 2**20
MONTH = 30.4375
DEATH = int.from_bytes(hashlib.sha256(b"death").digest()[:8], "big") >> 1


def uniforms(seed: int, replicate: int, purpose: int, draw: int = 0) -> np.ndarray:
    """Return the uniforms of all patients, from NumPy's Philox: counter (patient // 4, replicate, purpose, draw)."""
    before = ((replicate << 64) | (purpose << 128) | (draw << 192)) - 1
    counter = np.array([(before >> (64 * k)) & (2**64 - 1) for k in range(4)], dtype=np.uint64)
    raw = np.random.Philox(counter=counter, key=np.array([seed, 0], dtype=np.uint64)).random_raw(N)
    return ((raw >> np.uint64(12)).astype(np.int64) + 0.5) / 2**52


def ticks(days: np.ndarray) -> np.ndarray:
    return np.maximum(np.ceil(days * TICKS), 1).astype(np.int64)


def times(u: np.ndarray, treated: np.ndarray, ratios: tuple[float, float]) -> np.ndarray:
    """Return days to death; the ratio changes after four months."""
    hazard = np.log(2) / (8 * MONTH)
    before = hazard * np.where(treated, ratios[0], 1.0)
    after = hazard * np.where(treated, ratios[1], 1.0)
    spent, change = -np.log(u), 4 * MONTH
    return np.where(spent <= before * change, spent / before, change + (spent - before * change) / after)


def logrank(time: np.ndarray, event: np.ndarray, treated: np.ndarray) -> float:
    """Return z, positive when fewer die on treatment than expected; ties by the hypergeometric variance."""
    score = variance = 0.0
    for t in np.unique(time[event]):
        at_risk, dead = time >= t, event & (time == t)
        n, n1, d = at_risk.sum(), (at_risk & treated).sum(), dead.sum()
        score += (dead & treated).sum() - d * n1 / n
        if n > 1:
            variance += d * (n1 / n) * (1 - n1 / n) * (n - d) / (n - 1)
    return float(-score / np.sqrt(variance))


@pytest.mark.parametrize(
    ("truth", "ratios"),
    [
        pytest.param("proportional", (0.666666666667, 0.666666666667), marks=pytest.mark.slow),
        pytest.param("no_effect", (1.0, 1.0), marks=pytest.mark.slow),
        ("delayed", (1.0, 0.6)),
    ],
)
def test_three_hundred_trials(truth: str, ratios: tuple[float, float]) -> None:
    seed, replicates = 77, 300
    scenario = load_scenario(ROOT / "scenarios" / "nph_oncology" / "nph_oncology.yaml")
    plan = build_plan(scenario, "group_sequential", truth, seed)
    result = conduct(start_engine(plan, "fast").start(np.arange(replicates)))
    at_look = {}
    for look in result.looks:
        for k, row in enumerate(look.point.rows):
            at_look[row, look.point.number[k]] = (look.point.tick[k], look.z[k, 0])
    treated = np.arange(N) % 2 == 1
    entry = ticks(np.arange(1, N + 1) * 365.25 / N)
    moved = 0
    for replicate in range(replicates):
        death = ticks(times(uniforms(seed, replicate, 7, DEATH), treated, ratios))
        lost = ticks(-np.log(uniforms(seed, replicate, 6)) / (-np.log(0.95) / 365.25))
        died = death <= lost
        dates = np.sort((entry + death)[died])
        for look, count in enumerate(EVENTS):
            cut = dates[count - 1]
            known = entry <= cut
            leave = np.minimum(entry + np.minimum(death, lost), cut)
            event = died & (entry + death <= cut)
            z = logrank((leave - entry)[known], event[known], treated[known])
            tick, found = at_look.pop((replicate, look))
            # A logarithm that differs in its last bit may fall on the other side of a tick; by no more than one.
            assert abs(int(tick) - int(cut)) <= 1
            moved += int(tick != cut)
            assert found == pytest.approx(z, abs=1e-9)
            if z >= BOUNDS[look] or look == 2:
                assert result.rejected[replicate, 0] == (z >= BOUNDS[look])
                assert result.ends.look[replicate] == look
                assert result.ends.enrolled[replicate] == known.sum()
                break
    assert not at_look, "the engine took looks that never were"
    assert moved <= 3
