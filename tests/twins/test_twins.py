"""The two engines tell the same story of every shipped trial, event by event, on fine and on coarse time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.twins.exhaustive import every
from trialsim.conformance import check_twins, first_difference
from trialsim.contracts import Kind, LogRow
from trialsim.scenario.load import load_scenario
from trialsim.timegrid import TICKS_PER_DAY

ROOT = Path(__file__).resolve().parent.parent.parent
# Each scenario once: actg175_sites holds a copy of the one that it extends.
SHIPPED = sorted(
    {
        path.stem: path
        for path in sorted(ROOT.glob("scenarios/*/*.yaml"), reverse=True)
        if path.name != "expected.yaml"
    }.values()
)
CELLS = [
    (path, design, truth)
    for path in SHIPPED
    for scenario in [load_scenario(path)]
    for design in scenario.designs
    for truth in scenario.truths
]
LARGE = {
    "actg175", "actg175_bayesian", "actg175_sites", "backlog", "arrivals", "mixed", "sample_size_reestimation",
    "three_stages", "adaptr_three_arm", "rar_four_arms", "rar_drift", "fairness", "cost", "enrichment", "screening",
    "screening_arrivals", "site_selection", "site_mix", "advent", "completion", "predictive_enrichment",
    "prognostic_enrichment", "rectifier", "sites_again", "relearning", "dose_modification", "safety_stopping",
    "patient_wise", "early_rejection", "ranking_drift", "half_respond", "event_reestimation", "early_endpoint",
}  # fmt: skip
IN_PART = {
    "actg175": 2, "actg175_bayesian": 1, "actg175_sites": 1, "backlog": 1, "arrivals": 2, "mixed": 1, "cdisc_pilot": 2,
    "sample_size_reestimation": 4, "three_stages": 4, "multi_arm": 4, "rar_drift": 3, "fairness": 1,
    "cost": 2, "enrichment": 3, "screening": 2, "screening_arrivals": 2, "losers_dropped": 8,
    "site_selection": 3, "site_mix": 3, "sites_again": 3, "relearning": 1, "advent": 3, "basket_borrowing": 6,
    "goldilocks_survival": 8, "robust_borrowing": 8, "completion": 1, "predictive_enrichment": 2,
    "prognostic_enrichment": 1, "rectifier": 1, "dose_modification": 2, "safety_stopping": 5, "adaptr_three_arm": 4,
    "rar_four_arms": 5, "patient_wise": 1, "early_rejection": 1, "ranking_drift": 3, "event_reestimation": 4,
    "early_endpoint": 1, "half_respond": 1,
}  # fmt: skip
"""Of scenarios whose trials take the reference engine seconds, so many are run every time."""
EVERY_TIME = IN_PART | {
    "binary_sequential": 20, "nph_oncology": 20, "computed_bounds": 5, "late_effect": 5, "shared_level": 6,
    "predictive_two_arms": 6, "adaptr_two_arm": 6, "overruled": 2,
}  # fmt: skip
"""So many trials of a cell are run every time, of others 12; `make test-exhaustive` runs 50 of every cell."""
ONCE = [cell for cell in CELLS if EVERY_TIME.get(cell[0].stem) == 1]
"""The cells whose one trial of every run is one far along."""

DAY, WEEK = TICKS_PER_DAY, 7 * TICKS_PER_DAY


def _name(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


def test_the_shipped_scenarios_are_all_here() -> None:
    assert {path.stem for path in SHIPPED} >= {"actg175", "binary_sequential", "nph_oncology"}


@pytest.mark.slow
@pytest.mark.parametrize(("path", "design", "truth"), [c for c in CELLS if c not in ONCE], ids=_name)
def test_trials_of_every_cell(path: Path, design: str, truth: str) -> None:
    found = check_twins(load_scenario(path), [design], [truth], range(EVERY_TIME.get(path.stem, 12)))
    assert not found, "\n".join(found)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("path", "design", "truth"), CELLS, ids=_name)
def test_fifty_trials_of_every_cell(path: Path, design: str, truth: str) -> None:
    found = check_twins(load_scenario(path), [design], [truth], range(50))
    assert not found, "\n".join(found)


def _cell_name(cell: tuple[Path, str, str]) -> str:
    return "-".join(map(_name, cell))


_MANY = [cell for cell in CELLS if cell[0].stem == "rar_drift"]
"""Sixty cells whose parts come again and again: each seventh is run every time, which meets every design and truth."""
_OTHERS = [cell for cell in CELLS if cell not in _MANY and cell not in ONCE]


@pytest.mark.slow
@pytest.mark.parametrize("cell", [*ONCE, *every(3, _OTHERS), *every(7, _MANY)], ids=_cell_name)
def test_a_trial_of_every_cell_far_along(cell: tuple[Path, str, str]) -> None:
    path, design, truth = cell
    few = [10**9] if path.stem in LARGE else [7, 10**9, 2**40]
    found = check_twins(load_scenario(path), [design], [truth], few, seed=20260101)
    assert not found, "\n".join(found)


# Of the small ones a few trials are run every time by the test after this.
_BY_WEEK = [
    *every(3, [path for path in SHIPPED if path.stem in LARGE]),
    *(pytest.param(path, marks=pytest.mark.exhaustive) for path in SHIPPED if path.stem not in LARGE),
]


@pytest.mark.slow
@pytest.mark.parametrize("grid", [pytest.param(DAY, marks=pytest.mark.exhaustive), WEEK], ids=["day", "week"])
@pytest.mark.parametrize("path", _BY_WEEK, ids=_name)
def test_coarse_time_with_many_ties(path: Path, grid: int) -> None:
    scenario = load_scenario(path)
    large = path.stem in LARGE
    truths = list(scenario.truths)[:1] if large else None
    few = 8 if large or grid == WEEK else 25
    found = check_twins(scenario, None, truths, range(1 if path.stem in IN_PART else few), seed=3, grid=grid)
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_coarse_time_with_many_ties_in_short() -> None:
    for path in SHIPPED:
        if path.stem not in LARGE:
            found = check_twins(load_scenario(path), None, None, range(2), seed=4, grid=WEEK)
            assert not found, "\n".join(found)


_WITH_BOUNDS_CHECKED = """
import sys
from trialsim.conformance import check_twins
from trialsim.scenario.load import load_scenario, scenario_from
from tests.twins.bayesian import SCENARIOS as BAYESIAN
from tests.twins.lives import SCENARIOS as LIVES
from tests.twins.tie_rich import SCENARIOS, FOLDER
from tests.twins.tie_rich_sites import SITE_SCENARIOS
from tests.twins.tie_rich_reviews import REVIEW_SCENARIOS
others, bayesian, paths = sys.argv[1] == "others", sys.argv[1] == "bayesian", sys.argv[2:]
for path in paths:
    scenario = load_scenario(path)
    large = sum(design.n for design in scenario.designs.values()) >= 1000
    found = check_twins(scenario, None, list(scenario.truths)[:1], range(1 if large else 5), grid=7 << 20)
    assert not found, found
