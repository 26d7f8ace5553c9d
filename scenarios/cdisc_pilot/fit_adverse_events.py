"""Adverse events: when they start, how they differ between patients, how severe and how long they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pilot_likelihood import maximise
from pilot_survival import kaplan_meier
from pilot_tables import (
    ARMS,
    PIECE_NAMES,
    SEVERITIES,
    Floats,
    Row,
    adverse_event_episodes,
    adverse_event_records,
    exposure,
    piece_of,
    randomised,
    rate,
    row,
    share,
)
from scipy.special import gammaln
from scipy.stats import norm

RESOLVED_BY = (7, 28, 84)
COMMON_CLASS = 20  # emergent events from which a class has a share of its own


def counts_by_piece(events: pd.DataFrame, patients: pd.DataFrame) -> Floats:
    """Return emergent events of each patient in each piece, ``[patient, piece]``."""
    found = np.zeros((len(patients), len(PIECE_NAMES)))
    emergent = events[events["emergent"]]
    rows = patients.index.get_indexer(emergent["patient"])
    np.add.at(found, (rows, piece_of(emergent["start_day"].to_numpy(float))), 1.0)
    return found


def fit_frailty(counts: Floats, days: Floats, arm: Floats) -> tuple[Floats, Floats, float]:
    """Return log rates by arm and piece and the log variance of a gamma frailty with mean 1.

    Parameters
    ----------
    counts, days
        Events and days at risk, ``[patient, piece]``.
    arm
        Number of each patient's arm, ``[patient]``.

    Returns
    -------
    tuple
        Log rates arm after arm, then the log variance; their covariance; the log-likelihood.

    Notes
    -----
    Given the frailty, events are a Poisson process; without it, counts are negative binomial (Lawless, Can J Stat
    1987;15:209). That patients leave because of events they have had does not disturb this likelihood; leaving
    because of the frailty itself would.
    """
    total, pieces, arms = counts.sum(axis=1), counts.shape[1], int(arm.max()) + 1
    shared = np.zeros((arms, pieces))
    np.add.at(shared, arm, counts)

    def log_likelihood(at: Floats) -> float:
        log_rates, shape = at[:-1].reshape(arms, pieces), np.exp(-at[-1])
        expected = (days * np.exp(log_rates)[arm]).sum(axis=1)
        terms = gammaln(total + shape) - gammaln(shape) - total * np.log(shape)
        terms = terms - (total + shape) * np.log1p(expected / shape)
        return float(terms.sum() + (shared * log_rates).sum())

    time = np.zeros((arms, pieces))
    np.add.at(time, arm, days)
    return maximise(log_likelihood, np.append(np.log(np.maximum(shared, 0.5) / time).ravel(), 0.0))


def fit_durations(lower: Floats, upper: Floats, family: str) -> tuple[Floats, Floats, float]:
    """Return location and log scale of the log duration, censored between two limits.

    Parameters
    ----------
    lower, upper
        Days between which the duration lies; an infinite upper limit where the end is not known.
    family
        ``log_normal`` or ``weibull`` (minimum extreme value on the log scale).
    """
    logs = np.log(np.maximum(lower, 1e-12)), np.log(upper)

    def survival(z: Floats) -> Floats:
        return norm.sf(z) if family == "log_normal" else np.exp(-np.exp(np.minimum(z, 700.0)))

    def log_likelihood(at: Floats) -> float:
        scale = np.exp(at[1])
        inside = survival((logs[0] - at[0]) / scale) - survival((logs[1] - at[0]) / scale)
        return float(np.log(np.maximum(inside, 1e-300)).sum())

    return maximise(log_likelihood, np.array([2.5, 0.7]))


def duration_limits(episodes: pd.DataFrame, patients: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return the limits of each emergent event's duration; nothing is known of it after the disposition.

    An event that starts on day 3 and ends on day 3 has lasted up to a day, one that ends on day 4 up to two.
    """
    emergent = episodes[episodes["emergent"]]
    until = patients["day"].reindex(emergent["patient"]).to_numpy(float)
    start, end = emergent["start_day"].to_numpy(float), emergent["end_day"].to_numpy(float)
    ended = (emergent["resolved"].to_numpy() == 1) & (end <= until)
    lower = np.where(ended, end, until + 1) - start
    return lower, np.where(ended, lower + 1, np.inf)


