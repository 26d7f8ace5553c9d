"""The answer of a simulation in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.comparisons import Difference
from trialsim.oc.error_claims import error_claims
from trialsim.oc.measures import Measure
from trialsim.report.cautions import caution_sentences
from trialsim.report.estimand_sentences import unlike_sentence
from trialsim.report.numbers import DAYS_PER_MONTH, decimals_for, percent, plain

MOST_DESIGNS = 3
MOST_EXCEEDING = 8
MOST_HYPOTHESES = 8


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
    sentences = [_power(characteristics, _headline(characteristics))]
    sentences += comparison_sentences(characteristics)
    sentences += type_one_error_sentences(characteristics, targets)
    sentences += caution_sentences(characteristics)
    return [sentence for sentence in sentences if sentence]


def comparison_sentences(characteristics: OperatingCharacteristics) -> list[str]:
    """Return the first designs compared, on the same patients, under the first truth with a benefit."""
    if not characteristics.cells():
        return []
    truth = _headline(characteristics).truth
    others = [row for row in characteristics.differences if row.truth == truth]
    compared = list(dict.fromkeys(row.design for row in others))[: MOST_DESIGNS - 1]
    sentences = []
    for design in compared:
        rows = [row for row in others if row.design == design]
        sentences.append(_against(characteristics, rows))
        sentences.append(_each_power(characteristics, truth, design, rows[0].reference))
        sentences.append(_unlike(characteristics, truth, design, rows[0].reference))
    return [sentence for sentence in sentences if sentence]


def _headline(characteristics: OperatingCharacteristics) -> Cell:
    """Return the first cell in which there is a benefit to find, or the first of all."""
    cells = characteristics.cells()
    return next((cell for cell in cells if _one(characteristics, "power_disjunctive", cell)), cells[0])


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


def _against(characteristics: OperatingCharacteristics, rows: list[Difference]) -> str:
    by_name = {row.name: row for row in rows}
    parts = []
    probability = by_name.get("power_disjunctive") or by_name.get("reject_any")
    if probability is not None:
        word = _word(characteristics, probability)
        change = _change(probability, 100, "percentage points", "higher", "lower", "the same")
        parts.append(f"its {word} is {change}")
    if (enrolled := by_name.get("enrolled")) is not None:
        parts.append(f"it enrols {_change(enrolled, 1, 'patients', 'more', 'fewer', 'as many patients')}")
    if (duration := by_name.get("duration")) is not None:
        parts.append(f"it takes {_change(duration, 1 / DAYS_PER_MONTH, 'months', 'more', 'less', 'as long')}")
    if (cost := by_name.get("cost")) is not None:
        parts.append(f"it costs {_change(cost, 1, cost.unit, 'more', 'less', 'as much')}")
    if not parts:
        return ""
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    # Where candidates are screened, who of them becomes a patient may be what the designs differ in.
    whom = "candidates" if characteristics.select("candidates", truth=rows[0].truth) else "patients"
    return (
        f"“{rows[0].design}” against “{rows[0].reference}” under “{rows[0].truth}”, on the same {whom} (Monte Carlo "
        f"standard errors in parentheses): {listed}."
    )


def _word(characteristics: OperatingCharacteristics, row: Difference) -> str:
    """Return the name of a compared probability: with several tests it is about any of them."""
    designs = (row.design, row.reference)
    several = any(len(characteristics.select("reject", design=each, truth=row.truth)) > 1 for each in designs)
    if row.name == "power_disjunctive":
        return "power to reject at least one false null hypothesis" if several else "power"
    return "probability of rejecting" + (" at least one null hypothesis" if several else "")


def _each_power(characteristics: OperatingCharacteristics, truth: str, design: str, reference: str) -> str:
    """Return the power of each false null in both designs, where there are several."""
    powers = _powers(characteristics, Cell(design, truth))
    others = _powers(characteristics, Cell(reference, truth))
    shared = [name for name in powers if name in others]
    if len(shared) < 2:
        return ""
    if len(shared) > MOST_HYPOTHESES:
        moved = sum(powers[name] != others[name] for name in shared)
        return f"The power differs for {moved} of {len(shared)} single hypotheses: see the table."
    listed = (f"{name} {100 * powers[name]:.1f}% against {100 * others[name]:.1f}%" for name in shared)
    return f"Power by hypothesis, “{design}” against “{reference}”: {', '.join(listed)}."


def _unlike(characteristics: OperatingCharacteristics, truth: str, design: str, reference: str) -> str:
    """Return a sentence where two designs do not test the same."""
    ours, theirs = (
        [fact for fact in characteristics.facts if (fact.design, fact.truth) == (name, truth)]
        for name in (design, reference)
    )
    return unlike_sentence(ours, theirs, (f"“{design}”", f"“{reference}”"))


def _powers(characteristics: OperatingCharacteristics, cell: Cell) -> dict[str, float]:
    nulls = characteristics.null_hypotheses(cell)
    rows = characteristics.select("reject", design=cell.design, truth=cell.truth)
    return {str(row.hypothesis): row.value for row in rows if row.hypothesis not in nulls}


def _change(row: Difference, factor: float, unit: str, more: str, less: str, same: str) -> str:
    error = None if row.mcse is None else row.mcse * factor
    size = _short(abs(row.value) * factor, error)
    certain = row.lower is not None and row.upper is not None and (row.lower > 0 or row.upper < 0)
    tail = "" if certain or row.value == 0 else " (within Monte Carlo error)"
    if row.value == 0:
        return same
    known = f" ({plain(error, max(0, decimals_for(error) - 1))})" if error else ""
    return f"{size}{known} {unit} {more if row.value > 0 else less}{tail}"


def type_one_error_sentences(
    characteristics: OperatingCharacteristics, targets: Mapping[tuple[str, str], float]
) -> list[str]:
    """Return the claim whose estimate is highest over its target, and every other one shown to be above its target.

    Last come hypotheses that no trial tested. Nothing is returned where no null is true.
    """
    made = error_claims(characteristics, targets)
    claims = [claim for claim in made if claim.tested]
    untested = [claim.sentence for claim in made if not claim.tested]
    if len(untested) > MOST_EXCEEDING:
        more = f"{len(untested) - MOST_EXCEEDING} more were not tested; the report has them all."
        untested = [*untested[:MOST_EXCEEDING], more]
    if not claims:
        return untested
    worst = max(claims, key=lambda claim: (claim.value / claim.target, claim.upper / claim.target))
    above = [claim for claim in claims if claim.exceeds and claim is not worst]
    sentences = [claim.sentence for claim in (worst, *above[:MOST_EXCEEDING])]
    if len(above) > MOST_EXCEEDING:
        sentences.append(f"{len(above) - MOST_EXCEEDING} more exceed their targets; the report has them all.")
    if len(claims) < 2:
        return [*sentences, *untested]
    over = sum(claim.value > claim.target for claim in claims if claim is not worst and not claim.exceeds)
    if all(claim.controlled for claim in claims):
        sentences.append(f"That is the highest of {len(claims)}: the others are controlled too.")
    elif over and not worst.exceeds:
        sentences.append(
            f"That is the highest over its target of {len(claims)}; the estimate{'' if over == 1 else 's'} of {over} more "
            f"{'is' if over == 1 else 'are'} above the target too, within Monte Carlo error: see the report."
        )
    return [*sentences, *untested]


def _short(value: float, error: float | None) -> str:
    if error is None:
        return plain(value, 1)
    return plain(value, max(0, decimals_for(error) - 1))


def _one(characteristics: OperatingCharacteristics, name: str, cell: Cell) -> Measure | None:
    rows = characteristics.select(name, design=cell.design, truth=cell.truth)
    return rows[0] if rows else None
