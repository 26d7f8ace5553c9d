"""Fit the figures of ``parameters.json`` to the tables of this folder, and write what the real trial showed.

``python scenarios/cdisc_pilot/fit.py`` writes ``parameters.json`` (estimates with standard errors), ``real.json``
(counts, curves and means, nothing fitted) and the scenario ``cdisc_pilot.yaml`` (from its template and the estimates);
``--check`` writes nothing and fails when one of them differs. It reads the CSV files and the template and needs NumPy,
SciPy and pandas. The files are the same to the byte however often they are made.

Each part of the fit is a file: ``fit_enrolment`` (with ``fit_ramp_up``), ``fit_adverse_events``,
``fit_discontinuation``, ``fit_visits`` and ``fit_adas``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import fit_adas  # noqa: E402
import fit_adverse_events  # noqa: E402
import fit_discontinuation  # noqa: E402
import fit_enrolment  # noqa: E402
import fit_visits  # noqa: E402
from pilot_results import results  # noqa: E402
from pilot_scenario import scenario_text  # noqa: E402

PARTS = {
    "enrolment": fit_enrolment,
    "adverse_events": fit_adverse_events,
    "discontinuation": fit_discontinuation,
    "visits": fit_visits,
    "measurements": fit_adas,
}


def parameters() -> dict[str, Any]:
    """Return every fitted figure, by part and name."""
    return {"source": "the CSV files of this folder; written by fit.py"} | {
        name: part.fit() for name, part in PARTS.items()
    }


def text(value: Any, depth: int = 0) -> str:
    """Return JSON with every mapping that holds no other on a line of its own."""
    if not isinstance(value, (dict, list)):
        return json.dumps(value)
    inner = list(value.values()) if isinstance(value, dict) else value
    if not any(isinstance(one, (dict, list)) for one in inner):
        return json.dumps(value)
    pad, end = "\n" + " " * (depth + 1), "\n" + " " * depth
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {text(one, depth + 1)}" for key, one in value.items()]
        return "{" + pad + ("," + pad).join(lines) + end + "}"
    return "[" + pad + ("," + pad).join(text(one, depth + 1) for one in value) + end + "]"


def rendered() -> dict[str, str]:
    """Return the text of the files this script owns."""
    found = parameters()
    return {
        "parameters.json": text(found) + "\n",
        "real.json": text(results()) + "\n",
        "cdisc_pilot.yaml": scenario_text(found),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or check those that are there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when a file differs from the fit"
    )
    options = parser.parse_args(arguments)
    files = rendered()
    if options.check:
        stale = [
            name
            for name, content in files.items()
            if not (HERE / name).exists() or (HERE / name).read_text(encoding="utf-8") != content
        ]
        print(
            f"differs from the fit: {', '.join(stale)}"
            if stale
            else "parameters.json, real.json and cdisc_pilot.yaml are what the fit gives"
        )
        return 1 if stale else 0
    for name, content in files.items():
        (HERE / name).write_text(content, encoding="utf-8")
        print(f"{name}: {len(content.encode())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
