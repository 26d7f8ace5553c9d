"""Where the patients of the analysis data set come from: their site, their screening, and the stratum they were put in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import Kind
from trialsim.operations.allocation import recorded_stratum
from trialsim.report.story_candidates import CONSENT, RESULT, number_of, site_of
from trialsim.report.story_replay import Replay
from trialsim.timegrid import TICKS_PER_DAY

Floats = NDArray[np.float64]

SCREENING_DAYS = ("CONTDT", "RFICDT", "SCRNDT")
RECRUITED = ("SITEID", "CANDNO", *SCREENING_DAYS)
"""Columns in a world with sites: site, number of the candidate there, and the days of first contact, consent and the
result of screening."""


def recruited(replay: Replay) -> list[dict[str, Any]]:
    """Return the columns of recruitment of each patient, in order of randomisation.

    Where a candidate was screened more than once, consent and result are those of the attempt that led to randomisation;
    consent is missing where nobody is asked for it.

    Parameters
    ----------
    replay
        A replicate of a world with sites.
    """
    sites = replay.plan.world.sites
    assert sites is not None
    days: dict[int, dict[str, float]] = {}
    for row in replay.log:
        if row.kind == Kind.ARRIVAL and row.part == 0:
            days[row.id] = {"CONTDT": row.tick / TICKS_PER_DAY}
        elif row.kind == Kind.SCREENING and row.part == CONSENT:
            days[row.id]["RFICDT"] = row.tick / TICKS_PER_DAY
        elif row.kind == Kind.SCREENING and row.part == RESULT:
            days[row.id]["SCRNDT"] = row.tick / TICKS_PER_DAY
    return [
        {
            "SITEID": sites.names[site_of(course.key)],
            "CANDNO": number_of(course.key),
            **{name: days[course.key].get(name) for name in SCREENING_DAYS},
        }
        for course in replay.courses
    ]


def allocation_strata(replay: Replay, records: Floats) -> list[str]:
    """Return the stratum in which each patient was allocated, in words; empty where allocation is not stratified.

    Where strata are recorded with errors, it is the one recorded; the covariates say the right one. Under minimisation
    with such errors it is the levels recorded of all factors.

    Parameters
    ----------
    replay
        The replicate.
    records
        The patients' records, ``[patient, column]``.
    """
    plan = replay.plan
    rate, balance = plan.world.stratum_errors, plan.allocation.balance
    names = plan.allocation.strata
    if names or plan.allocation.by_site or not (rate and balance):
        labels = [_label(replay, names, number) for number in _recorded(replay, names, 0, records, rate)]
        sites = plan.world.sites
        if not plan.allocation.by_site or sites is None:
            return labels
        # The site is known without an error.
        own = [f"site={sites.names[site_of(course.key)]}" for course in replay.courses]
        return ["/".join(filter(None, pair)) for pair in zip(own, labels, strict=True)]
    margins = [
        [_label(replay, factor, number) for number in _recorded(replay, factor, place, records, rate)]
        for place, factor in enumerate(balance.margins)
    ]
    return ["/".join(filter(None, labels)) for labels in zip(*margins, strict=True)]


def _recorded(replay: Replay, names: tuple[str, ...], margin: int, records: Floats, rate: float) -> list[int]:
    """Return the number of the stratum recorded of each patient."""
    plan = replay.plan
    strata = plan.strata(names)
    numbers = strata.of(records).tolist()
    return [
        int(recorded_stratum(plan.seed, replay.replicate, course.key, margin, number, strata.count, rate))
        for course, number in zip(replay.courses, numbers, strict=True)
    ]


def _label(replay: Replay, names: tuple[str, ...], number: int) -> str:
    """Return a stratum in words, as ``sex=male/region=north``."""
    strata, source = replay.plan.strata(names), replay.plan.world.source
    parts: list[str] = []
    for name, levels in reversed(list(zip(names, strata.levels, strict=True))):
        number, place = divmod(number, len(levels))
        words, value = source.categories.get(name), float(levels[place])
        parts.insert(0, f"{name}={words[int(value)] if words else format(value, 'g')}")
    return "/".join(parts)
