"""The report of a saved run, made again from its records."""

from __future__ import annotations

import os
from pathlib import Path

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.run_folder import StoredRun, alpha_targets
from trialsim.report.page import page


def write_report(run: StoredRun, characteristics: OperatingCharacteristics) -> Path:
    """Write ``report.html`` in the run's folder and return its path.

    Parameters
    ----------
    run
        The saved run.
    characteristics
        Computed from its records.
    """
    targets = alpha_targets(run.scenario)
    text = page(run.scenario, run.provenance, characteristics, run.records, targets, run.effects)
    path = run.folder / "report.html"
    beside = path.with_name(f"report.html.partial-{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path
