"""The rules by which a design re-estimates its size at a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Floats, Ints, SizeView
from trialsim.stats.combination.reestimation import (
    blinded_variance,
    information_for_power,
    needed_of_next_stage,
    stage_information,
    stage_power,
)

_WHOLE = 1e-9
"""A size this little above a whole number is that number."""


@dataclass(frozen=True)
class Sizes:
    """What both rules know of the plan.

    Parameters
    ----------
    counts
        Planned read-outs, or events, by look.
    least, most
        Limits of their number at the last look.
    block
        Sizes are rounded up to whole multiples of this, the sum of the allocation ratio; 1 for events.
    counted_per_information
        Read-outs of both arms for one unit of ``n_c n_t / (n_c + n_t)``: ``(1 + r)^2 / r``; as many events for one unit of
        the variance of the log-rank score under no effect (Schoenfeld 1981, Biometrika 68, 316-319).
    """

    counts: tuple[int, ...]
    least: int
    most: int
    block: int
    counted_per_information: float

    def rounded(self, information: Floats) -> Floats:
        """Return read-outs or events for an amount of information, in whole blocks; infinite where it is."""
        blocks = np.ceil(information * (self.counted_per_information / self.block) - _WHOLE)
        return np.asarray(blocks * self.block)


@dataclass(frozen=True)
class ByConditionalPower:
    """Give the next stage the size at which the conditional power is the target.

    Mehta and Pocock (2011), eq. (7) to (9), in a zone of conditional power; without a zone always, as in Lehmacher and
    Wassmer (1999, sec. 5). The stages after the next keep their planned sizes.

    Parameters
    ----------
    sizes
        Of the plan.
    looks
        At which it is asked, from 0.
    rates, bounds
        Planned information rates and efficacy bounds by look.
    target
        Conditional power to have.
    zone
        Where the size changes: from the first value on, below the second; None for everywhere.
    effect
        Assumed from here on, in the unit of the outcome, or as the log hazard ratio; None for the one observed.
    stage
        Least and most read-outs or events of the next stage.
    """

    sizes: Sizes
    looks: tuple[int, ...]
    rates: tuple[float, ...]
    bounds: tuple[float, ...]
    target: float
    zone: tuple[float, float] | None
    effect: float | None
    stage: tuple[int, int]
    blinded: bool = False

    def further_counts(self, view: SizeView) -> tuple[Ints, Floats]:
        """Return the counts to wait for beyond the plan, and the conditional power with the size as it is."""
        counts, rates, bounds = np.array(self.sizes.counts), np.array(self.rates), np.array(self.bounds)
        after = view.look + 1
        needed = needed_of_next_stage(view.combined_z, rates[view.look], rates[after], bounds[after])
        effect = view.z / np.sqrt(view.half_information) if self.effect is None else self.effect / view.sd
        planned = np.maximum(counts[after] + view.further - view.seen, 0)
        power = stage_power(needed, effect, planned / self.sizes.counted_per_information)
        wanted = self.sizes.rounded(stage_information(needed, effect, self.target))
        later = counts[-1] - counts[after]
        least = np.maximum(self.stage[0], self.sizes.least - later - view.seen)
        most = np.minimum(self.stage[1], self.sizes.most - later - view.seen)
        stage = np.minimum(np.maximum(wanted, least), most).astype(np.int64)
        changes = np.isfinite(power)
        if self.zone is not None:
            changes &= (power >= self.zone[0]) & (power < self.zone[1])
        return np.where(changes, view.seen + stage - counts[after], view.further), power


@dataclass(frozen=True)
class ByEarlyEndpoint:
    """Wait for more events where another endpoint of the patients seen so far lies in a zone.

    A level that holds whatever is looked at needs stages that are split by patients (Jenkins, Stone and Jennison 2011,
    Pharm. Stat. 10, 347-356; Irle and Schaefer 2012, JASA 107, 341-350).

    Parameters
    ----------
    more
        Events beyond the plan.
    zone
        Of the other endpoint's statistic: from the first value on, below the second.
    """

    more: int
    zone: tuple[float, float]
    looks: tuple[int, ...] = (0,)
    blinded: bool = False

    def further_counts(self, view: SizeView) -> tuple[Ints, Floats]:
        """Return the events to wait for beyond the plan; there is no conditional power."""
        assert view.early_z is not None
        promising = (view.early_z >= self.zone[0]) & (view.early_z < self.zone[1])
        return np.where(promising, self.more, view.further), np.full(len(promising), np.nan)


@dataclass(frozen=True)
class ByBlindedVariance:
    """Give the trial the size of the fixed design with the variance that is seen without the arms being known.

    Kieser and Friede (2003): the variance of both arms taken as one sample. For rates it is that of the pooled rate (Gould
    1992, Statistics in Medicine 11, 55-66).

    Parameters
    ----------
    sizes
        Of the plan.
    looks
        At which it is asked, from 0.
    effect
        To be detected, in the unit of the outcome.
    alpha, power
        One-sided level and power.
    """

    sizes: Sizes
    looks: tuple[int, ...]
    effect: float
    alpha: float
    power: float
    blinded: bool = True

    def further_counts(self, view: SizeView) -> tuple[Ints, Floats]:
        """Return the read-outs to wait for beyond the plan; there is no conditional power."""
        assert view.moments is not None
        variance = blinded_variance(view.moments.n, view.moments.mean, view.moments.squares)
        wanted = self.sizes.rounded(information_for_power(self.effect, variance, self.alpha, self.power))
        size: NDArray[np.int64] = np.clip(wanted, self.sizes.least, self.sizes.most).astype(np.int64)
        return size - self.sizes.counts[-1], np.full(len(size), np.nan)
