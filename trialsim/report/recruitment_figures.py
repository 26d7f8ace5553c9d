"""The pictures of recruitment: patients over time against the plan, and how many are left from contact to analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trialsim.oc.columns import Cell, Records
from trialsim.oc.enrolment import EnrolmentCurve, enrolment_curves
from trialsim.oc.montecarlo import MonteCarlo
from trialsim.report.figures import Picture, as_picture, colour_of, house_figure, house_legend, readable
from trialsim.report.funnel import AGAIN, RANDOMISED, Step, came_again, funnel
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TRUTHS, MOST_GROUPS, MOST_FUNNELS, MOST_REASONS = 3, 5, 4, 6
_PLAN_COLOUR, _LOST_COLOUR, _BAR_COLOUR = "#C4C4C4", "#E3E3E3", "#0072B2"
_COLUMNS, _COLUMNS_OF_SITES = 3, 4
_NEARLY_ALL = 0.99
_LINE, _LEAST_ROW = 0.17, 0.36  # inches


def enrolment_picture(records: Records) -> Picture | None:
    """Return patients over time by truth and group of sites: median, 10th to 90th percentile, and as planned.

    Parameters
    ----------
    records
        Of a run; None comes back for one without this table.
    """
    cells = records.cells()
    shown = {cell: enrolment_curves(records, cell) for cell in cells if cell.truth in _truths(records)}
    return _grid_of_curves(records, shown, _panels(shown), _COLUMNS, "Patients over time")


def site_enrolment_picture(records: Records) -> Picture | None:
    """Return patients over time at each single site under the first truth: median, 10th to 90th percentile, and as planned.

    Parameters
    ----------
    records
        Of a run; None comes back where sites are none or too many to be counted one by one.
    """
    truth = _truths(records)[:1]
    shown = {
        cell: enrolment_curves(records, cell, single=True) or _groups_of_one(records, cell)
        for cell in records.cells()
        if cell.truth in truth
    }
    names = list(dict.fromkeys(curve.group for curves in shown.values() for curve in curves))
    panels = {truth[0]: names} if names else {}
    return _grid_of_curves(records, shown, panels, _COLUMNS_OF_SITES, "Patients over time by site")


def _groups_of_one(records: Records, cell: Cell) -> tuple[EnrolmentCurve, ...]:
    """Return the curves of groups that are single sites each, where the picture by group has no room for all of them."""
    curves = tuple(curve for curve in enrolment_curves(records, cell) if curve.group)
    if len(curves) <= MOST_GROUPS or not records.columns("sites"):
        return ()
    sites = set(records.categories("sites", "site", cell).present())
    return curves if {curve.group for curve in curves} == sites else ()


def _grid_of_curves(
    records: Records,
    shown: Mapping[Cell, tuple[EnrolmentCurve, ...]],
    panels: Mapping[str, list[str]],
    most: int,
    title: str,
) -> Picture | None:
    """Return a panel for each truth and group, the designs' curves in each."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    designs = list(dict.fromkeys(cell.design for cell in records.cells()))
    if not panels:
        return None
    columns = min(most, max(len(groups) for groups in panels.values()))
    rows = sum(-(-len(groups) // columns) for groups in panels.values())
    until = max(_settled(curve) for curves in shown.values() for curve in curves)
    with house_figure(8.0, 0.9 + 2.2 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        row, words = 0, []
        for truth, groups in panels.items():
            for place, group in enumerate(groups):
                axes = grid[row + place // columns][place % columns]
                axes.set_title(readable(f"{truth}: {_group_name(group)}"), loc="left")
                for which, design in enumerate(designs):
                    for curve in shown.get(Cell(design, truth), ()):
                        if curve.group == group:
                            draw_curve(axes, curve, which, until)
                            words.append(f"{design} under {truth}, {_curve_words(curve)}")
                axes.set_ylim(bottom=0)
                axes.grid(color="#DDDDDD", linewidth=0.8)
                axes.set_axisbelow(True)
            used = -(-len(groups) // columns)
            for spare in range(len(groups), used * columns):
                grid[row + spare // columns][spare % columns].set_visible(False)
            row += used
        grid[0][0].set_xlim(0, until)
        for axes in grid.flat:
            axes.tick_params(labelbottom=True)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 1.2, 2, 2.4, 3, 6, 10], integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        figure.supxlabel("months from the first site's opening", fontsize=10)
        figure.supylabel("patients randomised", fontsize=10)
        handles: list[Any] = [
            Line2D([], [], color=colour_of(which), linewidth=1.8, label=f"{name}: median")
            for which, name in enumerate(designs)
        ]
        handles.append(Patch(color="#999999", alpha=0.35, linewidth=0, label="10th to 90th percentile"))
        handles.append(Line2D([], [], color=_PLAN_COLOUR, linewidth=4, label="planned"))
        house_legend(figure, handles)
        return as_picture(title, figure, f"{title}. " + "; ".join(words) + ".")


def draw_curve(axes: Axes, curve: EnrolmentCurve, which: int, until: float = 0.0) -> None:
    """Draw one curve: planned, 10th to 90th percentile, and median on top.

    Parameters
    ----------
    axes
        Where.
    curve
        What; its numbers stay as they are after the last of its times.
    which
        Number of the design, for its colour.
    until
        Months to which it is drawn at least.
    """
    last = max(until, float(curve.days[-1]) / DAYS_PER_MONTH)
    months = np.concatenate([[0.0], curve.days / DAYS_PER_MONTH, [last]])

    def from_zero(values: Any) -> Any:
        return np.concatenate([[0.0], values, values[-1:]])

    axes.plot(months, from_zero(curve.planned), color=_PLAN_COLOUR, linewidth=4, zorder=1)
    colour = colour_of(which)
    axes.fill_between(
        months, from_zero(curve.p10), from_zero(curve.p90), color=colour, alpha=0.2, linewidth=0, zorder=2
    )
    axes.plot(months, from_zero(curve.median), color=colour, linewidth=1.8, zorder=3)


def funnel_pictures(records: Records) -> list[Picture]:
    """Return, for each of the first designs and truths, how many are left from first contact to analysis.

    Parameters
    ----------
    records
        Of a run; the list is empty for one without sites.
    """
    found = []
    for cell in records.cells()[:MOST_FUNNELS]:
        steps = funnel(records, cell)
        if steps and steps[0].left.value > 0:
            found.append(_funnel_picture(cell, steps, again_lines(records, cell)))
    return found


def _funnel_picture(cell: Cell, steps: tuple[Step, ...], again: list[str]) -> Picture:
    told = [loss_lines(step) + (again if step.name == RANDOMISED else []) for step in steps]
    heights = [max(_LEAST_ROW, _LINE * len(lines) + 0.1) for lines in told]
    most = max(step.left.value for step in steps)
    with house_figure(8.0, 0.3 + sum(heights)) as figure:
        axes = figure.add_subplot()
        top, before = 0.0, steps[0].left.value
        middles = []
        for step, lines, height in zip(steps, told, heights, strict=True):
            middle, value = top + height / 2, step.left.value
            thick = _LEAST_ROW * 0.72
            if before > value:
                axes.barh(middle, before - value, left=value, height=thick, color=_LOST_COLOUR)
            axes.barh(middle, value, height=thick, color=_BAR_COLOUR)
            inside = value > 0.2 * most
            axes.text(
                value - 0.01 * most if inside else value + 0.01 * most, middle, _number(step.left),
                ha="right" if inside else "left", va="center", fontsize=8.5, color="white" if inside else "black",
            )  # fmt: skip
            axes.text(1.03 * most, middle, "\n".join(lines), ha="left", va="center", fontsize=8.5)
            middles.append(middle)
            top, before = top + height, value
        axes.set_yticks(middles, [step.name for step in steps])
        axes.set_ylim(top, 0)
        axes.set_xlim(0, 2.0 * most)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        words = "; ".join(
            f"{step.name} {_number(step.left)}{''.join(f', {line}' for line in lines)}"
            for step, lines in zip(steps, told, strict=True)
        )
        title = f"From first contact to analysis: {cell.design} under {cell.truth}"
        return as_picture(title, figure, f"{title}. {words}.")


def loss_lines(step: Step) -> list[str]:
    """Return the reasons of a step with their numbers, the largest first; beyond six the rest together."""
    losses = sorted(step.losses, key=lambda loss: -loss[1].value)
    lines = [f"{_number(value)} {_short(why)}" for why, value in losses[:MOST_REASONS]]
    if rest := losses[MOST_REASONS:]:
        lines.append(f"{plain(sum(value.value for _, value in rest), 1)} for {len(rest)} other reasons")
    return lines


def again_lines(records: Records, cell: Cell) -> list[str]:
    """Return who came again after a failed screening and how many of them were randomised; nothing where nobody did.

    Parameters
    ----------
    records, cell
        Which trials.
    """
    told = dict(came_again(records, cell))
    if not told:
        return []
    came, randomised = (_number(told[AGAIN[name]]) for name in ("rescreened", "rescreened_randomised"))
    return [f"came again after failing: {came},", f"of them randomised: {randomised}"]


def left_out_sentences(records: Records) -> list[str]:
    """Return what the pictures leave out because there is too much of it."""
    cells = records.cells()
    truths = list(dict.fromkeys(cell.truth for cell in cells))
    groups = {curve.group for cell in cells[:1] for curve in enrolment_curves(records, cell)} - {""}
    sentences = []
    if len(truths) > MOST_TRUTHS and records.columns("enrolment"):
        sentences.append(f"Patients over time are drawn for the first {MOST_TRUTHS} of {len(truths)} truths.")
    if len(groups) > MOST_GROUPS and not _groups_of_one(records, cells[0]):
        sentences.append(
            f"Of {len(groups)} groups of sites the first {MOST_GROUPS} are drawn; the table `enrolment` holds all."
        )
    if len(cells) > MOST_FUNNELS:
        sentences.append(
            f"The way to analysis is drawn for the first {MOST_FUNNELS} of {len(cells)} designs under a truth."
        )
    return sentences


def _truths(records: Records) -> list[str]:
    return list(dict.fromkeys(cell.truth for cell in records.cells()))[:MOST_TRUTHS]


def _panels(shown: dict[Cell, tuple[EnrolmentCurve, ...]]) -> dict[str, list[str]]:
    """Return the groups of sites that are drawn of each truth, all sites first; a single group is all sites."""
    found: dict[str, list[str]] = {}
    for cell, curves in shown.items():
        groups = [curve.group for curve in curves]
        if groups:
            found[cell.truth] = groups[: 1 + MOST_GROUPS] if len(groups) > 2 else groups[:1]
    return found


def _group_name(group: str) -> str:
    return group or "all sites"


def _settled(curve: EnrolmentCurve) -> float:
    """Return the months by which nearly all patients of a curve are in, with a margin."""
    full = _NEARLY_ALL * curve.mean[-1]
    return float(curve.days[int(np.argmax(curve.mean >= full))]) * 1.08 / DAYS_PER_MONTH


def _curve_words(curve: EnrolmentCurve) -> str:
    ends = f"{plain(curve.median[-1], 0)} ({plain(curve.p10[-1], 0)} to {plain(curve.p90[-1], 0)})"
    half = int(np.argmax(curve.median >= curve.median[-1] / 2))
    return (
        f"{_group_name(curve.group)}: half of {ends} by month {plain(curve.days[half] / DAYS_PER_MONTH, 1)}"
    )


def _short(text: str, most: int = 46) -> str:
    """Return a text that fits beside a bar."""
    return readable(text if len(text) <= most else f"{text[: most - 1]}…")


def _number(value: MonteCarlo) -> str:
    """Return a mean with its Monte Carlo error in parentheses."""
    if value.mcse is None:
        return f"{plain(value.value, 1)} (one replicate)"
    decimals = decimals_for(value.mcse) if value.mcse > 0 else 0 if value.value == round(value.value) else 2
    return f"{plain(value.value, decimals)} ({plain(value.mcse, decimals)})"
