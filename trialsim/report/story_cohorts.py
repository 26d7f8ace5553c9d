"""How the stages of a trial are told that are split by patients: who was in each, up to when, and what was left over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trialsim.report.numbers import plain
from trialsim.report.story_replay import Look, Replay
from trialsim.report.story_words import count, counted_as, when
from trialsim.scenario.wording import listed


def chosen_by(replay: Replay, look: Look) -> list[str]:
    """Return by what arms were chosen at an interim look, where that is another endpoint than the tests'."""
    by = replay.plan.chosen_by
    if by is None or look.worth is None or look.number == len(replay.plan.looks):
        return []
    endpoint, lower = by.tests[0].name, by.tests[0].lower_is_better
    if replay.plan.resizing is not None:
        z = float(look.worth[0])
        told = f"had z {plain(z, 3)}" if np.isfinite(z) else "could not be compared yet"
        return [f"{endpoint}, by which the number of events is set, {told}."]
    what = "z" if by.measure == "z" else f"the effect{', its sign turned,' if lower else ''}"
    arms = [
        f"{replay.plan.arms[test.treatment]} {plain(float(worth), 3)}"
        for test, worth in zip(by.tests, look.worth, strict=True)
        if np.isfinite(worth)
    ]
    return [f"Arms were compared by {what} on {endpoint}: {listed(arms)}."] if arms else []


def cohort_sentences(replay: Replay, look: Look) -> list[str]:
    """Return a sentence on each stage at the look that tests them; before the last, on the one tested at its own look."""
    if look.stage_ends is None or look.stage_z is None:
        return []
    if look.stage_ends[0] < 0:
        return _tested_now(replay, look)
    sentences = []
    for stage, end in enumerate(look.stage_ends.tolist()):
        members, used, late = _members(replay, look, stage, end)
        text = (
            f"Stage {stage + 1}, the {count(members, 'patient')} {_between(replay, look, stage)}, was followed to "
            f"{when(end)}: {counted_as(replay, replay.plan.tests[0].endpoint, used)}"
        )
        text += f"{_statistics(replay, look.stage_z[stage])}{_parts(replay, look, stage)}"
        sentences.append(f"{text}{f'; {late:,} more that came later are not tested' if late else ''}.")
    return sentences


def _tested_now(replay: Replay, look: Look) -> list[str]:
    """Return what the patients of a stage show at its own look, where that look tests them."""
    ends = replay.plan.stage_ends
    if ends is None or not ends.tested_at_looks or look.stage_interim_z is None:
        return []
    stage = look.number - 1
    members, known, _ = _members(replay, look, stage, look.cut)
    if ends.events is not None and known > ends.events[stage]:
        known = ends.events[stage]
    told = counted_as(replay, replay.plan.tests[0].endpoint, known)
    return [
        f"Stage {look.number}, the {count(members, 'patient')} {_between(replay, look, stage)}, is tested with {told}"
        f"{_statistics(replay, look.stage_interim_z[stage])}."
    ]


def _members(replay: Replay, look: Look, stage: int, end: int) -> tuple[int, int, int]:
    """Return how many patients a stage has at a look, their events by an end, and those after it that the look knows."""
    endpoint = replay.plan.tests[0].endpoint
    report = replay.plan.world.outcomes[endpoint].readout_ticks
    members = [course for course in replay.courses if replay.stage_of(course.entry) == stage]
    members = [course for course in members if course.entry <= look.cut]
    used = sum(course.had(endpoint, end - report) and course.entry <= end - report for course in members)
    late = sum(course.had(endpoint, look.cut - report) for course in members) - used
    return len(members), used, late


def _statistics(replay: Replay, z: NDArray[np.float64]) -> str:
    """Return the statistics of a stage's patients as the end of a sentence."""
    found = _named(replay, z)
    return f", z {listed(found)}" if found else ", no statistic"


def _named(replay: Replay, z: NDArray[np.float64]) -> list[str]:
    """Return those statistics of tests that there are, each with the test's name."""
    return [
        f"{test.name} {plain(float(value), 3)}"
        for test, value in zip(replay.plan.tests, z, strict=True)
        if np.isfinite(value)
    ]


def _parts(replay: Replay, look: Look, stage: int) -> str:
    """Return the parts of a stage that was tested at its own look already."""
    ends = replay.plan.stage_ends
    last = len(replay.plan.looks) - 1
    if ends is None or not ends.tested_at_looks or stage == last:
        return ""
    assert look.stage_interim_z is not None
    assert look.stage_since_z is not None
    before, since = (_named(replay, z[stage]) for z in (look.stage_interim_z, look.stage_since_z))
    return (
        f", of which look {stage + 1} tested {f'z {listed(before)}' if before else 'nothing'}, and this one what came "
        f"since, {f'z {listed(since)}' if since else 'nothing'}"
    )


def _between(replay: Replay, look: Look, stage: int) -> str:
    """Return when the patients of a stage were randomised."""
    if stage == 0:
        return f"randomised by {when(replay.looks[0].cut)}"
    after = f"randomised after {when(replay.looks[stage - 1].cut)}"
    return after if stage == look.number - 1 else f"{after} and by {when(replay.looks[stage].cut)}"
