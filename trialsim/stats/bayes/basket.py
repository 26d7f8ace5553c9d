"""Response rates of several baskets under a hierarchical prior, exchangeable or partly so, by quadrature.

The log odds of basket j are normal about a common mean with a between-basket standard deviation (Berry, Broglio, Groshen
and Berry, Clinical Trials 10, 2013, 720-734), or with some probability from a prior of their own (EXNEX: Neuenschwander,
Wandel, Roychoudhury and Bailey, Pharmaceutical Statistics 15, 2016, 123-134). Given mean and standard deviation baskets are
independent, so that each basket's integral depends on its patients and responses alone: it is tabulated once for a design,
and a data set costs a sum over the grid of the two common parameters.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Floats, Ints

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_REACH = 8.5
"""Normal densities are followed for so many standard deviations, beyond which lies 2e-17."""
_PANEL = 3.0
"""Length of a panel of eight Gauss-Legendre nodes, in standard deviations of a basket's integrand."""
_COARSE = 0.7
"""Step of the grid of means in standard deviations of what it resolves: the rule's relative error is e**-40."""
_FINER = 16
_TAPER = 25
_SHARP = 1.5
"""Below so many steps of the grid of means a between-basket standard deviation asks for the filter of :func:`_table`."""
_DEEP = 6.0
"""Half-normal standard deviations followed: beyond lies 2e-9."""


@dataclass(frozen=True)
class BasketPrior:
    """The prior of a hierarchical basket model, on the log odds of response.

    Parameters
    ----------
    mean, mean_sd
        Of the normal prior of the common mean.
    between_scale
        Scale of the half-normal prior of the between-basket standard deviation.
    exchangeable
        Probability that a basket belongs with the others; 1 is full exchangeability.
    own_mean, own_sd
        Of the normal prior of a basket that does not.
    """

    mean: float = 0.0
    mean_sd: float = 2.0
    between_scale: float = 1.0
    exchangeable: float = 1.0
    own_mean: float = 0.0
    own_sd: float = 2.0


@dataclass(frozen=True)
class BasketPosterior:
    """What is known of each basket's response rate, each array ``[replicate, basket]``.

    Parameters
    ----------
    above
        Probability that the rate exceeds the basket's reference rate.
    mean, sd
        Of the rate.
    exchangeable
        Probability that the basket belongs with the others.
    """

    above: Floats
    mean: Floats
    sd: Floats
    exchangeable: Floats


@kernel
def _basket_integrals(n, border, centre, spread, out):
    """Fill a basket's integrals for 0 to ``n`` responses: likelihood, its part above the border, with rate and its square.

    ``out[y, 0..3]``; the binomial coefficient is left out and the likelihood scaled by its largest value.
    """
    out[:] = 0.0
    width = _PANEL / math.sqrt(1.0 / (spread * spread) + 0.25 * n)
    for side in range(2):
        begin, end = centre - _REACH * spread, centre + _REACH * spread
        if side == 0:
            end = min(end, border)
        else:
            begin = max(begin, border)
        if not end > begin:
            continue
        panels = math.ceil((end - begin) / width)
        half = 0.5 * (end - begin) / panels
        for panel in range(panels):
            middle = begin + (2 * panel + 1) * half
            for k in range(len(_NODES)):
                theta = middle + half * _NODES[k]
                z = (theta - centre) / spread
                mass = half * _WEIGHTS[k] * math.exp(-0.5 * z * z) / (spread * math.sqrt(2.0 * math.pi))
                rate = 1.0 / (1.0 + math.exp(-theta))
                odds = math.exp(theta)
                value = mass * (1.0 - rate) ** n if theta < 0.0 else mass * (1.0 / (1.0 + odds)) ** n
                for y in range(n + 1):
                    out[y, 0] += value
                    out[y, 1] += value * side
                    out[y, 2] += value * rate
                    out[y, 3] += value * rate * rate
                    value *= odds
    for y in range(1, n):
        peak = math.exp(y * math.log(y / n) + (n - y) * math.log((n - y) / n))
        for q in range(4):
            out[y, q] /= peak


@kernel
def _integrals(n, border, means, spread, out):
    for a in range(len(means)):
        _basket_integrals(n, border, means[a], spread, out[a])


def _table(n: int, border: float, means: Floats, spreads: Floats) -> Floats:
    """Return a basket's integrals at each common mean and between-basket standard deviation, ``[response, 4, grid]``.

    With a small standard deviation the part above the border jumps from next to nothing to all between two means of the
    grid, while what it is multiplied with is smooth. The integral of the product is that of the part with its fast changes
    filtered out, which a finer grid and the sinc function of the sampling theorem do, tapered by a normal density.
    """
    step, count = means[1] - means[0], len(means)
    found = np.empty((len(spreads), count, n + 1, 4))
    places = np.arange(-_TAPER * _FINER, _TAPER * _FINER + 1)
    filtering = np.sinc(places / _FINER) * np.exp(-0.5 * (places / _FINER * 5.0 / _TAPER) ** 2) / _FINER
    reach = np.arange(-_TAPER * _FINER, (count - 1 + _TAPER) * _FINER + 1)
    fine_means = means[0] + step / _FINER * reach
    fine = np.empty((len(fine_means), n + 1, 4))
    for b, spread in enumerate(spreads):
        _integrals(n, border, means, spread, found[b])
        if spread < _SHARP * step:
            _integrals(n, border, fine_means, spread, fine)
            upper = np.lib.stride_tricks.sliding_window_view(fine[:, :, 1], len(places), axis=0)[::_FINER]
            found[b, :, :, 1] = upper @ filtering
    return np.ascontiguousarray(found.transpose(2, 3, 0, 1).reshape(n + 1, 4, -1))


