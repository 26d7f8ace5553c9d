"""Sites: when each opens, how fast it finds candidates, and when each candidate comes.

A site's candidates come as a Poisson process whose full rate is drawn once for the site, from a gamma distribution where
a shape is stated (the Poisson-gamma model of Anisimov and Fedorov, Statist. Med. 26, 2007, 4958-4975), times a profile
that is linear between knots since the site's opening: its ramp-up, then its drift. Other trials thin the arrivals. The
k-th candidate of a site is found at the address (site << 32 | k), so that what happens at one site moves nobody of
another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import inline, kernel
from trialsim.draws import Purpose, uniform, unit, unit_exponential
from trialsim.operations.delays import delay_law, drawn_delay
from trialsim.scenario.sites import SiteGroup
from trialsim.timegrid import DAYS_PER_YEAR, NEVER, TICKS_PER_DAY, delay_ticks, to_ticks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SITE_BITS = 32
"""A candidate's key is the site's number shifted by so many bits, plus the arrival number at the site."""

NO_LIMIT = 1 << 40
"""Stands for a cap or a number of coordinators that does not exist."""

_SITE = int(Purpose.SITE)
_COMPETING = int(Purpose.COMPETING)
_RATE, _ACTIVATION, _OPENS = 0, 1, 2
_ANSWERED = 3
_KINDS_AT_ONCE = 64


@dataclass(frozen=True)
class SitesLaw:
    """The laws of all sites, each array ``[site]`` unless said otherwise.

    Parameters
    ----------
    names
        Of the sites: the group's name, with a number where the group has several.
    rate
        Mean arrivals per day at full rate.
    shape
        Of the gamma distribution of rates; 0 where all sites of the group are alike.
    activation
        Kind and parameters of the delay to opening, ``[site, 3]``.
    never_opens
        Probability that a site never opens.
    backlog, coordinators, cap
        Candidates known at opening; places for screening; most patients.
    closes
        Tick at which the site closes.
    knot_days, knot_factor, knot_amount
        Profile of the rate: days since opening, share of the full rate there, and its integral up to there,
        ``[site, knot]``. The share is linear between knots and constant after the last.
    competing_tick, competing_share
        From when on other trials take which share of arrivals, ``[site, piece]``.
    groups, group
        Names of the groups, and which of them each site belongs to.
    history_days, history_spread
        Days for which an earlier trial enrolled, 0 without one, and the sd of the log of its rate over the one now.
    optimism, promise_spread
        What a site promises over its true rate, NaN where nobody asked, and the sd of the log of that.
    answered
        Probability that a site that was asked answers.
    """

    names: tuple[str, ...]
    rate: Floats
    shape: Floats
    activation: Floats
    never_opens: Floats
    backlog: Ints
    coordinators: Ints
    cap: Ints
    closes: Ints
    knot_days: Floats
    knot_factor: Floats
    knot_amount: Floats
    competing_tick: Ints
    competing_share: Floats
    groups: tuple[str, ...]
    group: Ints
    history_days: Floats
    history_spread: Floats
    optimism: Floats
    promise_spread: Floats
    answered: Floats

    @property
    def count(self) -> int:
        """Number of sites."""
        return len(self.names)

    def rates(self, seed: int, replicates: Ints) -> Floats:
        """Return the full rate of each site in arrivals per day, ``[replicate, site]``."""
        out = np.broadcast_to(self.rate, (len(replicates), self.count)).copy()
        mixed = np.flatnonzero(self.shape > 0.0)
        if len(mixed):
            from scipy.special import gammaincinv

            u = np.empty((len(replicates), len(mixed)))
            _draws_of_sites(seed, replicates, mixed, _SITE, _RATE, u)
            out[:, mixed] *= gammaincinv(self.shape[mixed], u) / self.shape[mixed]
        return out

    def history(self, seed: int, replicates: Ints) -> tuple[Ints, Floats]:
        """Return what is known of sites before the trial.

        Returns
        -------
        patients
            Candidates found in the earlier trial, Poisson around what its rate and duration give, ``[replicate, site]``.
        promised
            Candidates a day that a site promises, NaN where nobody asked or answered, ``[replicate, site]``.
        """
        from scipy.special import ndtri, pdtr, pdtrik

        rates, every = self.rates(seed, replicates), np.arange(self.count)
        drawn = np.empty((3, len(replicates), self.count))
        for draw in range(3):
            _draws_of_sites(seed, replicates, every, int(Purpose.SITE_HISTORY), draw, drawn[draw])
        mean = rates * np.exp(self.history_spread * ndtri(drawn[0])) * self.history_days
        counts = np.zeros(mean.shape)
        some = mean > 0.0
        u, mu = drawn[1][some], mean[some]
        first = u <= np.exp(-mu)
        found = np.ceil(np.where(first, 0.0, pdtrik(u, np.where(first, 1.0, mu))))
        # The inverse is that of a continuous curve through the distribution function: step back where it went too far.
        found -= (found > 0.0) & (pdtr(np.maximum(found - 1.0, 0.0), mu) >= u)
        counts[some] = found
        promised = rates * self.optimism * np.exp(self.promise_spread * ndtri(drawn[2]))
        if (self.answered < 1.0).any():
            _draws_of_sites(seed, replicates, every, int(Purpose.SITE_HISTORY), _ANSWERED, drawn[0])
            promised[drawn[0] >= self.answered] = np.nan
        return counts.astype(np.int64), promised

    def activations(self, seed: int, replicates: Ints, grid: int) -> Ints:
        """Return when each site opens, in ticks since the first one did, ``[replicate, site]``; NEVER if it does not.

        Parameters
        ----------
        seed, replicates
            Address of the draws.
        grid
            Step of the time grid in ticks.
        """
        out = self.activation_delays(seed, replicates, grid)
        first = out.min(axis=1, keepdims=True)
        return np.where(out < NEVER, out - np.where(first < NEVER, first, 0), NEVER)

    def activation_delays(self, seed: int, replicates: Ints, grid: int) -> Ints:
        """Return the ticks from the start of set-up to each site's opening, ``[replicate, site]``; NEVER: it does not.

        Parameters
        ----------
        seed, replicates, grid
            As in :meth:`activations`.
        """
        out = np.empty((len(replicates), self.count), dtype=np.int64)
        _activate(seed, replicates, self.activation, self.never_opens, grid, out)
        return out

    def expected_arrivals(self, days: Floats) -> Floats:
        """Return the expected number of candidates by each day, all sites opening at their median time, ``[day]``."""
        opening = np.array([drawn_delay(0.5, int(k), a, b, 1) for k, a, b in self.activation])
        opening = (opening - opening.min()) / float(TICKS_PER_DAY)
        taken = self.competing_share.max(axis=1, initial=0.0)
        opens = 1.0 - self.never_opens
        numbers = np.column_stack(
            [
                opening,
                self.closes / float(TICKS_PER_DAY),
                opens * self.backlog,
                opens * self.rate * (1.0 - taken),
            ]
        )
        # Sites of a group are alike here, so that each kind of site is worked out once.
        kinds, members = np.unique(
            np.hstack([numbers, self.knot_days, self.knot_factor]), axis=0, return_counts=True
        )
        knots = self.knot_days.shape[1]
        total = np.zeros(len(days))
        for first in range(0, len(kinds), _KINDS_AT_ONCE):
            part, count = (
                kinds[first : first + _KINDS_AT_ONCE, :, None],
                members[first : first + _KINDS_AT_ONCE],
            )
            start, close, backlog, rate = (part[:, k] for k in range(4))
            since = np.maximum(np.minimum(days, close) - start, 0.0)
            amount = integrated_profile(since, part[:, 4 : 4 + knots], part[:, 4 + knots :])
            total += count @ (backlog * (days >= start) + rate * amount)
        return total


def integrated_profile(since: Floats, knot_days: Floats, knot_factor: Floats) -> Floats:
    """Return the integral of profiles of rates since opening, ``[kind, day]``: parabolas between knots.

    Parameters
    ----------
    since
        Days since opening, 0 or more, ``[kind, day]``.
    knot_days, knot_factor
        Knots of each profile, ``[kind, knot, 1]``; after the last one the rate stays as it is.
    """
    last = knot_days.shape[1] - 1
    total = knot_factor[:, last] * np.maximum(since - knot_days[:, last], 0.0)
    for j in range(last):
        width = knot_days[:, j + 1] - knot_days[:, j]
        bend = np.where(width > 0.0, knot_factor[:, j + 1] - knot_factor[:, j], 0.0) / np.where(
            width > 0.0, width, 1.0
        )
        passed = np.clip(since - knot_days[:, j], 0.0, width)
        total = total + (knot_factor[:, j] + 0.5 * bend * passed) * passed
    return total


def sites_law(groups: Mapping[str, SiteGroup], horizon: float, grid: int) -> SitesLaw:
    """Return the laws of the sites that a scenario states.

    Parameters
    ----------
    groups
        As written; sites are numbered in that order.
    horizon
        In days; a drift goes on until then.
    grid
        Step of the time grid in ticks.
    """
    each = [(name, group) for name, group in groups.items() for _ in range(group.count)]
    names = [
        name if group.count == 1 else f"{name}_{number + 1}"
        for name, group in groups.items()
        for number in range(group.count)
    ]
    profiles = [_profile(group, horizon) for _, group in each]
    width = max(len(profile) for profile in profiles)
    knots = np.array([[*profile, *[profile[-1]] * (width - len(profile))] for profile in profiles])
    steps = np.diff(knots[:, :, 0], axis=1)
    middle = 0.5 * (knots[:, 1:, 1] + knots[:, :-1, 1])
    amount = np.concatenate([np.zeros((len(each), 1)), np.cumsum(steps * middle, axis=1)], axis=1)
    pieces = max(len(group.competing) for _, group in each)
    competing_tick = np.full((len(each), pieces), NEVER, dtype=np.int64)
    competing_share = np.zeros((len(each), pieces))
    for s, (_, group) in enumerate(each):
        for j, piece in enumerate(group.competing):
            competing_tick[s, j], competing_share[s, j] = to_ticks(piece.start, grid), piece.share

    def column(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    def whole(values: list[int]) -> Ints:
        return np.array(values, dtype=np.int64)

    return SitesLaw(
        tuple(names),
        column([group.rate for _, group in each]),
        column([group.rate_shape or 0.0 for _, group in each]),
        np.array([delay_law(group.activation, grid).parameters for _, group in each], dtype=np.float64),
        column([group.never_opens for _, group in each]),
        whole([group.backlog for _, group in each]),
        whole([group.coordinators or NO_LIMIT for _, group in each]),
        whole([group.cap or NO_LIMIT for _, group in each]),
        whole(
            [NEVER if group.closes is None else max(to_ticks(group.closes, grid), grid) for _, group in each]
        ),
        knots[:, :, 0],
        knots[:, :, 1],
        amount,
        competing_tick,
        competing_share,
        tuple(groups),
        whole([number for number, group in enumerate(groups.values()) for _ in range(group.count)]),
        column([0.0 if group.history is None else group.history.over for _, group in each]),
        column([0.0 if group.history is None else group.history.spread for _, group in each]),
        column([np.nan if group.feasibility is None else group.feasibility.optimism for _, group in each]),
        column([0.0 if group.feasibility is None else group.feasibility.spread for _, group in each]),
        column([_answering(group) for _, group in each]),
    )


def _answering(group: SiteGroup) -> float:
    """Return the probability that a site of a group answers when it is asked."""
    stated = None if group.feasibility is None else group.feasibility.answered
    return 1.0 if stated is None else stated


def _profile(group: SiteGroup, horizon: float) -> list[tuple[float, float]]:
    """Return the knots of a site's rate: days since opening and share of the full rate."""
    knots = [(0.0, 1.0)]
    if group.ramp_up is not None:
        knots = [(0.0, group.ramp_up.start), (group.ramp_up.over, 1.0)]
    if group.drift is not None and group.drift.per_year != 0.0:
        full, per_day = knots[-1][0], group.drift.per_year / DAYS_PER_YEAR
        end = full + horizon
        if per_day < 0.0:
            end = min(end, full - 1.0 / per_day)
        knots.append((end, max(1.0 + per_day * (end - full), 0.0)))
    return knots


