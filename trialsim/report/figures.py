"""The pictures of a report: power by truth, when and why trials stop, how long they take.

Figures are made without any global state, and their bytes depend on the records alone.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import Measure
from trialsim.oc.rejections import failed_replicates
from trialsim.oc.sizes import succeeded
from trialsim.report.numbers import DAYS_PER_MONTH, percent, plain
from trialsim.report.picture import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

# Okabe M, Ito K (2008), Color Universal Design: distinguishable with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vPX<>p*hd"
LINES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1, 2)))
REASON_COLOURS = {
    "efficacy": "#009E73",
    "futility": "#D55E00",
    "final": "#9A9A9A",
    "horizon": "#4D4D4D",
    "failed": "#000000",
}
_OTHER_REASON = "#CC79A7"
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.0,
    "svg.hashsalt": "trialsim",
    "svg.fonttype": "path",
    "path.simplify": True,
}
_CURVE_POINTS = 201
_LEGEND_COLUMNS = 4
MOST_TRUTHS_DRAWN = 24
MOST_TRUTHS_OF_DURATIONS = 6


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as SVG, with what it shows in words."""

    title: str
    svg: str
    alternative: str

    @property
    def address(self) -> str:
        """Return the picture as a data address, which needs nothing from outside the page."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def power_picture(characteristics: OperatingCharacteristics) -> Picture:
    """Return the probability of rejecting by truth and design, with 95% intervals.

    A filled mark is power (at least one false null is rejected), a hollow one the familywise error where
    every null is true.
    """
    from matplotlib.lines import Line2D

    cells = _drawn(characteristics.cells(), MOST_TRUTHS_DRAWN)
    designs, truths = _designs(cells), list(dict.fromkeys(cell.truth for cell in cells))
    with house_figure(8.0, 1.3 + max(len(truths) * (0.25 + 0.2 * len(designs)), 1.2)) as figure:
        axes = figure.add_subplot()
        words = []
        for cell in cells:
            row, is_error = _headline(characteristics, cell)
            if row is None or row.lower is None or row.upper is None:
                continue
            which = designs.index(cell.design)
            height = truths.index(cell.truth) + (which - (len(designs) - 1) / 2) * 0.7 / len(designs)
            colour, mark = colour_of(which), _marker(which)
            axes.plot(
                [row.lower, row.upper], [height, height], color=colour, linewidth=2, solid_capstyle="butt"
            )
            face = "white" if is_error else colour
            axes.plot(row.value, height, mark, color=colour, markerfacecolor=face, markersize=5)
            words.append(f"{cell.design} under {cell.truth} {percent(row)}{' (error)' if is_error else ''}")
        axes.set_yticks(range(len(truths)), [readable(truth) for truth in truths])
        axes.set_ylim(len(truths) - 0.5, -0.5)
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel("probability of rejecting (filled: power; hollow: familywise error), 95% interval")
        axes.grid(axis="x", color="#DDDDDD", linewidth=0.8)
        axes.set_axisbelow(True)
        handles = [
            Line2D([], [], color=colour_of(which), marker=_marker(which), linewidth=2, label=name)
            for which, name in enumerate(designs)
        ]
        house_legend(figure, handles)
        return as_picture("Power by truth", figure, "Probability of rejecting: " + "; ".join(words) + ".")


def stopping_picture(characteristics: OperatingCharacteristics) -> Picture:
    """Return the probability of each ending, by look and reason, as stacked bars."""
    from matplotlib.patches import Patch

    cells = _drawn(characteristics.cells(), MOST_TRUTHS_DRAWN)
    outcomes = sorted(
        {(row.reason or "", row.look or 0) for row in characteristics.select("stop")},
        key=lambda outcome: (outcome[1] or 10**6, _reason_order(outcome[0])),
    )
    with_look = {reason for reason, look in outcomes if look}
    outcomes = [outcome for outcome in outcomes if outcome[1] or outcome[0] not in with_look]
    last = max((look for _, look in outcomes), default=1)
    # A legend of many looks needs room of its own, or nothing is left for the bars.
    more_lines = max(0, -(-len(outcomes) // _LEGEND_COLUMNS) - 3)
    with house_figure(8.0, 1.6 + 0.32 * len(cells) + 0.23 * more_lines) as figure:
        axes = figure.add_subplot()
        words = []
        for place, cell in enumerate(cells):
            left = 0.0
            parts = []
            for reason, look in outcomes:
                rows = characteristics.select(
                    "stop", design=cell.design, truth=cell.truth, reason=reason, look=look or None
                )
                share = rows[0].value if rows else 0.0
                if share == 0:
                    continue
                axes.barh(
                    place, share, left=left, height=0.7, color=_shade(reason, look, last), edgecolor="white"
                )
                if share >= 0.06:
                    axes.text(
                        left + share / 2, place, f"{100 * share:.0f}%", ha="center", va="center", fontsize=8
                    )
                left += share
                parts.append(f"{_ending(reason, look)} {100 * share:.1f}%")
            words.append(f"{cell.design} under {cell.truth}: {', '.join(parts)}")
        axes.set_yticks(range(len(cells)), [f"{readable(cell.truth)} · {cell.design}" for cell in cells])
        axes.set_ylim(len(cells) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.set_xlabel("probability of ending")
        handles = [
            Patch(color=_shade(reason, look, last), label=_ending(reason, look)) for reason, look in outcomes
        ]
        house_legend(figure, handles)
        return as_picture("When and why trials stop", figure, "Endings. " + ". ".join(words) + ".")


def duration_picture(records: Records, characteristics: OperatingCharacteristics) -> Picture:
    """Return the distribution of the duration by design, one panel per truth."""
    from matplotlib.lines import Line2D

    cells = records.cells()
    designs = _designs(cells)
    truths = list(dict.fromkeys(cell.truth for cell in cells))[:MOST_TRUTHS_OF_DURATIONS]
    columns = min(2, len(truths))
    rows = -(-len(truths) // columns)
    with house_figure(8.0, 0.9 + 2.3 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        words = []
        for place, truth in enumerate(truths):
            axes = panels[place // columns][place % columns]
            axes.set_title(readable(truth), loc="left")
            axes.grid(color="#DDDDDD", linewidth=0.8)
            for which, design in enumerate(designs):
                if (design, truth) in cells:
                    _draw_distribution(axes, records, Cell(design, truth), which)
                    words.append(_duration_words(characteristics, Cell(design, truth)))
        for spare in range(len(truths), rows * columns):
            panels[spare // columns][spare % columns].set_visible(False)
        figure.supxlabel("months from the start of accrual to data lock", fontsize=10)
        figure.supylabel("share of trials finished", fontsize=10)
        handles = [
            Line2D([], [], color=colour_of(which), linestyle=_line(which), linewidth=1.8, label=name)
            for which, name in enumerate(designs)
        ]
        house_legend(figure, handles)
        return as_picture("How long trials take", figure, "Duration. " + "; ".join(filter(None, words)) + ".")


def _drawn(cells: Sequence[Cell], most: int) -> list[Cell]:
    """Return the cells of the first truths, those of a truth side by side."""
    truths = list(dict.fromkeys(cell.truth for cell in cells))[:most]
    return sorted((cell for cell in cells if cell.truth in truths), key=lambda cell: truths.index(cell.truth))


def _draw_distribution(axes: Axes, records: Records, cell: Cell, which: int) -> None:
    times = succeeded(records.numbers("trials", "lock_time", cell), failed_replicates(records, cell))
    times = times[np.isfinite(times)] / DAYS_PER_MONTH
    if times.size == 0:
        return
    places = np.unique(np.linspace(0, times.size - 1, _CURVE_POINTS).round().astype(np.intp))
    points = np.sort(times)[places]
    shares = (places + 1) / times.size
    axes.step(
        np.concatenate(([points[0]], points)),
        np.concatenate(([0.0], shares)),
        where="post",
        color=colour_of(which),
        linestyle=_line(which),
        linewidth=1.8,
    )
    axes.set_ylim(0, 1.02)


def _duration_words(characteristics: OperatingCharacteristics, cell: Cell) -> str:
    found = [
        characteristics.select(name, design=cell.design, truth=cell.truth)
        for name in ("duration_median", "duration_p10", "duration_p90")
    ]
    if not all(found):
        return ""
    median, low, high = (plain(rows[0].value / DAYS_PER_MONTH, 1) for rows in found)
    return (
        f"{cell.design} under {cell.truth}: median {median} months, 10th to 90th percentile {low} to {high}"
    )


def _headline(characteristics: OperatingCharacteristics, cell: Cell) -> tuple[Measure | None, bool]:
    for name, is_error in (("power_disjunctive", False), ("reject_any", True)):
        rows = characteristics.select(name, design=cell.design, truth=cell.truth)
        if rows:
            return rows[0], is_error
    return None, False


def _designs(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.design for cell in cells))


def colour_of(which: int) -> str:
    """Return the colour of a design."""
    return PALETTE[which % len(PALETTE)]


def _marker(which: int) -> str:
    return MARKERS[which % len(MARKERS)]


def _line(which: int) -> Any:
    return LINES[which % len(LINES)]


def _ending(reason: str, look: int) -> str:
    return f"{readable(reason)}, look {look}" if look else readable(reason)


def _reason_order(reason: str) -> tuple[int, str]:
    names = list(REASON_COLOURS)
    return (names.index(reason) if reason in names else 2, reason)


def _shade(reason: str, look: int, last: int) -> str:
    """Return the reason's colour, paler the later the look."""
    colour = REASON_COLOURS.get(reason, _OTHER_REASON)
    paler = 0.15 if last < 2 or not look else 0.15 + 0.6 * (look - 1) / (last - 1)
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * paler):02x}" for part in parts)


def readable(name: str) -> str:
    """Return a name safe to draw: a dollar sign would otherwise begin a formula."""
    return name.replace("$", r"\$")


@contextmanager
def house_figure(width: float, height: float) -> Iterator[Figure]:
    """Offer a figure; what is drawn on it while the context lasts follows the house style."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height), layout="constrained")


def house_legend(figure: Figure, handles: list[Line2D] | list[Patch]) -> None:
    """Put a legend above the panels."""
    columns = min(_LEGEND_COLUMNS, max(1, len(handles)))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns, frameon=False)


def as_picture(title: str, figure: Figure, alternative: str) -> Picture:
    """Return a figure as SVG with what it shows in words."""
    return Picture(title, svg(figure), alternative)
