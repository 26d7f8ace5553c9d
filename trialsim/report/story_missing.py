"""Why an outcome of a trial's patient is missing, as the event log tells it, and of how many it is."""

from __future__ import annotations

from collections import Counter

from trialsim.report.story_courses import Course
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import count, listed, when

_OF_A_PATIENT = {
    "lost": "the patient was lost to follow-up before",
    "withdrawn": "the patient withdrew consent before",
    "died": "the patient died before",
    "visits_missed": "no visit was held at which it could be read out",
}
_OF_MANY = {
    "lost": "lost to follow-up",
    "withdrawn": "withdrew consent",
    "died": "died",
    "visits_missed": "missed the visits",
}


def why_missing(replay: Replay, course: Course, endpoint: int, tick: int) -> str:
    """Return why an outcome is not known at a time and cannot become known; empty where it is, or can.

    Parameters
    ----------
    replay
        The replicate.
    course
        What its log says of the patient.
    endpoint
        Number of the endpoint.
    tick
        The time.

    Returns
    -------
    str
        ``lost``, ``withdrawn``, ``died`` or ``visits_missed``. Of a survival endpoint: why follow-up ended without an
        event, but for an end at the last visit.
    """
    survival = replay.plan.world.outcomes[endpoint].kind == "survival"
    if course.entry > tick:
        return ""
    if survival:
        # An event that was seen becomes known, or is refused.
        if course.events.get(endpoint, tick + 1) <= tick < course.refused.get(endpoint, tick + 1):
            return ""
        if endpoint in course.told_late and course.had(endpoint, tick):
            return ""
    elif endpoint in course.readouts and course.readouts[endpoint][0] <= tick:
        return ""
    if endpoint in course.closed and course.closed[endpoint] <= tick:
        return "" if survival else "visits_missed"
    if course.lost is not None and course.lost <= tick:
        return "withdrawn" if course.withdrew else "lost"
    return "died" if course.died is not None and course.died <= tick else ""


def never_read_out(replay: Replay, patient: int) -> list[str]:
    """Return of which outcomes of a patient, numbered from 0, there is no read-out and cannot be, and why."""
    course, found = replay.courses[patient], []
    for endpoint, law in enumerate(replay.plan.world.outcomes):
        why = why_missing(replay, course, endpoint, replay.end) if law.kind != "survival" else ""
        if why:
            found.append(f"There is no read-out of {law.name}: {_OF_A_PATIENT[why]}.")
    return found


def missing_at_the_cut(replay: Replay) -> list[str]:
    """Return how many outcomes of the primary endpoint are missing at the deciding cut, and why; nothing where none is."""
    primary = replay.plan.primary
    law = replay.plan.world.outcomes[primary]
    reasons = Counter(why_missing(replay, course, primary, replay.cut) for course in replay.courses)
    parts = [f"{reasons[why]:,} {words}" for why, words in _OF_MANY.items() if reasons[why]]
    if not parts:
        return []
    come = sum(course.entry <= replay.cut for course in replay.courses)
    number = sum(reasons[why] for why in _OF_MANY)
    if law.kind == "survival":
        told = f"had left without an event of {law.name}"
    else:
        told = f"had no read-out of {law.name} and never will"
    text = f"Of the {count(come, 'patient')} randomised by {when(replay.cut)}, {number:,} {told}"
    return [f"{text}: {listed(parts)}."]
