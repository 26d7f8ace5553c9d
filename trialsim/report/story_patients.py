"""The analysis data set of one replicate: a row a patient, like ADSL and ADTTE, for double programming.

Columns in capitals follow CDISC's names where there is one; covariates keep the names of the scenario.
``docs/explain.md`` says what each column is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from trialsim.report.story_courses import Course
from trialsim.report.story_missing import why_missing
from trialsim.report.story_patient_origin import RECRUITED, SCREENING_DAYS, allocation_strata, recruited
from trialsim.report.story_replay import Replay
from trialsim.timegrid import TICKS_PER_DAY


def analysis_data_set(replay: Replay) -> pd.DataFrame:
    """Return what is known of each patient at the deciding data cut.

    Everything needed to recompute the statistics of the deciding look is there, and nothing later than its
    cut: a patient randomised between the cut and the decision has a row, but no outcome. Times are exact
    multiples of 2**-20 day.

    Parameters
    ----------
    replay
        The replicate.

    Returns
    -------
    pandas.DataFrame
        A row a patient, in order of randomisation.
    """
    plan = replay.plan
    keys = np.array([course.key for course in replay.courses], dtype=np.int64)
    owners = np.full(len(keys), replay.replicate, dtype=np.int64)
    records = plan.world.source.records_at(plan.seed, owners, keys)
    strata = allocation_strata(replay, records)
    came = recruited(replay) if replay.with_sites else [{}] * len(keys)
    rows = []
    for number, course in enumerate(replay.courses):
        row = _who(replay, number, course, strata[number]) | came[number]
        row.update(_covariates(replay, records[number]))
        for endpoint, law in enumerate(plan.world.outcomes):
            made = _time_to_event if law.kind == "survival" else _read_out
            row.update(made(replay, course, endpoint))
        rows.append(row)
    frame = pd.DataFrame(rows, columns=None if rows else _empty_columns(replay))
    for column in ("DROPOUT", *(SCREENING_DAYS if replay.with_sites else ())):
        frame[column] = frame[column].astype("Float64")
    for law in plan.world.outcomes:
        whole = {"survival": f"{law.name.upper()}_CNSR", "binary": f"{law.name.upper()}_VALUE"}
        if law.kind in whole:
            frame[whole[law.kind]] = frame[whole[law.kind]].astype("Int64")
    return frame


def _who(replay: Replay, number: int, course: Course, stratum: str) -> dict[str, Any]:
    """Return the columns that identify a patient and their allocation."""
    plan = replay.plan
    known_lost = course.lost is not None and course.lost <= replay.cut
    return {
        "STUDYID": plan.scenario,
        "DESIGN": plan.design,
        "TRUTH": plan.truth,
        "SEED": plan.seed,
        "REPLICATE": replay.replicate,
        "CUTDT": replay.cut / TICKS_PER_DAY,
        "USUBJID": f"{plan.scenario}-{replay.replicate}-{number + 1:05d}",
        "SUBJID": number + 1,
        "ARM": plan.arms[course.arm],
        "ARMCD": course.arm,
        "RANDDT": course.entry / TICKS_PER_DAY,
        "RANDTICK": course.entry,
        "STRATUM": stratum,
        "RANDFL": "Y" if course.entry <= replay.cut else "N",
        "DROPOUT": (course.lost - course.entry) / TICKS_PER_DAY
        if known_lost and course.lost is not None
        else None,
    }


def _covariates(replay: Replay, record: Any) -> dict[str, Any]:
    """Return a patient's covariates; latent traits are known to nobody and left out."""
    source = replay.plan.world.source
    latent = set(replay.scenario.population.traits)
    found: dict[str, Any] = {}
    for name, value in zip(source.columns, record, strict=True):
        if name not in latent:
            levels = source.categories.get(name)
            found[name] = levels[int(value)] if levels else float(value)
    return found


def _time_to_event(replay: Replay, course: Course, endpoint: int) -> dict[str, Any]:
    """Return time, censoring and analysis flag of a survival endpoint."""
    law = replay.plan.world.outcomes[endpoint]
    until = replay.cut - law.readout_ticks
    name = law.name.upper()
    if course.entry > until:
        return {f"{name}_TIME": None, f"{name}_CNSR": None, f"{name}_ANLFL": "N"}
    had = course.had(endpoint, until)
    stop = course.events[endpoint] if had else course.followed_until(endpoint, until)
    return {
        f"{name}_TIME": (stop - course.entry) / TICKS_PER_DAY,
        f"{name}_CNSR": 0 if had else 1,
        f"{name}_ANLFL": "Y",
    }


def _read_out(replay: Replay, course: Course, endpoint: int) -> dict[str, Any]:
    """Return the value of a binary or continuous endpoint and whether it was read out by the cut."""
    law = replay.plan.world.outcomes[endpoint]
    name = law.name.upper()
    found = course.readouts.get(endpoint)
    if found is None or found[0] > replay.cut:
        why = why_missing(replay, course, endpoint, replay.cut)
        return {f"{name}_VALUE": None, f"{name}_ANLFL": "N", f"{name}_REASND": why or None}
    value = int(found[1]) if law.kind == "binary" else found[1]
    return {f"{name}_VALUE": value, f"{name}_ANLFL": "Y", f"{name}_REASND": None}


def _empty_columns(replay: Replay) -> list[str]:
    """Return the columns of a data set without patients."""
    nobody = Course(replay.cut + 1, 0)
    row = _who(replay, 0, nobody, "")
    row.update(dict.fromkeys(RECRUITED) if replay.with_sites else {})
    latent = replay.scenario.population.traits
    row.update({name: None for name in replay.plan.world.source.columns if name not in latent})
    for endpoint, law in enumerate(replay.plan.world.outcomes):
        row.update((_time_to_event if law.kind == "survival" else _read_out)(replay, nobody, endpoint))
    return list(row)
