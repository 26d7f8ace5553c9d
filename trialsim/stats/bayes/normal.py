"""Normal outcomes with a conjugate prior, the variance known or not."""

from __future__ import annotations

import numpy as np

from trialsim.contracts import Floats, Ints


def posterior_known_variance(n: Ints, mean: Floats, sd: float, prior_mean: float, prior_sd: float) -> Floats:
    """Return mean and standard deviation of the posterior of a mean, the outcomes' standard deviation being known.

    Parameters
    ----------
    n, mean
        Patients and the mean of their outcomes, any shape; the mean counts for nothing where ``n`` is 0.
    sd
        Standard deviation of an outcome.
    prior_mean, prior_sd
        Of the normal prior.

    Returns
    -------
    numpy.ndarray
        Parameters of :attr:`Family.NORMAL <trialsim.stats.bayes.families.Family.NORMAL>`, ``[..., 3]``.

    References
    ----------
    Gelman et al., Bayesian Data Analysis (3rd edition, 2013), equations 2.11 and 2.12.
    """
    prior, data = 1.0 / prior_sd**2, n / sd**2
    precision = prior + data
    centre = (prior * prior_mean + data * np.where(n > 0, mean, 0.0)) / precision
    return np.stack([centre, 1.0 / np.sqrt(precision), np.zeros_like(centre)], axis=-1)


def posterior_unknown_variance(
    n: Ints,
    mean: Floats,
    squares: Floats,
    prior_mean: float = 0.0,
    prior_n: float = 0.0,
    prior_shape: float = -0.5,
    prior_scale: float = 0.0,
) -> Floats:
    """Return the posterior of a mean whose variance has an inverse-gamma prior: Student's t.

    The mean has, given the variance, a normal prior worth ``prior_n`` outcomes. The values left out are those of the prior
    proportional to 1 / sd^2, with which the posterior is that of the one-sample t test's pivot.

    Parameters
    ----------
    n, mean, squares
        Patients, the mean of their outcomes and the sum of squared deviations from it, any shape.
    prior_mean, prior_n
        Of the mean.
    prior_shape, prior_scale
        Shape and scale of the variance's inverse-gamma prior.

    Returns
    -------
    numpy.ndarray
        Parameters of :attr:`Family.STUDENT <trialsim.stats.bayes.families.Family.STUDENT>`, ``[..., 3]``; NaN where the
        posterior is improper, as with an improper prior and a single outcome.

    References
    ----------
    Gelman et al., Bayesian Data Analysis (3rd edition, 2013), section 3.3; DeGroot, Optimal Statistical Decisions (1970),
    section 9.6.
    """
    known = np.where(n > 0, mean, prior_mean)
    total = prior_n + n
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (prior_n * prior_mean + n * known) / total
        shape = prior_shape + 0.5 * n
        apart = prior_n * n * (known - prior_mean) ** 2 / total
        scale = prior_scale + 0.5 * np.where(n > 0, squares, 0.0) + 0.5 * np.where(total > 0, apart, 0.0)
        found = np.stack([centre, np.sqrt(scale / (shape * total)), 2.0 * shape], axis=-1)
    proper = (total > 0.0) & (shape > 0.0) & (scale > 0.0)
    return np.asarray(np.where(proper[..., None], found, np.nan))
