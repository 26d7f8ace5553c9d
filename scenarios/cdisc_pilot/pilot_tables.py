"""The tables of this folder as the fits need them, and the row that every fitted figure is written as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
ARMS = ["placebo", "low", "high"]
SEVERITIES = ["mild", "moderate", "severe"]
PIECES = [0, 14, 28, 84]  # days since first dose at which an intensity may change; the last piece is open
PIECE_NAMES = ["0-14", "14-28", "28-84", "84+"]
PLANNED_DAYS = 182

Floats = NDArray[np.float64]
Row = dict[str, Any]


def read(name: str, folder: Path = HERE) -> pd.DataFrame:
    """Return one of the tables, with sites as text."""
    return pd.read_csv(folder / f"{name}.csv", dtype={"site": str})


def randomised(folder: Path = HERE) -> pd.DataFrame:
    """Return one row per randomised patient: ``patients.csv`` and ``disposition.csv`` side by side."""
    left, right = read("patients", folder), read("disposition", folder)
    table = left.merge(right, on="patient", validate="one_to_one").set_index("patient")
    table["days_at_risk"] = table["day"] + 1  # adverse events are recorded up to the day of disposition
    table["days_on_treatment"] = table["last_dose_day"] + 1
    return table


def adverse_event_records(folder: Path = HERE) -> pd.DataFrame:
    """Return the 961 records; ``emergent`` says whether one started on or after the day of the first dose."""
    table = read("adverse_events", folder)
    table["grade"] = table["severity"].map({name: grade for grade, name in enumerate(SEVERITIES, start=1)})
    table["emergent"] = table["start_day"] >= 0
    return table


def adverse_event_episodes(folder: Path = HERE) -> pd.DataFrame:
    """Return one row per event, whatever the number of severities it was recorded at.

    Its severity is the worst recorded, its end the last recorded, and it is resolved when any of its records is.
    """
    records = adverse_event_records(folder).sort_values(["patient", "event", "grade"], kind="stable")
    records["resolved"] = (records["outcome"] != "unresolved").astype(int)
    grouped = records.groupby(["patient", "event"], as_index=False)
    columns = {"severity": "last", "class": "last", "start_day": "last", "emergent": "last", "grade": "last"}
    maxima = dict.fromkeys(["serious", "criterion", "resolved", "end_day"], "max")
    return grouped.agg({**columns, **maxima})


def exposure(days: Floats) -> Floats:
    """Return days spent in each piece by patients followed for ``days``, ``[patient, piece]``."""
    edges = np.append(np.array(PIECES, dtype=float), np.inf)
    return np.clip(days[:, None] - edges[:-1], 0.0, edges[1:] - edges[:-1])


def piece_of(day: Floats) -> NDArray[np.int64]:
    """Return the number of the piece that holds each day."""
    return np.searchsorted(PIECES, day, side="right") - 1


def row(value: float, se: float | None, n: int, unit: str, definition: str) -> Row:
    """Return a fitted figure to five significant digits, with its standard error to three."""
    return {
        "value": rounded(value, 5),
        "se": None if se is None else rounded(se, 3),
        "n": int(n),
        "unit": unit,
        "definition": definition,
    }


def rounded(value: float, digits: int) -> float | int:
    """Return a number to so many significant digits; whole numbers stay whole."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    short = float(f"{value:.{digits}g}")
    return 0.0 if short == 0.0 else short


def rate(events: int, days: float, definition: str) -> Row:
    """Return a Poisson rate per patient-day; no standard error is given for no event."""
    return row(
        events / days, np.sqrt(events) / days if events else None, events, "per patient-day", definition
    )


def share(count: int, of: int, definition: str) -> Row:
    """Return a proportion with its binomial standard error; none is given for 0 and 1."""
    p = count / of
    return row(p, np.sqrt(p * (1 - p) / of) if 0 < count < of else None, of, "probability", definition)
