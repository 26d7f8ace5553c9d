"""The information fractions that a design plans, from what its looks wait for."""

from __future__ import annotations

from collections.abc import Sequence

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.design import Design
from trialsim.scenario.looks import Look
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import listed

_OF_THEIR_OWN = ("fleming_harrington", "restricted_mean", "milestone")
_NEEDED = "so that information is needed: information: [0.5, 1], a fraction for each look"


def planned_information(scenario: Scenario, name: str, test: str) -> tuple[float, ...]:
    """Return the information at each look over that of the last, for one test of a design.

    For a survival endpoint it is the events that a look waits for; for others the read-outs, or the patients enrolled.

    Parameters
    ----------
    scenario
        With the looks of its designs written out.
    name, test
        A design, and one of its tests.

    Raises
    ------
    ScenarioError
        Where the looks do not tell, or tell otherwise than the stated information.
    """
    design = scenario.designs[name]
    objection = _objection(scenario, design, test)
    if objection is not None:
        if design.information is not None:
            return design.information
        look, sentence = objection
        raise ScenarioError([Problem(f"designs.{name}.looks[{look}].when", f"{sentence}, {_NEEDED}")])
    counts = [look.when.count or 0 for look in design.looks]
    fractions = tuple(count / counts[-1] for count in counts)
    if design.information is not None and not _agree(fractions, design.information, counts[-1]):
        told = ", ".join(f"{fraction:.4g}" for fraction in fractions)
        sentence = f"the looks wait for counts that have the information {told}; leave information out"
        raise ScenarioError([Problem(f"designs.{name}.information", sentence)])
    return fractions


def counts_tell(analysis: str) -> bool:
    """Return whether the information of an analysis goes with events or read-outs; weights and times make it differ."""
    return analysis not in _OF_THEIR_OWN


def counts_of_looks(looks: Sequence[Look]) -> tuple[int, ...] | None:
    """Return what every look waits for, where all wait for a count of the same things; otherwise None."""
    things = {(look.when.kind, look.when.endpoint, look.when.arms, look.when.open_arms) for look in looks}
    counts = [look.when.count for look in looks]
    if len(things) != 1 or any(count is None for count in counts):
        return None
    return tuple(count for count in counts if count is not None)


def _objection(scenario: Scenario, design: Design, test: str) -> tuple[int, str] | None:
    """Return the first look that does not tell the information of a test, and why."""
    endpoint = scenario.hypotheses[test].endpoint
    survival = scenario.endpoints[endpoint].kind == "survival"
    suited = ("events",) if survival else ("readouts", "enrolled")
    if not counts_tell(scenario.hypotheses[test].analysis):
        return 0, f"events do not tell the information of the analysis {scenario.hypotheses[test].analysis}"
    for number, look in enumerate(design.looks):
        when = look.when
        if when.kind not in suited:
            what = "events" if survival else "read-outs"
            return number, f"{when.kind} does not tell how many {what} of '{endpoint}' there will be"
        if when.endpoint not in (None, endpoint):
            return number, f"the {when.kind} of '{when.endpoint}' do not tell the information on '{endpoint}'"
    if counts_of_looks(design.looks) is None:
        kinds = listed(dict.fromkeys(look.when.kind for look in design.looks))
        return len(design.looks) - 1, f"the looks wait for different things ({kinds})"
    return None


def _agree(fractions: Sequence[float], stated: Sequence[float], most: int) -> bool:
    """Return whether stated fractions are those of the counts, but for rounding to whole events or patients."""
    return all(abs(a - b) <= 1.0 / most + 1e-12 for a, b in zip(fractions, stated, strict=True))
