"""A sizing answer as people read it: a table, sentences, and a picture of its curves."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trialsim.errors import UsageError
from trialsim.report.figures import PALETTE, house_figure
from trialsim.report.numbers import DAYS_PER_MONTH, plain
from trialsim.report.picture import svg
from trialsim.report.tables import TextTable
from trialsim.stats.sample_size.answer import Answer, Curve, Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE_KINDS = ("svg", "png")
_DAYS = {"accrual_duration", "follow_up", "study_duration", "time", "expected_duration_h1"}
_WORDS = {
    "n_exact": "patients, exact solution",
    "n_total": "patients",
    "n_treatment": "patients on treatment",
    "n_control": "patients on control",
    "events_exact": "events, exact solution",
    "events": "events",
    "events_treatment": "expected events on treatment",
    "events_control": "expected events on control",
    "dropouts": "expected dropouts",
    "power": "power",
    "power_enumerated": "power, enumerated",
    "power_simulated": "power, simulated",
    "power_simulated_mcse": "its Monte Carlo standard error",
    "critical_effect": "smallest effect that rejects",
    "critical_count": "count at which it rejects",
    "accrual_duration": "accrual (months)",
    "follow_up": "follow-up after accrual (months)",
    "study_duration": "study duration (months)",
    "effect": "assumed effect",
    "null": "value to be ruled out",
    "alpha_one_sided": "alpha, one-sided",
    "power_target": "power asked for",
    "ratio": "treatment patients per control patient",
    "time": "months",
    "inflation_factor": "inflation factor",
    "expected_n_h0": "expected patients under no effect",
    "expected_n_h01": "expected patients under half the effect",
    "expected_n_h1": "expected patients",
    "expected_events_h0": "expected events at the end under no effect",
    "expected_events_h01": "expected events at the end under half the effect",
    "expected_events_h1": "expected events at the end",
    "expected_duration_h1": "expected duration (months)",
    "information_rate": "information",
    "efficacy_z": "efficacy z",
    "futility_z": "futility z",
    "nominal_p": "nominal p",
    "reject_h1": "rejects",
    "futility_h1": "futility",
    "n": "patients",
    "event_fraction": "event fraction",
    "information_fraction": "information fraction",
    "expected_z": "expected z",
    "independent_increments": "independent increments",
    "control_sd": "standard deviation on control",
    "sd": "standard deviation",
}
_WORDS_OF_POWER = {"events_exact": "expected events", "events": "expected events, rounded up"}
_TWO_ARMS = {"n_treatment", "n_control", "ratio"}
_COUNTS = {"n_total", "events", "enrolled", "n_exact", "events_exact", "dropouts", "n"}


def answer_tables(answer: Answer) -> tuple[TextTable, ...]:
    """Return the tables of an answer: results, assumptions, the analyses and other ways to the same power."""
    found = [
        _two_columns("results", answer, answer.results),
        _two_columns("assumed", answer, answer.assumptions),
    ]
    if answer.looks:
        found.append(_rows("looks", [dict(row) for row in answer.looks]))
    if answer.analyses:
        hidden = {"why"}
        found.append(
            _rows(
                "analyses, each with the power of a single test there",
                [{k: v for k, v in row.items() if k not in hidden} for row in answer.analyses],
            )
        )
    if answer.trade_off:
        found.append(
            _rows("the same power with other numbers of patients", [dict(row) for row in answer.trade_off])
        )
    return tuple(found)


def answer_sentences(answer: Answer) -> tuple[str, ...]:
    """Return the source of the formula, the true error of the bound, and the cautions."""
    attained = answer.attained_alpha
    found = [f"{answer.method[:1].upper()}{answer.method[1:]}; formula: {answer.source}."]
    if attained.attained is not None:
        largest = (
            "" if attained.largest is None else f"; at most {attained.largest:.4g} over all control rates"
        )
        error = "" if attained.mcse is None else f", Monte Carlo error {attained.mcse:.1g}"
        found.append(
            f"Attained one-sided alpha: {attained.attained:.4g} (nominal {attained.nominal:.4g}{error}){largest}."
        )
    else:
        found.append(f"Attained one-sided alpha: {attained.how}")
    reasons = dict.fromkeys(str(row["why"]) for row in answer.analyses if len(answer.analyses) > 1)
    found += [f"Increments between analyses: {reason}." for reason in reasons]
    return (*found, *(f"Warning: {warning}" for warning in answer.warnings))


def draw_answer(answer: Answer, kind: str) -> bytes:
    """Return a picture of the answer's curves.

    Parameters
    ----------
    answer
        The answer.
    kind
        ``svg`` or ``png``.

    Raises
    ------
    UsageError
        If the kind is another.
    """
    if kind not in PICTURE_KINDS:
        raise UsageError(f"a picture is of kind {' or '.join(PICTURE_KINDS)}, not {kind}.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with house_figure(7.0, 0.6 + 3.4 * len(answer.curves)) as figure:
        panels = figure.subplots(len(answer.curves), 1, squeeze=False)
        for place, curve in enumerate(answer.curves):
            _draw(panels[place][0], curve, place)
        if kind == "svg":
            return svg(figure).encode()
        target = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(target, format=kind, metadata={"Software": None}, dpi=150)
        return target.getvalue()


def _draw(axes: Axes, curve: Curve, place: int) -> None:
    colour = PALETTE[place % len(PALETTE)]
    axes.plot([x for x, _ in curve.points], [y for _, y in curve.points], color=colour, linewidth=1.8)
    if curve.target is not None:
        axes.axhline(curve.target, color="#9A9A9A", linewidth=1, linestyle=(0, (4, 3)))
    if curve.mark is not None:
        axes.plot(*curve.mark, "o", color=colour, markersize=6)
        axes.annotate(
            f"{curve.mark[0]:.4g}, {curve.mark[1]:.3g}",
            curve.mark,
            textcoords="offset points",
            xytext=(8, -12) if curve.y_name == "power" else (8, 8),
            fontsize=9,
        )
    if curve.y_name == "power":
        axes.set_ylim(-0.02, 1.02)
    axes.set_title(curve.title, loc="left")
    axes.set_xlabel(curve.x_name)
    axes.set_ylabel(curve.y_name)
    axes.grid(color="#DDDDDD", linewidth=0.8)
    axes.set_axisbelow(True)


def _two_columns(title: str, answer: Answer, figures: Mapping[str, Figure]) -> TextTable:
    unsaid = _TWO_ARMS if answer.results.get("n_control") == 0 else set()  # one sample has no control
    planned = answer.question == "power" and "events_exact" in answer.results
    words = _WORDS_OF_POWER if planned else {}
    rows = [
        ((words.get(name) or _word(name),), (_shown(name, value),))
        for name, value in figures.items()
        if value is not None and name not in unsaid
    ]
    return TextTable(title, ("", "value"), tuple(rows))


def _rows(title: str, rows: list[dict[str, Figure]]) -> TextTable:
    names = list(rows[0])
    cells = [tuple((_shown(name, row[name]),) for name in names) for row in rows]
    return TextTable(title, tuple(_word(name).replace(" after accrual", "") for name in names), tuple(cells))


def _word(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))


def _shown(name: str, value: Figure) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if name in _DAYS:
        return plain(value / DAYS_PER_MONTH, 2)
    if isinstance(value, int):
        return f"{value:,}"
    if name in _COUNTS or name.startswith(("events", "expected_n", "expected_events")):
        return plain(value, 2)
    if name == "nominal_p":
        return f"{value:.3g}"
    return f"{value:.4f}" if abs(value) < 1000 else plain(value, 2)
