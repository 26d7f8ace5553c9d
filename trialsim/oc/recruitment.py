"""How recruitment goes: candidates, screening, sites, and who gets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.columns import Cell, Records, Table
from trialsim.oc.measures import DAYS, PATIENTS, Measure, measure
from trialsim.oc.montecarlo import mean
from trialsim.oc.recruitment_words import RECRUITMENT_COUNTS, RECRUITMENT_TIMES
from trialsim.oc.rejections import Flags, count
from trialsim.oc.sizes import succeeded, summary

Values = NDArray[Any]
_SHARE = "share"


def recruitment_measures(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield the measures of recruitment of one cell; nothing in a world without sites.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        Replicates to leave out.
    """
    if not records.columns("sites"):
        return
    for name, (unit, _) in RECRUITMENT_COUNTS.items():
        if name == "screened_out":
            yield from _screened_out(records, cell, failed, unit)
        if name not in records.columns("trials"):
            continue
        yield from _mean(cell, name, unit, succeeded(records.numbers("trials", name, cell), failed), failed)
    for name in RECRUITMENT_TIMES:
        times = succeeded(_times(records, cell, name), failed)
        finite = times[np.isfinite(times)]
        left_out = times.size - finite.size + count(failed)
        for suffix, value in summary(finite).items():
            yield measure(*cell, name + suffix, value, unit=DAYS, n_failed=left_out)
    refused, screened = (
        records.numbers("trials", name, cell).astype(np.float64) for name in ("refusals", "screened")
    )
    yield from _share(cell, "refusal_rate", refused, refused + screened, failed)
    yield from _failure_rates(records, cell, failed)
    for site, values in columns_by_name(records, cell, "sites", "site", ("randomised",)).items():
        found = succeeded(values["randomised"], failed)
        yield from _mean(cell, "site_randomised", PATIENTS, found, failed, site=site)
    yield from _subgroups(records, cell, failed)


def _times(records: Records, cell: Cell, name: str) -> Values:
    """Return a time of each trial, NaN where it has none."""
    if name != "last_patient_in":
        return records.numbers("trials", name, cell)
    enrolled = records.numbers("trials", "enrolled", cell)
    return np.where(enrolled > 0, records.numbers("trials", "enrolment_end_time", cell), np.nan)


def _screened_out(records: Records, cell: Cell, failed: Flags | None, unit: str) -> Iterator[Measure]:
    """Yield how many candidates' last screening failed, in all and by reason; nothing of runs that did not count them."""
    if "screened_out" not in records.columns("screening"):
        return
    by_reason = {
        reason: values["screened_out"]
        for reason, values in columns_by_name(records, cell, "screening", "reason", ("screened_out",)).items()
    }
    total = np.sum(list(by_reason.values()), axis=0)
    yield from _mean(cell, "screened_out", unit, succeeded(total, failed), failed)
    for reason, values in by_reason.items():
        yield from _mean(cell, "screened_out", unit, succeeded(values, failed), failed, reason=reason)


def _failure_rates(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield the share of screenings that failed, in all and by reason."""
    failures = records.numbers("trials", "screen_failures", cell).astype(np.float64)
    outcomes = failures + records.numbers("trials", "enrolled", cell)
    yield from _share(cell, "screen_failure_rate", failures, outcomes, failed)
    for reason, values in columns_by_name(records, cell, "screening", "reason", ("failures",)).items():
        yield from _share(cell, "screen_failure_rate", values["failures"], outcomes, failed, reason=reason)


def _subgroups(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield each subgroup's share of the eligible and of the patients."""
    if not records.columns("subgroups"):
        return
    groups = columns_by_name(records, cell, "subgroups", "subgroup", ("eligible", "randomised"))
    for column in ("eligible", "randomised"):
        total = np.sum([values[column] for values in groups.values()], axis=0)
        for subgroup, values in groups.items():
            yield from _share(cell, f"subgroup_of_{column}", values[column], total, failed, subgroup=subgroup)


def columns_by_name(
    records: Records, cell: Cell, table: Table, key: str, columns: tuple[str, ...]
) -> dict[str, dict[str, Values]]:
    """Return columns of a table that has a row a trial and name, by name, each in the order of the trials.

    Parameters
    ----------
    records, cell
        Which trials.
    table, key
        The table, and its column of names.
    columns
        Which columns.
    """
    names = records.categories(table, key, cell)
    replicates = records.numbers("trials", "replicate", cell)
    rows = records.numbers(table, "replicate", cell)
    read = {column: records.numbers(table, column, cell) for column in columns}
    place = np.argsort(np.argsort(replicates, kind="stable"), kind="stable")
    found = {}
    for name in names.present():
        here = np.flatnonzero(names.equal(name))
        here = here[np.argsort(rows[here], kind="stable")][place]
        found[name] = {column: values[here] for column, values in read.items()}
    return found


def _share(
    cell: Cell, name: str, part: Values, whole: Values, failed: Flags | None, **keys: Any
) -> Iterator[Measure]:
    """Yield the mean over trials of a share."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
    yield from _mean(cell, name, _SHARE, succeeded(shares, failed), failed, **keys)


def _mean(
    cell: Cell, name: str, unit: str, values: Values, failed: Flags | None, **keys: Any
) -> Iterator[Measure]:
    """Yield the mean of what is finite; nothing where nothing is."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if (found := mean(finite)) is not None:
        left_out = values.size - finite.size + count(failed)
        yield measure(*cell, name, found, unit=unit, n_failed=left_out, **keys)
