"""Decision rules on posterior and predictive probabilities, evaluated in the order in which they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trialsim.contracts import Bools, Decision, Floats, LookView, Memory, Status, Stop, any_of
from trialsim.policies.predicted_models import error_of_prediction
from trialsim.policies.probabilities import Probabilities
from trialsim.scenario.decisions import (
    BY_LAW,
    IMPUTED,
    OF_ARMS,
    Best,
    Condition,
    DecisionRule,
    Equivalent,
    Limited,
    Posterior,
    Predictive,
    Utility,
    leaves,
)

_REASONS = {
    "stop_for_success": Stop.EFFICACY,
    "stop_for_futility": Stop.FUTILITY,
    "stop_for_safety": Stop.SAFETY,
    "stop_for_superiority": Stop.SUPERIORITY,
    "stop_for_equivalence": Stop.EQUIVALENCE,
}
_OK = int(Status.OK)
REFUSALS = (Status.OUTSIDE_RANGE, Status.CHAINS_FAILED, Status.NO_FINITE_ESTIMATE)
"""Statuses of an analysis on which nothing may be decided, so that the automation stops and people take over."""


class DecisionRules:
    """Weigh probabilities at a look and do what the first rule says that holds; at the last look judge every test.

    A rule that drops arms lets the rules be weighed anew for the arms that are left, until nothing changes. Superiority of
    the only arm left is certain. Predictive probabilities are not weighed at the last look. Where an analysis that a look
    needs is refused (:data:`REFUSALS`) nothing is decided, and the trial ends there for want of an analysis.

    Parameters
    ----------
    rules
        As a scenario's design has them.
    probabilities
        Computes them.
    tests, arms
        Names, in order.
    """

    name = "decision_rules"
    reference = "Broglio, Connor and Berry 2014; Lee and Liu 2008; Granholm et al. 2022"
    decides_on = "look"
    sees_outcomes = True

    def __init__(
        self,
        rules: Sequence[DecisionRule],
        probabilities: Probabilities,
        tests: Sequence[str],
        arms: Sequence[str],
    ) -> None:
        self.rules, self._probabilities = tuple(rules), probabilities
        self._tests, self._arms = tuple(tests), tuple(arms)
        self.closes_enrolment = any(rule.do == "stop_accrual" for rule in rules)
        self.quantities = tuple(dict.fromkeys(name for rule in rules for name in self._names(rule)))
        predicted = [
            self._numbers(leaf.tests)
            for rule in rules
            for leaf in leaves(rule.when)
            if isinstance(leaf, Predictive)
        ]
        self.imputed_tests = tuple(
            sorted({test for tests in predicted for test in tests if self._name_of(test) in IMPUTED})
        )
        self.predicted_by_law = tuple(
            sorted({test for tests in predicted for test in tests if self._name_of(test) in BY_LAW})
        )
        every = [leaf for rule in rules for leaf in leaves(rule.when)]
        self.compares_arm_laws = not self._is(0, "beta_binomial") and any(
            isinstance(leaf, (Best, Equivalent)) for leaf in every
        )
        asked = [
            (test, edge)
            for rule in rules
            for leaf in leaves(rule.when)
            if isinstance(leaf, Posterior)
            for test in self._tests_of(leaf, rule.do in OF_ARMS)
            for edge in self._edges(test, leaf)
            if not self._is(test, "beta_binomial")
        ]
        self.further_margins = tuple(dict.fromkeys(asked))

    def decide(self, view: LookView, memory: Memory) -> tuple[Decision, Memory]:
        """Return what the rules say of every replicate."""
        size = len(view.replicate)
        self_decided = _Decided(size, len(self._tests), view.open_arms.copy(), len(self.quantities))
        going = ~self._refused(view, self_decided)
        while going.any():
            going = self._weigh(view, self_decided, going)
        return self._conclude(view, self_decided), memory

    def weighs(self, looks: int) -> Bools:
        """Return at which looks the posterior of each test is weighed, ``[look, test]``: all of them at the last."""
        found = np.zeros((looks, len(self._tests)), dtype=bool)
        found[-1] = True
        for rule in self.rules:
            at = [look - 1 for look in rule.looks or range(1, looks + 1) if look <= looks]
            for leaf in leaves(rule.when):
                if isinstance(leaf, Utility):
                    found[np.ix_(at, self._numbers(tuple(leaf.weights)))] = True
                if isinstance(leaf, Posterior):
                    of_arms = rule.do in OF_ARMS and leaf.test is None
                    found[np.ix_(at, self._numbers(None if of_arms else (leaf.test or self._tests[0],)))] = (
                        True
                    )
        return found

    def _refused(self, view: LookView, found: _Decided) -> Bools:
        """Stop the trials of which an analysis that is needed now may not be decided on, and return which."""
        asked = self.weighs(int(view.look.max(initial=0)) + 2)[view.look] | view.is_last[:, None]
        refused = (
            np.isin(view.status, [int(each) for each in REFUSALS]) & asked & ~(view.rejected | view.futile)
        )
        stops = any_of(refused)
        found.reason[stops] = int(Stop.NO_ANALYSIS)
        return stops

    def _weigh(self, view: LookView, found: _Decided, going: Bools) -> Bools:
        """Weigh all rules once; return in which replicates arms were dropped, so that they must be weighed again."""
        weighing = _Weighing(self, view, found)
        again = np.zeros_like(going)
        for number, rule in enumerate(self.rules, 1):
            here = going & (found.rule_stops == 0) & ~again
            if rule.looks is not None:
                here &= np.isin(view.look + 1, rule.looks)
            if not here.any():
                continue
            holds = weighing.holds(rule.when, rule.do in OF_ARMS, here)
            if rule.do in OF_ARMS:
                each = (holds if holds.ndim == 2 else holds[:, None]) & found.open_arms & here[:, None]
                if rule.do == "drop_arms":
                    again |= found.drop(each, number)
                    continue
                self._best_wins(view, found, each, number)
                continue
            fires = holds & here
            found.stop(fires, number, rule.do)
            if rule.do == "stop_for_success":
                tests = self._numbers(rule.tests)
                for test in tests:
                    found.reject[:, test] |= fires
        return again

    def _best_wins(self, view: LookView, found: _Decided, each: Bools, number: int) -> None:
        """Stop where an arm is superior to all others, and reject what it was tested for against the control."""
        fires = any_of(each)
        found.stop(fires, number, "stop_for_superiority")
        for test, (treatment, _) in enumerate(view.test_arms):
            if self._probabilities.tests[test].adverse_events is None:
                found.reject[:, test] |= each[:, treatment] & fires

    def _conclude(self, view: LookView, found: _Decided) -> Decision:
        """Return the decision that follows; at the last look every test that is not decided is judged."""
        undecided = ~(view.rejected | view.futile)
        judged = view.is_last & (found.rule_stops == 0) & (found.reason != int(Stop.NO_ANALYSIS))
        passes = (view.status == _OK) & (view.z >= view.efficacy_z)
        reject = (found.reject | (passes & judged[:, None])) & undecided
        stop = (found.reason != 0) | view.is_last
        rejected = view.rejected | reject
        at_end = np.where(any_of(rejected), np.int8(Stop.EFFICACY), np.int8(Stop.FINAL))
        reason = np.where(found.reason != 0, found.reason, np.where(view.is_last, at_end, np.int8(0)))
        gone = ~found.open_arms
        left = np.zeros_like(undecided)
        for test, (treatment, _) in enumerate(view.test_arms):
            left[:, test] = gone[:, treatment] & view.open_arms[:, treatment]
        ends = np.isin(found.reason, (int(Stop.FUTILITY), int(Stop.SAFETY)))[:, None]
        return Decision(
            stop=stop,
            reason=reason.astype(np.int8),
            reject=reject,
            futile=(ends | (left & ~stop[:, None])) & undecided & ~reject,
            open_arms=np.where(stop[:, None], view.open_arms, found.open_arms),
            close_enrolment=found.close & ~stop,
            trace=found.trace,
            rule=found.rule,
        )

    def _numbers(self, names: tuple[str, ...] | None) -> list[int]:
        """Return the numbers of some tests; all where none are named."""
        return [self._tests.index(name) for name in names or self._tests]

    def of_arm(self, arm: int) -> int | None:
        """Return the first test whose treatment an arm is."""
        for number, test in enumerate(self._probabilities.tests):
            if test.treatment == arm:
                return number
        return None

    def _posterior(self, view: LookView, test: int, leaf: Posterior) -> Floats:
        """Return the probability of a benefit, or that two arms differ by less than a width."""
        if leaf.within is None:
            return self._probabilities.posterior(view, test, leaf.beyond)
        above = [self._probabilities.posterior(view, test, edge) for edge in self._edges(test, leaf)]
        return np.abs(above[0] - above[1])

    def _edges(self, test: int, leaf: Posterior) -> tuple[float, ...]:
        """Return the effects that a condition asks about besides the test's own margin."""
        if leaf.within is None:
            return () if leaf.beyond is None else (leaf.beyond,)
        by_ratio = "margin_ratio" in self._probabilities.tests[test].options
        return (1.0 / leaf.within if by_ratio else -leaf.within, leaf.within)

    def _tests_of(self, leaf: Posterior, by_arm: bool) -> list[int]:
        """Return the tests whose posterior probability a condition asks for."""
        if by_arm and leaf.test is None:
            found = [self.of_arm(arm) for arm in range(len(self._arms))]
            return [test for test in found if test is not None]
        return self._numbers((leaf.test or self._tests[0],))

    def _name_of(self, test: int) -> str:
        """Return the name of a test's analysis."""
        return self._probabilities.tests[test].analysis.name

    def _is(self, test: int, analysis: str) -> bool:
        """Return whether a test is analysed by a named analysis."""
        return self._name_of(test) == analysis

    def test_of(self, leaf: Posterior, name: str) -> int:
        """Return the number of the test whose posterior probability has a name, as :meth:`names_of` gives it."""
        if leaf.test is None and name.removeprefix("posterior ") in self._arms:
            return self.of_arm(self._arms.index(name.removeprefix("posterior "))) or 0
        return self._numbers((leaf.test or self._tests[0],))[0]

    def model_of(self, test: int) -> Any:
        """Return the model of a test's analysis; None of the beta-binomial one, which has none of its own."""
        return getattr(self._probabilities.tests[test].analysis, "model", None)

    def kind_of(self, leaf: Limited, name: str) -> str:
        """Return how a probability is known: ``exact``, ``approximate`` or ``sampled``."""
        if isinstance(leaf, Posterior):
            return str(getattr(self.model_of(self.test_of(leaf, name)), "kind", "exact"))
        imputed = isinstance(leaf, Predictive) and set(self._numbers(leaf.tests)) & set(self.imputed_tests)
        return "sampled" if imputed else "exact"

    def largest_error(self, leaf: Predictive) -> float:
        """Return the largest error of a predictive probability that is not sampled."""
        return max(error_of_prediction(self._name_of(test)) for test in self._numbers(leaf.tests))

    def _names(self, rule: DecisionRule) -> list[str]:
        """Return the names of the probabilities that a rule weighs, and of the errors of those that are sampled."""
        found = []
        for leaf in leaves(rule.when):
            for name in self.names_of(leaf, rule.do in OF_ARMS):
                found.append(name)
                if self.imputed_or_sampled(leaf, name):
                    found.append(error_of(name))
        return found

    def imputed_or_sampled(self, leaf: Limited, name: str) -> bool:
        """Return whether a probability has a Monte Carlo error, which the trace keeps."""
        if isinstance(leaf, Predictive):
            return any(self._name_of(test) in IMPUTED for test in self._numbers(leaf.tests))
        return self.kind_of(leaf, name) == "sampled"

    def error(self, leaf: Limited, name: str, view: LookView) -> Floats:
        """Return the Monte Carlo error of a probability, ``[replicate]``."""
        if isinstance(leaf, Posterior):
            assert view.error is not None
            return view.error[:, self.test_of(leaf, name)]
        assert isinstance(leaf, Predictive)
        maximum, square, product = (
            leaf.at == "maximum",
            np.zeros(len(view.replicate)),
            np.ones(len(view.replicate)),
        )
        for test in self._numbers(leaf.tests):
            share = self._probabilities.predictive(view, test, maximum)
            square += (
                self._probabilities.predictive_error(view, test, maximum) / np.maximum(share, 1e-300)
            ) ** 2
            product *= share
        return np.where(view.is_last, np.nan, product * np.sqrt(square))

    def names_of(self, leaf: Limited, by_arm: bool) -> list[str]:
        """Return the names of the probabilities of a condition: one, or one for each arm."""
        if isinstance(leaf, Posterior):
            beyond = "" if leaf.beyond is None else f" beyond {leaf.beyond:g}"
            beyond += "" if leaf.within is None else f" within {leaf.within:g}"
            if by_arm and leaf.test is None:
                return [f"posterior {arm}{beyond}" for arm in self._arms]
            return [f"posterior {leaf.test or self._tests[0]}{beyond}"]
        if isinstance(leaf, Predictive):
            return [f"predictive {'+'.join(leaf.tests or self._tests)} at {leaf.at}"]
        if isinstance(leaf, Equivalent):
            return [f"equivalent within {leaf.within:g}"]
        if isinstance(leaf, Utility):
            parts = (f"{weight:g} {test}" for test, weight in leaf.weights.items())
            return [f"utility {' + '.join(parts)}"]
        assert isinstance(leaf, Best)
        return [f"best {arm}" for arm in ([leaf.arm] if leaf.arm else self._arms)]

    def value(self, leaf: Limited, by_arm: bool, view: LookView, open_arms: Bools) -> Floats:
        """Return the probability that a condition compares, ``[replicate]`` or ``[replicate, arm]``."""
        asked = self._probabilities
        if isinstance(leaf, Posterior):
            if by_arm and leaf.test is None:
                found = np.full(open_arms.shape, np.nan)
                for arm in range(open_arms.shape[1]):
                    test = self.of_arm(arm)
                    if test is not None:
                        found[:, arm] = self._posterior(view, test, leaf)
                return found
            return self._posterior(view, self._numbers((leaf.test or self._tests[0],))[0], leaf)
        if isinstance(leaf, Predictive):
            product = np.ones(len(open_arms))
            for test in self._numbers(leaf.tests):
                product *= asked.predictive(view, test, leaf.at == "maximum")
            return np.where(view.is_last, np.nan, product)
        if isinstance(leaf, Equivalent):
            return asked.equivalent(view, open_arms, leaf.within)
        if isinstance(leaf, Utility):
            return asked.utility(
                view, dict(zip(self._numbers(tuple(leaf.weights)), leaf.weights.values(), strict=True))
            )
        assert isinstance(leaf, Best)
        best = asked.best(view, open_arms)
        return best[:, self._arms.index(leaf.arm)] if leaf.arm else best


