"""The labels of looks above a picture: what each says, and where it stands so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trialsim.contracts import Kind, Status
from trialsim.report.numbers import plain
from trialsim.report.story_replay import Look, Replay

_WIDTH_OF_A_CHARACTER = 0.58
_POINTS_PER_INCH = 72.0


def full_label(replay: Replay, look: Look) -> list[str]:
    """Return the lines of a look's label: its number, each z with its bound, arms closed."""
    heading = f"look {look.number}"
    if replay.stop_look == look.number:
        heading += f": {replay.reason.name.lower()}"
    lines = [heading]
    several = len(replay.plan.tests) > 1
    for place, test in enumerate(replay.plan.tests):
        name = f"{test.name} z" if several else "z"
        if look.own_z is not None and replay.decided_before(look, place):
            continue
        if look.status[place] != Status.OK:
            lines.append(f"{name} –")
            continue
        z = float(look.z[place])
        efficacy = float(look.efficacy_z[place])
        futility = float(look.futility_z[place])
        text = f"{name} {plain(z, 2)}"
        if replay.decided_before(look, place):
            text += f" ({replay.decided_before(look, place)} before)"
        elif look.own_z is None and look.says("futile", place) and z <= futility:
            text += f" ≤ {plain(futility, 2)}"
        elif math.isfinite(efficacy):
            text += f" {'≥' if z >= efficacy else '<'} {plain(efficacy, 2)}"
        lines.append(text)
    closed = [
        replay.plan.arms[row.id]
        for row in replay.log
        if row.kind == Kind.ARM_CLOSED and row.tick == look.decided and not look.stops
    ]
    return lines + [f"{arm} closed" for arm in closed]


def short_label(look: Look) -> str:
    """Return a look's label in one line: its number and each z."""
    values = [
        plain(float(z), 2) if status == Status.OK else "–"
        for z, status in zip(look.z, look.status, strict=True)
    ]
    return f"{look.number}: z {', '.join(values)}"


def width_inches(lines: Sequence[str], points: float) -> float:
    """Return how wide a text is at most, with a margin."""
    return (max(map(len, lines), default=0) + 1.5) * points * _WIDTH_OF_A_CHARACTER / _POINTS_PER_INCH


def spread(wanted: Sequence[float], widths: Sequence[float], room: float) -> list[float] | None:
    """Return centres as near as may be to those wanted, so that no two labels overlap.

    Parameters
    ----------
    wanted
        Where each label would stand by itself, ascending.
    widths
        Of the labels.
    room
        Labels stand between 0 and here.

    Returns
    -------
    list of float or None
        The centres, or None where the labels do not fit at all.
    """
    if sum(widths) > room:
        return None
    centres: list[float] = []
    left = 0.0
    for centre, width in zip(wanted, widths, strict=True):
        centres.append(max(centre, left + width / 2))
        left = centres[-1] + width / 2
    right = room
    for place in range(len(centres) - 1, -1, -1):
        centres[place] = min(centres[place], right - widths[place] / 2)
        right = centres[place] - widths[place] / 2
    return centres
