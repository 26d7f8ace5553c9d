"""The worst grade of each patient's adverse events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.arms import difference_of_arms
from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import no_interval, posterior_of
from trialsim.contracts import DataCut, Floats, Posterior
from trialsim.errors import Problem, ScenarioError
from trialsim.stats.bayes.dirichlet_multinomial import at_least, grade_counts
from trialsim.stats.bayes.families import Family


class DirichletMultinomial:
    """Difference of the probabilities of a worst grade or a higher one, grades having a Dirichlet prior."""

    name = "dirichlet_multinomial"
    endpoint_kinds = ("ordinal",)
    estimand = "difference_in_proportions"
    reference = "Gelman et al. 2013, section 3.4; grades of adverse events: Thall and Russell 1998"
    kind = "exact"
    accuracy = "quadrature to 1e-9"
    prior: Mapping[str, str] = {
        "prior_alpha": "the Dirichlet prior's parameters, patients that each category is worth, from grade 0 on",
        "grade": "lowest grade that counts",
        "margin": "difference of probabilities by which treatment has to be better",
        "limit": "probability with which treatment's alone is compared; 0: control's is",
    }
    defaults: Mapping[str, Any] = {"prior_alpha": [1 / 6] * 6, "grade": 3, "margin": 0.0, "limit": 0.0}

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate; a patient's ``value`` is the worst grade, 0 for none."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        alpha = np.array(chosen["prior_alpha"], dtype=np.float64)
        rows, last = cut.patients(), len(alpha) - 1
        problems = []
        if not 1 <= chosen["grade"] <= last:
            problems.append(
                Problem("grade", f"{chosen['grade']} is not one of the grades 1 to {last} of prior_alpha")
            )
        if len(rows.value) and not (np.isin(rows.value, np.arange(last + 1))).all():
            problems.append(
                Problem("prior_alpha", f"the data hold grades other than 0 to {last}; give as many numbers")
            )
        if problems:
            raise ScenarioError(problems, "The options of dirichlet_multinomial")
        parameters = at_least(alpha + grade_counts(rows, len(alpha)), int(chosen["grade"]))
        if chosen["limit"] > 0.0:
            return _against_a_rate(
                parameters[:, 1], chosen["limit"], chosen["margin"], lower_is_better, level
            )
        return difference_of_arms(Family.BETA, parameters, chosen["margin"], lower_is_better, level, [])


def _against_a_rate(
    treatment: Floats, limit: float, margin: float, lower_is_better: bool, level: float | None
) -> Posterior:
    """Return the posterior of treatment's probability, ``[replicate, 3]``, less a limit."""
    from scipy.special import betainc, betaincinv

    a, b = treatment[:, 0], treatment[:, 1]
    edge = np.clip(limit - margin if lower_is_better else limit + margin, 0.0, 1.0)
    below = betainc(a, b, edge)
    whole = a + b
    mean, sd = a / whole - limit, np.sqrt(a * b / (whole + 1.0)) / whole
    interval = no_interval(len(mean))
    if level is not None:
        tails = 0.5 * (1.0 - level), 0.5 * (1.0 + level)
        interval = (betaincinv(a, b, tails[0]) - limit, betaincinv(a, b, tails[1]) - limit)
    return posterior_of("exact", below if lower_is_better else 1.0 - below, mean, sd, interval, 0.0, [])
