"""What ``trialsim train`` is asked for of a stopping rule: looks and error are those of a design of a scenario."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from trialsim.errors import UsageError
from trialsim.learning.stopping_training import StoppingTask, TrainedStopping, train_stopping
from trialsim.scenario.load import load_scenario

if TYPE_CHECKING:
    from trialsim.learning.request import TrainingRequest
    from trialsim.scenario.design import Design

_COUNTED = ("events", "readouts")


def train_stopping_rule(
    request: TrainingRequest, unfinished: Path, say: Callable[[str], None] = lambda text: None
) -> TrainedStopping:
    """Return the stopping rule that a request asks for; see :func:`train_stopping`.

    Parameters
    ----------
    request
        What to train; looks, their information and alpha are those of the design.
    unfinished
        Where training is kept every few iterations; what lies there of the same request is gone on with.
    say
        Told how it goes.

    Raises
    ------
    ScenarioError, UsageError
        If the scenario cannot be used.
    """
    scenario, options = load_scenario(request.scenario), request.options
    (design,) = scenario.select_designs([request.design or next(iter(scenario.designs))])
    if request.truth is not None:
        raise UsageError(
            "truth: a stopping rule is learned at no effect, half of it and the whole; leave truth out"
        )
    chosen, at = scenario.designs[design], f"{scenario.name}, {design}"
    if len(chosen.tests) != 1:
        raise UsageError(f"{at}: bounds are learned for one test, and the design has {len(chosen.tests)}")
    (test,) = chosen.tests.values()
    task = StoppingTask(_information(chosen, at), test.alpha, options["power"], options["largest"])
    about = {"scenario": scenario.name, "scenario_digest": scenario.digest(), "design": design}
    return train_stopping(
        task, request.seed, options["iterations"], options["paths"], unfinished, options["hidden"],
        options["learning_rate"], say, about,
    )  # fmt: skip


def _information(design: Design, at: str) -> tuple[float, ...]:
    """Return information at each look over that at the last: events over events, or read-outs over read-outs."""
    kinds = {look.when.kind for look in design.looks}
    if len(design.looks) < 2 or len(kinds) != 1 or not kinds <= set(_COUNTED):
        raise UsageError(
            f"{at}: bounds are learned for two looks or more, after stated numbers of events or of read-outs; give the "
            "design such looks, as looks: [{when: {readouts: 100}}, {when: {readouts: 200}}]"
        )
    counts = [look.when.count or 0 for look in design.looks]
    if any(later <= earlier for earlier, later in itertools.pairwise(counts)):
        raise UsageError(f"{at}: the numbers at the looks must rise from look to look")
    return tuple(count / counts[-1] for count in counts)
