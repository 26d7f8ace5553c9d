"""Patients over time, added up over trials: how many trials had how many patients by each of some common times.

The counts of two sets of trials are added to give those of both, so that a run of any length keeps a table of fixed size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints
from trialsim.engines.plan import Plan
from trialsim.engines.points import Chunk
from trialsim.timegrid import TICKS_PER_DAY

Columns = dict[str, NDArray[Any]]

ALL_SITES = ""
"""Stands in the column ``group`` for all sites together."""

MOST_GROUPS = 24
"""With more groups of sites than this, patients are counted over all sites alone."""

MOST_SITES = 24
"""With more sites than this, patients are not counted by single site over time."""

SITE_MARK = "site:"
"""Goes before the name of a single site in the column ``group``."""


def _groups(plan: Plan) -> tuple[str, ...]:
    """Return the groups that are counted one by one."""
    assert plan.world.sites is not None
    names = plan.world.sites.groups
    return names if len(names) <= MOST_GROUPS else ()


def _sites(plan: Plan) -> tuple[str, ...]:
    """Return the single sites that are counted one by one; none where each is a group of its own anyway."""
    assert plan.world.sites is not None
    sites = plan.world.sites
    return sites.names if len(sites.groups) < sites.count <= MOST_SITES else ()


def enrolment_columns(chunk: Chunk) -> Columns:
    """Return the table ``enrolment`` of some trials that have ended, in a world with sites.

    Parameters
    ----------
    chunk
        The trials.

    Returns
    -------
    dict
        A row for each group of sites (first all of them, last single sites where they are few), time and number of patients
        that occurs: ``trials`` had ``randomised`` patients by then, where a plan on paper expects ``planned``.
    """
    plan = chunk.plan
    assert plan.world.sites is not None
    ticks = plan.enrolment_dates
    groups = _groups(plan)
    group = plan.world.sites.group if groups else np.zeros(plan.world.sites.count, dtype=np.int64)
    counts = chunk.randomised_by(ticks, group)
    planned = plan.planned_enrolment
    sites = _sites(plan)
    parts = [_rows(0, counts.sum(axis=2), planned.sum(axis=0))]
    parts += [_rows(1 + g, counts[:, :, g], planned[g]) for g in range(len(groups))]
    if sites:
        alone = chunk.randomised_by(ticks, np.arange(len(sites)))
        expected = plan.planned_at_sites
        parts += [_rows(1 + len(groups) + s, alone[:, :, s], expected[s]) for s in range(len(sites))]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    whole["time"] = ticks[whole["date"]] / float(TICKS_PER_DAY)
    return whole


def _rows(group: int, counts: Ints, planned: NDArray[np.float64]) -> Columns:
    """Return the rows of one group, from patients by replicate and time."""
    width = int(counts.max(initial=0)) + 1
    dates = counts.shape[1]
    found, trials = np.unique(counts + np.arange(dates) * width, return_counts=True)
    date, randomised = np.divmod(found, width)
    return {
        "group": np.full(len(date), group, dtype=np.int32),
        "date": date.astype(np.int16),
        "randomised": randomised.astype(np.int32),
        "trials": trials.astype(np.int64),
        "planned": planned[date],
    }


def added_up(rows: Columns) -> Columns:
    """Return the table of several sets of trials of one cell, from their rows one after the other."""
    if not len(rows["date"]):
        return rows
    dates, most = int(rows["date"].max()) + 1, int(rows["randomised"].max()) + 1
    keys = (rows["group"].astype(np.int64) * dates + rows["date"]) * most + rows["randomised"]
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    found = {name: values[first] for name, values in rows.items()}
    found["trials"] = np.bincount(place.ravel(), weights=rows["trials"]).astype(np.int64)
    return found


def enrolment_vocabulary(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the names for codes in this table."""
    if plan.world.sites is None:
        return {}
    return {"group": (ALL_SITES, *_groups(plan), *(f"{SITE_MARK}{name}" for name in _sites(plan)))}
