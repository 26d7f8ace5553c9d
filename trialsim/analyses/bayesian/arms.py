"""The difference of two arms whose posteriors are independent and of one family."""

from __future__ import annotations

import numpy as np

from trialsim.analyses.bayesian.outcome import equal_tailed, posterior_of
from trialsim.contracts import Floats, Posterior, Status
from trialsim.stats.bayes.families import Family, mean_and_variance
from trialsim.stats.bayes.independent import probability_exceeds


def difference_of_arms(
    family: Family,
    parameters: Floats,
    margin: float,
    lower_is_better: bool,
    level: float | None,
    failures: list[tuple[Status, object]],
) -> Posterior:
    """Return the posterior of treatment's parameter less control's.

    Parameters
    ----------
    family
        Of both posteriors.
    parameters
        Control's and treatment's, ``[replicate, 2, 3]``; NaN where a failure is named.
    margin
        By how much the difference has to favour treatment.
    lower_is_better
        Whether a smaller parameter is the benefit.
    level
        Of the interval; None leaves it out.
    failures
        Statuses and where they hold.
    """
    usable = np.asarray(np.isfinite(parameters).all(axis=(1, 2)))
    # A replicate without a posterior takes that of another kind: a normal law that nobody will see.
    filled = np.where(usable[:, None, None], parameters, np.ones(3))
    control, treatment = (np.ascontiguousarray(filled[:, arm]) for arm in (0, 1))
    moments = np.array([[mean_and_variance(int(family), p) for p in pair] for pair in filled])
    moments = moments.reshape(-1, 2, 2)
    mean = moments[:, 1, 0] - moments[:, 0, 0]
    sd = np.sqrt(moments[:, :, 1].sum(axis=1))
    if lower_is_better:
        probability, error = probability_exceeds(family, control, treatment, margin)
    else:
        probability, error = probability_exceeds(family, treatment, control, margin)
    centre, spread = mean, sd
    if family == Family.STUDENT:
        centre = treatment[:, 0] - control[:, 0]
        spread = np.hypot(treatment[:, 1], control[:, 1])
    interval = equal_tailed(
        lambda at: probability_exceeds(family, treatment, control, at)[0], centre, spread, level
    )
    return posterior_of("exact", probability, mean, sd, interval, error, failures)
