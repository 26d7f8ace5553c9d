"""Running a request into a folder: checks, simulation with a progress bar, measures, report."""

from __future__ import annotations

import ctypes
import datetime
import gc
import re
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.errors import UsageError
from trialsim.replicate_ranges import EVALUATION

if TYPE_CHECKING:
    from trialsim.cli.progress_shown import Show
    from trialsim.oc.characteristics import OperatingCharacteristics
    from trialsim.oc.decision_log import LogRoot
    from trialsim.oc.run_writer import RunWriter
    from trialsim.scenario.schema import Scenario

ENGINES = ("fast", "reference")
MOST_REPLICATES = EVALUATION.stop
MOST_WORKERS = 256
LARGEST_SEED = 2**63 - 1
_TRIM_THRESHOLD, _KEPT_BYTES = -1, 512 << 20
_MMAP_THRESHOLD, _LARGEST_KEPT = -3, 32 << 20  # it takes no more
_ARENAS, _ONE_FOR_ALL_THREADS = -8, 1
_MOST_THREADS = 4
_COMMAS = re.compile(r",(?![^\[]*\])")


@dataclass(frozen=True)
class Request:
    """What is to be simulated, and where its results shall lie."""

    scenario: Scenario
    source: Path
    designs: tuple[str, ...]
    truths: tuple[str, ...]
    replicates: int
    seed: int
    engine: str
    workers: int
    finished_by: tuple[float, ...]
    out: Path | None
    checkpoint: Path | None = None
    decision_log: bool | None = None
    uncertified: tuple[str, ...] = ()
    """Why designs that are run all the same have no certificate that counts."""
    certified: tuple[str, ...] = ()
    """What the certificates of the others say."""

    @property
    def logs_decisions(self) -> bool:
        """Return whether the decision log is kept: as asked, otherwise where a chosen design has a learned policy."""
        if self.decision_log is not None:
            return self.decision_log
        from trialsim.scenario.checkpoints import checkpoints_of

        return bool(checkpoints_of(self.scenario, self.designs))

    @property
    def folder(self) -> Path:
        """Return the folder of the results."""
        if self.out is not None:
            return self.out
        return Path("runs") / f"{self.scenario.name}-{self.scenario.digest()[:12]}-{self.seed}"

    @property
    def command(self) -> str:
        """Return the command that makes the same run, with every option spelled out."""
        words = ["trialsim", "run", str(self.source)]
        words += ["--designs", ",".join(self.designs), "--truths", ",".join(self.truths)]
        words += ["--replicates", str(self.replicates), "--seed", str(self.seed)]
        words += ["--engine", self.engine, "--workers", str(self.workers)]
        for date in self.finished_by:
            words += ["--finished-by", f"{date!r} days"]
        if self.out is not None:
            words += ["--out", str(self.out)]
        if self.decision_log is not None:
            words += ["--decision-log" if self.decision_log else "--no-decision-log"]
        if self.uncertified:
            words += ["--uncertified"]
        return shlex.join(words)


@dataclass(frozen=True)
class Done:
    """A run that is on disk; `summary` is the text of its JSON document, `empty` says which designs enrolled nobody."""

    folder: Path
    characteristics: OperatingCharacteristics
    targets: dict[tuple[str, str], float]
    summary: str
    log_root: str | None = None
    empty: tuple[str, ...] = ()


def check_numbers(replicates: int, seed: int, workers: int, engine: str) -> None:
    """Refuse what no simulation can use.

    Raises
    ------
    UsageError
        With all that is wrong, a line each, and what is allowed.
    """
    from trialsim.scenario.wording import did_you_mean

    wrong = []
    if not 1 <= replicates <= MOST_REPLICATES:
        wrong.append(
            f"--replicates: {replicates} is not allowed; it is a number from 1 to {MOST_REPLICATES:,}."
        )
    if not 0 <= seed <= LARGEST_SEED:
        wrong.append(f"--seed: {seed} is not allowed; it is a number from 0 to {LARGEST_SEED}.")
    if not 1 <= workers <= MOST_WORKERS:
        wrong.append(f"--workers: {workers} is not allowed; it is a number from 1 to {MOST_WORKERS}.")
    if engine not in ENGINES:
        hint = did_you_mean(engine, ENGINES)
        wrong.append(f"--engine: {engine!r} is unknown; allowed: {', '.join(ENGINES)}.{hint}")
    if wrong:
        raise UsageError("\n".join(wrong))


def dates_in_days(written: Iterable[str]) -> tuple[float, ...]:
    """Return durations in days.

    Raises
    ------
    UsageError
        Where one is not a duration.
    """
    from trialsim.scenario.units import parse_duration

    found, wrong = [], []
    for text in written:
        try:
            found.append(parse_duration(text))
        except ValueError as error:
            wrong.append(f"--finished-by: {error}.")
    if wrong:
        raise UsageError("\n".join(wrong))
    return tuple(found)


