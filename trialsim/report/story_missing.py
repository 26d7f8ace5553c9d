"""Why an outcome of a trial's patient is missing, as the event log tells it, and of how many it is."""

from __future__ import annotations

from collections import Counter

from trialsim.engines.strategies import COMPOSITE
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
    """Return why an outcome is missing at a time; empty where it is known, can become known or is a failure.

    A failure it is where the first test of the endpoint is under a composite strategy and takes the patient for one.

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
    return "" if _has_failed(replay, course, endpoint, tick) else _why_unknown(replay, course, endpoint, tick)


def _why_unknown(replay: Replay, course: Course, endpoint: int, tick: int) -> str:
    """Return why an outcome is not known at a time and cannot become known, whatever a strategy makes of it."""
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


def _has_failed(replay: Replay, course: Course, endpoint: int, tick: int) -> bool:
    """Return whether the composite strategy of an endpoint's first test takes a patient for a failure by a time."""
    test = next((test for test in replay.plan.tests if test.endpoint == endpoint), None)
    if test is None or test.strategy != COMPOSITE:
        return False
    law = replay.plan.world.outcomes[endpoint]
    until = tick if law.kind == "survival" else min(tick, course.entry + law.readout_ticks - 1)
    # Of death itself, what is told counts.
    died = None if endpoint == _death(replay) else course.died
    return any(at is not None and at <= until for at in (course.quit, died))


def _death(replay: Replay) -> int:
    """Return the number of the endpoint that is death; -1 where patients do not die."""
    life = replay.plan.world.life
    survival = None if life is None else life.numbers.survival
    return -1 if survival is None or survival.terminal < 0 else int(survival.endpoints[survival.terminal])


def never_read_out(replay: Replay, patient: int) -> list[str]:
    """Return of which outcomes of a patient, numbered from 0, there is no read-out and cannot be, and why."""
    course, found = replay.courses[patient], []
    for endpoint, law in enumerate(replay.plan.world.outcomes):
        why = _why_unknown(replay, course, endpoint, replay.end) if law.kind != "survival" else ""
        if why:
            found.append(f"There is no read-out of {law.name}: {_OF_A_PATIENT[why]}.")
    return found


def missing_at_the_cut(replay: Replay) -> list[str]:
    """Return how many outcomes of the primary endpoint are missing at the deciding cut, and why; nothing where none is."""
    primary = replay.plan.primary
    law = replay.plan.world.outcomes[primary]
    unknown = [course for course in replay.courses if _why_unknown(replay, course, primary, replay.cut)]
    reasons = Counter(why_missing(replay, course, primary, replay.cut) for course in unknown)
    parts = [f"{reasons[why]:,} {words}" for why, words in _OF_MANY.items() if reasons[why]]
    if not unknown:
        return []
    come = sum(course.entry <= replay.cut for course in replay.courses)
    number = sum(reasons[why] for why in _OF_MANY)
    if law.kind == "survival":
        told, failure = f"had left without an event of {law.name}", "events"
    else:
        told, failure = f"had no read-out of {law.name} and never will", "failures"
    text = f"Of the {count(come, 'patient')} randomised by {when(replay.cut)}, {number:,} {told}"
    if reasons[""]:
        text += f", not counting {reasons['']:,} whom the composite strategy takes as {failure}"
    return [f"{text}: {listed(parts)}." if parts else f"{text}."]
