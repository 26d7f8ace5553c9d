"""What the real trial showed, to be set beside re-enactments. Nothing here comes from a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pilot_survival import kaplan_meier
from pilot_tables import (
    ARMS,
    SEVERITIES,
    adverse_event_episodes,
    adverse_event_records,
    randomised,
    read,
    rounded,
)

ENROLMENT_DAYS = list(range(30, 811, 30))
CHECK_WEEKS = [2, 4, 8, 12, 16, 20, 24]
ADAS_WEEKS = [8, 16, 24]


def results() -> dict[str, Any]:
    """Return counts, curves and means of the real trial, ready to be written."""
    patients = randomised()
    return {
        "source": "the CSV files of this folder; written by fit.py",
        "definitions": {
            "enrolment": "cumulative numbers by study day; day 0 is the first screening",
            "adverse_events": "records: as in the table; events: one per patient and event number, at its worst "
            "severity; emergent: starting on or after the day of the first dose",
            "on_treatment": "Kaplan-Meier probability of not having stopped treatment early, of its last dose "
            "falling after so many weeks since the first; completers are censored; Greenwood's s.e.",
            "adas_cog": "mean change from baseline, ADAS-Cog (11); observed: in the window of the week; locf: of the "
            "efficacy population, last observation carried forward, baseline included",
        },
        "enrolment": enrolment(),
        "disposition": {
            arm: patients.loc[patients["arm"] == arm, "reason"].value_counts().sort_index().to_dict()
            for arm in ARMS
        },
        "adverse_events": adverse_events(patients),
        "on_treatment": {arm: on_treatment(patients[patients["arm"] == arm]) for arm in ARMS},
        "adas_cog": adas_changes(patients),
        "deaths": {arm: int(patients.loc[patients["arm"] == arm, "death_day"].notna().sum()) for arm in ARMS},
    }


def enrolment() -> dict[str, Any]:
    """Return how many had been screened and randomised by some study days, by site and in all."""
    screening = read("screening")
    randomised_on = screening["randomisation_day"].dropna()
    by_site = screening.groupby("site")["failed"].agg(["size", "sum"])
    return {
        "screened": len(screening),
        "screen_failures": int(screening["failed"].sum()),
        "randomised": len(randomised_on),
        "by_day": [
            {
                "day": day,
                "screened": int((screening["screening_day"] <= day).sum()),
                "randomised": int((randomised_on <= day).sum()),
            }
            for day in ENROLMENT_DAYS
        ],
        "by_site": [
            {"site": site, "screened": int(size), "screen_failures": int(failed)}
            for site, (size, failed) in by_site.iterrows()
        ],
    }


def adverse_events(patients: pd.DataFrame) -> dict[str, Any]:
    """Return counts by arm and severity, of records and of events, all and emergent, and patients with any."""
    found: dict[str, Any] = {}
    for unit, events in (("records", adverse_event_records()), ("events", adverse_event_episodes())):
        arm = patients["arm"].reindex(events["patient"]).to_numpy()
        for name, kept in ((unit, np.ones(len(events), bool)), (f"emergent_{unit}", events["emergent"])):
            found[name] = {
                a: {s: int(((arm == a) & (events["severity"] == s) & kept).sum()) for s in SEVERITIES}
                for a in ARMS
            }
    events = adverse_event_episodes()
    arm = patients["arm"].reindex(events["patient"]).to_numpy()
    found["patients_with_emergent_event"] = {
        a: int(events.loc[(arm == a) & events["emergent"], "patient"].nunique()) for a in ARMS
    }
    return found


def on_treatment(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the curve of one arm at the weeks of comparison."""
    weeks = np.array(CHECK_WEEKS, dtype=float)
    stopped = (rows["reason"] != "completed").to_numpy()
    survival, error, left = kaplan_meier(rows["days_on_treatment"].to_numpy(float), stopped, 7 * weeks)
    return [
        {"weeks": week, "on_treatment": rounded(s, 5), "se": rounded(e, 3), "at_risk": int(n)}
        for week, s, e, n in zip(CHECK_WEEKS, survival, error, left, strict=True)
    ]


def carried_forward(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores by patient and week, each missing one replaced by the last before it."""
    return scores.pivot(index="patient", columns="week", values="score").ffill(axis=1)


def adas_changes(patients: pd.DataFrame) -> dict[str, Any]:
    """Return mean changes from baseline by arm and week."""
    scores = read("adas")
    observed = scores.pivot(index="patient", columns="week", values="score").reindex(patients.index)
    filled = carried_forward(scores).reindex(patients.index)
    efficacy = (patients["efficacy"] == 1).to_numpy()
    found: dict[str, Any] = {}
    for arm in ARMS:
        here = (patients["arm"] == arm).to_numpy()
        found[arm] = {
            "baseline": _mean(observed.loc[here, 0]),
            "observed": [
                {"week": week, **_mean((observed[week] - observed[0])[here].dropna())} for week in ADAS_WEEKS
            ],
            "locf": [
                {"week": week, **_mean((filled[week] - filled[0])[here & efficacy])} for week in ADAS_WEEKS
            ],
        }
    return found


def _mean(values: pd.Series) -> dict[str, Any]:
    """Return number, mean, its standard error, and standard deviation."""
    sd = float(values.std())
    return {
        "n": len(values),
        "mean": rounded(float(values.mean()), 5),
        "se": rounded(sd / np.sqrt(len(values)), 3),
        "sd": rounded(sd, 5),
    }
