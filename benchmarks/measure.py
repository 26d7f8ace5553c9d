"""How speed is measured here: the command itself, on one core, without its start-up, beside the speed of that core."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from trialsim.draws import calibration_sum
from trialsim.engines.plan import Plan, build_plan
from trialsim.scenario.load import load_scenario, patient_table

ROOT = Path(__file__).resolve().parent.parent
REFERENCE_CALIBRATION = 1.8
"""Nanoseconds a Philox double of the plain scalar generator takes on the core for which targets are stated."""


def calibration() -> float:
    """Return the nanoseconds that one Philox double takes in the plain scalar generator on this core, now."""
    calibration_sum(10)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        calibration_sum(1_000_000)
        best = min(best, time.perf_counter() - start)
    return best / 4e6 * 1e9


@dataclass(frozen=True)
class Work:
    """One cell to run.

    Parameters
    ----------
    scenario
        Name of the folder under ``scenarios``.
    design, truth
        Names in it.
    replicates
        Trials of the longer of the two runs whose difference is timed.
    file
        Name of the file in the folder, where it is not the folder's.
    """

    scenario: str
    design: str
    truth: str
    replicates: int
    file: str | None = None

    @property
    def path(self) -> Path:
        """The scenario's file."""
        return ROOT / "scenarios" / self.scenario / f"{self.file or self.scenario}.yaml"

    def plan(self) -> Plan:
        """Return the plan of the cell."""
        scenario = load_scenario(self.path)
        return build_plan(scenario, self.design, self.truth, 1, 1, patient_table(scenario))


@dataclass(frozen=True)
class Run:
    """What one run of the command took and did.

    Parameters
    ----------
    seconds, processor_seconds, memory_mb
        Wall clock, time of the processor, and the largest memory.
    summary
        What the command printed.
    lives
        Mean numbers a trial of patients, adverse events and visits held, by these names; what the scenario lacks is 0.
    """

    seconds: float
    processor_seconds: float
    memory_mb: float
    summary: dict[str, Any]
    lives: dict[str, float]


def lives_of(out: Path, replicates: int) -> dict[str, float]:
    """Return the mean numbers a trial of patients, adverse events and visits held, from the records of a run."""
    arms = pq.read_table(out / "arms.parquet")
    kinds = {
        "patients": ("enrolled",),
        "adverse events": ("adverse_events:",),
        "visits": ("visits_on_time", "visits_late"),
    }
    return {
        kind: sum(pc.sum(arms[name]).as_py() for name in arms.column_names if name.startswith(starts))
        / replicates
        for kind, starts in kinds.items()
    }


def run_command(
    work: Work,
    replicates: int,
    workers: int = 1,
    engine: str = "fast",
    cache: Path | None = None,
    core: int = -1,
) -> Run:
    """Run ``trialsim run`` in a process of its own, on as many cores as it has workers, and check the work it did.

    ``core`` is the place, among those there are, of the core on which a run with one worker goes.
    """
    folder = Path(tempfile.mkdtemp(prefix="trialsim-bench-"))
    out = folder / "run"
    command = [
        sys.executable, "-m", "trialsim", "run", str(work.path), "--designs", work.design, "--truths", work.truth,
        "--replicates", str(replicates), "--workers", str(workers), "--engine", engine, "--out", str(out), "--json",
    ]  # fmt: skip
    environment = dict(os.environ)
    if cache is not None:
        environment["TRIALSIM_CACHE_DIR"] = str(cache)
    there = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    cores = there[core:][:1] if workers == 1 else there[-workers:]
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, preexec_fn=pin
    )
    printed, _ = process.communicate()
    seconds = time.perf_counter() - start
    assert process.returncode == 0, f"{' '.join(command)} failed"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    largest = after.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rows = pq.read_metadata(out / "trials.parquet").num_rows
    assert rows == replicates, f"{rows} trials were written, {replicates} asked for"
    lives = lives_of(out, replicates)
    shutil.rmtree(folder)
    return Run(seconds, processor, largest, json.loads(printed), lives)


