"""Trials of 400 patients out of 2,400 candidates at ten sites, whom a multilayer perceptron ranks.

Trains the network first (not timed), then runs 10,000 trials with the ranking and as candidates come, and prints processor
seconds of each: what remains between them is the policy. Target: 10,000 ranked trials in 60 seconds on two cores, which is
120 processor seconds.

``python benchmarks/bench_ranking.py [TRIALS]``
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

from measure import calibration

import trialsim.learning
from trialsim.engines.runner import Job
from trialsim.engines.runner import _Workshop as Workshop
from trialsim.learning.request import OPTIONS, TrainingRequest
from trialsim.learning.training import train
from trialsim.scenario.load import load_scenario

PATIENTS, BACKLOG, TRIALS, TARGET = 400, 240, 10_000, 120.0
WORLD = Path(trialsim.learning.__file__).parent / "worlds" / "linear.yaml"

SCENARIO = f"""
extends: linear.yaml
adverse_events: null
name: ranked
accrual: {{sites: {{clinics: {{backlog: {BACKLOG}}}}}}}
designs:
  as_they_come: {{n: {PATIENTS}, looks: [{{when: {{readouts: {PATIENTS}}}}}]}}
  ranked:
    extends: as_they_come
    policies: {{recruitment: {{mlp: {{checkpoint: mlp.safetensors, digest: DIGEST}}}}}}
"""


def main() -> None:
    """Train, run, and print."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "linear.yaml").write_text(WORLD.read_text(encoding="utf-8"), encoding="utf-8")
        options = {key: default for key, (default, *_) in OPTIONS["mlp"].items()} | {
            "hidden": (32, 16),
            "epochs": 3,
        }
        before = process_time()
        trained = train(
            TrainingRequest("mlp", folder / "linear.yaml", None, None, "randomised", 20, 1, options)
        )
        digest = trained.write(folder / "mlp.safetensors")
        print(f"training: {process_time() - before:.1f} s (AUC {trained.quality['test']['auc']:.3f})")
        path = folder / "ranked.yaml"
        path.write_text(SCENARIO.replace("DIGEST", digest), encoding="utf-8")
        seconds = {}
        for design in ("as_they_come", "ranked"):
            workshop = Workshop(Job(load_scenario(path), 1))
            workshop.run(design, "expected", 0, 64)  # compiles, loads, learns how long enrolment takes
            processor, wall = process_time(), perf_counter()
            columns = workshop.run(design, "expected", 64, 64 + trials)
            seconds[design] = process_time() - processor
            trials_table = columns["trials"]
            if trials_table["enrolled"].mean() < 0.99 * PATIENTS:
                raise SystemExit(
                    f"{trials_table['enrolled'].mean():.1f} patients a trial; {PATIENTS} were to be enrolled"
                )
            print(f"{design}: {seconds[design]:.1f} processor seconds, {perf_counter() - wall:.1f} on the clock, "
                  f"{trials_table['candidates'].mean():,.0f} candidates a trial")  # fmt: skip
        policy = 1e3 * (seconds["ranked"] - seconds["as_they_come"]) / trials
        whole = seconds["ranked"] * TRIALS / trials
        print(f"the policy: {policy:.2f} ms a trial; a Philox double takes {calibration():.2f} ns here")
        print(f"10,000 ranked trials: {whole:.0f} processor seconds; target {TARGET:.0f}")
        if whole > TARGET:
            raise SystemExit("too slow")


if __name__ == "__main__":
    main()
