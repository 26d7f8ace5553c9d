"""Safety as tables: adverse events by arm, term and severity, and who discontinues, dies or leaves, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.by_arm import ArmRows
from trialsim.oc.columns import Cell, Records
from trialsim.oc.lives import sum_of_rates
from trialsim.oc.montecarlo import MonteCarlo, mean
from trialsim.oc.rejections import failed_replicates
from trialsim.oc.sizes import succeeded
from trialsim.report.numbers import decimals_for, plain
from trialsim.report.tables import TextTable

MOST_TABLES, MOST_OF_PATIENTS = 4, 12
_RATE_DECIMALS = 3

ABOUT_SAFETY = (
    "By arm, up to the deciding data cut: the mean number of events in a trial (mcse) and, below, events per patient-year "
    "at risk of the term, those of all trials over the years of all trials; a patient's events can recur. Exposure is the "
    "mean number of those years in a trial. Failed replicates are left out."
)
ABOUT_PATIENTS = (
    "By arm, up to the deciding data cut: the mean number of patients in a trial (mcse) and, below, the share of those "
    "randomised to the arm. Failed replicates are left out."
)
_PATIENTS = {
    "patients_with_adverse_event": "had an adverse event",
    "patients_with_serious": "had a serious adverse event",
    "discontinued": "discontinued treatment",
    "rescues": "began rescue treatment",
    "crossovers": "crossed over",
    "deaths": "died",
    "losses": "lost to follow-up",
    "withdrawals": "withdrew consent",
}
_ORDER = list(_PATIENTS)


def adverse_event_tables(records: Records) -> list[TextTable]:
    """Return a table for each of the first designs and truths, a row for each arm and term; none without adverse events.

    Parameters
    ----------
    records
        Of a run.
    """
    split = [name.split(":") for name in records.columns("arms") if name.startswith("adverse_events:")]
    terms, levels = (list(dict.fromkeys(part[place] for part in split)) for place in (1, 2))
    if not terms:
        return []
    headings = (
        "arm",
        "term",
        *levels,
        *(["all severities"] if len(levels) > 1 else []),
        "serious",
        "exposure, years",
    )
    found = []
    for cell in records.cells()[:MOST_TABLES]:
        rows = list(_adverse_event_rows(records, cell, terms, levels))
        if rows:
            title = f"adverse events by severity: {cell.design} under {cell.truth}"
            found.append(TextTable(title, headings, tuple(rows)))
    return found


def _adverse_event_rows(
    records: Records, cell: Cell, terms: list[str], levels: list[str]
) -> Iterable[tuple[tuple[str, ...], ...]]:
    rows, failed = ArmRows(records, cell), failed_replicates(records, cell)

    def read(column: str) -> dict[str, NDArray[Any]]:
        return {arm: succeeded(values, failed) for arm, values in rows.values(column).items()}

    counted = {
        (head, term, level): read(f"{head}:{term}:{level}")
        for head in ("adverse_events", "serious")
        for term in terms
        for level in levels
    }
    years = {term: read(f"risk_years:{term}") for term in terms}
    for arm in rows.names:
        for term in terms:
            risk = years[term][arm]
            if risk.size == 0 or not float(risk.sum()) > 0.0:
                continue

            def of(head: str, some: list[str], arm: str = arm, term: str = term) -> NDArray[Any] | None:
                parts = [counted[head, term, level].get(arm) for level in some]
                present = [part.astype(np.int64) for part in parts if part is not None]
                total: NDArray[Any] = np.sum(present, axis=0)
                return total if present else None

            by_level = [_count_and_rate(of("adverse_events", [level]), risk) for level in levels]
            whole = [_count_and_rate(of("adverse_events", levels), risk)] if len(levels) > 1 else []
            serious = _count_and_rate(of("serious", levels), risk)
            yield (arm,), (term,), *by_level, *whole, serious, (_number(mean(risk)),)


def _count_and_rate(events: NDArray[Any] | None, risk: NDArray[Any]) -> tuple[str, ...]:
    """Return the mean number in a trial and the rate per patient-year at risk."""
    if events is None:
        return ("–",)
    rate = sum_of_rates([(events, risk)])
    return (_number(mean(events)), *([] if rate is None else [f"{_number(rate, _RATE_DECIMALS)} per year"]))


def patients_by_arm(records: Records, most: int = MOST_OF_PATIENTS) -> TextTable | None:
    """Return who has adverse events, discontinues, dies or leaves: reasons in rows, arms in columns; None without any.

    Parameters
    ----------
    records
        Of a run.
    most
        How many designs and truths to show.
    """
    columns = [name for name in records.columns("arms") if name.partition(":")[0] in _PATIENTS]
    if not columns:
        return None
    cells = records.cells()[:most]
    arms = list(dict.fromkeys(arm for cell in cells for arm in ArmRows(records, cell).names))
    rows = []
    for cell in cells:
        by_arm, failed = ArmRows(records, cell), failed_replicates(records, cell)
        sizes = {arm: mean(succeeded(n, failed)) for arm, n in by_arm.values("enrolled").items()}
        for column in sorted(columns, key=lambda name: _ORDER.index(name.partition(":")[0])):
            found = {arm: mean(succeeded(n, failed)) for arm, n in by_arm.values(column).items()}
            if any(value is not None and value.value > 0.0 for value in found.values()):
                shown = (_of_arm(found.get(arm), sizes.get(arm)) for arm in arms)
                rows.append(((cell.truth,), (cell.design,), (_in_words(column),), *shown))
    if not rows:
        return None
    return TextTable("patients by arm", ("truth", "design", "what", *arms), tuple(rows))


def _in_words(column: str) -> str:
    """Return what a column of the table of arms counts."""
    head, _, reason = column.partition(":")
    return f"{_PATIENTS[head]}{f': {reason}' if reason else ''}".replace("_", " ")


def _of_arm(value: MonteCarlo | None, size: MonteCarlo | None) -> tuple[str, ...]:
    """Return a mean number of patients, and what share of the arm they are."""
    if value is None:
        return ("–",)
    share = (
        [f"{plain(100.0 * value.value / size.value, 1)}%"] if size is not None and size.value > 0.0 else []
    )
    return (_number(value), *share)


def _number(value: MonteCarlo | None, decimals: int = 1) -> str:
    """Return a value with its Monte Carlo error in parentheses."""
    if value is None:
        return "–"
    if not value.mcse:
        return plain(value.value, decimals)
    digits = decimals_for(value.mcse)
    return f"{plain(value.value, digits)} ({plain(value.mcse, digits)})"
