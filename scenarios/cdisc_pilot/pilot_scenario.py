"""The scenario file, written from its template and the fitted figures of ``parameters.json``."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Any

import numpy as np
from fit_ramp_up import SLOWED
from pilot_tables import ARMS, HERE, PIECE_NAMES, PIECES, SEVERITIES

WEEKS = (8, 16, 24)
CONSTANT_REASONS = (
    "lack_of_efficacy",
    "lost",
    "physician_decision",
    "protocol_deviation",
    "sponsor",
    "withdrawal",
)
INDENT = "  "


def scenario_text(parameters: Mapping[str, Any]) -> str:
    """Return ``cdisc_pilot.yaml``.

    Parameters
    ----------
    parameters
        The content of ``parameters.json``.

    Raises
    ------
    ArithmeticError
        If the three correlations of ADAS-Cog cannot come from one common factor.
    """
    template = Template((HERE / "cdisc_pilot.yaml.template").read_text(encoding="utf-8"))
    values = (
        _population(parameters["adverse_events"])
        | _recruitment(parameters["enrolment"])
        | _adas(parameters["measurements"])
        | _measured(parameters["measurements"])
        | _events(parameters)
        | _leaving(parameters["discontinuation"])
    )
    jitter = parameters["visits"]["off_plan.clinic.sd"]
    return template.substitute(values, jitter=number(jitter["value"]), jitter_error=error(jitter))


def number(value: float) -> str:
    """Return a number to five significant digits, without an exponent."""
    return np.format_float_positional(float(f"{value:.5g}"), trim="-")


def fitted(row: Mapping[str, Any]) -> str:
    """Return a fitted figure with its standard error, where it has one."""
    value = number(row["value"])
    return value if row["se"] is None else f"{value} +- {np.format_float_positional(row['se'], trim='-')}"


def error(row: Mapping[str, Any]) -> str:
    """Return the comment with the standard error of the figure before it."""
    if row["se"] is None:
        return "# nothing seen"
    return f"# +- {np.format_float_positional(row['se'], trim='-')}"


def frailty_mean(events: Mapping[str, Any]) -> float:
    """Return the mean of exp(trait) where its variance over its squared mean is the fitted variance of the frailty."""
    return float(np.sqrt(1.0 + events["event_frailty.variance"]["value"]))


def _population(events: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of the frailty: a normal trait with log(1 + variance) as its own variance."""
    row = events["event_frailty.variance"]
    return {
        "frailty_sd": number(float(np.sqrt(np.log(1.0 + row["value"])))),
        "frailty_variance": fitted(row),
        "frailty_mean": number(frailty_mean(events)),
    }


def _recruitment(enrolment: Mapping[str, Any]) -> dict[str, str]:
    """Return sites, each a group of its own, and screening."""
    lines = []
    slowdown, start, over = (enrolment[f"ramp_up.{name}"] for name in ("slowdown", "from", "over"))
    ramp_up = f"ramp_up: {{from: {number(start['value'])}, over: {number(over['value'])} days}}"
    for name in enrolment:
        if not name.startswith("activation_day.") or not (site := name.split(".")[1]).isdigit():
            continue
        rate = enrolment[f"ramp_up.rate.{site}"]
        day = enrolment[name]["value"]
        parts = [f"rate: {number(rate['value'])} per day", ramp_up, "backlog: 1"]
        if day:
            parts.insert(0, f"activation: {day} days")
        competing = f"competing: [{{from: {SLOWED} days, share: {number(slowdown['value'])}}}]"
        lines += [
            f"{INDENT * 2}site_{site}: {error(rate)}",
            f"{INDENT * 3}{{{', '.join(parts)},",
            f"{INDENT * 3} {competing}}}",
        ]
    failure = enrolment["screen_failure"]
    mean, sd = (enrolment[f"screening_to_randomisation.log_{name}"] for name in ("mean", "sd"))
    return {
        "sites": "\n".join(lines),
        "slowed": str(SLOWED),
        "slowdown": fitted(slowdown),
        "ramp_up_from": fitted(start),
        "ramp_up_over": fitted(over),
        "eligible": number(1.0 - failure["value"]),
        "screen_failure": fitted(failure),
        "lag_median": number(float(np.exp(mean["value"]))),
        "lag_sd": number(sd["value"]),
        "lag_log_mean": fitted(mean),
        "lag_log_sd": fitted(sd),
    }


def _adas(rows: Mapping[str, Any]) -> dict[str, str]:
    """Return the endpoints of ADAS-Cog and the figures of their common factor."""
    near, far, late = (rows[f"adas_cog.correlation.{pair}"] for pair in ("8_16", "8_24", "16_24"))
    a, b, c = (row["value"] for row in (near, far, late))
    squares = np.array([a * b / c, a * c / b, b * c / a])
    if not (squares < 1.0).all():
        raise ArithmeticError("the correlations of ADAS-Cog need more than one common factor")
    loadings = dict(zip(WEEKS, np.sqrt(squares), strict=True))
    blocks = []
    for week in WEEKS:
        change = {arm: rows[f"adas_cog.change.{arm}.{week}"] for arm in ARMS}
        slope, sd = rows[f"adas_cog.slope_on_baseline.{week}"], rows[f"adas_cog.residual_sd.{week}"]["value"]
        effects = {arm: change[arm]["value"] - change["placebo"]["value"] for arm in ARMS[1:]}
        lines = [
            f"adas_week{week}:",
            "  kind: continuous",
            f"  readout: {week} weeks",
            f"  mean: {number(change['placebo']['value'])} {error(change['placebo'])}",
            f"  sd: {number(sd * float(np.sqrt(1.0 - loadings[week] ** 2)))}",
            f"  # Changes: low {fitted(change['low'])}, high {fitted(change['high'])}.",
            f"  effect: {{{', '.join(f'{arm}: {number(value)}' for arm, value in effects.items())}}}",
            "  effect_kind: conditional",
            f"  covariates: {{adas: {number(slope['value'])}}} {error(slope)}",
            f"  centre: {{adas: {number(rows['adas_cog.baseline.mean']['value'])}}}",
            f"  latent: {{prognosis: {number(sd * loadings[week])}}}",
        ]
        blocks.append("\n".join(INDENT + line for line in lines))
    residuals = [fitted(rows[f"adas_cog.residual_sd.{week}"]) for week in WEEKS]
    return {
        "adas": "\n\n".join(blocks),
        "correlations": ", ".join(fitted(row) for row in (near, far, late)),
        "residuals": ", ".join(residuals),
    }


