"""The table of what the trials estimate: each hypothesis' estimand, its true value, and how near the estimates come."""

from __future__ import annotations

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import HypothesisFacts
from trialsim.oc.measures import Measure
from trialsim.report.estimand_words import (
    estimand_in_words,
    estimator_in_words,
    strategy_in_words,
    value_lines,
)
from trialsim.report.more_tables import MOST_CELLS
from trialsim.report.numbers import with_error
from trialsim.report.tables import TextTable

ABOUT_ESTIMANDS = (
    "The true value is what an ideal trial would find of the estimand under its strategy for intercurrent events; where "
    "discontinuation, rescue, crossing over or deaths change outcomes it comes from the potential outcomes of 100,000 "
    "patients and has a Monte Carlo error, in parentheses. Bias is the mean estimate minus the true value; coverage is "
    "that of 95% intervals. Ratios are shown as themselves and, below, as their logarithms, in which means, biases and "
    "errors are."
)
ABOUT_WRITTEN = (
    "As written: the same if nobody discontinued, crossed over, took rescue treatment or had adverse events, which is what "
    "the scenario's effects say."
)
_HEADINGS = (
    "truth", "design", "hypothesis", "estimand", "estimated by", "true value (mcse)", "mean estimate (mcse)", "bias (mcse)",
    "coverage (mcse)", "as written",
)  # fmt: skip


def estimands_table(characteristics: OperatingCharacteristics) -> TextTable | None:
    """Return a row for each hypothesis of each design and truth; None where nothing is tested.

    Parameters
    ----------
    characteristics
        What was found.
    """
    shown = set(characteristics.cells()[:MOST_CELLS])
    facts = [fact for fact in characteristics.facts if (fact.design, fact.truth) in shown]
    if not facts:
        return None
    rows = tuple(_row(characteristics, fact) for fact in facts)
    kept = [place for place in range(len(_HEADINGS)) if any(row[place] != ("–",) for row in rows)]
    if not any(fact.undisturbed_value not in (None, fact.true_value) for fact in facts):
        kept = [place for place in kept if _HEADINGS[place] != "as written"]
    headings = tuple(_HEADINGS[place] for place in kept)
    return TextTable(
        "true values and estimates", headings, tuple(tuple(row[p] for p in kept) for row in rows)
    )


def _row(characteristics: OperatingCharacteristics, fact: HypothesisFacts) -> tuple[tuple[str, ...], ...]:
    def measured(name: str) -> Measure | None:
        keys = {"design": fact.design, "truth": fact.truth, "hypothesis": fact.hypothesis, "reason": None}
        rows = characteristics.select(name, **keys)
        return rows[0] if rows else None

    estimate = measured("estimate")
    words = (fact.endpoint, estimand_in_words(fact), strategy_in_words(fact))
    return (
        (fact.truth,),
        (fact.design,),
        (fact.hypothesis, *(["null hypothesis true"] if fact.null else [])),
        tuple(word for word in words if word) or ("–",),
        (estimator_in_words(fact),),
        value_lines(fact, fact.true_value, fact.true_value_mcse),
        value_lines(fact, None if estimate is None else estimate.value, None if estimate is None else estimate.mcse),
        (with_error(measured("bias")),),
        (with_error(measured("coverage")),),
        value_lines(fact, fact.undisturbed_value, None),
    )  # fmt: skip
