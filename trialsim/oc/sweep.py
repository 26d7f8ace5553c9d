"""Measures of designs over a grid of values, all on the same patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialsim.errors import Problem, ScenarioError, UsageError, names_given
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.in_memory import collect
from trialsim.oc.measures import MEASURE_KEYS, PROBABILITY, Measure, definitions
from trialsim.oc.run_folder import planned_looks
from trialsim.oc.sweep_grid import (
    Grid,
    Point,
    Vary,
    grid_of,
    own_values,
    parse_vary,
    point_words,
    set_by_truths,
)
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import did_you_mean, printable, shown

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.oc.sweep_solve import Solution

DEFAULT_MEASURE = "power_disjunctive"
MOST_POINTS = 2_000
_NEEDS_A_DATE = "finished_by"
_BY_REASON = ("stop", "bias")  # a policy may stop for a reason of its own, known only afterwards

PointsDone = Callable[[int, int], None]


@dataclass(frozen=True)
class Wanted:
    """A measure to tabulate, and of which hypothesis, arm or reason where that is said."""

    name: str
    of: str | None = None

    @property
    def label(self) -> str:
        """Return the measure as it is written on the command line."""
        return self.name if self.of is None else f"{self.name}:{self.of}"

    def rows(self, characteristics: OperatingCharacteristics) -> Iterator[Measure]:
        """Yield the measure's rows; those split by reason or look only where nothing else reports it."""
        for cell in characteristics.cells():
            found = list(characteristics.select(self.name, design=cell.design, truth=cell.truth))
            if self.of is not None:
                found = [row for row in found if self.of in (row.hypothesis, row.arm, row.reason)]
            whole = [row for row in found if row.reason is None] or found
            yield from [row for row in whole if row.look is None] or whole


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One measure of one design under one truth at one point of the grid."""

    point: Point
    measure: Measure


@dataclass(frozen=True, eq=False)
class Sweep:
    """What a sweep found.

    Parameters
    ----------
    grid
        What was varied in which scenario.
    wanted
        The measures asked for.
    replicates, seed
        Trials of each design under each truth at each point, and the seed of every draw.
    rows
        The measures at each point, in the order of points.
    solution
        The smallest value that meets a target, where one was asked for.
    notes
        Sentences about what a reader might overlook.
    """

    grid: Grid
    wanted: tuple[Wanted, ...]
    replicates: int
    seed: int
    rows: tuple[SweepRow, ...]
    solution: Solution | None = None
    notes: tuple[str, ...] = ()

    def row_document(self, row: SweepRow) -> dict[str, Any]:
        """Return a row as it stands in JSON."""
        return {"point": dict(zip(self.grid.labels, row.point, strict=True)), **row.measure.to_dict()}

    def document(self) -> dict[str, Any]:
        """Return what ``trialsim sweep --json`` prints."""
        return {
            "scenario": self.grid.scenario.name,
            "digest": self.grid.scenario.digest(),
            "seed": self.seed,
            "vary": [vary.document() for vary in self.grid.varied],
            "rows": [self.row_document(row) for row in self.rows],
            "solution": None if self.solution is None else self.solution.document(self),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return the rows as a table: a column for each number that varies, then those of a measure."""
        import pandas as pd

        frame = pd.DataFrame([row.measure.to_dict() for row in self.rows], columns=list(MEASURE_KEYS))
        for place, label in enumerate(self.grid.labels):
            frame.insert(place, label, [row.point[place] for row in self.rows])
        return frame


