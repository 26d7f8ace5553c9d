"""What a run keeps of recruitment: columns of the trials, and tables by site, by reason and by subgroup."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Ints
from trialsim.engines.plan import Plan
from trialsim.engines.points import Ends, SiteTallies
from trialsim.operations.sites import NO_LIMIT
from trialsim.timegrid import NEVER, TICKS_PER_DAY

Columns = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]

COUNTS = (
    "candidates", "prescreen_failures", "screened", "refusals", "screen_failures", "withdrawals", "released", "randomised",
    "consented", "rescreened", "rescreenings", "rescreened_randomised", "refusals_again", "withdrawals_again",
)  # fmt: skip
"""What is counted of each site, in the order of :class:`~trialsim.engines.points.SiteTallies`; ticks follow."""

_TO_CONSENT, _TO_RANDOMISATION = len(COUNTS), len(COUNTS) + 1


def _days(ticks: Ints) -> Floats:
    """Return ticks as days, NaN for NEVER."""
    return np.where(ticks < NEVER, ticks / float(TICKS_PER_DAY), np.nan)


def _mean_days(total: Ints, count: Ints) -> Floats:
    """Return the mean of times that were added up, NaN where there are none."""
    return np.where(count > 0, total / (np.maximum(count, 1) * float(TICKS_PER_DAY)), np.nan)


def recruitment_columns(plan: Plan, tallies: SiteTallies, ends: Ends) -> Columns:
    """Return the columns that a world with sites adds to the table of trials."""
    assert plan.world.sites is not None
    total = tallies.counts.sum(axis=1)
    columns: Columns = {
        name: total[:, k].astype(np.int32) for k, name in enumerate(COUNTS) if name != "randomised"
    }
    columns["first_patient_in"] = np.where(ends.enrolled > 0, _days(ends.first_entry), np.nan)
    columns["days_to_consent"] = _mean_days(total[:, _TO_CONSENT], total[:, COUNTS.index("screened")])
    columns["days_to_randomisation"] = _mean_days(
        total[:, _TO_RANDOMISATION], total[:, COUNTS.index("randomised")]
    )
    limited = (plan.world.sites.coordinators < NO_LIMIT).any()
    idle = tallies.idle.sum(axis=1) / float(TICKS_PER_DAY)
    columns["idle_days"] = idle if limited else np.full(len(idle), np.nan)
    opened = tallies.opened < NEVER
    columns["sites_opened"] = opened.sum(axis=1).astype(np.int32)
    columns["sites_without_patients"] = (
        (opened & (tallies.counts[:, :, COUNTS.index("randomised")] == 0)).sum(axis=1).astype(np.int32)
    )
    if plan.shows_closed_sites:
        columns["sites_closed"] = (tallies.closed < NEVER).sum(axis=1).astype(np.int32)
    return columns


def recruitment_tables(plan: Plan, replicates: Ints, tallies: SiteTallies) -> dict[str, Columns]:
    """Return the tables ``sites``, ``screening`` and ``subgroups`` of a world with sites, in order of replicate."""
    sites, reasons, levels = (x.shape[1] for x in (tallies.counts, tallies.reasons, tallies.subgroups))

    def rows(count: int, name: str) -> Columns:
        return {
            "replicate": np.repeat(replicates, count),
            name: np.tile(np.arange(count, dtype=np.int32), len(replicates)),
        }

    by_site = rows(sites, "site") | {
        "opened_time": _days(tallies.opened).ravel(),
        "closed_time": _days(tallies.closed).ravel(),
    }
    by_site |= {name: tallies.counts[:, :, k].ravel().astype(np.int32) for k, name in enumerate(COUNTS)}
    by_site["idle_days"] = (tallies.idle / float(TICKS_PER_DAY)).ravel()
    found = {
        "sites": by_site,
        "screening": rows(reasons, "reason")
        | {
            "failures": tallies.reasons.ravel().astype(np.int32),
            "screened_out": tallies.screened_out.ravel().astype(np.int32),
        },
    }
    if levels:
        counts = tallies.subgroups.reshape(-1, 3).astype(np.int32)
        found["subgroups"] = rows(levels, "subgroup") | {
            name: counts[:, k].copy() for k, name in enumerate(("candidates", "eligible", "randomised"))
        }
    return found


def recruitment_vocabulary(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the names for codes in these tables."""
    world = plan.world
    if world.sites is None or world.screening is None:
        return {}
    return {"site": world.sites.names, "reason": world.screening.reasons, "subgroup": world.subgroup_levels}
