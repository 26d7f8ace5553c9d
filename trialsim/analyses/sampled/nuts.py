"""Sampling by NUTS: a model is compiled once, given each look's data, and every fit is judged before it is used.

Seeds come from keyed draws, so that a fit is a function of the run's seed, the replicate and the look, whichever worker
does it and in which order. For that the density has to be the same function in every process: see :func:`as_written`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.analyses.keys import Key
from trialsim.contracts import Floats
from trialsim.errors import UsageError

_ATTEMPTS = 2


@dataclass(frozen=True)
class Sampling:
    """How long chains are, and what they have to pass.

    Parameters
    ----------
    draws, tune, chains
        Draws kept and tuned with in each chain, and chains, which run one after the other: replicates run side by side.
    target_accept
        Acceptance rate that step sizes are tuned for.
    most_rhat
        Largest rank-normalised split R-hat (Vehtari et al., Bayesian Analysis 16, 2021, 667-718) of what is decided on.
    least_bulk, least_tail
        Smallest effective sample sizes of the bulk and of the tails.
    most_divergent
        Largest share of divergent transitions.
    """

    draws: int = 500
    tune: int = 500
    chains: int = 2
    target_accept: float = 0.9
    most_rhat: float = 1.05
    least_bulk: float = 200.0
    least_tail: float = 100.0
    most_divergent: float = 0.01

    def failed_by(self, chains: Floats, of: str = "") -> str:
        """Return what chains fail, in words; empty where they pass. A quantity that never moved has no R-hat and fails.

        Parameters
        ----------
        chains
            As :attr:`Fit.chains`.
        of
            Name of what was sampled, where it is one quantity.
        """
        rhat, bulk, tail, divergent = (float(each) for each in chains)
        whose = f" of {of}" if of else ""
        wrong = []
        if not rhat <= self.most_rhat:
            found = f"{rhat:.3f}" if np.isfinite(rhat) else "not to be had, because it never moved"
            wrong.append(f"R-hat{whose} is {found}, at most {self.most_rhat:g} is allowed")
        if not bulk >= self.least_bulk:
            wrong.append(
                f"the bulk's effective sample size{whose} is {bulk:.0f}, at least {self.least_bulk:g} is needed"
            )
        if not tail >= self.least_tail:
            wrong.append(
                f"the tails' effective sample size{whose} is {tail:.0f}, at least {self.least_tail:g} is needed"
            )
        if not divergent <= self.most_divergent:
            wrong.append(f"{divergent:.1%} of transitions diverged, at most {self.most_divergent:.1%} may")
        return "; ".join(wrong)


@dataclass(frozen=True)
class Fit:
    """Draws of a fit and what ArviZ says of them.

    Parameters
    ----------
    draws
        By quantity, ``[chain, draw, ...]``.
    rhat, bulk, tail
        The worst over the quantities.
    divergent
        Share of divergent transitions.
    sentence
        What they fail; empty where they pass and decisions may be based on them.
    """

    draws: dict[str, Floats]
    rhat: float
    bulk: float
    tail: float
    divergent: float
    sentence: str

    @property
    def chains(self) -> Floats:
        """What they are judged by, in the order of :data:`~trialsim.contracts.JUDGED_BY`."""
        return np.array([self.rhat, self.bulk, self.tail, self.divergent])

    @property
    def passed(self) -> bool:
        """Whether decisions may be based on the draws."""
        return not self.sentence


def libraries() -> tuple[Any, Any, Any]:
    """Return PyMC, nutpie and ArviZ.

    Raises
    ------
    UsageError
        Where they are not installed; the sentence says how to install them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ArviZ announces its next version at each import
            import arviz
            import nutpie
            import pymc
    except ImportError as missing:
        raise UsageError(
            f"{missing.name} is not installed, without which nothing can be sampled; "
            "install the extra: pip install 'trialsim[bayes]'"
        ) from None
    return pymc, nutpie, arviz


@contextmanager
def as_written() -> Iterator[None]:
    """Have PyTensor compile floating-point arithmetic as it is written, whatever its own cache holds.

    By default it lets the compiler reorder sums (``numba__fastmath``). How it does so depends on whether the parts of a
    model are compiled together or taken from PyTensor's cache of earlier processes, so that the log density differs in
    the last bit between the first process and the next ones. Trajectories of NUTS are chaotic: all draws then differ.
    """
    from pytensor.configdefaults import config

    with config.change_flags(numba__fastmath=False):
        yield