@kernel
def _draws_of_sites(seed, replicates, sites, purpose, draw, out):  # type: ignore[no-untyped-def]
    """Fill one uniform a replicate and site."""
    for r in range(len(replicates)):
        for j in range(len(sites)):
            out[r, j] = uniform(seed, replicates[r], sites[j] << SITE_BITS, purpose, draw)


@kernel
def _activate(seed, replicates, activation, never_opens, grid, out):  # type: ignore[no-untyped-def]
    """Fill the ticks from the start of set-up to each site's opening."""
    for r in range(len(replicates)):
        for s in range(out.shape[1]):
            key = s << SITE_BITS
            if uniform(seed, replicates[r], key, _SITE, _OPENS) < never_opens[s]:
                out[r, s] = NEVER
                continue
            kind = np.int64(activation[s, 0])
            u = uniform(seed, replicates[r], key, _SITE, _ACTIVATION)
            out[r, s] = drawn_delay(u, kind, activation[s, 1], activation[s, 2], grid)


@kernel
def days_to_amount(need, days, factor, amount):  # type: ignore[no-untyped-def]
    """Return the days since opening at which the integrated profile reaches ``need``; infinite where it never does.

    Parameters
    ----------
    need
        Integral to be reached, in days at the full rate.
    days, factor, amount
        Knots of the profile, ``[knot]``.
    """
    last = len(days) - 1
    for j in range(last):
        if need <= amount[j + 1]:
            width = days[j + 1] - days[j]
            if width <= 0.0:
                continue
            # Within a piece the integral is a parabola; this form of its root has no cancellation.
            rest = need - amount[j]
            bend = (factor[j + 1] - factor[j]) / width
            root = np.sqrt(max(factor[j] * factor[j] + 2.0 * bend * rest, 0.0))
            return days[j] + min(2.0 * rest / (factor[j] + root), width) if rest > 0.0 else days[j]
    if factor[last] <= 0.0:
        return np.inf
    return days[last] + (need - amount[last]) / factor[last]


