"""What is drawn of each patient: a line while they are followed, and marks where something became of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trialsim.report.story_courses import Course
from trialsim.report.story_lives import level_name
from trialsim.report.story_replay import Replay

Floats = NDArray[np.float64]
Points = list[tuple[int, float]]

DARK = "#222222"
_GAP_BETWEEN_ARMS = 0.015
_SEVERITIES = (("1", False), (">", False), (">", True))
_GRADES = (("1", False), ("4", False), (">", False), (">", True), ("<", True))
"""Marker and whether it is filled, of adverse events by severity and by grade."""


@dataclass(frozen=True)
class Mark:
    """A kind of mark, and where it stands.

    Parameters
    ----------
    label
        For the legend.
    shape
        Of matplotlib's markers.
    filled
        Whether it is dark inside, or white.
    points
        Ticks and heights.
    """

    label: str
    shape: str
    filled: bool
    points: Points = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Swimmers:
    """Where every patient's line and marks stand.

    Parameters
    ----------
    segments
        Begin and end in ticks and height of each patient's line, ``[patient, 3]``.
    arm
        Index of each patient's arm.
    marks
        Kinds of marks that occur.
    middles
        Height of the middle of each arm's block; NaN for an arm without patients.
    rows
        Height of the whole.
    """

    segments: Floats
    arm: NDArray[np.int64]
    marks: tuple[Mark, ...]
    middles: Floats
    rows: float


def swimmers(replay: Replay) -> Swimmers:
    """Return the lines and marks of a replicate, arm by arm and in order of randomisation within each.

    Parameters
    ----------
    replay
        The replicate.
    """
    heights, middles, rows = _heights(replay)
    marks = _kinds(replay)
    segments = np.empty((len(replay.courses), 3))
    for number, course in enumerate(replay.courses):
        height = heights[number]
        segments[number] = (course.entry, _last_followed(replay, course), height)
        for endpoint, tick in course.events.items():
            marks["event", endpoint, 0].points.append((tick, height))
        for endpoint, (tick, value) in course.readouts.items():
            responded = int(value) if replay.plan.world.outcomes[endpoint].kind == "binary" else 0
            marks["readout", endpoint, responded].points.append((tick, height))
        for tick, _, severity in course.adverse:
            marks["adverse", 0, severity].points.append((tick, height))
        if course.lost is not None:
            marks["lost", 0, 0].points.append((course.lost, height))
    arm = np.array([course.arm for course in replay.courses], dtype=np.int64)
    return Swimmers(segments, arm, tuple(mark for mark in marks.values() if mark.points), middles, rows)


def _heights(replay: Replay) -> tuple[Floats, Floats, float]:
    """Return the height of each patient's line, of the middle of each arm's block, and of the whole."""
    arm = np.array([course.arm for course in replay.courses], dtype=np.int64)
    heights, middles = np.zeros(len(arm)), np.full(len(replay.plan.arms), np.nan)
    gap = max(1.0, _GAP_BETWEEN_ARMS * len(arm))
    top = 0.0
    for index in range(len(middles)):
        members = np.flatnonzero(arm == index)
        if len(members):
            heights[members] = top + np.arange(len(members))
            middles[index] = top + (len(members) - 1) / 2
            top += len(members) + gap
    return heights, middles, max(top - gap, 1.0)


def _kinds(replay: Replay) -> dict[tuple[str, int, int], Mark]:
    """Return every kind of mark that the endpoints may give, in the order of the legend."""
    kinds: dict[tuple[str, int, int], Mark] = {}
    events, readouts = iter("os^P*" * 10), iter("Dvph8" * 10)
    for endpoint, law in enumerate(replay.plan.world.outcomes):
        if law.kind == "survival":
            kinds["event", endpoint, 0] = Mark(f"event of {law.name}", next(events), True)
        elif law.kind == "binary":
            shape = next(readouts)
            kinds["readout", endpoint, 1] = Mark(f"{law.name}: yes", shape, True)
            kinds["readout", endpoint, 0] = Mark(f"{law.name}: no", shape, False)
        else:
            kinds["readout", endpoint, 0] = Mark(f"readout of {law.name}", "|", True)
    life = replay.plan.world.life
    for level in range(1, 1 + (len(life.levels) if life is not None else 0)):
        assert life is not None
        shape, filled = (_SEVERITIES if len(life.levels) < len(_GRADES) else _GRADES)[level - 1]
        kinds["adverse", 0, level] = Mark(f"adverse event, {level_name(life, level)}", shape, filled)
    kinds["lost", 0, 0] = Mark("lost to follow-up", "x", False)
    return kinds


def _last_followed(replay: Replay, course: Course) -> int:
    """Return until when a patient was followed: all endpoints known, lost, or the end of the trial."""
    if course.lost is not None or course.died is not None:
        return min(tick for tick in (course.lost, course.died) if tick is not None)
    known = [*course.events.values(), *(tick for tick, _ in course.readouts.values())]
    return max(known) if len(known) == len(replay.plan.world.outcomes) else replay.end
