"""What a drift of both arms does to allocation rules, for tables and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DriftPoint:
    """How often one rule rejects at one drift.

    Parameters
    ----------
    label
        Of the rule.
    drift
        By how much the rate of both arms rises over enrolment.
    effect
        Difference of the rates: 0 makes a rejection an error.
    test
        ``naive``, or ``by_block`` where outcomes are compared within allocation periods.
    value, mcse
        Share of trials that reject, and its Monte Carlo standard error.
    """

    label: str
    drift: float
    effect: float
    test: str
    value: float
    mcse: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dict(vars(self))
