"""What grows and what does not: workers, memory, and the first run after installation."""

from __future__ import annotations

import shutil
import tempfile
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from measure import Work, calibration, run_command, trials_per_second

from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastEngine
from trialsim.engines.records import columns_of

FEW, MORE = 8, 24
TURNS = 3


def memory_of_a_trial(work: Work) -> float:
    """Return the megabytes that one more trial in a chunk takes at most: arrays, from two chunks of unlike size."""
    engine = FastEngine(work.plan())
    for first in range(3):  # compiles, and shows the engine how much room trials take
        columns_of(conduct(engine.start(np.arange(first * MORE, (first + 1) * MORE))))
    peaks = {}
    for size in (FEW, MORE):
        tracemalloc.start()
        columns_of(conduct(engine.start(np.arange(size))))
        peaks[size] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return (peaks[MORE] - peaks[FEW]) / (MORE - FEW) / 1e6


def side_by_side(work: Work) -> float:
    """Return trials per second of two runs that know nothing of each other: what the second core is good for."""
    few, many = work.replicates // 20, work.replicates // 2

    def seconds(replicates: int) -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda core: run_command(work, replicates, core=core), (-1, -2)))
        return time.perf_counter() - start

    return 2 * (many - few) / (seconds(many) - seconds(few))


def main() -> None:
    """Print the gain of a second worker, memory by replicates, and the time of the first and the second run."""
    print(f"calibration {calibration():.2f} ns a Philox double")
    for work in (
        Work("nph_oncology", "group_sequential", "proportional", 1_600_000),
        Work("actg175", "sequential", "fitted", 120_000),
    ):
        # In turn, as other machines on the same processor come and go: the best of each are compared.
        speeds = [
            tuple(trials_per_second(work, workers=workers)[0] for workers in (1, 2)) for _ in range(TURNS)
        ]
        one, two = (max(each) for each in zip(*speeds, strict=True))
        print(
            f"{work.scenario}: {one:,.0f} trials per second with one worker, {two:,.0f} with two: {two / one:.2f} times "
            f"(in {TURNS} turns {', '.join(f'{second / first:.2f}' for first, second in speeds)})"
        )
        print(
            f"{work.scenario}: {side_by_side(work):,.0f} by two runs with one worker each, at the same time"
        )
    binary = Work("binary_sequential", "group_sequential", "alternative", 1_000_000)
    for replicates in (100_000, 1_000_000):
        run = run_command(binary, replicates)
        print(f"{replicates:,} binary trials: {run.memory_mb:,.0f} MB at most")
    for work in (Work("actg175", "sequential", "fitted", 1), Work("actg175_sites", "two_looks", "fitted", 1)):
        print(f"{work.scenario}: {memory_of_a_trial(work):.2f} MB a trial in flight")
    cache = Path(tempfile.mkdtemp(prefix="trialsim-kernels-"))
    for name in ("actg175", "nph_oncology", "binary_sequential"):
        truth, design = {
            "actg175": ("fitted", "sequential"),
            "nph_oncology": ("proportional", "group_sequential"),
        }.get(name, ("alternative", "group_sequential"))
        work = Work(name, design, truth, 200)
        first, second = (run_command(work, 200, cache=cache).seconds for _ in range(2))
        print(f"{name}: first run {first:.1f} s with an empty cache, second {second:.1f} s")
    shutil.rmtree(cache)


if __name__ == "__main__":
    main()
