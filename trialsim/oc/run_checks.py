"""Whether a run on disk is what its provenance says, before anything is told from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trialsim.errors import ScenarioError, UsageError, system_reason
from trialsim.oc.run_writer import LOG_TABLES, TABLES
from trialsim.scenario.load import load_scenario

_CELL = frozenset({"design", "truth"})
_COLUMNS = {
    "trials": _CELL
    | {"replicate", "status", "stop_reason", "stop_look", "enrolled", "analysed", "pipeline", "overrun"}
    | {"events", "lock_time", "decision_time", "last_visit_time"},
    "looks": _CELL | {"replicate", "look"},
    "arms": _CELL | {"replicate", "arm", "enrolled", "dropped_look"},
    "sites": _CELL | {"replicate", "site", "candidates", "screened", "screen_failures", "randomised"},
    "screening": _CELL | {"replicate", "reason", "failures"},
    "subgroups": _CELL | {"replicate", "subgroup", "candidates", "eligible", "randomised"},
    "enrolment": _CELL | {"group", "time", "planned", "mean", "mcse", "p10", "median", "p90", "trials"},
    "adverse_events": _CELL
    | {
        "trial_group",
        "arm",
        "term",
        "period",
        "time",
        "trials",
        "events",
        "serious",
        "risk_days",
    },
    "decisions": _CELL | {"replicate", "look", "rule"},
    "cells": _CELL | {"hypothesis", "estimand", "estimator", "true_value", "null", "best_arm", "unit"},
    "effects": frozenset({"truth", "endpoint", "arm", "control", "measure", "conditional", "marginal"}),
}
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def require_provenance(path: Path, provenance: Mapping[str, Any]) -> None:
    """Refuse a provenance that lacks what a run writes, or holds something else in its place.

    Raises
    ------
    UsageError
        With the first entry that is wrong.
    """
    for key, is_good in _PROVENANCE.items():
        if key not in provenance and key in _NEWER:
            continue
        if key not in provenance:
            raise UsageError(f"{path}: damaged, {key} is missing; run it again")
        if not is_good(provenance[key]):
            raise UsageError(f"{path}: damaged, {key} is not what a run writes there; run it again")


DAMAGED = (pa.ArrowException, OSError, ValueError, KeyError)


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be read."""
    try:
        yield
    except DAMAGED as error:
        raise UsageError(f"{path}: damaged, it cannot be read; run it again") from error


def require_columns(folder: Path, written: Mapping[str, list[str]]) -> None:
    """Refuse tables that lack a column.

    Parameters
    ----------
    folder
        Of the run.
    written
        The columns that the run wrote, by table; where it says nothing, those that every run has.

    Raises
    ------
    UsageError
        With the column.
    """
    for name, needed in _COLUMNS.items():
        path = folder / f"{name}.parquet"
        if path.is_file():
            with damage_named(path):
                there = set(pq.read_schema(path).names)
            lacking = sorted(needed.union(written.get(name, ())) - there)
            if lacking:
                raise UsageError(f"{path}: damaged, the column {lacking[0]} is missing; run it again")


def require_scenario(folder: Path, digest: str) -> None:
    """Refuse a scenario that is not the one that was run.

    Raises
    ------
    UsageError
        Where it cannot be read or has another digest than its provenance says.
    """
    path = folder / "scenario.yaml"
    try:
        found = load_scenario(path).digest()
    except ScenarioError as error:
        raise UsageError(
            f"{path}: damaged, it is no scenario any more, or what it names beside it is not what it was: "
            f"{error.problems[0]}; run it again"
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path}: damaged, it cannot be read ({system_reason(error)}); run it again"
        ) from error
    if found != digest:
        raise UsageError(
            f"{path}: is not the scenario that was run, its digest is {found[:12]} and that in provenance.json "
            f"{digest[:12]}; it, or the patients beside it, was changed since; run it again"
        )


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _list_of(is_good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(is_good, value))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _columns(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_list_of(_text), value.values()))


def _rows(value: Any) -> bool:
    return (
        isinstance(value, dict) and set(value) <= {*TABLES, *LOG_TABLES} and all(map(_whole, value.values()))
    )


_PROVENANCE: dict[str, Callable[[Any], bool]] = {
    "scenario": _text,
    "digest": lambda value: isinstance(value, str) and bool(_DIGEST.match(value)),
    "population_digest": _text,
    "seed": _whole,
    "replicates": _whole,
    "designs": _list_of(_text),
    "truths": _list_of(_text),
    "finished_by": _list_of(_number),
    "engine": _text,
    "rows": _rows,
    "columns": _columns,
    "effects": _whole,
    "decision_log": lambda value: isinstance(value, dict) and _text(value.get("root")),
}
_NEWER = frozenset(
    {"columns", "effects", "decision_log"}
)  # runs of the first version lack them, others the last
