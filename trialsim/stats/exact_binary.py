"""Exact operating characteristics of a two-arm group sequential trial with a binary endpoint.

No simulation and no normal approximation: the joint distribution of the two success counts among the trials
still running is carried from look to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import UsageError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ExactBinary:
    """What happens at each look, as probabilities over all trials.

    Parameters
    ----------
    reject_by_look
        Probability to reject for the first time at look ``k`` (not cumulative), ``[look]``.
    futility_by_look
        Probability to stop at look ``k`` for futility, ``[look]``. At the last look: not to reject there.
    power
        Probability to reject at any look.
    expected_n
        Expected number of patients analysed at the look where the trial ends.
    """

    reject_by_look: tuple[float, ...]
    futility_by_look: tuple[float, ...]
    power: float
    expected_n: float


def exact_group_sequential_binary(
    rates: tuple[float, float],
    sizes: Sequence[tuple[int, int]],
    efficacy_z: Sequence[float],
    futility_z: Sequence[float] | None = None,
    direction: Literal["higher", "lower"] = "higher",
) -> ExactBinary:
    """Return the exact rejection probabilities of repeated score tests for two proportions.

    The statistic is the difference in proportions over its standard error under the pooled proportion, signed
    so that z > 0 favours treatment. A look rejects when z is at or above its efficacy bound, otherwise stops
    for futility when z is at or below its futility bound. Where all patients or none succeed the statistic is
    not defined and the trial goes on.

    Parameters
    ----------
    rates
        True success probabilities of control and treatment.
    sizes
        Patients analysed at each look, cumulative: ``(control, treatment)``.
    efficacy_z
        One bound per look on the z scale; ``inf`` for none.
    futility_z
        One bound per look; ``-inf`` for none. Every bound given is obeyed. Default: none at any look.
    direction
        ``"higher"`` when a higher rate is the benefit, ``"lower"`` otherwise.

    Returns
    -------
    ExactBinary
        Probabilities per look, power and expected number analysed.

    Raises
    ------
    UsageError
        When a rate is not a probability, sizes do not grow, or the lists differ in length.

    References
    ----------
    Jennison and Turnbull, Group Sequential Methods with Applications to Clinical Trials (2000), chapter 12.

    Examples
    --------
    >>> result = exact_group_sequential_binary((0.3, 0.3), [(20, 20), (40, 40)], [2.797, 1.977])
    >>> round(result.power, 4)
    0.025
    """
    futility = [-np.inf] * len(sizes) if futility_z is None else list(futility_z)
    _refuse(rates, sizes, efficacy_z, futility)
    sign = 1.0 if direction == "higher" else -1.0
    running: FloatArray = np.ones((1, 1))
    analysed = (0, 0)
    reject: list[float] = []
    futile: list[float] = []
    expected_n = 0.0
    for look, size in enumerate(sizes):
        added = (size[0] - analysed[0], size[1] - analysed[1])
        running = _step(added[0], rates[0], running.shape[0]) @ running
        running = running @ _step(added[1], rates[1], running.shape[1]).T
        analysed = size
        z = sign * _pooled_z(size)
        rejects = z >= efficacy_z[look]
        ends = ~rejects if look == len(sizes) - 1 else ~rejects & (z <= futility[look])
        reject.append(float(running[rejects].sum()))
        futile.append(float(running[ends].sum()))
        expected_n += sum(size) * (reject[-1] + futile[-1])
        running = np.where(rejects | ends, 0.0, running)
    return ExactBinary(tuple(reject), tuple(futile), float(sum(reject)), expected_n)


def _refuse(
    rates: tuple[float, float],
    sizes: Sequence[tuple[int, int]],
    efficacy: Sequence[float],
    futility: Sequence[float],
) -> None:
    if not all(0.0 <= rate <= 1.0 for rate in rates):
        raise UsageError(f"rates: {rates} are not both probabilities between 0 and 1")
    if not sizes or not len(sizes) == len(efficacy) == len(futility):
        raise UsageError("sizes, efficacy_z and futility_z need one entry per look, and at least one look")
    for earlier, later in zip([(0, 0), *sizes], sizes, strict=False):
        if min(later) < 1 or later[0] < earlier[0] or later[1] < earlier[1]:
            raise UsageError(
                f"sizes: {later} after {earlier}; sizes are cumulative and both arms need patients"
            )


def _step(n: int, rate: float, states: int) -> FloatArray:
    """Return ``P(count after | count before)`` when ``n`` patients are added, ``[after, before]``."""
    probabilities = np.ones(1)
    for _ in range(n):  # Pascal's triangle: sums of positive terms only, so no digit is lost
        probabilities = np.append(probabilities * (1.0 - rate), 0.0) + np.insert(probabilities * rate, 0, 0.0)
    transition = np.zeros((states + n, states))
    for before in range(states):
        transition[before : before + n + 1, before] = probabilities
    return transition


def _pooled_z(size: tuple[int, int]) -> FloatArray:
    """Return the score z of treatment over control for every pair of counts; nan where it is not defined."""
    control, treatment = np.arange(size[0] + 1)[:, None], np.arange(size[1] + 1)[None, :]
    pooled = (control + treatment) / (size[0] + size[1])
    variance = pooled * (1.0 - pooled) * (1.0 / size[0] + 1.0 / size[1])
    difference = treatment / size[1] - control / size[0]
    defined = variance > 0.0
    return np.where(defined, difference / np.sqrt(np.where(defined, variance, 1.0)), np.nan)