def names_in(written: str | None, option: str) -> list[str] | None:
    """Return the names of a list separated by commas; commas in brackets belong to a name.

    Raises
    ------
    UsageError
        Where the list is given but empty.
    """
    if written is None:
        return None
    names = [name for part in _COMMAS.split(written) if (name := part.strip())]
    if not names:
        raise UsageError(f"{option}: at least one name is expected, separated by commas.")
    return list(dict.fromkeys(names))


def _settle_memory() -> None:
    """Let this process, which lives for one command, keep what it frees and not look for garbage in what it imported.

    Memory that is given back to the system comes again page by page, which takes as long as what is computed in it.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:  # the C library is that of GNU
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_ARENAS, _ONE_FOR_ALL_THREADS)
    gc.freeze()


def run_into_folder(request: Request) -> Done:
    """Simulate, measure, write; on an error or an interrupt nothing is left behind.

    Raises
    ------
    UsageError
        Where the folder holds something already.
    """
    from trialsim.cli.progress_shown import progress_of
    from trialsim.engines.effects import effect_table, effects
    from trialsim.oc.characteristics import operating_characteristics
    from trialsim.oc.decision_log import ROOT, LogRoot
    from trialsim.oc.document import summary_document
    from trialsim.oc.provenance import machine, package_versions, population_digest
    from trialsim.oc.run_folder import ParquetRecords, alpha_targets, planned_looks
    from trialsim.oc.run_writer import RunWriter, json_text
    from trialsim.report.empty_trials import empty_sentences
    from trialsim.report.failures import failure_sentences
    from trialsim.report.page import page
    from trialsim.scenario.writing import save_scenario

    _settle_memory()
    scenario = request.scenario.dump()
    targets = alpha_targets(scenario)
    started = _now()
    with RunWriter(request.folder) as writer:
        log = LogRoot() if request.logs_decisions else None
        total = len(request.designs) * len(request.truths) * request.replicates
        with progress_of("trials", total) as show:
            found = effects(request.scenario, request.truths)
            cells = _simulate(request, writer, log, show)
        writer.write_effects(effect_table(found))
        records = ParquetRecords(writer.close_tables(cells))
        characteristics = operating_characteristics(
            records,
            finished_by=request.finished_by,
            planned_looks=planned_looks(scenario),
            threads=min(request.workers, _MOST_THREADS),
        )
        provenance = {
            "scenario": request.scenario.name,
            "digest": request.scenario.digest(),
            "population_digest": population_digest(scenario, request.scenario.folder),
            "seed": request.seed,
            "replicates": request.replicates,
            "designs": list(request.designs),
            "truths": list(request.truths),
            "finished_by": list(request.finished_by),
            "engine": request.engine,
            "workers": request.workers,
            "command": request.command,
            **machine(),
            "packages": package_versions(),
            "started": started,
            "finished": _now(),
            "rows": writer.rows,
            "columns": writer.columns,
            "effects": len(found),
        }
        if log is not None:
            provenance[ROOT] = log.provenance()
        if request.uncertified:
            provenance["uncertified"] = list(request.uncertified)
        if request.certified:
            provenance["certified"] = list(request.certified)
        summary = json_text(
            summary_document(
                request.scenario.name, str(provenance["digest"]), request.seed, characteristics, scenario
            )
        )
        save_scenario(request.scenario, writer.partial)
        writer.write_json("provenance.json", provenance)
        writer.write_text("summary.json", summary)
        writer.write_text("report.html", page(scenario, provenance, characteristics, records, targets, found))
        empty = [*empty_sentences(records), *failure_sentences(records)]
        records.close()
        folder = writer.finish()
    root = None if log is None else log.provenance()["root"]
    return Done(folder, characteristics, targets, summary, root, tuple(empty))


def _simulate(request: Request, writer: RunWriter, log: LogRoot | None, show: Show) -> Any:
    from trialsim.engines.decision_log import HEADS
    from trialsim.engines.runner import run
    from trialsim.engines.task_store import TaskStore

    about: dict[str, Any] = {
        "scenario": request.scenario.digest(),
        "seed": request.seed,
        "engine": request.engine,
    }
    kept: dict[str, Any] = {}
    if log is not None:
        kept["decision_log"] = about["decision_log"] = True
    if request.checkpoint is not None:
        kept["store"] = TaskStore(request.checkpoint, about)

    def write(tables: dict[str, Any]) -> None:
        if log is not None:
            log.add(tables[HEADS])
        writer.write_chunk(tables)

    return run(
        request.scenario,
        request.designs,
        request.truths,
        request.replicates,
        request.seed,
        request.engine,
        request.workers,
        write,
        show,
        **kept,
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
