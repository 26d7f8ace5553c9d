"""How recruitment went, as a table: a row for each design under each truth, in a world with sites."""

from __future__ import annotations

from itertools import pairwise

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import QUANTILES, Measure
from trialsim.oc.montecarlo import MonteCarlo
from trialsim.report.funnel import came_again, funnel
from trialsim.report.more_tables import MOST_CELLS
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, plain, with_error
from trialsim.report.recruitment_figures import MOST_FUNNELS
from trialsim.report.tables import TextTable

_COLUMNS = {
    "last patient in, months": ("last_patient_in", DAYS_PER_MONTH),
    "candidates": ("candidates", 1.0),
    "refusals, share of answers": ("refusal_rate", 1.0),
    "screen failures, share of screenings": ("screen_failure_rate", 1.0),
    "idle coordinator months": ("idle_days", DAYS_PER_MONTH),
}

_TIMES = {
    "first patient in, months": ("first_patient_in", DAYS_PER_MONTH),
    "last patient in, months": ("last_patient_in", DAYS_PER_MONTH),
    "contact to consent, days": ("days_to_consent", 1.0),
    "contact to randomisation, days": ("days_to_randomisation", 1.0),
    "idle coordinator months": ("idle_days", DAYS_PER_MONTH),
}
ABOUT_TIMES = (
    "Mean over trials (mcse); below, median and 10th to 90th percentile over trials. First and last patient in are counted "
    "from the first site's opening; contact to consent and to randomisation are each trial's mean."
)
ABOUT_LOSSES = (
    "Mean numbers of candidates in a trial (mcse), and the share of those who were left at the step before. Each candidate "
    "counts once, with what became of them last, so that the reasons of a step and those left add up to the step before; "
    "the last rows tell who came again after a failed screening. The measures `refusals` and `withdrawals` are both rows "
    "of their kind together, and `screened_out` is who failed; `screened`, `screen_failures`, `refusal_rate` and "
    "`screen_failure_rate` count each attempt."
)

ABOUT_RECRUITMENT = (
    "Candidates come to sites; those whose records pass wait until a coordinator is free, are asked for consent and are "
    "screened, and those who pass are randomised. Patients over time are shown as the median over trials and the range "
    "from the 10th to the 90th percentile. What is planned is what one would work out on paper: the sites of a group open "
    "at evenly spaced times of their law and find candidates at their mean rate, the average share of them passes at the "
    "first attempt, nobody has to wait or withdraws, and everyone takes the median time. A trial that stops early keeps "
    "the patients it has.",
    "The bars show how many candidates are left at each step on the way from first contact to the last look taken, as "
    "means over trials, and beside them for what reasons the others are not; Monte Carlo standard errors in parentheses. "
    "Each candidate counts once, with what became of them last. At a closure: when their site, enrolment or the trial "
    "closed, some still waited for a coordinator or had not answered, and some were under way after their consent. "
    "Known at the last look: whose primary outcome was read out by its cut, or of a survival endpoint "
    "who was randomised by then, which is the measure analysed; the strategy of a hypothesis may take fewer of them, or "
    "others besides, which explain tells of a single trial.",
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


def recruitment_times_table(characteristics: OperatingCharacteristics) -> TextTable | None:
    """Return the times of recruitment, a row for each design and truth; None in a world without sites.

    Parameters
    ----------
    characteristics
        What was found.
    """
    rows = []
    for cell in characteristics.cells()[:MOST_CELLS]:
        shown = [_with_quantiles(characteristics, name, cell, per) for name, per in _TIMES.values()]
        if any(lines != ("–",) for lines in shown):
            rows.append(((cell.truth,), (cell.design,), *shown))
    if not rows:
        return None
    headings = ("truth", "design", *_TIMES)
    kept = [place for place in range(len(headings)) if any(row[place] != ("–",) for row in rows)]
    return TextTable(
        "times of recruitment",
        tuple(headings[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
    )


def losses_table(records: Records) -> TextTable | None:
    """Return why candidates are not randomised and patients not analysed: a row for each reason; None without any.

    Parameters
    ----------
    records
        Of a run.
    """
    found: dict[tuple[str, str], dict[Cell, tuple[str, ...]]] = {}
    cells = records.cells()[:MOST_FUNNELS]
    for cell in cells:
        for before, step in pairwise(funnel(records, cell)):
            for why, value in step.losses:
                share = (
                    [f"{plain(100.0 * value.value / before.left.value, 1)}%"]
                    if before.left.value > 0.0
                    else []
                )
                found.setdefault((step.name, why), {})[cell] = (_number(value), *share)
    if not found:
        return None
    for cell in cells:
        for words, value in came_again(records, cell):
            found.setdefault(("of those who consented", words), {})[cell] = (_number(value),)
    headings = (
        "left at",
        "and for what reason not",
        *(f"{cell.design} under {cell.truth}" for cell in cells),
    )
    rows = tuple(
        ((name,), (why,), *(shown.get(cell, ("–",)) for cell in cells))
        for (name, why), shown in found.items()
    )
    return TextTable("lost on the way to the analysis", headings, rows)


def _number(value: MonteCarlo) -> str:
    """Return a mean with its Monte Carlo error in parentheses."""
    decimals = decimals_for(value.mcse) if value.mcse else 1
    return plain(value.value, decimals) + (f" ({plain(value.mcse, decimals)})" if value.mcse else "")


def _with_quantiles(
    characteristics: OperatingCharacteristics, name: str, cell: Cell, per: float
) -> tuple[str, ...]:
    """Return a mean with its error; below, the median and the 10th to 90th percentile."""
    centre = _measure(characteristics, name, cell)
    found = [_measure(characteristics, f"{name}_{suffix}", cell) for suffix in QUANTILES]
    error = centre.mcse / per if centre is not None and centre.mcse else 0.1
    decimals = max(0, decimals_for(error) - 1)
    median, low, high = (None if row is None else plain(row.value / per, decimals) for row in found)
    first = with_error(centre, per)
    return (first,) if median is None or low == high else (first, f"{median}; {low} to {high}")


def _measure(characteristics: OperatingCharacteristics, name: str, cell: Cell) -> Measure | None:
    """Return a measure of all sites and reasons together."""
    rows = characteristics.select(name, design=cell.design, truth=cell.truth, reason=None, site=None)
    return rows[0] if rows else None
