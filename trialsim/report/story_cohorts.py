"""How the stages of a trial are told that are split by patients: who was in each, up to when, and what was left over."""

from __future__ import annotations

import numpy as np

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
    what = "z" if by.measure == "z" else f"the effect{', its sign turned,' if lower else ''}"
    arms = [
        f"{replay.plan.arms[test.treatment]} {plain(float(worth), 3)}"
        for test, worth in zip(by.tests, look.worth, strict=True)
        if np.isfinite(worth)
    ]
    return [f"Arms were compared by {what} on {endpoint}: {listed(arms)}."] if arms else []


def cohort_sentences(replay: Replay, look: Look) -> list[str]:
    """Return a sentence on each stage at the look that tests them."""
    if look.stage_ends is None or look.stage_z is None or look.stage_ends[0] < 0:
        return []
    endpoint = replay.plan.tests[0].endpoint
    report = replay.plan.world.outcomes[endpoint].readout_ticks
    sentences = []
    for stage, end in enumerate(look.stage_ends.tolist()):
        members = [course for course in replay.courses if replay.stage_of(course.entry) == stage]
        members = [course for course in members if course.entry <= look.cut]
        used = sum(course.had(endpoint, end - report) and course.entry <= end - report for course in members)
        late = sum(course.had(endpoint, look.cut - report) for course in members) - used
        found = [
            f"{test.name} {plain(float(z), 3)}"
            for test, z in zip(replay.plan.tests, look.stage_z[stage], strict=True)
            if np.isfinite(z)
        ]
        text = (
            f"Stage {stage + 1}, the {count(len(members), 'patient')} {_between(replay, look, stage)}, was followed to "
            f"{when(end)}: {counted_as(replay, endpoint, used)}"
        )
        text += f", z {listed(found)}" if found else ", no statistic"
        sentences.append(f"{text}{f'; {late:,} more that came later are not tested' if late else ''}.")
    return sentences


def _between(replay: Replay, look: Look, stage: int) -> str:
    """Return when the patients of a stage were randomised."""
    if stage == 0:
        return f"randomised by {when(replay.looks[0].cut)}"
    after = f"randomised after {when(replay.looks[stage - 1].cut)}"
    return after if stage == look.number - 1 else f"{after} and by {when(replay.looks[stage].cut)}"
