"""What a policy brings, trial by trial: time, patients, power, screening, cost, safety, and who got in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim.oc.in_memory import Collected
from trialsim.timegrid import DAYS_PER_MONTH

Floats = NDArray[np.float64]


def rows_of(table: Any, design: str) -> pd.DataFrame:
    """Return the rows of one design.

    Parameters
    ----------
    table
        Of the records.
    design
        Its name.
    """
    frame: pd.DataFrame = table.to_pandas()
    return frame[frame["design"] == design]


def trials_of(found: Collected, design: str) -> pd.DataFrame:
    """Return the trials of one design by replicate, in order.

    Parameters
    ----------
    found
        The records.
    design
        Its name.
    """
    return rows_of(found.trials, design).set_index("replicate").sort_index()


def trial_measures(found: Collected, design: str) -> dict[str, Floats]:
    """Return each measure of one design by replicate, in order; what a scenario does not have is left out.

    Parameters
    ----------
    found
        The records of one truth.
    design
        Its name.
    """
    trials = trials_of(found, design)
    values = {
        "months": trials["lock_time"].to_numpy(dtype=float) / DAYS_PER_MONTH,
        "months_to_last_patient_in": trials["enrolment_end_time"].to_numpy(dtype=float) / DAYS_PER_MONTH,
        "patients": trials["enrolled"].to_numpy(dtype=float),
    }
    values |= {
        f"rejects {name.removeprefix('reject_look:')}": (trials[name].to_numpy() > 0).astype(float)
        for name in trials.columns
        if name.startswith("reject_look:")
    }
    if (trials["events"].to_numpy() > 0).any():
        values["events"] = trials["events"].to_numpy(dtype=float)
    if "screen_failures" in trials.columns:
        failures = trials["screen_failures"].to_numpy(dtype=float)
        values["screen_failure_rate"] = failures / np.maximum(failures + values["patients"], 1.0)
    if "cost" in trials.columns:
        values["cost"] = trials["cost"].to_numpy(dtype=float)
    values |= on_best_arm(found, design) | responders(found, design)
    values |= safety(found, design) | shares(found, design)
    return finite(values)


def on_best_arm(found: Collected, design: str) -> dict[str, Floats]:
    """Return the share of patients on the arm that is truly best, where one is.

    Parameters
    ----------
    found, design
        As of :func:`trial_measures`.
    """
    best = next((cell["best_arm"] for cell in found.cells.to_pylist() if cell["design"] == design), "")
    if not best:
        return {}
    wide = rows_of(found.arms, design).pivot_table("enrolled", "replicate", "arm", observed=True).sort_index()
    return {"on_best_arm": (wide[best] / wide.sum(axis=1)).to_numpy(dtype=float)}


def responders(found: Collected, design: str) -> dict[str, Floats]:
    """Return the patients who have responded by the deciding cut: in all, by patient enrolled, and by arm.

    Of the first binary endpoint that is tested; nothing where none is, or where responses were not counted.

    Parameters
    ----------
    found, design
        As of :func:`trial_measures`.
    """
    arms = rows_of(found.arms, design)
    if "responses" not in arms.columns:
        return {}
    by_arm = arms.pivot_table("responses", "replicate", "arm", observed=True).sort_index()
    total = by_arm.sum(axis=1).to_numpy(dtype=float)
    enrolled = _sums(arms, ["enrolled"])
    values = {"responders": total, "responders_per_patient": total / np.maximum(enrolled, 1.0)}
    return values | {f"responders on {arm}": by_arm[arm].to_numpy(dtype=float) for arm in by_arm.columns}


def safety(found: Collected, design: str) -> dict[str, Floats]:
    """Return adverse events, serious ones and deaths of a patient by the deciding cut, where there are any.

    Parameters
    ----------
    found, design
        As of :func:`trial_measures`.
    """
    arms = rows_of(found.arms, design)
    kinds = {
        "adverse_events": "adverse_events:", "serious_adverse_events": "serious:", "deaths": "deaths:",
    }  # fmt: skip
    counted = {
        name: [column for column in arms.columns if column.startswith(start)] for name, start in kinds.items()
    }
    enrolled = arms.groupby("replicate")["enrolled"].sum().sort_index().to_numpy(dtype=float)
    return {
        f"{name}_per_patient": _sums(arms, columns) / np.maximum(enrolled, 1.0)
        for name, columns in counted.items()
        if columns
    }


def _sums(arms: pd.DataFrame, columns: Iterable[str]) -> Floats:
    """Return the sum of some columns over the arms of each replicate, in order."""
    return np.asarray(arms.groupby("replicate")[list(columns)].sum().sort_index().sum(axis=1), dtype=float)


def shares(found: Collected, design: str) -> dict[str, Floats]:
    """Return the share of each subgroup among the enrolled and the eligible, where subgroups are reported.

    Parameters
    ----------
    found, design
        As of :func:`trial_measures`.
    """
    values: dict[str, Floats] = {}
    if found.subgroups is None or not len(found.subgroups):
        return values
    groups = rows_of(found.subgroups, design)
    for column, name in (("randomised", "enrolled"), ("eligible", "eligible")):
        wide = groups.pivot_table(column, "replicate", "subgroup", observed=True).sort_index()
        share = wide.div(wide.sum(axis=1), axis=0)
        values |= {f"{level} of {name}": share[level].to_numpy(dtype=float) for level in share.columns}
    return values


def finite(values: dict[str, Floats]) -> dict[str, Floats]:
    """Return the measures that at least one trial has.

    Parameters
    ----------
    values
        By replicate.
    """
    return {name: each for name, each in values.items() if np.isfinite(each).any()}
