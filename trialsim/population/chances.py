"""Chances of candidates: of passing the records, consenting and being eligible, each logistic in a candidate's traits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.elementary import natural_exp
from trialsim.population.predictor import Predictor, linear_predictors

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interactions:
    """Products of two columns each.

    Parameters
    ----------
    column, category
        Columns of each product, and the code that a categorical one stands for or -1, ``[term, 2]``.
    centre
        Subtracted before multiplying, ``[term, 2]``.
    coefficient
        ``[term]``.
    """

    column: NDArray[np.int64]
    category: NDArray[np.int64]
    centre: Floats
    coefficient: Floats


Chance = tuple[Predictor, float, Interactions | None] | None
"""A predictor, the log odds for the centred candidate, and interactions; None where it is certain."""


@dataclass(frozen=True)
class Chances:
    """What a candidate's traits say of the three things that screening asks."""

    prescreen: Chance
    consent: Chance
    eligible: Chance

    def of(self, records: Floats) -> Floats:
        """Return the probabilities that each candidate passes the records, consents and is eligible.

        Parameters
        ----------
        records
            The candidates' records, ``[candidate, column]``.

        Returns
        -------
        numpy.ndarray
            ``[candidate, 3]``.
        """
        out = np.ones((len(records), 3))
        for column, chance in enumerate((self.prescreen, self.consent, self.eligible)):
            if chance is not None:
                predictor, log_odds, products = chance
                main, _ = linear_predictors(predictor, records)
                if products is not None:
                    _add_products(
                        records,
                        products.column,
                        products.category,
                        products.centre,
                        products.coefficient,
                        main,
                    )
                _probabilities(main, log_odds, out[:, column])
        return out


@kernel
def _add_products(x, column, category, centre, coefficient, out):  # type: ignore[no-untyped-def]
    """Add the interactions of each row in their written order."""
    for i in range(x.shape[0]):
        for k in range(len(coefficient)):
            product = coefficient[k]
            for j in range(2):
                value = x[i, column[k, j]]
                if category[k, j] >= 0:
                    value = 1.0 if value == category[k, j] else 0.0
                product *= value - centre[k, j]
            out[i] += product


@kernel
def _probabilities(main, log_odds, out):  # type: ignore[no-untyped-def]
    """Fill probabilities; with infinite log odds they are beyond what a uniform can tell from 0 or 1."""
    for i in range(len(main)):
        out[i] = 1.0 / (1.0 + natural_exp(-(log_odds + main[i])))
