"""Allocation rules while outcomes drift: how often they err and find an effect, by a naive test and by block."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialsim.oc.drift_points import DriftPoint
from trialsim.oc.in_memory import collect
from trialsim.scenario.load import load_scenario
from trialsim.scenario.reading import parse_yaml, read_text
from trialsim.scenario.writing import tree_yaml
from trialsim.timegrid import DAYS_PER_YEAR

DRIFTS = (0.0, 0.1, 0.2, 0.3, 0.4)
"""By how much the rate of both arms rises from the first patient to the last."""

EFFECTS = (0.0, 0.2)
TESTS = ("naive", "by_block")
BOUND = 1.959964

_WORLD = Path(__file__).resolve().parent / "worlds" / "drift.yaml"
_RATE = 0.3


def drift_points(
    policies: Mapping[str, tuple[str, dict[str, Any]]],
    n: int,
    block: int,
    folder: Path,
    replicates: int,
    seed: int,
    workers: int,
) -> list[DriftPoint]:
    """Return how often each rule rejects at each drift, without an effect and with one, by both tests.

    Parameters
    ----------
    policies
        Name and parameters of each rule's randomisation policy, by label.
    n, block
        Patients, and how many of them come between two changes of allocation.
    folder
        Where checkpoints lie, and where the scenario is written.
    replicates
        Trials of each rule at each point.
    seed, workers
        Seed of the trials, the same for all rules, and processes.
    """
    tree: dict[str, Any] = parse_yaml(read_text(_WORLD), str(_WORLD))
    base = dict(tree["designs"]["adaptive"])
    looks = n // block
    base |= {
        "n": n,
        "looks": [{"when": {"readouts": block * (k + 1)}} for k in range(looks)],
        "bounds": {"efficacy_z": [None] * (looks - 1) + [BOUND]},
    }
    tree["designs"] = {
        label: base | {"policies": {"randomisation": {name: dict(parameters)}}}
        for label, (name, parameters) in policies.items()
    }
    points = {
        f"effect_{place}_drift_{number}": (effect, drift)
        for place, effect in enumerate(EFFECTS)
        for number, drift in enumerate(DRIFTS)
    }
    # Patients come one a day.
    tree["truths"] = {
        name: {
            "endpoints.response.drift.per_year": drift * DAYS_PER_YEAR / n,
            "endpoints.response.effect.treatment": _RATE + effect,
        }
        for name, (effect, drift) in points.items()
    }
    path = folder / "drift.yaml"
    path.write_text(tree_yaml(tree), encoding="utf-8")
    found = collect(
        load_scenario(path), list(policies), list(points), replicates, seed, "fast", workers
    ).trials
    columns = ["design", "truth", *(f"reject_look:{test}" for test in TESTS)]
    shares = {
        key: (part[columns[2:]] > 0).mean()
        for key, part in found.select(columns).to_pandas().groupby(["design", "truth"], observed=True)
    }
    return [
        DriftPoint(label, drift, effect, test, float(share), math.sqrt(share * (1.0 - share) / replicates))
        for label in policies
        for name, (effect, drift) in points.items()
        for test in TESTS
        for share in [shares[label, name][f"reject_look:{test}"]]
    ]
