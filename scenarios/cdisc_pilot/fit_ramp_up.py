"""How screening at a site begins and ends: profiles of its rate, compared by likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pilot_likelihood import maximise
from pilot_tables import Floats, Row, row

SLOWED = 630  # study day after which screening slows; until then the rate by period is steady
YEAR = 365.25
DAYS = tuple(range(20, 301, 10))  # where the search for a day begins
_GRID = 400  # points of the quadrature of the information over the ramp-up


@dataclass(frozen=True)
class Screenings:
    """What followed the first screening of each site, which starts the site's clock and is not counted.

    Parameters
    ----------
    opened
        Study day of the first screening, ``[site]``.
    counts
        Later screenings, ``[site]``.
    age, day
        Days since the site's first screening and study day of each later one, ``[screening]``.
    closing
        Study day of the last screening of all.
    """

    sites: tuple[str, ...]
    opened: Floats
    counts: Floats
    age: Floats
    day: Floats
    closing: float

    @classmethod
    def of(cls, screening: pd.DataFrame) -> Screenings:
        """Return them from the table of screenings."""
        first = screening.groupby("site")["screening_day"].transform("min")
        later = screening.index.difference(screening.groupby("site")["screening_day"].idxmin())
        opened = screening.groupby("site")["screening_day"].min()
        counts = screening.loc[later].groupby("site").size().reindex(opened.index, fill_value=0)
        day = screening.loc[later, "screening_day"].to_numpy(float)
        return cls(
            tuple(opened.index),
            opened.to_numpy(float),
            counts.to_numpy(float),
            day - first[later].to_numpy(float),
            day,
            float(screening["screening_day"].max()),
        )

    def likelihood(self, height: Floats, until_slowed: Floats, afterwards: Floats, share: float) -> float:
        """Return the log-likelihood of Poisson screenings, the sites' rates at their maxima given the profile.

        Parameters
        ----------
        height
            The profile at each screening, without the slowing.
        until_slowed, afterwards
            Its integral from opening to the day of slowing and from there to closing, ``[site]``.
        share
            By which screening falls with the slowing.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(height) + np.log(np.where(self.day > SLOWED, 1.0 - share, 1.0))
        seen = self.counts > 0
        rates = self.counts[seen] / (until_slowed + (1.0 - share) * afterwards)[seen]
        total = float(logs.sum() + (self.counts[seen] * np.log(rates)).sum() - self.counts.sum())
        return total if np.isfinite(total) else -1e9


def risen(age: Floats, start: float, over: float) -> Floats:
    """Return a rate that rises linearly from ``start`` to 1 over some days, at an age."""
    return np.where(age < over, start + (1.0 - start) * age / over, 1.0)


def days_of_full_rate(age: Floats, start: float, over: float) -> Floats:
    """Return the integral of :func:`risen` from opening to an age."""
    rising = np.minimum(age, over)
    return start * rising + (1.0 - start) * rising**2 / (2.0 * over) + (age - rising)


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-x)))


def ramp_up_likelihood(
    seen: Screenings, start: float, over: float, share: float, drift: float = 0.0
) -> float:
    """Return the log-likelihood of a ramp-up, of a linear drift after it (per day), and of the slowing."""

    def integral(age: Floats) -> Floats:
        return days_of_full_rate(age, start, over) + drift * np.maximum(age - over, 0.0) ** 2 / 2.0

    until = integral(SLOWED - seen.opened)
    height = risen(seen.age, start, over) + drift * np.maximum(seen.age - over, 0.0)
    return seen.likelihood(height, until, integral(seen.closing - seen.opened) - until, share)


