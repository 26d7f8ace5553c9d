"""Stopping rules compared: a table, what it says, and the picture of expected sizes against the largest one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trialsim.oc.stopping_rules import LearnedStopping, StoppingRule
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


def learned_sentences(learned: Sequence[LearnedStopping]) -> list[str]:
    """Return how far learned rules are on the way to the optimum, and how much there was to gain.

    Parameters
    ----------
    learned
        Of the benchmark, by largest size.
    """
    said = []
    for each in learned:
        error = (
            "" if math.isnan(each.share_error) else f" (standard error {plain(100 * each.share_error, 0)}%)"
        )
        way = "goes" if each.share >= 0.0 else "falls short of it by"
        said.append(
            f"Largest size {plain(each.maximum, 2)}: the best traditional rule, {each.best}, is "
            f"{plain(100 * each.left, 2)}% above the optimum; what is learned {way} "
            f"{plain(abs(100 * each.share), 0)}%{error} of that way, over {len(each.means)} trainings."
        )
    return said


def look_time_sentence(errors: Mapping[str, float]) -> str:
    """Return what becomes of the level where the interim is placed by looking.

    Parameters
    ----------
    errors
        Error by spending function, at a nominal 0.025.
    """
    said = ", ".join(f"{plain(error, 4)} with {name.replace('_', ' ')}" for name, error in errors.items())
    return (
        "Look times must not depend on what has been seen of the effect: one interim placed at the first information from "
        f"0.20 to 0.95 at which it rejects has, at a nominal 0.025, an error of {said} spending (exact)."
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
        drawn: Counter[str] = Counter()
        for rule in (each for each in rules if each.family != "optimum"):
            colour, mark = (
                PALETTE[1 if rule.family == "learned" else 2],
                MARKERS[drawn[rule.family] % len(MARKERS)],
            )
            drawn[rule.family] += 1
            axes.plot(
                rule.maximum, rule.mean, mark, color=colour, linestyle="none",
                markerfacecolor=colour if rule.family == "learned" else "none", label=rule.label,
            )  # fmt: skip
        axes.set(xlabel="largest size over that of the fixed test", ylabel="mean expected size")
        axes.legend(fontsize="small")

    return picture(kind, (8.0, 4.6), draw)
