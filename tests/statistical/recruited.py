"""Trials of which only recruitment matters: what their records and event logs say of sites and candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.statistical.big_trial import plan_of
from trialsim.contracts import Kind, LogRow
from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.plan import Plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import start_engine
from trialsim.timegrid import TICKS_PER_DAY

BINARY = {
    "kind": "binary",
    "readout": "1 day",
    "rate": 0.3,
    "effect": {"treatment": 0.3},
    "effect_measure": "rate",
}


@dataclass(frozen=True)
class Recruited:
    """Trials, their tables, and what happened before randomisation as their logs tell it."""

    plan: Plan
    result: ChunkResult
    tables: dict[str, dict[str, np.ndarray]]

    @property
    def trials(self) -> dict[str, np.ndarray]:
        """A row a trial."""
        return self.tables["trials"]

    def sites(self, column: str) -> np.ndarray:
        """Return a column of the table of sites, ``[replicate, site]``."""
        return self.tables["sites"][column].reshape(len(self.result.chunk.replicates), -1)

    def log(self, row: int, *kinds: Kind) -> list[LogRow]:
        """Return the rows of some kinds in the log of one trial."""
        return [entry for entry in self.result.chunk.log(row) if entry.kind in kinds]


def recruitment_plan(
    sites: dict[str, Any], screening: dict[str, Any] | None, n: int, horizon: str, **parts: Any
) -> Plan:
    """Return the plan of a trial with sites that ends when everything is known, or at its horizon."""
    design = {
        "kind": "fixed",
        "n": n,
        "allocation": "simple",
        "looks": [{"when": {"readouts": n}}],
        "tests": {"primary": {"alpha": 0.025}},
    } | parts.pop("design", {})
    endpoint = parts.pop("endpoint", BINARY)
    if screening is not None:
        parts["screening"] = screening
    return plan_of(
        endpoint,
        n,
        parts.pop("seed", 20260101),
        accrual={"sites": sites},
        horizon=horizon,
        designs={"one": design},
        **parts,
    )


def recruited(
    sites: dict[str, Any],
    screening: dict[str, Any] | None = None,
    *,
    n: int,
    horizon: str,
    replicates: int,
    **parts: Any,
) -> Recruited:
    """Return trials whose candidates come from these sites."""
    plan = recruitment_plan(sites, screening, n, horizon, **parts)
    result = conduct(start_engine(plan, "fast").start(np.arange(replicates)))
    return Recruited(plan, result, columns_of(result))


def days(tick: int) -> float:
    """Return ticks as days."""
    return tick / TICKS_PER_DAY


def off(found: np.ndarray, expected: float) -> float:
    """Return how many of its standard errors a mean of independent values is away from what is expected."""
    return abs(float(np.mean(found)) - expected) / float(np.std(found, ddof=1) / np.sqrt(len(found)))


def off_variance(found: np.ndarray, expected: float) -> float:
    """Return how many standard errors a variance of independent values is away, its error from the fourth moment."""
    centred = found - np.mean(found)
    variance = float(np.mean(centred**2))
    error = np.sqrt((np.mean(centred**4) - variance**2) / len(found))
    return abs(variance - expected) / float(error)
