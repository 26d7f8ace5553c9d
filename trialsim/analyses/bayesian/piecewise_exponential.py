"""Survival at a time with hazards that are constant in pieces of follow-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trialsim.analyses.bayesian.options import options_of
from trialsim.analyses.bayesian.outcome import equal_tailed, posterior_of
from trialsim.analyses.bayesian.predicted_hazards import (
    FOLLOWED,
    FOLLOWED_DEFAULTS,
    completed_hazards,
    rows_within,
)
from trialsim.analyses.keys import Key
from trialsim.contracts import DataCut, Floats, Ints, PatientRows, Posterior
from trialsim.errors import Problem, ScenarioError
from trialsim.stats.bayes.gamma_exponential import events_and_exposure
from trialsim.stats.bayes.piecewise_exponential import (
    probability_survival_better,
    survival_moments,
    widths_until,
)


class PiecewiseExponential:
    """Difference of survival at a time, each arm's hazard constant in pieces with a gamma prior each."""

    name = "piecewise_exponential"
    endpoint_kinds = ("survival",)
    estimand = "difference_in_survival"
    reference = "Ibrahim, Chen and Sinha 2001, section 3.1; contour integral: Daniels 1954, Trefethen and Weideman 2014"
    kind = "exact"
    accuracy = "quadrature to 1e-9"
    prior: Mapping[str, str] = {
        "at": "days since randomisation at which survival is compared",
        "starts": "days at which pieces begin, the first 0",
        "prior_shape": "shape of every piece's gamma prior, events that it is worth",
        "prior_rate": "its rate, days at risk that it is worth",
        "margin": "difference of survival by which treatment has to be better",
        **FOLLOWED,
    }
    defaults: Mapping[str, Any] = {
        "at": None,
        "starts": [0.0],
        "prior_shape": 0.5,
        "prior_rate": None,
        "margin": 0.0,
        **FOLLOWED_DEFAULTS,
    }

    def posterior(
        self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any], level: float | None = 0.95
    ) -> Posterior:
        """Return the posterior of every replicate; fewer events are more survival, so that lower is better means more."""
        chosen = options_of(self.name, self.prior, self.defaults, options)
        starts = np.array(chosen["starts"], dtype=np.float64)
        _refuse(starts, chosen["at"])
        events, exposure = events_and_exposure(rows_within(cut.patients(), chosen), starts)
        shape, rate = chosen["prior_shape"] + events, chosen["prior_rate"] + exposure
        control, treatment = ((shape[:, arm], rate[:, arm]) for arm in (0, 1))
        widths = widths_until(starts, chosen["at"])
        first, second = survival_moments(*treatment, widths), survival_moments(*control, widths)
        mean, sd = first[0] - second[0], np.hypot(first[1], second[1])
        ours, theirs = (treatment, control) if lower_is_better else (control, treatment)
        probability = probability_survival_better(ours, theirs, widths, chosen["margin"])

        def exceeds(at: Floats) -> Floats:
            each = [
                probability_survival_better(
                    (treatment[0][r : r + 1], treatment[1][r : r + 1]),
                    (control[0][r : r + 1], control[1][r : r + 1]),
                    widths,
                    float(at[r]),
                )[0]
                for r in range(len(at))
            ]
            return np.array(each)

        interval = equal_tailed(exceeds, mean, sd, level)
        return posterior_of("exact", probability, mean, sd, interval, 0.0, [])

    def completed(
        self,
        rows: PatientRows,
        lower_is_better: bool,
        options: Mapping[str, Any],
        keys: Sequence[Key],
        unseen: Ints,
        to_come: Ints,
    ) -> Floats:
        """Return the posterior probability of a benefit in completed data sets, ``[2, replicate, draw]``.

        Parameters
        ----------
        rows, keys, unseen, to_come
            As of :func:`~trialsim.analyses.bayesian.predicted_hazards.completed_hazards`.
        lower_is_better, options
            As of :meth:`posterior`.
        """
        chosen = options_of(self.name, self.prior, self.defaults, options)
        starts = np.array(chosen["starts"], dtype=np.float64)
        shape, rate = completed_hazards(self.name, rows, chosen, starts, keys, unseen, to_come)
        laws = np.stack([shape, rate], axis=-1).reshape(-1, 2, len(starts), 2)
        control, treatment = (
            (np.ascontiguousarray(laws[:, arm, :, 0]), np.ascontiguousarray(laws[:, arm, :, 1]))
            for arm in (0, 1)
        )
        ours, theirs = (treatment, control) if lower_is_better else (control, treatment)
        widths = widths_until(starts, chosen["at"])
        found = probability_survival_better(ours, theirs, widths, chosen["margin"])
        return found.reshape(shape.shape[:3])


def _refuse(starts: Floats, days: float) -> None:
    problems = []
    if starts[0] != 0.0 or (np.diff(starts) <= 0.0).any():
        problems.append(
            Problem("starts", f"{starts.tolist()} does not begin at 0 and rise; write e.g. [0, 90, 180]")
        )
    if not days > 0.0:
        problems.append(Problem("at", f"{days:g} is not above 0 days"))
    if problems:
        raise ScenarioError(problems, "The options of piecewise_exponential")