def sweep(
    scenario: Scenario | str | PathLike[str],
    vary: str | Vary | Sequence[str | Vary],
    designs: str | Sequence[str] | None = None,
    truths: str | Sequence[str] | None = None,
    measures: str | Sequence[str] = (DEFAULT_MEASURE,),
    replicates: int = 10_000,
    seed: int = 1,
    engine: str = "fast",
    workers: int = 1,
    progress: PointsDone | None = None,
) -> Sweep:
    """Tabulate measures of designs over one or two numbers of a scenario.

    Every point has the same seed: the patients stay the same, and what differs between points is due to the
    number that varies.

    Parameters
    ----------
    scenario
        A loaded scenario, or the path of its file.
    vary
        What varies, such as ``"designs.fixed.n=300:900:50"``; paths joined by ``+`` vary together. With two,
        every combination is a point.
    designs
        Names; by default the designs in which something varies, or all where the world varies.
    truths
        Names; a grid's name stands for all its truths. By default all.
    measures
        Names, as in ``trialsim list measures``; ``reject:primary`` is that of one hypothesis, arm or reason.
    replicates, seed, engine, workers
        As for :func:`trialsim.simulate`.
    progress
        Called with points done and points in all.

    Raises
    ------
    ScenarioError
        Where the values of a point make no valid scenario; nothing is simulated then.
    UsageError
        If a name, a path or a number cannot be used.
    """
    grid, wanted = prepared(scenario, vary, designs, truths, measures)
    if grid.size() > MOST_POINTS:
        raise UsageError(f"vary: the grid has {grid.size():,} points; at most {MOST_POINTS:,} are tabulated.")
    points = list(grid.points())
    scenarios = _scenarios(grid, points)
    rows: list[SweepRow] = []
    for done, (point, there) in enumerate(zip(points, scenarios, strict=True)):
        if progress is not None:
            progress(done, len(points))
        rows += measured(grid, there, point, wanted, replicates, seed, engine, workers)
    if progress is not None:
        progress(len(points), len(points))
    notes = (*own_values(grid), *_unreported(grid, wanted, rows, len(points)), *unmoved(grid, rows))
    return Sweep(grid, wanted, replicates, seed, tuple(rows), notes=notes)


def _scenarios(grid: Grid, points: Sequence[Point]) -> list[Scenario]:
    """Return the scenario at each point.

    Raises
    ------
    ScenarioError
        Where a point makes none: what is wrong at the first of them, and which points would do.
    """
    there: dict[Point, Scenario] = {}
    first: ScenarioError | None = None
    for point in points:
        try:
            there[point] = grid.at(point)
        except ScenarioError as error:
            first = first or error
    if first is None:
        return list(there.values())
    if there:
        good = [point_words(grid.varied, point) for point in there]
        some = good[0] if len(good) == 1 else f"{good[0]} to {good[-1]}"
        sentence = f"{len(points) - len(good)} of the {len(points)} points make no scenario; {some} would do"
        raise ScenarioError([*first.problems, Problem("", sentence)], first.source)
    raise first


def prepared(
    scenario: Scenario | str | PathLike[str],
    vary: str | Vary | Sequence[str | Vary],
    designs: str | Sequence[str] | None,
    truths: str | Sequence[str] | None,
    measures: str | Sequence[str],
) -> tuple[Grid, tuple[Wanted, ...]]:
    """Return the grid and the measures that a request means.

    Raises
    ------
    ScenarioError
        If the file is no scenario.
    UsageError
        If a name or a path cannot be used.
    """
    wanted = tuple(parse_wanted(text) for text in names_given("measures", measures) or ())
    asked: Any = vary  # whatever it is declared to be
    given = list(asked) if isinstance(asked, list | tuple) else [asked]
    if not all(isinstance(each, str | Vary) for each in given):
        raise UsageError("vary: a text such as designs.fixed.n=300:900:50, or a list of them, is expected.")
    varied = [parse_vary(each) if isinstance(each, str) else each for each in given]
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(Path(scenario))
    wanted = tuple(dict.fromkeys(wanted))
    for each in wanted:
        _require_known(loaded, each)
    return grid_of(loaded, varied, designs, truths), wanted


def measured(
    grid: Grid,
    scenario: Scenario,
    point: Point,
    wanted: Sequence[Wanted],
    replicates: int,
    seed: int,
    engine: str,
    workers: int,
) -> list[SweepRow]:
    """Simulate one point of a grid and return its measures."""
    records = collect(scenario, grid.designs, grid.truths, replicates, seed, engine, workers)
    found = operating_characteristics(records, planned_looks=planned_looks(scenario.dump()))
    return [SweepRow(point, row) for each in wanted for row in each.rows(found)]


