"""Binary outcomes: a logistic model, decided by comparing the patient's random word with an integer threshold."""

from __future__ import annotations

import numpy as np

from trialsim.compiled import inline, kernel
from trialsim.elementary import natural_exp

_SHIFT12 = np.uint64(12)


@inline
def response_threshold(probability: float) -> int:
    """Return how many of the 2**52 uniforms lie below ``probability``, so that P(response) is exact to 2**-53."""
    return np.uint64(np.int64(np.ceil(min(max(probability, 0.0), 1.0) * 4503599627370496.0 - 0.5)))


@inline
def responds(bits: int, threshold: int) -> bool:
    """Return whether a patient with random word ``bits`` responds."""
    # Both lie below 2**63, and vector units compare signed numbers.
    return np.int64(bits >> _SHIFT12) < np.int64(threshold)


@kernel
def response_probability(logit: float, drift: float, on_probability: bool) -> float:
    """Return the probability of response.

    Parameters
    ----------
    logit
        Intercept of the arm plus the linear predictor.
    drift
        Calendar drift at the patient's entry.
    on_probability
        Whether the drift is added to the probability (cut to [0, 1]) instead of the logit.

    Returns
    -------
    float
        In [0, 1].
    """
    if on_probability:
        return min(max(1.0 / (1.0 + natural_exp(-logit)) + drift, 0.0), 1.0)
    return 1.0 / (1.0 + natural_exp(-(logit + drift)))


@kernel
def response_thresholds(main, modifier, drift, on_probability, intercepts, out):  # type: ignore[no-untyped-def]
    """Fill ``out[row, arm]`` (uint64) with the threshold of each patient in each arm."""
    for i in range(len(main)):
        for a in range(len(intercepts)):
            logit = intercepts[a] + main[i]
            if a > 0:
                logit += modifier[i]
            out[i, a] = response_threshold(response_probability(logit, drift[i], on_probability))


@kernel
def fill_responses(words, thresholds, first, last, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (int8) with 1 for patients who respond and 0 for those who do not, of ``first`` to ``last - 1``.

    ``thresholds`` are those of each patient in the own arm, ``[patient]``.
    """
    # Slices that begin at zero spare the test for negative indices, which would keep the loop from vectorising.
    words = words[first:last]
    thresholds = thresholds[first:last]
    out = out[first:last]
    for i in range(last - first):
        out[i] = responds(words[i], thresholds[i])
