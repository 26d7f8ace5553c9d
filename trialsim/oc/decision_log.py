"""The decision log of a run: its root, and whether every link of every trial still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trialsim.engines.decision_log import HEADS, KEPT_IN_FULL, LOG, RANKINGS, Origin, origin_of
from trialsim.errors import UsageError
from trialsim.oc.run_folder import StoredRun
from trialsim.operations.sites import SITE_BITS
from trialsim.scenario.load import load_scenario

ROOT = "decision_log"
"""Key of a run's provenance."""

_ROWS = 8192


class LogRoot:
    """The digest of the heads of all trials, in the order of designs, truths and replicates, as they are written."""

    def __init__(self) -> None:
        self._hashed = hashlib.sha256()
        self.trials = self.decisions = 0

    def add(self, heads: pa.Table) -> None:
        """Take in a block of the table of heads."""
        for head, decisions in zip(heads["head"].to_pylist(), heads["decisions"].to_pylist(), strict=True):
            self._hashed.update(bytes.fromhex(head))
            self.trials += 1
            self.decisions += decisions

    def provenance(self) -> dict[str, Any]:
        """Return what the provenance of a run says of its log."""
        return {
            "root": self._hashed.hexdigest(),
            "trials": self.trials,
            "decisions": self.decisions,
            "kept_in_full": KEPT_IN_FULL,
        }


@dataclass(frozen=True)
class Broken:
    """The first place at which a log does not hold.

    Parameters
    ----------
    what
        What differs, in words.
    design, truth, replicate, decision
        Where; None where it is no single trial or decision.
    """

    what: str
    design: str | None = None
    truth: str | None = None
    replicate: int | None = None
    decision: int | None = None

    def __str__(self) -> str:
        """Return where and what."""
        parts = [] if self.design is None else [f"{self.design}, {self.truth}"]
        parts += [] if self.replicate is None else [f"replicate {self.replicate}"]
        parts += [] if self.decision is None else [f"decision {self.decision}"]
        return f"{', '.join(parts)}: {self.what}" if parts else self.what


@dataclass(frozen=True)
class Verified:
    """What a verification found: the root, how much was verified, and the first break, if any."""

    root: str
    trials: int
    decisions: int
    rankings: int
    broken: Broken | None


def stored_root(run: StoredRun) -> Mapping[str, Any]:
    """Return what a run's provenance says of its decision log.

    Raises
    ------
    UsageError
        Where the run kept none, or its files are gone.
    """
    told = run.provenance.get(ROOT)
    if not isinstance(told, Mapping):
        raise UsageError(
            f"{run.folder}: this run kept no log of decisions; run it again with `trialsim run ... --decision-log`"
        )
    for name in (LOG, HEADS):
        if not (run.folder / f"{name}.parquet").is_file():
            raise UsageError(
                f"{run.folder}: {name}.parquet is missing, so that nothing can be verified; run it again"
            )
    return told


def verify(run: StoredRun, noted_root: str | None = None) -> Verified:
    """Follow every chain of a run from its origin to its head, and the heads to the root.

    The records are read block by block; memory does not grow with the number of trials.

    Parameters
    ----------
    run
        A stored run.
    noted_root
        The root as it was noted elsewhere; that of the provenance must be the same.

    Raises
    ------
    UsageError
        Where the run has no log.
    """
    told = stored_root(run)
    counted = {"trials": 0, "decisions": 0, "rankings": 0}
    hashed = hashlib.sha256()
    broken = None
    try:
        broken = _follow(run, counted, hashed)
    except KeyError as error:
        broken = Broken(f"a column or an entry is missing, {error}")
    except (pa.ArrowException, OSError, ValueError, TypeError, AttributeError) as error:
        broken = Broken(f"the log cannot be read any more ({type(error).__name__})")
    root = hashed.hexdigest()
    if broken is None and root != told.get("root"):
        broken = Broken(
            f"the heads of the chains give the root {root}, and provenance.json says {told.get('root')}: "
            "heads and their chains, or the root, were changed"
        )
    if broken is None and (told.get("trials"), told.get("decisions"), told.get("kept_in_full")) != (
        counted["trials"], counted["decisions"], KEPT_IN_FULL,
    ):  # fmt: skip
        broken = Broken("provenance.json counts other trials or decisions than the log holds")
    if broken is None and noted_root is not None and noted_root.lower() != root:
        broken = Broken(f"the root is {root}, not the one that was noted, {noted_root}")
    return Verified(root, **counted, broken=broken)


