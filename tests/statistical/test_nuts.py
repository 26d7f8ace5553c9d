"""Sampling: keyed, judged before use, resumable; the basket by NUTS beside its quadrature; a reader's own model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.analyses.keys import Key
from trialsim.analyses.sampled.baskets import BasketNuts
from trialsim.analyses.sampled.nuts import CompiledModel, Sampling, libraries, probability_and_error
from trialsim.analyses.sampled.two_arms import PymcAnalysis
from trialsim.contracts import Status
from trialsim.designs.basket import BasketDesign
from trialsim.engines.basket_trials import by_nuts, by_quadrature
from trialsim.errors import UsageError
from trialsim.stats.bayes.basket import BasketPrior

# Looked for, not imported: that takes seconds, also of a run that leaves these tests out.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("pymc") is None, reason="needs the extra bayes")]

PRIOR = BasketPrior(mean=-1.0, mean_sd=1.5, between_scale=0.8)
PARTLY = BasketPrior(mean=-1.0, mean_sd=1.5, between_scale=0.8, exchangeable=0.6, own_mean=-1.0, own_sd=1.2)
RATES = (0.15, 0.4, 0.2, 0.45)


@pytest.mark.parametrize("prior", [PRIOR, PARTLY], ids=["exchangeable", "exnex"])
def test_a_basket_run_is_keyed_and_resumed(prior: BasketPrior, tmp_path: Path) -> None:
    design = BasketDesign((0.15, 0.15, 0.2, 0.2), (10, 20), prior)
    model = BasketNuts(prior, np.array(design.reference_rates))
    whole = by_nuts(design, RATES, 7, np.arange(6), tmp_path / "whole", workers=2, compiled=model)
    broken = tmp_path / "broken"
    by_nuts(design, RATES, 7, np.arange(3), broken, workers=1, compiled=model)
    with (broken / "trials.jsonl").open("a", encoding="utf-8") as cut_short:
        cut_short.write('{"replicate": 3, "abo')
    told: list[tuple[int, int]] = []
    resumed = by_nuts(
        design, RATES, 7, np.arange(6), broken, progress=lambda *d: told.append(d), compiled=model
    )
    assert sorted(told) == [(4, 6), (5, 6), (6, 6)]
    assert (whole.above == resumed.above).all()
    assert whole.failure == resumed.failure == [""] * 6
    # The compiler was not given leave to reorder sums, which it would do as PyTensor's cache happens to be filled.
    assert "fadd double" in model.machine_code()
    assert "reassoc" not in model.machine_code()
    file = broken / "trials.jsonl"
    line = json.loads(file.read_text(encoding="utf-8").splitlines()[0])
    line["above"][0][0] += 1e-3
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=f"trial {line['replicate']} has other draws there than here"):
        by_nuts(design, RATES, 7, np.arange(6), broken, compiled=model)
    with pytest.raises(UsageError, match="another design, truth, seed or sampling"):
        by_nuts(design, RATES, 8, np.arange(6), broken)
    # Two replicates live, against what was logged.
    live = by_nuts(design, RATES, 7, np.array([4, 1]), tmp_path / "live", workers=1, compiled=model)
    assert (live.above == whole.above[[4, 1]]).all()
    # The quadrature sees the same patients: the first look's probabilities agree within the sampler's error.
    quadrature = by_quadrature(design, RATES, 7, np.arange(6))
    spread = np.sqrt(quadrature.above * (1.0 - quadrature.above) / 200.0)
    apart = np.abs(whole.above - quadrature.above)[:, 0]
    assert (apart <= 5.0 * spread[:, 0] + 0.005).all()


@pytest.mark.exhaustive
def test_draws_do_not_depend_on_what_is_compiled_already(tmp_path: Path) -> None:
    script = (
        "import numpy as np\n"
        "from tests.statistical.test_nuts import PRIOR\n"
        "from trialsim.analyses.keys import Key\n"
        "from trialsim.analyses.sampled.baskets import BasketNuts\n"
        "fit = BasketNuts(PRIOR, np.full(4, 0.2)).fit(np.array([1, 4, 2, 5]), np.full(4, 10), Key(1, 2))\n"
        "print(fit.above.tolist(), fit.mean.tolist())\n"
    )
    told = []
    # Nothing compiled before; everything; a part of it, with other names hashed in another order.
    for order, kept in (("0", None), ("0", None), ("1", 3)):
        if kept is not None:
            for number, file in enumerate(sorted((tmp_path / "numba").iterdir())):
                if number % kept == 0:
                    file.unlink()
        there = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}", "PYTHONHASHSEED": order}
        run = subprocess.run(
            [sys.executable, "-c", script], env=there, capture_output=True, text=True, check=True
        )
        told.append(run.stdout)
    assert len(set(told)) == 1


def test_chains_that_fail_stop_the_automation_with_a_sentence(tmp_path: Path) -> None:
    design = BasketDesign((0.15, 0.15), (10, 20), PRIOR)
    impossible = Sampling(draws=60, tune=60, least_bulk=1e6)
    trials = by_nuts(design, (0.2, 0.4), 1, np.arange(2), tmp_path, sampling=impossible)
    for sentence in trials.failure:
        assert sentence.startswith("look 1: The chains failed and nothing may be decided on them: ")
        assert "the bulk's effective sample size is" in sentence
        assert "at least 1e+06 is needed" in sentence
    assert np.isnan(trials.above).all()
    assert not trials.success.any()


def own_model(data: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Return a normal model with a heavy-tailed error, as a reader might write one."""
    pm, _, _ = libraries()
    with pm.Model() as model:
        treated, value = pm.Data("treated", data["treated"]), pm.Data("value", data["value"])
        control, effect = pm.Normal("control", 0.0, 10.0), pm.Normal("effect", 0.0, options["prior_sd"])
        scale = pm.HalfNormal("scale", 5.0)
        pm.StudentT("outcome", nu=5.0, mu=control + effect * treated, sigma=scale, observed=value)
    return model


