"""Linear predictors: what covariates and latent traits add to an outcome, on its link's scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictor:
    """Coefficients over the columns of the patients' table.

    Parameters
    ----------
    level
        Index of the table's column that each term reads, ``[term]``.
    category
        The code that a categorical term stands for, or -1 for a numeric term, ``[term]``.
    centre
        Subtracted before multiplying, ``[term]``.
    main, modifier
        Coefficients in every arm, and added in the arms other than control, ``[term]``.
    """

    level: NDArray[np.int64]
    category: NDArray[np.int64]
    centre: Floats
    main: Floats
    modifier: Floats

    @property
    def empty(self) -> bool:
        """Whether no trait matters."""
        return len(self.level) == 0


def build_predictor(
    columns: Sequence[str],
    categories: Mapping[str, Sequence[str]],
    covariates: Mapping[str, float],
    centre: Mapping[str, float],
    latent: Mapping[str, float],
    modifiers: Mapping[str, float],
) -> Predictor:
    """Return the predictor of one outcome.

    Parameters
    ----------
    columns
        Names of the patients' table: covariates, then latent traits.
    categories
        Levels of each categorical covariate, in the order of their codes.
    covariates, latent, modifiers
        Coefficients by name; ``name.level`` for a level of a categorical covariate.
    centre
        Centres by name, 0 where none is given.

    Returns
    -------
    Predictor
        Terms in the order in which they were written: main effects, latent traits, then modifiers.
    """
    main = {**covariates, **latent}
    names = [*main, *(name for name in modifiers if name not in main)]
    position = {name: i for i, name in enumerate(columns)}
    level, category = [], []
    for name in names:
        base, _, wanted = name.partition(".")
        level.append(position[base])
        category.append(list(categories[base]).index(wanted) if wanted else -1)
    return Predictor(
        np.array(level, dtype=np.int64),
        np.array(category, dtype=np.int64),
        np.array([centre.get(name, 0.0) for name in names], dtype=np.float64),
        np.array([main.get(name, 0.0) for name in names], dtype=np.float64),
        np.array([modifiers.get(name, 0.0) for name in names], dtype=np.float64),
    )


@kernel
def _sum_terms(x, level, category, centre, coefficient, out):  # type: ignore[no-untyped-def]
    """Sum the terms of each row in their written order."""
    for i in range(x.shape[0]):
        total = 0.0
        for k in range(len(level)):
            value = x[i, level[k]]
            if category[k] >= 0:
                value = 1.0 if value == category[k] else 0.0
            total += coefficient[k] * (value - centre[k])
        out[i] = total


def linear_predictors(predictor: Predictor, x: Floats) -> tuple[Floats, Floats]:
    """Return what each row adds in every arm, and what it adds in the arms other than control.

    Parameters
    ----------
    predictor
        The coefficients.
    x
        The patients' table, ``[row, column]``.

    Returns
    -------
    tuple of numpy.ndarray
        Two arrays ``[row]``, on the scale of the outcome's link.
    """
    main, modifier = np.zeros(len(x)), np.zeros(len(x))
    if not predictor.empty:
        terms = (predictor.level, predictor.category, predictor.centre)
        _sum_terms(x, *terms, predictor.main, main)
        _sum_terms(x, *terms, predictor.modifier, modifier)
    return main, modifier
