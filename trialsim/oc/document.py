"""The JSON document of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialsim.oc.bounds_by_look import bounds_by_look
from trialsim.oc.characteristics import OperatingCharacteristics


def summary_document(
    name: str,
    digest: str,
    seed: int,
    characteristics: OperatingCharacteristics,
    scenario: Mapping[str, Any],
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
    scenario
        The resolved scenario as plain data.
    """
    designs = dict.fromkeys(cell.design for cell in characteristics.cells())
    return {
        "scenario": name,
        "digest": digest,
        "seed": seed,
        "measures": characteristics.measures(),
        "comparisons": characteristics.comparisons(),
        "hypotheses": [fact.to_dict() for fact in characteristics.facts],
        "bounds": bounds_by_look(scenario, designs),
    }
