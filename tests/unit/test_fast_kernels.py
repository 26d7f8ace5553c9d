"""The compiled loops of the fast engine against the plainest way of counting the same."""

from __future__ import annotations

import numpy as np
import pytest

from trialsim.compiled import kernel
from trialsim.draws import block_count, fill_words, patient_table
from trialsim.engines import fast_count_kernels as counting
from trialsim.engines import fast_late_kernels as late
from trialsim.engines import fast_risk_kernels as risk
from trialsim.engines.fast_patients import entry_index
from trialsim.engines.fast_rows import entered_by
from trialsim.population.endpoints.survival import (
    event_ticks,
    fill_event_ticks,
    fill_lasting_event_ticks,
    order_by_arm,
)
from trialsim.stats.moments import mean_and_squares
from trialsim.stats.piecewise import PiecewiseIntensity, piecewise_intensity
from trialsim.timegrid import NEVER

N, ARMS = 61, 3
REPLICATES = 5
LOOKS = (0, 7, 30, 31, 45, 200)
_GENERATOR = np.random.default_rng(11)


class Small:
    """Trials on a grid so coarse that nearly everything ties."""

    def __init__(self, shared_entry: bool, shared_arms: bool, strata: int, n: int = N) -> None:
        g, rows = np.random.default_rng(3), np.arange(REPLICATES)
        self.rows = rows
        self.entry = np.sort(g.integers(1, 40, (1 if shared_entry else REPLICATES, n)), axis=1)
        self.arm = g.integers(0, ARMS, (1 if shared_arms else REPLICATES, n)).astype(np.int8)
        self.strata = g.integers(0, strata, (1 if strata == 1 else REPLICATES, n))
        self.delay = g.integers(1, 60, (REPLICATES, n))
        self.dropout = g.integers(1, 90, (REPLICATES, n))
        self.exit_at = self.entry + np.minimum(self.delay, self.dropout)
        self.event_at = np.where(self.delay <= self.dropout, self.exit_at, NEVER)
        self.known_at = self.exit_at + g.integers(0, 30, (REPLICATES, n)) * g.integers(0, 2, (REPLICATES, n))

    def of(self, array: np.ndarray, row: int) -> np.ndarray:
        return array[row if len(array) > 1 else 0]

    def table(
        self, row: int, cut: int, stratum: int, treatment: int, control: int, known_at: np.ndarray
    ) -> list[tuple[int, ...]]:
        """Count who is at risk at each time since entry at which somebody of two arms has an event, by definition.

        Whoever's exit is not known by the cut is followed until then.
        """
        entry, arm = self.of(self.entry, row), self.of(self.arm, row)
        compared = ((arm == treatment) | (arm == control)) & (self.of(self.strata, row) == stratum)
        here = compared & (entry <= cut)
        known = known_at[row] <= cut
        followed = np.where(known, self.exit_at[row], cut) - entry
        event = here & known & (self.event_at[row] < NEVER)
        rows = []
        for time in np.unique(followed[event]):
            at_risk, had = here & (followed >= time), event & (followed == time)
            treated = arm == treatment
            rows.append((at_risk.sum(), (at_risk & treated).sum(), had.sum(), (had & treated).sum()))
        return [tuple(int(x) for x in row) for row in rows]


KINDS = [
    (True, True, 1),
    (True, False, 1),
    (False, True, 1),
    (False, False, 1),
    (True, True, 3),
    (False, False, 2),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [N, 64, 131])
