"""Stopping rules compared: a table, what it says, and the picture of expected sizes against the largest one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialsim.oc.stopping_rules import StoppingRule
from trialsim.report.figures import MARKERS, PALETTE
from trialsim.report.numbers import plain
from trialsim.report.picture import picture
from trialsim.report.tables import TextTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stopping_table(rules: Sequence[StoppingRule]) -> TextTable:
    """Return the table; second lines are simulated, with Monte Carlo standard errors.

    Parameters
    ----------
    rules
        Of the benchmark.
    """
    headings = (
        "rule",
        "largest",
        "no effect",
        "half of it",
        "the effect",
        "mean",
        "best at this largest",
        "above it",
    )
    rows = []
    for rule in rules:
        sizes = [
            (plain(exact, 4), f"{plain(value, 4)} ({plain(error, 4)})")
            for exact, (value, error) in zip(rule.expected, rule.simulated, strict=True)
        ]
        beyond = f"{plain(100 * (rule.mean / rule.best - 1), 2)}%"
        rows.append(
            (
                (rule.label,),
                (plain(rule.maximum, 4),),
                *sizes,
                (plain(rule.mean, 4),),
                (plain(rule.best, 4),),
                (beyond,),
            )
        )
    return TextTable(
        "expected size over that of the fixed test, error 0.025 and power 0.9 each", headings, tuple(rows)
    )


def stopping_verdict(rules: Sequence[StoppingRule]) -> str:
    """Return what the table says in a sentence.

    Parameters
    ----------
    rules
        Of the benchmark.
    """
    rivals = [rule for rule in rules if rule.family == "traditional"]
    nearest = min(rivals, key=lambda rule: rule.mean / rule.best)
    left = plain(100 * (nearest.mean / nearest.best - 1), 2)
    return (
        f"Of the traditional rules {nearest.label} comes nearest to the best that its largest size allows: "
        f"{left}% above it in the mean over the three effects. No rule with the same errors and largest size, learned or "
        "not, can save more than that."
    )


def draw_stopping(rules: Sequence[StoppingRule], kind: str) -> bytes:
    """Return the picture.

    Parameters
    ----------
    rules
        Of the benchmark.
    kind
        ``svg`` or ``png``.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        frontier = sorted((rule.maximum, rule.best) for rule in rules)
        largest, best = zip(*frontier, strict=True)
        axes.plot(largest, best, color=PALETTE[0], linewidth=1.0, label="the best there is")
        for place, rule in enumerate(each for each in rules if each.family == "traditional"):
            axes.plot(
                rule.maximum, rule.mean, MARKERS[place % len(MARKERS)], color=PALETTE[2], markerfacecolor="none",
                label=rule.label, linestyle="none",
            )  # fmt: skip
        axes.set(xlabel="largest size over that of the fixed test", ylabel="mean expected size")
        axes.legend(fontsize="small")

    return picture(kind, (8.0, 4.6), draw)
