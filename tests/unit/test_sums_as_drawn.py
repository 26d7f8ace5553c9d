"""Read-outs added up as they are drawn: to the last bit the sums of read-outs laid out and added up afterwards.

Arms are each replicate's own, or replicates share them, in more than eight ways or in few; then most go side by side.
"""

from __future__ import annotations

import numpy as np
import pytest

from trialsim.draws import Purpose, block_count, patient_table
from trialsim.engines import fast_first_kernels as firsts
from trialsim.engines.fast_outcome_kernels import values
from trialsim.engines.fast_sum_kernels import sums_of_few

SEED, DRAW, SD, ARMS, PATIENTS, REPLICATES = 7, 11, 1.3, 3, 700, 30
PURPOSE = int(Purpose.READOUT)


@pytest.mark.parametrize(("by_key", "ways"), [(False, REPLICATES), (True, 2), (False, 2), (False, 9)])
def test_sums_as_drawn_are_those_of_values_laid_out(by_key, ways):
    generator = np.random.default_rng(3)
    replicates = np.arange(40, 40 + REPLICATES)
    arm = generator.integers(0, ARMS, (ways, PATIENTS)).astype(np.int8)
    arm[:, :37] = arm[0, :37]
    arm = (
        arm[np.arange(REPLICATES) % ways]
        if ways == REPLICATES
        else arm[generator.integers(0, ways, REPLICATES)]
    )
    keys = np.zeros((REPLICATES if by_key else 0, PATIENTS), dtype=np.int64)
    if by_key:
        keys[:] = np.sort(generator.integers(0, 1 << 40, keys.shape), axis=1)
    expected, rows = np.array([[0.0, 0.25, -0.5]]), np.zeros((1, PATIENTS), dtype=np.int64)
    shared = (
        patient_table(block_count(PATIENTS), PURPOSE, DRAW, SEED),
        keys,
        PURPOSE,
        DRAW,
        expected,
        rows,
        arm,
    )
    laid_out = np.empty((REPLICATES, PATIENTS))
    every, nobody = np.arange(REPLICATES), np.zeros(REPLICATES, dtype=np.int64)
    values(SEED, replicates, every, nobody, np.array([PATIENTS]), *shared, SD, laid_out)

    def state():
        return nobody.copy(), np.zeros((REPLICATES, ARMS), dtype=np.int64), np.zeros((REPLICATES, ARMS))

    wanted, found = state(), state()
    since, gained_n, gained = state()
    # Forward by few and by many, some replicates not at all, and in one of them back again.
    cuts = [
        np.where(generator.random(REPLICATES) < 0.5, 37, generator.integers(0, 40, REPLICATES)),
        np.resize([37, 41, 333, 40, 700, 700, 700], REPLICATES),
        np.resize([699, 41, 8, 500, 700, 700, 700], REPLICATES),
    ]
    for upto in cuts:
        begin = np.where(upto < found[0], 0, found[0])
        firsts.add_values(every, upto, arm, laid_out, *wanted)
        sums_of_few(SEED, replicates, every, upto, *shared, SD, *found, since, gained_n, gained)
        for here, there in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(here, there)
        for r in np.flatnonzero(upto > begin):
            assert since[r] == begin[r]
            mine = [laid_out[r, begin[r] : upto[r]][arm[r, begin[r] : upto[r]] == a] for a in range(ARMS)]
            np.testing.assert_array_equal(gained_n[r], [len(one) for one in mine])
            np.testing.assert_array_equal(gained[r], [sum(one.tolist(), 0.0) for one in mine])
