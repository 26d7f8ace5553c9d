"""Visits: which are missed, and how far from the planned day the others are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pilot_tables import Floats, Row, randomised, read, row, share

CLINIC = [4.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0]
ECG = [3.5, 6.0]
TELEPHONE = [8.1, 9.1, 10.1, 11.1]
LAST = 13.0


def scheduled(visits: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Return one row per patient and scheduled visit that was due: attended or not, and the days off plan.

    A visit is due when it was attended or a later one of the schedule was, so that the visits that somebody who has
    left no longer comes to are not counted as missed. The days off plan are missing for the visit at which an early
    stopper's disposition was made: it bears the number of the next visit, whenever it is held.
    """
    kept = visits[visits["visit"].isin([*CLINIC, *ECG, *TELEPHONE])]
    wide = kept.pivot(index="patient", columns="visit", values="day").reindex(patients.index)
    planned = kept.groupby("visit")["planned_day"].first()
    clinic = wide[CLINIC].notna()
    last = clinic.mul(CLINIC, axis=1).max(axis=1)
    long = wide.stack(future_stack=True).rename("day").reset_index()
    long["planned_day"] = long["visit"].map(planned)
    long["attended"] = long["day"].notna()
    long = long[long["attended"] | (long["visit"] < long["patient"].map(last))].copy()
    ended = long["patient"].map(patients["day"])
    early = long["patient"].map(patients["reason"]) != "completed"
    long["days_off_plan"] = (long["day"] - long["planned_day"]).mask(early & (long["day"] >= ended))
    return long


def fit() -> dict[str, Row]:
    """Return the figures of visits, by name."""
    patients, visits = randomised(), read("visits")
    due = scheduled(visits, patients)
    found: dict[str, Row] = {}
    for visit in sorted([*CLINIC, *ECG, *TELEPHONE]):
        rows = due[due["visit"] == visit]
        kind = "clinic" if visit in CLINIC else "ambulatory ECG" if visit in ECG else "telephone"
        planned = int(rows["planned_day"].iloc[0])
        name = f"visit {visit:g} ({kind}, day {planned})"
        if visit != LAST:  # nothing shows that somebody who did not come to the last visit should have
            found[f"missed.{visit:g}"] = share(
                int((~rows["attended"]).sum()), len(rows), f"{name} not held though a later one was"
            )
        found |= _spread(f"off_plan.{visit:g}", rows["days_off_plan"].dropna().to_numpy(float), name)
    for kind, numbers in (("clinic", CLINIC), ("ecg", ECG), ("telephone", TELEPHONE)):
        rows = due[due["visit"].isin(numbers)]
        before = rows[rows["visit"] != LAST]
        found[f"missed.{kind}"] = share(
            int((~before["attended"]).sum()), len(before), f"{kind} visits not held though a later one was"
        )
        found |= _spread(f"off_plan.{kind}", rows["days_off_plan"].dropna().to_numpy(float), f"{kind} visits")
    found |= _anchoring(due)
    for name, number in (("retrieval", 201.0), ("follow_up", 101.0)):
        stopped = patients.index[patients["reason"] != "completed"]
        came = visits.loc[visits["visit"] == number, "patient"]
        found[f"came_to_{name}"] = share(
            int(stopped.isin(came).sum()),
            len(stopped),
            f"early stoppers with a {name.replace('_', '-')} visit",
        )
    return found


def _spread(name: str, days: Floats, what: str) -> dict[str, Row]:
    """Return mean, standard deviation, quantiles and the share inside a window of the days off plan."""
    n, sd = len(days), float(days.std(ddof=1))
    fourth = float(((days - days.mean()) ** 4).mean())
    found = {
        f"{name}.mean": row(days.mean(), sd / np.sqrt(n), n, "days", f"mean days after plan, {what}"),
        f"{name}.sd": row(
            sd,
            np.sqrt((fourth - days.var() ** 2) / n) / (2 * sd),
            n,
            "days",
            f"standard deviation of the days off plan, {what}",
        ),
    }
    for probability in (0.05, 0.5, 0.95):
        found[f"{name}.quantile_{probability:g}"] = row(
            float(np.quantile(days, probability)), None, n, "days", f"{probability:g} quantile of the same"
        )
    for window in (3, 7):
        found[f"{name}.within_{window}"] = share(
            int((np.abs(days) <= window).sum()), n, f"within {window} days of the plan, {what}"
        )
    return found


def _anchoring(due: pd.DataFrame) -> dict[str, Row]:
    """Return how the days off plan of a clinic visit go with those of the next, and the intervals between them.

    A slope of 1 says that a visit is planned from the one before, a slope of 0 that it is planned from the first dose.
    """
    wide = due[due["visit"].isin(CLINIC)].pivot(index="patient", columns="visit", values="days_off_plan")
    left, right = wide[CLINIC[:-1]].to_numpy(), wide[CLINIC[1:]].to_numpy()
    both = ~(np.isnan(left) | np.isnan(right))
    x, y, n = left[both], right[both], int(both.sum())
    r = float(np.corrcoef(x, y)[0, 1])
    slope = r * y.std() / x.std()
    residual = y - y.mean() - slope * (x - x.mean())
    error = np.sqrt((residual**2).sum() / (n - 2) / ((x - x.mean()) ** 2).sum())
    text = "days off plan of a clinic visit and of the next"
    found = {
        "off_plan.next_clinic.correlation": row(r, (1 - r**2) / np.sqrt(n), n, "1", f"correlation of {text}"),
        "off_plan.next_clinic.slope": row(
            slope, error, n, "1", f"regression of the second on the first of {text}"
        ),
    }
    return found | _spread("interval_off_plan.clinic", y - x, "intervals between successive clinic visits")
