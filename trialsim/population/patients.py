"""Who the patients of a replicate are: rows of a real table, or draws from marginals joined by a Gaussian copula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import inline, kernel
from trialsim.draws import Purpose, name_address, uniform, unit
from trialsim.elementary import natural_exp, standard_normal
from trialsim.keyed_words import words_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRAITS = ("prognosis", "predictive", "toxicity", "adherence", "eligibility")
"""Latent traits in the order of their draws: u, v, w, d of the literature on enrichment, and e, hidden eligibility."""

_NORMAL, _LOG_NORMAL, _DISCRETE, _BETA = range(4)
_TABLE_ROW = int(Purpose.TABLE_ROW)
_SITE_BITS = 32


@dataclass(frozen=True)
class Marginals:
    """Parametric covariates and latent traits, one column each.

    Parameters
    ----------
    kind
        Family of each column, ``[column]``.
    first, second
        Its two parameters: mean and sd; log median and sd of the logarithm; alpha and beta, ``[column]``.
    cuts
        For a discrete column the normal scores at which the next value begins, padded by infinity,
        ``[column, value]``.
    purpose, draw
        Address of the column's normal score, ``[column]``.
    cholesky
        Lower factor of the correlation of the scores, ``[column, column]``.
    """

    kind: Ints
    first: Floats
    second: Floats
    cuts: Floats
    purpose: Ints
    draw: Ints
    cholesky: Floats


@dataclass(frozen=True)
class PatientSource:
    """Where patients come from.

    Parameters
    ----------
    columns
        Names of the columns of a patient's record: covariates, then latent traits.
    categories
        Levels of each categorical covariate, in the order of their codes.
    table
        Covariates of real patients ``[row, covariate]``, or None.
    marginals
        The drawn columns (all of them, or the latent traits beside a table), or None.
    mixes
        Where sites have mixes of their own, the ``cuts`` of each mix, the first being that of the marginals.
    mix_of_site
        Which of them each site has, ``[site]``; empty where all sites draw from the marginals.
    """

    columns: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    table: Floats | None = None
    marginals: Marginals | None = None
    mixes: tuple[Floats, ...] = ()
    mix_of_site: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def identical(self) -> bool:
        """Whether all patients are alike."""
        return self.table is None and self.marginals is None

    @property
    def finite(self) -> bool:
        """Whether every patient is one of a fixed list of rows."""
        return self.marginals is None

    @property
    def covariate_count(self) -> int:
        """How many of the columns, from the first on, are covariates; the others are latent."""
        return sum(name not in TRAITS for name in self.columns)

    @property
    def rows(self) -> Floats:
        """The fixed list of rows ``[row, column]`` of a finite source; one empty row when all are alike."""
        return np.zeros((1, 0)) if self.table is None else self.table

    def row_numbers(self, seed: int, replicates: Ints, keys: Ints) -> Ints:
        """Return which row of the table each patient is, drawn with replacement; zeros without a table."""
        out = np.zeros(len(keys), dtype=np.int64)
        if self.table is not None:
            _draw_rows(seed, replicates, keys, len(self.table), out)
        return out

    def records(self, seed: int, replicate: int, n: int) -> Floats:
        """Return the records of patients 0 to ``n - 1`` of one replicate, of no site; see :meth:`records_at`."""
        return self._records(seed, np.full(n, replicate, dtype=np.int64), np.arange(n), False)

    def records_at(self, seed: int, replicates: Ints, keys: Ints) -> Floats:
        """Return the records of some patients of any replicates, who are of the sites that their numbers say.

        Parameters
        ----------
        seed
            Of the run.
        replicates, keys
            Global number of the replicate and number of the patient, or of the candidate, ``[patient]`` each.

        Returns
        -------
        numpy.ndarray
            float64 ``[patient, column]``; categorical covariates as codes.
        """
        return self._records(seed, replicates, keys, True)

    def _records(self, seed: int, replicates: Ints, keys: Ints, of_sites: bool) -> Floats:
        """Return records; those of no site have the marginals of the whole population."""
        fixed = self.rows[self.row_numbers(seed, replicates, keys)]
        if self.marginals is None:
            return fixed
        m = self.marginals
        drawn = np.empty((len(keys), len(m.kind)))

        def draw(rows: slice | Ints, cuts: Floats) -> None:
            part = np.empty((len(keys[rows]), len(m.kind)))
            _draw_columns(
                seed, replicates[rows], keys[rows], m.kind, m.first, m.second, cuts, m.purpose, m.draw, m.cholesky, part
            )  # fmt: skip
            drawn[rows] = part

        if of_sites and self.mixes:
            mix = self.mix_of_site[keys >> _SITE_BITS]
            for number in np.unique(mix):
                draw(np.flatnonzero(mix == number), self.mixes[number])
        else:
            draw(slice(None), m.cuts)
        for column in np.flatnonzero(m.kind == _BETA):
            from scipy.special import betaincinv, ndtr

            drawn[:, column] = betaincinv(m.first[column], m.second[column], ndtr(drawn[:, column]))
        return np.concatenate([fixed, drawn], axis=1) if self.table is not None else drawn


@inline
def row_number(bits, rows):  # type: ignore[no-untyped-def]
    """Return which of ``rows`` rows a random word stands for; their probabilities differ by at most 2**-52."""
    return np.int64(unit(bits) * rows)


@kernel
def _draw_rows(seed, replicates, keys, rows, out):  # type: ignore[no-untyped-def]
    """Fill row numbers, each row equally likely; runs of patients of one replicate are drawn together."""
    words = np.empty(len(out), np.uint64)
    first = 0
    while first < len(out):
        last = first + 1
        while last < len(out) and replicates[last] == replicates[first]:
            last += 1
        words_at(words[first:last], keys[first:last], 0, replicates[first], _TABLE_ROW, 0, seed)
        first = last
    for i in range(len(out)):
        out[i] = row_number(words[i], rows)


@kernel
def _draw_columns(seed, replicates, keys, kind, first, second, cuts, purpose, draw, cholesky, out):  # type: ignore[no-untyped-def]
    """Fill the drawn columns of each patient; a beta column is left as its normal score."""
    columns = len(kind)
    score = np.empty(columns)
    for i in range(out.shape[0]):
        for k in range(columns):
            score[k] = standard_normal(uniform(seed, replicates[i], keys[i], purpose[k], draw[k]))
        for k in range(columns):
            z = 0.0
            for j in range(k + 1):
                z += cholesky[k, j] * score[j]
            if kind[k] == _NORMAL:
                out[i, k] = first[k] + second[k] * z
            elif kind[k] == _LOG_NORMAL:
                out[i, k] = natural_exp(first[k] + second[k] * z)
            elif kind[k] == _DISCRETE:
                value = 0
                while z >= cuts[k, value]:
                    value += 1
                out[i, k] = value
            else:
                out[i, k] = z


def _discrete_cuts(probabilities: Sequence[float]) -> Floats:
    """Return the normal scores at which each next value begins; infinity after the last."""
    from scipy.special import ndtri

    below = np.cumsum(np.asarray(probabilities, dtype=np.float64))[:-1]
    return np.append(ndtri(np.clip(below, 0.0, 1.0)), np.inf)


def _poisson_cuts(mean: float) -> Floats:
    """Return the normal scores at which each next count begins, as far as float64 can tell counts apart."""
    from scipy.special import ndtri, pdtr

    counts = np.arange(int(mean + 40.0 * np.sqrt(mean + 1.0)) + 60)
    below = ndtri(pdtr(counts, mean))
    return np.append(below[np.isfinite(below)], np.inf)


def cuts_of_mix(marginals: Marginals, shares: Mapping[int, Sequence[float]]) -> Floats:
    """Return the cuts of marginals in which some categorical columns have other level probabilities.

    Parameters
    ----------
    marginals
        Those of the whole population.
    shares
        Probabilities of the levels, in the order of their codes, by column.
    """
    cuts = marginals.cuts.copy()
    for column, probabilities in shares.items():
        own = _discrete_cuts(probabilities)
        cuts[column] = np.inf
        cuts[column, : len(own)] = own
    return cuts


def build_marginals(
    families: Sequence[tuple[str, str, Mapping[str, float]]], traits: Mapping[str, float], correlation: Floats
) -> Marginals:
    """Return the drawn columns: covariates in their order, then the latent traits given.

    Parameters
    ----------
    families
        For each covariate its name, its family (``normal``, ``log_normal``, ``beta``, ``poisson``, ``categorical``) and
        parameters; the parameters of a categorical one are its level probabilities.
    traits
        Standard deviation of each latent trait, by name.
    correlation
        Correlation of the normal scores, ``[column, column]``.

    Returns
    -------
    Marginals
        Ready to draw from.
    """
    kind, first, second, cuts, purpose, draw = [], [], [], [], [], []
    for name, family, p in families:
        a, b, cut = 0.0, 0.0, np.array([np.inf])
        if family == "normal":
            code, a, b = _NORMAL, p["mean"], p["sd"]
        elif family == "log_normal":
            code, a, b = _LOG_NORMAL, float(np.log(p["median"])), p["sd_log"]
        elif family == "beta":
            code, a, b = _BETA, p["alpha"], p["beta"]
        elif family == "poisson":
            code, cut = _DISCRETE, _poisson_cuts(p["mean"])
        else:
            code, cut = _DISCRETE, _discrete_cuts(list(p.values()))
        kind.append(code)
        first.append(a)
        second.append(b)
        cuts.append(cut)
        purpose.append(int(Purpose.COVARIATE))
        draw.append(name_address(name))
    for name, sd in traits.items():
        kind.append(_NORMAL)
        first.append(0.0)
        second.append(sd)
        cuts.append(np.array([np.inf]))
        purpose.append(int(Purpose.LATENT))
        draw.append(TRAITS.index(name))
    width = max(len(cut) for cut in cuts)
    padded = np.full((len(cuts), width), np.inf)
    for k, cut in enumerate(cuts):
        padded[k, : len(cut)] = cut
    return Marginals(
        np.array(kind, dtype=np.int64),
        np.array(first, dtype=np.float64),
        np.array(second, dtype=np.float64),
        padded,
        np.array(purpose, dtype=np.int64),
        np.array(draw, dtype=np.int64),
        np.asarray(np.linalg.cholesky(correlation), dtype=np.float64),
    )
