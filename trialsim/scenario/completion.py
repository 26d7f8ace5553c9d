"""What a design leaves unsaid and the scenario settles: its arms, and whose events a look counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trialsim.scenario.design import Design
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.looks import When


def counted_endpoints(
    kind: str, design: Design, hypotheses: Mapping[str, Hypothesis], endpoints: Mapping[str, Any]
) -> list[str]:
    """Return the endpoints that a look without a named endpoint may mean; more than one is ambiguous.

    Those that the design tests come first; where it tests none of the kind, all of the scenario are meant.

    Parameters
    ----------
    kind
        ``events`` (of survival endpoints) or ``readouts`` (of all others).
    """
    tested = (hypotheses[name].endpoint for name in design.tests if name in hypotheses)
    suited = _suited(kind, tested, endpoints)
    return suited or _suited(kind, endpoints, endpoints)


def _suited(kind: str, names: Iterable[str], endpoints: Mapping[str, Any]) -> list[str]:
    """Return the names of those endpoints that have events or readouts, each once."""
    wanted = kind == "events"
    return [
        name
        for name in dict.fromkeys(names)
        if name in endpoints and (endpoints[name].kind == "survival") == wanted
    ]


def completed(
    design: Design, arms: tuple[str, ...], hypotheses: Mapping[str, Hypothesis], endpoints: Mapping[str, Any]
) -> Design:
    """Return the design with its arms named, and the endpoint of each count where only one can be meant."""

    def named(when: When) -> When:
        if when.children:
            children = tuple(named(child) for child in when.children)
            return when.model_copy(update={"all_of" if when.kind == "all" else "any_of": children})
        counted = when.events or when.readouts
        if counted is None or counted.endpoint is not None:
            return when
        candidates = counted_endpoints(when.kind, design, hypotheses, endpoints)
        if len(candidates) != 1:
            return when
        return when.model_copy(update={when.kind: counted.model_copy(update={"endpoint": candidates[0]})})

    looks = tuple(look.model_copy(update={"when": named(look.when)}) for look in design.looks)
    return design.model_copy(update={"arms": design.arms or arms, "looks": looks})
