"""Ordered categories, as the worst grade of a patient's adverse events, with a Dirichlet prior on their probabilities."""

# Compiled functions take arrays that the type checker cannot see into.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Floats, PatientRows
from trialsim.stats.bayes.gamma_sums import probability_positive


@kernel
def _count(offsets, treated, value, counts):
    for r in range(len(offsets) - 1):
        for i in range(offsets[r], offsets[r + 1]):
            counts[r, 1 if treated[i] else 0, int(value[i])] += 1.0


def grade_counts(rows: PatientRows, categories: int) -> Floats:
    """Return how many patients of each arm are in each category, ``[replicate, 2, category]``: control, treatment.

    Parameters
    ----------
    rows
        Patients; ``value`` is the category from 0, the worst grade with 0 for none.
    categories
        How many there are.
    """
    counts = np.zeros((len(rows.offsets) - 1, 2, categories))
    _count(rows.offsets, rows.treated, rows.value, counts)
    return counts


def at_least(posterior: Floats, category: int) -> Floats:
    """Return the beta posterior of the probability of a category or a higher one.

    Parameters
    ----------
    posterior
        Parameters of the Dirichlet posterior: prior and counts added, ``[..., category]``.
    category
        From 1.

    Returns
    -------
    numpy.ndarray
        Parameters of :attr:`Family.BETA <trialsim.stats.bayes.families.Family.BETA>`, ``[..., 3]``.
    """
    upper, lower = posterior[..., category:].sum(axis=-1), posterior[..., :category].sum(axis=-1)
    return np.stack([upper, lower, np.zeros_like(upper)], axis=-1)


def mean_score_moments(posterior: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation of the mean score: of each category's score times its probability.

    Parameters
    ----------
    posterior
        Parameters of the Dirichlet posterior, ``[..., category]``.
    scores
        ``[category]``.
    """
    whole = posterior.sum(axis=-1)
    share = posterior / whole[..., None]
    mean = (share * scores).sum(axis=-1)
    variance = ((share * scores**2).sum(axis=-1) - mean**2) / (whole + 1.0)
    return mean, np.sqrt(np.maximum(variance, 0.0))


@kernel
def _scores_above(posterior, scores, value, out):
    for r in range(len(out)):
        out[r] = probability_positive(scores - value, posterior[r])


def probability_mean_score_exceeds(posterior: Floats, scores: Floats, value: float) -> Floats:
    """Return the probability that the mean score exceeds a value, exact by one contour integral.

    Dirichlet probabilities are gamma variables over their sum, so that the mean score exceeds the value where a sum of
    gamma variables, each times its score less the value, is above 0 (Provost and Cheong, Canadian Journal of
    Statistics 28, 2000, 417-425).

    Parameters
    ----------
    posterior
        Parameters of the Dirichlet posterior, ``[replicate, category]``.
    scores
        ``[category]``.
    value
        The value.
    """
    found = np.empty(len(posterior))
    _scores_above(posterior, np.asarray(scores, dtype=np.float64), float(value), found)
    return found
