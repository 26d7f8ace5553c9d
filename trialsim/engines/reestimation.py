"""What re-estimates sizes in either engine: the stages' weighted statistic, and the rule asked at the looks it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Bools, Decision, Floats, Ints, Moments, SizeView, Status
from trialsim.engines.plan import Plan
from trialsim.engines.points import Chunk, CutCounts, Point
from trialsim.stats.combination.reestimation import stage_statistic, with_stage

_OK = int(Status.OK)


class Reestimation:
    """Remembers what the stages of each trial of a chunk have shown, and by how much their sizes were changed.

    Parameters
    ----------
    plan
        Of the chunk; it re-estimates its size, by its only test.
    size
        Trials in it.
    """

    def __init__(self, plan: Plan, size: int) -> None:
        assert plan.resizing is not None
        self._plan, self._how = plan, plan.resizing
        self._test = plan.tests[0]
        self._combined, self._rate = np.zeros(size), np.zeros(size)
        self._score, self._information = np.zeros(size), np.zeros(size)
        self._further = np.zeros(size, dtype=np.int64)

    def tested(
        self, point: Point, z: Floats, status: NDArray[np.int8], information: Floats, counts: CutCounts
    ) -> Floats:
        """Return the statistic that is tested at a round of looks, ``[k]``, from that of all data.

        Stages are weighted as planned, whatever their sizes (Cui, Hung and Wang 1999). A look that could not be
        analysed, or saw nothing new, is taken together with the next. What a stage adds to a log-rank score is independent
        of what was there before under no effect (Tsiatis 1982), and its variance is what it adds to that of the score.
        """
        if not self._how.combines:
            return z
        rows, rate = point.rows, self._how.rates[point.number]
        now = (
            np.where(status == _OK, information, 0.0)
            if self._how.by_events
            else self._half_information(counts)
        )
        new = (status == _OK) & (now > self._information[rows])
        analysed = np.where(new, now, self._information[rows] + 1.0)
        stage, score = stage_statistic(
            np.where(new, z, 0.0), analysed, self._score[rows], self._information[rows]
        )
        combined = with_stage(self._combined[rows], self._rate[rows], stage, rate)
        found = np.where(new, combined, np.where(status == _OK, self._combined[rows], z))
        done = rows[new]
        self._combined[done], self._rate[done] = combined[new], rate[new]
        self._score[done], self._information[done] = score[new], now[new]
        return np.asarray(found)

    def decided(
        self, chunk: Chunk, point: Point, decision: Decision, all_data: tuple[Floats, Floats], tested: Floats,
        usable: Bools, counts: CutCounts, early: Floats | None = None,
    ) -> tuple[Decision, Floats]:  # fmt: skip
        """Return a decision with the read-outs or events to wait for, and the conditional power of each trial of the round.

        Parameters
        ----------
        chunk, point
            The looks.
        decision
            Of the stopping policy.
        all_data
            Statistic and standard error of all data, ``[k]``.
        tested
            From :meth:`tested`.
        usable
            Where both could be had.
        counts
            What is visible.
        early
            Statistic of another endpoint, where the rule goes by one: it is then asked where there is one.
        """
        assert decision.stop is not None
        usable = usable if early is None else np.isfinite(early)
        rows, rule = point.rows, self._how.rule
        further, power = self._further[rows].copy(), np.full(len(rows), np.nan)
        asked = np.flatnonzero(~decision.stop & usable & np.isin(point.number, rule.looks))
        if len(asked):
            half = self._half_information(counts)[asked]
            (z, se), seen = (part[asked] for part in all_data), self._seen(counts)[asked]
            part = Point("look", rows[asked], point.number[asked], point.tick[asked])
            moments = chunk.cut(part, 0).moments() if rule.blinded else None
            sd = np.ones(len(asked)) if self._how.by_events else se * np.sqrt(half)
            view = SizeView(
                point.number[asked], seen, further[asked], z, tested[asked], half, sd, _nameless(moments),
                None if early is None else early[asked],
            )  # fmt: skip
            further[asked], power[asked] = rule.further_counts(view)
            self._further[rows] = further
        return replace(decision, further_counts=further), power

    def _pair(self, counts: CutCounts) -> tuple[Ints, Ints]:
        """Return the read-outs, or the events, on control and on treatment."""
        counted = counts.events if self._how.by_events else counts.readouts
        return counted[:, self._test.control], counted[:, self._test.treatment]

    def _seen(self, counts: CutCounts) -> Ints:
        control, treated = self._pair(counts)
        return np.asarray(control + treated)

    def _half_information(self, counts: CutCounts) -> Floats:
        """Return ``n_c n_t / (n_c + n_t)``, 0 where an arm has none; for events what their number is worth by the plan."""
        control, treated = self._pair(counts)
        if self._how.by_events:
            return np.asarray((control + treated) / self._how.counted_per_information)
        return np.asarray(control * treated / np.maximum(control + treated, 1))


def _nameless(moments: Moments | None) -> Moments | None:
    """Return moments in an order that does not tell which arm is which: the smaller mean first."""
    if moments is None:
        return None
    order = np.argsort(moments.mean, axis=1, kind="stable")
    return Moments(*(np.take_along_axis(part, order, axis=1) for part in vars(moments).values()))
