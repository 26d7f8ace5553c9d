"""A trial of a stored run made again, for its decision log in full."""

from __future__ import annotations

from typing import Any

import numpy as np

from trialsim.engines.conduct import conduct
from trialsim.engines.decision_log import LOG, RANKINGS, Journal, origin_of
from trialsim.engines.runner import chunk_of
from trialsim.oc.run_folder import StoredRun
from trialsim.scenario.load import load_scenario

_EVERYTHING = 1 << 62
Rows = list[dict[str, Any]]


def replayed(run: StoredRun, design: str, truth: str, replicate: int) -> tuple[Rows, Rows]:
    """Return the rows that a trial has in the log and in the rankings when it is made again, everything kept.

    Parameters
    ----------
    run
        A stored run; its scenario and checkpoints lie in its folder.
    design, truth, replicate
        The trial.

    Raises
    ------
    UsageError
        If the trial cannot be run.
    """
    scenario, seed = load_scenario(run.folder / "scenario.yaml"), int(run.provenance["seed"])
    chunk = chunk_of(scenario, design, truth, [replicate], seed, str(run.provenance["engine"]))
    origin = origin_of(scenario, design, truth, seed)
    journal = Journal(chunk.plan, origin, np.array([replicate]), in_full=_EVERYTHING)
    log = conduct(chunk, journal).log
    return _rows(log[LOG]), _rows(log[RANKINGS]) if RANKINGS in log else []


def _rows(columns: dict[str, Any]) -> Rows:
    """Return columns as rows, bytes as text."""
    lists = {
        name: [each.decode() for each in values.tolist()] if values.dtype.kind == "S" else values.tolist()
        for name, values in columns.items()
    }
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
