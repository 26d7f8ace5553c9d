"""Quantities of a survival design as they are written on a command line, read by the scenario language's own rules."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.accrual import MOST_PIECES, RatePiece, check_starts
from trialsim.scenario.hazards import Baseline, Ratio
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.sentences import problems_from
from trialsim.scenario.units import is_duration, parse_duration, parse_rate, plain_rate
from trialsim.scenario.wording import shown
from trialsim.stats.sample_size.answer import Requirements
from trialsim.stats.sample_size.piecewise_events import Steps, constant
from trialsim.stats.sample_size.weighted_logrank import LOGRANK, Weight

_RATE_PIECES = Annotated[tuple[RatePiece, ...], Field(min_length=1, max_length=MOST_PIECES)]
_FH = re.compile(r"fh\(([^,()]+),([^,()]+)\)\Z")
_MODEST = re.compile(r"modest\(([^()]+)\)\Z")
_MOST_POWER = 10.0


def duration_of(check: Requirements, name: str, text: str | None, zero: bool = False) -> float | None:
    """Return a written duration in days; None where there is none, or where it is refused."""
    if text is None:
        return None
    try:
        return parse_duration(text, zero=zero)
    except PydanticCustomError as error:
        check.refuse(name, error.message())
        return None


def hazard_of(check: Requirements, name: str, text: str | None) -> Steps | None:
    """Return a hazard per day, written as a median, a rate, or a mapping of the scenario language."""
    if text is None:
        return None
    try:
        if is_duration(text):
            return constant(math.log(2.0) / parse_duration(text, zero=False))
        if "{" not in text:
            return constant(parse_rate(plain_rate(text), zero=True))
    except PydanticCustomError as error:
        check.refuse(
            name,
            f"{error.message()}; or a median such as 8 months, or a mapping such as "
            "{survival: 0.6, at: 12 months} or {piecewise: [{from: 0 months, hazard: 0.06 per month}]}",
        )
        return None
    baseline = _read(check, name, text, Baseline)
    if baseline is None:
        return None
    starts, values = baseline.segments()
    if not starts:
        check.refuse(name, "a Weibull law is not piecewise constant; write it as piecewise hazards")
        return None
    return Steps(starts, values)


def ratio_of(check: Requirements, name: str, text: str | None) -> Steps | None:
    """Return a hazard ratio, written as a number or as pieces of the scenario language."""
    if text is None:
        return None
    read = _read(check, name, text, Ratio)
    if read is None:
        return None
    if isinstance(read, tuple):
        return Steps(tuple(start for start, _ in read), tuple(value for _, value in read))
    return constant(float(read))


def accrual_rate_of(check: Requirements, name: str, text: str | None) -> Steps | None:
    """Return patients per day, written as a rate or as pieces of the scenario language."""
    if text is None:
        return None
    try:
        if "[" not in text:
            return constant(parse_rate(text))
    except PydanticCustomError as error:
        check.refuse(name, f"{error.message()}; or pieces such as [{{from: 0 months, rate: 10 per month}}]")
        return None
    pieces = _read(check, name, text, _RATE_PIECES)
    if pieces is None:
        return None
    starts = [piece.start for piece in pieces]
    try:
        check_starts(starts)
    except PydanticCustomError as error:
        check.refuse(name, error.message())
        return None
    if not any(piece.rate > 0.0 for piece in pieces):
        check.refuse(name, "all rates are zero; at least one must be above zero")
        return None
    return Steps(tuple(starts), tuple(piece.rate for piece in pieces))


def weight_of(check: Requirements, name: str, text: str) -> Weight:
    """Return the weight of a log-rank test: ``logrank``, ``fh(0,1)``, ``gehan`` or ``modest(6 months)``."""
    word = text.strip().lower()
    if word == "logrank":
        return LOGRANK
    if word == "gehan":
        return Weight("gehan")
    modest = _MODEST.match(word)
    if modest:
        delay = duration_of(check, name, modest[1].strip())
        return LOGRANK if delay is None else Weight("modest", delay=delay)
    powers = _FH.match(word)
    if powers:
        try:
            rho, gamma = float(powers[1]), float(powers[2])
        except ValueError:
            rho = gamma = -1.0
        if 0.0 <= rho <= _MOST_POWER and 0.0 <= gamma <= _MOST_POWER:
            return Weight("fh", rho=rho, gamma=gamma)
        check.refuse(name, f"{shown(text)}: rho and gamma must be numbers from 0 to {_MOST_POWER:g}")
        return LOGRANK
    check.refuse(name, f"{shown(text)} is unknown; allowed: logrank, fh(rho,gamma), gehan, modest(6 months)")
    return LOGRANK


def _read(check: Requirements, name: str, text: str, kind: Any) -> Any:
    """Return what a text of the scenario language holds, or note its problems and return None."""
    tree: Any = None
    try:
        tree = parse_yaml(text)
        return TypeAdapter(kind).validate_python(tree, context={})
    except ScenarioError as error:
        found = error.problems
    except ValidationError as error:
        found = problems_from(error, tree, {})
    for problem in found:
        check.problems.append(Problem(_joined(name, problem.path), problem.message))
    return None


def _joined(name: str, path: str) -> str:
    return name if not path else f"{name}{path if path.startswith('[') else '.' + path}"
