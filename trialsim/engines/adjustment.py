"""What an analysis adjusts for: covariates and a prognostic score, as columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trialsim.contracts import Floats
from trialsim.population.patients import PatientSource


@dataclass(frozen=True)
class Adjustment:
    """How records become columns to adjust for.

    Parameters
    ----------
    columns, levels
        Column of the record, and the level of which the column is an indicator, NaN for a number as it is.
    score
        Column of the record and coefficient of each term of a prognostic score; none without one.
    """

    columns: tuple[int, ...]
    levels: tuple[float, ...]
    score: tuple[tuple[int, float], ...]

    def of(self, records: Floats) -> Floats:
        """Return the columns of some records, ``[patient, column]``; the score is the last."""
        found = [
            records[:, column] if np.isnan(level) else (records[:, column] == level).astype(np.float64)
            for column, level in zip(self.columns, self.levels, strict=True)
        ]
        if self.score:
            total = np.zeros(len(records))
            for column, coefficient in self.score:
                total = total + coefficient * records[:, column]
            found.append(total)
        return np.stack(found, axis=1) if found else np.zeros((len(records), 0))


def build_adjustment(
    source: PatientSource, covariates: tuple[str, ...], score: Mapping[str, float]
) -> Adjustment:
    """Return what covariates and a score make; a categorical covariate's first level is the reference."""
    columns: list[int] = []
    levels: list[float] = []
    for name in covariates:
        at, known = source.columns.index(name), len(source.categories.get(name, ()))
        for level in range(1, known) if known else (np.nan,):
            columns.append(at)
            levels.append(float(level))
    terms = tuple((source.columns.index(name), coefficient) for name, coefficient in score.items())
    return Adjustment(tuple(columns), tuple(levels), terms)
