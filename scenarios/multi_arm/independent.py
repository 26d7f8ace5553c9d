"""Simulate the designs of ``multi_arm.yaml`` in plain NumPy, sharing no code with the engines.

``python scenarios/multi_arm/independent.py`` prints the figures that ``expected.yaml`` cites from here, each with its
Monte Carlo standard error: seed 7, some minutes.

Means are simulated from the normal means of each arm and stage, survival patient by patient. Dunnett's p value is a
trapezoidal integral over the control's mean, tabulated and interpolated; the other tests are written out anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri, ndtri_exp

Array = NDArray[np.float64]
Chosen = NDArray[np.bool_]
Rule = Callable[[Array, Chosen, int], Chosen]

TRIALS = 500_000
ALONE = -30.0  # a deviate that no later stage outweighs: p = 1
OBRIEN_FLEMING = (
    2.7965103,
    1.9774310,
)  # 2 looks, 0.025 one-sided, Jennison and Turnbull 2000, table 2.3 in more digits
LAN_DEMETS_OF = (2.9625882, 1.9685961)
POCOCK = (2.1782724, 2.1782724)
LAN_DEMETS_POCOCK_3 = (2.2794278, 2.2949146, 2.2959400)


def dunnett_table(arms: int) -> tuple[Array, Array]:
    """Return statistics and the deviates of the chance that the largest of ``arms`` equally large arms is above each."""
    c = np.arange(-6.0, 9.0, 1e-3)
    y = np.arange(-9.0, 9.01, 0.05)
    weight = 0.05 * np.exp(-0.5 * y**2) / np.sqrt(2 * np.pi)
    tail = 1 - np.exp(arms * log_ndtr(np.sqrt(2.0) * c[:, None] - y))
    return c, -ndtri(np.clip(tail @ weight, 1e-300, 1 - 1e-16))


TABLES = {arms: dunnett_table(arms) for arms in (2, 3, 4)}


def dunnett(z: Array) -> Array:
    """Return the deviate of Dunnett's p value of arms ``[arm, trial]``."""
    return z[0] if len(z) == 1 else np.interp(z.max(axis=0), *TABLES[len(z)])


def bonferroni(z: Array) -> Array:
    """Return the deviate of Bonferroni's p value."""
    p = len(z) * ndtr(-z).min(axis=0)
    return np.where(p < 1, -ndtri(np.minimum(p, 1 - 1e-16)), ALONE)


def simes(z: Array) -> Array:
    """Return the deviate of Simes' p value."""
    p = np.sort(ndtr(-z), axis=0)
    p = (len(z) * p / np.arange(1, len(z) + 1)[:, None]).min(axis=0)
    return np.where(p < 1, -ndtri(np.minimum(p, 1 - 1e-16)), ALONE)


class Closed:
    """Every set of arms, tested stage by stage."""

    def __init__(
        self, arms: int, trials: int, test: Callable[[Array], Array], weights: tuple[float, ...]
    ) -> None:
        self.sets = [
            list(each) for size in range(1, arms + 1) for each in itertools.combinations(range(arms), size)
        ]
        self.test, self.weights = test, weights
        self.total = {tuple(each): np.zeros(trials) for each in self.sets}
        self.rejected = {tuple(each): np.zeros(trials, dtype=bool) for each in self.sets}
        self.lost = {tuple(each): np.zeros(trials, dtype=bool) for each in self.sets}
        self.own = np.zeros((arms, trials))

    def add(
        self, stage: int, z: Array, there: Chosen, bound: float, futility_p: float | None = None
    ) -> tuple[Chosen, Chosen]:
        """Add a stage; return which arms are shown by now and which never can be, ``[arm, trial]``."""
        share = np.sqrt(sum(w**2 for w in self.weights[: stage + 1]))
        for each in self.sets:
            key = tuple(each)
            deviate = np.full(z.shape[1], ALONE)
            for size in range(1, len(each) + 1):
                for part in itertools.combinations(each, size):
                    rows = np.ones(z.shape[1], dtype=bool)
                    for arm in each:
                        rows &= there[arm] == (arm in part)
                    if rows.any():
                        deviate[rows] = self.test(z[list(part)][:, rows])
            if futility_p is None:
                self.total[key] += self.weights[stage] * deviate
                combined = self.total[key] / share
                gone = deviate <= ALONE
            else:
                self.total[key] += log_ndtr(-deviate)
                combined = -ndtri_exp(self.total[key])
                gone = ndtr(-deviate) > futility_p
            now = (combined >= bound) & ~self.lost[key]
            self.rejected[key] |= now
            self.lost[key] |= gone & ~self.rejected[key]
            if len(each) == 1:
                self.own[each[0]] = combined
        shown = np.ones(z.shape, dtype=bool)
        never = np.zeros(z.shape, dtype=bool)
        for each in self.sets:
            for arm in each:
                shown[arm] &= self.rejected[tuple(each)]
                never[arm] |= self.lost[tuple(each)]
        return shown, never