class CompiledModel:
    """A PyMC model compiled once, to be fitted to data set after data set.

    Parameters
    ----------
    name
        Of the analysis; part of every seed.
    model
        The PyMC model, whose data are ``pm.Data`` under the names that :meth:`fit` is given.
    quantities
        What is decided on: the variables whose chains have to pass.
    """

    def __init__(self, name: str, model: Any, quantities: Sequence[str]) -> None:
        _, nutpie, _ = libraries()
        self.name, self.quantities = name, tuple(quantities)
        known = {variable.name for variable in [*model.free_RVs, *model.deterministics]}
        if missing := [each for each in self.quantities if each not in known]:
            raise UsageError(
                f"{name}: the model has no variable {missing[0]!r}; it has {', '.join(sorted(known))}"
            )
        with warnings.catch_warnings(), as_written():
            warnings.simplefilter("ignore")
            self._compiled = nutpie.compile_pymc_model(model)
        # What nothing in the model depends on is not there any more.
        self.data = frozenset(variable.name for variable in model.data_vars) & set(self._compiled.shared_data)

    def machine_code(self) -> str:
        """Return the compiler's account of the log density and its gradient (LLVM's intermediate language)."""
        code: str = self._compiled.compiled_logp_func.inspect_llvm()
        return code

    def fit(self, data: Mapping[str, NDArray[Any]], key: Key, sampling: Sampling | None = None) -> Fit:
        """Return a fit to data; one that fails is tried once more, with twice the draws and smaller steps.

        Parameters
        ----------
        data
            By name; those that the model does not have are left out.
        key
            Address of the fit.
        sampling
            How to sample and what to pass.
        """
        chosen = sampling or Sampling()
        if missing := sorted(self.data - set(data)):
            raise UsageError(
                f"{self.name}: the model holds {missing[0]!r} as data, which a cut has not; it has {', '.join(data)}"
            )
        given = self._compiled.with_data(**{name: data[name] for name in self.data})
        for attempt in range(_ATTEMPTS):
            found = self._sample(given, key.sampler_seed(self.name, attempt), chosen, attempt)
            if found.passed:
                break
        return found

    def _sample(self, given: Any, seed: int, sampling: Sampling, attempt: int) -> Fit:
        _, nutpie, arviz = libraries()
        longer = attempt + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trace: Any = nutpie.sample(
                given,
                draws=longer * sampling.draws,
                tune=longer * sampling.tune,
                chains=sampling.chains,
                cores=1,
                seed=seed,
                save_warmup=False,
                progress_bar=False,
                target_accept=sampling.target_accept if attempt == 0 else 0.99,
                return_raw_trace=True,
            )
            draws, divergent = _after_tuning(trace, self.quantities)
            columns = [
                column
                for each in draws.values()
                for column in np.moveaxis(each.reshape(*each.shape[:2], -1), 2, 0)
            ]
            rhat = max(float(arviz.rhat(column)) for column in columns)
            bulk = min(float(arviz.ess(column, method="bulk")) for column in columns)
            tail = min(float(arviz.ess(column, method="tail")) for column in columns)
        failed = sampling.failed_by(np.array([rhat, bulk, tail, divergent]))
        sentence = f"The chains failed and nothing may be decided on them: {failed}." if failed else ""
        return Fit(draws, rhat, bulk, tail, divergent, sentence)


def _after_tuning(trace: Any, quantities: Sequence[str]) -> tuple[dict[str, Floats], float]:
    """Return the draws kept of some quantities, and the share of divergent transitions, from nutpie's own columns.

    Making ArviZ's object of all columns takes longer than to sample a small model, and holds up other threads.
    """
    import pyarrow

    found: dict[str, list[Floats]] = {name: [] for name in quantities}
    divergent = []
    for draw, statistics in zip(*trace.get_arrow_trace(), strict=True):
        tuning = int(pyarrow.array(statistics.column("tuning")).to_numpy(zero_copy_only=False).sum())
        diverging = pyarrow.array(statistics.column("diverging")).to_numpy(zero_copy_only=False)
        divergent.append(float(np.mean(diverging[tuning:])))
        for name in quantities:
            column = draw.column(name)
            written = (column.field.metadata or {}).get(b"shape", b"").decode()
            shape = [int(each) for each in written.split(",") if each]
            values = pyarrow.array(column)
            flat = values.flatten() if hasattr(values, "flatten") else values
            numbers = flat.to_numpy(zero_copy_only=False).astype(np.float64)
            found[name].append(numbers.reshape(draw.num_rows, *shape)[tuning:])
    return {name: np.stack(chains) for name, chains in found.items()}, float(np.mean(divergent))


def probability_and_error(indicator: Floats) -> tuple[float, float]:
    """Return the share of draws in which something holds, and its Monte Carlo standard error given their correlation.

    Parameters
    ----------
    indicator
        Between 0 and 1, ``[chain, draw]``. Where all draws agree the error is that of one draw among so many, the rule of
        one in n + 1.
    """
    _, _, arviz = libraries()
    share = float(indicator.mean())
    if indicator.min() == indicator.max():
        return share, 1.0 / (indicator.size + 1.0)
    return share, float(indicator.std() / np.sqrt(arviz.ess(indicator, method="mean")))
