"""How a look of a closed combination test is told: what holds familywise, what an arm shows alone, and who goes on."""

from __future__ import annotations

import math

from trialsim.contracts import Status
from trialsim.report.numbers import plain
from trialsim.report.story_replay import Look, Replay


def closed_finding(replay: Replay, look: Look, place: int) -> str:
    """Return where one test of a closed combination test stood at a look, and what became of it.

    Parameters
    ----------
    replay
        The trial.
    look
        One of its looks.
    place
        Index of the test.
    """
    test = replay.plan.tests[place]
    earlier = replay.decided_before(look, place)
    if earlier:
        return f"{test.name} {earlier} before"
    interim, split = look.number < len(replay.plan.looks), replay.plan.stage_ends
    before_the_end = interim and split is not None and not split.tested_at_looks
    if look.status[place] != Status.OK and interim:
        text = f"{test.name} has no statistic yet{'' if before_the_end else ', which counts as p = 1'}"
        return f"{text}, {_not_selected(replay)}" if look.says("futile", place) else text
    if look.status[place] != Status.OK:
        return f"{test.name} could not be analysed, {look.why_not(test, place)}"
    assert look.own_z is not None
    z, own = float(look.z[place]), float(look.own_z[place])
    text = f"{test.name} closed z = {plain(z, 3)}, alone {plain(own, 3)}"
    if before_the_end:
        text = f"{test.name} z = {plain(z, 3)} from all data so far, which is no test"
    efficacy, futility = float(look.efficacy_z[place]), float(look.futility_z[place])
    if math.isfinite(efficacy):
        text += f", {'at or above' if z >= efficacy else 'below'} the efficacy bound {plain(efficacy, 3)}"
    if look.says("reject", place):
        return f"{text}: rejected"
    if look.says("futile", place):
        return f"{text}: {_why_given_up(replay, look, place, own, futility)}"
    return text


def _why_given_up(replay: Replay, look: Look, place: int, own: float, futility: float) -> str:
    """Return why an arm was given up."""
    if own <= futility:
        return f"alone at or below the futility bound {plain(futility, 3)}, given up"
    if look.lost is not None and look.lost[place]:
        return "given up, as an intersection that holds it is retained for good"
    return _not_selected(replay)


def _not_selected(replay: Replay) -> str:
    """Return that an arm was given up by the rule that chooses."""
    by = "" if replay.plan.chosen_by is None else f" by {replay.plan.chosen_by.tests[0].name}"
    return f"not selected ({getattr(replay.plan.stopping, 'rule', replay.plan.stopping.name)}{by})"
