"""Rules for tests that share one level: a fixed design, one level, a graph of the tests that there are."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.multiplicity import Graph
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place
from trialsim.scenario.wording import listed, unknown

_ROUNDING = 1e-9


def multiplicity_findings(at: Place, design: Design) -> Iterator[Finding]:
    """Yield what keeps the tests of a design from sharing one level."""
    if design.multiplicity is None:
        return
    where = (*at, "multiplicity")
    if design.kind != "fixed":
        sentence = f"belongs to kind: fixed, not {design.kind}"
        if design.kind == "group_sequential":
            sentence += ": at several looks give each test its share of the level instead"
        yield where, sentence
    if len(design.tests) < 2:
        yield where, "is for several tests, and this design has one"
    levels = sorted({test.alpha for test in design.tests.values()})
    if len(levels) > 1:
        told = listed([f"{level:g}" for level in levels])
        sentence = (
            f"the tests have the levels {told}; they share one, which holds familywise: give it to each"
        )
        yield (*at, "tests"), sentence
    if design.policies["stopping"][0] != "bounds":
        sentence = f"{design.policies['stopping'][0]} decides beside the procedure; leave it out"
        yield (*at, "policies", "stopping"), sentence
    if design.multiplicity.graph is not None:
        yield from _graph((*where, "graph"), design.multiplicity.graph, tuple(design.tests))


def _graph(at: Place, graph: Graph, tests: tuple[str, ...]) -> Iterator[Finding]:
    """Yield names that are no tests, and shares that add up to more than 1."""
    for name in graph.weights:
        if name not in tests:
            yield (*at, "weights", name), unknown("the test", name, tests)
    if sum(graph.weights.values()) > 1.0 + _ROUNDING:
        yield (*at, "weights"), f"they add up to {sum(graph.weights.values()):g}; at most 1 is allowed"
    for name, shares in graph.transitions.items():
        if name not in tests:
            yield (*at, "transitions", name), unknown("the test", name, tests)
        for other in shares:
            if other not in tests:
                yield (*at, "transitions", name, other), unknown("the test", other, tests)
            elif other == name:
                yield (*at, "transitions", name, other), "no test passes its share to itself; leave it out"
        if sum(shares.values()) > 1.0 + _ROUNDING:
            yield (*at, "transitions", name), f"they add up to {sum(shares.values()):g}; at most 1 is allowed"
    reached = {name for name, weight in graph.weights.items() if weight > 0.0}
    while more := {
        other
        for name, shares in graph.transitions.items()
        if name in reached
        for other, share in shares.items()
        if share > 0.0 and other not in reached
    }:
        reached |= more
    never = [name for name in tests if name not in reached]
    if never:
        yield (*at, "weights"), f"nothing is ever passed to {listed(never)}, which can never be rejected"