def fit() -> dict[str, Row]:
    """Return the figures of adverse events, by name."""
    patients, episodes = randomised(), adverse_event_episodes()
    found = {}
    for unit, events in (("record", adverse_event_records()), ("event", episodes)):
        found |= _rates(patients, events, unit) | _overdispersion(patients, events, unit)
    found |= _after_last_dose(patients, episodes) | _kinds(patients, episodes)
    return found | _durations(patients, episodes)


def _rates(patients: pd.DataFrame, events: pd.DataFrame, unit: str) -> dict[str, Row]:
    """Return rates by arm, severity and piece, and of all severities."""
    days = exposure(patients["days_at_risk"].to_numpy(float))
    found = {}
    before = int((~events["emergent"]).sum())
    found[f"{unit}.before_first_dose"] = row(
        before, None, before, unit + "s", f"{unit}s that began before the first dose"
    )
    for arm in ARMS:
        here = (patients["arm"] == arm).to_numpy()
        for severity in [*SEVERITIES, "any"]:
            kind = events if severity == "any" else events[events["severity"] == severity]
            counts = counts_by_piece(kind, patients)[here]
            for piece, name in enumerate(PIECE_NAMES):
                found[f"{unit}_rate.{arm}.{severity}.{name}"] = rate(
                    int(counts[:, piece].sum()),
                    days[here, piece].sum(),
                    f"adverse event {unit}s of severity {severity} starting on days {name} since first dose, {arm},"
                    " per patient-day up to disposition",
                )
    return found


def _overdispersion(patients: pd.DataFrame, events: pd.DataFrame, unit: str) -> dict[str, Row]:
    """Return the variance of the frailty and the rates of a patient whose frailty is 1."""
    counts = counts_by_piece(events, patients)
    days = exposure(patients["days_at_risk"].to_numpy(float))
    arm = np.array([ARMS.index(name) for name in patients["arm"]])
    estimate, covariance, maximum = fit_frailty(counts, days, arm)
    spread = np.sqrt(np.diag(covariance))
    variance = np.exp(estimate[-1])
    found = {}
    found[f"{unit}_frailty.variance"] = row(
        variance,
        variance * spread[-1],
        len(patients),
        "1",
        f"variance of a gamma frailty (mean 1) that multiplies a patient's rate of all {unit}s",
    )
    for place, (log_rate, error) in enumerate(zip(estimate[:-1], spread[:-1], strict=True)):
        a, piece = divmod(place, len(PIECE_NAMES))
        name = f"{unit}_frailty_rate.{ARMS[a]}.{PIECE_NAMES[piece]}"
        found[name] = row(
            np.exp(log_rate),
            np.exp(log_rate) * error,
            int(counts[arm == a, piece].sum()),
            "per patient-day",
            f"rate of {unit}s of any severity of a patient with frailty 1, fitted with the variance; to be used"
            " where the frailty is simulated",
        )
    crude = np.zeros((len(ARMS), len(PIECE_NAMES)))
    np.add.at(crude, arm, counts)
    time = np.zeros_like(crude)
    np.add.at(time, arm, days)
    poisson = (crude * np.log(crude / time)).sum() - crude.sum()
    found[f"{unit}_frailty.twice_log_likelihood_gain"] = row(
        2 * (maximum - poisson), None, len(patients), "1", "over the same rates without frailty"
    )
    return found


def _after_last_dose(patients: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Row]:
    """Return the rate between the last dose and the disposition, and how long that takes."""
    found = {}
    for arm in ARMS:
        rows = patients[patients["arm"] == arm]
        emergent = episodes[episodes["emergent"] & episodes["patient"].isin(rows.index)]
        late = (
            emergent["start_day"].to_numpy() > rows["last_dose_day"].reindex(emergent["patient"]).to_numpy()
        )
        found[f"event_rate_after_last_dose.{arm}"] = rate(
            int(late.sum()),
            float((rows["day"] - rows["last_dose_day"]).sum()),
            f"events starting after the last dose, {arm}, per patient-day from then to disposition",
        )
    return found


