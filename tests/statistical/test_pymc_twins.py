"""Closed forms, quadratures and Laplace's method agree with PyMC's sampling of the same models.

``pytest -m exhaustive tests/statistical/test_pymc_twins.py``: one model takes minutes to compile and fifty fits as long.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from tests.statistical.pymc_twins import OPTIONS, data_set, twins
from trialsim import registry
from trialsim.analyses.keys import Key
from trialsim.analyses.sampled.nuts import CompiledModel, Sampling, libraries, probability_and_error
from trialsim.contracts import Status

pytestmark = pytest.mark.skipif(find_spec("pymc") is None, reason="needs the extra bayes")

SAMPLING = Sampling(draws=1000, tune=600, most_divergent=0.02)
DATA_SETS = range(50)


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    return CompiledModel("twins", twins(data_set(4)[1]), list(OPTIONS))


def _agree(compiled: CompiledModel, place: int) -> dict[str, str]:
    """Return in words what disagrees on one data set."""
    _, _, arviz = libraries()
    cuts, data = data_set(place)
    fit = compiled.fit(data, Key(11, place), SAMPLING)
    assert fit.passed, fit.sentence
    wrong = {}
    for name, options in OPTIONS.items():
        ours = registry.get("posteriors", name)().posterior(cuts[name], False, options, None)
        if ours.status[0] in (Status.OUTSIDE_RANGE, Status.NO_EVENTS):
            assert ours.kind == "approximate"
            continue
        draws = fit.draws[name]
        better = draws < 0 if name in ("piecewise_exponential",) else draws > 0
        theirs, error = probability_and_error(better.astype(float))
        found = ours.probability[0]
        allowed = 5.0 * error + ours.error[0]
        if 0.95 < found < 0.99 and 0.0 < theirs < 1.0:
            # On the probit scale, where a difference in the tail is not hidden.
            apart = abs(ndtri(found) - ndtri(theirs))
            allowed = max(0.02, allowed / norm.pdf(ndtri(found)))
        else:
            apart = abs(found - theirs)
        if apart > allowed:
            wrong[f"{place} {name} probability"] = f"{found:.5f} against {theirs:.5f} ({error:.5f})"
        slack = 0.02 * ours.sd[0] if ours.kind == "approximate" else 0.0
        mcse = draws.std() / np.sqrt(arviz.ess(draws, method="mean"))
        if abs(ours.mean[0] - draws.mean()) > 5.0 * mcse + slack:
            wrong[f"{place} {name} mean"] = f"{ours.mean[0]:.5f} against {draws.mean():.5f} ({mcse:.5f})"
    return wrong


@pytest.mark.exhaustive
def test_they_agree(compiled: CompiledModel) -> None:
    assert [_agree(compiled, place) for place in DATA_SETS] == [{}] * len(DATA_SETS)