def best(keep: tuple[int, ...]) -> Rule:
    """Keep so many of the best after each look."""

    def rule(effect: Array, eligible: Chosen, look: int) -> Chosen:
        worth = np.where(eligible, effect, -np.inf)
        rank = np.argsort(np.argsort(-worth, axis=0, kind="stable"), axis=0, kind="stable")
        return eligible & (rank < keep[look])

    return rule


def within(epsilon: float) -> Rule:
    """Keep the arms within epsilon of the best."""

    def rule(effect: Array, eligible: Chosen, look: int) -> Chosen:
        worth = np.where(eligible, effect, -np.inf)
        return eligible & (worth >= worth.max(axis=0) - epsilon)

    return rule


def promising(threshold: float) -> Rule:
    """Keep the arms that reach a threshold."""
    return lambda effect, eligible, look: eligible & (effect >= threshold)


class Run:
    """What became of the trials of one design, stage by stage."""

    def __init__(self, closed: Closed, bounds: tuple[float, ...], rule: Rule, any_stops: bool) -> None:
        self.closed, self.bounds, self.rule, self.any_stops = closed, bounds, rule, any_stops
        shape = closed.own.shape
        self.there = np.ones(shape, dtype=bool)
        self.shown_at = np.zeros(shape, dtype=int)
        self.tested: list[Chosen] = []
        self.look = 0

    def step(
        self, z: Array, effect: Array, futility: float = -np.inf, futility_p: float | None = None
    ) -> None:
        """Take a look at a stage's statistics and the effects of all data."""
        self.tested.append(self.there.copy())
        last = self.look == len(self.bounds) - 1
        shown, never = self.closed.add(self.look, z, self.there, self.bounds[self.look], futility_p)
        new = shown & self.there & (self.shown_at == 0)
        self.shown_at[new] = self.look + 1
        if not last:
            eligible = self.there & (new | ~(never | (self.closed.own <= futility)))
            kept = self.rule(effect, eligible, self.look) & ~new
            if self.any_stops:
                kept &= ~new.any(axis=0)
            self.there = kept
        self.look += 1

    def figures(self, names: list[str], sizes: Array | None = None) -> Iterator[tuple[str, float, float]]:
        """Yield what is compared: rejections by arm and look, arms tested at each look, stops, patients."""
        n = self.shown_at.shape[1]
        for arm, name in enumerate(names):
            for look in range(1, self.look + 1):
                value = ((self.shown_at[arm] > 0) & (self.shown_at[arm] <= look)).mean()
                yield f"reject_by_look {name} {look}", value, np.sqrt(value * (1 - value) / n)
            for look in range(1, self.look):
                value = self.tested[look][arm].mean()
                yield f"tested_at_look {name} {look + 1}", value, np.sqrt(value * (1 - value) / n)
        for look in range(1, self.look):
            value = 1 - self.tested[look].any(axis=0).mean()
            yield f"stop by {look}", value, np.sqrt(value * (1 - value) / n)
        value = (self.shown_at > 0).any(axis=0).mean()
        yield "any", value, np.sqrt(value * (1 - value) / n)
        if sizes is not None:
            patients = sizes[0] * (len(names) + 1) + sum(
                size * (self.tested[look].sum(axis=0) + self.tested[look].any(axis=0))
                for look, size in enumerate(sizes)
                if look
            )
            yield "enrolled", patients.mean(), patients.std() / np.sqrt(n)