def error_of(name: str) -> str:
    """Return the name under which the trace keeps the error of a probability."""
    return f"error of {name}"


class _Decided:
    """What has been decided so far at a look, arrays over its replicates."""

    def __init__(self, size: int, tests: int, open_arms: Bools, quantities: int) -> None:
        self.reason = np.zeros(size, dtype=np.int8)
        self.rule = np.zeros(size, dtype=np.int16)
        self.rule_stops = np.zeros(size, dtype=np.int16)
        self.close = np.zeros(size, dtype=bool)
        self.reject = np.zeros((size, tests), dtype=bool)
        self.open_arms = open_arms
        self.trace = np.full((size, quantities), np.nan)

    def stop(self, fires: Bools, number: int, action: str) -> None:
        """Stop the trial, or its enrolment, where a rule holds."""
        self.rule[fires] = number
        self.rule_stops[fires] = number
        if action == "stop_accrual":
            self.close[fires] = True
        else:
            self.reason[fires] = int(_REASONS[action])

    def drop(self, each: Bools, number: int) -> Bools:
        """Close arms, but never the last one; return where any was closed."""
        left = self.open_arms & ~each
        kept = any_of(left)
        closes = any_of(each) & kept
        self.open_arms[closes] = left[closes]
        self.rule[closes] = number
        return closes


