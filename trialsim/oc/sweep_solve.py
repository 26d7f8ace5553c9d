"""The smallest value of a number of the scenario that lifts a measure to its target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Real
from os import PathLike
from typing import Any

from trialsim.engines.cell_facts import truth_of
from trialsim.engines.plan import build_plan
from trialsim.errors import UsageError
from trialsim.oc.measures import definition
from trialsim.oc.sweep import (
    DEFAULT_MEASURE,
    PointsDone,
    Sweep,
    SweepRow,
    Wanted,
    measured,
    prepared,
    unmoved,
)
from trialsim.oc.sweep_grid import Grid, Number, Vary, own_values
from trialsim.scenario.load import patient_table
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import shown

_SHARES = ("probability", "share")
_BETWEEN = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Solution:
    """The smallest value on the grid at which a measure is at least its target, found by bisection.

    Parameters
    ----------
    wanted, target
        The measure, and what it shall reach.
    design, truth
        Where it was measured.
    at
        The measure at the solution; None where no value that was tried reaches the target.
    below
        The measure one step below the solution; None at the start of the grid.
    tried
        How many values were simulated.
    monotone
        Whether the measure never fell from one value tried to the next larger one.
    """

    wanted: Wanted
    target: float
    design: str
    truth: str
    at: SweepRow | None
    below: SweepRow | None
    tried: int
    monotone: bool

    @property
    def value(self) -> Number | None:
        """Return the solution, where there is one."""
        return None if self.at is None else self.at.point[0]

    @property
    def interval_covers_target(self) -> bool | None:
        """Return whether the 95% interval at the solution holds the target; None where there is none."""
        return None if self.at is None else covers(self.at, self.target)

    def document(self, sweep: Sweep) -> dict[str, Any]:
        """Return the solution as it stands in JSON."""
        return {
            "measure": self.wanted.label,
            "target": self.target,
            "design": self.design,
            "truth": self.truth,
            "parameter": sweep.grid.labels[0],
            "reached": self.at is not None,
            "value": self.value,
            "at": None if self.at is None else sweep.row_document(self.at),
            "below": None if self.below is None else sweep.row_document(self.below),
            "interval_covers_target": self.interval_covers_target,
            "tried": self.tried,
            "monotone": self.monotone,
        }


def solve(
    scenario: Scenario | str | PathLike[str],
    vary: str | Vary,
    target: float,
    measure: str = DEFAULT_MEASURE,
    designs: str | Sequence[str] | None = None,
    truths: str | Sequence[str] | None = None,
    replicates: int = 10_000,
    seed: int = 1,
    engine: str = "fast",
    workers: int = 1,
    progress: PointsDone | None = None,
    others: Sequence[str] = (),
) -> Sweep:
    """Find the smallest value of a number of the scenario at which a measure is at least a target.

    The values are tried by bisection, on the same patients throughout. That takes the measure to rise with
    the value; the result says when the values tried contradict that.

    Parameters
    ----------
    scenario
        A loaded scenario, or the path of its file.
    vary
        What varies, such as ``"designs.fixed.n=300:900:10"``.
    target
        What the measure shall reach.
    measure
        A measure that is one number: ``reject:primary`` names the hypothesis where there are several.
    designs, truths
        One design and one truth. Neither need be named where the number varies in one design only, or where
        the measure is reported under one truth only.
    replicates, seed, engine, workers, progress
        As for :func:`~trialsim.oc.sweep.sweep`.
    others
        More measures to tabulate at the values that are tried.

    Returns
    -------
    Sweep
        Its rows are those of the values tried; ``.solution`` is the answer.

    Raises
    ------
    ScenarioError
        Where a value that is tried makes no valid scenario.
    UsageError
        If a name, a path or a number cannot be used, or several designs or truths are meant.
    """
    if isinstance(target, bool) or not isinstance(target, Real):
        raise UsageError(f"solve: a target of type {type(target).__name__} cannot be reached; give a number.")
    if not math.isfinite(target):
        raise UsageError(f"solve: {target} cannot be reached; the target is a finite number.")
    grid, wanted = prepared(scenario, vary, designs, truths, [measure, *others])
    if len(grid.varied) != 1:
        raise UsageError("solve: one number is to vary, not several.")
    grid = _one_cell(grid, wanted[0])
    rows: dict[int, list[SweepRow]] = {}
    values = grid.varied[0].values
    most = min(len(values), 2 + len(_BETWEEN) + max(1, math.ceil(math.log2(len(values)))))

    def reaches(place: int) -> bool:
        if place not in rows:
            if progress is not None:
                progress(len(rows), most)
            point = (values[place],)
            found = measured(grid, grid.at(point), point, wanted, replicates, seed, engine, workers)
            _require_one(found, wanted[0], grid, point[0])
            rows[place] = found
        return _headline(rows[place]).measure.value >= target

    place = _smallest(reaches, len(values))
    if progress is not None:
        progress(most, most)
    tried = [rows[each] for each in sorted(rows)]
    heights = [_headline(each).measure.value for each in tried]
    solution = Solution(
        wanted=wanted[0],
        target=target,
        design=grid.designs[0],
        truth=grid.truths[0],
        at=None if place is None else _headline(rows[place]),
        below=None if not place else _headline(rows[place - 1]),
        tried=len(rows),
        monotone=all(later >= earlier for earlier, later in pairwise(heights)),
    )
    every = tuple(row for each in tried for row in each)
    notes = (*own_values(grid), *(list(unmoved(grid, every)) or _counts_to_vary(grid, solution)))
    return Sweep(grid, wanted, replicates, seed, every, solution, notes)


def parse_target(text: str) -> tuple[str, float]:
    """Read ``MEASURE=VALUE``.

    Raises
    ------
    UsageError
        If it is not of that form.
    """
    name, equals, value = text.partition("=")
    try:
        target = float(value)
    except ValueError:
        target = math.nan
    if not equals or not name.strip() or not math.isfinite(target):
        raise UsageError(
            f"solve: {shown(text)} is not a measure and its target; write such as power_disjunctive=0.9."
        )
    _require_possible(name.strip(), target)
    return name.strip(), target


def _require_possible(name: str, target: float) -> None:
    """Refuse a target that a measure cannot have; one that is not known is refused where the scenario is."""
    try:
        unit = definition(name.partition(":")[0]).unit
    except KeyError:
        return
    if unit in _SHARES and not 0.0 <= target <= 1.0:
        raise UsageError(f"solve: {name} is a {unit}, from 0 to 1; {target:g} is never reached.")


def covers(row: SweepRow, target: float) -> bool:
    """Return whether a target lies within the 95% interval of a row."""
    lower, upper = row.measure.lower, row.measure.upper
    return lower is not None and upper is not None and lower <= target <= upper


def _smallest(reaches: Callable[[int], bool], size: int) -> int | None:
    """Return the smallest place that reaches the target, if the places that do follow those that do not.

    Where neither end does, three places between them are tried: the measure may rise and fall.
    """
    if reaches(0):
        return 0
    high = size - 1
    if not reaches(high):
        between = sorted({round(share * (size - 1)) for share in _BETWEEN})
        found = next((place for place in between if reaches(place)), None)
        if found is None:
            return None
        high = found
    low = 0
    while high - low > 1:
        middle = (low + high) // 2
        if reaches(middle):
            high = middle
        else:
            low = middle
    return high


def _counts_to_vary(grid: Grid, solution: Solution) -> list[str]:
    """Return a sentence where patients alone were varied, and in vain: looks may wait for a fixed count."""
    if solution.at is not None or not grid.labels[0].endswith(".n"):
        return []
    return [
        "A look that waits for a count waits for it whatever n is: more patients bring it sooner, not with more "
        f"data. Look at the counts of {solution.design}'s looks: vary one, or one with n (paths joined by +)."
    ]


def _one_cell(grid: Grid, wanted: Wanted) -> Grid:
    """Return the grid with the one design and the one truth that can be meant."""
    if len(grid.designs) > 1:
        raise UsageError(
            f"solve: name one design with --designs; this could be any of {', '.join(grid.designs)}."
        )
    truths = grid.truths
    if len(truths) > 1:
        truths = tuple(truth for truth in truths if _is_reported(grid, truth, wanted))
    if len(truths) != 1:
        among = truths or grid.truths
        raise UsageError(f"solve: name one truth with --truths; this could be any of {', '.join(among)}.")
    return replace(grid, truths=truths)


def _is_reported(grid: Grid, truth: str, wanted: Wanted) -> bool:
    """Return whether a truth, as the file stands, has the false or true nulls that a measure is of."""
    if not wanted.name.startswith("power") and wanted.name != "familywise_error":
        return True
    scenario = grid.scenario
    plan = build_plan(scenario, grid.designs[0], truth, 1, 1, patient_table(scenario))
    nulls = [truth_of(plan, test).null for test in plan.tests]
    return any(nulls) if wanted.name == "familywise_error" else not all(nulls)


def _headline(rows: list[SweepRow]) -> SweepRow:
    """Return the row of the measure that is solved for."""
    return rows[0]


def _require_one(rows: list[SweepRow], wanted: Wanted, grid: Grid, value: Number) -> None:
    """Refuse a measure that is not one number."""
    own = [row.measure for row in rows if row.measure.name == wanted.name]
    if len(own) == 1:
        return
    where = f"{grid.varied[0].label} = {grid.varied[0].written(value)}"
    if not own:
        raise UsageError(
            f"solve: {wanted.label} is not reported for {grid.designs[0]} under {grid.truths[0]} at {where}; "
            "choose another measure or truth."
        )
    names = [str(row.hypothesis or row.arm or row.reason or row.look) for row in own]
    raise UsageError(
        f"solve: {wanted.label} is {len(own)} numbers here; name one, such as {wanted.name}:{names[0]}."
    )
