"""Leaving treatment early: when, why, and what adverse events have to do with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pilot_likelihood import poisson_regression
from pilot_tables import (
    ARMS,
    PIECE_NAMES,
    PIECES,
    PLANNED_DAYS,
    SEVERITIES,
    Floats,
    Row,
    adverse_event_episodes,
    exposure,
    piece_of,
    randomised,
    rate,
    row,
    share,
)
from scipy.stats.mstats import mjci

TIMED = ["adverse_event", "withdrawal"]  # reasons frequent enough for hazards by arm and time
RECENT_DAYS = 14
COVARIATES = [*PIECE_NAMES, "low", "high", "mild", "moderate", "severe", "recent"]


def fit() -> dict[str, Row]:
    """Return the figures of discontinuation, by name."""
    patients, episodes = randomised(), adverse_event_episodes()
    return (
        _hazards(patients)
        | _after_events(patients, episodes)
        | _attributed(patients, episodes)
        | _gaps(patients)
    )


def _hazards(patients: pd.DataFrame) -> dict[str, Row]:
    """Return cause-specific hazards of the last dose."""
    days = patients["days_on_treatment"].clip(upper=PLANNED_DAYS).to_numpy(float)
    spent, piece = exposure(days), piece_of(patients["last_dose_day"].to_numpy(float))
    reasons = sorted(set(patients["reason"]) - {"completed"})
    found = {}
    for reason in [*TIMED, "other", "any"]:
        names = {"other": [r for r in reasons if r not in TIMED], "any": reasons}.get(reason, [reason])
        left = patients["reason"].isin(names).to_numpy()
        for arm in ARMS:
            here = (patients["arm"] == arm).to_numpy()
            for k, name in enumerate(PIECE_NAMES):
                found[f"hazard.{reason}.{arm}.{name}"] = rate(
                    int((left & here & (piece == k)).sum()),
                    spent[here, k].sum(),
                    f"last dose on days {name} since first dose for reason {reason}, {arm}, per patient-day on treatment",
                )
    for reason in reasons:
        left = patients["reason"] == reason
        found[f"hazard.{reason}.all.constant"] = rate(
            int(left.sum()),
            spent.sum(),
            f"last dose for reason {reason}, all arms, per patient-day on treatment",
        )
        for arm in ARMS:
            here = patients["arm"] == arm
            found[f"share.{reason}.{arm}"] = share(
                int((left & here).sum()), int(here.sum()), f"randomised who ended with {reason}, {arm}"
            )
    time = days.sum()
    for name, count in (("death", patients["death_day"].notna()), ("lost", patients["reason"] == "lost")):
        years = int(count.sum()) / time * 365.25
        found[f"{name}_per_year"] = row(
            years,
            years / np.sqrt(count.sum()),
            int(count.sum()),
            "per patient-year",
            f"{name.replace('lost', 'loss to follow-up')} by disposition, all arms, per patient-year on treatment",
        )
    return found


def patient_days(patients: pd.DataFrame, episodes: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return covariates of every patient-day on treatment, and whether it was the last for an adverse event.

    The severities say which was the worst of the events that had begun by that day, ``recent`` whether one that is
    moderate or severe began on it or in the 13 days before.
    """
    designs, stops = [], []
    by_patient = dict(tuple(episodes[episodes["emergent"]].groupby("patient")))
    for patient, line in patients.iterrows():
        length = int(min(line["days_on_treatment"], PLANNED_DAYS))
        days = np.arange(length)
        worst, recent = np.zeros(length, dtype=int), np.zeros(length, dtype=bool)
        if patient in by_patient:
            for start, grade in zip(
                by_patient[patient]["start_day"], by_patient[patient]["grade"], strict=True
            ):
                worst[days >= start] = np.maximum(worst[days >= start], grade)
                recent |= (grade > 1) & (days >= start) & (days < start + RECENT_DAYS)
        design = np.zeros((length, len(COVARIATES)))
        design[days, piece_of(days.astype(float))] = 1.0
        design[:, 4], design[:, 5] = line["arm"] == "low", line["arm"] == "high"
        for grade in (1, 2, 3):
            design[:, 5 + grade] = worst == grade
        design[:, 9] = recent
        designs.append(design)
        stop = np.zeros(length)
        if line["reason"] == "adverse_event" and line["days_on_treatment"] <= PLANNED_DAYS:
            stop[-1] = 1.0
        stops.append(stop)
    return np.concatenate(designs), np.concatenate(stops)


