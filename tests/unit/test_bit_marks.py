"""Comparisons side by side against NumPy's, with whole words, a last word that is not whole, and less than one."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core.errors import TypingError

from trialsim.bit_marks import above, same, up_to, words_for
from trialsim.engines.record_kernels import places_of_looks, put_rows

SIZES = [1, 7, 63, 64, 65, 127, 128, 400, 2139]


def packed(flags: np.ndarray) -> list[int]:
    """Return flags as words of 64 bits, the first one lowest."""
    room = np.zeros(64 * words_for(len(flags)), dtype=np.uint8)
    room[: len(flags)] = flags
    return np.packbits(room, bitorder="little").view(np.uint64).tolist()


@pytest.mark.parametrize("n", SIZES)
def test_times_are_compared_with_a_limit(n: int) -> None:
    generator = np.random.default_rng(n)
    times = generator.integers(-50, 50, n) * generator.choice([1, 1 << 40, (1 << 62) // 50], n)
    for limit in (-(1 << 62), -1, 0, 17, int(times[0]), int(times[-1]) - 1, 1 << 62):
        told = [int(np.uint64(up_to(times, word, limit))) for word in range(words_for(n))]
        assert told == packed(times <= limit)
        told = [int(np.uint64(above(times, word, limit))) for word in range(words_for(n))]
        assert told == packed(times > limit)


@pytest.mark.parametrize("n", SIZES)
def test_codes_are_compared_with_one(n: int) -> None:
    codes = np.random.default_rng(n).integers(-2, 5, n).astype(np.int8)
    for code in range(-2, 6):
        told = [int(np.uint64(same(codes, word, np.int8(code)))) for word in range(words_for(n))]
        assert told == packed(codes == code)


def test_what_is_not_contiguous_is_refused() -> None:
    with pytest.raises(TypingError, match="contiguous"):
        up_to(np.arange(256)[::2], 0, 5)


def test_looks_stand_by_replicate_and_in_the_order_in_which_they_came() -> None:
    generator = np.random.default_rng(3)
    size, rounds = 40, 6
    rows = np.concatenate([np.flatnonzero(generator.random(size) < 0.6) for _ in range(rounds)])
    place = np.empty(len(rows), dtype=np.int64)
    places_of_looks(rows, size, place)
    order = np.argsort(rows, kind="stable")
    assert (order[place] == np.arange(len(rows))).all()


def test_rows_are_put_where_they_belong() -> None:
    out, rows = np.zeros((6, 2), dtype=np.int64), np.array([4, 1])
    put_rows(np.array([[5, 6], [7, 8]]), rows, out)
    put_rows(np.array([[9, 10]]), np.array([0, 5]), out)
    assert out.tolist() == [[9, 10], [7, 8], [0, 0], [0, 0], [5, 6], [9, 10]]