def means(
    seed: int,
    effects: tuple[float, ...],
    sizes: tuple[int, ...],
    test: Callable[[Array], Array],
    bounds: tuple[float, ...],
    rule: Rule,
    any_stops: bool,
    futility: tuple[float, ...] = (-np.inf,) * 9,
    futility_p: float | None = None,
) -> Run:
    """Simulate a design on means with standard deviation 1, ``sizes`` patients in each arm at each stage."""
    rng = np.random.default_rng(seed)
    weights = tuple(np.sqrt(np.array(sizes) / sum(sizes)).tolist())
    run = Run(Closed(len(effects), TRIALS, test, weights), bounds, rule, any_stops)
    total, so_far = np.zeros((len(effects), TRIALS)), 0
    for look, size in enumerate(sizes):
        control = rng.standard_normal(TRIALS) / np.sqrt(size)
        arms = rng.standard_normal((len(effects), TRIALS)) / np.sqrt(size) + np.array(effects)[:, None]
        difference = arms - control
        total += size * difference
        so_far += size
        run.step(difference / np.sqrt(2 / size), total / so_far, futility[look], futility_p)
    return run


def rates(seed: int, chances: tuple[float, ...], size: int) -> Run:
    """Simulate ``rates_best``: ``size`` patients in each arm at each stage, control first; of ties the first is best."""
    rng = np.random.default_rng(seed)
    arms = len(chances) - 1
    run = Run(Closed(arms, TRIALS, dunnett, (0.5**0.5, 0.5**0.5)), LAN_DEMETS_OF, best((1,)), True)
    total = np.zeros((arms, TRIALS))
    for _ in range(2):
        events = rng.binomial(size, np.array(chances)[:, None], (arms + 1, TRIALS))
        pooled = (events[1:] + events[0]) / (2 * size)
        difference = (events[1:] - events[0]) / size
        total += difference
        run.step(difference / np.sqrt(np.maximum(pooled * (1 - pooled), 1e-9) * 2 / size), total)
    return run


def logrank(follow_up: Array, event: Chosen, treated: Chosen) -> tuple[Array, Array]:
    """Return the log-rank score, positive where the treated live longer, and its variance; minus marks those not there."""
    order = np.argsort(follow_up, axis=1)
    there = np.take_along_axis(follow_up, order, 1) >= 0
    dead = np.take_along_axis(event, order, 1)
    arm = np.take_along_axis(treated, order, 1) & there
    at_risk = np.maximum(np.cumsum(there[:, ::-1], axis=1)[:, ::-1], 1)
    share = np.cumsum(arm[:, ::-1], axis=1)[:, ::-1] / at_risk
    return (dead * (share - arm)).sum(axis=1), (dead * share * (1 - share)).sum(axis=1)


