"""A data cut made of a reader's own arrays, so that any analysis can be asked about any data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.contracts import AllocationRows, ArmTotals, Moments, PatientRows, RiskTables
from trialsim.errors import UsageError


@dataclass(frozen=True)
class ArrayCut:
    """Patients of two arms as a :class:`~trialsim.contracts.DataCut`; made by :func:`cut_of`."""

    rows: PatientRows

    def patients(self) -> PatientRows:
        """Return the patients one by one."""
        return self.rows

    def moments(self) -> Moments:
        """Return the read-outs' moments by arm."""
        rows = self.rows
        size = len(rows.offsets) - 1
        place = np.repeat(np.arange(size), np.diff(rows.offsets))
        cell = 2 * place + rows.treated
        n = np.bincount(cell, minlength=2 * size).astype(np.int64)
        mean = np.asarray(
            np.bincount(cell, rows.value, minlength=2 * size) / np.maximum(n, 1), dtype=np.float64
        )
        apart = rows.value - mean[cell]
        squares = np.asarray(np.bincount(cell, apart * apart, minlength=2 * size), dtype=np.float64)
        return Moments(n.reshape(size, 2), mean.reshape(size, 2), squares.reshape(size, 2))

    def risk_tables(self) -> RiskTables:
        """Refuse: Bayesian analyses take the patients one by one."""
        raise UsageError("risk tables are made of a trial, not of arrays; take patients()")

    def risk_tables_by_stratum(self) -> Iterator[RiskTables]:
        """Refuse, as :meth:`risk_tables` does."""
        yield self.risk_tables()

    def allocations(self) -> AllocationRows:
        """Refuse: arrays do not say how patients were allocated."""
        raise UsageError("arrays do not say how patients were allocated")

    def every_arm(self) -> ArmTotals:
        """Return the read-outs of both arms; the second is tested, and no more patients come."""
        moments = self.moments()
        return ArmTotals(moments.n, moments.n * moments.mean, 1, int(moments.n.sum(axis=1).max(initial=1)))

    def redrawn(self, draws: int) -> Iterator[NDArray[np.int8]]:
        """Refuse: arrays do not say how patients were allocated."""
        raise UsageError(
            "arrays do not say how patients were allocated, which a re-randomisation test redraws"
        )


def cut_of(
    treated: ArrayLike,
    value: ArrayLike,
    event: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    covariates: ArrayLike | None = None,
    replicate: ArrayLike | None = None,
) -> ArrayCut:
    """Return a data cut of patients given as arrays, ``[patient]``.

    Parameters
    ----------
    treated
        Whether on treatment.
    value
        Days of follow-up, or what was read out.
    event
        Events at the end of follow-up, or in it where they recur; without it none.
    stratum
        From 0; baskets are strata. Without it one.
    covariates
        Numbers, ``[patient, column]``.
    replicate
        Number of the patient's data set from 0, not falling; without it one data set.

    Raises
    ------
    UsageError
        When arrays differ in length, or replicates fall.

    Examples
    --------
    >>> cut_of([0, 0, 1, 1], [0, 1, 1, 1]).moments().mean.tolist()
    [[0.5, 1.0]]
    """
    arm = np.asarray(treated, dtype=np.int8)
    n = len(arm)

    def column(name: str, given: ArrayLike | None, kind: Any) -> NDArray[Any]:
        found = np.zeros(n, dtype=kind) if given is None else np.asarray(given, dtype=kind)
        if len(found) != n:
            raise UsageError(f"{name} has {len(found)} entries and treated has {n}; give one a patient")
        return found

    place = column("replicate", replicate, np.int64)
    if (np.diff(place) < 0).any():
        raise UsageError("replicate: numbers fall somewhere; sort the patients by replicate")
    shared = np.zeros((n, 0)) if covariates is None else column("covariates", covariates, np.float64)
    size = int(place[-1]) + 1 if n else 1
    offsets = np.concatenate([[0], np.cumsum(np.bincount(place, minlength=size))]).astype(np.int64)
    rows = PatientRows(
        offsets,
        arm,
        column("stratum", stratum, np.int64),
        column("value", value, np.float64),
        column("event", event, np.int8),
        shared.reshape(n, -1) if shared.size else np.zeros((n, 0)),
    )
    return ArrayCut(rows)