def _after_events(patients: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Row]:
    """Return hazard ratios of discontinuation for an adverse event by the events a patient has had."""
    design, stop = patient_days(patients, episodes)
    # Rows alike in all covariates are one row of the same likelihood.
    alike, place = np.unique(design, axis=0, return_inverse=True)
    place = place.ravel()
    days, stops = np.bincount(place).astype(float), np.bincount(place, weights=stop)
    models = {"arm": 6, "worst": 9, "worst_recent": 10}
    found = {}
    for name, size in models.items():
        beta, covariance, maximum = poisson_regression(stops, alike[:, :size], days)
        spread = np.sqrt(np.diag(covariance))
        for covariate, value, error in zip(COVARIATES[:size], beta, spread, strict=True):
            text, unit = _wording(covariate)
            found[f"stop_for_event.{name}.{covariate}"] = row(
                value,
                error,
                int(stop.sum()),
                unit,
                f"{text} discontinuation for an adverse event, model {name}",
            )
        found[f"stop_for_event.{name}.log_likelihood"] = row(
            maximum, None, int(stop.sum()), "1", f"maximum of model {name}, without constant terms"
        )
    return found


def _wording(covariate: str) -> tuple[str, str]:
    """Return what a coefficient is."""
    if covariate in PIECE_NAMES:
        start = PIECES[PIECE_NAMES.index(covariate)]
        return (
            f"log hazard from day {start} ({covariate}), placebo without any event yet, of",
            "log per patient-day",
        )
    if covariate in ARMS:
        return f"log hazard ratio of {covariate} against placebo for", "log ratio"
    if covariate in SEVERITIES:
        return (
            f"log hazard ratio after a {covariate} event as the worst so far, against none, for",
            "log ratio",
        )
    return "log hazard ratio within 14 days of the start of a moderate or severe event for", "log ratio"


def _attributed(patients: pd.DataFrame, episodes: pd.DataFrame) -> dict[str, Row]:
    """Return the share of events that stopped treatment, attributed by rule, and the delay to the last dose.

    A discontinuation for an adverse event is laid to the worst of the emergent events that had begun by the
    disposition, to the latest of them where several are as bad.
    """
    stopped = patients[patients["reason"] == "adverse_event"]
    emergent = episodes[episodes["emergent"] & episodes["patient"].isin(stopped.index)]
    emergent = emergent[emergent["start_day"] <= stopped["day"].reindex(emergent["patient"]).to_numpy()]
    causes = emergent.sort_values(["patient", "grade", "start_day", "event"]).groupby("patient").tail(1)
    all_emergent = episodes[episodes["emergent"]]
    arm = patients["arm"].reindex(all_emergent["patient"]).to_numpy()
    cause_arm = patients["arm"].reindex(causes["patient"]).to_numpy()
    found = {
        "stop_attributed.without_event": row(
            len(stopped) - len(causes),
            None,
            len(stopped),
            "patients",
            "discontinued for an adverse event without any",
        )
    }
    for severity in SEVERITIES:
        for name in [*ARMS, "all"]:
            of = (all_emergent["severity"] == severity) & ((arm == name) | (name == "all"))
            hit = (causes["severity"] == severity) & ((cause_arm == name) | (name == "all"))
            found[f"stop_attributed.{severity}.{name}"] = share(
                int(hit.sum()),
                int(of.sum()),
                f"{severity} emergent events, {name}, to which a discontinuation is laid",
            )
    delay = (stopped["last_dose_day"].reindex(causes["patient"]).to_numpy() - causes["start_day"]).to_numpy(
        float
    )
    for probability in (0.25, 0.5, 0.75, 0.9):
        found[f"stop_attributed.delay.quantile_{probability:g}"] = row(
            float(np.quantile(delay, probability)),
            float(mjci(delay, [probability])[0]),
            len(delay),
            "days",
            f"{probability:g} quantile of the days from that event's start to the last dose (negative: began after it)",
        )
    return found


def _gaps(patients: pd.DataFrame) -> dict[str, Row]:
    """Return the days from the last dose to the disposition of those who stopped early."""
    stopped = patients[(patients["reason"] != "completed") & (patients["last_dose"] == "recorded")]
    gap = (stopped["day"] - stopped["last_dose_day"]).to_numpy(float)
    found = {
        "last_dose_imputed": row(
            int((patients["last_dose"] == "imputed").sum()),
            None,
            len(patients),
            "patients",
            "last dose not recorded and taken to be the day of disposition",
        ),
        "last_dose_to_disposition.same_day": share(
            int((gap == 0).sum()),
            len(gap),
            "early stoppers whose disposition is dated on the day of the last dose",
        ),
    }
    for probability in (0.25, 0.5, 0.75, 0.9):
        found[f"last_dose_to_disposition.quantile_{probability:g}"] = row(
            float(np.quantile(gap, probability)),
            float(mjci(gap, [probability])[0]),
            len(gap),
            "days",
            f"{probability:g} quantile of the days from last dose to disposition, early stoppers with a recorded last dose",
        )
    every = (patients["day"] - patients["last_dose_day"]).to_numpy(float)
    found["last_dose_to_disposition.mean"] = row(
        every.mean(),
        every.std(ddof=1) / np.sqrt(len(every)),
        len(every),
        "days",
        "mean of the days from last dose to disposition, all who were randomised",
    )
    return found
