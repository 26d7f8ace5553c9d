"""What a scenario expects by a calendar time, in closed form: patients enrolled, read-outs, events.

For the notes of ``trialsim check``, which loads nothing heavy: accrual without sites, hazards and hazard ratios that are
constant or change at stated times. Where a scenario says otherwise nothing is known here.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_HALVINGS = 60
_SMALL = 1e-3  # below this the closed form cancels, and three terms of the series are exact to 1e-10

Pieces = tuple[tuple[float, float], ...]
"""Days from which a value holds, the first 0, and the value."""


@dataclass(frozen=True)
class Pace:
    """Patients of a design over time.

    Parameters
    ----------
    n
        Patients in all.
    rates
        Patients a day by calendar time, until all have come; the last above 0.
    hazards
        Of each arm its share of the patients and two hazards by time since entry: of the event, and of what ends
        follow-up otherwise, loss and death. Empty where no events are counted.
    readout
        Days from entry to the read-out.
    """

    n: int
    rates: Pieces
    hazards: tuple[tuple[float, Pieces, Pieces], ...] = ()
    readout: float = 0.0

    def enrolled(self, day: float) -> float:
        """Return the patients expected by a day."""
        come = sum(rate * (min(day, end) - start) for start, end, rate in _spans(self.rates) if start < day)
        return min(come, float(self.n))

    def day_enrolled(self, count: float) -> float:
        """Return the day by which so many patients are expected, at most all."""
        left = count
        for start, end, rate in _spans(self.rates):
            if rate > 0.0 and left <= rate * (end - start):
                return start + left / rate
            left -= rate * (end - start)
        return math.inf

    def events(self, day: float) -> float:
        """Return the events expected by a day.

        They are the integral of ``hazard(t) S(t) A(day - t)`` over the time since entry, ``A`` the patients enrolled and
        ``S`` the chance to be free of event, loss and death (Lachin and Foulkes 1986): between break points an
        exponential times a straight line.
        """
        turns = [start for start, _ in self.rates] + [self.day_enrolled(self.n)]
        total = 0.0
        for share, hazard, ends in self.hazards:
            breaks = {
                0.0,
                day,
                *(start for start, _ in (*hazard, *ends)),
                *(day - turn for turn in turns),
            }
            edges = sorted(each for each in breaks if 0.0 <= each <= day)
            free = 1.0
            for lower, upper in itertools.pairwise(edges):
                rate, width = _at(hazard, lower), upper - lower
                out = rate + _at(ends, lower)
                level, tilt = _moments(out, width)
                entered = self.enrolled(day - lower)
                slope = (self.enrolled(day - upper) - entered) / width
                total += share * rate * free * (entered * level + slope * tilt)
                free *= math.exp(-out * width)
        return total

    def day_of(self, kind: str, count: int) -> float | None:
        """Return when a number of events or read-outs is expected, None where it never is."""
        if kind == "readouts":
            return self.day_enrolled(count) + self.readout if count <= self.n else None
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
    n, rates = design.get("n"), _rates(_mapping(scenario.get("accrual")), design.get("n"))
    if not isinstance(n, int) or rates is None or any(endpoint.get(key) for key in _MOVED_BY):
        return None
    if any(scenario.get(key) for key in _CONDUCT):
        return None
    arms = tuple(design.get("arms") or ())
    ends = _ends(scenario, hypothesis.get("endpoint"), arms)
    if ends is None:
        return None
    if endpoint.get("kind") != "survival":
        return Pace(n, rates, readout=_days(endpoint.get("readout")) or 0.0)
    if _days(endpoint.get("readout")) or any(endpoint.get(key) for key in _SEEN_LATER):
        return None
    hazards = _by_arm(endpoint, arms)
    return Pace(n, rates, tuple(zip(_shares(design), hazards, ends, strict=True))) if hazards else None


_MOVED_BY = ("covariates", "latent", "modifiers", "drift", "site", "detected")
_SEEN_LATER = ("report_delay", "adjudication")
_CONDUCT = ("treatment", "discontinuation", "withdrawal", "adverse_events", "visits")


def _by_arm(endpoint: Mapping[str, Any], arms: tuple[str, ...]) -> list[Pieces] | None:
    """Return the hazard of a survival endpoint in each arm, None where one has no closed form."""
    baseline, effect = _hazard(endpoint.get("baseline")), _mapping(endpoint.get("effect"))
    ratios = [_ratio(effect.get(arm, 1.0)) for arm in arms]
    if baseline is None or any(endpoint.get(key) for key in _MOVED_BY):
        return None
    hazards = [_combined(operator.mul, baseline, ratio) for ratio in ratios if ratio is not None]
    return hazards if len(hazards) == len(ratios) else None


def _ends(scenario: Mapping[str, Any], tested: Any, arms: tuple[str, ...]) -> list[Pieces] | None:
    """Return the hazard of what ends follow-up beside the tested event in each arm: loss, and death of its own endpoint."""
    loss: Pieces | None = ((0.0, 0.0),)
    if scenario.get("dropout") is not None:
        dropout = _mapping(scenario["dropout"])
        loss = _hazard(dropout.get("baseline"))
        if dropout.get("effect") or any(dropout.get(key) for key in _MOVED_BY):
            return None
    if loss is None:
        return None
    ends = [loss] * len(arms)
    for name, written in _mapping(scenario.get("endpoints")).items():
        if name != tested and _mapping(written).get("terminal"):
            deaths = _by_arm(_mapping(written), arms)
            if deaths is None:
                return None
            ends = [_combined(operator.add, *both) for both in zip(ends, deaths, strict=True)]
    return ends


def _spans(pieces: Pieces) -> Iterable[tuple[float, float, float]]:
    """Return start, end and value of each piece; the last has no end."""
    ends = (*(start for start, _ in pieces[1:]), math.inf)
    return ((start, end, value) for (start, value), end in zip(pieces, ends, strict=True))


def _at(pieces: Pieces, day: float) -> float:
    """Return the value that holds on a day."""
    return next(value for start, value in reversed(pieces) if start <= day)


def _combined(how: Callable[[float, float], float], first: Pieces, second: Pieces) -> Pieces:
    """Return the product or sum of two functions that are constant in pieces."""
    starts = sorted({start for start, _ in (*first, *second)})
    return tuple((start, how(_at(first, start), _at(second, start))) for start in starts)


def _moments(hazard: float, width: float) -> tuple[float, float]:
    """Return the integrals of ``exp(-hazard x)`` and ``x exp(-hazard x)`` over ``[0, width]``."""
    y = hazard * width
    if y < _SMALL:
        return width * (1.0 - y / 2.0 + y * y / 6.0), width * width * (0.5 - y / 3.0 + y * y / 8.0)
    gone = -math.expm1(-y)
    return gone / hazard, (gone - y * math.exp(-y)) / (hazard * hazard)


def _shares(design: Mapping[str, Any]) -> list[float]:
    """Return the share of each arm."""
    rules = list(_mapping(design.get("allocation")).values())
    ratio = _mapping(_mapping(rules[0] if rules else None).get("ratio"))
    parts = [float(ratio.get(arm, 1)) for arm in design.get("arms") or ()]
    return [part / sum(parts) for part in parts]


def _rates(accrual: Mapping[str, Any], n: Any) -> Pieces | None:
    """Return patients a day by calendar time, None for sites."""
    for form in ("evenly_spaced", "uniform", "poisson"):
        part = _mapping(accrual.get(form))
        over = _days(part.get("over"))
        if over and isinstance(n, int):
            return ((0.0, n / over),)
        if isinstance(part.get("rate"), str):
            return ((0.0, _a_day(part["rate"])),)
    return _pieces(_mapping(accrual.get("piecewise")).get("rates"), "rate")


def _hazard(baseline: Any) -> Pieces | None:
    """Return the hazard a day of a law that is exponential, throughout or in pieces."""
    given = _mapping(baseline)
    median, at = _days(given.get("median")), _days(given.get("at"))
    if median:
        return ((0.0, math.log(2.0) / median),)
    survival = given.get("survival")
    if at and isinstance(survival, float) and 0.0 < survival <= 1.0:
        return ((0.0, -math.log(survival) / at),)
    if isinstance(given.get("hazard"), str):
        return ((0.0, _a_day(given["hazard"])),)
    return _pieces(given.get("piecewise"), "hazard")


def _ratio(written: Any) -> Pieces | None:
    """Return a hazard ratio."""
    return ((0.0, float(written)),) if isinstance(written, (int, float)) else _pieces(written, "hazard_ratio")


def _pieces(written: Any, key: str) -> Pieces | None:
    """Return pieces as a resolved scenario writes them, None where there are none."""
    if not isinstance(written, (list, tuple)) or not written:
        return None
    found = [(_days(_mapping(piece).get("from")), _mapping(piece).get(key)) for piece in written]
    known = [
        (start, _a_day(value))
        for start, value in found
        if start is not None and isinstance(value, (str, int, float))
    ]
    return tuple(known) if len(known) == len(found) and known[0][0] == 0.0 else None


def _a_day(written: str | float) -> float:
    """Return a rate a day, or a plain number."""
    return float(written.split()[0]) if isinstance(written, str) else float(written)


def _days(written: Any) -> float | None:
    """Return the days of a duration as a resolved scenario writes it."""
    return float(written.split()[0]) if isinstance(written, str) and written.endswith(" days") else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}
