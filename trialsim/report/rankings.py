"""Rankings compared: a table, and a picture of weeks against the area under the curve and of patients over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from trialsim.oc.rankings import Compared, Difference, Estimate, fastest
from trialsim.report.figures import LINES, MARKERS, PALETTE
from trialsim.report.numbers import decimals_for, plain
from trialsim.report.picture import picture
from trialsim.report.tables import TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = {
    "weeks_to_target": "weeks to target",
    "screened_per_enrolled": "screened per enrolled",
    "screen_failure_rate": "screen failures",
    "power": "power",
    "cost": "cost, thousands",
}
_FURTHER = {
    "days_to_consent": "days to consent",
    "idle_days": "idle coordinator days",
    "adverse_events_per_patient": "adverse events a patient",
    "serious_adverse_events_per_patient": "serious ones a patient",
    "deaths_per_patient": "deaths a patient",
}
_ROUNDING = 1e-12  # what a mean of equal numbers is off by
_IN_CURVES = ("as_they_come", "rules", "logistic", "gradient_boosting", "mlp", "oracle")


def rankings_table(title: str, compared: Sequence[Compared]) -> TextTable:
    """Return the table of a comparison; second lines are differences from the first ranking, paired by replicate.

    Parameters
    ----------
    title
        Of the table.
    compared
        The rankings.
    """
    names = [each.name for each in compared[0].estimates]
    shown = {name: text for name, text in _SHOWN.items() if name in names}
    shown |= {name: name for name in names if name.endswith("of enrolled")}
    return measures_table(title, "ranking", compared, shown, [each.area for each in compared])


def further_table(title: str, compared: Sequence[Compared]) -> TextTable:
    """Return the table of times, screen failures by reason, safety, and bias as an estimate for all candidates.

    Parameters
    ----------
    title, compared
        As of :func:`rankings_table`.
    """
    names = [each.name for each in compared[0].estimates]
    shown = {name: text for name, text in _FURTHER.items() if name in names}
    shown |= {name: name for name in names if name.startswith(("screen failures: ", "bias of "))}
    return measures_table(title, "ranking", compared, shown)


class Measured(Protocol):
    """What was compared: a label, and measures with their differences from the first."""

    @property
    def label(self) -> str:
        """Its name."""

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """The measures."""

    def estimate(self, name: str) -> Estimate:
        """Return one of the measures by name."""

    def difference(self, name: str) -> Difference:
        """Return its difference from the first by name."""


def measures_table(
    title: str,
    head: str,
    compared: Sequence[Measured],
    shown: Mapping[str, str],
    areas: Sequence[float] | None = None,
) -> TextTable:
    """Return a table of some measures; second lines are differences from the first, paired by replicate.

    Parameters
    ----------
    title
        Of the table.
    head
        Of the first column.
    compared
        What was compared.
    shown
        Measures by name, and what the columns are called.
    areas
        Areas under the curve, where they are shown.
    """
    rows = []
    for place, each in enumerate(compared):
        cells: list[tuple[str, ...]] = [(each.label,), *([] if areas is None else [(f"{areas[place]:.3f}",)])]
        for name in shown:
            per = 1000.0 if name == "cost" else 1.0
            value, apart = each.estimate(name), each.difference(name)
            lines = [_with_error(value.value / per, value.mcse / per)]
            if place:
                lines.append(
                    f"{'+' if apart.value > 0 else ''}{_with_error(apart.value / per, apart.mcse / per)}"
                )
            cells.append(tuple(lines))
        rows.append(tuple(cells))
    return TextTable(title, (head, *([] if areas is None else ["AUC"]), *shown.values()), tuple(rows))


def eligible_shares(compared: Sequence[Measured]) -> str:
    """Return the sentence on each subgroup's share of the eligible; empty where none are reported."""
    parts = [each for each in compared[0].estimates if each.name.endswith(" of eligible")]
    said = ", ".join(
        f"{each.name.removesuffix(' of eligible')} {_with_error(each.value, each.mcse)}" for each in parts
    )
    return f"Shares of the eligible candidates: {said}." if said else ""


