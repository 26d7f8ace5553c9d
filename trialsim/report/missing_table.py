"""Whose outcomes are missing at the deciding cut, by arm and reason, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.measures import Measure
from trialsim.report.numbers import plain, with_error
from trialsim.report.tables import TextTable

MOST_OF_MISSING = 12

ABOUT_MISSING = (
    "Of the primary endpoint, that of a design's first test, at the deciding data cut: the mean number of patients in a "
    "trial (mcse) whose outcome is not known and cannot become known; of a survival endpoint, who is censored before the "
    "cut. Whom the composite strategy of that test takes for a failure, for discontinuation or death, is not missing. "
    "The share is the mean over trials of the share of those due: patients whose time of read-out had come and who are "
    "not waited for any more; of a survival endpoint, all those randomised. What another strategy leaves out of a test "
    "though it was read out, as after discontinuation, is not missing either. Failed replicates are left out."
)
IN_WORDS = {
    "lost": "lost to follow-up",
    "withdrawn": "withdrew consent",
    "died": "died before",
    "visits_missed": "visits missed",
}
"""Why an outcome is missing, by the reason of the measure."""


def missing_table(characteristics: OperatingCharacteristics) -> TextTable | None:
    """Return reasons in rows and arms in columns, for the first designs and truths; None where nothing is missing.

    Parameters
    ----------
    characteristics
        Of a run.
    """
    arms = list(dict.fromkeys(row.arm for row in characteristics.select("missing") if row.arm is not None))
    cells = characteristics.cells()[:MOST_OF_MISSING]
    rows = [row for cell in cells for row in _of_cell(characteristics, cell, [*arms, None])]
    if not rows:
        return None
    return TextTable("missing outcomes", ("truth", "design", "what", *arms, "all arms"), tuple(rows))


def _of_cell(
    characteristics: OperatingCharacteristics, cell: Cell, arms: Sequence[str | None]
) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Yield the rows of a design under a truth: all that is missing with its share of what was due, then each reason."""
    keys = {"design": cell.design, "truth": cell.truth}
    found = {(row.reason, row.arm): row for row in characteristics.select("missing", **keys)}
    shares = {row.arm: row for row in characteristics.select("outcomes_missing", **keys)}
    if not any(row.value > 0 for row in found.values()):
        return
    for reason in (None, *IN_WORDS):
        if (reason, None) in found:
            shown = [
                _lines(found.get((reason, arm)), shares.get(arm) if reason is None else None) for arm in arms
            ]
            words = "missing" if reason is None else IN_WORDS[reason]
            yield (cell.truth,), (cell.design,), (words,), *shown


def _lines(number: Measure | None, share: Measure | None) -> tuple[str, ...]:
    """Return a mean number of patients and, where it is given, the share of those due."""
    text = with_error(number)
    return (text,) if share is None else (text, f"{plain(100.0 * share.value, 1)}% of those due")
