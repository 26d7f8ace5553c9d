"""The world of 43 sites has as many adverse events and as many who stop treatment as it says of itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastEngine
from trialsim.engines.plan import build_plan
from trialsim.engines.records import columns_of
from trialsim.scenario.load import load_scenario, patient_table
from trialsim.timegrid import NEVER, TICKS_PER_DAY

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
TRIALS = 16


def test_adverse_events_a_patient_and_who_has_stopped_by_two_years() -> None:
    sys.path.insert(0, str(FOLDER))
    from reenactments import survival_at

    scenario = load_scenario(FOLDER / "actg175_sites" / "actg175_sites.yaml")
    plan = build_plan(scenario, "two_looks", "fitted", 1, 1, patient_table(scenario))
    chunk = FastEngine(plan).start(np.arange(TRIALS))
    arms = columns_of(conduct(chunk))["arms"]
    events = sum(values for name, values in arms.items() if name.startswith("adverse_events:"))
    a_patient = events.reshape(TRIALS, 4).sum(axis=1) / arms["enrolled"].reshape(TRIALS, 4).sum(axis=1)
    error = a_patient.std(ddof=1) / np.sqrt(TRIALS)
    assert 0.0 < error < 0.1
    assert abs(a_patient.mean() - 1.5) < 0.05 + 5 * error

    # Whoever has an event of both endpoints or is lost is no longer followed, and censored.
    came = chunk.entry < NEVER
    followed = np.minimum(chunk.lives.dropout, chunk.lives.complete)[came]
    taken = (chunk.lives.off_at - chunk.entry)[came]
    two_years = np.array([round(2 * 365.25 * TICKS_PER_DAY)])
    (left,), _ = survival_at(np.minimum(taken, followed), taken < followed, two_years)
    stopped = 1.0 - left
    assert abs(stopped - 1 / 3) < 0.01 + 5 * np.sqrt(stopped * left / came.sum())
