"""What is done at visits: controls act on whom they say, and the decision log tells it, the same in both engines."""

from __future__ import annotations

import json
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import norm

from tests.unit.logged_run import stored, write_run
from tests.unit.shipped_schema import check_document
from trialsim.cli.audit_commands import _document, _trial
from trialsim.conformance.sample_views import visit_view
from trialsim.contracts import REDUCE, Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.decision_log import LOG
from trialsim.engines.plan import build_plan
from trialsim.engines.runner import chunk_of
from trialsim.errors import ScenarioError
from trialsim.oc.decision_log import ROOT, decisions_of, verify
from trialsim.policies.monitoring_controls import MonitoringEmulated, MonitoringRandom
from trialsim.scenario.load import scenario_from_text
from trialsim.scenario.schema import Scenario

TEXT = """
name: monitored
population: {traits: {toxicity: {sd: 0.8}}}
accrual: {evenly_spaced: {rate: 10 per month}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 20 weeks, rate: 0.3, effect: {treatment: 0.6}, effect_measure: rate}
treatment: {doses: [1, 0.5]}
adverse_events:
  toxicity: {baseline: {hazard: 2 per year}, effect: {treatment: 2}, latent: {toxicity: 1}, dose_exponent: 1,
             severity: {mild: 0.6, severe: 0.4}}
visits: {every: 4 weeks, until: 20 weeks, missed: 0.1}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}
truths: {expected: {}}
designs:
"""
DESIGN = """
  %s: {kind: group_sequential, n: 24, allocation: simple, looks: [{when: {readouts: 12}}, {when: {readouts: 24}}],
    tests: {primary: {alpha: 0.025}}, bounds: {efficacy_z: [2.3, 1.96]}, policies: {monitoring: %s}}
"""
RULES = {
    "counted": "{dose_modification: {level: severe, reduce_after: 1}}",
    "oracle": "oracle",
    "adversarial": "{adversarial: {do: discontinue, visit: 2}}",
    "null": "random",
    "emulated": "{emulated: {auc: 0.9, share: 0.4}}",
}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return scenario_from_text(TEXT + "".join(DESIGN % each for each in RULES.items()))


