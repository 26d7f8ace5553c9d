"""Fisher's combination test: reject where the product of the p values of the stages is small.

Bauer and Köhne (1994) for two stages; Wassmer (1999, Biometrics 55, 1043-1049) for more. The trial is given up after a
stage whose own p value is above a futility bound, which the critical values count on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc, gammainccinv, ndtr, ndtri

from trialsim.errors import UsageError
from trialsim.stats.combination.products import Pieces, carried, chance_at_or_below, started
from trialsim.stats.group_sequential.rooting import NoRootError, root_of_decreasing

Floats = NDArray[np.float64]

METHODS = ("equal_levels", "full_last_level", "no_interaction")
MOST_STAGES = 12
_LEAST_B, _MOST_B = 1e-9, 700.0


@dataclass(frozen=True)
class FisherDesign:
    """Critical values of the product of p values.

    Parameters
    ----------
    critical
        The trial rejects at or below it, ``[stage]``, never rising.
    futility
        The trial is given up where the p value of a stage is above it, unless it rejects, ``[stage - 1]``; 1 for none.
    """

    critical: Floats
    futility: Floats

    @property
    def spent(self) -> Floats:
        """Chances under no effect to reject by each stage, cumulative."""
        return np.asarray(np.cumsum(_rejections(self.critical, self.futility)))

    @property
    def levels(self) -> Floats:
        """Levels of the tests of each product alone, which ignores all stopping."""
        return np.array([_level(c, k + 1) for k, c in enumerate(self.critical)])


def fisher_design(
    alpha: float, n_stages: int, futility: float | Sequence[float] = 1.0, method: str = "equal_levels"
) -> FisherDesign:
    """Return critical values that spend a level (Bauer and Köhne 1994; Wassmer 1999).

    Parameters
    ----------
    alpha
        One-sided level.
    n_stages
        1 to 12.
    futility
        P value of a stage above which the trial is given up, one for all but the last or one for each of them.
    method
        ``equal_levels``: the products taken alone are tested at one level at every stage. ``full_last_level``: the last
        product at ``alpha`` in full (Bauer and Köhne's design for two stages), those before at one level, and no critical
        value below the last. ``no_interaction``: the last at ``alpha`` in full, those between divided by the futility
        bounds to come, so that no trial that goes on is lost for certain; the first is solved for.

    Raises
    ------
    UsageError
        Where the request has no design, with what is allowed.

    Examples
    --------
    >>> fisher_design(0.05, 2, futility=0.5, method="full_last_level").critical.round(4).tolist()
    [0.0233, 0.0087]
    """
    bounds = _checked(alpha, n_stages, futility, method)
    if n_stages == 1:
        return FisherDesign(np.array([alpha]), bounds)
    last = _critical(alpha, n_stages)

    def criticals(spare: float) -> Floats:
        """Return critical values that fall as ``spare`` (minus a logarithm) rises."""
        if method == "no_interaction":
            later = last / np.cumprod(np.append(1.0, bounds[:0:-1]))[::-1]
            return np.concatenate(([max(math.exp(-spare), later[0])], later))
        level = math.exp(-spare)
        found = np.array([_critical(level, k + 1) for k in range(n_stages)])
        return found if method == "equal_levels" else np.append(np.maximum(found[:-1], last), last)

    def excess(spare: float) -> float:
        return math.log(_rejections(criticals(spare), bounds).sum() / alpha)

    if method != "equal_levels":
        least = criticals(_MOST_B)
        if _rejections(least, bounds).sum() >= alpha * (1.0 - 1e-12):
            if _rejections(least, bounds).sum() > alpha * (1.0 + 1e-9):
                raise UsageError(f"No design of method {method} spends {alpha:g} with these futility bounds.")
            return FisherDesign(least, bounds)
    try:
        spare = root_of_decreasing(excess, -math.log(0.5 * alpha), _LEAST_B, _MOST_B)
    except NoRootError:
        raise UsageError(
            f"No design of method {method} spends {alpha:g} with these futility bounds: too few trials are left to reject."
        ) from None
    return FisherDesign(criticals(spare), bounds)


def fisher_products(p: ArrayLike) -> Floats:
    """Return the products of the p values up to each stage, ``[..., stage]``."""
    return np.asarray(np.cumprod(np.asarray(p, dtype=np.float64), axis=-1), dtype=np.float64)


def fisher_final_p(design: FisherDesign, stage: int, product: float) -> float:
    """Return the p value of a trial that ended at ``stage`` (from 0) with a product (Wassmer 1999; Brannath et al. 2002).

    The stage-wise ordering: rejecting earlier is more extreme. At or below the level spent exactly where it rejects.
    """
    if stage == 0:
        return product
    earlier = float(_rejections(design.critical, design.futility)[:stage].sum())
    return earlier + chance_at_or_below(product, _running(design.critical, design.futility, stage))


def fisher_conditional_error(design: FisherDesign, stage: int, product: float) -> float:
    """Return the chance under no effect to reject later, after ``stage`` (from 0) with a product above its critical value.

    What remains is a design of its own with critical values divided by the product (Müller and Schäfer 2001).
    """
    rest = np.minimum(design.critical[stage + 1 :] / product, 1.0)
    return min(float(_rejections(rest, design.futility[stage + 1 :]).sum()), 1.0) if len(rest) else 0.0


def fisher_conditional_power(
    design: FisherDesign, product: float, effect: ArrayLike, information_ahead: ArrayLike
) -> Floats:
    """Return the chance to reject at the last stage, given the product up to the one before it.

    The last stage's p value must be at or below the critical value over the product (Bauer and Köhne 1994), its statistic
    having the mean ``effect sqrt(information)``.

    Parameters
    ----------
    design
        The design.
    product
        Of the stages seen, all but the last.
    effect
        The effect from here on.
    information_ahead
        Information of the last stage, in the unit of the effect.
    """
    needed = -ndtri(min(float(design.critical[-1]) / product, 1.0))
    return np.asarray(ndtr(np.asarray(effect) * np.sqrt(np.asarray(information_ahead)) - needed))


def fisher_critical(level: float, n_stages: int) -> float:
    """Return the critical value of the product where nothing but the last stage can reject (Fisher 1932).

    Parameters
    ----------
    level
        One-sided level, between 0 and 1.
    n_stages
        Stages whose p values are multiplied.

    Examples
    --------
    >>> round(fisher_critical(0.025, 2), 4)
    0.0038
    """
    return _critical(level, n_stages)


def _critical(level: float, n_stages: int) -> float:
    """Return the product that ``n_stages`` uniform p values fall below with chance ``level`` (Fisher 1932)."""
    return math.exp(-float(gammainccinv(n_stages, level)))


def _level(critical: float, n_stages: int) -> float:
    return float(gammaincc(n_stages, -math.log(critical)))


def _running(critical: Floats, futility: Floats, stage: int) -> Pieces:
    """Return the trials that go on into ``stage``."""
    pieces = started(float(critical[0]), float(futility[0]))
    for k in range(1, stage):
        pieces = carried(pieces, float(critical[k]), float(futility[k]))
    return pieces


def _rejections(critical: Floats, futility: Floats) -> Floats:
    """Return the chance under no effect to reject at each stage."""
    found = [float(critical[0])]
    pieces: Pieces = []
    for k in range(1, len(critical)):
        bound, gone = float(critical[k - 1]), float(futility[k - 1])
        pieces = started(bound, gone) if k == 1 else carried(pieces, bound, gone)
        found.append(chance_at_or_below(float(critical[k]), pieces))
    return np.array(found)


def _checked(alpha: float, n_stages: int, futility: float | Sequence[float], method: str) -> Floats:
    """Return the futility bounds, or refuse with every problem."""
    problems = []
    if not 0.0 < alpha <= 0.5:
        problems.append(f"alpha is {alpha:g}; it is above 0 and at most 0.5")
    if not 1 <= n_stages <= MOST_STAGES:
        problems.append(f"{n_stages} stages are asked for; 1 to {MOST_STAGES} are allowed")
    if method not in METHODS:
        problems.append(f"method is {method!r}; allowed: {', '.join(METHODS)}")
    bounds = np.atleast_1d(np.asarray(futility, dtype=np.float64))
    if len(bounds) == 1:
        bounds = np.repeat(bounds, max(n_stages - 1, 0))
    if len(bounds) != max(n_stages - 1, 0):
        problems.append(
            f"{len(bounds)} futility bounds are given; one for each stage but the last, or one for all"
        )
    level = alpha if 0.0 < alpha <= 0.5 else 0.0  # a level that is refused says nothing of bounds
    if not ((bounds > level) & (bounds <= 1.0)).all():
        problems.append("futility bounds lie above alpha and up to 1")
    if problems:
        raise UsageError(f"Fisher's combination test: {'; '.join(problems)}.")
    return bounds
