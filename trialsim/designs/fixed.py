"""The fixed design: one analysis, each test at its one-sided level, or several that share one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import ndtri

from trialsim import registry
from trialsim.contracts import BoundsFollower, Floats, StoppingPolicy
from trialsim.policies.shared_level import SharedLevel
from trialsim.scenario.design import Design
from trialsim.scenario.multiplicity import Multiplicity
from trialsim.scenario.policies import located_parameters
from trialsim.scenario.schema import Scenario
from trialsim.stats.multiplicity import adjusted
from trialsim.stats.multiplicity.graph import Graph, graph_test


class Fixed:
    """One analysis at the end; a test is rejected beyond the normal quantile of its one-sided level.

    With ``multiplicity`` all tests share one familywise level: Bonferroni, Holm, Hochberg, Hommel, a fixed sequence in the
    order of the tests, or a graph.
    """

    name = "fixed"
    reference = "normal theory; Holm 1979; Hochberg 1988; Bretz et al. 2009"

    def bounds(self, design: Design, test: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return efficacy and futility bounds on the z scale at the one look.

        With ``multiplicity`` the efficacy bound is the one that a test must reach whatever the others show.

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

    def stopping(self, scenario: Scenario, name: str) -> StoppingPolicy:
        """Return the policy that decides: the one written, or the procedure by which the tests share their level."""
        design = scenario.designs[name]
        policy, parameters = design.policies["stopping"]
        if design.multiplicity is None:
            named: StoppingPolicy = registry.get("policies", f"stopping.{policy}")(
                **located_parameters(parameters, scenario.folder)
            )
            return named
        level = next(iter(design.tests.values())).alpha
        return SharedLevel(adjustment_of(design.multiplicity, tuple(design.tests)), level, **parameters)


def adjustment_of(multiplicity: Multiplicity, tests: tuple[str, ...]) -> Callable[[Floats], Floats]:
    """Return what turns p values of tests, ``[..., test]``, into adjusted ones."""
    if multiplicity.graph is None:
        found: Callable[[Floats], Floats] = getattr(adjusted, multiplicity.kind)
        return found
    weights = np.array([multiplicity.graph.weights.get(test, 0.0) for test in tests])
    transitions = np.array(
        [[multiplicity.graph.transitions.get(one, {}).get(other, 0.0) for other in tests] for one in tests]
    )
    return partial(_by_graph, Graph(weights, transitions))


def _by_graph(graph: Graph, p: Floats) -> Floats:
    return graph_test(graph, p, 1.0).adjusted_p