def test_numbers_at_risk_are_those_of_the_definition_from_look_to_look(
    kind: tuple[bool, bool, int], n: int
) -> None:
    trials, strata = Small(*kind, n), kind[2]
    seen, sizes = np.full(REPLICATES, -1), np.zeros(REPLICATES, dtype=np.int64)
    keys = np.full((REPLICATES, n), -7)  # whatever lies in memory
    starts, shift = entry_index(trials.entry)
    found_any = 0
    for cut in LOOKS:
        cuts = np.full(REPLICATES, cut) + trials.rows % 2
        longest = risk.add_new_exits(
            trials.rows, cuts, seen, trials.exit_at, trials.event_at, trials.entry, keys, sizes
        )
        risk.leave_room(keys, sizes, longest)
        keys[:, :longest].sort(axis=1)
        offsets = np.empty(REPLICATES + 1, dtype=np.int64)
        tables = [np.empty(REPLICATES * n * strata + 8, dtype=np.int32) for _ in range(4)]
        risk.numbers_at_risk(
            trials.rows, cuts, trials.entry, starts, shift, trials.exit_at, trials.arm, trials.strata, strata, keys,
            sizes, 2, 0, offsets, *tables,
        )  # fmt: skip
        for row in trials.rows:
            wanted = [
                line
                for s in range(strata)
                for line in trials.table(row, int(cuts[row]), s, 2, 0, trials.exit_at)
            ]
            part = slice(offsets[row], offsets[row + 1])
            assert list(zip(*(table[part].tolist() for table in tables), strict=True)) == wanted
            found_any += len(wanted)
    assert found_any > 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_once", [True, False])
def test_so_they_are_where_exits_are_known_later(kind: tuple[bool, bool, int], at_once: bool) -> None:
    trials, strata = Small(*kind), kind[2]
    known_at = trials.exit_at if at_once else trials.known_at
    seen, sizes = np.full(REPLICATES, -1), np.zeros(REPLICATES, dtype=np.int64)
    keys = np.full((REPLICATES, N), risk.NO_KEY)
    found_any = 0
    for cut in LOOKS:
        cuts = np.full(REPLICATES, cut) + trials.rows % 2
        longest = late.add_exits_as_known(
            trials.rows, cuts, seen, trials.exit_at, known_at, trials.event_at, trials.entry, keys, sizes
        )
        keys[:, :longest].sort(axis=1)
        offsets = np.empty(REPLICATES + 1, dtype=np.int64)
        tables = [np.empty(REPLICATES * N * strata + 8, dtype=np.int32) for _ in range(4)]
        late.numbers_at_risk_as_known(
            trials.rows, cuts, trials.entry, known_at, trials.arm, trials.strata, strata, keys, sizes, 2, 0, offsets,
            *tables,
        )  # fmt: skip
        for row in trials.rows:
            wanted = [
                line for s in range(strata) for line in trials.table(row, int(cuts[row]), s, 2, 0, known_at)
            ]
            part = slice(offsets[row], offsets[row + 1])
            assert list(zip(*(table[part].tolist() for table in tables), strict=True)) == wanted
            found_any += len(wanted)
    assert found_any > 100


@pytest.mark.parametrize(
    "entry",
    [
        np.arange(1, 101) * 7919,
        np.sort(_GENERATOR.integers(0, 50, 200)),
        np.sort(_GENERATOR.integers(0, 1 << 40, 33)),
        np.concatenate([np.zeros(20), np.full(20, 1 << 30)]).astype(np.int64),
        np.zeros(5, dtype=np.int64),
        np.array([12345]),
        np.concatenate([np.sort(_GENERATOR.integers(0, 90, 40)), np.full(25, NEVER)]),
        np.full(7, NEVER),
    ],
)
def test_an_index_finds_how_many_have_entered(entry: np.ndarray) -> None:
    starts, shift = entry_index(entry[None, :])
    around = (entry[entry < NEVER, None] + np.array([-1, 0, 1])).ravel()
    for until in [0, 1 << 45, *around[around >= 0].tolist()]:
        assert entered_by(until, entry, starts[0], shift) == np.searchsorted(entry, until, side="right")


