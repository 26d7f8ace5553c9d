"""Bounds that follow the information actually seen: spending functions read at the fraction that a look has.

A spending function fixes what is spent by each fraction of the planned maximum information; how many looks there are, and
when, need not be known before (Lan and DeMets, Biometrika 70, 1983, 659-663). The last look spends all that is left,
whether its information is under or over the planned maximum (Jennison and Turnbull 2000, sec. 7.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from trialsim.designs.boundaries import Boundaries
from trialsim.designs.boundary_checks import CLOSEST, LEAST_RATE, MOST_RATE
from trialsim.designs.computed_bounds import DIGITS, bounds_for
from trialsim.designs.planned_information import counts_of_looks, counts_tell, planned_information
from trialsim.scenario.design import NO_BOUND, Design
from trialsim.scenario.schema import Scenario
from trialsim.stats.group_sequential.spending import SPENDING

_FUNCTIONS = tuple(name for name in SPENDING if name != "user_defined")
"""Families that say what is spent at any fraction; ``user_defined`` says it of the planned looks alone."""

_MOST_KEPT = 200_000
_TAIL = 1.01
"""A look to come stands at the maximum, or this much beyond what was seen: it moves no bound before it."""


@dataclass(frozen=True, eq=False)
class FollowedBounds:
    """The bounds of one test for whatever was seen.

    Parameters
    ----------
    planned
        Its bounds at the planned information.
    maximum
        Planned events or read-outs at the last look.
    counts
        Planned events or read-outs by look, where looks wait for them.
    spends_beta
        Whether futility spends too; otherwise its planned bounds stay.
    """

    planned: Boundaries
    maximum: int
    counts: tuple[int, ...] | None
    spends_beta: bool
    _kept: dict[tuple[tuple[int, ...], bool], tuple[float, float]] = field(default_factory=dict, repr=False)

    def at(self, seen: tuple[int, ...], last: bool) -> tuple[float, float]:
        """Return the efficacy and the futility bound of a look.

        Parameters
        ----------
        seen
            Events or read-outs at each look up to this one.
        last
            Whether no look is planned after it.
        """
        # Counts are whole numbers, so that the same path comes again in many trials.
        if (seen, last) not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[seen, last] = _bounds_at(self, seen, last)
        return self._kept[seen, last]


def _bounds_at(followed: FollowedBounds, seen: tuple[int, ...], last: bool) -> tuple[float, float]:
    """Return the bounds of a look."""
    if max(seen[:-1], default=0) >= followed.maximum:
        return NO_BOUND, -NO_BOUND  # all was spent when the maximum was reached
    rates, new = _path([count / followed.maximum for count in seen])
    if not rates or not (new or last):
        return NO_BOUND, -NO_BOUND  # nothing new is known, so that nothing is spent
    place = len(rates) - 1
    path = rates if last else [*rates, max(1.0, _TAIL * rates[-1])]
    found = followed.planned.monitored(path)
    futility = found.futility_z if followed.spends_beta else followed.planned.futility_z
    look = place if followed.spends_beta else len(seen) - 1
    lower = -NO_BOUND if last else float(futility[look])
    return round(float(found.efficacy_z[place]), DIGITS), round(lower, DIGITS)


def _path(fractions: Sequence[float]) -> tuple[list[float], bool]:
    """Return the information of the looks that saw something new, and whether the last of them did."""
    rates: list[float] = []
    new = False
    for fraction in fractions:
        rate = min(fraction, MOST_RATE / _TAIL)
        new = rate >= LEAST_RATE and (not rates or rate - rates[-1] >= CLOSEST * rate)
        if new:
            rates.append(rate)
    return rates, new


def followed_bounds(scenario: Scenario, name: str, test: str) -> FollowedBounds | None:
    """Return how the bounds of a test follow what is seen, or None where they stay as planned.

    They stay where a family is no spending function, where looks count some arms only, where the information of the
    analysis is not that of counts, where the test is not on the endpoint of the design's first test, and where no planned
    maximum is known (calendar looks without ``events``).

    Parameters
    ----------
    scenario
        A loaded scenario.
    name, test
        A design that names its families of bounds, and one of its tests.
    """
    design = scenario.designs[name]
    if not _spends(design) or any(
        look.when.arms is not None or look.when.open_arms is not None for look in design.looks
    ):
        return None
    endpoint = scenario.hypotheses[test].endpoint
    if not counts_tell(scenario.hypotheses[test].analysis):
        return None
    if endpoint != scenario.hypotheses[next(iter(design.tests))].endpoint:
        return None
    survival = scenario.endpoints[endpoint].kind == "survival"
    counts = counts_of_looks(design.looks)
    kind = design.looks[0].when.kind
    if counts is not None and kind in (("events",) if survival else ("readouts", "enrolled")):
        maximum: int | None = counts[-1]
    else:
        counts, maximum = None, design.events if survival else design.n
    if maximum is None:
        return None
    planned = bounds_for(name, design, test, planned_information(scenario, name, test))
    spends_beta = design.futility is not None and design.futility[0] in _FUNCTIONS
    if design.futility is not None and not spends_beta:
        planned = _without_futility(name, design, test, planned)
    return FollowedBounds(planned, maximum, counts if kind in ("events", "readouts") else None, spends_beta)


def _spends(design: Design) -> bool:
    """Return whether the efficacy bounds of a design follow from a spending function alone."""
    if design.efficacy is None or design.efficacy[0] not in _FUNCTIONS:
        return False
    return not design.futility_binding or (design.futility is not None and design.futility[0] in _FUNCTIONS)


def _without_futility(name: str, design: Design, test: str, planned: Boundaries) -> Boundaries:
    """Return planned bounds whose futility stays while efficacy follows: non-binding, it moves no efficacy bound."""
    alone = design.model_copy(update={"futility": None})
    bare = bounds_for(name, alone, test, planned.information_rates.tolist())
    return replace(bare, futility_z=planned.futility_z)