for name, (tree, grid) in (SCENARIOS | SITE_SCENARIOS | REVIEW_SCENARIOS if others else {}).items():
    found = check_twins(scenario_from(tree, FOLDER), None, None, range(12), grid=grid)
    assert not found, found
for name, (tree, grid) in (BAYESIAN if bayesian else LIVES if others else {}).items():
    found = check_twins(scenario_from(tree), None, None, range(4), grid=grid)
    assert not found, found
print("within bounds")
"""


# What decides by posteriors has kernels of its own, which take as long to compile as all others.
BAYESIAN = {
    "advent", "goldilocks_survival", "basket_borrowing", "robust_borrowing", "lee_liu", "adaptr_three_arm",
    "adaptr_two_arm", "predictive_two_arms", "rar_four_arms",
}  # fmt: skip


# All kernels are compiled anew for it, which takes minutes: a few of them every time.
@pytest.mark.slow
@pytest.mark.parametrize(
    "which",
    [
        "few",
        pytest.param("others", marks=pytest.mark.exhaustive),
        pytest.param("bayesian", marks=pytest.mark.exhaustive),
    ],
)
def test_no_index_leaves_its_array(tmp_path: Path, which: str) -> None:
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "TRIALSIM_CACHE_DIR": str(tmp_path)}
    # What the large scenarios add is in the small ones that the script names.
    small = [path for path in SHIPPED if path.stem not in IN_PART]
    chosen = {
        "few": [path for path in small if path.stem in ("binary_sequential", "nph_oncology")],
        "others": [path for path in small if path.stem not in BAYESIAN],
        "bayesian": [path for path in small if path.stem in BAYESIAN],
    }[which]
    command = [sys.executable, "-c", _WITH_BOUNDS_CHECKED, which, *map(str, chosen)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "within bounds"


def test_equal_logs_have_no_difference() -> None:
    rows = [LogRow(1, Kind.RANDOMISATION, 0), LogRow(5, Kind.END, 0, 0, 3.0)]
    assert first_difference(0, rows, list(rows)) is None


@pytest.mark.parametrize(
    "changed",
    [
        LogRow(6, Kind.EVENT, 4, 0, 1.0),
        LogRow(5, Kind.DROPOUT, 4, 0, 1.0),
        LogRow(5, Kind.EVENT, 3, 0, 1.0),
        LogRow(5, Kind.EVENT, 4, 1, 1.0),
        LogRow(5, Kind.EVENT, 4, 0, 1.0 + 2**-52),
    ],
)
def test_a_difference_in_any_field_is_found_and_shown_with_its_neighbours(changed: LogRow) -> None:
    rows = [LogRow(tick, Kind.EVENT, tick - 1, 0, 1.0) for tick in range(1, 10)]
    other = [*rows[:4], changed, *rows[5:]]
    found = first_difference(17, rows, other)
    assert found is not None
    assert (found.replicate, found.position) == (17, 4)
    text = str(found)
    assert "replicate 17" in text
    assert text.count(">") == 2
    assert len(found.reference) == len(found.fast) == 7


def test_a_log_that_ends_early_is_a_difference() -> None:
    rows = [LogRow(tick, Kind.EVENT, tick) for tick in range(6)]
    found = first_difference(0, rows, rows[:4])
    assert found is not None
    assert found.position == 4
    shorter = first_difference(0, rows[:1], rows)
    assert shorter is not None
    assert shorter.position == 1
    assert first_difference(0, [], rows[:1]) is not None
