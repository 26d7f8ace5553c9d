"""The group sequential design: bounds on the z scale, one for each look, written in the scenario or computed."""

from __future__ import annotations

from trialsim.contracts import BoundsFollower
from trialsim.scenario.design import Computed, Design
from trialsim.scenario.schema import Scenario


class GroupSequential:
    """Several looks with efficacy bounds, and futility bounds where there are any."""

    name = "group_sequential"
    reference = "Jennison and Turnbull 2000"

    def bounds(self, design: Design, test: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return efficacy and futility bounds on the z scale by look; infinite where there is none.

        Parameters
        ----------
        design
            The design of a loaded scenario.
        test
            Name of the hypothesis tested.
        """
        return design.efficacy_z(test), design.futility_z(test)

    def follower(self, scenario: Scenario, name: str, test: str) -> BoundsFollower | None:
        """Return how bounds follow the information seen: see :mod:`trialsim.designs.followed_bounds`."""
        if scenario.designs[name].computed is None:
            return None
        from trialsim.designs.followed_bounds import followed_bounds

        return followed_bounds(scenario, name, test)

    def size(self, scenario: Scenario, name: str) -> int:
        """Return the events or patients that give a design its power: see :mod:`trialsim.designs.solved_size`."""
        from trialsim.designs.solved_size import solved_size

        return solved_size(scenario, name)

    def computed(self, scenario: Scenario, name: str, solved: int | None) -> Computed:
        """Return the bounds of a design: see :mod:`trialsim.designs.computed_bounds`."""
        from trialsim.designs.computed_bounds import computed_bounds

        return computed_bounds(scenario, name, solved)
