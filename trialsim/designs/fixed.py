"""The fixed design: one analysis, tested at its one-sided level."""

from __future__ import annotations

from scipy.special import ndtri

from trialsim.contracts import BoundsFollower
from trialsim.scenario.design import Design
from trialsim.scenario.schema import Scenario


class Fixed:
    """One analysis at the end; a test is rejected beyond the normal quantile of its one-sided level."""

    name = "fixed"
    reference = "normal theory"

    def bounds(self, design: Design, test: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return efficacy and futility bounds on the z scale at the one look.

        Parameters
        ----------
        design
            The design as written.
        test
            Name of the hypothesis tested.
        """
        return (-float(ndtri(design.tests[test].alpha)),), (-float("inf"),)

    def follower(self, scenario: Scenario, name: str, test: str) -> BoundsFollower | None:
        """Return None: the one look has all the level, whatever it sees."""
        return None
