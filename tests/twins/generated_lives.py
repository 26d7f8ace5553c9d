"""Patients' lives for generated trials, as hypothesis strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Tree = dict[str, Any]


def _days(days: float) -> str:
    return f"{days} days"


@st.composite
def _delay(draw: st.DrawFn, unit: int) -> Any:
    """Draw a delay of any law."""
    kind = draw(st.sampled_from(["fixed", "uniform", "exponential", "log_normal", "weibull"]))
    span = draw(st.integers(1, 4)) * unit
    return {
        "fixed": _days(span),
        "uniform": {"uniform": {"from": _days(unit / 2), "to": _days(span)}},
        "exponential": {"exponential": {"mean": _days(span)}},
        "log_normal": {"log_normal": {"median": _days(span), "sd_log": 0.8}},
        "weibull": {"weibull": {"shape": 1.5, "scale": _days(span)}},
    }[kind]


@st.composite
def _hazard(draw: st.DrawFn, arms: tuple[str, ...], latent: tuple[str, ...], unit: int) -> Tree:
    """Draw a hazard with effects and perhaps a latent trait."""
    part: Tree = {"baseline": {"hazard": f"{1 / (draw(st.integers(4, 20)) * unit)} per day"}}
    if draw(st.integers(0, 3)) == 3:
        part["baseline"] = {"weibull": {"shape": draw(st.sampled_from([0.7, 1.6])), "scale": _days(9 * unit)}}
    if draw(st.booleans()):
        step = {"from": _days(3 * unit), "hazard_ratio": 0.5}
        pieces = [{"from": "0 days", "hazard_ratio": 2.0}, step]
        part["effect"] = {arms[-1]: draw(st.sampled_from([0.5, 2.0, pieces]))}
    if latent and draw(st.booleans()):
        part["latent"] = {latent[0]: 0.5}
    return part


@st.composite
def _adverse_event(
    draw: st.DrawFn,
    arms: tuple[str, ...],
    latent: tuple[str, ...],
    unit: int,
    levels: tuple[str, ...],
    doses: int,
    dead: bool,
) -> Tree:
    """Draw a term of adverse events."""
    part: Tree = draw(_hazard(arms, latent, unit))
    share = 1 / len(levels)
    part["severity" if levels[0] == "mild" else "grades"] = dict.fromkeys(levels, share)
    part["window"] = _days(draw(st.integers(0, 4)) * unit)
    if draw(st.booleans()):
        part["dose_exponent"] = draw(st.sampled_from([0.5, 2]))
    if draw(st.booleans()):
        part["duration"] = draw(_delay(unit))
    if draw(st.booleans()):
        part["serious"] = {levels[-1]: 0.5}
    if dead and levels[0] == "mild" and draw(st.booleans()):
        part["fatal"] = {levels[-1]: 0.2}
    if draw(st.booleans()):
        action = {"discontinue": 0.2, "interrupt": 0.4} | ({"reduce": 0.3} if doses > 1 else {})
        part |= {"actions": dict.fromkeys(levels[1:], action), "interruption": draw(_delay(unit))}
    return part


@st.composite
def lives(draw: st.DrawFn, tree: Tree, arms: tuple[str, ...], latent: tuple[str, ...], unit: int) -> Tree:
    """Draw what becomes of patients; changes the endpoints of ``tree`` and returns the parts to add to it."""
    endpoints: dict[str, Tree] = tree["endpoints"]
    survival = sorted(name for name, part in endpoints.items() if part["kind"] == "survival")
    read = sorted(set(endpoints) - set(survival))
    parts: Tree = {}
    dead = bool(survival) and draw(st.booleans())
    if dead:
        endpoints[survival[0]]["terminal"] = True
    visits = draw(st.booleans())
    if visits:
        parts["visits"] = {"every": _days(2 * unit), "until": _days(draw(st.integers(6, 20)) * unit)}
        if draw(st.booleans()):
            parts["visits"]["jitter"] = draw(st.sampled_from([{"sd": _days(unit)}, {"uniform": _days(unit)}]))
        if draw(st.booleans()):
            parts["visits"]["missed"] = 0.2
        if draw(st.booleans()):
            parts["visits"]["late"] = {"probability": 0.3, "delay": draw(_delay(unit))}
        for name in (*survival[dead:], *read):
            if draw(st.booleans()):
                endpoints[name]["detected"] = "visits"
    for name in survival:
        if draw(st.integers(0, 3)) == 3:
            endpoints[name].pop("readout", None)
            endpoints[name]["report_delay"] = draw(_delay(unit))
        if "readout" not in endpoints[name] and draw(st.integers(0, 3)) == 3:
            endpoints[name]["adjudication"] = {"delay": draw(_delay(unit)), "confirmed": 0.7}
    levels = draw(st.sampled_from([("mild", "moderate", "severe"), ("1", "2", "3", "4")]))
    doses = draw(st.integers(1, 3))
    terms = draw(st.lists(st.sampled_from(["ache", "rash", "sepsis"]), unique=True, max_size=2))
    if terms:
        event = _adverse_event(arms, latent, unit, levels, doses, dead)
        parts["adverse_events"] = {term: draw(event) for term in terms}

    def leaving(part: Tree) -> Tree:
        if terms and draw(st.booleans()):
            part["after"] = {levels[1]: 2.0, levels[-1]: 5.0}
        if read and draw(st.booleans()):
            part["outcome"] = {read[0]: draw(st.sampled_from([-0.2, 0.1]))}
        return part

    reasons = draw(st.lists(st.sampled_from(["adverse_event", "patient"]), unique=True, max_size=2))
    if reasons:
        parts["discontinuation"] = {name: leaving(draw(_hazard(arms, latent, unit))) for name in reasons}
    if draw(st.booleans()):
        parts["withdrawal"] = leaving(draw(_hazard(arms, latent, unit)))
    if "dropout" in tree:
        leaving(tree["dropout"])
    treatment: Tree = {"doses": [1, 0.6, 0.3][:doses]}
    if draw(st.booleans()):
        treatment["duration"] = _days(draw(st.integers(2, 12)) * unit)
    fading = draw(st.sampled_from(["none", "stops", "wanes"]))
    if fading == "stops":
        treatment["effect_stops"] = True
    elif fading == "wanes":
        treatment["waning"] = {"half_life": _days(4 * unit)}
    if survival and reasons and draw(st.booleans()):
        ratio = {survival[-1]: 0.5}
        treatment["rescue"] = {"probability": 0.6, "delay": draw(_delay(unit)), "hazard_ratio": ratio}
    living = survival[dead:]
    if (reasons or living) and draw(st.booleans()):
        on = draw(st.sampled_from([*living, *(["discontinuation"] if reasons else [])]))
        treatment["crossover"] = {
            "from": [arms[0]],
            "to": arms[-1],
            "probability": 0.6,
            "on": on,
            "delay": draw(_delay(unit)),
        }
    parts["treatment"] = treatment
    return parts


@st.composite
def strategy(draw: st.DrawFn, tree: Tree, endpoint: str) -> str:
    """Draw a strategy for intercurrent events that an endpoint allows."""
    part = tree["endpoints"][endpoint]
    treatment = tree.get("treatment", {})
    acted = any("actions" in event for event in tree.get("adverse_events", {}).values())
    if not (acted or "discontinuation" in tree or {"duration", "crossover"} & set(treatment)):
        return "treatment_policy"
    ways = ["treatment_policy", "principal_stratum", "hypothetical", "while_on_treatment"]
    if part["kind"] != "continuous":
        ways.append("composite")
    return draw(st.sampled_from(ways))
