"""The JSON document of a run."""

from __future__ import annotations

from typing import Any

from trialsim.oc.characteristics import OperatingCharacteristics


def summary_document(
    name: str, digest: str, seed: int, characteristics: OperatingCharacteristics
) -> dict[str, Any]:
    """Return what ``--json`` prints and ``summary.json`` holds.

    Parameters
    ----------
    name, digest
        Of the resolved scenario.
    seed
        Of the run.
    characteristics
        What was found.
    """
    return {
        "scenario": name,
        "digest": digest,
        "seed": seed,
        "measures": characteristics.measures(),
        "comparisons": characteristics.comparisons(),
    }
