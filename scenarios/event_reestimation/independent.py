"""Power and events of the designs of this folder that re-estimate their events, apart from any engine.

Each trial is drawn patient by patient and its log-rank tests are worked out from sorted times: exponential survival with a
median of 10 months on control, 500 patients evenly over 20 months, every other one on treatment. Looks come with the k-th
event. What a stage adds to the log-rank score, over the root of what it adds to the variance, is its statistic; stages are
combined with weights from the planned events (Cui, Hung and Wang 1999). The effect seen is z / sqrt(events / 4), that
assumed the log hazard ratio, and a stage gets the events at which its conditional power is the target, rounded up, within
its limits. Prints rejection, events at the end and the chance that they are raised, each with its standard error.

`characteristics` has the same of the designs of two looks by quadrature over the interim statistic, as if the log-rank
statistic were normal with mean log(hazard ratio) sqrt(events / 4), which is so in large samples and near 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

PATIENTS, ACCRUAL, MEDIAN = 500, 20.0, 10.0
LEVEL = 0.025
STEP = 1e-5


class Plan(NamedTuple):
    """One design: planned events and bounds by look, conditional power to have, and limits of events."""

    events: tuple[int, ...]
    bounds: tuple[float, ...]
    target: float
    least: int
    most: int
    zone: tuple[float, float] = (-1.0, 2.0)
    assumed: float | None = None
    stage: tuple[int, int] = (1, 10**6)


ONE_TEST = (np.inf, -float(ndtri(LEVEL)))
PROMISING = Plan((124, 248), ONE_TEST, 0.8, 248, 372, zone=(0.4, 0.8))
ASSUMED = Plan((124, 248), ONE_TEST, 0.9, 248, 372, zone=(0.3, 0.9), assumed=0.7)
STAGE_BY_STAGE = Plan((80, 160, 240), (3.710303, 2.511427, 1.993048), 0.9, 180, 372, stage=(40, 160))


def next_stage(
    plan: Plan, look: int, z: np.ndarray, combined: np.ndarray, seen: np.ndarray, planned: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the events of the stage after a look, its conditional power as planned, and what it needs."""
    now, after = plan.events[look] / plan.events[-1], plan.events[look + 1] / plan.events[-1]
    needed = plan.bounds[look + 1] * np.sqrt(after) - np.sqrt(now) * combined
    needed = needed / np.sqrt(after - now)
    effect = z / np.sqrt(seen / 4) if plan.assumed is None else np.full(len(z), -np.log(plan.assumed))
    power = ndtr(effect * np.sqrt(planned / 4) - needed)
    wanted = np.full(len(z), np.inf)
    helps = effect > 0
    wanted[helps] = np.ceil(
        4 * (np.maximum(needed[helps] + ndtri(plan.target), 0) / effect[helps]) ** 2 - 1e-9
    )
    later = plan.events[-1] - plan.events[look + 1]
    stage = np.maximum(wanted, np.maximum(plan.stage[0], plan.least - later - seen))
    stage = np.minimum(stage, np.minimum(plan.stage[1], plan.most - later - seen))
    inside = (power >= plan.zone[0]) & (power < plan.zone[1])
    return np.where(inside, stage, planned), power, needed