def calendar_likelihood(seen: Screenings, missing: float, until: float, share: float) -> float:
    """Return the log-likelihood of rates that are lower by a share at all sites until some study day."""
    slow = np.maximum(until - seen.opened, 0.0)
    height = np.where(seen.day <= until, 1.0 - missing, 1.0)
    before = SLOWED - seen.opened - missing * slow
    return seen.likelihood(height, before, np.full(len(slow), seen.closing - SLOWED), share)


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood with a day among its parameters is largest, and how large on average over the days tried.

    Parameters
    ----------
    day, estimate, height
        The whole day, the other parameters and the log-likelihood.
    averaged
        Logarithm of the mean over the days tried first of the likelihood, the other parameters at their maxima.
    """

    day: float
    estimate: Floats
    height: float
    averaged: float


def _best(likelihood: Callable[[Floats, float], float], start: Floats, days: Sequence[int] = DAYS) -> Maximum:
    """Return the maximum of a likelihood that has corners or jumps at the days of screenings.

    The day is searched for: among ``days``, then day by day around the best of these.
    """

    def at(day: int) -> tuple[float, Floats]:
        estimate, _, height = maximise(lambda x: likelihood(x, float(day)), start)
        return height, estimate

    found = {day: at(day) for day in days}
    heights = np.array([found[day][0] for day in days])
    near = max(found, key=lambda day: found[day][0])
    found |= {day: at(day) for day in range(max(near - 9, 1), near + 10) if day not in found}
    best = max(found, key=lambda day: found[day][0])
    averaged = float(heights.max() + np.log(np.exp(heights - heights.max()).mean()))
    return Maximum(float(best), found[best][1], found[best][0], averaged)


def information(seen: Screenings, start: float, over: float, share: float) -> tuple[Floats, Floats]:
    """Return the covariance of ``(start, over, share)`` and the standard errors of the sites' rates, ``[site]``.

    Notes
    -----
    The inverse of the expected information of Poisson processes (Karr, Point Processes and Their Statistical
    Inference, 2nd ed. 1991, ch. 3): the sum over sites of rate x integral of the outer product of the score, over the
    profile. The observed one does not exist where the likelihood has corners.
    """
    age = (np.arange(_GRID) + 0.5) * over / _GRID
    width = over / _GRID
    height = risen(age, start, over)
    slopes = np.array([1.0 - age / over, -(1.0 - start) * age / over**2])  # of the profile, by start and over
    until = days_of_full_rate(SLOWED - seen.opened, start, over)
    after = days_of_full_rate(seen.closing - seen.opened, start, over) - until
    rates = seen.counts / (until + (1.0 - share) * after)
    shared, crossed = np.zeros((3, 3)), []
    for rate, opened, before, slowed in zip(rates, seen.opened, until, after, strict=True):
        thinned = np.where(opened + age > SLOWED, 1.0 - share, 1.0) * (opened + age <= seen.closing) * width
        block = np.zeros((3, 3))
        block[:2, :2] = (slopes * thinned / height) @ slopes.T
        block[2, 2] = slowed / (1.0 - share)
        cross = np.append(slopes @ thinned, -slowed)
        late = (opened + age > SLOWED) & (opened + age <= seen.closing)
        block[:2, 2] = block[2, :2] = -(slopes * late * width).sum(axis=1)
        shared += rate * block
        crossed.append((rate, cross, before + (1.0 - share) * slowed))
    reduced = shared - sum(rate * np.outer(cross, cross) / total for rate, cross, total in crossed)
    covariance = np.linalg.inv(reduced)
    errors = [
        np.sqrt(rate / total + (rate / total) ** 2 * cross @ covariance @ cross)
        for rate, cross, total in crossed
    ]
    return covariance, np.array(errors)


def fit_ramp_up(seen: Screenings) -> Maximum:
    """Return the maximum by the days until the rate is full, the logits of its first share and of the slowing."""
    return _best(
        lambda x, over: ramp_up_likelihood(seen, _logistic(x[0]), over, _logistic(x[1])),
        np.array([-0.8, 1.6]),
    )


def fit(screening: pd.DataFrame) -> dict[str, Row]:
    """Return the figures of the profile, and of the models that it was chosen among."""
    seen = Screenings.of(screening)
    n = len(seen.day)
    best = fit_ramp_up(seen)
    start, over, share = _logistic(best.estimate[0]), best.day, _logistic(best.estimate[1])
    covariance, rate_errors = information(seen, start, over, share)
    errors = np.sqrt(np.diag(covariance))
    found = {
        "ramp_up.from": row(
            start, errors[0], n, "share", "a site's rate at its first screening, as a share of its full rate"
        ),
        "ramp_up.over": row(
            over,
            errors[1],
            n,
            "days",
            "days since its first screening until a site's rate is the full one, linearly",
        ),
        "ramp_up.slowdown": row(
            share,
            errors[2],
            n,
            "share",
            f"share by which screening falls at study day {SLOWED}, fitted with the ramp-up",
        ),
    }
    exposed = days_of_full_rate(SLOWED - seen.opened, start, over)
    exposed += (1.0 - share) * (days_of_full_rate(seen.closing - seen.opened, start, over) - exposed)
    for site, count, days, error in zip(seen.sites, seen.counts, exposed, rate_errors, strict=True):
        found[f"ramp_up.rate.{site}"] = row(
            count / days,
            error if count else None,
            int(count),
            "per day",
            f"full rate of screening at site {site} after its first, fitted with the ramp-up",
        )
    return found | _compared(seen, best)


def _compared(seen: Screenings, ramp_up: Maximum) -> dict[str, Row]:
    """Return the log-likelihood of each model and its AIC less that of constant rates."""

    def largest(of: Callable[[Floats], float], start: list[float]) -> float:
        return maximise(of, np.array(start))[2]

    constant = largest(lambda x: ramp_up_likelihood(seen, 1.0, 1.0, _logistic(x[0])), [1.6])
    drift = largest(lambda x: ramp_up_likelihood(seen, 1.0, 1e-9, _logistic(x[0]), x[1] / YEAR), [1.6, 0.0])
    from_nothing = _best(
        lambda x, over: ramp_up_likelihood(seen, 0.0, over, _logistic(x[0])), np.array([1.6])
    )
    both = _best(
        lambda x, over: ramp_up_likelihood(seen, _logistic(x[0]), over, _logistic(x[1]), x[2] / YEAR),
        np.append(ramp_up.estimate, 0.0),
        [int(ramp_up.day)],
    )
    study = _best(
        lambda x, day: calendar_likelihood(seen, _logistic(x[0]), day, _logistic(x[1])), np.array([0.0, 1.6])
    )
    models = {
        "constant": (constant, 1, "constant rates"),
        "drift": (drift, 2, "rates that drift linearly with a site's age"),
        "ramp_up_from_nothing": (from_nothing.height, 2, "a ramp-up from nothing"),
        "ramp_up": (ramp_up.height, 3, "a ramp-up from a share of the full rate"),
        "ramp_up_and_drift": (both.height, 4, "a ramp-up from a share of the full rate and drift after it"),
        "slow_start_of_study": (study.height, 3, "rates lower by a share at all sites until a study day"),
    }
    found = {}
    n = len(seen.day)
    for name, (height, size, what) in models.items():
        about = f"{what}, {size} parameter{'s' if size > 1 else ''} besides the sites' rates"
        found[f"profile.{name}.log_likelihood"] = row(
            height - constant,
            None,
            n,
            "1",
            f"maximum of the log-likelihood less that of constant rates: {about}",
        )
        found[f"profile.{name}.aic"] = row(
            2 * (size - 1) - 2 * (height - constant),
            None,
            n,
            "1",
            f"Akaike's criterion less that of constant rates: {about}",
        )
    for name, one in (("ramp_up", ramp_up), ("slow_start_of_study", study)):
        found[f"profile.{name}.averaged"] = row(
            one.averaged - constant,
            None,
            n,
            "1",
            f"log-likelihood averaged over its day, {DAYS[0]} to {DAYS[-1]} by tens, less that of constant rates: "
            f"{models[name][2]}",
        )
    return found
