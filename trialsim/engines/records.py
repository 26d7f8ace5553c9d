"""Records: what a run leaves behind, as columns; every statistic and report is computed from them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trialsim.contracts import JUDGED_BY, Ints, Status, Stop, any_of, sum_of
from trialsim.engines.adverse_event_records import adverse_event_columns, summed_up, term_vocabulary
from trialsim.engines.conduct import ChunkResult, LookRecord
from trialsim.engines.cost_records import cost_columns
from trialsim.engines.decision_log import HEADS, LOG, RANKINGS
from trialsim.engines.enrolment import added_up, enrolment_columns, enrolment_vocabulary
from trialsim.engines.life_tally import life_columns
from trialsim.engines.missing_records import missing_columns, reasons_in
from trialsim.engines.plan import Plan
from trialsim.engines.points import Point
from trialsim.engines.record_kernels import places_of_looks, put_in_place, put_rows
from trialsim.engines.site_records import recruitment_columns, recruitment_tables, recruitment_vocabulary
from trialsim.engines.size_records import conditional_power_at, events_at, final_events, final_size, size_at
from trialsim.engines.stage_records import untested_events
from trialsim.timegrid import TICKS_PER_DAY

Columns = dict[str, NDArray[Any]]
STOP_REASONS = (
    "continue",
    "efficacy",
    "futility",
    "final",
    "horizon",
    "policy",
    "superiority",
    "equivalence",
    "no_analysis",
    "safety",
)
_NOT_ANALYSED = int(Status.NOT_ANALYSED)
STATUSES = tuple(status.name.lower() for status in Status)
assert len(STOP_REASONS) == len(Stop)


def _days(ticks: Ints) -> NDArray[np.float64]:
    """Return ticks as days."""
    return np.asarray(ticks / float(TICKS_PER_DAY))


def trial_columns(result: ChunkResult, counts: Mapping[str, Ints]) -> Columns:
    """Return a row a replicate; statuses and reasons as codes."""
    plan, ends = result.chunk.plan, result.ends
    size = len(result.chunk.replicates)
    decided = ends.look >= 0
    lock = ends.cut
    if any(look.cleaning for look in plan.looks):
        cleaning = np.array([look.cleaning for look in plan.looks], dtype=np.int64)
        lock = np.where(decided, ends.cut + cleaning[ends.look], ends.cut)
    cut_time = _days(ends.cut)
    failed = decided & any_of(result.status > _NOT_ANALYSED)
    columns: Columns = {
        "replicate": result.chunk.replicates,
        "status": failed.astype(np.int8),
        "stop_reason": ends.reason,
        "stop_look": (ends.look + 1).astype(np.int16),
        "enrolled": ends.enrolled.astype(np.int32),
        "analysed": counts["analysed"].astype(np.int32),
        "pipeline": counts["pipeline"].astype(np.int32),
        "overrun": (ends.enrolled - counts["enrolled"]).astype(np.int32),
        "events": counts["events"].astype(np.int32),
        "cut_time": cut_time,
        "lock_time": cut_time if lock is ends.cut else _days(lock),
        "decision_time": _days(ends.tick),
        "last_visit_time": _days(ends.last_visit),
        "enrolment_end_time": _days(ends.enrolment_end),
    }
    if plan.shows_size:
        columns["size"] = final_size(result)
        columns["size_change"] = columns["size"] - np.int32(plan.n)
    if plan.shows_events_awaited:
        columns["events_awaited"] = final_events(result)
        columns["events_awaited_change"] = columns["events_awaited"] - np.int32(plan.events_awaited)
    if plan.shows_stages:
        columns["events_untested"] = untested_events(result)
    if (tallies := result.tallies) is not None:
        columns |= recruitment_columns(plan, tallies, ends)
    columns |= cost_columns(plan, result.amounts)
    failed_look = _failed_looks(result)
    for t, test in enumerate(plan.tests):
        columns[f"reject:{test.name}"] = result.rejected[:, t]
        columns[f"reject_look:{test.name}"] = result.reject_look[:, t].astype(np.int16)
        columns[f"estimate:{test.name}"] = result.effect[:, t]
        columns[f"se:{test.name}"] = result.se[:, t]
        columns[f"z:{test.name}"] = result.z[:, t]
        columns[f"status:{test.name}"] = result.status[:, t]
        columns[f"failed_look:{test.name}"] = failed_look[:, t]
    columns |= overrun_columns(result)
    assert all(len(column) == size for column in columns.values())
    return columns


def _failed_looks(result: ChunkResult) -> NDArray[np.int16]:
    """Return the look (from 1) at which the analysis that stands for a test failed, ``[replicate, test]``; 0: it did not.

    What stands is the last analysis while the test was undecided, so that one that failed and was done again later is none.
    """
    failed = result.status > _NOT_ANALYSED
    found = np.zeros((failed.shape[1], failed.shape[0]), dtype=np.int16).T
    if not failed.any():
        return found
    decided = np.zeros(failed.shape, dtype=bool)
    for look in result.looks:
        rows, decision = look.point.rows, look.decision
        assert decision.reject is not None and decision.futile is not None
        number = (look.point.number + 1).astype(np.int16)[:, None]
        found[rows] = np.where(decided[rows], found[rows], number)
        decided[rows] |= decision.futile | (decision.reject & look.carried_out[:, None])
    found[~failed] = 0
    return found


def overrun_columns(result: ChunkResult) -> Columns:
    """Return what trials conclude once everything has arrived, where a design of the scenario asks for it."""
    if not result.chunk.plan.shows_overrun:
        return {}
    found, none = result.overrunning, np.full(len(result.chunk.replicates), np.nan)
    if found is None:
        nothing = dict.fromkeys(_OVERRUN, none) | dict.fromkeys(
            _OVERRUN_REJECTS, np.zeros(len(none), dtype=bool)
        )
        return {"overrun_added": np.zeros(len(none), dtype=np.int32), **nothing}
    alpha = result.chunk.plan.tests[0].alpha
    return {
        "overrun_added": found.added.astype(np.int32),
        "overrun_z": found.z,
        "overrun_p_deletion": found.deletion,
        "overrun_p_combination": found.combination,
        "overrun_reject_deletion": found.deletion <= alpha,
        "overrun_reject_combination": found.combination <= alpha,
    }


_OVERRUN_REJECTS = ("overrun_reject_deletion", "overrun_reject_combination")
_OVERRUN = ("overrun_z", "overrun_p_deletion", "overrun_p_combination")


class _Looks:
    """All rounds of looks of a chunk, one after the other in order of replicate and look.

    Of a replicate later rounds hold later looks.
    """

    def __init__(self, result: ChunkResult) -> None:
        self._rounds = result.looks
        rows = np.concatenate([look.point.rows for look in self._rounds])
        self._size = len(rows)
        place = np.empty(self._size, dtype=np.int64)
        places_of_looks(rows, len(result.chunk.replicates), place)
        self._places = np.split(place, np.cumsum([len(look.point.rows) for look in self._rounds])[:-1])
        self.rows = self.every(lambda look: look.point.rows)
        self.number = self.every(lambda look: look.point.number)

    def every(self, part: Callable[[LookRecord], NDArray[Any]], copies: int = 1) -> NDArray[Any]:
        """Return something of all looks, ``[look * copies]``, or ``[look, ...]`` as it is."""
        parts = [np.asarray(part(look)) for look in self._rounds]
        kind, shape = np.result_type(*parts), parts[0].shape[1:]
        width = shape[0] if shape else copies
        shared = not shape and all(map(_one_for_all, parts))
        if shared and len({values[0] for values in parts}) == 1:
            return np.full(self._size * width, parts[0][0], dtype=kind)
        out = np.empty(self._size * width, dtype=kind)
        bits = f"u{kind.itemsize}"  # what is put where does not depend on what it is
        for values, place in zip(parts, self._places, strict=True):
            rows = np.ascontiguousarray(values.T if shape else values[None, :], dtype=kind)
            put_in_place(rows.view(bits), place, width, out.view(bits))
        return out.reshape(-1, width) if shape else out


def _one_for_all(values: NDArray[Any]) -> bool:
    """Return whether the first row of an array stands for all of them."""
    return len(values) > 0 and values.strides[0] == 0


def _counts_at_end(result: ChunkResult) -> dict[str, Ints]:
    """Return enrolled, analysed, pipeline, events by arm and in all at the deciding cut of each replicate."""
    plan = result.chunk.plan
    size, arms = len(result.chunk.replicates), len(plan.arms)
    by_arm: dict[str, Ints] = {}
    for name in ("enrolled", "events", "readouts"):
        kept = by_arm[name] = np.zeros((size, arms), dtype=np.int64)
        for look in result.looks:  # those of a later look take the place of those of an earlier one
            found: Ints = getattr(look.counts, name)
            own = np.ascontiguousarray(found[:1] if _one_for_all(found) else found)
            put_rows(own, look.point.rows, kept)
    survival = plan.world.outcomes[plan.primary].kind == "survival"
    # Nothing is analysed after the last look taken, however much more is known where a trial ends at its horizon.
    analysed = sum_of(by_arm["enrolled" if survival else "readouts"])
    rest = np.flatnonzero(result.ends.look < 0)
    for row in rest:
        counts = result.chunk.counts(np.array([row]), result.ends.cut[[row]])
        for name, each in by_arm.items():
            each[row] = getattr(counts, name)[0]
    by_arm["dropouts"] = result.chunk.lost(np.arange(size), result.ends.cut)
    total = {name: sum_of(each) for name, each in by_arm.items()}
    total["analysed"] = analysed
    waited_for = result.chunk.in_pipeline(result.ends.cut)
    if waited_for is None:
        known = total["events"] if survival else total["readouts"]
        waited_for = total["enrolled"] - known - total["dropouts"]
    total["pipeline"] = waited_for
    return total | {f"arm:{name}": each for name, each in by_arm.items()}


def _look_columns(result: ChunkResult, looks: _Looks | None) -> Columns:
    """Return a row a look and test, in order of replicate, look and test."""
    plan, tests = result.chunk.plan, len(result.chunk.plan.tests)
    if looks is None:
        types = _LOOK_TYPES | {name: _SIZE_TYPES[name] for name in _size_names(plan)}
        types |= dict.fromkeys(JUDGED_BY, np.float64) if plan.shows_chains else {}
        return {name: np.zeros(0, dtype=kind) for name, kind in types.items()}
    cleaning = np.array([look.cleaning for look in plan.looks], dtype=np.int64)
    decision = cleaning + np.array([look.decision for look in plan.looks], dtype=np.int64)

    def later(lags: Ints) -> NDArray[Any]:
        return looks.every(lambda look: _days(look.point.tick + lags.take(look.point.number)), tests)

    def count(name: str) -> NDArray[Any]:
        def part(look: LookRecord) -> NDArray[Any]:
            counts = getattr(look.counts, name)
            if not _one_for_all(counts):
                return sum_of(counts).astype(np.int32)
            return np.broadcast_to(sum_of(counts[:1]).astype(np.int32), len(counts))

        return looks.every(part, tests)

    def found(name: str) -> NDArray[Any]:
        return looks.every(lambda look: getattr(look, name)).ravel()

    def decided(name: str, copies: int = 1) -> NDArray[Any]:
        def part(look: LookRecord) -> NDArray[Any]:
            values = np.asarray(getattr(look.decision, name))
            if look.carried_out.all():
                return values
            return np.asarray(values & (look.carried_out[:, None] if values.ndim == 2 else look.carried_out))

        return looks.every(part, copies)

    replicates = result.chunk.replicates
    cut_time = looks.every(lambda look: _days(look.point.tick), tests)
    lock_time = later(cleaning) if cleaning.any() else cut_time
    found_columns: Columns = {
        "replicate": looks.every(lambda look: replicates.take(look.point.rows), tests),
        "look": looks.every(lambda look: (look.point.number + 1).astype(np.int16), tests),
        "hypothesis": np.tile(np.arange(tests, dtype=np.int16), len(looks.number)),
        "cut_time": cut_time,
        "lock_time": lock_time,
        "decision_time": later(decision) if (decision != cleaning).any() else lock_time,
        "enrolled": count("enrolled"),
        "events": count("events"),
        "readouts": count("readouts"),
        "z": found("z"),
        "effect": found("effect"),
        "se": found("se"),
        "information": found("information"),
        "status": found("status"),
        "efficacy_z": found("efficacy_z"),
        "futility_z": found("futility_z"),
        "rejected": decided("reject").ravel(),
        "stopped": decided("stop", tests),
    }
    parts: dict[str, Callable[[LookRecord], NDArray[Any]]] = {
        "conditional_power": conditional_power_at,
        "size": lambda look: size_at(plan, look),
        "events_awaited": lambda look: events_at(plan, look),
    }
    found_columns |= {name: looks.every(parts[name], tests) for name in _size_names(plan)}
    for place, name in enumerate(JUDGED_BY if plan.shows_chains else ()):
        found_columns[name] = looks.every(partial(_chains, place=place)).ravel()
    return found_columns


def _size_names(plan: Plan) -> tuple[str, ...]:
    """Return the columns of looks that tell of sizes, where a design of the scenario re-estimates its own."""
    patients = ("size",) if plan.shows_size else ()
    events = ("events_awaited",) if plan.shows_events_awaited else ()
    return ("conditional_power", *patients, *events) if patients or events else ()


def _chains(look: LookRecord, place: int) -> NDArray[np.float64]:
    """Return one of the things that chains are judged by, ``[k, test]``; NaN where nothing was sampled."""
    return np.full(look.z.shape, np.nan) if look.chains is None else look.chains[:, :, place]


def _decision_columns(result: ChunkResult, looks: _Looks | None, names: tuple[str, ...]) -> Columns:
    """Return a row a look of a design with decision rules: what was weighed, and which rule decided."""
    if looks is None:
        empty: Columns = {"replicate": np.zeros(0, dtype=np.int64), "look": np.zeros(0, dtype=np.int16)}
        empty |= {"rule": np.zeros(0, dtype=np.int16), "carried_out": np.zeros(0, dtype=bool)}
        return empty | {f"probability:{name}": np.zeros(0) for name in names}
    trace = looks.every(lambda look: np.asarray(look.decision.trace))
    columns: Columns = {
        "replicate": result.chunk.replicates.take(looks.rows),
        "look": (looks.number + 1).astype(np.int16),
        "rule": looks.every(lambda look: np.asarray(look.decision.rule)),
        "carried_out": looks.every(lambda look: look.carried_out),
    }
    return columns | {
        f"probability:{name}": np.ascontiguousarray(trace[:, q]) for q, name in enumerate(names)
    }


_LOOK_TYPES = {
    "replicate": np.int64, "look": np.int16, "hypothesis": np.int16, "cut_time": np.float64, "lock_time": np.float64,
    "decision_time": np.float64, "enrolled": np.int32, "events": np.int32, "readouts": np.int32, "z": np.float64,
    "effect": np.float64, "se": np.float64, "information": np.float64, "status": np.int8, "efficacy_z": np.float64,
    "futility_z": np.float64, "rejected": np.bool_, "stopped": np.bool_,
}  # fmt: skip


_SIZE_TYPES: dict[str, type] = {"conditional_power": np.float64, "size": np.int32, "events_awaited": np.int32}


def arm_columns(result: ChunkResult, counts: Mapping[str, Ints], responses: bool = False) -> Columns:
    """Return a row an arm, in order of replicate and arm; with ``responses`` how many responded by the deciding cut."""
    arms = len(result.chunk.plan.arms)
    life, tally = result.chunk.plan.world.life, result.chunk.tally(result.ends.cut)
    columns: Columns = {
        "replicate": np.repeat(result.chunk.replicates, arms),
        "arm": np.tile(np.arange(arms, dtype=np.int16), len(result.chunk.replicates)),
        "enrolled": result.ends.arm_enrolled.ravel().astype(np.int32),
        "events": counts["arm:events"].ravel().astype(np.int32),
        "readouts": counts["arm:readouts"].ravel().astype(np.int32),
        "dropouts": counts["arm:dropouts"].ravel().astype(np.int32),
        "dropped_look": result.ends.dropped_look.ravel().astype(np.int16),
    }
    if reasons := reasons_in(result.chunk.plan.world):
        columns |= missing_columns(reasons, result.chunk.missing(result.ends.cut, counts["arm:dropouts"]))
    if responses and (endpoint := result.chunk.plan.response_endpoint) >= 0:
        rows = np.arange(len(result.chunk.replicates))
        point = Point("look", rows, result.ends.look, result.ends.cut)
        if result.chunk.plan.world.outcomes[endpoint].kind == "binary":
            columns["responses"] = result.chunk.totals(point)[1].ravel().astype(np.int32)
    return columns if life is None or tally is None else columns | life_columns(life, tally)


def columns_of(result: ChunkResult, responses: bool = False) -> dict[str, Columns]:
    """Return the tables of a chunk as columns, with responses by arm where they are wanted and the endpoint is binary."""
    looks = _Looks(result) if result.looks else None
    counts = _counts_at_end(result)
    tables = {
        "trials": trial_columns(result, counts),
        "looks": _look_columns(result, looks),
        "arms": arm_columns(result, counts, responses),
    }
    if plan_quantities := result.chunk.plan.quantities:
        tables["decisions"] = _decision_columns(result, looks, plan_quantities)
    if (tallies := result.tallies) is not None:
        tables |= recruitment_tables(result.chunk.plan, result.chunk.replicates, tallies)
        tables["enrolment"] = enrolment_columns(result.chunk)
    if (events := adverse_event_columns(result.chunk, result.ends.cut)) is not None:
        tables["adverse_events"] = events
    return {**tables, **result.log}


def joined(parts: list[dict[str, Columns]]) -> dict[str, Columns]:
    """Return tables of several chunks one after the other."""
    if len(parts) == 1:
        return parts[0]
    whole = {
        table: {name: np.concatenate([part[table][name] for part in parts]) for name in columns}
        for table, columns in parts[0].items()
    }
    if "enrolment" in whole:
        whole["enrolment"] = added_up(whole["enrolment"])
    if "adverse_events" in whole:
        whole["adverse_events"] = summed_up(whole["adverse_events"])
    return whole


def _words(codes: NDArray[Any], words: tuple[str, ...]) -> pa.DictionaryArray:
    """Return codes as a dictionary column of the kind that is written; they are the engine's own, and not checked again."""
    return _named(pa.array(codes.astype(np.int32, copy=False)), words)


