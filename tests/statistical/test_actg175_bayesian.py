"""What the Bayesian design of ACTG 175 concludes on the trial's real patients."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

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


def replays() -> ModuleType:
    """Return the script that applies the designs' rules to the real patients."""
    name = "actg175_bayesian_replay"
    spec = importlib.util.spec_from_file_location(name, FOLDER / "bayesian_replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_adaptive_allocation_leans_to_the_best_arm_and_protects_control() -> None:
    found = replays().replay_adaptive(6, 1)
    by_arm = np.array([each[3] for each in found])
    assert (by_arm.sum(axis=1) == [each[2] for each in found]).all()
    # A month of equal shares, then control's share sqrt(3) / (3 + sqrt(3)); 5 standard errors of six trials.
    kept = (0.25 + 11 * np.sqrt(3) / (3 + np.sqrt(3))) / 12
    assert by_arm[:, 0].mean() / 2139 == pytest.approx(kept, abs=5 * np.sqrt(kept * (1 - kept) / (6 * 2139)))
    assert (by_arm[:, 1] > by_arm[:, 2:].max(axis=1)).all()
    page = (ROOT / "docs" / "actg175.md").read_text(encoding="utf-8")
    for month, reason, n, _ in found:
        assert (
            f"| at month {month:g} | {n:,} | {reason.replace('at the end: zdv_ddi, zdv_zal', 'only')}" in page
        )


def test_the_real_patients_would_have_ended_the_trial_early() -> None:
    found = replays().replay(12, 1)
    assert {each[1] for each in found} == {"all three delay progression"}
    assert not any(each[3] for each in found)
    assert 12 <= np.median([each[0] for each in found]) <= 18
    page = (ROOT / "docs" / "actg175.md").read_text(encoding="utf-8")
    for month, _, n, _, _ in found:
        assert f"| at month {month:g} | {n:,} |" in page
