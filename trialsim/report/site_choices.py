"""Choices of sites compared: a table, what it says, and the frontier of time against diversity with patients over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialsim.oc.site_choices import Rival, SiteChoice
from trialsim.report.figures import LINES, MARKERS, PALETTE
from trialsim.report.numbers import decimals_for, plain
from trialsim.report.picture import picture
from trialsim.report.tables import TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = {
    "months_to_last_patient": "months to last patient in",
    "screened_per_enrolled": "screened per enrolled",
    "screen_failure_rate": "screen failures",
    "cost": "cost, thousands",
    "distance_from_pool": "distance from the eligible",
}
_IN_CURVES = 5
_COLOUR = {"traditional": 2, "learned": 1, "control": 0}


def site_choices_table(title: str, choices: Sequence[SiteChoice]) -> TextTable:
    """Return the table; second lines are differences from the first choice, paired by trial.

    Parameters
    ----------
    title
        Of the table.
    choices
        Of the benchmark.
    """
    names = [each.name for each in choices[0].estimates]
    shown = dict(_SHOWN)
    for name in names:
        if name.startswith("enrolled of "):
            shown[name] = name
        elif name.endswith(" beyond the pool"):
            shown[name] = f"{name.removesuffix(' beyond the pool')}, beyond the eligible"
    rows = []
    for place, each in enumerate(choices):
        cells: list[tuple[str, ...]] = [(each.label,)]
        for name in shown:
            per = 1000.0 if name == "cost" else 1.0
            value = each.estimate(name)
            lines = [_with_error(value.value / per, value.mcse / per)]
            if place:
                apart = next(found for found in each.differences if found.name == name)
                sign = "+" if apart.value > 0 else ""
                lines.append(f"{sign}{_with_error(apart.value / per, apart.mcse / per)}")
            cells.append(tuple(lines))
        rows.append(tuple(cells))
    return TextTable(title, ("sites", *shown.values()), tuple(rows))


def site_verdicts(rivals: Sequence[Rival]) -> list[str]:
    """Return what the table says of each learned choice beside the best traditional one.

    Parameters
    ----------
    rivals
        Of the benchmark.
    """
    said = []
    for each in rivals:
        gain = each.gain
        sure = abs(gain.value) > 1.959964 * gain.mcse
        # By the 95% interval of the paired difference.
        verdict = "cannot be told from" if not sure else "beats" if gain.value > 0 else "loses to"
        said.append(
            f"A distance of 1 from the eligible worth {each.weight:g} months: {each.learned} {verdict} {each.best}, the "
            f"best traditional choice, by {_with_error(gain.value, gain.mcse)} months' worth (paired by trial)."
        )
    return said


def draw_site_choices(choices: Sequence[SiteChoice], rivals: Sequence[Rival], kind: str) -> bytes:
    """Return the picture: months against the distance from the eligible pool, and patients over time.

    Parameters
    ----------
    choices, rivals
        Of the benchmark.
    kind
        ``svg`` or ``png``.
    """

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        _draw_frontier(left, choices)
        _draw_curves(right, choices, rivals)

    return picture(kind, (11.0, 4.8), draw)


def _draw_frontier(axes: Axes, choices: Sequence[SiteChoice]) -> None:
    """Draw every choice but the worst control, the balanced and the learned ones joined."""
    drawn = [each for each in choices if each.label != "backwards"]
    for prefix, number in (("balanced_", 2), ("learned_", 1)):
        line = [_point(each) for each in drawn if each.label.startswith(prefix)]
        axes.plot([x for x, *_ in line], [y for _, y, *_ in line], color=PALETTE[number], linewidth=1.0)
    for place, each in enumerate(drawn):
        x, y, dx, dy = _point(each)
        colour = PALETTE[_COLOUR[each.family]]
        axes.errorbar(
            [x], [y], [1.96 * dy], [1.96 * dx], fmt=MARKERS[place % len(MARKERS)], color=colour, markersize=5,
            markerfacecolor=colour if each.family == "learned" else "none", label=each.label.replace("_", " "),
        )  # fmt: skip
    axes.set(
        xlabel="distance of the enrolled from the eligible (95% interval)",
        ylabel="months to the last patient in (95% interval)",
        title="time against diversity",
    )
    axes.set_ylim(top=1.5 * max(y for _, y, *_ in map(_point, drawn)))  # room for the legend
    axes.legend(frameon=False, fontsize=7, ncols=3, loc="upper left")


def _draw_curves(axes: Axes, choices: Sequence[SiteChoice], rivals: Sequence[Rival]) -> None:
    """Draw patients over time of the learned choices, their rivals and the oracle, from the 10th to the 90th percentile."""
    wanted = ["by_record", *(name for each in rivals for name in (each.best, each.learned)), "oracle"]
    names = list(dict.fromkeys(wanted))[:_IN_CURVES]
    for place, name in enumerate(names):
        curve = next(each.curve for each in choices if each.label == name)
        colour, line = PALETTE[place % len(PALETTE)], LINES[place % len(LINES)]
        axes.plot(curve.weeks, curve.mean, color=colour, linestyle=line, label=name.replace("_", " "))
        axes.fill_between(curve.weeks, curve.p10, curve.p90, color=colour, alpha=0.12, linewidth=0)
    longest = max(each.estimate("months_to_last_patient").value for each in choices if each.label in names)
    axes.set(
        xlabel="months",
        ylabel="patients (mean; 10th to 90th percentile)",
        title="enrolment",
        xlim=(0.0, 1.6 * longest),
    )
    axes.legend(frameon=False, fontsize=8)


def _point(choice: SiteChoice) -> tuple[float, float, float, float]:
    """Return distance and months, and the Monte Carlo error of each."""
    apart, months = choice.estimate("distance_from_pool"), choice.estimate("months_to_last_patient")
    return apart.value, months.value, apart.mcse, months.mcse


def _with_error(value: float, mcse: float) -> str:
    """Return a mean with its Monte Carlo error, and no more digits than it bears out."""
    if not mcse >= 0.0:
        return f"{plain(value, 2)} (one trial)"
    decimals = decimals_for(mcse) if mcse > 0.0 else (0 if value.is_integer() else 2)
    return f"{plain(value, decimals)} ({plain(mcse, decimals)})"
