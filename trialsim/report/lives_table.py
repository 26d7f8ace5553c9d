"""How much happened to the patients of a trial, in the mean: adverse events and visits, as a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trialsim.oc.by_arm import ArmRows
from trialsim.oc.columns import Cell, Records
from trialsim.oc.montecarlo import MonteCarlo, mean
from trialsim.oc.rejections import failed_replicates
from trialsim.oc.sizes import succeeded
from trialsim.report.numbers import decimals_for, plain
from trialsim.report.tables import TextTable

_COUNTED: dict[str, Callable[[str], bool]] = {
    "patients": lambda name: name == "enrolled",
    "adverse events": lambda name: name.startswith("adverse_events:"),
    "serious": lambda name: name.startswith("serious:"),
    "discontinuations": lambda name: name.startswith("discontinued:"),
    "deaths": lambda name: name.startswith("deaths:"),
    "visits held": lambda name: name in ("visits_on_time", "visits_late"),
    "visits missed": lambda name: name == "visits_missed",
}
_OF_LIVES = ("adverse events", "visits held")

ABOUT_LIVES = (
    "Patients are all those randomised; what became of them is counted up to the deciding data cut. Failed replicates are "
    "left out, as in the first table."
)


def lives_table(records: Records) -> TextTable | None:
    """Return the mean numbers a trial of adverse events, visits and what else becomes of patients, by design and truth.

    Parameters
    ----------
    records
        Of a run; None comes back where the scenario has neither adverse events nor visits, or nobody was randomised.
    """
    columns = records.columns("arms")
    counted = {what: [name for name in columns if belongs(name)] for what, belongs in _COUNTED.items()}
    counted = {what: names for what, names in counted.items() if names}
    if not any(what in counted for what in _OF_LIVES):
        return None
    if not any(records.numbers("arms", "enrolled", cell).any() for cell in records.cells()):
        return None
    rows = tuple(
        (
            (cell.design,),
            (cell.truth,),
            *((_number(mean(_a_trial(records, cell, names))),) for names in counted.values()),
        )
        for cell in records.cells()
    )
    return TextTable(
        "in a trial, with the Monte Carlo error of the mean", ("design", "truth", *counted), rows
    )


def _a_trial(records: Records, cell: Cell, names: list[str]) -> NDArray[np.int64]:
    """Return the sum of some columns over the arms of each trial that did not fail."""
    rows = ArmRows(records, cell)
    found = [values.astype(np.int64) for name in names for values in rows.values(name).values()]
    total: NDArray[np.int64] = np.sum(found, axis=0)
    return succeeded(total, failed_replicates(records, cell))


def _number(value: MonteCarlo | None) -> str:
    """Return a mean with its Monte Carlo error in parentheses."""
    if value is None:
        return ""
    if not value.mcse:
        return plain(value.value, 1)
    decimals = decimals_for(value.mcse)
    return f"{plain(value.value, decimals)} ({plain(value.mcse, decimals)})"
