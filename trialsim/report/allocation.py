"""Allocation rules compared: a table, what it says in sentences, and the frontier of responders against power."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialsim.oc.allocation_rules import AllocationResult
from trialsim.report.figures import MARKERS, PALETTE
from trialsim.report.numbers import plain
from trialsim.report.picture import picture
from trialsim.report.tables import TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def allocation_table(result: AllocationResult) -> TextTable:
    """Return the table of all rules; every figure but the simulated one is exact.

    Parameters
    ----------
    result
        Of the benchmark.
    """
    headings = (
        "rule", "responders", "rejects", "worst type I error", "bound for 0.025", "power, 0.3 against 0.5",
        "simulated (mcse)", "power at that bound", "responders there",
    )  # fmt: skip
    rows = []
    for rule in result.rules:
        worst = max(rule.error, key=lambda rate: rule.error[rate])
        rows.append(
            (
                (rule.label,),
                (plain(rule.responders, 2),),
                (plain(rule.rejects, 4),),
                (f"{plain(rule.error[worst], 4)} at {worst:g}",),
                ("its own" if rule.calibrated_bound is None else plain(rule.calibrated_bound, 3),),
                (plain(rule.power, 4),),
                (
                    "–"
                    if rule.simulated is None
                    else f"{plain(rule.simulated[0], 4)} ({plain(rule.simulated[1], 4)})",
                ),
                ("–" if rule.calibrated_power is None else plain(rule.calibrated_power, 4),),
                (plain(rule.responders_at_point, 2),),
            )
        )
    return TextTable("responders and rejections under the prior, exactly", headings, tuple(rows))


def verdicts(result: AllocationResult) -> list[str]:
    """Return what the table says of each learned rule: its share of the way to the optimum, and whether its error holds.

    Parameters
    ----------
    result
        Of the benchmark.
    """
    said = []
    for weight in result.power_weights:
        share, best, whole = result.share(weight)
        learned = next(rule for rule in result.rules if rule.label == f"learned_{weight:g}")
        way = "loses to it by" if share < 0 else "goes"
        worst = max(learned.error.values())
        level = (
            "at most 0.025 at each of these rates" if worst <= 0.025 else
            f"{plain(worst, 4)} at worst, so that it needs a bound of {plain(learned.calibrated_bound or 0.0, 3)}"
        )  # fmt: skip
        said.append(
            f"A rejection worth {weight:g} responders: from the best traditional rule, {best}, to the optimum are "
            f"{plain(whole, 2)} responders; the learned rule {way} {plain(abs(100 * share), 0)}% of that way. "
            f"Its type I error with the fixed bound is {level}."
        )
    return said


def draw_frontier(result: AllocationResult, kind: str) -> bytes:
    """Return the picture: responders against rejections under the prior, and at one pair of rates with calibrated bounds.

    Parameters
    ----------
    result
        Of the benchmark.
    kind
        ``svg`` or ``png``.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        _draw(left, result, [(rule.responders, rule.rejects) for rule in result.rules], True)
        left.set(xlabel="expected responders", ylabel="P(reject)", title="under the prior, at a fixed bound")
        there = [(rule.responders_at_point, rule.calibrated_power or rule.power) for rule in result.rules]
        _draw(right, result, there, False)
        right.set(
            xlabel="expected responders",
            ylabel="power",
            title="0.3 against 0.5, error at most 0.025 at every rate",
        )
        right.legend(loc="lower left", fontsize="small")

    return picture(kind, (11.0, 4.6), draw)


def _draw(axes: Axes, result: AllocationResult, points: Sequence[tuple[float, float]], joined: bool) -> None:
    """Draw every rule as a point, the optima joined to a frontier."""
    optima = sorted(
        point for rule, point in zip(result.rules, points, strict=True) if rule.family == "optimum"
    )
    if joined:
        axes.plot([x for x, _ in optima], [y for _, y in optima], color=PALETTE[0], linewidth=1.0)
    for place, (rule, (x, y)) in enumerate(zip(result.rules, points, strict=True)):
        hollow = rule.family == "traditional"
        colour = PALETTE[{"optimum": 0, "learned": 1, "traditional": 2}[rule.family]]
        axes.plot(
            x, y, MARKERS[place % len(MARKERS)], color=colour, markerfacecolor="none" if hollow else colour,
            label=rule.label, linestyle="none",
        )  # fmt: skip
