"""Binary outcomes: a logistic model, decided by comparing the patient's random word with an integer threshold."""

from __future__ import annotations

import numpy as np

from trialsim.bit_marks import PATIENTS_A_WORD, bits_before
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
def fill_responses(words, thresholds, first, out):  # type: ignore[no-untyped-def]
    """Fill the bits of ``out`` from patient ``first`` on with 1 for those who respond.

    Parameters
    ----------
    words, thresholds
        Random words, and the thresholds of each patient in the own arm; whole words of patients, those who do not
        exist with the threshold 0, at which nobody responds.
    first
        Patient from whom on to fill.
    out
        uint64 ``[patients / 64]``: patient ``i`` is bit ``i % 64`` of word ``i // 64``.
    """
    # Slices that begin at zero spare the test for negative indices, which would keep the loop from vectorising.
    start = first // PATIENTS_A_WORD
    words = words[start * PATIENTS_A_WORD :]
    thresholds = thresholds[start * PATIENTS_A_WORD :]
    out = out[start:]
    kept = bits_before(first)
    before = out[0] & kept
    for k in range(len(out)):
        bits = np.uint64(0)
        for j in range(PATIENTS_A_WORD):
            i = k * PATIENTS_A_WORD + j
            bits |= np.uint64(responds(words[i], thresholds[i])) << np.uint64(j)
        out[k] = bits
    out[0] = before | (out[0] & ~kept)
