"""What the bounds in force at a look go by, where they are not those of the plan."""

from __future__ import annotations

from trialsim.engines.strategies import TREATMENT_POLICY
from trialsim.report.story_replay import Look, Replay
from trialsim.report.story_words import counted, listed

_SAME = 1e-6


def bounds_followed(replay: Replay, look: Look) -> list[str]:
    """Return by what counts bounds were found at a look: those of all arms, before any strategy; nothing where as planned.

    Parameters
    ----------
    replay, look
        The replicate and its look.
    """
    moved = [
        test
        for place, test in enumerate(replay.plan.tests)
        if test.follower is not None
        and not replay.decided_before(look, place)
        and _moved(replay, look, place)
    ]
    if not moved:
        return []
    primary, follower = replay.plan.primary, moved[0].follower
    assert follower is not None
    seen = [
        f"{int(replay.known(primary, each.cut).sum()):,}"
        for each in replay.looks
        if each.number <= look.number
    ]
    text = f"Spending goes by the {counted(replay, primary).format('s')} known in all arms"
    if any(test.strategy != TREATMENT_POLICY for test in moved):
        text += ", whatever a strategy makes of them"
    text += f": {listed(seen)} of {follower.maximum:,} at the looks so far"
    return [f"{text}, so that the bounds of look {look.number} are not those planned."]


def _moved(replay: Replay, look: Look, place: int) -> bool:
    """Return whether the bounds of a test at a look are others than planned."""
    at = look.number - 1
    pairs = (
        (float(look.efficacy_z[place]), float(replay.plan.efficacy_z[at, place])),
        (float(look.futility_z[place]), float(replay.plan.futility_z[at, place])),
    )
    return any(now != planned and not abs(now - planned) <= _SAME for now, planned in pairs)