@kernel
def _summarise(entries, tables, own, weights, exchangeable, above, mean, sd, belongs):
    """Fill the posterior of each replicate's baskets from the tables' entries."""
    size = len(weights)
    joint = np.empty(size)
    baskets = entries.shape[1]
    for r in range(len(entries)):
        joint[:] = weights
        for j in range(baskets):
            e = entries[r, j]
            rest = (1.0 - exchangeable) * own[e, 0]
            most = 0.0
            for g in range(size):
                joint[g] *= exchangeable * tables[e, 0, g] + rest
                most = max(most, joint[g])
            scale = 1.0 / most
            for g in range(size):
                joint[g] *= scale
        total = 0.0
        for g in range(size):
            total += joint[g]
        for j in range(baskets):
            e = entries[r, j]
            rest = (1.0 - exchangeable) * own[e, 0]
            shared, with_others, first, second, up = 0.0, 0.0, 0.0, 0.0, 0.0
            for g in range(size):
                if joint[g] == 0.0:
                    continue
                share = joint[g] / (exchangeable * tables[e, 0, g] + rest)
                shared += share
                with_others += share * tables[e, 0, g]
                up += share * tables[e, 1, g]
                first += share * tables[e, 2, g]
                second += share * tables[e, 3, g]
            apart = (1.0 - exchangeable) * shared / total
            together = exchangeable / total
            belongs[r, j] = together * with_others
            above[r, j] = together * up + apart * own[e, 1]
            mean[r, j] = together * first + apart * own[e, 2]
            square = together * second + apart * own[e, 3]
            sd[r, j] = math.sqrt(max(square - mean[r, j] * mean[r, j], 0.0))


class BasketQuadrature:
    """The posterior of a basket design's rates, with the integrals tabulated as sizes of baskets come up.

    Parameters
    ----------
    prior
        Of the log odds.
    reference_rates
        The rate that each basket's has to exceed, ``[basket]``.
    patients
        Most patients of all baskets together, which the grid's step is chosen for.
    spreads
        Gauss-Legendre nodes for the between-basket standard deviation.
    finer
        Factor by which the grid of means is finer than need be, to measure what the grid costs.
    """

    def __init__(
        self,
        prior: BasketPrior,
        reference_rates: Floats,
        patients: int,
        spreads: int = 32,
        finer: float = 1.0,
    ) -> None:
        self.prior = prior
        rates = np.asarray(reference_rates, dtype=np.float64)
        self._borders = np.log(rates / (1.0 - rates))
        step = _COARSE / math.sqrt(0.25 * patients + 1.0 / prior.mean_sd**2) / finer
        half = math.ceil(_DEEP * prior.mean_sd / step)
        self._means: Floats = prior.mean + step * np.arange(-half, half + 1, dtype=np.float64)
        nodes, weights = np.polynomial.legendre.leggauss(spreads)
        self._spreads = np.asarray(0.5 * _DEEP * prior.between_scale * (nodes + 1.0), dtype=np.float64)
        log_mean = -0.5 * ((self._means - prior.mean) / prior.mean_sd) ** 2
        log_spread = -0.5 * (self._spreads / prior.between_scale) ** 2
        grid = np.exp(log_spread)[:, None] * weights[:, None] * np.exp(log_mean)[None, :]
        self._weights = np.ascontiguousarray(grid.ravel() / grid.sum())
        self._places: dict[tuple[int, float], int] = {}
        self._tables = np.zeros((0, 4, self._weights.size))
        self._own = np.zeros((0, 4))
        self._last: tuple[Ints, Ints, BasketPosterior] | None = None

    def _place(self, n: int, border: float) -> int:
        """Return where the table of a basket of ``n`` patients begins, having filled it if need be."""
        key = (n, border)
        if key not in self._places:
            own = np.empty((n + 1, 4))
            _basket_integrals(n, border, self.prior.own_mean, self.prior.own_sd, own)
            table = _table(n, border, self._means, self._spreads)
            self._places[key] = len(self._own)
            self._tables = np.concatenate([self._tables, table])
            self._own = np.concatenate([self._own, own])
        return self._places[key]

    def posterior(self, responses: Ints, n: Ints) -> BasketPosterior:
        """Return the posterior of each replicate's baskets.

        Parameters
        ----------
        responses, n
            Responses and patients, ``[replicate, basket]``. The last answer is kept, for the next basket's question.
        """
        if (
            self._last is not None
            and np.array_equal(self._last[0], responses)
            and np.array_equal(self._last[1], n)
        ):
            return self._last[2]
        entries = np.empty(np.shape(responses), dtype=np.int64)
        for j, border in enumerate(self._borders):
            for size in np.unique(n[:, j]):
                here = n[:, j] == size
                entries[here, j] = self._place(int(size), float(border)) + np.asarray(responses)[here, j]
        found = [np.empty(entries.shape) for _ in range(4)]
        exchangeable = float(self.prior.exchangeable)
        _summarise(entries, self._tables, self._own, self._weights, exchangeable, *found)
        answer = BasketPosterior(*found)
        self._last = (np.array(responses), np.array(n), answer)
        return answer
