"""An interim analysis as people read it."""

from __future__ import annotations

import math

from trialsim.interim.result import LEAST_P, MOST_P, Conclusion, InterimAnalysis
from trialsim.interim.sentences import notes, recommendation
from trialsim.report.tables import TextTable

_NONE = "–"
_CHANCES = {
    "trend": "conditional power, under the trend seen",
    "design_effect": "conditional power, under the design's effect",
    "predictive": "predictive power, flat prior",
    "no_effect": "conditional error, under no effect and futility ignored",
}


def interim_tables(found: InterimAnalysis) -> tuple[TextTable, ...]:
    """Return the bounds look by look, what is concluded, and what may come."""
    tables = [_bounds(found), _conclusions(found)]
    if found.chances:
        rows = tuple(((_CHANCES[name],), (f"{value:.4f}",)) for name, value in found.chances.items())
        towards = "" if found.design.plan.request.sides == 1 else f", in favour of {found.design.arms[1]}"
        tables.append(TextTable("What may still come", (f"chance to reject later{towards}", "value"), rows))
    return tuple(tables)


def interim_sentences(found: InterimAnalysis) -> tuple[str, ...]:
    """Return what holds for the look as a whole, and notes."""
    design = found.design
    n = [int((found.data.treated == place).sum()) for place in range(2)]
    p = "one-sided" if design.plan.request.sides == 1 else "two-sided"
    last = ", the last" if found.is_last else ""
    return (
        f"Look {found.look}{last}: {found.counted:.6g} of {design.maximum:.6g} {design.unit}, information rate "
        f"{found.bounds.information_rates[found.look - 1]:.4f}.",
        f"{design.analysis}, {design.arms[1]} ({n[1]}) against {design.arms[0]} ({n[0]}): z = {found.z:.4f} (positive in "
        f"favour), nominal p = {found.nominal_p:.4g} {p}, {design.told.scale} {_on_scale(found, found.estimate)}.",
        recommendation(found),
        *(f"note: {sentence}" for sentence in notes(found)),
    )


def _on_scale(found: InterimAnalysis, value: float) -> str:
    if found.ratio:
        value = math.exp(value) if value < 700.0 else math.inf
    return f"{value:.4g}" if math.isfinite(value) else _NONE


def _bounds(found: InterimAnalysis) -> TextTable:
    bounds, looks = found.bounds, found.design.looks
    seen = [f"{look.z:.4f}" for look in looks] + [f"{found.z:.4f}"]
    seen += [_NONE] * (len(bounds.information_rates) - len(seen))
    rows = []
    for place, rate in enumerate(bounds.information_rates):
        cells = (
            f"{rate:.4f}", seen[place], _shown(bounds.efficacy_z[place]), _shown(bounds.futility_z[place]),
            f"{bounds.alpha_spent[place]:.6f}",
        )  # fmt: skip
        rows.append(((str(place + 1),), *((cell,) for cell in cells)))
    headings = ("look", "information rate", "z", "efficacy bound", "futility bound", "alpha spent")
    return TextTable("Bounds for the information seen", headings, tuple(rows))


def _p_value(conclusion: Conclusion) -> str:
    """Return a p value, a repeated one beyond the levels it is sought between as a limit."""
    p = conclusion.p_value
    beyond = {LEAST_P: "at most ", MOST_P: "at least "}.get(p, "") if conclusion.method == "repeated" else ""
    return f"{beyond}{p:.4g}"


def _conclusions(found: InterimAnalysis) -> TextTable:
    confidence = 1.0 - 2.0 * found.design.plan.request.level
    rows = []
    for each in found.conclusions:
        limits = f"{_on_scale(found, each.lower)} to {_on_scale(found, each.upper)}"
        rows.append(((each.method,), (_p_value(each),), (_on_scale(found, each.estimate),), (limits,)))
    p = "one-sided p" if found.design.plan.request.sides == 1 else "two-sided p"
    headings = ("inference", p, found.design.told.scale, f"{100 * confidence:.4g}% interval")
    return TextTable("What is concluded", headings, tuple(rows))


def _shown(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else _NONE
