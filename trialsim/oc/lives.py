"""What becomes of patients in each arm: adverse events per patient-year, who leaves and why, deaths, visits missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.by_arm import ArmRows
from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import PATIENTS, PER_YEAR, Measure, measure
from trialsim.oc.montecarlo import MonteCarlo, mean, normal
from trialsim.oc.rejections import Flags, count
from trialsim.oc.sizes import succeeded

_COUNTED = {"adverse_events": "adverse_events", "serious": "serious_adverse_events"}
_NUMBERS = {"losses": "lost", "withdrawals": "withdrawn"}
_BY_REASON = {"discontinued": "discontinued", "deaths": "deaths"}


def life_measures(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield what became of the patients of each arm by the deciding data cut, where the records say.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        Replicates to leave out.
    """
    columns = records.columns("arms")
    if "patient_years" not in columns:
        return
    rows = ArmRows(records, cell)
    n_failed = count(failed)

    def by_arm(column: str) -> dict[str, NDArray[Any]]:
        return {arm: succeeded(values, failed) for arm, values in rows.values(column).items()}

    for head, name in _COUNTED.items():
        split = [column.split(":") for column in columns if column.startswith(f"{head}:")]
        levels = dict.fromkeys(level for _, _, level in split)
        for level in (None, *levels) if split else ():
            chosen = [(term, f"{head}:{term}:{one}") for _, term, one in split if level in (None, one)]
            events = [(term, by_arm(column)) for term, column in chosen]
            risks = {term: by_arm(f"risk_years:{term}") for term, _ in chosen}
            for arm in rows.names:
                pairs = [(values[arm], risks[term][arm]) for term, values in events]
                if (found := sum_of_rates(pairs)) is not None:
                    yield measure(*cell, name, found, unit=PER_YEAR, arm=arm, reason=level, n_failed=n_failed)
    for head, name in _BY_REASON.items():
        for column in (column for column in columns if column.startswith(f"{head}:")):
            yield from _means(cell, name, by_arm(column), column.partition(":")[2], n_failed)
    for column, name in _NUMBERS.items():
        yield from _means(cell, name, by_arm(column), None, n_failed)
    if "visits_missed" in columns:
        missed, late, on_time = (by_arm(f"visits_{how}") for how in ("missed", "late", "on_time"))
        for arm in rows.names:
            due = missed[arm] + late[arm] + on_time[arm]
            if (found := sum_of_rates([(missed[arm], due)])) is not None:
                yield measure(*cell, "visits_missed", found, unit="share", arm=arm, n_failed=n_failed)


def _means(
    cell: Cell, name: str, values: dict[str, NDArray[Any]], reason: str | None, n_failed: int
) -> Iterator[Measure]:
    """Yield the mean number of patients by arm."""
    for arm, numbers in values.items():
        if (found := mean(numbers)) is not None:
            yield measure(*cell, name, found, unit=PATIENTS, arm=arm, reason=reason, n_failed=n_failed)


def sum_of_rates(pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> MonteCarlo | None:
    """Return the sum of ratios of totals, its error by the delta method; None where nobody was at risk.

    Parameters
    ----------
    pairs
        Numerators and denominators by replicate, ``[replicate]`` each: events and years at risk.
    """
    if not pairs or pairs[0][0].size == 0 or any(float(years.sum()) <= 0.0 for _, years in pairs):
        return None
    n = pairs[0][0].size
    total, deviation = 0.0, np.zeros(n)
    for events, years in pairs:
        ratio = float(events.sum()) / float(years.sum())
        total += ratio
        deviation += (events - ratio * years) / float(years.mean())
    error = float(np.sqrt(np.sum(deviation**2) / (n - 1) / n)) if n > 1 else None
    return normal(total, error, n)