class _Weighing:
    """One round of weighing: each probability is computed once."""

    def __init__(self, rules: DecisionRules, view: LookView, found: _Decided) -> None:
        self._rules, self._view, self._found = rules, view, found
        self._known: dict[tuple[str, ...], Floats] = {}

    def holds(self, condition: Condition, by_arm: bool, here: Bools) -> Bools:
        """Return where a condition holds, ``[replicate]`` or ``[replicate, arm]``; NaN never passes a threshold."""
        if condition.children:
            each = [self.holds(child, by_arm, here) for child in condition.children]
            if any(one.ndim == 2 for one in each):
                each = [one if one.ndim == 2 else one[:, None] for one in each]
            joined = each[0]
            for other in each[1:]:
                joined = joined | other if condition.any_of else joined & other
            return joined
        leaf = condition.leaf
        assert leaf is not None
        value = self._value(leaf, by_arm)
        self._leave_trace(leaf, by_arm, value, here)
        threshold = leaf.above if leaf.above is not None else leaf.below
        limit = np.asarray(
            np.array([*threshold, np.nan])[self._view.look] if isinstance(threshold, tuple) else threshold
        )
        if limit.ndim and value.ndim == 2:
            limit = limit[:, None]
        passes: Bools = value > limit if leaf.above is not None else value < limit
        return passes

    def _value(self, leaf: Limited, by_arm: bool) -> Floats:
        """Return the probability of a condition."""
        names = tuple(self._rules.names_of(leaf, by_arm))
        if names not in self._known:
            self._known[names] = self._rules.value(leaf, by_arm, self._view, self._found.open_arms)
        return self._known[names]

    def _leave_trace(self, leaf: Limited, by_arm: bool, value: Floats, here: Bools) -> None:
        """Keep what was weighed, in the replicates in which its rule was."""
        shown = value if value.ndim == 2 else value[:, None]
        for place, name in enumerate(self._rules.names_of(leaf, by_arm)):
            column = self._rules.quantities.index(name)
            self._found.trace[here, column] = shown[here, place]
            if self._rules.imputed_or_sampled(leaf, name):
                column = self._rules.quantities.index(error_of(name))
                self._found.trace[here, column] = self._rules.error(leaf, name, self._view)[here]
