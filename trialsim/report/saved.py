"""The report of a saved run, made again from its records."""

from __future__ import annotations

from pathlib import Path

from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.run_folder import StoredRun, alpha_targets
from trialsim.report.page import page
from trialsim.report.whole_file import write_whole


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
    write_whole(path, text.encode("utf-8", "backslashreplace"), overwrite=True)
    return path
