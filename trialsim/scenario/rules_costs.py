"""Rules across costs and the rest of the world: a price stands only for what can happen there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from trialsim.scenario.accrual import Accrual
from trialsim.scenario.costs import Costs
from trialsim.scenario.screening import Screening
from trialsim.scenario.visits import Visits

OF_SITES = ("site_activation", "site_month", "prescreen", "consent", "screen")
"""Prices of what happens at sites alone."""

OF_ADVERSE_EVENTS = ("adverse_event", "serious_adverse_event")
"""Prices of adverse events."""


def cost_findings(
    costs: Costs | None,
    accrual: Accrual | None,
    screening: Screening | None,
    visits: Visits | None,
    adverse_events: Mapping[str, Any],
    unread: Collection[str] = (),
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield prices of what never happens in the world, each at its place.

    Parameters
    ----------
    costs, accrual, screening, visits, adverse_events
        What could be read of the world, None or nothing for what is not there.
    unread
        Keys of what stands in the file but could not be read: what it says of prices is not known.
    """
    if costs is None or accrual is None:
        return
    if costs.visit and visits is None and "visits" not in unread:
        why = "is stated without visits; write visits: {every: 8 weeks, until: 2 years}, or leave it out"
        yield ("costs", "visit"), why
    for name in OF_ADVERSE_EVENTS:
        if getattr(costs, name) and not adverse_events and "adverse_events" not in unread:
            why = "is stated without adverse events; write adverse_events: {...}, or leave it out"
            yield ("costs", name), why
    for name in OF_SITES:
        if getattr(costs, name) == 0.0:
            continue
        if accrual.sites is None:
            why = "is stated without sites; write accrual: {sites: {...}}, from which candidates come, or leave it out"
            yield ("costs", name), why
        elif name == "consent" and "screening" in unread:
            continue
        elif name == "consent" and (screening is None or screening.consent is None):
            why = "is stated, but nobody is asked for consent; write screening: {consent: {...}}, or leave it out"
            yield ("costs", name), why