def hazards(seed: int, ratios: tuple[float, ...], trials: int, batch: int = 2000) -> list[Run]:
    """Simulate ``hazards_best`` patient by patient: one a day, median 12 months on control, looks at 80 and 120 events."""
    rng = np.random.default_rng(seed)
    arms, most = len(ratios), 600
    control_hazard = np.log(2.0) / (12 * 30.4375)
    runs = []
    for _ in range(trials // batch):
        run = Run(Closed(arms, batch, dunnett, (0.5**0.5, 0.5**0.5)), LAN_DEMETS_OF, best((1,)), True)
        entry = np.arange(1.0, most + 1)
        arm = np.broadcast_to(np.arange(most) % (arms + 1), (batch, most)).copy()
        unit = rng.exponential(size=(batch, most))
        hazard = control_hazard * np.array([1.0, *ratios])
        before = np.zeros((2, arms, batch))
        going, cut = np.ones(batch, dtype=bool), np.zeros(batch)
        for look, count in enumerate((80, 120)):
            if look:
                # From the first look on the arms are control and the one that was kept, in turn.
                kept = run.there.argmax(axis=0) + 1
                going = run.there.any(axis=0)
                later = entry[None, :] > cut[:, None]
                turn = (np.cumsum(later, axis=1) - 1) % 2
                arm = np.where(later, np.where(turn == 0, 0, kept[:, None]), arm)
            lives = unit / hazard[arm]
            dates = entry + lives
            counted = dates if look == 0 else np.where((arm == 0) | (arm == kept[:, None]), dates, np.inf)
            cut = np.sort(counted, axis=1)[:, count - 1]
            z, effect = np.full((arms, batch), np.nan), np.full((arms, batch), -np.inf)
            for a in range(arms):
                pair = ((arm == 0) | (arm == a + 1)) & (entry <= cut[:, None])
                follow_up = np.where(pair, np.minimum(lives, cut[:, None] - entry), -1.0)
                score, variance = logrank(follow_up, pair & (dates <= cut[:, None]), arm == a + 1)
                z[a] = (score - before[0, a]) / np.sqrt(variance - before[1, a])
                effect[a] = score / variance
                before[:, a] = score, variance
            if look:
                run.there &= going
                z = np.where(run.there, z, 0.0)
            run.step(z, effect)
        runs.append(run)
    return runs


def fisher_bounds(alpha: float, futility_p: float) -> tuple[float, float]:
    """Return deviates of Bauer and Köhne's critical values: the last product at ``alpha`` in full."""
    low, high = 1e-12, alpha
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if middle * (1 - np.log(middle)) < alpha else (low, middle)
    last = low
    low, high = last, futility_p
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if middle + last * np.log(futility_p / middle) < alpha else (low, middle)
    first = low
    return float(-ndtri(first)), float(-ndtri(last))


def joined(runs: list[Run]) -> Run:
    """Return batches as one run."""
    whole = runs[0]
    whole.shown_at = np.concatenate([run.shown_at for run in runs], axis=1)
    whole.tested = [np.concatenate([run.tested[look] for run in runs], axis=1) for look in range(2)]
    return whole


def main() -> None:
    """Print every figure."""
    truths = {"effect": (0.1, 0.2, 0.3, 0.4), "no_effect": (0.0,) * 4, "one_works": (0.0, 0.0, 0.5, 0.0)}
    names = ["a", "b", "c", "d"]
    for truth, effects in truths.items():
        three = effects[:3]
        designs = {
            "means_best": (
                means(7, three, (30, 30), dunnett, OBRIEN_FLEMING, best((1,)), True),
                names[:3],
                (30, 30),
            ),
            "means_epsilon": (
                means(8, effects, (40, 40), bonferroni, POCOCK, within(0.1), False),
                names,
                (40, 40),
            ),
            "means_losers": (
                means(
                    9,
                    effects,
                    (25, 25, 25),
                    simes,
                    LAN_DEMETS_POCOCK_3,
                    best((2, 1)),
                    False,
                    (0.0, 0.0, -np.inf),
                ),
                names,
                (25, 25, 25),
            ),
            "means_promising": (
                means(
                    10,
                    three,
                    (40, 40),
                    dunnett,
                    fisher_bounds(0.025, 0.5),
                    promising(0.1),
                    False,
                    futility_p=0.5,
                ),
                names[:3],
                (40, 40),
            ),
        }
        for design, (run, arms, sizes) in designs.items():
            for what, value, error in run.figures(arms, np.array(sizes)):
                print(f"{design} {truth} {what} {value:.6g} {error:.2g}")
    for truth, chances in {
        "effect": (0.3, 0.3, 0.35, 0.45),
        "no_effect": (0.3,) * 4,
        "one_works": (0.3, 0.3, 0.3, 0.5),
    }.items():
        for what, value, error in rates(12, chances, 50).figures(names[:3], np.array([50, 50])):
            print(f"rates_best {truth} {what} {value:.6g} {error:.2g}")
    for truth, ratios in {
        "effect": (1.0, 0.8, 0.65),
        "no_effect": (1.0,) * 3,
        "one_works": (1.0, 1.0, 0.5),
    }.items():
        for what, value, error in joined(hazards(11, ratios, 100_000)).figures(names[:3]):
            print(f"hazards_best {truth} {what} {value:.6g} {error:.2g}")


if __name__ == "__main__":
    main()
