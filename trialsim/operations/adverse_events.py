"""What an adverse event is like and what is done about it, as compiled rules of single draws."""

from __future__ import annotations

from trialsim.compiled import kernel
from trialsim.contracts import DISCONTINUE, INTERRUPT, NOTHING, REDUCE

# What a draw for one occurrence of a term is for: its place among the draws of that occurrence.
GAP, SEVERITY, SERIOUS, FATAL, LENGTH = range(5)
# The same for what is done about it (purpose DOSE).
ACTION, INTERRUPTION = range(2)

_OCCURRENCE_BITS = 20
_FIELD_BITS = 3


def term_address(name_number: int) -> int:
    """Return the draw's number under which a term's occurrences begin: the name's, its lower 20 bits cleared."""
    return name_number >> _OCCURRENCE_BITS << _OCCURRENCE_BITS


@kernel
def occurrence_draw(address, occurrence, field):  # type: ignore[no-untyped-def]
    """Return the draw's number of one field of one occurrence of a term.

    Parameters
    ----------
    address
        From :func:`term_address`.
    occurrence
        Of the term in the patient, from 0; after 2**17 of them the numbers begin anew.
    field
        ``GAP``, ``SEVERITY``, ... or ``ACTION``, ``INTERRUPTION``.
    """
    return address + ((occurrence << _FIELD_BITS) & ((1 << _OCCURRENCE_BITS) - 1)) + field


@kernel
def level_of(u, cumulative, term):  # type: ignore[no-untyped-def]
    """Return the level of severity, from 0, at which a term's cumulative shares ``[term, level]`` first exceed ``u``."""
    level = 0
    while level + 1 < cumulative.shape[1] and u >= cumulative[term, level]:
        level += 1
    return level


@kernel
def action_of(u, discontinue, reduce, interrupt):  # type: ignore[no-untyped-def]
    """Return what is done: the three probabilities lie side by side from 0."""
    if u < discontinue:
        return DISCONTINUE
    if u < discontinue + reduce:
        return REDUCE
    if u < discontinue + reduce + interrupt:
        return INTERRUPT
    return NOTHING
