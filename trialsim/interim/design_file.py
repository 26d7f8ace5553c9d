"""The file that says how a real trial is analysed: the test, the columns of the data, the design and the looks so far."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trialsim.designs.boundaries import Boundaries, group_sequential
from trialsim.designs.boundary_families import CLASSICAL
from trialsim.errors import Problem, ScenarioError
from trialsim.interim.design import EarlierLook, InterimDesign
from trialsim.interim.monitored import MONITORED, NOT_MONITORED, OTHERWISE_COUNTED, UNITS
from trialsim.scenario.hypotheses import ANALYSES_OF_KIND, Analysis
from trialsim.scenario.reading import parse_yaml, read_text
from trialsim.scenario.sentences import problems_from
from trialsim.scenario.units import DAYS_PER_UNIT
from trialsim.scenario.wording import listed, shown, unknown

_DIRECTIONS = ("lower", "higher")
LARGEST_Z = 37
"""Largest size of a statistic: its tail probability is still a number above 0."""

_KEYS = ("analysis", "direction", "arms", "columns", "time_unit", "design", "maximum", "looks", "last")
_NEEDED = ("analysis", "direction", "arms", "columns", "design")
_COLUMNS = {
    "survival": ("arm", "time", "event"),
    "continuous": ("arm", "value"),
    "binary": ("arm", "value"),
}
PATIENT = "patient"
"""The column that may name the patients, so that one who stands twice in the data is seen."""

_DESIGN = {
    "information", "alpha", "sides", "power", "efficacy", "efficacy_parameter", "futility", "futility_parameter",
    "futility_binding", "effect",
}  # fmt: skip
_ADAPTED = {
    "arms": "arms were dropped or chosen after that look, and the best of several looks better than it is",
    "population": "the population was narrowed (enriched) after that look, and it was chosen for what it had shown",
    "size": "the size was set anew after that look by the effect seen",
}
_STAGES = (
    "stages need p values of their own, combined by a rule fixed in advance and, of several arms or populations, closed: "
    "see trialsim combination, trialsim adjust and docs/inference.md"
)
_ANALYSIS: TypeAdapter[Analysis] = TypeAdapter(Analysis)


def load_interim_design(path: Path) -> InterimDesign:
    """Return the design in a YAML file.

    Raises
    ------
    ScenarioError
        With every problem found.
    """
    try:
        return _Reader(parse_yaml(read_text(path, "design"))).design()
    except ScenarioError as error:
        raise ScenarioError(error.problems, str(path)) from None


class _Reader:
    """A tree that is read part by part, its problems collected."""

    def __init__(self, tree: Any) -> None:
        self.tree: dict[str, Any] = tree if isinstance(tree, dict) else {}
        self.problems: list[Problem] = []
        if not isinstance(tree, dict):
            self.say("", f"a mapping with the keys {listed(_KEYS)} is expected, found {shown(tree)}")
            raise ScenarioError(self.problems)
        for key in self.tree:
            if key not in _KEYS:
                self.say(key, unknown("the key", key, _KEYS))
        for key in _NEEDED:
            if key not in self.tree:
                self.say(key, "it is missing; see docs/inference.md for what it holds")

    def say(self, path: str, sentence: str) -> None:
        self.problems.append(Problem(path, sentence))

    def design(self) -> InterimDesign:
        """Return the design, or raise every problem."""
        analysis = self._analysis()
        name = "" if analysis is None else analysis.name
        kind = _kind_of(name) if name else ""
        options = {} if analysis is None else _options_of(analysis)
        null = float(options.get("margin", 0.0))
        lower = self._direction()
        arms = self._arms()
        columns = self._columns(kind)
        days = self._days(name, kind)
        effect = self._effect(name, lower, null)
        plan = self._plan(name, None if effect is None else effect - null)
        unit, maximum = self._maximum(name, kind, plan)
        looks = self._looks(unit)
        last = self.tree.get("last", False)
        if not isinstance(last, bool):
            self.say("last", f"{shown(last)} is given; it is true or false")
        if plan is not None and len(looks) >= len(plan.information_rates):
            self.say(
                "looks",
                f"{len(looks)} looks were taken of {len(plan.information_rates)} planned: none is left",
            )
        if self.problems or analysis is None or plan is None:
            raise ScenarioError(self.problems)
        return InterimDesign(
            name, options, kind, lower, arms, columns, tuple(options.get("strata") or ()),
            tuple(options.get("covariates") or ()), dict(options.get("score") or {}), days, plan, effect, unit, maximum,
            looks, last,
        )  # fmt: skip

    def _analysis(self) -> Analysis | None:
        if "analysis" not in self.tree:
            return None
        try:
            read = _ANALYSIS.validate_python(self.tree["analysis"], context={})
        except ValidationError as error:
            found = problems_from(error, self.tree["analysis"], {})
            self.problems += [Problem(_under("analysis", each.path), each.message) for each in found]
            return None
        if read.name not in MONITORED:
            why = NOT_MONITORED.get(read.name, "it is a posterior, not a test with bounds")
            self.say("analysis", f"{read.name} cannot be monitored here: {why}; allowed: {listed(MONITORED)}")
            return None
        return read

    def _direction(self) -> bool:
        found = self.tree.get("direction")
        if "direction" in self.tree and found not in _DIRECTIONS:
            self.say("direction", f"{shown(found)} is given; it is lower or higher, whichever is a benefit")
        return found == "lower"

    def _arms(self) -> tuple[str, str]:
        found = self.tree.get("arms")
        named = isinstance(found, list) and all(isinstance(each, str | int | float) for each in found)
        if isinstance(found, list) and named and len({str(each) for each in found}) == 2 == len(found):
            return str(found[0]), str(found[1])
        if "arms" in self.tree:
            self.say("arms", "two different names are expected, control first: [control, treatment]")
        return "", ""

    def _columns(self, kind: str) -> dict[str, str]:
        found = self.tree.get("columns")
        if "columns" not in self.tree or not kind:
            return {}
        if not isinstance(found, dict):
            self.say("columns", f"a mapping of {listed(_COLUMNS[kind])} to columns of the data is expected")
            return {}
        for key, value in found.items():
            if key not in (*_COLUMNS[kind], PATIENT):
                self.say(f"columns.{key}", unknown("the key", key, (*_COLUMNS[kind], PATIENT)))
            elif not isinstance(value, str):
                self.say(f"columns.{key}", f"{shown(value)} is given; name a column of the data")
        for key in _COLUMNS[kind]:
            if key not in found:
                self.say(f"columns.{key}", f"it is missing; a {kind} endpoint needs {listed(_COLUMNS[kind])}")
        return {key: str(value) for key, value in found.items()}

    def _days(self, analysis: str, kind: str) -> float:
        """Return the days in a unit of the data's times, which matter where the analysis names a time."""
        found = self.tree.get("time_unit")
        if found is None:
            if analysis in MONITORED and MONITORED[analysis].of_survival:
                needed = f"it is missing; {analysis} names a time, so say what the times of the data are in, such as months"
                self.say("time_unit", needed)
            return 1.0
        unit = found[:-1] if isinstance(found, str) and found.endswith("s") else found
        if not isinstance(unit, str) or unit not in DAYS_PER_UNIT:
            allowed = listed(f"{each}s" for each in DAYS_PER_UNIT)
            self.say("time_unit", f"{shown(found)} is given; allowed: {allowed}")
        elif kind and kind != "survival":
            self.say("time_unit", "it belongs to survival endpoints; leave it out")
        else:
            return DAYS_PER_UNIT[unit]
        return 1.0

    def _effect(self, analysis: str, lower: bool, null: float) -> float | None:
        design = self.tree.get("design")
        if not isinstance(design, dict) or "effect" not in design:
            return None
        effect = self._number("design.effect", design["effect"])
        known = self.tree.get("direction") in _DIRECTIONS
        below = lower != (analysis in MONITORED and MONITORED[analysis].of_survival)
        if effect is not None and (effect == null or (known and (effect < null) != below)):
            side = "other than" if not known else "below" if below else "above"
            said = f"{effect:g} is no benefit with this direction; give a number {side} {null:g}"
            self.say("design.effect", said)
            return None
        return effect

    def _plan(self, analysis: str, effect: float | None) -> Boundaries | None:
        design = self.tree.get("design")
        if "design" not in self.tree:
            return None
        if not isinstance(design, dict):
            keys = listed(sorted(_DESIGN))
            self.say("design", f"a mapping with the keys {keys} is expected, found {shown(design)}")
            return None
        before = len(self.problems)
        for key in design:
            if key not in _DESIGN:
                self.say(f"design.{key}", unknown("the key", key, sorted(_DESIGN)))
        if "information" not in design:
            self.say(
                "design.information", "it is missing; give the planned information rates, such as [1/2, 1]"
            )
        asked = {key: _plain(value) for key, value in design.items() if key in _DESIGN and key != "effect"}
        if design.get("efficacy") in CLASSICAL:
            self.say(
                "design.efficacy",
                f"{design['efficacy']} has bounds for the looks planned alone; name a spending function, such as "
                "lan_demets_obrien_fleming, which has them for the information that is seen",
            )
            asked = {key: value for key, value in asked.items() if not key.startswith("efficacy")}
        try:
            plan = group_sequential(**({"information": [1.0]} | asked), effect=abs(effect) if effect else 1.0)
        except ScenarioError as error:
            self.problems += [Problem(_under("design", each.path), each.message) for each in error.problems]
            return None
        if analysis == "fisher" and plan.request.sides == 2:
            one_tail = (
                "the z of fisher has the tail of the direction of benefit alone; take 1, with half of alpha"
            )
            self.say("design.sides", one_tail)
        return plan if len(self.problems) == before else None

    def _maximum(self, analysis: str, kind: str, plan: Boundaries | None) -> tuple[str, float]:
        found = self.tree.get("maximum")
        allowed = MONITORED[analysis].units if analysis else UNITS
        example = {"survival": "{events: 300}"}.get(kind, "{patients: 300}")
        if len(allowed) == 1:
            example = "{information: 50}"
        if found is None:
            design = self.tree.get("design")
            follows = analysis != "fleming_harrington"  # its effect is not of one size in this information
            if follows and plan is not None and isinstance(design, dict) and "effect" in design:
                return "information", plan.maximum_information
            rest = (
                ", or design.effect, from which it follows"
                if follows
                else ": the variance of the weighted score"
            )
            self.say("maximum", f"give the planned maximum, such as {example}{rest}")
            return "information", math.nan
        if not isinstance(found, dict) or len(found) != 1 or next(iter(found)) not in allowed:
            why = OTHERWISE_COUNTED.get(analysis)
            said = f"one of {listed(allowed)} with a number is expected, such as {example}"
            self.say("maximum", f"{said}; {why}" if why else said)
            return "information", math.nan
        ((unit, number),) = found.items()
        value = self._number(f"maximum.{unit}", number, above=0.0)
        return unit, math.nan if value is None else value

    def _looks(self, unit: str) -> tuple[EarlierLook, ...]:
        found = self.tree.get("looks", [])
        if not isinstance(found, list):
            self.say("looks", "a list of earlier looks is expected, such as [{z: 1.2, at: 100}]")
            return ()
        looks: list[EarlierLook] = []
        for place, each in enumerate(found):
            where = f"looks[{place}]"
            if isinstance(each, dict) and "changed" in each:
                self._changed(f"{where}.changed", each["changed"])
                each = {key: value for key, value in each.items() if key != "changed"}
            if not isinstance(each, dict) or set(each) != {"z", "at"}:
                self.say(where, f"a look has z, its statistic, and at, the {unit} then: {{z: 1.2, at: 100}}")
                continue
            z = self._number(f"{where}.z", each["z"])
            if z is not None and abs(z) > LARGEST_Z:
                self.say(
                    f"{where}.z", f"{z:g} is not allowed; a statistic lies from {-LARGEST_Z} to {LARGEST_Z}"
                )
            at = self._number(f"{where}.at", each["at"], above=0.0)
            if z is None or at is None:
                continue
            if looks and at <= looks[-1].at:
                self.say(f"{where}.at", f"{at:g} follows {looks[-1].at:g}; looks come in order")
            looks.append(EarlierLook(z, at))
        return tuple(looks)

    def _changed(self, path: str, what: Any) -> None:
        """Refuse a look after which the trial was adapted: group sequential bounds know nothing of that."""
        if what in _ADAPTED:
            self.say(path, f"{_ADAPTED[what]}, so that plain group sequential bounds do not hold; {_STAGES}")
        elif what is not None:
            self.say(path, f"{shown(what)} is given; allowed: {listed(_ADAPTED)}, or leave it out")

    def _number(self, path: str, value: Any, above: float = -math.inf) -> float | None:
        number = _plain(value)
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            self.say(path, f"{shown(value)} is given; it takes a number")
        elif number <= above:
            self.say(path, f"{number:g} is not allowed; it lies above {above:g}")
        else:
            return float(number)
        return None


def _under(path: str, inner: str) -> str:
    return f"{path}.{inner}" if inner else path


def _kind_of(analysis: str) -> str:
    return next(kind for kind, names in ANALYSES_OF_KIND.items() if analysis in names)


def _options_of(analysis: Analysis) -> dict[str, Any]:
    """Return the options by name, durations in days."""
    given = getattr(analysis, analysis.name)
    return {name: getattr(given, name) for name in type(given).model_fields}


def _plain(value: Any) -> Any:
    """Return a value with ratios written as text, such as 1/3, turned to numbers."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str) and "/" in value:
        try:
            return float(Fraction(value.replace(" ", "")))
        except (ValueError, ArithmeticError):
            return value
    return value