def parse_wanted(text: str) -> Wanted:
    """Read a measure: ``NAME``, or ``NAME:OF`` for one hypothesis, arm or reason.

    Raises
    ------
    UsageError
        If there is no such measure.
    """
    name, _, of = text.strip().partition(":")
    known = [each.name for each in definitions() if each.name != _NEEDS_A_DATE]
    if name.partition("[")[0] == _NEEDS_A_DATE:
        raise UsageError(
            f"measure: {_NEEDS_A_DATE} needs a date, which a sweep does not take; see trialsim run."
        )
    if name not in known:
        longer = next((each for each in known if name and each.startswith(f"{name}_")), None)
        hint = f" Did you mean {longer}?" if longer else did_you_mean(name, known)
        raise UsageError(f"There is no measure {shown(name)}; see trialsim list measures.{hint}")
    return Wanted(name, of.strip() or None)


def _require_known(scenario: Scenario, wanted: Wanted) -> None:
    """Refuse a measure of something that is not in the scenario."""
    if wanted.of is None or wanted.name in _BY_REASON:
        return
    known = [*scenario.hypotheses, *scenario.arms]
    if wanted.of not in known:
        raise UsageError(
            f"measure: {printable(wanted.label)} is of nothing in the scenario; after the colon stands one "
            f"of {', '.join(known)}.{did_you_mean(wanted.of, known)}"
        )


def _unreported(grid: Grid, wanted: Sequence[Wanted], rows: Sequence[SweepRow], points: int) -> list[str]:
    """Return a sentence for each measure that a design under a truth lacks at some or all points."""
    there: dict[tuple[str, str, str], set[Point]] = {}
    for row in rows:
        key = (row.measure.name, row.measure.design, row.measure.truth)
        there.setdefault(key, set()).add(row.point)
    sentences = []
    for each in wanted:
        for truth in grid.truths:
            lacking = [
                design for design in grid.designs if len(there.get((each.name, design, truth), ())) < points
            ]
            if lacking:
                nowhere = all((each.name, design, truth) not in there for design in lacking)
                where = "" if nowhere else " at every point"
                sentences.append(
                    f"{each.label} is not reported{where} under {truth} ({', '.join(lacking)}){_why(each)}"
                )
    return sentences


def unmoved(grid: Grid, rows: Sequence[SweepRow]) -> Iterator[str]:
    """Yield a sentence for each design in which every point gives the same numbers to the last digit.

    Probabilities that were 0 or 1 in every replicate tell nothing: more of them might differ.
    """
    fixed = {truth for truth, _ in set_by_truths(grid)}
    for design in grid.designs:
        still = []
        for truth in grid.truths:
            own = [row for row in rows if (row.measure.design, row.measure.truth) == (design, truth)]
            if truth in fixed or len({row.point for row in own}) < 2 or all(_at_an_end(row) for row in own):
                continue
            if len({row.measure for row in own}) == len({_which(row.measure) for row in own}):
                still.append(truth)
        if still:
            yield (
                f"Nothing here moves with {' or '.join(grid.labels)} for {design} under {', '.join(still)}: what "
                "decides it, such as the count a look waits for, may have to vary too (paths joined by + vary "
                "together)."
            )


def _at_an_end(row: SweepRow) -> bool:
    """Return whether a row is a probability of 0 or 1."""
    return row.measure.unit == PROBABILITY and row.measure.value in (0.0, 1.0)


def _which(row: Measure) -> tuple[str | int | None, ...]:
    """Return what tells one measure of a cell from another."""
    return row.name, row.hypothesis, row.arm, row.look, row.reason


def _why(wanted: Wanted) -> str:
    """Return why a measure may be missing, as the end of a sentence."""
    if wanted.name.startswith("power"):
        return ": there every null hypothesis is true; reject_any tells how often one is rejected."
    if wanted.name == "familywise_error":
        return ": there no null hypothesis is true."
    return "."
