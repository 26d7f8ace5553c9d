"""The same trials as bench_actg175_sites.py, in which a network of two layers scores every candidate at first contact.

The network is NumPy, its weights are fixed numbers: what is timed is how a learned recruiter costs, not how well it
does. Its scores are rounded to a grid, as the last bits of a product of matrices depend on how many rows it has. A
policy that is no registered one cannot be named on the command line, so the engine is run here, records made but not
written.

Target: 500 trials a second on a core where a Philox double takes 1.8 ns.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from measure import REFERENCE_CALIBRATION, Work, calibration

from trialsim.contracts import CandidateView, Ints, Memory
from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastEngine
from trialsim.engines.records import columns_of
from trialsim.engines.task_sizes import chunk_size

TARGET = 500
TRIALS = 1_000
HIDDEN = 16
GRID = 2.0**20
AT_ONCE = 2048


class Network:
    """Ranks candidates by a network of two layers over their standardised covariates."""

    name = "network"
    reference = "for timing only"
    decides_on = "candidate"
    as_they_come = False

    def __init__(self, rows: np.ndarray) -> None:
        generator = np.random.default_rng(1)
        middle, spread = rows.mean(axis=0), np.where(rows.std(axis=0) > 0, rows.std(axis=0), 1.0)
        first = generator.normal(0.0, 0.5, (rows.shape[1], HIDDEN))
        # Covariates are standardised by the weights themselves.
        self.first, self.shift = first / spread[:, None], -(middle / spread) @ first
        self.second = generator.normal(0.0, 0.5, HIDDEN)
        self.scored = 0

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the score of each candidate on a grid, a block at a time, so that it stays near the processor."""
        count = len(view.candidate)
        self.scored += count
        scores = np.empty(count, dtype=np.int64)
        for begin in range(0, count, AT_ONCE):
            hidden = view.covariates[begin : begin + AT_ONCE] @ self.first
            hidden += self.shift
            np.tanh(hidden, out=hidden)
            scores[begin : begin + AT_ONCE] = np.rint((hidden @ self.second) * GRID)
        return scores, memory


def main() -> None:
    """Time the trials and print what a reader needs to compare."""
    plan = Work("actg175_sites", "two_looks", "fitted", TRIALS).plan()
    source = plan.world.source
    network = Network(source.rows[:, : source.covariate_count])
    plan = dataclasses.replace(plan, recruitment=network)
    engine = FastEngine(plan)
    most = chunk_size(plan, "fast")
    conduct(engine.start(np.arange(most)))  # compiles, and tells how much room trials take
    network.scored = done = events = patients = 0
    before, start = calibration(), time.perf_counter()
    while done < TRIALS:
        step = engine.fitting(most)
        arms = columns_of(conduct(engine.start(np.arange(done, done + step))))["arms"]
        events += sum(
            int(values.sum()) for name, values in arms.items() if name.startswith("adverse_events:")
        )
        patients += int(arms["enrolled"].sum())
        done += step
    speed = done / (time.perf_counter() - start)
    unit = 0.5 * (before + calibration())
    assert network.scored > patients, "every candidate is scored, and there are more of them than patients"
    assert 1.4 <= events / patients <= 1.6
    print("actg175_sites, two_looks, fitted, candidates ranked by a network of two layers")
    print(
        f"  in a trial: {network.scored / done:,.0f} candidates scored from {source.covariate_count} covariates by "
        f"{HIDDEN} hidden units, {patients / done:,.0f} patients, {events / done:,.0f} adverse events"
    )
    print(f"  {speed:,.0f} trials per second on one core, records made")
    print(f"  calibration {unit:.2f} ns a Philox double")
    print(
        f"  {speed * unit / REFERENCE_CALIBRATION:,.0f} trials per second where a Philox double takes 1.8 ns"
    )
    print(f"  target at {REFERENCE_CALIBRATION} ns: {TARGET:,}")


if __name__ == "__main__":
    main()
