"""The picture of a trial: patients as swimmers, looks as vertical lines with their z, enrolment against plan.

Made without any global state; its bytes depend on the trial alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.engines.enrolment_plan import planned_enrolment as planned_at_sites
from trialsim.report.figures import LINES, PALETTE
from trialsim.report.numbers import DAYS_PER_MONTH
from trialsim.report.picture import svg
from trialsim.report.story_candidates import site_of
from trialsim.report.story_labels import full_label, short_label, spread, width_inches
from trialsim.report.story_marks import DARK, Mark, Swimmers, swimmers
from trialsim.report.story_replay import Replay
from trialsim.timegrid import TICKS_PER_DAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "trialsim",
    "svg.fonttype": "path",
    "text.parse_math": False,
}
_WIDTH, _LEFT, _RIGHT = 7.6, 1.35, 0.25  # inches of a panel and its margins
_TITLE, _HEADING, _ENROLMENT, _BETWEEN, _BOTTOM = 0.45, 0.25, 1.7, 0.35, 0.95
_LEGEND_ROW = 0.19  # beyond the two rows for which _BOTTOM has room
_LEAST_SWIM, _MOST_SWIM, _SWIM_PER_PATIENT = 2.2, 7.2, 0.11
_LABEL_POINTS, _SHORT_POINTS, _LINE = 8.0, 7.0, 1.3
_SHORT_DAYS = 120.0
_CURVE_POINTS = 400
_LOOK_COLOUR, _PLAN_COLOUR, _PLAN_WIDTH = "#555555", "#C4C4C4", 4.5
_GROUP_COLOUR = "#4D4D4D"
_GROUP_LINES: tuple[Any, ...] = (LINES[3], LINES[2], LINES[0])
_POINTS_PER_INCH = 72.0


@dataclass(frozen=True)
class Scale:
    """The axis of time that all panels share: ticks in one unit, the unit's name, and where it ends."""

    ticks: float
    unit: str
    last: float

    def of(self, tick: float) -> float:
        """Return a time on the axis."""
        return tick / self.ticks


