"""The best that allocation can do in a two-arm binary trial, and what any rule does, exactly, by dynamic programming.

A trial of ``n`` patients comes in blocks, and the outcomes of a block are known before the next. What has been seen is
then three counts: patients on treatment, responders on control, responders on treatment. Of a block only the number on
treatment is decided. Backward induction over these states (Bellman, Dynamic Programming, 1957; for two arms with binary
outcomes Berry and Fristedt, Bandit Problems, 1985, ch. 2) gives the best expected value of any function of the final
state; the same recursion with the choice given gives what a rule achieves, and a pass forwards the law of the final state
under given rates.
"""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """How many of a block are put on treatment, given what has been seen.

    Parameters
    ----------
    at
        From patients so far to a table by state, ``[on treatment, responders on control, responders on treatment]``: the
        probability that a patient of the next block is given treatment, or the number who are.
    counted
        Whether it is that number.
    """

    at: Callable[[int], Floats]
    counted: bool = False


def beta_moments(a: float, b: float, most: int) -> Floats:
    """Return ``log E[p^s (1 - p)^(m - s)]`` of a rate with a beta prior, ``[m, s]``, m and s up to ``most``.

    Parameters
    ----------
    a, b
        Shapes of the prior.
    most
        Largest number of patients.
    """
    lgamma = np.array(
        [[math.lgamma(a + k), math.lgamma(b + k), math.lgamma(a + b + k)] for k in range(most + 1)]
    )
    m, s = np.arange(most + 1)[:, None], np.arange(most + 1)[None, :]
    failures = np.clip(m - s, 0, None)
    whole = lgamma[0, 2] - lgamma[0, 0] - lgamma[0, 1]
    return np.asarray(np.where(s <= m, whole + lgamma[s, 0] + lgamma[failures, 1] - lgamma[m, 2], -np.inf))


def points_moments(rates: Sequence[float], weights: Sequence[float], most: int) -> Floats:
    """Return the same for a rate that has one of a few values, as a single one, with given probabilities.

    Parameters
    ----------
    rates
        Strictly between 0 and 1.
    weights
        Their probabilities.
    most
        Largest number of patients.
    """
    m, s = np.arange(most + 1)[:, None], np.arange(most + 1)[None, :]
    parts = [
        math.log(weight) + s * math.log(rate) + (m - s) * math.log1p(-rate)
        for rate, weight in zip(rates, weights, strict=True)
    ]
    return np.asarray(np.where(s <= m, np.logaddexp.reduce(parts, axis=0), -np.inf))


@dataclass(frozen=True)
class Course:
    """How a trial goes.

    Parameters
    ----------
    n
        Patients.
    block
        Patients in a block; a divisor of ``n``.
    """

    n: int
    block: int

    def __post_init__(self) -> None:
        if self.block < 1 or self.n < 1 or self.n % self.block:
            raise ValueError(f"{self.n} patients do not come in whole blocks of {self.block}")

    @property
    def times(self) -> range:
        """Patients so far at which a block is decided on."""
        return range(0, self.n, self.block)

    def final_states(self) -> tuple[NDArray[np.int64], ...]:
        """Return patients on treatment, responders on control and on treatment, as open grids of the final states."""
        every = np.arange(self.n + 1)
        return every[:, None, None], every[None, :, None], every[None, None, :]

    def responders(self) -> Floats:
        """Return the responders in each final state."""
        _, control, treatment = self.final_states()
        return np.asarray((control + treatment + np.zeros((self.n + 1, 1, 1))).astype(np.float64))

    def score_z(self) -> Floats:
        """Return the score statistic of each final state, variance pooled (Pearson 1900); 0 where there is none."""
        on_treatment, control, treatment = (x.astype(np.float64) for x in self.final_states())
        on_control = self.n - on_treatment
        pooled = (control + treatment) / self.n
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = treatment / on_treatment - control / on_control
            z = apart / np.sqrt(pooled * (1.0 - pooled) * (1.0 / on_treatment + 1.0 / on_control))
        return np.asarray(np.where(np.isfinite(z), z, 0.0))


def best_value(
    course: Course, control: Floats, treatment: Floats, final: Floats
) -> tuple[float, list[NDArray[np.int16]]]:
    """Return the largest expected value of the final state, and the choice that attains it.

    Parameters
    ----------
    course
        The trial.
    control, treatment
        Moments of the two rates, which are independent a priori: :func:`beta_moments`, :func:`points_moments`.
    final
        Value of each final state, ``[on treatment, responders on control, responders on treatment]``.

    Returns
    -------
    value
        The optimum; nothing that decides between blocks on what was seen can do better.
    choice
        For each block the number put on treatment, by state; among equals the one nearest to half the block.
    """
    value = np.ascontiguousarray(final, dtype=np.float64)
    order = np.array(sorted(range(course.block + 1), key=lambda k: abs(2 * k - course.block)))
    choices = []
    for seen in reversed(course.times):
        before = np.zeros_like(value)
        choice = np.zeros((seen + 1, seen + 1, seen + 1), dtype=np.int16)
        _best_block(value, control, treatment, seen, course.block, order, before, choice)
        choices.append(choice)
        value = before
    return float(value[0, 0, 0]), choices[::-1]


def value_of(course: Course, control: Floats, treatment: Floats, final: Floats, rule: Rule) -> float:
    """Return the expected value of the final state under a rule; other arguments as of :func:`best_value`."""
    value = np.ascontiguousarray(final, dtype=np.float64)
    for seen in reversed(course.times):
        before = np.zeros_like(value)
        _given_block(value, control, treatment, seen, course.block, rule.at(seen), rule.counted, before)
        value = before
    return float(value[0, 0, 0])