def test_the_date_of_a_count_is_that_of_the_sorted_times_whatever_was_found_before() -> None:
    generator = np.random.default_rng(11)
    times = np.minimum(np.exp(generator.normal(20, 4, (40, 50))).astype(np.int64) + 1, NEVER - 1)
    times[generator.random(times.shape) < 0.3] = NEVER
    times[3] = times[3, 0]
    arm = generator.integers(0, ARMS, times.shape).astype(np.int8)
    for counted in ([True] * ARMS, [True, False, True]):
        chosen = np.array(counted)[arm]
        sorted_times = np.sort(np.where(chosen, times, NEVER), axis=1)
        for count in (1, 2, 10, 25, 34, 36, 50):
            rows = generator.permutation(40)
            found = np.empty(40, dtype=np.int64)
            counting.dates_of_counts(rows, times, arm, np.array(counted), np.array([count]), found)
            assert (found == sorted_times[rows, count - 1]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [N, 64, 131])
def test_counts_at_a_cut(kind: tuple[bool, bool, int], n: int) -> None:
    trials = Small(*kind, n)
    starts, shift = entry_index(trials.entry)
    complete = trials.delay
    arm = np.broadcast_to(trials.arm, (REPLICATES, n))
    entry = np.broadcast_to(trials.entry, (REPLICATES, n))
    for cut in LOOKS:
        cuts = np.full(REPLICATES, cut)
        shape = (REPLICATES, ARMS)
        enrolled, events, lost = (np.full(shape, -1) for _ in range(3))
        everybody = np.array([n])
        counting.enrolled_by_arm(
            trials.rows, cuts, trials.entry, starts, shift, trials.arm, everybody, enrolled
        )
        counting.counts_by_arm(trials.rows, cuts, trials.event_at, trials.arm, everybody, events)
        counting.dropouts_by_arm(trials.rows, cuts, trials.entry, trials.dropout, complete, trials.arm, lost)
        gone = (entry + trials.dropout <= cut) & (trials.dropout < complete)
        for a in range(ARMS):
            assert (enrolled[:, a] == ((entry <= cut) & (arm == a)).sum(axis=1)).all()
            assert (events[:, a] == ((trials.event_at <= cut) & (arm == a)).sum(axis=1)).all()
            assert (lost[:, a] == (gone & (arm == a)).sum(axis=1)).all()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 4, 9])
def test_continuous_outcomes_are_added_in_the_order_of_entry(shared: bool, rows: int) -> None:
    g = np.random.default_rng(rows)
    n = 37
    readout_at = np.sort(g.integers(0, 50, (1 if shared else rows, n)), axis=1)
    arm = g.integers(0, 3, (1 if shared else rows, n)).astype(np.int8)
    outcome, coming = g.normal(size=(rows, 40)), g.integers(20, n + 1, rows)
    cut = g.integers(-1, 60, rows)
    chosen, pair = g.permutation(rows), np.array([2, 0])
    shape = (2, rows)
    count, mean, squares = np.empty(shape, dtype=np.int64), np.empty(shape), np.empty(shape)
    known = (readout_at, outcome, arm, coming, pair, count, mean, squares)
    counting.continuous_readouts(chosen, cut, *known)
    for k, r in enumerate(chosen):
        t, a = readout_at[0 if shared else r], arm[0 if shared else r]
        for side in range(2):
            here = (t <= cut[k]) & (a == pair[side]) & (np.arange(n) < coming[r])
            values = outcome[r, :n][here]
            assert count[side, k] == len(values)
            assert (mean[side, k], squares[side, k]) == mean_and_squares(values, len(values))


