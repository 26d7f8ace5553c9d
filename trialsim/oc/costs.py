"""What trials cost: in all, and by component."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import Measure, measure
from trialsim.oc.montecarlo import mean
from trialsim.oc.rejections import Flags, count
from trialsim.oc.sizes import succeeded, summary

_COMPONENT = "cost_"


def currency_of(records: Records, cell: Cell) -> str:
    """Return the currency of the costs of a cell, empty where it has none."""
    return next((fact.currency for fact in records.facts() if (fact.design, fact.truth) == cell), "")


def cost_measures(records: Records, cell: Cell, failed: Flags | None) -> Iterator[Measure]:
    """Yield the measures of costs of one cell; nothing where the scenario has none.

    Parameters
    ----------
    records, cell
        Which trials.
    failed
        Replicates to leave out.
    """
    columns = records.columns("trials")
    if "cost" not in columns:
        return
    unit, left_out = currency_of(records, cell), count(failed)
    for suffix, found in summary(succeeded(records.numbers("trials", "cost", cell), failed)).items():
        yield measure(*cell, f"cost{suffix}", found, unit=unit, n_failed=left_out)
    for column in columns:
        if column.startswith(_COMPONENT):
            centre = mean(succeeded(records.numbers("trials", column, cell), failed))
            if centre is not None:
                reason = column.removeprefix(_COMPONENT)
                yield measure(*cell, "cost_component", centre, unit=unit, reason=reason, n_failed=left_out)
