"""Covariates as the numbers that a model takes, whatever the order or the number of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Encoding:
    """How covariates become features: learned from the training candidates alone.

    Parameters
    ----------
    names
        Covariates, in the order of their features.
    levels
        Levels of each, none of a numeric one.
    mean, sd
        Of each numeric covariate where it was known; 0 and 1 otherwise.
    indicators
        Whether a feature says that the covariate is missing.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    indicators: tuple[bool, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return what a file holds of the encoding."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Encoding:
        """Return the encoding that a file holds."""
        return cls(
            tuple(plain["names"]), tuple(tuple(each) for each in plain["levels"]), tuple(plain["mean"]),
            tuple(plain["sd"]), tuple(plain["indicators"]),
        )  # fmt: skip

    def columns_in(self, names: tuple[str, ...], levels: Mapping[str, tuple[str, ...]]) -> list[int]:
        """Return where the covariates stand among those of a view.

        Raises
        ------
        UsageError
            If one is not there, or has other levels.
        """
        for name, own in zip(self.names, self.levels, strict=True):
            if name not in names:
                raise UsageError(
                    f"the model was trained on the covariate '{name}', which the scenario does not have; it has "
                    f"{', '.join(names) or 'none'}. Train it on this scenario, or add the covariate."
                )
            if tuple(levels.get(name, ())) != own:
                found = ", ".join(levels.get(name, ())) or "a number"
                raise UsageError(
                    f"the model was trained on '{name}' as {', '.join(own) or 'a number'}; the scenario has {found}"
                )
        return [names.index(name) for name in self.names]

    def linear(self, values: Floats) -> Floats:
        """Return features for sums: standardised, 0 where missing, with indicators; levels as zeros and ones.

        Parameters
        ----------
        values
            ``[candidate, covariate]`` in the order of :attr:`names`.

        Returns
        -------
        numpy.ndarray
            float64 ``[candidate, feature]``.
        """
        found = []
        for k, levels in enumerate(self.levels):
            column = values[:, k]
            missing = np.isnan(column)
            if levels:
                found += [np.asarray(column == code, dtype=np.float64) for code in range(len(levels))]
            else:
                found.append(np.where(missing, 0.0, (column - self.mean[k]) / self.sd[k]))
            if self.indicators[k]:
                found.append(np.asarray(missing, dtype=np.float64))
        return np.ascontiguousarray(np.stack(found, axis=1))

    def trees(self, values: Floats) -> Floats:
        """Return features for trees: numbers as they are, NaN where missing; levels as zeros and ones."""
        found = []
        for k, levels in enumerate(self.levels):
            column = values[:, k]
            if levels:
                found += [
                    np.where(np.isnan(column), np.nan, column == code).astype(np.float64)
                    for code in range(len(levels))
                ]
            else:
                found.append(column)
        return np.ascontiguousarray(np.stack(found, axis=1))


def learn_encoding(values: Floats, names: tuple[str, ...], levels: Mapping[str, tuple[str, ...]]) -> Encoding:
    """Return the encoding of some candidates' covariates.

    Parameters
    ----------
    values
        ``[candidate, covariate]``, NaN where missing.
    names, levels
        Of the covariates, as in a view.
    """
    missing = np.isnan(values)
    mean, sd = np.zeros(len(names)), np.ones(len(names))
    for k, name in enumerate(names):
        known = values[~missing[:, k], k]
        if not levels.get(name) and len(known):
            mean[k], spread = float(known.mean()), float(known.std())
            sd[k] = spread if spread > 0.0 else 1.0
    return Encoding(
        tuple(names), tuple(tuple(levels.get(name, ())) for name in names), tuple(mean.tolist()),
        tuple(sd.tolist()), tuple(bool(missing[:, k].any()) for k in range(len(names))),
    )  # fmt: skip