@pytest.mark.parametrize("kind", KINDS[:4])
@pytest.mark.parametrize("n", [N, 64, 1])
def test_binary_outcomes_are_counted_in_words(kind: tuple[bool, bool, int], n: int) -> None:
    g, trials = np.random.default_rng(5), Small(*kind)
    readout_at = np.resize(trials.entry, (len(trials.entry), n)) + 3
    arm = np.resize(trials.arm, (len(trials.arm), n))
    # What stands behind the patients in a row must not be counted.
    outcome = np.ones((REPLICATES, -(-n // 64) * 64), dtype=np.int8)
    outcome[:, :n] = g.integers(0, 2, (REPLICATES, n))
    bits = np.packbits(outcome, axis=1, bitorder="little").view(np.uint64)
    for cut in LOOKS:
        shape = (2, REPLICATES)
        count, mean, squares = np.empty(shape, dtype=np.int64), np.empty(shape), np.empty(shape)
        pair = np.array([0, 2])
        cuts, everybody = np.full(REPLICATES, cut), np.array([n])
        counting.binary_readouts(
            trials.rows, cuts, readout_at, bits, arm, everybody, pair, count, mean, squares
        )
        for row in trials.rows:
            for side in range(2):
                times = trials.of(readout_at, row)
                mine = (times <= cut) & (trials.of(arm, row) == pair[side])
                total = int(outcome[row, :n][mine].sum())
                assert count[side, row] == mine.sum()
                assert mean[side, row] == (total / mine.sum() if mine.any() else 0.0)
                assert squares[side, row] == total * (1 - mean[side, row])


@kernel
def one_by_one(words, factor, arm, begin, width, slope, jump, exponent, scale, grid, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        out[i] = event_ticks(words[i], factor[i], arm[i], begin, width, slope, jump, exponent, scale, grid)


LASTING = piecewise_intensity([((0.0,), (0.004,)), ((0.0,), (0.002,))])
PIECES = piecewise_intensity([((0.0,), (0.004,)), ((0.0, 50.0, 90.0), (0.002, 0.0, 0.01))])
ENDING = piecewise_intensity([((0.0, 30.0), (0.004, 0.0)), ((0.0,), (0.0,))])


@pytest.mark.parametrize(("pieces", "lasting"), [(LASTING, True), (PIECES, False), (ENDING, False)])
@pytest.mark.parametrize(("exponent", "scale"), [(1.0, 1.0), (0.7, 300.0)])
@pytest.mark.parametrize("grid", [1, 7 << 20])
def test_event_times_in_a_row_are_those_of_one_patient_each(
    pieces: PiecewiseIntensity, lasting: bool, exponent: float, scale: float, grid: int
) -> None:
    generator = np.random.default_rng(11)
    n, first = 301, 13
    assert pieces.lasting == lasting
    words = np.empty(4 * block_count(n), dtype=np.uint64)
    fill_words(words, patient_table(block_count(n), 7, 3, 5), 0, block_count(n), 2, 7, 5)
    words = words[:n]
    factor, arm = np.exp(generator.normal(0, 1, n)), generator.integers(0, 2, n)
    law = (pieces.begin, pieces.width, pieces.slope, pieces.jump)
    wanted, found = np.empty(n, dtype=np.int64), np.full(n, -1)
    one_by_one(words, factor, arm, *law, exponent, scale, grid, wanted)
    order, until = np.empty(n + 1, dtype=np.int64), np.empty(2, dtype=np.int64)
    order_by_arm(arm, first, n, order, until)
    assert (order[: n - first] == first + np.argsort(arm[first:], kind="stable")).all()
    assert until.tolist() == np.cumsum(np.bincount(arm[first:], minlength=2)).tolist()
    if lasting:
        slopes = pieces.slope[arm, 0]
        fill_lasting_event_ticks(words, factor, slopes, exponent, scale, grid, first, n, np.empty(n), found)
        assert (found[first:] == wanted[first:]).all()
        assert (found[:first] == -1).all()
    factors, rows = np.exp(generator.normal(0, 1, (1, 2))), np.zeros(n, dtype=np.int64)
    for each in (factors, np.exp(generator.normal(0, 1, (n, 2)))):
        found[:] = -1
        one_by_one(words, each[rows, arm], arm, *law, exponent, scale, grid, wanted)
        fill_event_ticks(
            words, each, rows, arm, order, until, *law, exponent, scale, grid, first, n, np.empty(n), np.empty(n),
            np.empty(n), found,
        )  # fmt: skip
        assert (found[first:] == wanted[first:]).all()
        assert (found[:first] == -1).all()
        rows = np.arange(n)