def test_a_readers_own_model_is_an_analysis() -> None:
    analysis = PymcAnalysis(
        "heavy_tails", own_model, prior={"prior_sd": "of the effect"}, defaults={"prior_sd": 5.0}
    )
    assert analysis.__doc__ == own_model.__doc__  # which lists show
    rng = np.random.default_rng(2)
    replicate = np.repeat([0, 1, 2], [40, 60, 80])
    treated = np.arange(180) % 2
    shift = np.array([0.0, 1.0, 2.0])
    cut = cut_of(treated, rng.standard_t(5, 180) + shift[replicate] * treated, replicate=replicate)
    found = analysis.posterior(cut, False, {})
    assert found.kind == "sampled"
    assert (found.status == Status.OK).all()
    assert found.probability[2] > 0.99
    assert ((found.lower < shift) & (shift < found.upper)).all()
    assert (found.error > 0).all()
    # Alone and in a batch: the same address, the same draws.
    last = cut_of(treated[100:], cut.rows.value[100:])
    again = analysis.posterior(last, False, {}, keys=[Key(0, 2)])
    assert again.probability[0] == found.probability[2]
    other = analysis.posterior(last, False, {}, keys=[Key(1, 2)])
    assert other.mean[0] != found.mean[2]
    with pytest.raises(UsageError, match="no variable 'efect'; it has control, effect, scale"):
        CompiledModel(
            "x", own_model({"treated": np.zeros(2), "value": np.zeros(2)}, {"prior_sd": 1.0}), ["efect"]
        )


def test_a_model_whose_data_would_stay_those_of_the_first_look_is_refused() -> None:
    import pymc as pm

    def made(own: tuple[str, ...]) -> PymcAnalysis:
        def build(data: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
            """A model of a reader who forgot what the docs say."""
            with pm.Model() as model:
                held = {name: pm.Data(name, data[name]) if name in own else data[name] for name in data}
                control, effect = pm.Normal("control", 0, 10), pm.Normal("effect", 0, 5)
                mean = control + effect * (held["treated"] - 0.5)
                pm.Normal("outcome", mean, 1.0, observed=held["value"])
            return model

        return PymcAnalysis("forgetful", build, prior={}, defaults={})

    treated, value = np.arange(40) % 2, np.random.default_rng(1).normal(size=40)
    cut = cut_of(treated, value)
    with pytest.raises(UsageError, match="observed of 'outcome' is built into the model"):
        made(("treated",)).posterior(cut, False, {})
    with pytest.raises(UsageError, match="'treated' is built into the model"):
        made(("value",)).posterior(cut, False, {})
    # Data that the model holds and does not use do no harm; another look is another posterior.
    analysis = made(("treated", "value", "event", "covariates"))
    one, other = (
        analysis.posterior(cut_of(treated, v), False, {}).mean[0] for v in (value, value + 2 * treated)
    )
    assert other - one == pytest.approx(2.0, abs=0.2)

    def strange(data: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
        """A model that holds what no cut has."""
        with pm.Model() as model:
            value, age = pm.Data("value", data["value"]), pm.Data("age", np.arange(40.0))
            pm.Normal("outcome", pm.Normal("effect", 0, 5) * age, 1.0, observed=value)
        return model

    with pytest.raises(UsageError, match="holds 'age' as data, which a cut has not; it has treated, value"):
        PymcAnalysis("strange", strange, prior={}, defaults={}).posterior(cut, False, {})


def test_the_error_of_a_probability_is_that_of_correlated_draws() -> None:
    rng = np.random.default_rng(1)
    independent = (rng.random((2, 2000)) < 0.3).astype(float)
    share, error = probability_and_error(independent)
    assert error == pytest.approx(np.sqrt(share * (1 - share) / 4000), rel=0.2)
    # Every draw four times over: a quarter of the draws is worth as much.
    _, repeated = probability_and_error(np.repeat(independent[:, :500], 4, axis=1))
    assert repeated == pytest.approx(np.sqrt(share * (1 - share) / 1000), rel=0.25)
    assert probability_and_error(np.ones((2, 500))) == (1.0, 1.0 / 1001.0)
