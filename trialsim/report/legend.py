"""What the words of the table mean, as far as they stand in it."""

from __future__ import annotations

from collections.abc import Sequence

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.stopping import HORIZON
from trialsim.report.tables import TextTable

_LOG_HAZARD_RATIO = "log hazard ratio"
_ANY_FALSE = "any false null "


def legend(characteristics: OperatingCharacteristics, tables: Sequence[TextTable]) -> list[str]:
    """Return a few lines on what is shown.

    Parameters
    ----------
    characteristics
        What the tables are about.
    tables
        The tables as shown.
    """
    headings = {heading for table in tables for heading in table.headings}
    lines = [line for table in tables for row in table.rows for cell in row for line in cell]
    first = ["Monte Carlo standard errors in parentheses"]
    if any("(at least " in line or "(at most " in line for line in lines):
        first.append("at least, at most: 95% Wilson limit where all or none did")
    if any(len(row[place]) > 1 for table in tables for place in _ranges(table) for row in table.rows):
        first.append("second line: 10th to 90th percentile over trials")
    words = []
    if any(line.startswith("any ") and not line.startswith(_ANY_FALSE) for line in lines):
        words.append("any: at least one hypothesis rejected")
    if any(line.startswith(_ANY_FALSE) for line in lines):
        words.append("any false null: at least one of the false null hypotheses rejected")
    if any(line.startswith("familywise ") for line in lines):
        words.append("familywise: at least one hypothesis rejected, where every null hypothesis is true")
    if any(" (null) " in line for line in lines):
        words.append("(null): a true null hypothesis, so its rejections are errors")
    times = []
    if "months" in headings:
        at_no_look = any(row.value > 0.0 for row in characteristics.select("stop", reason=HORIZON))
        times.append(
            "months: from the start of accrual to the data lock of the deciding analysis"
            + (", or to the horizon where no look decided" if at_no_look else "")
        )
    if "stopped early" in headings:
        times.append("stopped early: before the last planned look")
    if any(heading.startswith("cost, ") for heading in headings):
        times.append("cost: up to the decision, discounted where the scenario says so")
    if "failed" in headings:
        times.append(
            "failed: an analysis failed, whether or not the trial ended with it; means leave out only those that ended "
            "at a look, which are the ending “failed”"
        )
    bias = [_bias(characteristics)] if "bias" in headings else []
    return [f"{_capital('; '.join(part))}." for part in (first, words, times, bias) if part]


def _ranges(table: TextTable) -> list[int]:
    return [place for place, heading in enumerate(table.headings) if heading in ("enrolled", "months")]


def _bias(characteristics: OperatingCharacteristics) -> str:
    units = dict.fromkeys(row.unit for row in characteristics.select("bias"))
    text = f"bias: mean estimate minus true value ({', '.join(units)})"
    if _LOG_HAZARD_RATIO in units:
        text += "; a log hazard ratio that is too low (negative bias) shows the tested arm with fewer events"
        text += " than in truth"
    if units.keys() - {_LOG_HAZARD_RATIO}:
        other = "a difference that is too high (positive bias) shows the tested arm with higher values"
        text += f"; {other} than in truth"
    return text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
