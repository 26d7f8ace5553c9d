"""The answer of a simulation in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.comparisons import Difference
from trialsim.oc.error_claims import error_claims
from trialsim.oc.measures import Measure
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, percent, plain

MOST_DESIGNS = 3


def answer(characteristics: OperatingCharacteristics, targets: Mapping[tuple[str, str], float]) -> list[str]:
    """Return what the simulation says: power, size and time; the designs compared; type I error.

    Parameters
    ----------
    characteristics
        Of the simulation.
    targets
        One-sided alpha by design and hypothesis.
    """
    cells = characteristics.cells()
    if not cells:
        return ["No trial was simulated."]
    sentences = []
    with_benefit = [cell for cell in cells if _one(characteristics, "power_disjunctive", cell)]
    headline = with_benefit[0] if with_benefit else cells[0]
    sentences.append(_power(characteristics, headline))
    others = [row for row in characteristics.differences if row.truth == headline.truth]
    compared = list(dict.fromkeys(row.design for row in others))[: MOST_DESIGNS - 1]
    sentences += [_against([row for row in others if row.design == design]) for design in compared]
    sentences += type_one_error_sentences(characteristics, targets)
    return [sentence for sentence in sentences if sentence]


def _power(characteristics: OperatingCharacteristics, cell: Cell) -> str:
    power = _one(characteristics, "power_disjunctive", cell)
    rejected = power or _one(characteristics, "reject_any", cell)
    if rejected is None:
        return ""
    one_test = len(characteristics.select("reject", design=cell.design, truth=cell.truth)) == 1
    what = "rejects its null hypothesis" if one_test else "rejects at least one null hypothesis"
    if power is not None and not one_test:
        what = "rejects at least one false null hypothesis"
    if power is None:
        what += ", all of which are true," if not one_test else ", which is true,"
    sentence = (
        f"Under “{cell.truth}”, “{cell.design}” {what} in {percent(rejected)} of {rejected.n:,} simulated"
    )
    sentence += " trial" if rejected.n == 1 else " trials"
    parts = []
    if (enrolled := _one(characteristics, "enrolled", cell)) is not None:
        parts.append(f"{_short(enrolled.value, enrolled.mcse)} patients")
    if (duration := _one(characteristics, "duration", cell)) is not None:
        error = None if duration.mcse is None else duration.mcse / DAYS_PER_MONTH
        parts.append(f"{_short(duration.value / DAYS_PER_MONTH, error)} months")
    return sentence + (f"; it takes {' and '.join(parts)} on average." if parts else ".")


def _against(rows: list[Difference]) -> str:
    by_name = {row.name: row for row in rows}
    parts = []
    probability = by_name.get("power_disjunctive") or by_name.get("reject_any")
    if probability is not None:
        word = "power" if probability.name == "power_disjunctive" else "probability of rejecting"
        change = _change(probability, 100, "percentage points", "higher", "lower", "the same")
        parts.append(f"its {word} is {change}")
    if (enrolled := by_name.get("enrolled")) is not None:
        parts.append(f"it enrols {_change(enrolled, 1, 'patients', 'more', 'fewer', 'as many patients')}")
    if (duration := by_name.get("duration")) is not None:
        parts.append(f"it takes {_change(duration, 1 / DAYS_PER_MONTH, 'months', 'more', 'less', 'as long')}")
    if not parts:
        return ""
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"“{rows[0].design}” against “{rows[0].reference}”, on the same patients: {listed}."


def _change(row: Difference, factor: float, unit: str, more: str, less: str, same: str) -> str:
    error = None if row.mcse is None else row.mcse * factor
    size = _short(abs(row.value) * factor, error)
    certain = row.lower is not None and row.upper is not None and (row.lower > 0 or row.upper < 0)
    tail = "" if certain or row.value == 0 else " (within Monte Carlo error)"
    if row.value == 0:
        return same
    return f"{size} {unit} {more if row.value > 0 else less}{tail}"


def type_one_error_sentences(
    characteristics: OperatingCharacteristics, targets: Mapping[tuple[str, str], float]
) -> list[str]:
    """Return what may be said about type I error; nothing where no null is true."""
    claims = error_claims(characteristics, targets)
    if not claims:
        return []
    controlled = [claim for claim in claims if claim.controlled]
    if len(controlled) == len(claims):
        worst = max(claims, key=lambda claim: claim.upper / claim.target)
        return [
            f"Type I error controlled for each hypothesis where its null is true: at most {worst.upper:.4f} "
            f"against a target of {worst.target:.4g} (upper limits, simultaneous over {len(claims)})."
        ]
    worst = max(
        (claim for claim in claims if not claim.controlled), key=lambda claim: claim.upper / claim.target
    )
    return [
        f"Type I error: at most {worst.upper:.4f} for “{worst.hypothesis}” in “{worst.design}” under "
        f"“{worst.truth}”, against a target of {worst.target:.4g} "
        f"(upper limit, simultaneous over {len(claims)})."
    ]


def _short(value: float, error: float | None) -> str:
    if error is None:
        return plain(value, 1)
    return plain(value, max(0, decimals_for(error) - 1))


def _one(characteristics: OperatingCharacteristics, name: str, cell: Cell) -> Measure | None:
    rows = characteristics.select(name, design=cell.design, truth=cell.truth)
    return rows[0] if rows else None