def final_law(course: Course, control: float, treatment: float, rule: Rule) -> Floats:
    """Return the probability of each final state under a rule.

    Parameters
    ----------
    course
        The trial.
    control, treatment
        The rates.
    rule
        The rule.
    """
    law = np.zeros((course.n + 1,) * 3)
    law[0, 0, 0] = 1.0
    pmf = np.zeros((2, course.block + 1, course.block + 1))
    for arm, rate in enumerate((control, treatment)):
        for k in range(course.block + 1):
            pmf[arm, k, : k + 1] = _binomial(k, rate)
    for seen in course.times:
        after = np.zeros_like(law)
        _spread(law, pmf, seen, course.block, rule.at(seen), rule.counted, after)
        law = after
    return law


def _binomial(n: int, rate: float) -> Floats:
    """Return the binomial probabilities."""
    return np.array([math.comb(n, k) * rate**k * (1.0 - rate) ** (n - k) for k in range(n + 1)])


@kernel
def _predictive(moments, n, s, further, out):
    """Fill the probabilities of 0, 1, ... responders among some further patients, after ``s`` of ``n``."""
    ways = 1.0
    for x in range(further + 1):
        out[x] = ways * math.exp(moments[n + further, s + x] - moments[n, s])
        ways = ways * (further - x) / (x + 1)


@kernel
def _treatment_laws(moments, n1, block, laws):
    """Fill the predictive laws of treatment for all its responders so far, ``[responders, number, further responders]``."""
    for s1 in range(n1 + 1):
        for k in range(block + 1):
            _predictive(moments, n1, s1, k, laws[s1, k])


@kernel
def _over_control(value, moments, n1, n0, s0, block, law, table):
    """Fill the value after a block by number on treatment and responders there, averaged over those on control."""
    for k in range(block + 1):
        _predictive(moments, n0, s0, block - k, law)
        wide = n1 + k + 1
        row = table[k]
        row[:wide] = 0.0
        for x in range(block - k + 1):
            weight = law[x]
            for s in range(wide):
                row[s] += weight * value[n1 + k, s0 + x, s]


@kernel
def _number_law(stated, counted, block, out):
    """Fill the probabilities of each number on treatment in a block, from its probability or the number itself."""
    ways = 1.0
    for k in range(block + 1):
        if counted:
            out[k] = 1.0 if k == round(stated) else 0.0
        else:
            out[k] = ways * stated**k * (1.0 - stated) ** (block - k)
        ways = ways * (block - k) / (k + 1)


@kernel
def _best_block(value, moments0, moments1, seen, block, order, before, choice):
    """Fill the value of each state before a block whose number on treatment is chosen best, and that number."""
    laws, law = np.empty((seen + 1, block + 1, block + 1)), np.empty(block + 1)
    table = np.empty((block + 1, seen + block + 1))
    for n1 in range(seen + 1):
        _treatment_laws(moments1, n1, block, laws)
        for s0 in range(seen - n1 + 1):
            _over_control(value, moments0, n1, seen - n1, s0, block, law, table)
            for s1 in range(n1 + 1):
                best, number = -np.inf, 0
                for k in order:
                    found = 0.0
                    for y in range(k + 1):
                        found += laws[s1, k, y] * table[k, s1 + y]
                    if found > best + 1e-12 * abs(found):
                        best, number = found, k
                before[n1, s0, s1] = best
                choice[n1, s0, s1] = number


@kernel
def _given_block(value, moments0, moments1, seen, block, stated, counted, before):
    """Fill the value of each state before a block of which a rule states the number on treatment, or its probability."""
    laws, law = np.empty((seen + 1, block + 1, block + 1)), np.empty(block + 1)
    table, chances = np.empty((block + 1, seen + block + 1)), np.empty(block + 1)
    for n1 in range(seen + 1):
        _treatment_laws(moments1, n1, block, laws)
        for s0 in range(seen - n1 + 1):
            _over_control(value, moments0, n1, seen - n1, s0, block, law, table)
            for s1 in range(n1 + 1):
                _number_law(stated[n1, s0, s1], counted, block, chances)
                total = 0.0
                for k in range(block + 1):
                    if chances[k] > 0.0:
                        found = 0.0
                        for y in range(k + 1):
                            found += laws[s1, k, y] * table[k, s1 + y]
                        total += chances[k] * found
                before[n1, s0, s1] = total


@kernel
def _spread(law, pmf, seen, block, stated, counted, after):
    """Add to the law after a block what each state before it leads to."""
    rows, some = np.empty((block + 1, seen + block + 1)), np.empty(block + 1, np.bool_)
    chances = np.empty(block + 1)
    for n1 in range(seen + 1):
        for s0 in range(seen - n1 + 1):
            rows[:] = 0.0
            some[:] = False
            for s1 in range(n1 + 1):
                mass = law[n1, s0, s1]
                if mass == 0.0:
                    continue
                _number_law(stated[n1, s0, s1], counted, block, chances)
                for k in range(block + 1):
                    if chances[k] > 0.0:
                        some[k] = True
                        for y in range(k + 1):
                            rows[k, s1 + y] += mass * chances[k] * pmf[1, k, y]
            for k in range(block + 1):
                if some[k]:
                    wide = n1 + k + 1
                    for x in range(block - k + 1):
                        weight = pmf[0, block - k, x]
                        for s in range(wide):
                            after[n1 + k, s0 + x, s] += weight * rows[k, s]