def _follow(run: StoredRun, counted: dict[str, int], hashed: Any) -> Broken | None:
    """Return the first break of any chain; count what holds and add up the heads."""
    scenario = load_scenario(run.folder / "scenario.yaml")
    log, heads = _Rows(run.folder, LOG), _Rows(run.folder, HEADS)
    rankings = _Rows(run.folder, RANKINGS)
    for design in run.provenance["designs"]:
        for truth in run.provenance["truths"]:
            origin = origin_of(scenario, design, truth, int(run.provenance["seed"]))
            for replicate in range(int(run.provenance["replicates"])):
                at = (design, truth, replicate)
                head = heads.of(at)
                if len(head) != 1:
                    return Broken("its head is missing, or there is more than one", *at)
                decisions = log.of(at)
                found = _chain(origin, at, decisions, head[0]) or _rankings(at, decisions, rankings.of(at))
                if found is not None:
                    return found
                counted["trials"] += 1
                counted["decisions"] += len(decisions)
                counted["rankings"] += sum(
                    json.loads(each["record"])["kind"] == "candidates" for each in decisions
                )
                hashed.update(bytes.fromhex(head[0]["head"]))
    for rows in (log, heads, rankings):
        if (left := rows.next()) is not None:
            return Broken(
                "has rows of a trial that was not run", left["design"], left["truth"], left["replicate"]
            )
    return None


class _Rows:
    """The rows of a table one after the other, read in blocks; those of a trial follow each other."""

    def __init__(self, folder: Path, name: str) -> None:
        path = folder / f"{name}.parquet"
        self._rows: Iterator[dict[str, Any]] = self._read(path) if path.is_file() else iter(())
        self._waiting: dict[str, Any] | None = next(self._rows, None)

    @staticmethod
    def _read(path: Path) -> Iterator[dict[str, Any]]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, use_threads=False):
                yield from batch.to_pylist()

    def next(self) -> dict[str, Any] | None:
        """Return the row that comes next."""
        return self._waiting

    def of(self, trial: tuple[str, str, int]) -> list[dict[str, Any]]:
        """Return the rows of a trial, if they come next."""
        found = []
        while (row := self._waiting) is not None and (row["design"], row["truth"], row["replicate"]) == trial:
            found.append(row)
            self._waiting = next(self._rows, None)
        return found


def _chain(
    origin: Origin, at: tuple[str, str, int], decisions: Sequence[Mapping[str, Any]], head: Mapping[str, Any]
) -> Broken | None:
    """Return the first break in the chain of a trial."""
    link = origin.link(at[2])
    for number, row in enumerate(decisions):
        if row["decision"] != number:
            return Broken(f"decision {number} is missing, {row['decision']} stands in its place", *at, number)
        before, link = link, hashlib.sha256(link + row["record"].encode()).digest()
        if row["link"] != link.hex():
            return Broken(_why(before, decisions, number, head), *at, number)
        if (what := _record_fault(at[2], row)) is not None:
            return Broken(what, *at, number)
    if head["decisions"] != len(decisions):
        return Broken(
            f"the log holds {len(decisions)} decisions, its head says {head['decisions']}", *at, None
        )
    if head["head"] != link.hex():
        return Broken(
            "the head of the chain is not its last link", *at, len(decisions) - 1 if decisions else None
        )
    return None


