"""Small runs that keep the decision log, written as `trialsim run` writes them but without report and measures."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from trialsim.engines.decision_log import HEADS
from trialsim.engines.runner import run
from trialsim.oc.decision_log import ROOT, LogRoot
from trialsim.oc.run_folder import StoredRun
from trialsim.oc.run_writer import RunWriter
from trialsim.scenario.load import scenario_from_text
from trialsim.scenario.schema import Scenario
from trialsim.scenario.writing import save_scenario

TEXT = """
name: logged
horizon: 2 years
population:
  marginals:
    group: {categorical: {A: 0.6, B: 0.4}}
    age: {normal: {mean: 60, sd: 10}}
  traits: {eligibility: {sd: 1}}
accrual:
  sites:
    ward: {count: 3, rate: 9 per month, backlog: 2, history: {over: 200 days}, feasibility: {optimism: 1.5}}
screening:
  consent: {probability: 0.8, duration: 1 day}
  eligible: {probability: 0.4, latent: {eligibility: 1}}
  records: {missing: {age: 0.2}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 2 weeks, rate: 0.3, effect: {treatment: 0.6}, effect_measure: rate}
hypotheses:
  primary: {endpoint: response, arms: [treatment, control], analysis: cmh_by_period, direction: higher}
truths: {expected: {}, none: {endpoints.response.effect.treatment: 0.3}}
designs:
  adaptive:
    kind: group_sequential
    n: 24
    allocation: simple
    reviews: {every: {enrolled: 8}}
    looks: [{when: {readouts: 12}}, {when: {readouts: 24}}]
    tests: {primary: {alpha: 0.025}}
    bounds: {efficacy_z: [2.6, 2.0], futility_z: [-0.5, 2.0]}
    policies:
      recruitment: {oracle: {reads: eligibility}}
      sites: {historical_mean: {open: 2}}
      randomisation: thompson
  in_order:
    kind: fixed
    n: 24
    allocation: simple
    looks: [{when: {readouts: 24}}]
    tests: {primary: {alpha: 0.025}}
"""


@cache
def scenario() -> Scenario:
    """Return a world of candidates with a design that asks every policy, and one that asks only at its look."""
    return scenario_from_text(TEXT)


def write_run(
    folder: Path,
    replicates: int,
    *,
    what: Scenario | None = None,
    engine: str = "fast",
    workers: int = 1,
    chunk: int | None = None,
    seed: int = 1,
) -> StoredRun:
    """Run every design under every truth and return the run as it is stored."""
    chosen = what or scenario()
    root = LogRoot()
    with RunWriter(folder) as writer:

        def keep(tables: dict) -> None:  # type: ignore[type-arg]
            root.add(tables[HEADS])
            writer.write_chunk(tables)

        cells = run(
            chosen, None, None, replicates, seed, engine, workers, keep, chunk=chunk, decision_log=True
        )
        writer.close_tables(cells)
        save_scenario(chosen, writer.partial)
        provenance = {
            "designs": list(chosen.designs), "truths": list(chosen.truths), "replicates": replicates, "seed": seed,
            "engine": engine, ROOT: root.provenance(),
        }  # fmt: skip
        writer.write_json("provenance.json", provenance)
        writer.finish()
    return stored(folder)


def stored(folder: Path) -> StoredRun:
    """Return a run as it lies in its folder now."""
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    return StoredRun(folder, {}, provenance, {})
