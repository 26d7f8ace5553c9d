"""Measures of patients' lives: rates with their Monte Carlo error, and what the table of arms says."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import trialsim
from tests.twins.lives import everything, visited
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.columns import records_of
from trialsim.oc.in_memory import Collected, collect
from trialsim.oc.lives import sum_of_rates
from trialsim.report.lives_table import lives_table
from trialsim.scenario.load import scenario_from

TRIALS = 60


@functools.cache
def trials_of(world: Callable[[], dict[str, Any]]) -> Collected:
    """Return the trials of the first design, simulated once for all tests."""
    scenario = scenario_from(world())
    return collect(scenario, [next(iter(scenario.designs))], list(scenario.truths), TRIALS, 4)


def characteristics(world: Callable[[], dict[str, Any]]) -> tuple[Any, Any]:
    collected = trials_of(world)
    return operating_characteristics(collected), collected.arms.to_pandas()


def test_the_error_of_a_rate_is_that_of_the_jackknife() -> None:
    rng = np.random.default_rng(3)
    years = rng.uniform(5.0, 9.0, size=400)
    events = rng.poisson(0.7 * years)
    found = sum_of_rates([(events, years)])
    assert found is not None
    rest = (events.sum() - events) / (years.sum() - years)
    n = len(years)
    jackknife = np.sqrt((n - 1) / n * np.sum((rest - rest.mean()) ** 2))
    assert found.value == pytest.approx(events.sum() / years.sum())
    assert found.mcse == pytest.approx(jackknife, rel=0.02)
    assert abs(found.value - 0.7) < 5.0 * np.sqrt(0.7 / years.sum())


def test_rates_of_several_terms_add_up_and_nobody_at_risk_has_none() -> None:
    one, two = (
        (np.array([3, 5, 1]), np.array([2.0, 4.0, 3.0])),
        (np.array([1, 0, 0]), np.array([1.0, 1.5, 2.0])),
    )
    both = sum_of_rates([one, two])
    assert both is not None
    assert both.value == pytest.approx(1.0 + 1.0 / 4.5)
    assert sum_of_rates([(np.array([0]), np.array([0.0]))]) is None
    assert sum_of_rates([]) is None
    single = sum_of_rates([(np.array([2]), np.array([4.0]))])
    assert single is not None and single.mcse is None


@pytest.mark.slow
def test_measures_say_what_the_table_of_arms_says() -> None:
    found, arms = characteristics(everything)
    kept = {row["replicate"] for row in arms.to_dict("records")}
    assert len(kept) == TRIALS
    failed = {measure.n_failed for measure in found.select("lost")}
    assert failed == {0}
    for arm in ("control", "treatment", "high"):
        own = arms[arms["arm"] == arm]
        for level in ("mild", "moderate", "severe"):
            rate = sum(
                own[f"adverse_events:{term}:{level}"].sum() / own[f"risk_years:{term}"].sum()
                for term in ("rash", "nausea")
            )
            (said,) = [m for m in found.select("adverse_events", arm=arm) if m.reason == level]
            assert said.value == pytest.approx(rate)
            assert said.unit == "per patient-year"
        (total,) = [m for m in found.select("adverse_events", arm=arm) if m.reason is None]
        levels = [m.value for m in found.select("adverse_events", arm=arm) if m.reason is not None]
        assert total.value == pytest.approx(sum(levels))
        assert total.mcse is not None and total.mcse > 0.0
        for reason in ("adverse_event", "physician"):
            (said,) = found.select("discontinued", arm=arm, reason=reason)
            assert said.value == pytest.approx(own[f"discontinued:{reason}"].mean())
        for cause in ("disease", "rash", "nausea"):
            (said,) = found.select("deaths", arm=arm, reason=cause)
            assert said.value == pytest.approx(own[f"deaths:{cause}"].mean())
        (said,) = found.select("withdrawn", arm=arm)
        assert said.value == pytest.approx(own["withdrawals"].mean())


@pytest.mark.slow
def test_visits_missed() -> None:
    found, _ = characteristics(visited)
    for row in found.select("visits_missed"):
        assert row.mcse is not None
        assert abs(row.value - 0.15) < 5.0 * row.mcse


def test_the_report_says_how_many_adverse_events_and_visits_a_trial_had() -> None:
    for world, columns in (
        (
            everything,
            {"adverse events": ("adverse_events:",), "serious": ("serious:",), "deaths": ("deaths:",)},
        ),
        (visited, {"visits held": ("visits_on_time", "visits_late"), "visits missed": ("visits_missed",)}),
    ):
        collected = trials_of(world)
        (design,) = set(collected.trials["design"].to_pylist())
        table, arms = lives_table(records_of(collected)), collected.arms.to_pandas()
        assert table is not None and table.rows[0][:2] == ((design,), ("here",))
        told = dict(zip(table.headings[2:], (cell[0] for cell in table.rows[0][2:]), strict=True))
        for what, heads in columns.items():
            chosen = [name for name in arms.columns if name.startswith(heads)]
            own = arms[chosen].sum(axis=1).groupby(arms["replicate"]).sum()
            value, error = told[what].rstrip(")").split(" (")
            digits = len(value.partition(".")[2])
            assert float(value) == pytest.approx(own.mean(), abs=0.51 * 10**-digits)
            assert float(error) == pytest.approx(own.std() / np.sqrt(TRIALS), abs=0.51 * 10**-digits)


@pytest.mark.slow
@pytest.mark.parametrize(("left_out", "kept"), [("dropout", "withdrawn"), ("withdrawal", "lost")])
def test_a_way_of_leaving_that_the_scenario_has_not_is_not_reported(left_out: str, kept: str) -> None:
    tree = everything()
    del tree[left_out]
    scenario = scenario_from(tree)
    found = trialsim.simulate(scenario, next(iter(scenario.designs)), None, replicates=3, seed=1)
    names = {row.name for row in found.characteristics.rows}
    assert names & {"lost", "withdrawn"} == {kept}
    reasons = {row.reason for row in found.characteristics.select("missing")}
    assert {"lost": "withdrawn", "withdrawn": "lost"}[kept] not in reasons
