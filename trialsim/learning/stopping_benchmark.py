"""The benchmark of stopping: traditional boundaries against the bounds that stop soonest at the same errors and maximum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trialsim.contracts import Floats
from trialsim.designs.boundaries import group_sequential
from trialsim.learning.stopping_training import StoppingTask, train_stopping
from trialsim.learning.tuned_families import FAMILIES as TUNED
from trialsim.learning.tuned_families import tuned_family
from trialsim.oc.in_memory import collect
from trialsim.oc.stopping_rules import LearnedStopping, StoppingResult, StoppingRule
from trialsim.scenario.load import load_scenario
from trialsim.scenario.reading import parse_yaml, read_text
from trialsim.scenario.writing import tree_yaml
from trialsim.stats.group_sequential.characteristics import characteristics
from trialsim.stats.group_sequential.look_times import error_of_look_at_first_crossing
from trialsim.stats.group_sequential.optimal import optimal_bounds

ALPHA, POWER, FIXED_N = 0.025, 0.9, 400
LOOKS = 5
EFFECTS = (0.0, 0.5, 1.0)
_RATES = [(look + 1) / LOOKS for look in range(LOOKS)]


@dataclass(frozen=True)
class Effort:
    """How much is done: trials simulated of each rule at each effect; largest sizes, trainings, iterations and paths."""

    replicates: int
    maxima: tuple[float, ...]
    trainings: int
    iterations: int
    paths: int


FULL = Effort(40_000, (1.05, 1.1, 1.2), 4, 1500, 2000)
QUICK = Effort(2000, (1.1,), 2, 300, 1000)

_WORLD = Path(__file__).resolve().parent / "worlds" / "stopping.yaml"
_TRUTHS = ("none", "half", "full")
_FAMILIES: dict[str, tuple[str, float | None, bool]] = {
    "obrien_fleming_no_futility": ("lan_demets_obrien_fleming", None, False),
    "obrien_fleming": ("lan_demets_obrien_fleming", None, True),
    "pocock": ("lan_demets_pocock", None, True),
    "hwang_shih_decani_4": ("hwang_shih_decani", -4.0, True),
    "hwang_shih_decani_2": ("hwang_shih_decani", -2.0, True),
    "kim_demets_2": ("kim_demets", 2.0, True),
    "kim_demets_3": ("kim_demets", 3.0, True),
}


def benchmark_stopping(
    effort: Effort, folder: Path, seed: int, workers: int, say: Callable[[str], None]
) -> StoppingResult:
    """Compare stopping rules by their expected sizes, from theory and simulated.

    Every rule rejects with probability 0.025 without the effect and 0.9 with it; futility is binding.

    Parameters
    ----------
    effort
        How much is done.
    folder
        Where the scenario with all rules and the checkpoints are written.
    seed, workers
        Seed of the trials, and processes.
    say
        Told what is being done.
    """
    rules = _bounds()
    learned, digests, curves = _learned(effort, rules, folder, seed, say)
    say(f"{len(rules)} rules, {effort.replicates:,} simulated trials each at {len(EFFECTS)} effects")
    simulated = _simulated(
        {label: each[1:] for label, each in rules.items()}, effort.replicates, folder, seed, workers
    )
    return StoppingResult(_described(rules, simulated), learned, digests, curves)


def stopping_rules() -> list[StoppingRule]:
    """Return the rules that the benchmark compares, from theory alone: nothing is simulated."""
    rules = _bounds()
    return _described(rules, dict.fromkeys(rules, ()))


def _bounds() -> dict[str, tuple[str, float, Floats, Floats]]:
    """Return family, largest size over that of the fixed test, efficacy and futility bounds of each rule."""
    rates = _RATES
    rules: dict[str, tuple[str, float, Floats, Floats]] = {}
    for label, (name, parameter, futility) in _FAMILIES.items():
        found = group_sequential(
            rates, alpha=ALPHA, power=POWER, efficacy=name, efficacy_parameter=parameter,
            futility=name if futility else None, futility_parameter=parameter if futility else None,
            futility_binding=futility,
        )  # fmt: skip
        lower = np.asarray(found.futility_z, dtype=np.float64) if futility else np.full(LOOKS, -np.inf)
        rules[label] = ("traditional", found.inflation_factor, np.asarray(found.efficacy_z), lower)
    for inflation in (1.05, 1.1, 1.2):
        best = optimal_bounds(rates, ALPHA, POWER, inflation, EFFECTS)
        rules[f"optimum_{round(100 * inflation)}"] = ("optimum", inflation, best.efficacy_z, best.futility_z)
    return rules


def _described(
    rules: dict[str, tuple[str, float, Floats, Floats]],
    simulated: Mapping[str, tuple[tuple[float, float], ...]],
) -> list[StoppingRule]:
    """Return the rules with their expected sizes and with the best that their largest size allows."""
    return [
        StoppingRule(
            label, family, inflation, _expected(_RATES, inflation, upper, lower),
            optimal_bounds(_RATES, ALPHA, POWER, inflation, EFFECTS).objective, simulated[label],
            _plain(upper), _plain(lower),
        )
        for label, (family, inflation, upper, lower) in rules.items()
    ]  # fmt: skip


def _learned(
    effort: Effort,
    rules: dict[str, tuple[str, float, Floats, Floats]],
    folder: Path,
    seed: int,
    say: Callable[[str], None],
) -> tuple[list[LearnedStopping], dict[str, str], dict[str, list[dict[str, float]]]]:
    """Tune the families and train rules for each largest size, add both to the rules, and return what was learned."""
    rates = _RATES
    learned: list[LearnedStopping] = []
    digests: dict[str, str] = {}
    curves: dict[str, list[dict[str, float]]] = {}
    for maximum in effort.maxima:
        task = StoppingTask(tuple(rates), ALPHA, POWER, maximum)
        tuned = {name: tuned_family(name, task) for name in TUNED}
        for name, found in tuned.items():
            label = f"{name}_tuned_{round(100 * maximum)}"
            rules[label] = ("traditional", maximum, found.efficacy_z, found.futility_z)
        best_name = min(tuned, key=lambda name: tuned[name].mean)
        means = []
        for training in range(effort.trainings):
            label = f"learned_{round(100 * maximum)}_{training + 1}"
            say(f"{label}: {effort.iterations} times {effort.paths} paths at each effect")
            trained = train_stopping(
                task, seed + training, effort.iterations, effort.paths, folder / f"{label}.unfinished"
            )
            digests[label] = trained.write(folder / f"{label}.safetensors")
            curves[label] = trained.curve
            means.append(float(np.mean(task.expected(trained.efficacy_z, trained.futility_z))))
            if training == 0:
                first = ("learned", maximum, trained.efficacy_z, trained.futility_z)
                rules[f"learned_{round(100 * maximum)}"] = first
        optimum = optimal_bounds(rates, ALPHA, POWER, maximum, EFFECTS).objective
        learned.append(
            LearnedStopping(
                maximum,
                tuple(means),
                f"{best_name}_tuned_{round(100 * maximum)}",
                tuned[best_name].mean,
                optimum,
            )
        )
    return learned, digests, curves


def look_time_errors() -> dict[str, float]:
    """Return the error where the interim is placed at the first crossing, by spending function."""
    return {
        name.removeprefix("lan_demets_"): error_of_look_at_first_crossing(name, ALPHA)
        for name in ("lan_demets_obrien_fleming", "lan_demets_pocock")
    }


def _expected(
    rates: Sequence[float], inflation: float, upper: Floats, lower: Floats
) -> tuple[float, float, float]:
    """Return the expected sizes by recursive integration."""
    obeyed = lower.copy()
    obeyed[-1] = upper[-1]
    root = math.sqrt(inflation)
    fixed = group_sequential([1.0], alpha=ALPHA, power=POWER)
    drift = math.sqrt(fixed.expected_information_h1) * root
    none, half, full = (
        inflation * characteristics(np.asarray(rates), obeyed, upper, effect * drift, False).expected_rate
        for effect in EFFECTS
    )
    return none, half, full


def _plain(bounds: Floats) -> tuple[float | None, ...]:
    """Return bounds with None for infinite ones."""
    return tuple(float(each) if math.isfinite(each) else None for each in bounds)


def _simulated(
    rules: dict[str, tuple[float, Floats, Floats]], replicates: int, folder: Path, seed: int, workers: int
) -> dict[str, tuple[tuple[float, float], ...]]:
    """Return the expected sizes of simulated trials, from a scenario that is written for all rules."""
    tree: dict[str, Any] = parse_yaml(read_text(_WORLD), str(_WORLD))
    designs = {}
    for label, (inflation, upper, lower) in rules.items():
        n = 2 * round(FIXED_N * inflation / 2)
        designs[label] = {
            "kind": "group_sequential",
            "n": n,
            "allocation": "alternating",
            "looks": [{"when": {"readouts": 2 * round(n * (k + 1) / LOOKS / 2)}} for k in range(LOOKS)],
            "tests": {"better": {"alpha": ALPHA}},
            "bounds": {"efficacy_z": list(_plain(upper)), "futility_z": [*_plain(lower)[:-1], None]},
            "futility_binding": True,
        }
    tree["designs"] = designs
    path = folder / "stopping.yaml"
    path.write_text(tree_yaml(tree), encoding="utf-8")
    scenario = load_scenario(path)
    trials = collect(
        scenario, list(rules), list(_TRUTHS), replicates, seed, "fast", workers
    ).trials.to_pandas()
    found = {}
    for label in rules:
        part = trials[trials["design"] == label]
        sizes = [
            part.loc[part["truth"] == truth, "analysed"].to_numpy(dtype=float) / FIXED_N for truth in _TRUTHS
        ]
        found[label] = tuple((float(x.mean()), float(x.std() / math.sqrt(len(x)))) for x in sizes)
    return found