def _why(before: bytes, decisions: Sequence[Mapping[str, Any]], number: int, head: Mapping[str, Any]) -> str:
    """Return whether the record or the link was changed, by what comes after it."""
    row, following = decisions[number], decisions[number + 1 :]
    computed = hashlib.sha256(before + row["record"].encode()).hexdigest()

    def goes_on(link: str) -> bool:
        if not following:
            return bool(head["head"] == link)
        try:
            start = bytes.fromhex(link)
        except ValueError:
            return False
        return bool(
            hashlib.sha256(start + following[0]["record"].encode()).hexdigest() == following[0]["link"]
        )

    if goes_on(row["link"]) and not goes_on(computed):
        if number == 0:
            return (
                "its link does not follow from its record and where the chain begins: the record was changed, or scenario, "
                "seed, design, truth or model in provenance.json and scenario.yaml are not those of the run"
            )
        return "its record was changed: it does not give the link that the next one builds on"
    if goes_on(computed):
        return "its link was changed: the next one builds on another"
    return "its record, its link and what builds on them do not agree"


def _record_fault(replicate: int, row: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the text of what was seen, by the digest in its record."""
    record = json.loads(row["record"])
    if record["kind"] == "candidates":
        return "holds a text of what was seen, which belongs into the rankings" if row["seen"] else None
    if record["kind"] == "visits":
        return "holds a text of what was seen, of which it tells nothing" if row["seen"] else None
    if replicate >= KEPT_IN_FULL:
        return "holds a text of what was seen, of which only the digest is kept" if row["seen"] else None
    if hashlib.sha256(row["seen"].encode()).hexdigest() != record["seen"]:
        return "the text of what was seen was changed: it has not the digest in the record"
    return None


def _rankings(
    at: tuple[str, str, int], decisions: Sequence[Mapping[str, Any]], ranked: list[dict[str, Any]]
) -> Broken | None:
    """Return the first ranking whose candidates are not those whose digest its record holds."""
    if at[2] >= KEPT_IN_FULL:
        return Broken("has rankings in full, of which only digests are kept", *at) if ranked else None
    left = ranked
    for row in decisions:
        record = json.loads(row["record"])
        if record["kind"] != "candidates":
            continue
        number = int(row["decision"])
        mine = [each for each in left if each["decision"] == number]
        left = [each for each in left if each["decision"] != number]
        if len(mine) != record["decided"]["candidates"]:
            return Broken(
                f"the ranking holds {len(mine)} candidates, its record says {record['decided']['candidates']}",
                *at, number,
            )  # fmt: skip
        if scores_digest(mine) != record["decided"]["scores"]:
            return Broken(
                "the ranking was changed: candidates, times or scores are not those of its record",
                *at,
                number,
            )
        if hashlib.sha256("\n".join(each["seen"] for each in mine).encode()).hexdigest() != record["seen"]:
            return Broken("what was seen of its candidates was changed", *at, number)
    return Broken("has candidates ranked in no decision of its log", *at) if left else None


def scores_digest(ranked: Sequence[Mapping[str, Any]]) -> str:
    """Return the digest of a ranking: key, tick and score of each candidate as int64, the lowest byte first."""
    rows = np.array(
        [(each["site"] << SITE_BITS | each["candidate"], each["tick"], each["score"]) for each in ranked],
        dtype="<i8",
    )
    return hashlib.sha256(rows.tobytes()).hexdigest()


def decisions_of(
    run: StoredRun, design: str, truth: str, replicate: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of one trial in the log and in the rankings."""
    found = []
    for name in (LOG, RANKINGS):
        path = run.folder / f"{name}.parquet"
        mine: list[dict[str, Any]] = []
        if path.is_file():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_ROWS * 8, use_threads=False):
                    near = batch.filter(pa.compute.equal(batch["replicate"], replicate))
                    mine += [
                        row for row in near.to_pylist() if (row["design"], row["truth"]) == (design, truth)
                    ]
        found.append(mine)
    return found[0], found[1]
