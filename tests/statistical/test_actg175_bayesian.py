"""What the Bayesian design of ACTG 175 concludes on the trial's real patients."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.analyses.bayesian.regressions import CoxLaplace

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "scenarios" / "actg175"


def test_the_posterior_is_the_real_estimate_shrunk_by_its_prior() -> None:
    table = pd.read_csv(FOLDER / "patients.csv")
    for arm in (1, 2, 3):
        pair = table[table["arms"].isin([0, arm])]
        treated = (pair["arms"] == arm).astype(int)
        cut = cut_of(treated, pair["days"], pair["cens"])
        found = CoxLaplace().posterior(cut, True, {"prior_sd": 0.5}, None)
        frame = pd.DataFrame({"treated": treated, "days": pair["days"], "event": pair["cens"]})
        fitted = CoxPHFitter().fit(frame, "days", "event")
        weight = 1 / float(fitted.standard_errors_["treated"]) ** 2
        # Both likelihood and prior are nearly normal, so that precisions add up.
        assert found.mean[0] == pytest.approx(
            float(fitted.params_["treated"]) * weight / (weight + 4), abs=0.01
        )
        assert found.sd[0] == pytest.approx((weight + 4) ** -0.5, rel=0.02)


def test_the_real_patients_would_have_ended_the_trial_early() -> None:
    name = "actg175_bayesian_replay"
    spec = importlib.util.spec_from_file_location(name, FOLDER / "bayesian_replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    found = module.replay(12, 1)
    assert {each[1] for each in found} == {"all three delay progression"}
    assert not any(each[3] for each in found)
    assert 12 <= np.median([each[0] for each in found]) <= 18
    page = (ROOT / "docs" / "actg175.md").read_text(encoding="utf-8")
    for month, _, n, _, _ in found:
        assert f"| at month {month:g} | {n:,} |" in page
