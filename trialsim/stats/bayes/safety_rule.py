"""The Bayesian rule that stops for too many adverse events, as the table that people carry, and what it does.

Thall and Simon, Biometrics 50, 1994, 337-349: stop as soon as P(rate > limit) exceeds a threshold, given a beta prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.stats.bayes.predictive import least_for_success


@dataclass(frozen=True)
class SafetyRule:
    """How many events stop the trial, by number of patients treated.

    Parameters
    ----------
    treated
        Patients treated at each check, rising.
    stop_at
        Fewest events at which the trial stops there; more than ``treated`` where none would do.
    """

    treated: tuple[int, ...]
    stop_at: tuple[int, ...]

    def rows(self) -> list[tuple[int, int, int]]:
        """Return the table as people print it: fewest events, and from and to how many patients treated these stop."""
        found: list[tuple[int, int, int]] = []
        for n, least in zip(self.treated, self.stop_at, strict=True):
            if least > n:
                continue
            if found and found[-1][0] == least:
                found[-1] = (least, found[-1][1], n)
            else:
                found.append((least, n, n))
        return found

    def stopping(self, rate: float) -> tuple[float, float]:
        """Return the probability of stopping and the mean number treated at a true event rate, by exact recursion."""
        from scipy.stats import binom

        alive, before, stopped, patients = np.ones(1), 0, 0.0, 0.0
        for n, least in zip(self.treated, self.stop_at, strict=True):
            alive = np.convolve(alive, binom.pmf(np.arange(n - before + 1), n - before, rate))
            gone = float(alive[least:].sum())
            stopped += gone
            patients += n * gone
            alive[least:] = 0.0
            before = n
        return stopped, patients + before * float(alive.sum())


def safety_rule(
    limit: float, threshold: float, prior: tuple[float, float], treated: Sequence[int]
) -> SafetyRule:
    """Return the rule that stops where P(rate > limit) > threshold.

    Parameters
    ----------
    limit
        Largest event rate that is acceptable.
    threshold
        Of the posterior probability.
    prior
        Shapes of the beta prior: events and patients without that it is worth.
    treated
        Patients treated at each check, rising.
    """
    found = [int(least_for_success(n, limit, *prior, threshold)) for n in treated]
    return SafetyRule(tuple(treated), tuple(found))
