"""How products of p values behave from stage to stage, exactly, for trials that go on while nothing is decided.

Minus the logarithm of a p value is standard exponential under no effect. Of trials that go on after stage ``k`` the sum of
these has the density ``exp(-s) g(s)`` with ``g`` a polynomial in pieces: 1 on one piece after the first stage, then the
integral of the last one, moved by what the futility bound takes away and cut at the efficacy bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True)
class Piece:
    """A polynomial in ``s - left`` on ``[left, right)``, lowest power first."""

    left: float
    right: float
    coefficients: Floats

    @property
    def integral(self) -> float:
        """Its integral over the piece."""
        return self.until(self.right)

    def until(self, at: float) -> float:
        """Return the integral from ``left`` to ``at``."""
        width = at - self.left
        powers = np.arange(1, len(self.coefficients) + 1)
        return float((self.coefficients / powers * width**powers).sum())

    def chance_beyond(self, at: float) -> float:
        """Return the chance that the sum lies on this piece and, one stage on, at or above ``at``."""
        early = self.until(min(max(at, self.left), self.right)) * math.exp(-at) if at > self.left else 0.0
        start = min(max(at, self.left), self.right)
        half = 0.5 * (self.right - start)
        s = start + half * (1.0 + _NODES)
        values = np.polynomial.polynomial.polyval(s - self.left, self.coefficients) * np.exp(-s)
        return early + half * float(_WEIGHTS @ values)


Pieces = list[Piece]


def started(critical: float, futility: float) -> Pieces:
    """Return ``g`` after the first stage, of trials with ``critical < p <= futility``."""
    left, right = -math.log(min(futility, 1.0)), -math.log(critical)
    return [Piece(left, right, np.ones(1))] if left < right else []


def carried(before: Pieces, critical: float, futility: float) -> Pieces:
    """Return ``g`` after one more stage, of trials with a product above ``critical`` and a p value up to ``futility``."""
    shift, end = -math.log(min(futility, 1.0)), -math.log(critical)
    found: Pieces = []
    total = 0.0
    for piece in before:
        powers = np.arange(1, len(piece.coefficients) + 1)
        grown = np.concatenate(([total], piece.coefficients / powers))
        found.append(Piece(piece.left + shift, piece.right + shift, grown))
        total += piece.integral
    if found:
        found.append(Piece(found[-1].right, end, np.array([total])))
    return [Piece(each.left, min(each.right, end), each.coefficients) for each in found if each.left < end]


def chance_at_or_below(product: float, before: Pieces) -> float:
    """Return the chance to go on and to have, one stage later, a product at or below ``product``."""
    return sum(piece.chance_beyond(-math.log(product)) for piece in before) if product > 0.0 else 0.0