@inline
def next_amount(bits, amount):  # type: ignore[no-untyped-def]
    """Return the integrated intensity at which a candidate comes, from their random word and that of the one before."""
    return amount + unit_exponential(unit(bits))


@kernel
def arrival_tick(amount, rate, opening, days, factor, integral, grid):  # type: ignore[no-untyped-def]
    """Return the tick at which a candidate comes, NEVER where the intensity does not reach that far.

    Parameters
    ----------
    amount
        Integrated intensity at which the candidate comes.
    rate
        Full rate of the site per day.
    opening
        Tick at which the site opens.
    days, factor, integral
        Knots of the site's profile, ``[knot]``.
    grid
        Step of the time grid in ticks.
    """
    if rate <= 0.0:
        return np.int64(NEVER)
    since = days_to_amount(amount / rate, days, factor, integral)
    if not since < 1e7:
        return np.int64(NEVER)
    return opening + delay_ticks(since, grid)


@kernel
def fill_arrivals(words, amount, rate, opening, days, factor, integral, grid, need, since, out):  # type: ignore[no-untyped-def]
    """Fill :func:`arrival_tick` of candidates who come one after the other; return the last one's amount.

    Parameters
    ----------
    words
        Random word of each, ``[candidate]``.
    amount
        Of the candidate before the first of them.
    rate, opening, days, factor, integral, grid
        As there.
    need, since
        Scratch, ``[candidate]``.
    out
        Results in ticks.
    """
    count = len(words)
    if rate <= 0.0:
        out[:count] = NEVER
        return amount
    for i in range(count):
        need[i] = unit_exponential(unit(words[i]))
    for i in range(count):
        amount = amount + need[i]
        need[i] = amount
    last = len(days) - 1
    for i in range(count):
        need[i] = need[i] / rate
    full, begins, reached = factor[last], days[last], integral[last]
    for i in range(count):
        since[i] = begins + (need[i] - reached) / full if full > 0.0 else np.inf
    # The earliest piece that reaches as far holds, so it comes last.
    for j in range(last - 1, -1, -1):
        width = days[j + 1] - days[j]
        if width <= 0.0:
            continue
        begins, start, until, height = days[j], integral[j], integral[j + 1], factor[j]
        bend = (factor[j + 1] - factor[j]) / width
        for i in range(count):
            rest = need[i] - start
            root = math.sqrt(max(height * height + 2.0 * bend * rest, 0.0))
            inside = begins + min(2.0 * rest / (height + root), width) if rest > 0.0 else begins
            since[i] = inside if need[i] <= until else since[i]
    for i in range(count):
        out[i] = opening + delay_ticks(since[i], grid) if since[i] < 1e7 else np.int64(NEVER)
    return amount


@kernel
def taken_by_competition(seed, replicate, key, tick, from_tick, share):  # type: ignore[no-untyped-def]
    """Return whether another trial takes the candidate who would come at a tick."""
    taken = 0.0
    for j in range(len(from_tick)):
        if from_tick[j] <= tick:
            taken = share[j]
    return taken > 0.0 and uniform(seed, replicate, key, _COMPETING, 0) < taken
