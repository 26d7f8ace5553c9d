"""Chances of candidates: of passing the records, consenting and being eligible, each logistic in a candidate's traits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.elementary import natural_exp
from trialsim.population.predictor import Predictor, linear_predictors

Floats = NDArray[np.float64]
Chance = tuple[Predictor, float] | None
"""A predictor and the log odds for the centred candidate; None where it is certain."""


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
                predictor, log_odds = chance
                main, _ = linear_predictors(predictor, records)
                _probabilities(main, log_odds, out[:, column])
        return out


@kernel
def _probabilities(main, log_odds, out):  # type: ignore[no-untyped-def]
    """Fill probabilities; with infinite log odds they are beyond what a uniform can tell from 0 or 1."""
    for i in range(len(main)):
        out[i] = 1.0 / (1.0 + natural_exp(-(log_odds + main[i])))
