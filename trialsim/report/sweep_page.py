"""A sweep as people read it: tables, sentences about the solution, and a picture over the parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trialsim.errors import UsageError
from trialsim.oc.measures import DAYS, Measure
from trialsim.oc.sweep import Sweep, SweepRow
from trialsim.oc.sweep_grid import Number
from trialsim.oc.sweep_solve import Solution, covers
from trialsim.report.figures import LINES, MARKERS, PALETTE
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, plain, with_error
from trialsim.report.picture import picture
from trialsim.report.tables import TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURE_KINDS = ("svg", "png")
MOST_SERIES_DRAWN = 14
_FEW_POINTS = 40
_SHORT_LABEL = 45

Series = tuple[str, ...]


def sweep_tables(sweep: Sweep) -> tuple[TextTable, ...]:
    """Return a table for each measure, truth and design: a row a point, with error and 95% interval."""
    found: dict[str, list[SweepRow]] = {}
    for row in sweep.rows:
        found.setdefault(_title(row.measure), []).append(row)
    return tuple(_table(sweep, title, rows) for title, rows in found.items())


def solution_sentences(sweep: Sweep) -> tuple[str, ...]:
    """Return what was found and how far to trust it; nothing where nothing was solved for."""
    solution = sweep.solution
    if solution is None:
        return ()
    return (*_answer(sweep, solution), *_caution(sweep, solution))


def draw_sweep(sweep: Sweep, kind: str) -> bytes:
    """Return a picture of each measure over the first number that varies, with 95% intervals.

    Parameters
    ----------
    sweep
        What was found.
    kind
        ``svg`` or ``png``.

    Raises
    ------
    UsageError
        If the kind is another.
    """
    if kind not in PICTURE_KINDS:
        raise UsageError(f"a picture is of kind {' or '.join(PICTURE_KINDS)}, not {kind}.")
    names = list(dict.fromkeys(each.name for each in sweep.wanted))

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(names), 1, squeeze=False, sharex=True)
        for place, name in enumerate(names):
            _draw(panels[place][0], sweep, [row for row in sweep.rows if row.measure.name == name])
        vary = sweep.grid.varied[0]
        panels[-1][0].set_xlabel(_safe(vary.label + (f" ({vary.unit})" if vary.unit else "")))

    return picture(kind, (8.0, 0.8 + 3.8 * len(names)), draw)


def _table(sweep: Sweep, title: str, rows: Sequence[SweepRow]) -> TextTable:
    per, unit = _scale(rows[0].measure)
    headings = [*(_heading(sweep, place) for place in range(len(sweep.grid.varied))), f"{unit} (mcse)"]
    headings.append("95% interval")
    failed = any(row.measure.n_failed for row in rows)
    lines = []
    for row in rows:
        cells = [*(_value(value) for value in row.point), with_error(row.measure, per)]
        cells.append(_interval(row.measure, per))
        if failed:
            cells.append(f"{row.measure.n_failed:,} of {row.measure.n:,}")
        lines.append(tuple((cell,) for cell in cells))
    return TextTable(title, (*headings, "failed") if failed else tuple(headings), tuple(lines))


def _heading(sweep: Sweep, place: int) -> str:
    vary = sweep.grid.varied[place]
    return "\n+ ".join(vary.paths) + (f" ({vary.unit})" if vary.unit else "")


def _title(row: Measure) -> str:
    parts = [row.name, row.hypothesis, row.arm, row.reason, None if row.look is None else f"look {row.look}"]
    return f"{' · '.join(part for part in parts if part)}; design {row.design}, truth {row.truth}"


def _scale(row: Measure) -> tuple[float, str]:
    return (DAYS_PER_MONTH, "months") if row.unit == DAYS else (1.0, row.unit)


def _value(value: Number) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"


def _interval(row: Measure, per: float) -> str:
    if row.lower is None or row.upper is None:
        return "–"
    error = (row.mcse or (row.upper - row.lower) / 4) / per
    decimals = decimals_for(error) if error > 0 else 2
    return f"{plain(row.lower / per, decimals)} to {plain(row.upper / per, decimals)}"


def _measured(row: SweepRow) -> str:
    per, unit = _scale(row.measure)
    shown = with_error(row.measure, per)
    months = f" {unit}" if per != 1.0 else ""
    return f"{shown}{months}, 95% interval {_interval(row.measure, per)}"


def _answer(sweep: Sweep, solution: Solution) -> Iterator[str]:
    vary = sweep.grid.varied[0]
    name = solution.wanted.label
    where = f"for {solution.design} under {solution.truth}"
    if solution.at is None:
        best = max((row for row in sweep.rows if row.measure.name == solution.wanted.name), key=_height)
        yield (
            f"No value of {vary.label} that was tried, from {vary.written(vary.values[0])} to "
            f"{vary.written(vary.values[-1])}, lifts {name} {where} to {_target(sweep)}; the highest was "
            f"{_measured(best)}, at {vary.written(best.point[0])}."
        )
        return
    yield (
        f"The smallest {vary.label} on the grid with {name} {where} of at least {_target(sweep)} is "
        f"{vary.written(solution.at.point[0])}: {_measured(solution.at)} (error in parentheses)."
    )
    if solution.below is not None:
        yield f"One step below, at {vary.written(solution.below.point[0])}: {_measured(solution.below)}."
    else:
        yield "It is the first value of the grid: a smaller one may do as well."


def _caution(sweep: Sweep, solution: Solution) -> Iterator[str]:
    unsure = [
        words
        for words, row in (("at the solution", solution.at), ("one step below", solution.below))
        if row is not None and covers(row, solution.target)
    ]
    if unsure:
        yield (
            f"The 95% interval {' and '.join(unsure)} covers {_target(sweep)}: {sweep.replicates:,} "
            "replicates do not settle which value is the smallest; ask for more."
        )
    if not solution.monotone:
        yield (
            f"{solution.wanted.label} falls between some of the {solution.tried} values tried: it is not "
            "monotone, and bisection may have missed a value; tabulate the grid without --solve."
        )
    elif solution.tried > 1 and solution.tried < len(sweep.grid.varied[0].values):
        yield (
            f"Bisection tried {solution.tried} of {len(sweep.grid.varied[0].values):,} values and takes "
            f"{solution.wanted.label} to rise throughout, as it did between those."
        )


def _target(sweep: Sweep) -> str:
    if sweep.solution is None:
        return ""
    per, unit = _scale(sweep.rows[0].measure)
    return f"{sweep.solution.target / per:.10g}{f' {unit}' if per != 1.0 else ''}"


def _height(row: SweepRow) -> float:
    return row.measure.value


def _draw(axes: Axes, sweep: Sweep, rows: Sequence[SweepRow]) -> None:
    series: dict[Series, list[SweepRow]] = {}
    for row in rows:
        series.setdefault(_series(sweep, row), []).append(row)
    common = [len({key[place] for key in series}) == 1 for place in range(len(next(iter(series), ())))]
    per, unit = _scale(rows[0].measure) if rows else (1.0, "")
    for which, (key, points) in enumerate(list(series.items())[:MOST_SERIES_DRAWN]):
        words = [part for part, same in zip(key, common, strict=True) if part and not same]
        _draw_series(axes, points, per, which, _safe(" · ".join(words) or " · ".join(filter(None, key[:2]))))
    left_out = len(series) - MOST_SERIES_DRAWN
    if series:
        title = f"{len(series) - left_out} of {len(series)} series" if left_out > 0 else None
        _, labels = axes.get_legend_handles_labels()
        columns = 2 if max(map(len, labels)) <= _SHORT_LABEL else 1
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=columns,
            frameon=False,
            fontsize=8,
            title=title,
        )
    solution = sweep.solution
    if solution is not None and rows and rows[0].measure.name == solution.wanted.name:
        axes.axhline(solution.target / per, color="#9A9A9A", linewidth=1, linestyle=(0, (4, 3)))
        if solution.value is not None:
            axes.axvline(solution.value, color="#9A9A9A", linewidth=1, linestyle=(0, (4, 3)))
    name = rows[0].measure.name if rows else ""
    axes.set_ylabel(_safe(f"{name}\n({unit}), 95% interval"))
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)


def _series(sweep: Sweep, row: SweepRow) -> Series:
    """Return what a curve is of: design, truth, what the measure is of, and the second number that varies."""
    measure = row.measure
    look = "" if measure.look is None else f"look {measure.look}"
    others = [
        f"{'.'.join(vary.paths[0].split('.')[-2:])} = {vary.written(value)}"
        for vary, value in zip(sweep.grid.varied[1:], row.point[1:], strict=True)
    ]
    of = [measure.hypothesis or "", measure.arm or "", measure.reason or "", look]
    return (measure.design, measure.truth, *of, *others)


def _draw_series(axes: Axes, rows: Sequence[SweepRow], per: float, which: int, label: str) -> None:
    colour = PALETTE[which % len(PALETTE)]
    line: Any = LINES[which // len(PALETTE) % len(LINES)]
    places = [row.point[0] for row in rows]
    mark = MARKERS[which % len(MARKERS)] if len(rows) <= _FEW_POINTS else ""
    heights = [row.measure.value / per for row in rows]
    axes.plot(places, heights, marker=mark, markersize=4, color=colour, linestyle=line, label=label)
    limits = [
        (place, row.measure.lower / per, row.measure.upper / per)
        for place, row in zip(places, rows, strict=True)
        if row.measure.lower is not None and row.measure.upper is not None
    ]
    if limits:
        axes.vlines(*zip(*limits, strict=True), color=colour, linewidth=1.5, alpha=0.6)


def _safe(text: str) -> str:
    """Return text safe to draw: a dollar sign would otherwise begin a formula."""
    return text.replace("$", r"\$")
