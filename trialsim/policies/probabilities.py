"""The posterior and predictive probabilities that decision rules weigh, for a batch of replicates at a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from trialsim.contracts import Bools, Floats, Ints, LookView, Status, TestPlan
from trialsim.policies.predicted_models import HERE, PredictedModels
from trialsim.scenario.decisions import IMPUTED
from trialsim.stats.bayes.beta_binomial import posterior_above, posterior_differences
from trialsim.stats.bayes.close_arms import probabilities_within
from trialsim.stats.bayes.families import Family
from trialsim.stats.bayes.good_outcomes import as_benefit, benefit_margin, beta_priors, reference_rate
from trialsim.stats.bayes.imputation import CompletedEvents
from trialsim.stats.bayes.independent import probability_best, probability_close
from trialsim.stats.bayes.predictive import least_on_treatment, predictive_of_one, predictive_of_two
from trialsim.stats.bayes.who_is_best import BestArms

_MOST_TABLES = 4096


class Probabilities:
    """What a design's tests make of the outcomes seen.

    Parameters
    ----------
    tests
        The tests: beta-binomial ones are computed here, of other models the posterior comes with the look.
    thresholds
        Posterior probability above which each succeeds at the last look.
    n
        Patients at most.
    ratio
        Shares by arm.
    balanced
        Whether allocation keeps arms near their shares of all patients to the end.
    """

    def __init__(
        self, tests: Sequence[TestPlan], thresholds: Sequence[float], n: int, ratio: Ints, balanced: bool
    ) -> None:
        self.tests, self._thresholds, self._n, self._balanced = tuple(tests), tuple(thresholds), n, balanced
        self._share = ratio / ratio.sum()
        self._borders: dict[tuple[int, int, int], Ints] = {}
        self._completed: tuple[LookView, dict[int, CompletedEvents | Floats]] | None = None
        self._predicted = PredictedModels(self.tests, tuple(thresholds))

    def posterior(self, view: LookView, test: int, beyond: float | None) -> Floats:
        """Return the probability that a test's treatment is better than its margin, or than ``beyond`` in its place."""
        plan = self.tests[test]
        if plan.analysis.name != "beta_binomial":
            if beyond is not None:
                return view.beyond[test, beyond]
            return np.asarray(np.where(view.status[:, test] == int(Status.OK), ndtr(view.z[:, test]), np.nan))
        options = plan.options if beyond is None else {**plan.options, "margin": beyond}
        margin, prior = (
            benefit_margin(options, plan.lower_is_better),
            beta_priors(options, plan.lower_is_better),
        )
        good, n, _ = self._pair(view, test)
        found = np.empty(len(n))
        if plan.options["rate"] is not None:
            posterior_above(
                good[:, 1].copy(), n[:, 1].copy(), self._least(plan, margin), prior[1, 0], prior[1, 1], found
            )
        else:
            posterior_differences(good, n, margin, prior, found)
        return found

    def predictive(self, view: LookView, test: int, maximum: bool) -> Floats:
        """Return the probability that a test will succeed: of patients enrolled, or of all that may be.

        Patients not read out yet are counted as they stand: those lost are not, those followed are taken to be read out.
        """
        plan = self.tests[test]
        options = plan.options
        if plan.analysis.name in IMPUTED:
            return self._by_follow_up(view, test, maximum)
        good, n, pending = self._pair(view, test)
        further = pending.copy()
        if maximum:
            further += self._to_come(view, test)
        if plan.analysis.name in HERE:
            return self._predicted(view, test, further)
        prior, margin = (
            beta_priors(options, plan.lower_is_better),
            benefit_margin(options, plan.lower_is_better),
        )
        found = np.empty(len(n))
        if options["rate"] is not None:
            on_arm = [np.ascontiguousarray(array[:, 1]) for array in (good, n, further)]
            a, b, threshold = prior[1, 0], prior[1, 1], self._thresholds[test]
            predictive_of_one(
                on_arm[0], on_arm[1], on_arm[2], self._least(plan, margin), a, b, threshold, found
            )
            return found
        borders, starts = self._tables(n + further, test, margin, prior)
        predictive_of_two(good, n, further, prior, borders, starts, found)
        return found

    def predictive_error(self, view: LookView, test: int, maximum: bool) -> Floats:
        """Return the Monte Carlo error of a predictive probability: 0 where it is a sum."""
        plan = self.tests[test]
        if plan.analysis.name not in IMPUTED:
            return np.zeros(len(view.replicate))
        share = self.predictive(view, test, maximum)
        return np.asarray(np.sqrt(share * (1.0 - share) / plan.analysis.draws(plan.options)))  # type: ignore[attr-defined]

    def _by_follow_up(self, view: LookView, test: int, maximum: bool) -> Floats:
        """Return the share of data sets, completed from each patient's follow-up, in which a test succeeds."""
        plan = self.tests[test]
        if self._completed is None or self._completed[0] is not view:
            self._completed = (view, {})
        known = self._completed[1]
        if test not in known:
            assert view.seen is not None
            of_all = view.seen.completes[test](self._to_come(view, test))
            if not isinstance(of_all, CompletedEvents):
                of_all = np.asarray((of_all > self._thresholds[test]).mean(axis=2))
            known[test] = of_all
        found = known[test]
        if not isinstance(found, CompletedEvents):
            return np.asarray(found[int(maximum)])
        further, sizes = (found.later, found.largest) if maximum else (found.now, found.enrolled)
        good = found.events[:, :, None] + further
        if plan.lower_is_better:
            good = sizes[:, :, None] - good
        prior = beta_priors(plan.options, plan.lower_is_better)
        borders, starts = self._tables(sizes, test, benefit_margin(plan.options, plan.lower_is_better), prior)
        wanted = borders[starts[:, None] + good[:, 0]]
        return np.asarray((good[:, 1] >= wanted).mean(axis=1))

    def best(self, view: LookView, open_arms: Bools) -> Floats:
        """Return the probability that each open arm is the best on the first endpoint, ``[replicate, arm]``."""
        if (laws := self._arm_laws(view)) is not None:
            family, parameters, unknown = laws
            higher = not self.tests[0].lower_is_better
            of_laws = probability_best(family, parameters, higher, open_arms)[0]
            return np.where(unknown[:, None], np.nan, of_laws)
        good, n, prior = self._every_arm(view)
        asked = view.best_arms or BestArms()
        return asked(view.replicate, good, n, open_arms, (float(prior[0]), float(prior[1])))

    def equivalent(self, view: LookView, open_arms: Bools, within: float) -> Floats:
        """Return the probability that all open arms lie within a width of each other, ``[replicate]``."""
        if (laws := self._arm_laws(view)) is not None:
            family, parameters, unknown = laws
            of_laws = probability_close(family, parameters, within, family == Family.GAMMA, open_arms)[0]
            return np.where(unknown, np.nan, of_laws)
        good, n, prior = self._every_arm(view)
        found = np.empty(len(n))
        probabilities_within(good, n, open_arms, prior[0], prior[1], within, found)
        return found

    def _arm_laws(self, view: LookView) -> tuple[Family, Floats, Bools] | None:
        """Return family and parameters of every arm's posterior, and where one is improper; None for response rates."""
        if self.tests[0].analysis.name == "beta_binomial":
            return None
        assert view.seen is not None
        assert view.seen.arm_laws is not None
        family, parameters = view.seen.arm_laws
        unknown = np.asarray(~np.isfinite(parameters).all(axis=(1, 2)), dtype=np.bool_)
        return Family(family), np.where(unknown[:, None, None], np.ones(3), parameters), unknown

    def utility(self, view: LookView, weights: Mapping[int, float]) -> Floats:
        """Return the expected utility: posterior mean benefits of tests times their weights, ``[replicate]``."""
        total = np.zeros(len(view.replicate))
        for test, weight in weights.items():
            plan = self.tests[test]
            falls = plan.lower_is_better != (plan.analysis.estimand == "difference_in_survival")
            benefit = -view.effect[:, test] if falls else view.effect[:, test]
            total += weight * np.where(view.status[:, test] == int(Status.OK), benefit, np.nan)
        return total

    def _least(self, plan: TestPlan, margin: float) -> float:
        """Return the rate of good outcomes that a single arm must be better than."""
        return reference_rate(plan.options, plan.lower_is_better) + margin

    def _pair(self, view: LookView, test: int) -> tuple[Ints, Ints, Ints]:
        """Return good outcomes, patients read out and pending ones of a test's arms, control first, ``[replicate, 2]``."""
        assert view.seen is not None
        plan = self.tests[test]
        arms = [plan.control, plan.treatment]
        n = np.ascontiguousarray(view.seen.readouts[:, test][:, arms])
        total = np.rint(view.seen.total[:, test][:, arms]).astype(np.int64)
        return (
            as_benefit(total, n, plan.lower_is_better),
            n,
            np.ascontiguousarray(view.seen.pending[:, test][:, arms]),
        )

    def _every_arm(self, view: LookView) -> tuple[Ints, Ints, NDArray[np.float64]]:
        """Return good outcomes and patients of every arm on the first test's endpoint, and the shapes of their prior."""
        assert view.seen is not None
        plan = self.tests[0]
        n = np.ascontiguousarray(view.seen.readouts[:, 0])
        total = np.rint(view.seen.total[:, 0]).astype(np.int64)
        prior = beta_priors(plan.options, plan.lower_is_better)[1]
        return as_benefit(total, n, plan.lower_is_better), n, prior

    def _to_come(self, view: LookView, test: int) -> Ints:
        """Return how many patients more the arms of a test will have if enrolment goes on to the end, control first."""
        plan, enrolled = self.tests[test], view.arm_enrolled
        left = np.maximum(self._n - enrolled.sum(axis=1, keepdims=True), 0)
        open_share = self._share * view.open_arms
        open_share = open_share / open_share.sum(axis=1, keepdims=True)
        # Once an arm is closed, blocks of the others begin anew.
        balanced = self._balanced & view.open_arms.all(axis=1, keepdims=True)
        aims = np.where(balanced, self._n * self._share, enrolled + left * open_share)
        wanted = np.maximum(np.rint(aims).astype(np.int64) - enrolled, 0)
        # What rounding leaves over goes to the first open arms, what it gives too much comes off the last.
        over = left[:, 0] - wanted.sum(axis=1)
        for arm in range(wanted.shape[1]):
            more = np.where(view.open_arms[:, arm], np.clip(over, 0, 1), 0)
            wanted[:, arm] += more
            over = over - more
        for arm in range(wanted.shape[1] - 1, -1, -1):
            less = np.minimum(np.maximum(-over, 0), wanted[:, arm])
            wanted[:, arm] -= less
            over = over + less
        return np.ascontiguousarray(wanted[:, [plan.control, plan.treatment]])

    def _tables(self, sizes: Ints, test: int, margin: float, prior: Floats) -> tuple[Ints, Ints]:
        """Return the borders of success for the sizes of the arms in each replicate, and where each begins."""
        wide = int(sizes.max(initial=0)) + 1
        distinct, place = np.unique(sizes[:, 0] * wide + sizes[:, 1], return_inverse=True)
        parts = []
        for code in distinct:
            n0, n1 = int(code // wide), int(code % wide)
            key = (test, n0, n1)
            if key not in self._borders:
                if len(self._borders) >= _MOST_TABLES:
                    self._borders.clear()
                border = np.empty(n0 + 1, dtype=np.int64)
                least_on_treatment(n1, n0, margin, prior, self._thresholds[test], border)
                self._borders[key] = border
            parts.append(self._borders[key])
        begin = np.cumsum([0, *(len(part) for part in parts)])[:-1]
        return np.concatenate(parts), begin[place].astype(np.int64)