def winners(compared: Sequence[Compared], labels: Sequence[str]) -> str:
    """Return the sentence on who is fastest of some rankings, and by how much, paired by trial.

    Parameters
    ----------
    compared
        All rankings.
    labels
        Those that can be had: no control that reads what is hidden.
    """
    (first, _), *others = fastest(compared, labels)
    said = ", ".join(f"{label} +{_with_error(apart.value, apart.mcse)}" for label, apart in others)
    return f"Fastest: {first}. Weeks beyond it, paired by trial: {said}."


def draw_rankings(worlds: Mapping[str, Sequence[Compared]], kind: str) -> bytes:
    """Return the picture: a row a world, weeks against area on the left, patients over time on the right.

    Parameters
    ----------
    worlds
        The rankings compared in each world.
    kind
        ``svg`` or ``png``.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(worlds), 2, squeeze=False)
        for row, (name, compared) in zip(axes, worlds.items(), strict=True):
            _draw_areas(row[0], name, compared)
            _draw_curves(row[1], compared)

    return picture(kind, (11.0, 4.2 * len(worlds)), draw)


def _draw_areas(axes: Axes, name: str, compared: Sequence[Compared]) -> None:
    """Draw weeks against the area under the curve: emulated scores as a line, the others as points."""
    emulated = sorted((each.area, each.estimate("weeks_to_target")) for each in _emulated(compared))
    if emulated:
        axes.plot([area for area, _ in emulated], [weeks.value for _, weeks in emulated], color=PALETTE[0],
                  label="emulated scores")  # fmt: skip
    others = [each for each in compared if not each.label.startswith("emulated")]
    for place, each in enumerate(others):
        weeks = each.estimate("weeks_to_target")
        axes.errorbar(
            [each.area], [weeks.value], [1.96 * weeks.mcse], fmt=MARKERS[place % len(MARKERS)], markersize=6,
            color=PALETTE[1 + place % (len(PALETTE) - 1)], label=each.label.replace("_", " "), alpha=0.8,
        )  # fmt: skip
    axes.legend(frameon=False, fontsize=8)
    axes.set_title(f"{name} world")
    axes.set_xlabel("area under the curve, for being randomised if called")
    axes.set_ylabel("weeks to target (95% interval)")
    axes.set_ylim(bottom=0)


def _emulated(compared: Sequence[Compared]) -> list[Compared]:
    """Return the emulated scores among some rankings."""
    return [each for each in compared if each.label.startswith("emulated")]


def _draw_curves(axes: Axes, compared: Sequence[Compared]) -> None:
    """Draw patients over time, the mean and a band from the 10th to the 90th percentile."""
    drawn = [each for each in compared if each.label in _IN_CURVES]
    for place, each in enumerate(drawn):
        colour, line = PALETTE[place % len(PALETTE)], LINES[place % len(LINES)]
        curve = each.curve
        axes.plot(curve.weeks, curve.mean, color=colour, linestyle=line, label=each.label.replace("_", " "))
        axes.fill_between(curve.weeks, curve.p10, curve.p90, color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel("weeks")
    axes.set_ylabel("patients (mean; 10th to 90th percentile)")
    axes.legend(frameon=False, fontsize=8)


def _with_error(value: float, mcse: float) -> str:
    """Return a mean with its Monte Carlo error, and no more digits than it bears out; a dash where no trial has a value."""
    if math.isnan(value):
        return "–"
    if not mcse >= 0.0:
        return f"{plain(value, 2)} (one trial)"
    varies = mcse > _ROUNDING * abs(value)
    decimals = decimals_for(mcse) if varies else (0 if value.is_integer() else 2)
    return f"{plain(value, decimals)} ({plain(mcse, decimals)})"
