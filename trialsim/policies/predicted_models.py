"""The predictive probability of success of tests that are analysed by models other than the beta-binomial."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.contracts import Floats, Ints, LookView, TestPlan
from trialsim.scenario.decisions import BY_LAW
from trialsim.stats.bayes import predictive, predictive_means
from trialsim.stats.bayes.good_outcomes import as_benefit, benefit_margin
from trialsim.stats.bayes.predictive_means import UnknownVariances, predictive_known_variance
from trialsim.stats.bayes.predictive_robust import RobustPredictive

HERE = ("robust_beta_binomial", *BY_LAW)
"""Models whose success is predicted here."""

ERRORS = {"normal_unknown_variance": predictive_means.ERROR}
"""Largest error of each predictive probability, where it is not that of sums."""


def error_of_prediction(analysis: str) -> float:
    """Return the largest error of a predictive probability, given the criterion of success."""
    return ERRORS.get(analysis, predictive.ERROR)


class PredictedModels:
    """Predictive probabilities of the tests of a design.

    Parameters
    ----------
    tests
        In order.
    thresholds
        Posterior probability above which each succeeds at the last look.
    """

    def __init__(self, tests: tuple[TestPlan, ...], thresholds: tuple[float, ...]) -> None:
        self._tests, self._thresholds = tests, thresholds
        self._kept: dict[int, Any] = {}

    def __call__(self, view: LookView, test: int, further: Ints) -> Floats:
        """Return the probability that a test will succeed, ``[replicate]``.

        Parameters
        ----------
        view
            What is seen.
        test
            Its number.
        further
            Patients still to be read out, control first, ``[replicate, 2]``.
        """
        assert view.seen is not None
        plan, threshold = self._tests[test], self._thresholds[test]
        options, arms = plan.options, [plan.control, plan.treatment]
        n = np.ascontiguousarray(view.seen.readouts[:, test][:, arms])
        margin = benefit_margin(options, plan.lower_is_better)
        if plan.analysis.name == "robust_beta_binomial":
            total = np.rint(view.seen.total[:, test][:, arms]).astype(np.int64)
            if test not in self._kept:
                self._kept[test] = _robust(plan, margin, threshold)
            found: Floats = self._kept[test](as_benefit(total, n, plan.lower_is_better), n, further)
            return found
        laws = view.seen.laws[test].copy()
        if plan.lower_is_better:
            laws[..., 0] = -laws[..., 0]
        if plan.analysis.name == "normal_known_variance":
            return predictive_known_variance(laws, further, float(options["sd"]), margin, threshold)
        if test not in self._kept:
            self._kept[test] = UnknownVariances(float(options["prior_worth"]), margin, threshold)
        found = self._kept[test](laws, n, further)
        return found


def _robust(plan: TestPlan, margin: float, threshold: float) -> RobustPredictive:
    """Return what predicts the success of a test whose control has a robust mixture prior."""
    options, turn = plan.options, -1 if plan.lower_is_better else 1
    weight = float(options["robust_weight"])
    informative = (float(options["control_a"]), float(options["control_b"]))[::turn]
    vague = (float(options["vague_a"]), float(options["vague_b"]))[::turn]
    parts = np.array([(1.0 - weight, *informative), (weight, *vague)])
    return RobustPredictive(parts, (vague[0], vague[1]), margin, threshold)
