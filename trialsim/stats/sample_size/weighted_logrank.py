"""Weighted log-rank tests under any piecewise constant hazards: drift, information and power without simulation.

With ``n1(t)`` and ``n0(t)`` at risk at time ``t`` since randomisation, the score converges to the integral of
``w n1 n0 / (n1 + n0) (hazard0 - hazard1)`` and its variance estimate to that of
``w^2 n1 n0 / (n1 + n0)^2 (n1 hazard1 + n0 hazard0)``; z is normal about their ratio (score over root of variance) with
variance 1.

References
----------
Schoenfeld, Biometrika 68, 1981, 316-319 (drift); Fleming and Harrington, Counting Processes and Survival Analysis
(1991), chapter 7; Tsiatis, JASA 77, 1982, 855-861 (several analyses); Magirr and Burman, Statistics in Medicine 38,
2019, 3782-3790 (the modest weight).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.stats.normal import upper_quantile, upper_tail
from trialsim.stats.sample_size.piecewise_events import SurvivalPlan, expected_course, patient_time_edges

Floats = NDArray[np.float64]
_NODES = 16
_LONGEST = (
    0.25  # a panel spans at most this much of the cumulative hazard, where 16 nodes are exact to rounding
)
_GRADES = 40


@dataclass(frozen=True)
class Weight:
    """How a log-rank test weighs an event at time ``t``.

    Parameters
    ----------
    kind
        ``fh`` (Fleming-Harrington, ``S^rho (1 - S)^gamma`` with S the pooled survival just before), ``gehan`` (the
        share of all patients still at risk) or ``modest`` (Magirr-Burman, ``1 / max(S(t), S(delay))``).
    rho, gamma
        Of ``fh``; both 0 give the log-rank test.
    delay
        Of ``modest``: days up to which the weight rises.
    """

    kind: str = "fh"
    rho: float = 0.0
    gamma: float = 0.0
    delay: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether this is the unweighted log-rank test."""
        if self.kind == "modest":
            return self.delay == 0.0
        return self.kind == "fh" and self.rho == self.gamma == 0.0

    @property
    def name(self) -> str:
        """The weight in the notation of the field."""
        if self.plain:
            return "log-rank"
        if self.kind == "fh":
            return f"FH({self.rho:g}, {self.gamma:g})"
        return "Gehan" if self.kind == "gehan" else f"modestly weighted, {self.delay:g} days"


LOGRANK = Weight()


@dataclass(frozen=True)
class WeightedAnalysis:
    """What a weighted log-rank test may expect of one analysis.

    Parameters
    ----------
    time
        Days from the start of accrual.
    enrolled, events
        Patients and events by then.
    score, information
        Expected score (positive favours treatment) and its variance.
    drift
        Expected z.
    independent
        Whether the step from the analysis before is independent of what was known then.
    why
        The reason, as a sentence.
    """

    time: float
    enrolled: float
    events: float
    score: float
    information: float
    drift: float
    independent: bool
    why: str

    def power(self, alpha: float) -> float:
        """Return the probability that z exceeds the upper ``alpha`` point of the standard normal."""
        return upper_tail(upper_quantile(alpha) - self.drift)


def weighted_analyses(
    plan: SurvivalPlan, times: Sequence[float], weight: Weight = LOGRANK, null: float = 1.0
) -> list[WeightedAnalysis]:
    """Return score, information and drift of a weighted log-rank test at each calendar time.

    Parameters
    ----------
    plan
        The trial.
    times
        Days from the start of accrual, ascending.
    weight
        The weight.
    null
        Hazard ratio at which the score is taken; a treatment with a lower one is favoured.
    """
    independent, why = increments(plan, weight)
    found = []
    for time in times:
        score, information = _score_and_information(plan, time, weight, null)
        course = expected_course(plan, time)
        drift = score / math.sqrt(information) if information > 0.0 else 0.0
        found.append(
            WeightedAnalysis(
                time, course.enrolled, course.events, score, information, drift, independent, why
            )
        )
    return found


def score_information(plan: SurvivalPlan, time: float, weight: Weight) -> float:
    """Return the expected variance of the score at an analysis at ``time`` days."""
    return _score_and_information(plan, time, weight)[1]


def increments(plan: SurvivalPlan, weight: Weight) -> tuple[bool, str]:
    """Return whether the scores of successive analyses have independent increments, and why.

    Tsiatis (1982): they have when the weight of a time since randomisation converges to the same value at every
    analysis.
    """
    if weight.plain:
        return True, "the log-rank weight is 1 at every analysis"
    if weight.kind == "gehan":
        return False, (
            "the Gehan weight is the share at risk, which changes from analysis to analysis with accrual and "
            "follow-up"
        )
    if plan.control_dropout != plan.treatment_dropout and not _equal_hazards(plan):
        return False, (
            "dropout differs between the arms, so that the pooled survival behind the weight depends on who is at "
            "risk at the analysis"
        )
    return True, (
        "the pooled survival behind the weight converges to the same curve at every analysis (large samples)"
    )


def _equal_hazards(plan: SurvivalPlan) -> bool:
    return plan.hazard_ratio.constant and plan.hazard_ratio.values[0] == 1.0


