"""The benchmark of recruitment: every ranking, learned and traditional, in a linear world and in one that is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialsim.learning.evaluation import Ranking, compare_rankings
from trialsim.learning.request import OPTIONS, TrainingRequest
from trialsim.learning.training import Trained, train
from trialsim.oc.rankings import Compared
from trialsim.scenario.load import load_scenario

ATTAINABLE = ("as_they_come", "random", "rules", "logistic", "gradient_boosting", "mlp")
"""Rankings that read nothing but records."""

WORLDS = ("linear", "interactions")
_HERE = Path(__file__).resolve().parent / "worlds"
_DESIGN, _TRUTH = "as_they_come", "expected"
_AREAS = (0.6, 0.7, 0.8, 0.9, 0.95)
_PREVALENCE = 0.3
# Half a standard deviation around what is usual in trials of this kind: declared before anything was trained.
_RULES: Ranking = {"prescreen_rules": {"require": {"age": {"most": 66}, "stage_score": {"least": -0.5}}}}


@dataclass(frozen=True)
class Effort:
    """How much is done: trials to learn from, trials to compare, and most epochs and trees."""

    training: int
    replicates: int
    epochs: int
    trees: int


FULL = Effort(100, 1000, 40, 200)
QUICK = Effort(20, 100, 8, 40)


@dataclass(frozen=True)
class WorldResult:
    """What was found in one world.

    Parameters
    ----------
    name
        Of the world.
    compared
        Every ranking, the first being the reference.
    trained
        The models by kind.
    digests
        Of their checkpoints.
    """

    name: str
    compared: list[Compared]
    trained: Mapping[str, Trained]
    digests: Mapping[str, str]


def benchmark_recruitment(
    effort: Effort, folder: Path, seed: int, workers: int, say: Callable[[str], None]
) -> Iterator[WorldResult]:
    """Yield the results of each world as they are there.

    Parameters
    ----------
    effort
        How much is done.
    folder
        Where checkpoints are written.
    seed, workers
        Seed of training and of the trials, and processes.
    say
        Told what is being done.
    """
    for world in WORLDS:
        path = _HERE / f"{world}.yaml"
        trained, rankings, digests = {}, _traditional(world), {}
        for kind, limits in OPTIONS.items():
            say(f"{world}: training {kind} on {effort.training} trials")
            options: dict[str, Any] = {key: default for key, (default, *_) in limits.items()}
            options |= {"hidden": (32, 16), "epochs": effort.epochs} if kind == "mlp" else {}
            options |= {"trees": effort.trees} if kind == "gradient_boosting" else {}
            request = TrainingRequest(
                kind, path, _DESIGN, _TRUTH, "randomised", effort.training, seed, options, "cpu"
            )
            trained[kind] = train(request)
            name = f"{world}_{kind}.safetensors"
            digests[kind] = trained[kind].write(folder / name)
            rankings[kind] = {kind: {"checkpoint": name, "digest": digests[kind]}}
        say(f"{world}: {len(rankings)} rankings, {effort.replicates} trials each")
        compared = compare_rankings(
            load_scenario(path), _DESIGN, _TRUTH, rankings, folder, effort.replicates, seed, workers
        )
        yield WorldResult(world, compared, trained, digests)


def _traditional(world: str) -> dict[str, Ranking]:
    """Return the rankings that learn nothing, and the controls."""
    found: dict[str, Ranking] = {
        "as_they_come": {"first_come_first_served": {}},
        "random": {"random": {}},
        "rules": _RULES,
        "oracle": {"oracle": {"reads": "eligible"}},
        "adversarial": {"adversarial": {"reads": "eligible"}},
    }
    if world == "linear":
        # Only here is eligibility a cut of one trait, from which a score of a chosen area can be made.
        found |= {
            f"emulated_{round(100 * area)}": {
                "emulated": {
                    "auc": area,
                    "prevalence": _PREVALENCE,
                    "trait": "eligibility",
                    "rank_by": "score",
                }
            }
            for area in _AREAS
        }
    return found
