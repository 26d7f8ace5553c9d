"""Allocation rules of two-arm trials as tables over all that can have been seen, so that what they do is found exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.contracts import AllocationView, Floats, RandomisationPolicy
from trialsim.stats.optimal_allocation import Course, Rule, final_law

_AT_ONCE = 65536


def rule_of(policy: RandomisationPolicy, course: Course) -> Rule:
    """Return what a randomisation policy does in a two-arm trial whose first block is 1:1.

    The policy itself is asked, for every state that can be; it must remember nothing.

    Parameters
    ----------
    policy
        A policy of the slot ``randomisation``.
    course
        The trial.
    """

    def at(seen: int) -> Floats:
        weights = np.full((seen + 1,) * 3, 0.5)
        if seen == 0:
            return weights
        n1, s0, s1 = np.nonzero(_possible(seen))
        for first in range(0, len(n1), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            enrolled = np.column_stack([seen - n1[part], n1[part]])
            rows = len(enrolled)
            view = AllocationView(
                replicate=np.arange(rows),
                cut_days=np.full(rows, float(seen)),
                arm_enrolled=enrolled,
                arm_events=np.zeros((rows, 2), dtype=np.int64),
                arm_readouts=enrolled,
                arm_total=np.column_stack([s0[part], s1[part]]).astype(np.float64),
                open_arms=np.ones((rows, 2), dtype=bool),
                ratio=np.ones(2, dtype=np.int64),
                n_max=course.n,
            )
            decision, _ = policy.decide(view, {})
            given = decision.canonical().weights
            assert given is not None
            weights[n1[part], s0[part], s1[part]] = given[:, 1] / given.sum(axis=1)
        return weights

    return Rule(at)


def _possible(seen: int) -> np.ndarray:
    """Return which states can be, ``[on treatment, responders on control, responders on treatment]``."""
    n1, s0, s1 = np.ogrid[: seen + 1, : seen + 1, : seen + 1]
    return (s1 <= n1) & (s0 <= seen - n1)


def shares_by_block(course: Course, control: float, treatment: float, rule: Rule) -> tuple[float, ...]:
    """Return the expected share of each block that is put on treatment, exactly.

    Parameters
    ----------
    course
        The trial.
    control, treatment
        The rates.
    rule
        The rule.
    """
    before, shares = 0.0, []
    for seen in range(course.block, course.n + 1, course.block):
        law = final_law(Course(seen, course.block), control, treatment, rule)
        on_treatment = float(law.sum(axis=(1, 2)) @ np.arange(seen + 1))
        shares.append((on_treatment - before) / course.block)
        before = on_treatment
    return tuple(shares)


def score_z(seen: int) -> Floats:
    """Return the score statistic of each state after some patients; 0 where it has no variance."""
    return Course(seen, seen).score_z()


@dataclass(frozen=True)
class Stopped:
    """A trial in which the rest of the patients get the arm that was found better once it has stopped.

    Halves of each block go to both arms until it stops; afterwards arms are of unequal size, so that the state tells how it
    ended.

    Parameters
    ----------
    rule
        The allocation.
    rejects
        Final states in which the hypothesis is rejected.
    """

    rule: Rule
    rejects: np.ndarray


def stopped_early(
    course: Course, efficacy_z: Sequence[float], futility_z: Sequence[float], looks: Sequence[int]
) -> Stopped:
    """Return a group sequential trial within a horizon: after it stops, everybody to come gets the better arm.

    Parameters
    ----------
    course
        The horizon, in blocks of an even number.
    efficacy_z, futility_z
        Bounds at each look but the last, where only the first counts.
    looks
        Patients at each look, the last being all of them.
    """
    half = course.block // 2
    bounds = dict(zip(looks, zip(efficacy_z, futility_z, strict=True), strict=True))

    def at(seen: int) -> Floats:
        numbers = np.full((seen + 1,) * 3, float(half))
        if seen == 0:
            return numbers
        n1 = np.broadcast_to(np.arange(seen + 1)[:, None, None], numbers.shape)
        numbers[2 * n1 > seen] = course.block
        numbers[2 * n1 < seen] = 0
        if seen in bounds:
            z, even = score_z(seen), 2 * n1 == seen
            efficacy, futility = bounds[seen]
            numbers[even & (z >= efficacy)] = course.block
            numbers[even & (z <= futility)] = 0
        return numbers

    on_treatment, _, _ = course.final_states()
    even = 2 * on_treatment == course.n
    rejects = (2 * on_treatment > course.n) | (even & (course.score_z() >= efficacy_z[-1]))
    return Stopped(Rule(at, counted=True), rejects)


def halves(course: Course) -> Rule:
    """Return 1:1 allocation by simple randomisation."""
    return Rule(lambda seen: np.full((seen + 1,) * 3, 0.5))


def chosen(course: Course, numbers: Sequence[np.ndarray]) -> Rule:
    """Return the rule that puts stated numbers on treatment, block by block, as :func:`best_value` gives them."""
    by_time: dict[int, np.ndarray] = dict(zip(course.times, numbers, strict=True))
    table: Callable[[int], Floats] = lambda seen: by_time[seen].astype(np.float64)  # noqa: E731
    return Rule(table, counted=True)