def _measured(rows: Mapping[str, Any]) -> dict[str, str]:
    """Return what was fitted of laboratory values and vital signs, which are not simulated, as comments."""
    names = [name.partition(".")[0] for name in rows if name.endswith(".baseline.mean")]
    lines = []
    for name in (name for name in names if name != "adas_cog"):
        baseline = rows[f"{name}.baseline.mean"]
        lines.append(f"#   {name}, {baseline['unit']}: {fitted(baseline)}")
        for week in (4, 24):
            changes = ", ".join(f"{arm} {fitted(rows[f'{name}.change.{arm}.{week}'])}" for arm in ARMS)
            lines.append(f"#     week {week}: {changes}")
    return {"measured": "\n".join(lines)}


def _events(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the terms of adverse events, one for each severity, with the fitted figures they come from."""
    rows = parameters["adverse_events"]
    rates = {arm: [rows[f"event_frailty_rate.{arm}.{piece}"] for piece in PIECE_NAMES] for arm in ARMS}
    shares = {arm: {level: rows[f"severity_share.{arm}.{level}"] for level in SEVERITIES} for arm in ARMS}
    table = []
    for arm in ARMS:
        cells = [f"{piece}: {fitted(row)}" for piece, row in zip(PIECE_NAMES, rates[arm], strict=True)]
        table.append(f"#   {arm:8s} {', '.join(cells)}")
    shared = [
        f"#   {arm:8s} {', '.join(f'{level} {fitted(row)}' for level, row in shares[arm].items())}"
        for arm in ARMS
    ]
    mean, window = frailty_mean(rows), parameters["discontinuation"]["last_dose_to_disposition.mean"]
    blocks = []
    for level in SEVERITIES:
        share = shares["placebo"][level]["value"]
        lines = [f"{level}_event:", "  baseline:", "    piecewise:"]
        lines += [
            f"      - {{from: {day} days, hazard: {number(row['value'] * share / mean)} per day}}"
            for day, row in zip(PIECES, rates["placebo"], strict=True)
        ]
        lines.append("  effect:")
        for arm in ARMS[1:]:
            lines.append(f"    {arm}:")
            times = [
                own["value"] / row["value"] for own, row in zip(rates[arm], rates["placebo"], strict=True)
            ]
            lines += [
                f"      - {{from: {day} days, hazard_ratio: {number(ratio * shares[arm][level]['value'] / share)}}}"
                for day, ratio in zip(PIECES, times, strict=True)
            ]
        serious = rows[f"serious_criterion_share.{level}"]
        centre, spread = (rows[f"duration.{level}.log_normal.{name}"] for name in ("mean", "sd"))
        median = number(float(np.exp(centre["value"])))
        lines += [
            "  latent: {toxicity: 1}",
            f"  severity: {{{level}: 1}}",
            f"  serious: {{{level}: {number(serious['value'])}}} {error(serious)}",
            f"  # log mean {fitted(centre)}, log s.d. {fitted(spread)}",
            f"  duration: {{log_normal: {{median: {median} days, sd_log: {number(spread['value'])}}}}}",
            f"  window: {number(window['value'])} days {error(window)}",
        ]
        blocks.append("\n".join(INDENT + line for line in lines))
    return {"intensities": "\n".join(table), "shares": "\n".join(shared), "events": "\n\n".join(blocks)}


def _leaving(rows: Mapping[str, Any]) -> dict[str, str]:
    """Return the hazards of stopping treatment and of death."""
    model = {name: rows[f"stop_for_event.worst.{name}"] for name in (*PIECE_NAMES, *ARMS[1:], *SEVERITIES)}
    values = {f"log_{name}": fitted(model[name]) for name in (*ARMS[1:], *SEVERITIES)}
    values |= {
        f"stop_{name}": number(float(np.exp(model[name]["value"]))) for name in (*ARMS[1:], *SEVERITIES)
    }
    values["log_baseline"] = ", ".join(fitted(model[piece]) for piece in PIECE_NAMES)
    values["stop_baseline"] = "\n".join(
        f"{INDENT * 4}- {{from: {day} days, hazard: {number(float(np.exp(model[piece]['value'])))} per day}}"
        for day, piece in zip(PIECES, PIECE_NAMES, strict=True)
    )
    hazards = {reason: rows[f"hazard.{reason}.all.constant"] for reason in ("death", *CONSTANT_REASONS)}
    values["reasons"] = "\n".join(
        f"{INDENT}{reason}: {{baseline: {{hazard: {number(hazards[reason]['value'])} per day}}}} {error(hazards[reason])}"
        for reason in CONSTANT_REASONS
    )
    return values | {"death": number(hazards["death"]["value"]), "death_error": error(hazards["death"])}