def _score_and_information(
    plan: SurvivalPlan, time: float, weight: Weight, null: float = 1.0
) -> tuple[float, float]:
    """Return the limits of the score and of its variance at one analysis.

    With a hazard ratio ``null`` to be ruled out they are those of the partial likelihood there (Cox 1972): each event falls
    on treatment with chance ``null n1 / (null n1 + n0)``.
    """
    hazards = (plan.control_hazard, plan.treatment_hazard)
    dropouts = (plan.control_dropout, plan.treatment_dropout)
    edges = patient_time_edges(plan, (*hazards, *dropouts), time)
    if weight.kind == "modest" and 0.0 < weight.delay < time:
        edges = np.unique(np.append(edges, weight.delay))
    edges = _panels(
        edges, [each.at(edges[:-1]) for each in (*hazards, *dropouts)], float(weight.gamma).is_integer()
    )
    lower, width = edges[:-1, None], np.diff(edges)[:, None]
    nodes, weights, inner = _rule()
    t = lower + width * nodes
    entered = plan.enrolled(time - t)
    middle = edges[:-1] + np.diff(edges) / 2.0
    shares = (1.0 - plan.share, plan.share)
    rates = [each.at(middle)[:, None] for each in hazards]
    leaves = [each.at(middle)[:, None] for each in dropouts]
    at_risk = []
    for share, rate, leave in zip(shares, rates, leaves, strict=True):
        before = np.concatenate(([0.0], np.cumsum((rate + leave) * width)[:-1]))[:, None]
        at_risk.append(share * entered * np.exp(-before - (rate + leave) * width * nodes))
    both = at_risk[0] + at_risk[1]
    safe = np.where(both > 0.0, both, 1.0)
    pooled_hazard = np.where(both > 0.0, (at_risk[0] * rates[0] + at_risk[1] * rates[1]) / safe, 0.0)
    whole = (pooled_hazard * weights).sum(axis=1, keepdims=True) * width
    before_panel = np.cumsum(whole, axis=0) - whole
    cumulative = before_panel + width * (pooled_hazard @ inner.T)
    w = _weights(weight, cumulative, both / plan.patients, edges, before_panel[:, 0], whole[:, 0])
    product = np.where(both > 0.0, at_risk[0] * at_risk[1] / safe, 0.0)
    tilt = both / np.where(both > 0.0, null * at_risk[1] + at_risk[0], 1.0)  # 1 where equality is tested
    score = w * product * tilt * (null * rates[0] - rates[1])
    information = w * w * null * product * tilt * tilt * pooled_hazard
    return tuple(float((each * weights * width).sum()) for each in (score, information))  # type: ignore[return-value]


def _panels(edges: Floats, rates: list[Floats], smooth: bool) -> Floats:
    """Return the edges with long panels cut, so that the integrand is smooth for the rule on each."""
    steepest = np.max(rates, axis=0)
    if not smooth:
        edges, steepest = _graded(edges, steepest)
    parts = np.maximum(1, np.ceil(steepest * np.diff(edges) / _LONGEST)).astype(int)
    parts = np.minimum(parts, 2000)
    pieces = [
        np.linspace(a, b, n, endpoint=False)
        for a, b, n in zip(edges[:-1], edges[1:], parts.tolist(), strict=True)
    ]
    return np.append(np.concatenate(pieces), edges[-1])


def _graded(edges: Floats, steepest: Floats) -> tuple[Floats, Floats]:
    """Cut the panel in which events begin towards its start, where ``(1 - S)^gamma`` may behave like a root."""
    begins = np.flatnonzero(steepest > 0.0)
    if not len(begins):
        return edges, steepest
    first = int(begins[0])
    start, end = float(edges[first]), float(edges[first + 1])
    finer = start + (end - start) * 0.5 ** np.arange(_GRADES, 0, -1)
    finer = finer[finer > start]
    return np.insert(edges, first + 1, finer), np.insert(
        steepest, first, np.full(len(finer), steepest[first])
    )


@functools.cache
def _rule() -> tuple[Floats, Floats, Floats]:
    """Return Gauss-Legendre nodes and weights on ``[0, 1]``, and the matrix that integrates from 0 to each node."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    vander = np.polynomial.legendre.legvander(nodes, _NODES - 1)
    integrals = np.empty((_NODES, _NODES))
    for degree in range(_NODES):
        series = np.polynomial.legendre.legint(np.eye(_NODES)[degree], lbnd=-1)
        integrals[:, degree] = np.polynomial.legendre.legval(nodes, series)
    inner = np.asarray(np.linalg.solve(vander.T, integrals.T).T, dtype=np.float64)
    return (nodes + 1.0) / 2.0, weights / 2.0, inner / 2.0


def _weights(
    weight: Weight, cumulative: Floats, at_risk: Floats, edges: Floats, before: Floats, whole: Floats
) -> Floats:
    """Return the weight at every node."""
    if weight.kind == "gehan":
        return at_risk
    if weight.kind == "fh":
        return np.exp(-weight.rho * cumulative) * (-np.expm1(-cumulative)) ** weight.gamma
    at_edges = np.append(before, before[-1] + whole[-1])
    at_delay = float(np.interp(weight.delay, edges, at_edges))  # the delay is itself an edge
    return np.exp(np.minimum(cumulative, at_delay))
