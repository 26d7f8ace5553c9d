"""The arrays of patients' lives, and patients about whom something is done, who live again among themselves.

Compiled loops lead all patients of a replicate from some patient on. Those who live again are therefore set close together
at the ends of rows of their own, and what they live there takes the place of what they had lived.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, Floats, Ints
from trialsim.engines import fast_life_kernels as kernels
from trialsim.engines.life import LifeNumbers
from trialsim.population.clocks import ClockTables


class LifeArrays(NamedTuple):
    """What :func:`trialsim.engines.fast_life_kernels.live` takes besides the numbers of replicates; see there."""

    reach: Ints
    tables: NDArray[np.uint64]
    keys: Ints
    numbers: LifeNumbers
    clocks: ClockTables
    starts: Floats
    factors: Floats
    rows: Ints
    entry: Ints
    arms: NDArray[np.int8]
    outcomes: Floats
    parts: Floats
    orders: NDArray[np.int8]
    event_at: Ints
    exit_at: Ints
    told_at: Ints
    readout_at: Ints
    dropout: Ints
    complete: Ints
    off_at: Ints
    quit_at: Ints
    crossed_at: Ints
    left: NDArray[np.int8]
    ticks: Ints
    codes: Ints
    offsets: Ints
    full: Bools


_FILLED = (
    "event_at", "exit_at", "told_at", "readout_at", "dropout", "complete", "off_at", "quit_at", "crossed_at", "left",
)  # fmt: skip
"""Arrays ``[..., replicate, patient]`` that lives fill."""


def live(seed: int, replicates: Ints, chosen: Ints, first: Ints, arrays: LifeArrays) -> None:
    """Let patients ``first[r]`` onwards of each chosen replicate live."""
    before, numbers, after = arrays[:3], arrays.numbers, arrays[4:]
    kernels.live(seed, replicates, chosen, first, *before, *numbers, *after)


def live_again(
    seed: int, replicates: Ints, arrays: LifeArrays, drawn: Floats, r: Ints, i: Ints
) -> tuple[Ints, Ints]:
    """Let some patients live by their orders as they are now; their lives so far are replaced.

    Parameters
    ----------
    seed, replicates
        As for everybody.
    arrays
        Of everybody; filled for those patients.
    drawn
        Outcomes as drawn, which lives overwrite, ``[readout, replicate, patient]``.
    r, i
        Positions of their replicates, and which patients they are.

    Returns
    -------
    tuple
        Ticks and codes of the journal, ``[replicate, row]``: new arrays where those at hand are too short.
    """
    order = np.argsort(r, kind="stable")
    r, i = r[order], i[order]
    rows, place, count = np.unique(r, return_inverse=True, return_counts=True)
    who = np.zeros((len(rows), int(count.max())), dtype=np.int64)
    first = who.shape[1] - count
    column = first[place] + np.arange(len(r)) - (np.cumsum(count) - count)[place]
    who[place, column] = i
    own = _room_for(arrays, rows, who)
    lived = arrays.offsets[r, i + 1] - arrays.offsets[r, i]
    room = 2 * int(np.bincount(place, lived).max()) + 256
    while True:
        ticks, codes = (np.empty((len(rows), room), dtype=np.int64) for _ in range(2))
        if arrays.outcomes.size:
            own = own._replace(outcomes=_of(drawn, rows, who))
        own = own._replace(ticks=ticks, codes=codes)
        live(seed, replicates[rows], np.arange(len(rows)), first, own)
        if not own.full.any():
            break
        room *= 2
    for name in (*_FILLED, "outcomes"):
        if getattr(arrays, name).size:
            getattr(arrays, name)[..., r, i] = getattr(own, name)[..., place, column]
    return _one_journal(arrays, own, rows, [who[k, at:] for k, at in enumerate(first)])


def _room_for(arrays: LifeArrays, rows: Ints, who: Ints) -> LifeArrays:
    """Return what is known of some patients, ``[row, patient]`` of ``who``, with room for their lives."""
    filled: dict[str, Any] = {name: getattr(arrays, name) for name in _FILLED}
    room: dict[str, Any] = {
        name: np.empty((*array.shape[:-2], *who.shape), dtype=array.dtype)
        for name, array in filled.items()
        if array.size
    }
    return arrays._replace(
        reach=arrays.reach[rows],
        keys=_of(arrays.keys, rows, who) if len(arrays.keys) else who,
        rows=_of(arrays.rows, rows, who),
        entry=_of(arrays.entry, rows, who),
        arms=_of(arrays.arms, rows, who),
        parts=_of(arrays.parts, rows, who) if arrays.parts.size else arrays.parts,
        orders=np.ascontiguousarray(arrays.orders[rows[:, None], who]),
        offsets=np.zeros((len(rows), who.shape[1] + 1), dtype=np.int64),
        full=np.zeros(len(rows), dtype=np.bool_),
        **room,
    )


def _of(array: NDArray[Any], rows: Ints, who: Ints) -> NDArray[Any]:
    """Return an array ``[..., replicate, patient]``, whose row replicates may share, of some patients."""
    at = rows if array.shape[-2] > 1 else np.zeros_like(rows)
    return np.ascontiguousarray(array[..., at[:, None], who])


def _one_journal(arrays: LifeArrays, own: LifeArrays, rows: Ints, again: list[Ints]) -> tuple[Ints, Ints]:
    """Put what was written of patients who have lived again in the place of what had been; offsets are filled."""
    ticks, codes = arrays.ticks, arrays.codes
    for k, (row, who) in enumerate(zip(rows, again, strict=True)):
        old, new = arrays.offsets[row], own.offsets[k, -len(who) - 1 :]
        begin, length = old[:-1].copy(), np.diff(old)
        begin[who], length[who] = old[-1] + new[:-1], np.diff(new)
        ends = np.cumsum(length)
        if ends[-1] > ticks.shape[1]:
            ticks, codes = (_longer(array, int(ends[-1])) for array in (ticks, codes))
        taken = np.repeat(begin - ends + length, length) + np.arange(ends[-1])
        for array, written in ((ticks, own.ticks), (codes, own.codes)):
            array[row, : ends[-1]] = np.concatenate([array[row, : old[-1]], written[k, : new[-1]]])[taken]
        arrays.offsets[row, 1:] = ends
    return ticks, codes


def _longer(array: Ints, room: int) -> Ints:
    """Return a copy of an array ``[replicate, row]`` with room for a quarter more rows than are needed."""
    made = np.empty((len(array), room + room // 4), dtype=np.int64)
    made[:, : array.shape[1]] = array
    return made
