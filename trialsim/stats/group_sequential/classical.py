"""Classical efficacy bounds: a shape over the looks, and one constant that is solved for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """Upper bounds ``fixed + constant * shape``, look by look; ``constant`` is what is solved for."""

    fixed: Floats
    shape: Floats

    def bounds(self, constant: float) -> Floats:
        """Return the upper bounds."""
        return self.fixed + constant * self.shape


def power_shape(rates: Floats, exponent: float) -> Floats:
    """Return ``t ** (exponent - 1/2)`` (Wang and Tsiatis 1987): 0 is O'Brien and Fleming's, 1/2 Pocock's shape."""
    return np.asarray(rates ** (exponent - 0.5))


def wang_tsiatis(rates: Floats, exponent: float) -> Shape:
    """Return the bounds of the power family; the constant is the bound at rate 1."""
    return Shape(np.zeros(len(rates)), power_shape(rates, exponent))


def haybittle_peto(rates: Floats, interim: float) -> Shape:
    """Return one bound at all interim looks (Haybittle 1971; Peto et al. 1976: 3); the last bound is solved for."""
    last = np.zeros(len(rates))
    last[-1] = 1.0
    return Shape(interim * (1.0 - last), last)
