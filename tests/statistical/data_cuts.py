"""Data cuts made by hand from a list of patients: what an analysis is fed where no engine is to be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trialsim.contracts import Moments, PatientRows, RiskTables


@dataclass(frozen=True)
class SurvivalCut:
    """Patients of one or more replicates: time, event, treatment and stratum of each."""

    replicates: tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], ...]

    def risk_tables(self) -> RiskTables:
        """Count who is at risk at each event time, the plain way."""
        rows: list[tuple[int, int, int, int]] = []
        offsets = [0]
        for time, event, treated, stratum in self.replicates:
            for s in np.unique(stratum):
                here = stratum == s
                for t in np.unique(time[here & event]):
                    at_risk, dead = here & (time >= t), here & (time == t) & event
                    rows.append(
                        (at_risk.sum(), (at_risk & treated).sum(), dead.sum(), (dead & treated).sum())
                    )
            offsets.append(len(rows))
        table = np.array(rows, dtype=np.int32).reshape(-1, 4)
        return RiskTables(np.array(offsets), *(np.ascontiguousarray(table[:, k]) for k in range(4)))

    def risk_tables_by_stratum(self) -> Iterator[RiskTables]:
        """Count each stratum by itself."""
        for s in np.unique(np.concatenate([stratum for *_, stratum in self.replicates])):
            yield SurvivalCut(
                tuple(tuple(part[one[3] == s] for part in one) for one in self.replicates)
            ).risk_tables()

    def moments(self) -> Moments:
        """Refuse: there are none."""
        raise NotImplementedError

    def patients(self) -> PatientRows:
        """Return the patients as they are, without covariates."""
        return rows_of([(x, v, s, e, np.zeros((len(v), 0))) for v, e, x, s in self.replicates])


def rows_of(replicates: list[tuple[np.ndarray, ...]]) -> PatientRows:
    """Return rows of replicates given as (treated, value, stratum, event, covariates)."""
    treated, value, stratum, event, covariates = (
        np.concatenate(parts) for parts in zip(*replicates, strict=True)
    )
    return PatientRows(
        np.concatenate([[0], np.cumsum([len(one[0]) for one in replicates])]).astype(np.int64),
        treated.astype(np.int8),
        stratum.astype(np.int64),
        value.astype(float),
        event.astype(np.int8),
        covariates.astype(float),
    )


@dataclass(frozen=True)
class RowsCut:
    """Patients one by one of one or more replicates: (treated, value, stratum, event, covariates)."""

    replicates: tuple[tuple[np.ndarray, ...], ...]

    def patients(self) -> PatientRows:
        """Return them."""
        return rows_of(list(self.replicates))

    def moments(self) -> Moments:
        """Refuse: there are none."""
        raise NotImplementedError

    def risk_tables(self) -> RiskTables:
        """Refuse: there are none."""
        raise NotImplementedError


def rows_cut(*replicates: dict[str, ArrayLike]) -> RowsCut:
    """Return a cut of replicates given by ``treated`` and ``value``, perhaps ``stratum``, ``event``, ``covariates``."""
    found = []
    for one in replicates:
        treated = np.asarray(one["treated"])
        n = len(treated)
        found.append(
            (
                treated,
                np.asarray(one["value"], dtype=float),
                np.asarray(one.get("stratum", np.zeros(n, dtype=int))),
                np.asarray(one.get("event", np.zeros(n, dtype=int))),
                np.asarray(one.get("covariates", np.zeros((n, 0))), dtype=float).reshape(n, -1 if n else 0),
            )
        )
    return RowsCut(tuple(found))


def survival_cut(*replicates: tuple[ArrayLike, ...]) -> SurvivalCut:
    """Return a cut of replicates given as (time, event, treated) or (time, event, treated, stratum)."""
    found = []
    for parts in replicates:
        time = np.asarray(parts[0], dtype=float)
        stratum = np.asarray(parts[3]) if len(parts) > 3 else np.zeros(len(time), dtype=int)
        found.append((time, np.asarray(parts[1], dtype=bool), np.asarray(parts[2], dtype=bool), stratum))
    return SurvivalCut(tuple(found))


@dataclass(frozen=True)
class ValuesCut:
    """Read-outs of one or more replicates: of control, and of treatment."""

    replicates: tuple[tuple[np.ndarray, np.ndarray], ...]

    def moments(self) -> Moments:
        """Return counts, means and sums of squares."""
        n = np.array([[len(values) for values in pair] for pair in self.replicates])
        mean = np.array(
            [[values.mean() if len(values) else 0.0 for values in pair] for pair in self.replicates]
        )
        squares = np.array(
            [
                [((values - values.mean()) ** 2).sum() if len(values) else 0.0 for values in pair]
                for pair in self.replicates
            ]
        )
        return Moments(n, mean, squares)

    def patients(self) -> PatientRows:
        """Return the read-outs as patients, control first, without covariates."""
        found = []
        for control, treatment in self.replicates:
            n = len(control) + len(treatment)
            treated, nothing = np.arange(n) >= len(control), np.zeros(n, dtype=int)
            found.append((treated, np.concatenate([control, treatment]), nothing, nothing, np.zeros((n, 0))))
        return rows_of(found)

    def risk_tables(self) -> RiskTables:
        """Refuse: there are none."""
        raise NotImplementedError


def values_cut(*replicates: tuple[ArrayLike, ArrayLike]) -> ValuesCut:
    """Return a cut of replicates given as (control, treatment)."""
    return ValuesCut(tuple((np.asarray(a, dtype=float), np.asarray(b, dtype=float)) for a, b in replicates))
