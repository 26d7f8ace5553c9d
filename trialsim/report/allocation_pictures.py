"""Two more pictures of allocation rules: allocation over calendar time, and rejections against drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialsim.oc.allocation_rules import AllocationResult
from trialsim.oc.drift_points import DriftPoint
from trialsim.report.figures import MARKERS, PALETTE
from trialsim.report.numbers import plain
from trialsim.report.picture import picture
from trialsim.report.tables import TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEVEL = 0.025
_IN_TIME = ("equal", "thompson", "thompson_capped", "tempered_capped", "rosenberger_target", "drop_the_loser")
_IN_DRIFT = ("equal", "thompson", "thompson_capped", "tempered_capped")


def drift_table(points: Sequence[DriftPoint]) -> TextTable:
    """Return the table of rejections while outcomes drift: naive on the first lines, by block on the second.

    Parameters
    ----------
    points
        Of the benchmark.
    """
    labels = list(dict.fromkeys(each.label for each in points))
    columns = list(dict.fromkeys((each.effect, each.drift) for each in points))
    of = {(each.label, each.effect, each.drift, each.test): each for each in points}
    headings = [
        f"{'error' if effect == 0.0 else 'power'}, drift {plain(drift, 1)}" for effect, drift in columns
    ]
    rows = []
    for label in labels:
        cells: list[tuple[str, ...]] = [(label,)]
        for effect, drift in columns:
            found = [of[label, effect, drift, test] for test in ("naive", "by_block")]
            cells.append(tuple(f"{plain(each.value, 4)} ({plain(each.mcse, 4)})" for each in found))
        rows.append(tuple(cells))
    title = "rejections while both arms drift: naive test, and stratified by block below it"
    return TextTable(title, ("rule", *headings), tuple(rows))


def draw_allocation_over_time(result: AllocationResult, kind: str) -> bytes:
    """Return the picture of the expected share of each block on treatment, at the point where treatment is better.

    Parameters
    ----------
    result
        Of the benchmark.
    kind
        ``svg`` or ``png``.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        block = result.course.block
        drawn = [rule for rule in result.rules if rule.family != "traditional" or rule.label in _IN_TIME]
        for place, rule in enumerate(drawn):
            days = [block * (k + 0.5) for k in range(len(rule.shares))]
            colour = PALETTE[{"optimum": 0, "learned": 1, "traditional": 2}[rule.family]]
            axes.plot(
                days, rule.shares, MARKERS[place % len(MARKERS)], color=colour, linestyle="-", linewidth=1.0,
                markersize=4, markerfacecolor="none" if rule.family == "traditional" else colour, label=rule.label,
            )  # fmt: skip
        axes.set(
            xlabel="days since the first patient, one patient a day",
            ylabel="expected share on treatment",
            title="allocation over calendar time, 0.3 against 0.5 (exact)",
            ylim=(0.0, 1.02),
        )
        axes.legend(fontsize="small", frameon=False, ncols=2)

    return picture(kind, (8.0, 4.6), draw)


def draw_drift(points: Sequence[DriftPoint], kind: str) -> bytes:
    """Return the picture of error and power against drift: naive as lines, by block dashed.

    Parameters
    ----------
    points
        Of the benchmark.
    kind
        ``svg`` or ``png``.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        effects = sorted({each.effect for each in points})
        for axes, effect in zip((left, right), (effects[0], effects[-1]), strict=True):
            _draw(axes, [each for each in points if each.effect == effect])
        left.axhline(_LEVEL, color="0.6", linewidth=0.8, zorder=0)
        left.set(ylabel="P(reject), 95% interval", title="no effect: type I error", ylim=(0.0, None))
        right.set(ylabel="P(reject), 95% interval", title="0.3 against 0.5: power at the fixed bound")
        for axes in (left, right):
            axes.set_xlabel("rise of both rates over enrolment")
        left.legend(fontsize="small", frameon=False)

    return picture(kind, (11.0, 4.6), draw)


def _draw(axes: Axes, points: Sequence[DriftPoint]) -> None:
    """Draw the rules that are told apart, both tests."""
    labels = [each.label for each in points if each.label in _IN_DRIFT or each.label.startswith("learned")]
    for place, label in enumerate(dict.fromkeys(labels)):
        for test, line in (("naive", "-"), ("by_block", "--")):
            own = sorted(
                (each for each in points if each.label == label and each.test == test),
                key=lambda each: each.drift,
            )
            axes.errorbar(
                [each.drift for each in own], [each.value for each in own], [1.96 * each.mcse for each in own],
                fmt=MARKERS[place % len(MARKERS)], linestyle=line, markersize=4, linewidth=1.0,
                color=PALETTE[place % len(PALETTE)], label=f"{label}, {test.replace('_', ' ')}",
            )  # fmt: skip
