"""Trials that nobody was enrolled in, told where that is all trials of a design under a truth."""

from __future__ import annotations

import numpy as np

from trialsim.oc.columns import Records, numbers_of
from trialsim.report.numbers import plain

MOST_SAID = 8
_NOT_ENROLLED = {
    "prescreen_failures": "failed on their records",
    "refusals": "did not consent",
    "screen_failures": "failed screening",
    "withdrawals": "withdrew while waiting",
}


def empty_sentences(records: Records) -> list[str]:
    """Return a sentence for each design and truth whose trials nobody was enrolled in, and what became of candidates.

    Parameters
    ----------
    records
        Of the simulation.
    """
    sentences = []
    for cell in records.cells():
        # Where anybody was enrolled, the first part of the trials nearly always tells it.
        if any(numbers_of(part["enrolled"]).any() for part in records.parts("trials", ["enrolled"], cell)):
            continue
        ended = records.numbers("trials", "stop_look", cell)
        if not len(ended):
            continue
        trials = "in its only trial" if len(ended) == 1 else f"in any of {len(ended):,} trials"
        text = f"Design “{cell.design}” under truth “{cell.truth}”: nobody was enrolled {trials}"
        if not ended.any():
            text += ", which ended at the horizon"
        if "candidates" in records.columns("trials"):
            means = {
                name: float(np.mean(records.numbers("trials", name, cell)))
                for name in ("candidates", *_NOT_ENROLLED)
            }
            # Who came again counts once, by what became of them last.
            if "rescreenings" in records.columns("trials"):
                means["screen_failures"] -= float(np.mean(records.numbers("trials", "rescreenings", cell)))
            found = [
                f"{plain(means[name], 1)} {words}" for name, words in _NOT_ENROLLED.items() if means[name]
            ]
            came = f"{plain(means['candidates'], 1)} candidates came to a trial in the mean"
            text += f"; {', '.join([came, *found])}" if means["candidates"] else "; no candidate came"
        sentences.append(f"{text}.")
    more = len(sentences) - MOST_SAID
    return sentences if more <= 0 else [*sentences[:MOST_SAID], f"And {more} more of the kind."]
