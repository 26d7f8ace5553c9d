"""Trials in which an analysis failed or an interim look had no result: how many, why, and how they count."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialsim.contracts import JUDGED_BY, Status
from trialsim.oc.columns import Cell, Records
from trialsim.oc.rejections import (
    NOT_FAILURES,
    Flags,
    any_failed,
    any_rejected,
    count,
    failed_replicates,
    tested_hypotheses,
)
from trialsim.oc.without_result import any_without_result, looks_without_result

MOST_SAID = 8
_CHAINS_FAILED = Status.CHAINS_FAILED.name.lower()


def failure_sentences(records: Records) -> list[str]:
    """Return a sentence for each design and truth in some of whose trials an analysis failed, with the reasons.

    After these come sentences on looks without a result after which the hypothesis was analysed again: no failures.

    Parameters
    ----------
    records
        Of the simulation.
    """
    told: list[str] = []
    for kind in (_failures, _interim_looks):
        sentences = [text for cell in records.cells() for text in kind(records, cell)]
        more = len(sentences) - MOST_SAID
        told += sentences if more <= 0 else [*sentences[:MOST_SAID], f"And {more} more of the kind."]
    return told


def _interim_looks(records: Records, cell: Cell) -> Iterator[str]:
    """Yield at which interim looks hypotheses had no result in the trials of one cell; nothing where all had one."""
    if not any_without_result(records, cell):
        return
    found = []
    for each in tested_hypotheses(records, cell, failed_replicates(records, cell)):
        name = each.facts.hypothesis
        for look, reasons, analysed in looks_without_result(records, cell, name, interim=True):
            why = _in_words(next(iter(reasons)))
            if len(reasons) > 1:
                why = "; ".join(f"{_in_words(reason)}, in {number:,}" for reason, number in reasons.items())
            here = f"{sum(reasons.values()):,} of {analysed:,} trials ({why})"
            found.append(f"“{name}” had no result at look {look} in {here}")
    if not found:
        return
    yield (
        f"In “{cell.design}” under “{cell.truth}” {', '.join(found)}. Nothing is rejected at such a look; these trials "
        "went on and analysed the hypothesis again, so that the look alone is no failure."
    )


def _failures(records: Records, cell: Cell) -> Iterator[str]:
    """Yield what failed in the trials of one cell; nothing where nothing did."""
    decided = failed_replicates(records, cell)
    if decided is None and not any_failed(records, cell):
        return
    tested = tested_hypotheses(records, cell, decided)
    if not tested or not (number := any_rejected(tested)[1]):
        return
    trials = tested[0].rejected.size
    reasons = [
        f"“{each.facts.hypothesis}”: {found}"
        for each in tested
        if (found := _reasons(records, cell, each.facts.hypothesis))
    ]
    text = f"In {number:,} of {trials:,} trials of “{cell.design}” under “{cell.truth}” an analysis failed"
    text += f" ({'; '.join(reasons)})" if reasons else ""
    yield f"{text}. {_how_counted(number, count(decided))}"


def _how_counted(number: int, decided: int) -> str:
    """Return how many of the trials whose analysis failed are left out of means, and how the others count."""
    left_out = "ended at a look: they are the ending “failed”, and are left out of means"
    if decided == number:
        return f"They {left_out}."
    if decided == 0:
        return (
            "They ended at no look: they fail in the probabilities of rejecting alone, and are in the means."
        )
    others = "the others ended at no look, fail in the probabilities of rejecting alone, and are in the means"
    return f"Of these {decided:,} {left_out}; {others}."


def _reasons(records: Records, cell: Cell, hypothesis: str) -> str:
    """Return why the analysis of a hypothesis failed, with how many trials each, the most frequent first."""
    if f"status:{hypothesis}" not in records.columns("trials"):
        return ""
    status = records.categories("trials", f"status:{hypothesis}", cell)
    found: dict[str, int] = {}
    for name in status.present():
        if name not in NOT_FAILURES:
            flags: Flags = status.equal(name)
            words = _in_words(name)
            if name == _CHAINS_FAILED:
                words += _worst_chains(records, cell, hypothesis)
            found[words] = int(np.count_nonzero(flags))
    ordered = sorted(found.items(), key=lambda entry: -entry[1])
    return "; ".join(f"{words}, in {number:,}" for words, number in ordered)


def _worst_chains(records: Records, cell: Cell, hypothesis: str) -> str:
    """Return the worst of what chains are judged by at the looks at which those of a hypothesis failed."""
    if not {"hypothesis", *JUDGED_BY} <= set(records.columns("looks")):
        return ""
    at = records.categories("looks", "hypothesis", cell).equal(hypothesis)
    at &= records.categories("looks", "status", cell).equal(_CHAINS_FAILED)
    judged = np.stack([records.numbers("looks", name, cell)[at] for name in JUDGED_BY])
    # What never moved has no R-hat; a model of another kind may tell nothing of its chains.
    if not np.isfinite(judged).any(axis=1).all():
        return ""
    rhat, divergent = (np.nanmax(judged[place]) for place in (0, 3))
    bulk, tail = (np.nanmin(judged[place]) for place in (1, 2))
    return (
        f" (R-hat up to {rhat:.3f}, effective draws down to {bulk:.0f}, in the tails to {tail:.0f}, "
        f"up to {divergent:.1%} divergent)"
    )


def _in_words(name: str) -> str:
    """Return a status in words."""
    known = {status.name.lower(): status.sentence for status in Status}
    return known.get(name, name.replace("_", " "))
