"""How recruitment went, as a table: a row for each design under each truth, in a world with sites."""

from __future__ import annotations

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.measures import Measure
from trialsim.report.more_tables import MOST_CELLS
from trialsim.report.numbers import DAYS_PER_MONTH, with_error
from trialsim.report.tables import TextTable

_COLUMNS = {
    "last patient in, months": ("last_patient_in", DAYS_PER_MONTH),
    "candidates": ("candidates", 1.0),
    "screen failures, share": ("screen_failure_rate", 1.0),
    "idle coordinator months": ("idle_days", DAYS_PER_MONTH),
}

ABOUT_RECRUITMENT = (
    "Candidates come to sites; those whose records pass wait until a coordinator is free, are asked for consent and are "
    "screened, and those who pass are randomised. Patients over time are shown as the median over trials and the range "
    "from the 10th to the 90th percentile. What is planned is what one would work out on paper: the sites of a group open "
    "at evenly spaced times of their law and find candidates at their mean rate, the average share of them passes at the "
    "first attempt, nobody has to wait or withdraws, and everyone takes the median time. A trial that stops early keeps "
    "the patients it has.",
    "The bars show how many are left at each step on the way from first contact to the deciding analysis, as means over "
    "trials, and beside them for what reasons the others are not; Monte Carlo standard errors in parentheses. Who comes "
    "again after failing counts with each screening begun.",
)


def recruitment_table(characteristics: OperatingCharacteristics) -> TextTable | None:
    """Return a row for each design and truth; None in a world without sites.

    Parameters
    ----------
    characteristics
        What was found.
    """
    cells = characteristics.cells()[:MOST_CELLS]
    rows = []
    for cell in cells:
        found = [(_measure(characteristics, name, cell), per) for name, per in _COLUMNS.values()]
        if all(row is None for row, _ in found):
            continue
        rows.append(((cell.truth,), (cell.design,), *((with_error(row, per),) for row, per in found)))
    if not rows:
        return None
    headings = ("truth", "design", *_COLUMNS)
    kept = [place for place in range(len(headings)) if any(row[place] != ("–",) for row in rows)]
    return TextTable(
        "recruitment",
        tuple(headings[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
    )


def _measure(characteristics: OperatingCharacteristics, name: str, cell: Cell) -> Measure | None:
    """Return a measure of all sites and reasons together."""
    rows = characteristics.select(name, design=cell.design, truth=cell.truth, reason=None, site=None)
    return rows[0] if rows else None
