"""The folder of a sweep: everything it found and everything needed to make it again."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from trialsim.errors import UsageError
from trialsim.oc.provenance import machine, package_versions
from trialsim.oc.run_writer import RunWriter, behind_links, require_name
from trialsim.oc.sweep import Sweep
from trialsim.oc.sweep_grid import Grid, Vary
from trialsim.oc.unfinished import clear_abandoned
from trialsim.scenario.writing import save_scenario

_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked of a sweep, and where its results shall lie."""

    source: Path
    grid: Grid
    measures: tuple[str, ...]
    solve: str | None
    replicates: int
    seed: int
    engine: str
    workers: int
    out: Path | None
    uncertified: tuple[str, ...] = ()
    """What is said of designs whose learned policies have no certificate."""

    @property
    def command(self) -> str:
        """Return the command that makes the same sweep, with every option spelled out."""
        words = ["trialsim", "sweep", str(self.source)]
        for vary in self.grid.varied:
            words += ["--vary", _written(vary)]
        words += ["--designs", ",".join(self.grid.designs), "--truths", ",".join(self.grid.truths)]
        for measure in self.measures:
            words += ["--measure", measure]
        if self.solve is not None:
            words += ["--solve", self.solve]
        words += ["--replicates", str(self.replicates), "--seed", str(self.seed)]
        words += ["--engine", self.engine, "--workers", str(self.workers)]
        if self.out is not None:
            words += ["--out", str(self.out)]
        if self.uncertified:
            words += ["--uncertified"]
        return shlex.join(words)


def folder_of(asked: Asked) -> Path:
    """Return the folder of the results, by default named by a digest of all that was asked."""
    if asked.out is not None:
        return asked.out
    grid = asked.grid
    whole = {
        "scenario": grid.scenario.digest(),
        "vary": [vary.document() for vary in grid.varied],
        "designs": grid.designs,
        "truths": grid.truths,
        "measures": asked.measures,
        "solve": asked.solve,
        "replicates": asked.replicates,
    }
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    return Path("runs") / f"{grid.scenario.name}-sweep-{digest[:_DIGITS]}-{asked.seed}"


def require_free(folder: Path) -> None:
    """Refuse a folder in which something lies already.

    Raises
    ------
    UsageError
        With what to do.
    """
    require_name(folder)
    clear_abandoned(behind_links(folder))
    if folder.is_dir() and any(folder.iterdir()):
        held = "already holds a sweep" if (folder / "sweep.json").is_file() else "is not empty"
        raise UsageError(f"{folder}: {held} and is never overwritten; name another folder with --out.")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, not a folder; name another with --out.")


def write_sweep(
    writer: RunWriter, asked: Asked, found: Sweep, sentences: Sequence[str], pictures: Mapping[str, bytes]
) -> Path:
    """Write a sweep's folder, which is whole or not there, and return it.

    Parameters
    ----------
    writer
        Into its folder, opened before anything was simulated, so that nobody else takes it.
    asked
        What was asked.
    found
        What was found.
    sentences
        What was solved for, in words.
    pictures
        Files by name.

    Raises
    ------
    UsageError
        Where the folder holds something already or cannot be written.
    """
    writer.write_json("sweep.json", found.document())
    found.to_frame().to_parquet(writer.partial / "sweep.parquet", index=False)
    for name, content in pictures.items():
        (writer.partial / name).write_bytes(content)
    save_scenario(asked.grid.scenario, writer.partial)
    provenance = {
        "scenario": asked.grid.scenario.name,
        "digest": asked.grid.scenario.digest(),
        "seed": asked.seed,
        "replicates": asked.replicates,
        "designs": list(found.grid.designs),
        "truths": list(found.grid.truths),
        "engine": asked.engine,
        "workers": asked.workers,
        "command": asked.command,
        "found": list(sentences),
        "notes": list(found.notes),
        **machine(),
        "packages": package_versions(),
    }
    if asked.uncertified:
        provenance["uncertified"] = list(asked.uncertified)
    writer.write_json("provenance.json", provenance)
    return writer.finish()


def _written(vary: Vary) -> str:
    """Return what varies as an option of the command line."""
    exact = [Decimal(repr(value)) for value in vary.values]
    steps = {later - earlier for earlier, later in pairwise(exact)}
    is_range = len(exact) > 2 and len(steps) == 1
    written = [exact[0], exact[-1], *steps] if is_range else exact
    values = (":" if is_range else ",").join(map(str, written))
    return f"{vary.label}={values}{f' {vary.unit}' if vary.unit else ''}"
