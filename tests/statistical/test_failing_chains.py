"""A design whose chains are too short: each look says which diagnostic failed, on the screen, in the log, in reports."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from tests.twins.sampled import PACKAGE, TREE, register
from trialsim.analyses.keys import Key
from trialsim.analyses.sampled.two_arms import arrays_of
from trialsim.cli.main import main
from trialsim.conformance import twin_difference
from trialsim.contracts import JUDGED_BY, Status
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import chunk_of
from trialsim.scenario.load import scenario_from
from trialsim.scenario.writing import tree_yaml

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("pymc") is None, reason="needs the extra bayes")]

WORDS = "the sampler's chains did not pass their diagnostics: nothing may be decided on this fit, because "
TRIALS = 3


@pytest.fixture
def short_chains(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's model with 40 draws a chain, which has its name from that."""
    package = PACKAGE.replace(
        "import pymc", "from trialsim.analyses.sampled.nuts import Sampling\nimport pymc"
    )
    package = package.replace('"heavy_tails", build', '"few_draws", build, sampling=Sampling(40, 40)')
    register(packages, package, "few_draws")
    monkeypatch.chdir(packages)


def tree() -> dict[str, Any]:
    """Return the twins' scenario with its user's model alone, which is not asked at the first look."""
    model = {"name": "few_draws", "options": {"prior_sd": 3}}
    looks = [{"when": {"enrolled": 24}}, {"when": {"enrolled": 48}}, {"when": {"readouts": 60}}]
    rule = {"do": "stop_for_success", "looks": [2], "when": {"posterior": {"above": 0.95}}}
    design = {"looks": looks, "tests": {"gains": {"alpha": 0.05}}, "decisions": [rule]}
    return TREE | {
        "name": "few_draws",
        "endpoints": {"score": TREE["endpoints"]["score"]},
        "hypotheses": {"gains": TREE["hypotheses"]["gains"] | {"analysis": {"model": model}}},
        "designs": {"by_sampling": TREE["designs"]["by_sampling"] | design},
    }


def split_rhat(draws: np.ndarray) -> float:
    """Return rank-normalised split R-hat of ``[chain, draw]``, the larger of bulk and folded (Vehtari et al. 2021)."""

    def of(values: np.ndarray) -> float:
        ranks = stats.rankdata(values).reshape(values.shape)
        z = stats.norm.ppf((ranks - 0.375) / (values.size + 0.25))
        n = z.shape[1]
        within = z.var(axis=1, ddof=1).mean()
        return float(np.sqrt((n - 1) / n + z.mean(axis=1).var(ddof=1) / within))

    halves = draws.reshape(2 * len(draws), -1)
    return max(of(halves), of(np.abs(halves - np.median(halves))))


@pytest.mark.usefixtures("short_chains")
def test_each_look_says_what_its_chains_failed(capsys: pytest.CaptureFixture[str]) -> None:
    scenario = scenario_from(tree())
    assert twin_difference(build_plan(scenario, "by_sampling", "world", 1), range(TRIALS)) is None
    chunk = chunk_of(scenario, "by_sampling", "world", list(range(TRIALS)), 1, "fast")
    first, second = conduct(chunk).looks
    assert first.chains is not None and second.chains is not None
    assert np.isnan(first.chains).all() and (first.status == Status.NOT_ANALYSED).all()
    assert second.chains.shape == (TRIALS, 1, len(JUDGED_BY))
    assert (second.status == Status.CHAINS_FAILED).all()
    # What is kept is of the fit at that address, here made anew; R-hat by its own formula.
    analysis: Any = chunk.plan.tests[0].analysis
    rows = chunk.cut(second.point, 0).patients()
    options = analysis.model.defaults | {"prior_sd": 3.0}
    for r, kept in enumerate(second.chains[:, 0]):
        fit = analysis.model.fit(arrays_of(rows, r), options, Key(1, r, 1))
        assert kept.tolist() == [fit.rhat, fit.bulk, fit.tail, fit.divergent]
        assert fit.rhat == pytest.approx(split_rhat(fit.draws["effect"]), rel=1e-6)
        assert 10 < fit.bulk < 200 and fit.draws["effect"].size == 160  # tried again, with twice the draws

    Path("few.yaml").write_text(tree_yaml(tree()), encoding="utf-8")
    run = ["run", "few.yaml", "--replicates", str(TRIALS), "--seed", "1", "--decision-log", "--out", "run"]
    assert main([*run, "--workers", "1"]) == 0
    told = capsys.readouterr()
    looks = pq.read_table("run/looks.parquet").to_pandas()
    assert (looks.loc[looks["look"] == 2, list(JUDGED_BY)].to_numpy() == second.chains[:, 0]).all()
    assert looks.loc[looks["look"] == 1, list(JUDGED_BY)].isna().all(axis=None)
    rhat, bulk, tail, divergent = second.chains[:, 0].T
    worst = (
        f"(R-hat up to {rhat.max():.3f}, effective draws down to {bulk.min():.0f}, in the tails to {tail.min():.0f}, "
        f"up to {divergent.max():.1%} divergent)"
    )
    assert worst in " ".join((told.out + told.err).split())
    for replicate in range(TRIALS):
        needed = (
            f"the bulk's effective sample size of effect is {bulk[replicate]:.0f}, at least 200 is needed"
        )
        for each in (["explain", "few.yaml"], ["audit", "run", "--decision", "1"]):
            assert main([*each, "--replicate", str(replicate)]) == 0
            said = " ".join(capsys.readouterr().out.split())
            assert WORDS in said and needed in said
            # What passes is not named.
            assert (f"R-hat of effect is {rhat[replicate]:.3f}, at most 1.05" in said) == (
                rhat[replicate] > 1.05
            )
