"""Certificates of what a sweep runs: each point is a scenario of its own, and a certificate is of one scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trialsim.errors import ScenarioError
from trialsim.oc.certificate import missing_certificates
from trialsim.oc.sweep_grid import Grid


def missing_certificates_of(grid: Grid, source: Path, designs: Sequence[str]) -> list[str]:
    """Return a sentence for each design that has no good certificate of the scenario, or else of that at some point.

    Parameters
    ----------
    grid
        What varies in which scenario.
    source
        Where the scenario came from.
    designs
        That need a certificate.
    """
    scenario = grid.scenario
    whole = replace(grid, designs=tuple(scenario.designs), truths=tuple(scenario.truths))
    found = missing_certificates(scenario, source, designs)
    for point in grid.points():
        if found:
            break
        try:
            found = missing_certificates(whole.at(point), source, designs)
        except ScenarioError:
            continue  # which the sweep says by itself
    return found
