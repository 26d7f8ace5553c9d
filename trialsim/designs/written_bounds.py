"""The group-sequential design: bounds on the z scale, one for each look."""

from __future__ import annotations

from trialsim.scenario.design import Design


class GroupSequential:
    """Several looks with efficacy bounds, and futility bounds where there are any, as written in the scenario."""

    name = "group_sequential"
    reference = "Jennison and Turnbull 2000"

    def bounds(self, design: Design, test: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return efficacy and futility bounds on the z scale by look; infinite where there is none.

        Parameters
        ----------
        design
            The design as written.
        test
            Name of the hypothesis tested.
        """
        return design.efficacy_z(test), design.futility_z(test)
