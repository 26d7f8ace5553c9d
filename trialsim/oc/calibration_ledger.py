"""What certifications have spent: kept beside the scenario, so that no trial and no part of the level is spent twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trialsim.errors import UsageError
from trialsim.oc.calibration import Calibrated, Request, first_certified


def file_of(scenario_file: Path, design: str) -> Path:
    """Return where the certifications of a design are written down: beside the scenario."""
    return scenario_file.with_name(f"{scenario_file.stem}.{design}.calibrations.json")


def entries_of(path: Path) -> list[dict[str, Any]]:
    """Return the certifications that were written down.

    Raises
    ------
    UsageError
        If the file cannot be read, or there is none and none could be written.
    """
    if not path.exists():
        if not os.access(path.parent, os.W_OK):
            raise UsageError(
                f"{path} cannot be written, where it is kept which trials a certification has spent"
            )
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [dict(entry) for entry in found["certifications"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{path} cannot be read, where it is kept which trials a certification has spent"
        ) from None


def refuse_spent(path: Path, entries: Sequence[Mapping[str, Any]], request: Request, digest: str) -> bool:
    """Refuse a certification that would spend trials or level a second time; return whether it is one made before.

    The same request of the same scenario finds the same again, and spends nothing. Of another one the trials must be
    others, and the attempt one of those among which the level was shared beforehand.

    Parameters
    ----------
    path, entries
        The file and what it holds.
    request
        What is asked.
    digest
        Of the scenario.

    Raises
    ------
    UsageError
        If something would be spent twice.
    """
    first = first_certified(request)
    last = first + request.certification - 1
    for entry in entries:
        before = entry["request"]
        # An entry of an earlier version may be of other trials: it has spent the level, and finds something else now.
        if before == asked(request) and entry["scenario_digest"] == digest and entry["first"] == first:
            return True
        if before["measure"] != request.measure:
            continue
        advice = (
            f"A further attempt is planned with the first (--attempts 2) and made with --attempt 2; remove {path} only if "
            "it is of another design"
        )
        if before["attempts"] != request.attempts or before["attempt"] == request.attempt:
            raise UsageError(
                f"attempt {before['attempt']} of {before['attempts']} at a certificate of {request.measure} was made "
                f"before, and has spent its share of the level ({entry['verdict']}). {advice}"
            )
        if before["seed"] == request.seed and first <= entry["last"] and entry["first"] <= last:
            raise UsageError(
                f"trials {first:,} to {last:,} of seed {request.seed} would certify, of which attempt {before['attempt']} "
                f"has spent {entry['first']:,} to {entry['last']:,}: keep the numbers of --search, --calibration, --certify"
            )
    return False


def asked(request: Request) -> dict[str, Any]:
    """Return a request as plain data, without what does not change what is found."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(request)))
    del found["workers"]
    return found


def with_entry(entries: Sequence[Mapping[str, Any]], found: Calibrated, digest: str) -> dict[str, Any]:
    """Return what is to be written down, a certification more."""
    entry = {
        "request": asked(found.request), "scenario_digest": digest, "first": found.first_certified,
        "last": found.first_certified + found.request.certification - 1, "threshold": found.threshold,
        "points": [asdict(point) for point in found.points], "verdict": found.verdict,
    }  # fmt: skip
    return {"certifications": [*entries, entry]}
