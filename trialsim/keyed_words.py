"""Random words of patients whose numbers are scattered, each at the address of its key, sixteen blocks at a time."""

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.philox import M1, MORE_LANES, fill_blocks_at, of_replicate

_SITE_SHIFT, _OF_SITE = 30, (1 << 30) - 1  # in a key without the place in its block

GROUPED = 3
"""Rows of the scratch that :func:`group_keys` fills: blocks, where in them each patient's word is, ends of batches."""


@kernel
def group_keys(keys: np.ndarray, grouped: np.ndarray) -> int:
    """Find the blocks of the generator that hold the words of some patients, for :func:`words_of`.

    Parameters
    ----------
    keys
        Number of each patient as a candidate, int64 ``[patient]``. Neighbouring keys share a block.
    grouped
        To fill, int64 ``[GROUPED, at least patients + MORE_LANES]``, contiguous.

    Returns
    -------
    int
        How many blocks there are, a multiple of sixteen.
    """
    blocks, places, ends = grouped[0], grouped[1], grouped[2]
    count, known = 0, np.int64(-1)
    for i in range(len(keys)):
        block = keys[i] >> 2
        count += np.int64(block != known)
        known = block
        at = np.uint64(count - 1)
        blocks[at] = block
        places[i] = np.int64((at & np.uint64(MORE_LANES - 1)) << np.uint64(2)) | (keys[i] & 3)
        ends[at // np.uint64(MORE_LANES)] = i + 1
    padded = -(-count // MORE_LANES) * MORE_LANES
    blocks[count:padded] = 0
    return padded


@kernel
def order_by_block(keys: np.ndarray, first: int, order: np.ndarray) -> None:
    """Fill ``order`` with patients ``first`` onwards, those whose words share a block of the generator side by side.

    In the order of entry neighbours are of different sites, and a block would be made anew for each of the three or four
    patients whom it serves.

    Parameters
    ----------
    keys
        Number of each patient as a candidate, site << 32 | arrival number there, int64 ``[patient]``.
    first
        Patient with whom to begin.
    order
        To fill, int64, at least one a patient from ``first`` on.
    """
    blocks = keys[first:] >> 2
    sites = np.int64(0)
    for i in range(len(blocks)):
        sites = max(sites, (blocks[i] >> _SITE_SHIFT) + 1)
    begins = np.zeros(sites + 1, np.int64)
    for i in range(len(blocks)):
        after = np.uint64((blocks[i] >> _SITE_SHIFT) + 1)
        begins[after] = max(begins[after], (blocks[i] & _OF_SITE) + 1)
    for site in range(sites):
        begins[site + 1] += begins[site]
    places = np.zeros(begins[sites] + 1, np.int64)
    for i in range(len(blocks)):
        blocks[i] = begins[np.uint64(blocks[i] >> _SITE_SHIFT)] + (blocks[i] & _OF_SITE)
        places[np.uint64(blocks[i] + 1)] += 1
    for block in range(begins[sites]):
        places[block + 1] += places[block]
    for i in range(len(blocks)):
        place = places[np.uint64(blocks[i])]
        order[np.uint64(place)] = first + i
        places[np.uint64(blocks[i])] = place + 1


@kernel
def words_of(
    out: np.ndarray, grouped: np.ndarray, blocks: int, replicate: int, purpose: int, draw: int, seed: int
) -> None:
    """Fill the words of patients of one replicate, each at the address of the patient's key.

    Parameters
    ----------
    out
        uint64, at least one a patient.
    grouped, blocks
        From :func:`group_keys`.
    replicate, purpose, draw, seed
        The rest of the address.
    """
    s0 = np.uint64(seed)
    high, low = of_replicate(s0, replicate, purpose)
    numbers, places, ends = grouped[0], grouped[1], grouped[2]
    words = np.empty(4 * MORE_LANES, np.uint64)
    done = np.int64(0)
    for k in range(0, blocks, MORE_LANES):
        fill_blocks_at(words, numbers, k, M1 * np.uint64(purpose), np.uint64(draw), high, low, s0)
        until = ends[k // MORE_LANES]
        here, mine = places[done:until], out[done:until]
        for i in range(len(here)):
            mine[i] = words[np.uint64(here[i])]
        done = until


@kernel
def words_in_line(
    out: np.ndarray, blocks: np.ndarray, first: int, replicate: int, purpose: int, draw: int, seed: int
) -> None:
    """Fill the words of the 64 patients of sixteen neighbouring blocks of one replicate.

    Parameters
    ----------
    out
        uint64 ``[64]``.
    blocks
        Scratch, int64 ``[16]``.
    first
        Number of the first block: a quarter of the first patient's.
    replicate, purpose, draw, seed
        The rest of the address.
    """
    for k in range(MORE_LANES):
        blocks[k] = first + k
    s0 = np.uint64(seed)
    high, low = of_replicate(s0, replicate, purpose)
    fill_blocks_at(out, blocks, 0, M1 * np.uint64(purpose), np.uint64(draw), high, low, s0)


@kernel
def words_at(
    out: np.ndarray, keys: np.ndarray, first: int, replicate: int, purpose: int, draw: int, seed: int
) -> None:
    """Fill the words of patients ``first`` onwards of one replicate, each at the address of the patient's key.

    Who wants several words of the same patients calls :func:`group_keys` once and :func:`words_of` for each.

    Parameters
    ----------
    out
        uint64, at least ``[len(keys)]``.
    keys
        Number of each patient as a candidate, int64 ``[patient]``.
    first
        Patient with whom to begin.
    replicate, purpose, draw, seed
        The rest of the address.
    """
    grouped = np.empty((GROUPED, len(keys) + MORE_LANES), np.int64)
    blocks = group_keys(keys[first:], grouped)
    words_of(out[first:], grouped, blocks, replicate, purpose, draw, seed)
