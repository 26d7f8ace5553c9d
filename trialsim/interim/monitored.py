"""What each analysis of a real trial's look is told in, and what its information may be counted in."""

from __future__ import annotations

import math
from dataclasses import dataclass

UNITS = ("information", "events", "patients")
READ_OUT = ("information", "patients")
ALONE = ("information",)


@dataclass(frozen=True)
class Monitored:
    """An analysis whose increments between looks are independent, exactly or nearly.

    Parameters
    ----------
    scale
        What its effect is called.
    units
        What may be counted as its information.
    ratio
        Whether the effect is the logarithm of a ratio.
    of_survival
        Whether more of the effect is more survival, hence a benefit where fewer events are.
    most
        The largest size that the effect can have.
    """

    scale: str
    units: tuple[str, ...]
    ratio: bool = False
    of_survival: bool = False
    most: float = math.inf


_MEANS = "difference in means"
_PROPORTIONS = "difference in proportions"

MONITORED = {
    "logrank": Monitored("hazard ratio", UNITS, ratio=True),
    "cox": Monitored("hazard ratio", UNITS, ratio=True),
    "fleming_harrington": Monitored("weighted hazard ratio", ALONE, ratio=True),
    "restricted_mean": Monitored("difference in restricted means, days", ALONE, of_survival=True),
    "milestone": Monitored("difference in survival", ALONE, of_survival=True, most=1.0),
    "t_test": Monitored(_MEANS, READ_OUT),
    "welch": Monitored(_MEANS, READ_OUT),
    "z_test": Monitored(_MEANS, READ_OUT),
    "ancova": Monitored(_MEANS, READ_OUT),
    "procova": Monitored(_MEANS, READ_OUT),
    "score_test": Monitored(_PROPORTIONS, READ_OUT, most=1.0),
    "fisher": Monitored(_PROPORTIONS, READ_OUT, most=1.0),
    "miettinen_nurminen": Monitored(_PROPORTIONS, READ_OUT, most=1.0),
    "cochran_mantel_haenszel": Monitored(_PROPORTIONS, READ_OUT, most=1.0),
    "logistic": Monitored("odds ratio", READ_OUT, ratio=True),
}

OTHERWISE_COUNTED = {
    "fleming_harrington": "the information of a weighted test is the variance of its score, not the fraction of events or "
    "patients: give it as trialsim samplesize survival --test works it out",
    "restricted_mean": "the information of restricted means is 1 / variance of their difference, which does not grow with "
    "events or patients alone",
    "milestone": "the information of a milestone is 1 / variance of the difference in survival, which does not grow with "
    "events or patients alone",
}
"""Why some take neither events nor patients for their information."""

NOT_MONITORED = {
    "rerandomised_logrank": "it draws allocations again by a design's rule, which the data do not hold",
    "rerandomised_means": "it draws allocations again by a design's rule, which the data do not hold",
    "rerandomised_proportions": "it draws allocations again by a design's rule, which the data do not hold",
    "cmh_by_period": "it needs the periods of an adaptive allocation; cochran_mantel_haenszel takes them as strata",
    "inverse_probability_weighted": "it needs each patient's probability of allocation, which the data do not hold",
}
"""Why other tests cannot be had from a table of patients."""