def draw(first: Replay, second: Replay | None, kind: str) -> bytes:
    """Return the picture of a trial, beside it the same patients under another design if there is one.

    Parameters
    ----------
    first, second
        The trials.
    kind
        ``png`` or ``svg``.
    """
    import matplotlib
    from matplotlib.figure import Figure

    replays = [first] if second is None else [first, second]
    scale = _scale(replays)
    swims = [swimmers(replay) for replay in replays]
    n = max(1, *(len(replay.courses) for replay in replays))
    swim = min(_MOST_SWIM, max(_LEAST_SWIM, _SWIM_PER_PATIENT * n))
    strip = max(_strip_height(replay, scale) for replay in replays)
    title = _TITLE if second is None else _TITLE + _HEADING
    with matplotlib.rc_context(_STYLE):
        width = len(replays) * (_LEFT + _WIDTH + _RIGHT)
        entries = _legend_entries(replays, swims)
        columns = min(len(entries), 4 * len(replays))
        below = _BOTTOM + _LEGEND_ROW * max(0, -(-len(entries) // columns) - 2)
        height = title + strip + swim + _BETWEEN + _ENROLMENT + below
        figure = Figure(figsize=(width, height))
        figure.text(
            0.1 / width, 1 - 0.12 / height, _title(replays), va="top", fontsize=10.5, fontweight="bold"
        )
        for place, (replay, found) in enumerate(zip(replays, swims, strict=True)):
            left = place * (_LEFT + _WIDTH + _RIGHT) + _LEFT

            def panel(bottom: float, tall: float, left: float = left) -> Axes:
                return figure.add_axes((left / width, bottom / height, _WIDTH / width, tall / height))

            upper = panel(below + _ENROLMENT + _BETWEEN, swim)
            labels = panel(below + _ENROLMENT + _BETWEEN + swim, strip)
            lower = panel(below, _ENROLMENT)
            _draw_swimmers(upper, replay, found, scale, swim)
            _draw_labels(labels, replay, scale, strip)
            _draw_enrolment(lower, replay, scale)
            if second is not None:
                figure.text(
                    left / width,
                    (height - _TITLE + 0.05) / height,
                    f"design {replay.plan.design}",
                    va="top",
                    fontsize=10,
                )
        figure.legend(
            handles=entries, loc="lower center", ncols=columns, frameon=False, fontsize=8.5, numpoints=1
        )
        return _bytes(figure, kind)


def _scale(replays: Sequence[Replay]) -> Scale:
    """Return the axis of time: months, or days for a trial of less than four months."""
    days = max(replay.end for replay in replays) / TICKS_PER_DAY
    per, unit = (1.0, "days") if days < _SHORT_DAYS else (DAYS_PER_MONTH, "months")
    return Scale(TICKS_PER_DAY * per, unit, days / per * 1.015)


def _title(replays: Sequence[Replay]) -> str:
    """Return what is shown."""
    plan = replays[0].plan
    design = f"design {plan.design}, " if len(replays) == 1 else ""
    return f"{plan.scenario}: {design}truth {plan.truth}, replicate {replays[0].replicate}, seed {plan.seed}"


def _full_labels(replay: Replay, scale: Scale) -> tuple[list[list[str]], list[float]] | None:
    """Return the full labels of all looks and their centres in inches; None where they do not fit."""
    labels = [full_label(replay, look) for look in replay.looks]
    widths = [width_inches(lines, _LABEL_POINTS) for lines in labels]
    wanted = [scale.of(look.cut) / scale.last * _WIDTH for look in replay.looks]
    centres = spread(wanted, widths, _WIDTH)
    return None if centres is None else (labels, centres)


def _strip_height(replay: Replay, scale: Scale) -> float:
    """Return the inches that the labels of looks and the lines leading to them need."""
    full = _full_labels(replay, scale)
    if full is not None:
        lines = max((len(label) for label in full[0]), default=0)
        return 0.32 + lines * _LABEL_POINTS * _LINE / _POINTS_PER_INCH
    return 0.55 + max(width_inches([short_label(look)], _SHORT_POINTS) for look in replay.looks)


def _draw_labels(axes: Axes, replay: Replay, scale: Scale, height: float) -> None:
    """Write the label of each look above its line, and lead to it."""
    axes.set(xlim=(0, scale.last), ylim=(0, height))
    axes.set_axis_off()
    per_inch = scale.last / _WIDTH
    full = _full_labels(replay, scale)
    if full is not None:
        for look, lines, centre in zip(replay.looks, *full, strict=True):
            x = scale.of(look.cut)
            axes.plot(
                [x, x, centre * per_inch], [0, 0.05, 0.2], color=_LOOK_COLOUR, linewidth=0.8, clip_on=False
            )
            axes.text(
                centre * per_inch, 0.23, "\n".join(lines), ha="center", va="bottom", fontsize=_LABEL_POINTS,
                linespacing=_LINE - 0.05,
            )  # fmt: skip
        return
    if len(replay.plan.tests) > 1:
        order = f"look: z of {', '.join(replay.test_names)}"
        axes.text(0, height, order, ha="left", va="top", fontsize=_SHORT_POINTS, fontstyle="italic")
    width = 1.6 * _SHORT_POINTS / _POINTS_PER_INCH
    every = int(-(-len(replay.looks) * width // _WIDTH))
    shown = [look for look in replay.looks if look.number % every == 0 or look is replay.looks[-1]]
    if len(shown) > 1 and (shown[-1].number - shown[-2].number) < every:
        del shown[-2]
    centres = spread([scale.of(look.cut) / per_inch for look in shown], [width] * len(shown), _WIDTH)
    for look, centre in zip(shown, centres or [], strict=True):
        x = scale.of(look.cut)
        axes.plot([x, x, centre * per_inch], [0, 0.05, 0.2], color=_LOOK_COLOUR, linewidth=0.6, clip_on=False)
        axes.text(
            centre * per_inch,
            0.23,
            short_label(look),
            rotation=90,
            ha="center",
            va="bottom",
            fontsize=_SHORT_POINTS,
        )


def _draw_swimmers(axes: Axes, replay: Replay, found: Swimmers, scale: Scale, height: float) -> None:
    """Draw a line a patient, marks on it, and the looks."""
    from matplotlib.collections import LineCollection

    pitch = height * _POINTS_PER_INCH / (found.rows + 1)
    axes.set(xlim=(0, scale.last), ylim=(found.rows, -1.0))
    _draw_looks(axes, replay, scale)
    for arm in range(len(replay.plan.arms)):
        chosen = found.segments[found.arm == arm]
        begin, end, y = scale.of(1) * chosen[:, 0], scale.of(1) * chosen[:, 1], chosen[:, 2]
        lines = np.stack([np.stack([begin, y], axis=1), np.stack([end, y], axis=1)], axis=1)
        axes.add_collection(
            LineCollection(
                list(lines),
                colors=_paler(_colour(replay, arm)),
                linewidths=float(np.clip(0.75 * pitch, 0.2, 4.5)),
                zorder=2,
            )
        )
    for mark in found.marks:
        _draw_mark(axes, mark, scale, pitch)
    shown = np.flatnonzero(np.isfinite(found.middles))
    counts = np.bincount(found.arm, minlength=len(replay.plan.arms))
    axes.set_yticks(
        found.middles[shown],
        [f"{_short(replay.plan.arms[arm])}\nn = {counts[arm]:,}" for arm in shown.tolist()],
    )
    for label, arm in zip(axes.get_yticklabels(), shown.tolist(), strict=True):
        label.set_color(_darker(_colour(replay, arm)))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    axes.spines["left"].set_visible(False)


def _draw_mark(axes: Axes, mark: Mark, scale: Scale, pitch: float) -> None:
    """Draw all marks of a kind, smaller the more patients there are."""
    points = np.array(mark.points, dtype=np.float64)
    least = 2.8 if mark.shape == "x" else 1.8  # a cross has no face to be seen by
    size = float(np.clip(1.1 * pitch, least, 6.0))
    axes.plot(
        scale.of(1) * points[:, 0], points[:, 1], linestyle="none", marker=mark.shape, markersize=size,
        markerfacecolor=DARK if mark.filled else "white", markeredgecolor=DARK,
        markeredgewidth=min(0.8, (0.25 if mark.shape == "x" else 0.16) * size),
        zorder=3 if mark.filled else 4, clip_on=False,
    )  # fmt: skip


def _draw_looks(axes: Axes, replay: Replay, scale: Scale) -> None:
    """Draw a vertical line at each data cut, and shade the time until the decision."""
    for look in replay.looks:
        axes.axvline(scale.of(look.cut), color=_LOOK_COLOUR, linewidth=0.9, linestyle=(0, (5, 3)), zorder=2.5)
        if look.decided > look.cut:
            until = min(look.decided, replay.end)
            axes.axvspan(scale.of(look.cut), scale.of(until), color="#DDDDDD", linewidth=0, zorder=0)


def _draw_enrolment(axes: Axes, replay: Replay, scale: Scale) -> None:
    """Draw patients randomised over time, and as planned."""
    from matplotlib.ticker import MaxNLocator

    n = replay.size
    entries = np.array([course.entry for course in replay.courses], dtype=np.float64)
    ticks = np.linspace(0, scale.last * scale.ticks, _CURVE_POINTS)
    planned = planned_enrolment(replay, ticks / TICKS_PER_DAY)
    axes.plot(scale.of(1) * ticks, planned, color=_PLAN_COLOUR, linewidth=_PLAN_WIDTH, zorder=2)
    x = np.concatenate([[0.0], entries, [float(replay.end)]])
    y = np.concatenate([[0.0], np.arange(1, len(entries) + 1), [float(len(entries))]])
    axes.step(scale.of(1) * x, y, where="post", color=PALETTE[0], linewidth=1.6, zorder=3)
    for place, (_, ticks_of_group) in enumerate(entries_by_group(replay).items()):
        x = np.concatenate([[0.0], ticks_of_group, [float(replay.end)]])
        y = np.concatenate([[0.0], np.arange(1, len(ticks_of_group) + 1), [float(len(ticks_of_group))]])
        axes.step(
            scale.of(1) * x,
            y,
            where="post",
            color=_GROUP_COLOUR,
            linewidth=1.1,
            linestyle=_GROUP_LINES[place],
            zorder=3,
        )
    _draw_looks(axes, replay, scale)
    axes.set(xlim=(0, scale.last), ylim=(0, n * 1.06), xlabel=f"{scale.unit} from the start of accrual")
    axes.set_ylabel("patients\nrandomised")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 3, 5, 6, 10], integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.7)
    axes.set_axisbelow(True)


def entries_by_group(replay: Replay) -> dict[str, NDArray[np.float64]]:
    """Return the ticks of randomisation by group of sites, where there are groups and few enough to be told apart."""
    sites = replay.plan.world.sites
    if sites is None or not 2 <= len(sites.groups) <= len(_GROUP_LINES):
        return {}
    group = [int(sites.group[site_of(course.key)]) for course in replay.courses]
    entry = np.array([course.entry for course in replay.courses], dtype=np.float64)
    return {name: entry[np.array(group, dtype=np.int64) == g] for g, name in enumerate(sites.groups)}


def planned_enrolment(replay: Replay, days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many patients are expected to have been randomised by each time.

    Parameters
    ----------
    replay
        The trial, for its law of accrual and planned size.
    days
        Times in days.
    """
    from scipy.special import pdtr

    law, n = replay.plan.world.accrual, replay.plan.n
    if replay.with_sites:
        return np.asarray(planned_at_sites(replay.plan.world, days).sum(axis=0))
    if law.over is not None:
        return np.asarray(n * np.clip(days / law.over, 0.0, 1.0))
    assert law.pieces is not None
    expected = law.pieces.cumulative(0, days)
    if not law.random:
        return np.minimum(expected, n)
    # E min(N, n) of a Poisson count N: sum of P(N > k) over k < n.
    within = pdtr(n - 2, expected) if n > 1 else np.zeros_like(expected)
    return np.asarray(expected * within + n * (1.0 - pdtr(n - 1, expected)))


def _legend_entries(replays: Sequence[Replay], swims: Sequence[Swimmers]) -> list[Any]:
    """Return what each line and mark is."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks = {mark.label: mark for found in swims for mark in found.marks}
    handles: list[Any] = [
        Line2D(
            [], [], linestyle="none", marker=mark.shape, markersize=6, markeredgecolor=DARK,
            markeredgewidth=0.8,
            markerfacecolor=DARK if mark.filled else "white", label=mark.label,
        )
        for mark in marks.values()
    ]  # fmt: skip
    handles.append(
        Line2D([], [], color=_LOOK_COLOUR, linewidth=0.9, linestyle=(0, (5, 3)), label="look (data cut)")
    )
    if any(look.decided > look.cut for replay in replays for look in replay.looks):
        handles.append(Patch(color="#DDDDDD", label="cut to decision"))
    handles.append(Line2D([], [], color=PALETTE[0], linewidth=1.6, label="randomised"))
    for place, name in enumerate(entries_by_group(replays[0])):
        label = f"at sites of {_short(name)}"
        handles.append(
            Line2D([], [], color=_GROUP_COLOUR, linewidth=1.1, linestyle=_GROUP_LINES[place], label=label)
        )
    handles.append(Line2D([], [], color=_PLAN_COLOUR, linewidth=_PLAN_WIDTH, label="planned"))
    return handles


def _bytes(figure: Figure, kind: str) -> bytes:
    """Return the figure as a file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if kind == "svg":
        return svg(figure).encode()
    target = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(target, format="png", dpi=150, metadata={"Software": None})
    return target.getvalue()


def _colour(replay: Replay, arm: int) -> str:
    """Return the colour of an arm: the same in every design."""
    return PALETTE[replay.scenario.arms.index(replay.plan.arms[arm]) % len(PALETTE)]


def _paler(colour: str, by: float = 0.45) -> str:
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * by):02x}" for part in parts)


def _darker(colour: str, by: float = 0.3) -> str:
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part * (1 - by)):02x}" for part in parts)


def _short(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
