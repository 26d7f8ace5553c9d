"""Records made by hand or by formula, for tests of what is computed from records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

TRIAL = {
    "design": "fixed",
    "truth": "effect",
    "replicate": 0,
    "status": "ok",
    "stop_reason": "final",
    "stop_look": 1,
    "enrolled": 100,
    "analysed": 100,
    "pipeline": 0,
    "overrun": 0,
    "events": 50,
    "cut_time": 300.0,
    "lock_time": 300.0,
    "decision_time": 300.0,
    "last_visit_time": 300.0,
    "enrolment_end_time": 200.0,
}
_NAMES = ("design", "truth", "status", "stop_reason", "arm", "hypothesis")


@dataclass
class Tables:
    """Tables as an engine hands them over."""

    trials: pa.Table
    arms: pa.Table
    cells: pa.Table
    looks: pa.Table | None = None


def trial(
    replicate: int, hypotheses: dict[str, dict[str, Any]] | None = None, **values: Any
) -> dict[str, Any]:
    """Return a row of trials; `hypotheses` gives reject, reject_look, estimate, se, z and status by name."""
    row = {**TRIAL, "replicate": replicate, **values}
    for name, given in (hypotheses if hypotheses is not None else {"primary": {}}).items():
        found = {
            "reject": False,
            "reject_look": 0,
            "estimate": 0.0,
            "se": 1.0,
            "z": 0.0,
            "status": "ok",
            **given,
        }
        if found["reject"] and not given.get("reject_look"):
            found["reject_look"] = row["stop_look"]
        row.update({f"{key}:{name}": value for key, value in found.items()})
    return row


def cell_fact(hypothesis: str = "primary", **values: Any) -> dict[str, Any]:
    """Return a row of the table of cells."""
    row = {"design": "fixed", "truth": "effect", "hypothesis": hypothesis, "estimand": "log hazard ratio"}
    row |= {
        "estimator": "Cox",
        "true_value": 0.0,
        "null": False,
        "best_arm": "treatment",
        "unit": "log hazard ratio",
    }
    return row | values


def tables(
    trials: list[dict[str, Any]], cells: list[dict[str, Any]], arms: list[dict[str, Any]] | None = None
) -> Tables:
    """Return tables of rows; two arms share the patients where no arms are given."""
    if arms is None:
        arms = [
            {
                **{key: row[key] for key in ("design", "truth", "replicate")},
                "arm": arm,
                "enrolled": (row["enrolled"] + place) // 2,
                "dropped_look": 0,
            }
            for row in trials
            for place, arm in enumerate(("control", "treatment"))
        ]
    return Tables(table_of(trials), table_of(arms), pa.Table.from_pylist(cells))


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """Return a table with the column types of the contract."""
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        if name in _NAMES or name.startswith("status:"):
            columns[name] = pa.array(values, pa.string()).dictionary_encode()
        elif name.startswith("reject:"):
            columns[name] = pa.array(values, pa.bool_())
        elif name == "replicate":
            columns[name] = pa.array(values, pa.int64())
        elif name in ("stop_look", "dropped_look", "look") or name.startswith(
            ("reject_look:", "failed_look:")
        ):
            columns[name] = pa.array(values, pa.int16())
        elif isinstance(values[0], int):
            columns[name] = pa.array(values, pa.int32())
        else:
            columns[name] = pa.array(values, pa.float64())
    return pa.table(columns)


def simulated_cell(
    design: str, truth: str, n: int, *, seed: int, power: float, n_looks: int = 3, first: int = 0
) -> dict[str, pa.Table]:
    """Return `n` trials of a group-sequential design with two arms, by formula, as one block."""
    random = np.random.default_rng([seed, first, *(ord(letter) for letter in design + truth)])
    rejected = random.random(n) < power
    look = np.where(rejected, random.integers(1, n_looks + 1, n), n_looks).astype(np.int16)
    futile = ~rejected & (random.random(n) < 0.4)
    look[futile] = 1
    reason = np.where(rejected, 0, np.where(futile, 1, 2)).astype(np.int8)
    lock = look * 180.0 + np.round(random.normal(0, 20, n) * 1024) / 1024
    enrolled = np.minimum(400, 150 * look + random.integers(0, 20, n)).astype(np.int32)
    replicate = np.arange(first, first + n)

    def names(codes: Any, words: list[str]) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(np.asarray(codes, np.int8)), pa.array(words))

    def keys(times: int) -> dict[str, Any]:
        same = np.zeros(n * times, np.int8)
        return {
            "design": names(same, [design]),
            "truth": names(same, [truth]),
            "replicate": np.repeat(replicate, times),
        }

    zeros = np.zeros(n, np.int32)
    estimate = random.normal(-0.3 if power > 0.1 else 0.0, 0.12, n)
    trials = {
        **keys(1),
        "status": names(zeros, ["ok", "failed"]),
        "stop_reason": names(reason, ["efficacy", "futility", "final"]),
        "stop_look": look,
        "enrolled": enrolled,
        "analysed": enrolled,
        "pipeline": zeros,
        "overrun": zeros,
        "events": (look * 86).astype(np.int32),
        "cut_time": lock,
        "lock_time": lock,
        "decision_time": lock + 14,
        "last_visit_time": lock + 30,
        "enrolment_end_time": np.minimum(lock, 365.25),
        "reject:primary": rejected,
        "reject_look:primary": np.where(rejected, look, 0).astype(np.int16),
        "estimate:primary": estimate,
        "se:primary": np.full(n, 0.12),
        "z:primary": -estimate / 0.12,
        "status:primary": names(zeros, ["ok"]),
    }
    arms = {
        **keys(2),
        "arm": names(np.tile([0, 1], n), ["control", "treatment"]),
        "enrolled": np.stack([enrolled // 2, enrolled - enrolled // 2], axis=1).ravel(),
        "dropped_look": np.zeros(2 * n, np.int16),
    }
    looks = {
        **keys(1),
        "look": np.ones(n, np.int16),
        "hypothesis": names(zeros, ["primary"]),
        "z": -estimate / 0.12,
        "efficacy_z": np.full(n, 3.7),
        "rejected": rejected,
    }
    return {"trials": pa.table(trials), "looks": pa.table(looks), "arms": pa.table(arms)}
