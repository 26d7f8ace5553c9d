"""What a scenario expects by a calendar time, in closed form: patients enrolled, read-outs, events.

For the notes of ``trialsim check``, which loads nothing heavy: accrual at one pace, exponential hazards, a hazard ratio
that stays. Where a scenario says otherwise nothing is known here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HALVINGS = 60


@dataclass(frozen=True)
class Pace:
    """Patients of a design over time.

    Parameters
    ----------
    n
        Patients in all.
    rate
        Patients a day, until all have come.
    hazards
        Hazard of the event in each arm, by its share of the patients; empty where no events are counted.
    loss
        Hazard of loss to follow-up.
    readout
        Days from entry to the read-out.
    """

    n: int
    rate: float
    hazards: tuple[tuple[float, float], ...] = ()
    loss: float = 0.0
    readout: float = 0.0

    def enrolled(self, day: float) -> float:
        """Return the patients expected by a day."""
        return min(self.rate * max(day, 0.0), float(self.n))

    def events(self, day: float) -> float:
        """Return the events expected by a day."""
        until = min(day, self.n / self.rate)
        total = 0.0
        for share, hazard in self.hazards:
            out = hazard + self.loss
            if out <= 0.0:
                continue
            # Entry is uniform over [0, until]; the chance of an event by the day is averaged over it.
            survivors = (math.exp(-out * (day - until)) - math.exp(-out * day)) / out
            total += share * self.rate * hazard / out * (until - survivors)
        return total

    def day_of(self, kind: str, count: int) -> float | None:
        """Return when a number of events or read-outs is expected, None where it never is."""
        if kind == "readouts":
            return count / self.rate + self.readout if count <= self.n else None
        low, high = 0.0, 1.0
        while self.events(high) < count:
            high *= 2.0
            if high > 1e7:
                return None
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.events(middle) < count else (low, middle)
        return high


def pace_of(scenario: Mapping[str, Any], design: Mapping[str, Any]) -> Pace | None:
    """Return the pace of a design of a resolved scenario as plain data, None where no closed form is known."""
    test = next(iter(_mapping(design.get("tests"))), None)
    hypothesis = _mapping(_mapping(scenario.get("hypotheses")).get(test or ""))
    endpoint = _mapping(_mapping(scenario.get("endpoints")).get(str(hypothesis.get("endpoint"))))
    n, rate = design.get("n"), _rate(_mapping(scenario.get("accrual")), design.get("n"))
    if not isinstance(n, int) or rate is None or any(endpoint.get(key) for key in _MOVED_BY):
        return None
    if any(scenario.get(key) for key in _CONDUCT):
        return None
    loss = 0.0
    if scenario.get("dropout") is not None:
        dropout = _mapping(scenario["dropout"])
        known = _hazard(dropout.get("baseline"))
        if known is None or dropout.get("effect") or any(dropout.get(key) for key in _MOVED_BY):
            return None
        loss = known
    if endpoint.get("kind") != "survival":
        return Pace(n, rate, loss=loss, readout=_days(endpoint.get("readout")) or 0.0)
    baseline, effect = _hazard(endpoint.get("baseline")), _mapping(endpoint.get("effect"))
    ratios = [effect.get(arm, 1.0) for arm in design.get("arms") or ()]
    if baseline is None or not ratios or not all(isinstance(ratio, (int, float)) for ratio in ratios):
        return None
    shares = _shares(design)
    return Pace(
        n, rate, tuple((share, baseline * ratio) for share, ratio in zip(shares, ratios, strict=True)), loss
    )


_MOVED_BY = ("covariates", "latent", "modifiers", "drift", "site", "detected")
_CONDUCT = ("treatment", "discontinuation", "withdrawal", "adverse_events", "visits")


def _shares(design: Mapping[str, Any]) -> list[float]:
    """Return the share of each arm."""
    rules = list(_mapping(design.get("allocation")).values())
    ratio = _mapping(_mapping(rules[0] if rules else None).get("ratio"))
    parts = [float(ratio.get(arm, 1)) for arm in design.get("arms") or ()]
    return [part / sum(parts) for part in parts]


def _rate(accrual: Mapping[str, Any], n: Any) -> float | None:
    """Return patients a day where accrual has one pace."""
    for form in ("evenly_spaced", "uniform", "poisson"):
        part = _mapping(accrual.get(form))
        over = _days(part.get("over"))
        if over and isinstance(n, int):
            return n / over
        if isinstance(part.get("rate"), str):
            return float(part["rate"].split()[0])
    return None


def _hazard(baseline: Any) -> float | None:
    """Return the hazard a day of an exponential law."""
    given = _mapping(baseline)
    median, at = _days(given.get("median")), _days(given.get("at"))
    if median:
        return math.log(2.0) / median
    survival = given.get("survival")
    if at and isinstance(survival, float) and 0.0 < survival <= 1.0:
        return -math.log(survival) / at
    return None


def _days(written: Any) -> float | None:
    """Return the days of a duration as a resolved scenario writes it."""
    return float(written.split()[0]) if isinstance(written, str) and written.endswith(" days") else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