def logrank(time: np.ndarray, entry: np.ndarray, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return score and variance of the treated at a cut of each trial; every other patient is treated."""
    known = cut[:, None] - entry
    come = known > 0
    seen = np.where(come, np.minimum(time, known), -1.0)
    event = come & (time <= known)
    order = np.argsort(seen, axis=1)
    event, come = np.take_along_axis(event, order, 1), np.take_along_axis(come, order, 1)
    treated = (order % 2 == 1) & come
    at_risk = np.arange(PATIENTS, 0, -1)[None, :]
    at_risk_treated = treated[:, ::-1].cumsum(axis=1)[:, ::-1]
    share = at_risk_treated / at_risk
    score = (event * (treated - share)).sum(axis=1)
    return score, (event * share * (1 - share)).sum(axis=1)


def simulate(
    plan: Plan, ratio: float, trials: int, seed: int, block: int = 2000
) -> dict[str, tuple[float, float]]:
    """Return rejection, events at the last look taken, and the chance of more events than planned, with their errors."""
    generator = np.random.default_rng(seed)
    entry = (np.arange(PATIENTS) + 0.5) * ACCRUAL / PATIENTS
    scale = np.where(np.arange(PATIENTS) % 2 == 1, 1 / ratio, 1.0) * MEDIAN / np.log(2)
    found: list[np.ndarray] = []
    for _ in range(trials // block):
        time = generator.exponential(scale, (block, PATIENTS))
        dates = np.sort(time + entry, axis=1)
        wait = np.full(block, plan.events[0], dtype=np.int64)
        aim = np.full(block, plan.events[-1], dtype=np.int64)
        combined, score, variance = np.zeros(block), np.zeros(block), np.zeros(block)
        rejected, ended = np.zeros(block, dtype=bool), np.zeros(block, dtype=np.int64)
        on = np.arange(block)
        for look in range(len(plan.events)):
            cut = dates[on, wait[on] - 1]
            u, v = logrank(time[on], entry, cut)
            stage = -(u - score[on]) / np.sqrt(v - variance[on])
            score[on], variance[on] = u, v
            rate = plan.events[look] / plan.events[-1]
            before = plan.events[look - 1] / plan.events[-1] if look else 0.0
            combined[on] = (np.sqrt(before) * combined[on] + np.sqrt(rate - before) * stage) / np.sqrt(rate)
            hit = combined[on] >= plan.bounds[look]
            rejected[on[hit]] = True
            ended[on] = wait[on]
            on = on[~hit]
            if look + 1 == len(plan.events):
                break
            seen = wait[on].astype(float)
            moved = aim[on] - plan.events[-1]
            planned = plan.events[look + 1] + moved - seen
            z = -score[on] / np.sqrt(variance[on])
            after, _, _ = next_stage(plan, look, z, combined[on], seen, planned)
            wait[on] = (seen + after).astype(np.int64)
            aim[on] = wait[on] + plan.events[-1] - plan.events[look + 1]
        found.append(np.stack([rejected, ended, aim > plan.events[-1]]).astype(float))
    values = np.concatenate(found, axis=1)
    errors = values.std(axis=1) / np.sqrt(values.shape[1])
    names = ("power", "events", "raised")
    return {name: (float(values[k].mean()), float(errors[k])) for k, name in enumerate(names)}


def characteristics(plan: Plan, ratio: float) -> dict[str, float]:
    """Return what a design of two looks does by quadrature over the interim statistic."""
    first, last = plan.events
    drift = -np.log(ratio)
    mean = drift * np.sqrt(first / 4)
    z = np.arange(mean - 9, mean + 9, STEP)
    weight = np.exp(-0.5 * (z - mean) ** 2) / np.sqrt(2 * np.pi) * STEP
    stage, _, needed = next_stage(plan, 0, z, z, np.full(len(z), float(first)), np.full(len(z), last - first))
    return {
        "power": float(weight @ ndtr(drift * np.sqrt(stage / 4) - needed)),
        "events": float(weight @ (first + stage)),
        "raised": float(weight @ (stage > last - first)),
    }


if __name__ == "__main__":
    for name, plan in (("promising_zone", PROMISING), ("assumed", ASSUMED)):
        for ratio in (1.0, 0.76, 0.7):
            print("quadrature", name, ratio, characteristics(plan, ratio))
    for name, plan in (
        ("promising_zone", PROMISING),
        ("assumed", ASSUMED),
        ("stage_by_stage", STAGE_BY_STAGE),
    ):
        for ratio in (1.0, 0.76, 0.7):
            print("simulated", name, ratio, simulate(plan, ratio, 200_000, 20261127), flush=True)
