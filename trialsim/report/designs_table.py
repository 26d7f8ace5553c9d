"""The table of the designs that were simulated: patients, arms, allocation, looks, and what is tested at which level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trialsim.report.tables import TextTable
from trialsim.scenario.inner_policies import PEOPLE, inner_policies
from trialsim.scenario.units import parse_duration, readable_duration

MOST_LOOKS, MOST_TESTS = 6, 8

ABOUT_DESIGNS = (
    "As the scenario has them, with what was worked out; one-sided levels. The whole scenario lies beside the report in "
    "scenario.yaml."
)
_HEADINGS = ("design", "kind", "patients", "arms", "allocation", "looks at", "tests")
_ALWAYS = {"first_come_first_served", "all_open", "by_design", "by_protocol", "bounds"}
"""Policies of a trial in which nothing is done by a policy of its own."""


def designs_table(scenario: Mapping[str, Any], designs: Iterable[str]) -> TextTable | None:
    """Return a row for each design; None where the scenario does not hold them.

    Parameters
    ----------
    scenario
        The resolved scenario as plain data; what cannot be read in it is left out.
    designs
        Names of those that were simulated.
    """
    written, hypotheses = _mapping(scenario.get("designs")), _mapping(scenario.get("hypotheses"))
    rows = tuple(
        _row(name, _mapping(written[name]), hypotheses) for name in dict.fromkeys(designs) if name in written
    )
    kept = [place for place in range(len(_HEADINGS)) if any(row[place] != ("–",) for row in rows)]
    if len(kept) < 2:
        return None
    headings = tuple(_HEADINGS[place] for place in kept)
    return TextTable("designs", headings, tuple(tuple(row[place] for place in kept) for row in rows))


def _row(name: str, design: Mapping[str, Any], hypotheses: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    looks = [_when(_mapping(_mapping(look).get("when"))) for look in _list(design.get("looks"))]
    tests = [
        _test(str(test), options, _mapping(hypotheses.get(test)))
        for test, options in _mapping(design.get("tests")).items()
    ]
    kind = [str(design["kind"]).replace("_", " ")] if "kind" in design else []
    return (
        (name,),
        (*kind, *_policies(_mapping(design.get("policies")))) or ("–",),
        (f"{design['n']:,}" if isinstance(design.get("n"), int) else "–",),
        tuple(str(arm) for arm in _list(design.get("arms"))) or ("–",),
        tuple(_allocation(design.get("allocation"))) or ("–",),
        _at_most(looks, MOST_LOOKS),
        _at_most(tests, MOST_TESTS),
    )


def _policies(policies: Mapping[str, Any]) -> Iterator[str]:
    """Yield the policies by which something is decided that a plain trial does not decide."""
    for of, policy in policies.items():
        for name in policy if isinstance(policy, Mapping) else [policy]:
            if name == PEOPLE and isinstance(policy, Mapping):
                yield f"{of}: {_people(_mapping(policy[name]))}"
            elif name is not None and str(name) not in _ALWAYS:
                yield f"{of}: {str(name).replace('_', ' ')}"


def _people(options: Mapping[str, Any]) -> str:
    """Return people who decide: by which policy they are advised, and how often they do otherwise."""
    advice = [inner.replace("_", " ") for _, inner, _ in inner_policies(options)]
    chances = [f"{what} {options[what]:g}" for what in ("delay", "override") if options.get(what)]
    return ", ".join([f"{PEOPLE.replace('_', ' ')} on {' and '.join(advice)}", *chances])


def _allocation(allocation: Any) -> Iterator[str]:
    """Yield the rule of allocation, then its options."""
    if isinstance(allocation, str):
        yield allocation.replace("_", " ")
    for rule, options in _mapping(allocation).items():
        yield str(rule).replace("_", " ")
        for key, value in _mapping(options).items():
            yield f"{key}: {_in_words(value)}"


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_in_words(part)}" for key, part in value.items())
    return ", ".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value)


def _when(when: Mapping[str, Any]) -> str:
    """Return what brings a look about, such as ``225 events of progression``."""
    parts = []
    for key, value in when.items():
        if key in ("events", "readouts"):
            counted = value if isinstance(value, Mapping) else {"count": value}
            parts.append(f"{counted.get('count')} {key}" + _of(counted))
        elif key == "enrolled":
            parts.append(f"{value} enrolled")
        elif key == "calendar":
            parts.append(_time(value))
        elif key == "gap":
            parts.append(f"{_time(value)} after the look before")
        elif key in ("all", "any"):
            word = " and " if key == "all" else " or "
            parts.append(word.join(_when(_mapping(one)) for one in _list(value)))
    late = f", at the latest at {_time(when['no_later_than'])}" if when.get("no_later_than") else ""
    return (" ".join(parts) or "–") + late


def _of(counted: Mapping[str, Any]) -> str:
    endpoint = f" of {counted['endpoint']}" if counted.get("endpoint") else ""
    arms = _list(counted.get("arms"))
    return endpoint + (f" on {' and '.join(str(arm) for arm in arms)}" if arms else "")


def _time(written: Any) -> str:
    """Return a duration in the largest unit in which it is whole."""
    try:
        return readable_duration(parse_duration(str(written)))
    except ValueError:
        return str(written)


def _test(name: str, options: Any, hypothesis: Mapping[str, Any]) -> str:
    """Return a test in words: what is compared on what, how, and at which level."""
    analysis = hypothesis.get("analysis")
    how = next(iter(analysis), "") if isinstance(analysis, Mapping) else analysis or ""
    arms = " against ".join(str(arm) for arm in _list(hypothesis.get("arms")))
    parts = [arms, str(hypothesis.get("endpoint", "")), str(how).replace("_", " ")]
    level = _mapping(options).get("alpha")
    parts.append(f"level {level:g}" if isinstance(level, (int, float)) else "")
    told = ", ".join(part for part in parts if part)
    return f"{name}: {told}" if told else name


def _at_most(lines: list[str], most: int) -> tuple[str, ...]:
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return (*lines[:most], *more) or ("–",)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []
