"""Rules across costs and the rest of the world: a price stands only for what can happen there."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.accrual import Accrual
from trialsim.scenario.costs import Costs
from trialsim.scenario.screening import Screening

OF_SITES = ("site_activation", "site_month", "prescreen", "consent", "screen")
"""Prices of what happens at sites alone."""


def cost_findings(
    costs: Costs | None, accrual: Accrual | None, screening: Screening | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield prices of what never happens in the world, each at its place.

    Parameters
    ----------
    costs, accrual, screening
        What could be read of the world, None for what is not there.
    """
    if costs is None or accrual is None:
        return
    for name in OF_SITES:
        if getattr(costs, name) == 0.0:
            continue
        if accrual.sites is None:
            why = "is stated without sites; write accrual: {sites: {...}}, from which candidates come, or leave it out"
            yield ("costs", name), why
        elif name == "consent" and (screening is None or screening.consent is None):
            why = "is stated, but nobody is asked for consent; write screening: {consent: {...}}, or leave it out"
            yield ("costs", name), why
