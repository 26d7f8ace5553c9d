"""What a reader of a table might overlook: trials that failed or never came to a look, analyses unlike the allocation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Cell
from trialsim.oc.stopping import HORIZON
from trialsim.report.estimand_sentences import discordance_sentences
from trialsim.scenario.advice import notes

MOST_SAID = 8


def caution_sentences(characteristics: OperatingCharacteristics) -> list[str]:
    """Return a sentence for each design and truth with trials that failed, or that came to no look, and for flags.

    Before them stands where the effect as written and the estimand disagree on whether a null hypothesis is true.

    Parameters
    ----------
    characteristics
        Of the simulation.
    """
    return _not_too_many(
        [
            *discordance_sentences(characteristics.facts),
            *_failed(characteristics),
            *_unreached(characteristics),
            *_flagged(characteristics),
        ]
    )


def analysis_cautions(scenario: Mapping[str, Any]) -> list[str]:
    """Return a sentence for whatever a scenario may mean but rarely should; see :mod:`trialsim.scenario.advice`.

    Parameters
    ----------
    scenario
        The resolved scenario as plain data.
    """
    return _not_too_many(list(notes(scenario)))


def _not_too_many(sentences: list[str]) -> list[str]:
    """Return the first sentences, and how many more there are."""
    more = len(sentences) - MOST_SAID
    return sentences if more <= 0 else [*sentences[:MOST_SAID], f"And {more} more of the kind."]


def _failed(characteristics: OperatingCharacteristics) -> Iterator[str]:
    """Yield how many replicates behind a type I error failed."""
    for row in characteristics.select("reject"):
        if row.n_failed and row.hypothesis in characteristics.null_hypotheses(Cell(row.design, row.truth)):
            counted = "failed and counts" if row.n_failed == 1 else "failed and count"
            yield (
                f"{row.n_failed:,} of {row.n:,} trials of “{row.design}” under “{row.truth}” {counted} as type I "
                f"errors of “{row.hypothesis}”."
            )


def horizon_sentences(characteristics: OperatingCharacteristics) -> list[str]:
    """Return how many trials of each design and truth came to the horizon before any look, or before their next one.

    Parameters
    ----------
    characteristics
        Of the simulation.
    """
    return list(_unreached(characteristics))


def _unreached(characteristics: OperatingCharacteristics) -> Iterator[str]:
    """Yield how many trials ran to the horizon without any look, or without the look after those they took."""
    for row in characteristics.select("stop", reason=HORIZON, look=None):
        cell = Cell(row.design, row.truth)
        ends = characteristics.select("stop", design=row.design, truth=row.truth, reason=HORIZON)
        late = sum(round(each.value * each.n) for each in ends if each.look is not None)
        number = round(row.value * row.n) - late
        waited = _waited_in_vain(characteristics, cell)
        without = number - sum(waited.values())
        said = {0: without} | waited
        for look, trials in said.items():
            if trials > 0:
                came = (
                    "no look was reached before the horizon"
                    if look == 0
                    else f"look {look} was taken, but not look {look + 1} before the horizon"
                )
                yield f"In {trials:,} of {row.n:,} trials of “{row.design}” under “{row.truth}” {came}."


def _waited_in_vain(characteristics: OperatingCharacteristics, cell: Cell) -> dict[int, int]:
    """Return in how many trials each look was the last taken and did not end the trial."""
    looks = characteristics.select("look_time", design=cell.design, truth=cell.truth)
    taken = {row.look: row.n for row in looks if row.look is not None}
    ended = dict.fromkeys(taken, 0)
    for row in characteristics.select("stop", design=cell.design, truth=cell.truth):
        if row.look in ended:
            ended[row.look] += round(row.value * row.n)
    return {look: n - taken.get(look + 1, 0) - ended[look] for look, n in taken.items()}


def _flagged(characteristics: OperatingCharacteristics) -> Iterator[str]:
    """Yield which analyses fit the strategy of their hypothesis only under assumptions, or not at all."""
    estimators = {fact.hypothesis: fact.estimator for fact in characteristics.facts}
    for hypothesis, estimator in estimators.items():
        _, mark, flag = estimator.partition(" (flagged: ")
        if mark:
            yield f"The analysis of “{hypothesis}” is flagged: {flag.removesuffix(')')}."