def _kinds(patients: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Row]:
    """Return the shares of severities by arm, of serious events by severity, and of classes by arm."""
    emergent = episodes[episodes["emergent"]].copy()
    emergent["arm"] = patients["arm"].reindex(emergent["patient"]).to_numpy()
    found = {}
    for arm in ARMS:
        rows = emergent[emergent["arm"] == arm]
        for severity in SEVERITIES:
            found[f"severity_share.{arm}.{severity}"] = share(
                int((rows["severity"] == severity).sum()),
                len(rows),
                f"emergent events whose worst severity is {severity}, {arm}",
            )
    for severity in SEVERITIES:
        rows = emergent[emergent["severity"] == severity]
        found[f"serious_flag_share.{severity}"] = share(
            int(rows["serious"].sum()), len(rows), f"{severity} emergent events marked serious"
        )
        found[f"serious_criterion_share.{severity}"] = share(
            int(rows["criterion"].sum()),
            len(rows),
            f"{severity} emergent events that meet a criterion of seriousness (death, hospital, life-threatening, ...)",
        )
    sizes = emergent["class"].value_counts()
    common = sorted(sizes.index[sizes >= COMMON_CLASS])
    emergent["class"] = emergent["class"].where(emergent["class"].isin(common), "other")
    for arm in [*ARMS, "all"]:
        rows = emergent if arm == "all" else emergent[emergent["arm"] == arm]
        for name in [*common, "other"]:
            found[f"class_share.{arm}.{name}"] = share(
                int((rows["class"] == name).sum()), len(rows), f"emergent events of class {name}, {arm}"
            )
    return found


def _durations(patients: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Row]:
    """Return log-normal and Weibull laws of the duration by severity, and the share resolved by some days."""
    severity = episodes.loc[episodes["emergent"], "severity"].to_numpy()
    lower, upper = duration_limits(episodes, patients)
    found = {}
    for name in SEVERITIES:
        low, high = lower[severity == name], upper[severity == name]
        ended = np.isfinite(high)
        found[f"duration.{name}.unresolved"] = share(
            int((~ended).sum()),
            len(low),
            f"{name} emergent events not known to have ended by the disposition",
        )
        for family in ("log_normal", "weibull"):
            estimate, covariance, maximum = fit_durations(low, high, family)
            spread = np.sqrt(np.diag(covariance))
            text = f"of the duration of {name} events, {family.replace('_', '-')}, unresolved ones censored"
            if family == "log_normal":
                found[f"duration.{name}.log_normal.mean"] = row(
                    estimate[0], spread[0], len(low), "log days", f"mean of the logarithm {text}"
                )
                found[f"duration.{name}.log_normal.sd"] = row(
                    np.exp(estimate[1]),
                    np.exp(estimate[1]) * spread[1],
                    len(low),
                    "log days",
                    f"s.d. of the logarithm {text}",
                )
            else:
                found[f"duration.{name}.weibull.scale"] = row(
                    np.exp(estimate[0]), np.exp(estimate[0]) * spread[0], len(low), "days", f"scale {text}"
                )
                found[f"duration.{name}.weibull.shape"] = row(
                    np.exp(-estimate[1]), np.exp(-estimate[1]) * spread[1], len(low), "1", f"shape {text}"
                )
            found[f"duration.{name}.{family}.log_likelihood"] = row(
                maximum, None, len(low), "1", f"maximum {text}"
            )
        for days in RESOLVED_BY:
            value, error = _resolved_by(low, ended, days)
            found[f"duration.{name}.resolved_by_{days}"] = row(
                value,
                error,
                len(low),
                "probability",
                f"{name} events ended within {days} days (Kaplan-Meier)",
            )
    return found


def _resolved_by(lower: Floats, ended: Floats, days: int) -> tuple[float, float]:
    """Return the Kaplan-Meier probability of an end within ``days``, counting a first day as 1, and its s.e."""
    # An end on the day of the start is day 1; an event censored at the disposition was seen for whole days.
    time = np.where(ended, lower + 1, lower)
    survival, error, _ = kaplan_meier(time, ended, np.array([float(days)]))
    return 1 - float(survival[0]), float(error[0])