def trials_per_second(work: Work, workers: int = 1, engine: str = "fast") -> tuple[float, float, Run]:
    """Return trials per second between a short and a long run of the command, which leaves its start-up out.

    The second figure counts seconds of the processor, which on a busy machine mislead less than those of the clock.
    """
    short = max(1, work.replicates // 10)
    run_command(work, min(short, 64), workers, engine)
    few, many = (
        [run_command(work, replicates, workers, engine) for _ in range(2)]
        for replicates in (short, work.replicates)
    )
    run = min(many, key=lambda each: each.seconds)
    further = work.replicates - short
    clock = run.seconds - min(each.seconds for each in few)
    processor = min(each.processor_seconds for each in many) - min(each.processor_seconds for each in few)
    return further / clock, further / processor, run


def draws_per_patient(plan: Plan) -> str:
    """Return how many random words a patient takes, and for what."""
    source = plan.world.source
    parts = {
        "entry": int(plan.world.accrual.random),
        "row of the table": int(source.table is not None),
        "covariates and latent traits": 0 if source.marginals is None else len(source.marginals.kind),
        "allocation": int(plan.allocation.rule != 0),
        "outcomes": len(plan.world.outcomes),
        "dropout": int(plan.world.dropout is not None),
    }
    return f"{sum(parts.values())} ({', '.join(f'{name} {count}' for name, count in parts.items() if count)})"


def measure(summary: dict[str, Any], name: str) -> tuple[float, float]:
    """Return a measure of the run's only cell and its Monte Carlo standard error."""
    found = next(
        m for m in summary["measures"] if m["name"] == name and m["hypothesis"] is None and m["look"] is None
    )
    return found["value"], found["mcse"]


def report(
    work: Work, target: float, reference_replicates: int, adverse_events: tuple[float, float] | None = None
) -> None:
    """Time a cell in both engines and print all that a reader needs to compare.

    Parameters
    ----------
    work
        The cell.
    target
        Trials per second at the calibration for which targets are stated.
    reference_replicates
        Trials of the reference engine, enough of them to take a second or more.
    adverse_events
        Least and most adverse events a patient that the work must have had, where it is about them.
    """
    plan = work.plan()
    before = calibration()
    speed, by_processor, run = trials_per_second(work)
    unit = 0.5 * (before + calibration())
    # So few trials are mostly start-up, which the clock of a busy machine drowns.
    _, slow, _ = trials_per_second(replace(work, replicates=reference_replicates), engine="reference")
    events, _ = measure(run.summary, "analysed")
    rate = run.lives["adverse events"] / run.lives["patients"]
    if adverse_events is not None:
        least, most = adverse_events
        assert least <= rate <= most, f"{rate:.3f} adverse events a patient, not {least} to {most}"
    accrual = "random" if plan.world.accrual.random else "fixed"
    print(f"{work.scenario}, {work.design}, {work.truth}")
    print(
        f"  n {plan.n}, arms {len(plan.arms)}, looks {len(plan.looks)}, tests {len(plan.tests)}, {accrual} entry times"
    )
    print(f"  random words a patient: {draws_per_patient(plan)}")
    print(f"  work done: {work.replicates:,} trials written, {events:,.1f} patients analysed in the mean")
    print(
        f"  in a trial: {run.lives['patients']:,.0f} patients, {run.lives['adverse events']:,.0f} adverse events "
        f"({rate:.2f} a patient), {run.lives['visits']:,.0f} visits"
    )
    print(f"  {speed:,.0f} trials per second on one core, through `trialsim run`, records written")
    scaled = speed * unit / REFERENCE_CALIBRATION
    print(f"  calibration {unit:.2f} ns a Philox double")
    print(f"  {scaled:,.0f} trials per second where a Philox double takes {REFERENCE_CALIBRATION} ns")
    print(f"  by processor time: {by_processor:,.0f}, and {by_processor * unit / REFERENCE_CALIBRATION:,.0f}")
    print(f"  target at {REFERENCE_CALIBRATION} ns: {target:,.0f}")
    print(
        f"  reference engine: {slow:,.1f} trials per second of the processor, {by_processor / slow:,.0f} times slower"
    )
