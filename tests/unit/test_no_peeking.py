"""What a policy or an analysis sees at a look does not depend on anything later than the cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trialsim.contracts import Decision, Stop
from trialsim.engines.fast import FastChunk
from trialsim.engines.points import Point
from trialsim.engines.runner import chunk_of
from trialsim.scenario.load import load_scenario
from trialsim.timegrid import NEVER

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
CELLS = [
    ("nph_oncology", "group_sequential", "proportional"),
    ("binary_sequential", "group_sequential", "alternative"),
    ("actg175", "sequential", "fitted"),
    ("actg175", "surrogate", "fitted"),
]


def scramble(chunk: FastChunk, point: Point, generator: np.random.Generator) -> int:
    """Change all that comes after the cut to other times after the cut, and values not read out yet; count the changes."""
    changed = 0
    for k, row in enumerate(point.rows):
        cut = int(point.tick[k])
        for index in range(len(chunk.plan.world.outcomes)):
            outcome = chunk.outcome(index)
            for times in (outcome.event_at, outcome.exit_at, outcome.readout_at):
                if not len(times):
                    continue
                mine = times[row if len(times) > 1 else 0]
                later = mine > cut
                changed += int(later.sum())
                if times is outcome.exit_at or len(times) > 1:
                    mine[later] = cut + generator.integers(1, 1 << 40, later.sum())
            if outcome.law.kind != "survival":
                unseen = outcome.readout_at[row if len(outcome.readout_at) > 1 else 0] > cut
                values = outcome.value([row])
                outcome.put([row], np.where(unseen, 1 - values, values))
                changed += int(unseen.sum())
        lost = chunk.dropout[row if len(chunk.dropout) > 1 else 0]
        entry = chunk.entry[row if len(chunk.entry) > 1 else 0]
        if len(chunk.dropout) > 1:
            lost[entry + lost > cut] = NEVER
    return changed


def seen(chunk: FastChunk, point: Point) -> list[np.ndarray]:
    """Return all numbers that policies are shown at a point."""
    found: list[np.ndarray] = []
    for number, test in enumerate(chunk.plan.tests):
        estimates = test.analysis.estimate(chunk.cut(point, number), test.lower_is_better, test.options)
        found += [estimates.z, estimates.effect, estimates.se, estimates.information, estimates.status]
    counts = chunk.counts(point.rows, point.tick)
    return [*found, counts.enrolled, counts.events, counts.readouts, *chunk.totals(point)]


@pytest.mark.parametrize(("scenario", "design", "truth"), CELLS)
def test_scrambling_the_future_changes_nothing_that_is_seen(scenario: str, design: str, truth: str) -> None:
    loaded = load_scenario(SCENARIOS / scenario / f"{scenario}.yaml")
    twins = [chunk_of(loaded, design, truth, range(8), 3, "fast") for _ in range(2)]
    points = [chunk.advance() for chunk in twins]
    generator = np.random.default_rng(5)
    first, second = points
    assert first is not None and second is not None and isinstance(twins[1], FastChunk)
    assert np.array_equal(first.tick, second.tick)
    changed = scramble(twins[1], second, generator)
    assert changed > 0, "nothing lay in the future, so the test could not fail"
    for one, other in zip(seen(twins[0], first), seen(twins[1], second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_comparison_notices_a_change_of_the_past() -> None:
    loaded = load_scenario(SCENARIOS / "nph_oncology" / "nph_oncology.yaml")
    twins = [chunk_of(loaded, "group_sequential", "proportional", range(4), 3, "fast") for _ in range(2)]
    first, second = (chunk.advance() for chunk in twins)
    assert first is not None and second is not None and isinstance(twins[1], FastChunk)
    outcome = twins[1].outcome(0)
    past = np.flatnonzero(outcome.event_at[0] <= second.tick[0])
    outcome.event_at[0, past[:1]] = NEVER
    assert any(
        not np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        for one, other in zip(seen(twins[0], first), seen(twins[1], second), strict=True)
    )


def test_canonical_weights_do_not_carry_the_last_bits() -> None:
    weights = np.array([[1.0, 2.0, 0.0]])
    off = Decision(stop=np.array([False]), reason=np.array([Stop.CONTINUE], dtype=np.int8), weights=weights)
    near = Decision(weights=weights * (1 + 1e-13))
    one, other = off.canonical().weights, near.canonical().weights
    assert one is not None and other is not None
    assert np.array_equal(one, other)
    assert one[0, 2] == 0.0