def _named(codes: pa.Array, words: tuple[str, ...]) -> pa.DictionaryArray:
    """Return 32-bit codes that are known to lie within the words as a dictionary column."""
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(words), pa.string()), safe=False)


def to_arrow(
    tables: Mapping[str, Columns], plan: Plan, tests: tuple[str, ...], quantities: tuple[str, ...] = ()
) -> dict[str, pa.Table]:
    """Return columns as Arrow tables with names for codes.

    Parameters
    ----------
    tables
        From :func:`columns_of`.
    plan
        The plan they come from.
    tests
        All hypotheses that any design of the run tests; those that this one does not test are empty.
    quantities
        All probabilities that the decision rules of any design of the run weigh.
    """
    vocabulary = {
        "hypothesis": tuple(test.name for test in plan.tests),
        "arm": plan.arms,
        "stop_reason": STOP_REASONS,
    }
    vocabulary |= recruitment_vocabulary(plan) | enrolment_vocabulary(plan) | term_vocabulary(plan)
    found: dict[str, pa.Table] = {}
    for table, columns in tables.items():
        size = len(next(iter(columns.values())))
        cell = pa.array(np.zeros(size, dtype=np.int32))
        out: dict[str, pa.Array] = {
            "design": _named(cell, (plan.design,)),
            "truth": _named(cell, (plan.truth,)),
        }
        for name, values in columns.items():
            if name == "status" and table == "trials":
                out[name] = _words(values, ("ok", "failed"))
            elif name == "status" or name.startswith("status:"):
                out[name] = _words(values, STATUSES)
            elif table in (LOG, HEADS, RANKINGS) and values.dtype.kind == "S":
                out[name] = pa.array(values).cast(pa.string())
            elif name in vocabulary and table not in (LOG, HEADS, RANKINGS):
                out[name] = _words(values, vocabulary[name])
            else:
                out[name] = pa.array(values)
        for name in quantities if table == "decisions" else ():
            # Every design's table has the same columns, in the same order.
            column = out.pop(f"probability:{name}", None)
            out[f"probability:{name}"] = pa.array(np.full(size, np.nan)) if column is None else column
        if table == "trials":
            out = _with_all_tests(out, tests, size)
        found[table] = pa.table(out)
    return found


def _with_all_tests(columns: dict[str, pa.Array], tests: tuple[str, ...], size: int) -> dict[str, pa.Array]:
    """Return trial columns with those of every hypothesis of the run, empty where the design does not test it."""
    out = {name: column for name, column in columns.items() if ":" not in name}
    numbers = np.full(size, np.nan)
    empty: dict[str, pa.Array] = {
        "reject": pa.array(np.zeros(size, dtype=bool)),
        "reject_look": pa.array(np.zeros(size, dtype=np.int16)),
        "estimate": pa.array(numbers),
        "se": pa.array(numbers),
        "z": pa.array(numbers),
        "status": _words(np.zeros(size, dtype=np.int8), ("",)),
        "failed_look": pa.array(np.zeros(size, dtype=np.int16)),
    }
    for test in tests:
        for name, column in empty.items():
            out[f"{name}:{test}"] = columns.get(f"{name}:{test}", column)
    return out
