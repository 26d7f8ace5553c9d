"""What trials conclude at the stop, and once everything has arrived."""

from __future__ import annotations

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.overrunning import METHODS
from trialsim.report.numbers import with_error
from trialsim.report.tables import TextTable

ABOUT_OVERRUN = (
    "Patients randomised by the decision are followed to their read-out (of survival: up to the decision), and all data "
    "are analysed. The p value is that of the stage-wise ordering with the stopping look replaced (deletion: Whitehead "
    "1992), or the weighted sum of the normal deviates of the p value at the stop and of the data after it (combination: "
    "Hall and Ding 2008); rejected where it is at or below alpha."
)


def overrun_table(characteristics: OperatingCharacteristics) -> TextTable | None:
    """Return a row for each design and truth whose data after the stop were analysed; None where there is none."""
    rows = []
    for cell in characteristics.cells():
        keys = {"design": cell.design, "truth": cell.truth}
        added = characteristics.select("overrun_added", **keys)
        if not added:
            continue
        stop = characteristics.select("reject", **keys)[0]
        after = [
            characteristics.select("reject_with_overrun", reason=method, **keys)[0] for method in METHODS
        ]
        texts = (cell.truth, cell.design, with_error(stop), *map(with_error, after), with_error(added[0]))
        rows.append(tuple((text,) for text in texts))
    if not rows:
        return None
    headings = (
        "truth", "design", "rejected at the stop (mcse)", "with all data, deletion", "with all data, combination",
        "read out or events after the stop",
    )  # fmt: skip
    return TextTable("Conclusions at the stop and once everything has arrived", headings, tuple(rows))
