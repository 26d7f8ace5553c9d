"""The worst grade of each patient's adverse events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.arms import difference_of_arms
from trialsim.analyses.bayesian.options import options_of
from trialsim.contracts import DataCut, Posterior
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
    }
    defaults: Mapping[str, Any] = {"prior_alpha": [1 / 6] * 6, "grade": 3, "margin": 0.0}

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
        return difference_of_arms(Family.BETA, parameters, chosen["margin"], lower_is_better, level, [])
