"""The picture of adverse events: their mean number by time since randomisation, by arm."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.oc.adverse_events import ALL, SERIOUS, AdverseEventCurve, adverse_event_curves
from trialsim.oc.columns import Records
from trialsim.report.figures import (
    LINES,
    Picture,
    as_picture,
    colour_of,
    house_figure,
    house_legend,
    readable,
)
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, plain

MOST_TRUTHS, MOST_TERMS, MOST_DESIGNS = 3, 4, len(LINES)
_COLUMNS = 3
_INTERVAL = 1.96
_TITLES = {ALL: "all adverse events", SERIOUS: "serious ones"}

ABOUT_ADVERSE_EVENTS = (
    "The mean number of adverse events that a patient has had by a time since randomisation while staying at risk (mean "
    "cumulative function): in each period the events of all trials by the time at risk, each term by its own, up to "
    "the deciding data cut. Bands are 95% intervals of the Monte Carlo error. Curves end where fewer than a twentieth of "
    "those there were at first are at risk.",
)


def adverse_event_picture(records: Records) -> Picture | None:
    """Return adverse events over time by truth and arm: all, serious ones, and the commonest terms under the first truth.

    Parameters
    ----------
    records
        Of a run; None comes back for one without adverse events.
    """
    from matplotlib.lines import Line2D

    cells = records.cells()
    designs = list(dict.fromkeys(cell.design for cell in cells))[:MOST_DESIGNS]
    truths = list(dict.fromkeys(cell.truth for cell in cells))[:MOST_TRUTHS]
    shown = {
        cell: adverse_event_curves(records, cell)
        for cell in cells
        if cell.truth in truths and cell.design in designs
    }
    curves = [curve for found in shown.values() for curve in found if curve.days.size]
    if not curves:
        return None
    arms = list(dict.fromkeys(curve.arm for curve in curves))
    first = [curve for cell, found in shown.items() if cell.truth == truths[0] for curve in found]
    panels = [(truth, term) for truth in truths for term in (ALL, SERIOUS)]
    panels[2:2] = [(truths[0], term) for term in _commonest(first)]
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    words = []
    with house_figure(8.0, 0.9 + 2.2 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for place, (truth, term) in enumerate(panels):
            axes = grid[place // columns][place % columns]
            axes.set_title(readable(f"{truth}: {_TITLES.get(term, term)}"), loc="left")
            for cell, found in shown.items():
                for curve in found:
                    if (cell.truth, curve.term) == (truth, term) and curve.days.size:
                        _draw(axes, curve, arms.index(curve.arm), designs.index(cell.design))
                        words.append(f"{cell.design} under {truth}, {_words(curve)}")
            axes.set_ylim(bottom=0)
            axes.set_xlim(left=0)
            axes.grid(color="#DDDDDD", linewidth=0.8)
            axes.set_axisbelow(True)
        for spare in range(len(panels), rows * columns):
            grid[spare // columns][spare % columns].set_visible(False)
        figure.supxlabel("months since randomisation", fontsize=10)
        figure.supylabel("mean number of events per patient at risk", fontsize=10)
        handles: list[Any] = [
            Line2D([], [], color=colour_of(which), linewidth=1.8, label=readable(arm))
            for which, arm in enumerate(arms)
        ]
        if len(designs) > 1:
            handles += [
                Line2D([], [], color="#555555", linestyle=_line(which), linewidth=1.4, label=readable(design))
                for which, design in enumerate(designs)
            ]
        house_legend(figure, handles)
        return as_picture(
            "Adverse events over time", figure, "Adverse events over time. " + "; ".join(words) + "."
        )


def adverse_events_left_out(records: Records) -> list[str]:
    """Return what the picture leaves out because there is too much of it."""
    cells = records.cells()
    found = []
    for name, most in (("truth", MOST_TRUTHS), ("design", MOST_DESIGNS)):
        count = len({getattr(cell, name) for cell in cells})
        if count > most:
            found.append(f"Adverse events are drawn for the first {most} of {count} {name}s.")
    terms = (
        {curve.term for curve in adverse_event_curves(records, cells[0])} - {ALL, SERIOUS} if cells else set()
    )
    if len(terms) > MOST_TERMS:
        found.append(
            f"Of {len(terms)} terms the {MOST_TERMS} commonest are drawn; the table `adverse_events` holds all."
        )
    return found


def _line(design: int) -> Any:
    """Return the line style of a design."""
    return LINES[design]


def _draw(axes: Any, curve: AdverseEventCurve, arm: int, design: int) -> None:
    """Draw one curve with its interval."""
    months = np.concatenate([[0.0], curve.days / DAYS_PER_MONTH])
    value = np.concatenate([[0.0], curve.mean])
    axes.plot(months, value, color=colour_of(arm), linestyle=_line(design), linewidth=1.8)
    if np.isfinite(curve.mcse).all():
        half = np.concatenate([[0.0], _INTERVAL * curve.mcse])
        axes.fill_between(months, value - half, value + half, color=colour_of(arm), alpha=0.2, linewidth=0)


def _commonest(curves: list[AdverseEventCurve]) -> list[str]:
    """Return the terms with the most events in any arm, the commonest first; a single term is all events."""
    most: dict[str, float] = {}
    for curve in curves:
        if curve.term not in (ALL, SERIOUS) and curve.days.size:
            most[curve.term] = max(most.get(curve.term, 0.0), float(curve.mean[-1]))
    return sorted(most, key=lambda term: -most[term])[:MOST_TERMS] if len(most) > 1 else []


def _words(curve: AdverseEventCurve) -> str:
    """Return the end of a curve in words."""
    value, error = float(curve.mean[-1]), float(curve.mcse[-1])
    decimals = decimals_for(error) if np.isfinite(error) and error > 0 else 2
    told = f" ({plain(error, decimals)})" if np.isfinite(error) else ""
    months = plain(float(curve.days[-1]) / DAYS_PER_MONTH, 1)
    return f"{_TITLES.get(curve.term, curve.term)} on {curve.arm}: {plain(value, decimals)}{told} by month {months}"