@pytest.fixture(scope="module")
def runs(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same trials by both engines."""
    folder = tmp_path_factory.mktemp("monitored")
    return [
        write_run(folder / engine, 4, what=scenario, engine=engine).folder for engine in ("fast", "reference")
    ]


def test_both_engines_log_the_same_and_the_chain_holds(runs: list[Path]) -> None:
    first, second = (stored(folder) for folder in runs)
    assert verify(first).broken is None
    assert first.provenance[ROOT] == second.provenance[ROOT]
    for name in (f"{LOG}.parquet", "log_heads.parquet"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes()


def test_the_log_tells_what_the_event_log_tells(scenario: Scenario, runs: list[Path]) -> None:
    """Whoever's dose is lowered at a visit by the policy has an entry at that instant, and nobody else has."""
    log = pq.read_table(runs[0] / f"{LOG}.parquet").to_pylist()
    done = 0
    for design in RULES:
        for replicate in range(4):
            single = chunk_of(scenario, design, "expected", [replicate], 1, "fast")
            conduct(single)
            events = [
                (row.tick, row.id)
                for row in single.log(0)
                if (row.kind == Kind.REDUCED and row.part == 1) or (row.kind == Kind.DISCONTINUED)
            ]
            records = [
                json.loads(row["record"])
                for row in log
                if row["design"] == design and row["replicate"] == replicate
            ]
            noted = [(r["tick"], r["decided"]["patient"]) for r in records if r["kind"] == "visit"]
            assert sorted(noted) == sorted(events), (design, replicate)
            (last,) = [r["decided"] for r in records if r["kind"] == "visits"]
            assert last["lowered"] + last["ended"] == len(noted) <= last["visits"]
            done += len(noted)
            ticks = [r["tick"] for r in records]
            assert ticks == sorted(ticks)
    assert done > 20


@pytest.mark.parametrize("again", [False, True])
def test_decisions_are_explained_and_made_again(runs: list[Path], again: bool) -> None:
    """As `trialsim audit` does, with and without --replay."""
    run = stored(runs[1])
    log = [json.loads(row["record"]) for row in decisions_of(run, "oracle", "expected", 0)[0]]
    said = {}
    for kind in ("visit", "visits"):
        number = next(k for k, record in enumerate(log) if record["kind"] == kind)
        told, said[kind] = _trial(run, ("oracle", "expected", 0), number, None, again)
        check_document("audit", _document(runs[1], verify(run)) | told)
    text = " ".join(said["visit"])
    for part in ("about a patient's treatment", "It is a control: it reads what is hidden", "Seen, toxicity so far:",
                 "Seen, latent toxicity:", "Decided: dose lowered"):  # fmt: skip
        assert part in text
    assert ("The trial was made again" in text) is again
    assert "The policy was asked at" in " ".join(said["visits"])


def test_the_oracle_acts_on_those_truly_at_risk(scenario: Scenario, runs: list[Path]) -> None:
    """By the records of the patients, drawn once more; the adversary on the others, at its own visit."""
    log = pq.read_table(runs[0] / f"{LOG}.parquet").to_pylist()
    plan = build_plan(scenario, "oracle", "expected", 1)
    border = norm.ppf(0.75)
    for design, sign, visit in (("oracle", 1.0, 1), ("adversarial", -1.0, 2)):
        told = [(r["replicate"], json.loads(r["record"])) for r in log if r["design"] == design]
        acted = [(k, r["decided"]) for k, r in told if r["kind"] == "visit"]
        assert acted
        for replicate, decided in acted:
            records = plan.world.source.records(1, replicate, 24)
            assert sign * records[decided["patient"], -1] / 0.8 > border
            assert decided["visit"] == visit


@pytest.mark.slow
def test_shares_and_areas_are_those_stated() -> None:
    """A score of an area of 0.8 is right about the highest quarter as often as a ranking with that area (by simulation)."""
    n = 6000
    view = visit_view(n)
    first = np.zeros(n, dtype=np.int64)
    view = replace(view, visit=first, replicate=np.zeros(n, dtype=np.int64))
    error = sqrt(0.25 * 0.75 / n)
    emulated = MonitoringEmulated(0.8)
    for policy in (MonitoringRandom(), emulated):
        assert abs((policy.decide(view, {})[0] == REDUCE).mean() - 0.25) < 5 * error
    trait = view.latent[:, 0]
    high = trait > norm.ppf(0.75)
    ranks = np.argsort(np.argsort(_score(emulated, view)))
    area = (ranks[high].mean() - (high.sum() - 1) / 2) / (~high).sum()
    assert abs(area - 0.8) < 5 * 0.5 / sqrt(high.sum())
    assert not (emulated.decide(replace(view, visit=first + 1), {})[0] == REDUCE).any()


def _score(policy: MonitoringEmulated, view: object) -> np.ndarray:
    """Return the score by which a policy acts, from the borders at which it does."""
    shares = np.linspace(0.005, 0.995, 199)
    border = [norm.isf(share) for share in shares]
    acted = np.zeros(len(view.patient))  # type: ignore[attr-defined]
    for each in border:
        policy._threshold = each
        acted += policy.chosen(view)  # type: ignore[arg-type]
    return acted


def test_what_does_not_fit_is_said() -> None:
    bad = {
        "{oracle: {trait: adherence}}": "the latent trait 'adherence' is not declared",
        "{oracle: {visit: 9}}": "visit 9 of 5 does not exist",
    }
    for written, said in bad.items():
        with pytest.raises(ScenarioError, match=said):
            scenario_from_text(TEXT + DESIGN % ("bad", written))
    with pytest.raises(ScenarioError, match="there is one dose level"):
        scenario_from_text(TEXT.replace("doses: [1, 0.5]", "doses: [1]") + DESIGN % ("bad", "oracle"))
