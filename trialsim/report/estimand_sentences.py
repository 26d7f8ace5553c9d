"""What a reader must know of the estimands behind rejections: power that is no error, and powers of different questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from trialsim.oc.columns import HypothesisFacts
from trialsim.report.estimand_words import estimand_in_words, strategy_in_words, value_in_words

if TYPE_CHECKING:
    from trialsim.oc.between_runs import RunComparison

MOST_NAMED = 3


def discordance_sentences(facts: Iterable[HypothesisFacts]) -> list[str]:
    """Return a sentence for each hypothesis whose null is true of the effect as written, not of its estimand, or reverse.

    Parameters
    ----------
    facts
        What is true of every hypothesis in every cell.
    """
    told: dict[tuple[str, str, str], list[HypothesisFacts]] = {}
    for fact in facts:
        if fact.discordant:
            told.setdefault((fact.truth, fact.hypothesis, value_in_words(fact)), []).append(fact)
    return [_discordance(found) for found in told.values()]


def _discordance(found: Sequence[HypothesisFacts]) -> str:
    fact = found[0]
    written, truly = ("false", "true") if fact.null else ("true", "false")
    counted = "type I errors, not as power" if fact.null else "power, not as type I errors"
    strategy = f" by the {strategy_in_words(fact)}" if fact.strategy else ""
    return (
        f"Under “{fact.truth}” the null hypothesis of “{fact.hypothesis}” is {written} of the effect as the scenario "
        f"writes it but {truly} of its estimand, {value_in_words(fact)}{strategy}, which takes in what becomes of patients "
        f"after randomisation, such as discontinuation: in {_listed([each.design for each in found])} its rejections "
        f"count as {counted}."
    )


def unlike_sentence(
    design: Sequence[HypothesisFacts], reference: Sequence[HypothesisFacts], names: tuple[str, str]
) -> str:
    """Return a sentence where two designs do not test the same hypotheses in the same way; empty where they do.

    Parameters
    ----------
    design, reference
        What each of them tests under a truth.
    names
        What they are called.
    """
    # A run of an earlier version tells neither endpoints nor strategies.
    whole = all(fact.endpoint for fact in (*design, *reference))
    ours, theirs = ({_question(fact, whole): fact for fact in facts} for facts in (design, reference))
    only = [fact for key, fact in ours.items() if key not in theirs]
    others = [fact for key, fact in theirs.items() if key not in ours]
    if not only and not others:
        return ""
    shared = len(ours) > len(only)
    parts = [
        f"{name} tests {_described(facts)}"
        for name, facts in zip(names, (only, others), strict=True)
        if facts
    ]  # fmt: skip
    beside = ", beside what both test" if shared else ""
    return (
        f"The powers of {names[0]} and {names[1]} do not answer the same question: {' and '.join(parts)}{beside}. What "
        "they differ in is due to that as well as to the designs."
    )


def unlike_runs(
    comparison: RunComparison, first: Sequence[HypothesisFacts], second: Sequence[HypothesisFacts]
) -> list[str]:
    """Return a sentence for each pair of compared designs that do not test the same in the two runs.

    Parameters
    ----------
    comparison
        Of the two runs; the second is compared with the first.
    first, second
        What is true of every hypothesis in every cell of each.
    """
    sentences = []
    for row in comparison.rows:
        theirs, ours = (
            [fact for fact in facts if (fact.design, fact.truth) == (name, row.truth)]
            for facts, name in ((first, row.reference), (second, row.design))
        )
        names = (f"“{row.design}” of the second run", f"“{row.reference}” of the first")
        sentences.append(unlike_sentence(ours, theirs, names))
    return [sentence for sentence in dict.fromkeys(sentences) if sentence]


def _question(fact: HypothesisFacts, whole: bool) -> tuple[str, ...]:
    known = (fact.hypothesis, fact.estimand, fact.estimator)
    return (*known, fact.endpoint, fact.strategy, fact.analysis) if whole else known


def _described(facts: Sequence[HypothesisFacts]) -> str:
    words = [_details(fact) for fact in facts[:MOST_NAMED]]
    if len(facts) > MOST_NAMED:
        words.append(f"{len(facts) - MOST_NAMED} more")
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _details(fact: HypothesisFacts) -> str:
    parts = [fact.endpoint, estimand_in_words(fact), fact.analysis.replace("_", " "), strategy_in_words(fact)]
    return f"“{fact.hypothesis}” ({', '.join(part for part in parts if part)})"


def _listed(designs: Sequence[str]) -> str:
    quoted = [f"“{name}”" for name in designs]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
