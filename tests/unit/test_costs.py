"""What trials cost: from a bill made out by hand, from closed forms, in both engines, and in what is reported."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trialsim
from tests.unit.costly import (
    COMPONENTS,
    OF_LIVES,
    OF_SITES,
    PRICES,
    Tree,
    bill,
    with_lives,
    with_sites,
    without_sites,
)
from trialsim.cli.main import main
from trialsim.conformance import check_twins
from trialsim.engines.conduct import ChunkResult, conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.records import Columns, columns_of
from trialsim.engines.runner import start_engine
from trialsim.errors import ScenarioError
from trialsim.operations.costs import ONE, present_count, present_time
from trialsim.report.legend import legend
from trialsim.report.more_tables import cost_table
from trialsim.report.tables import summary_tables
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY

YEAR, MONTH = 365.25, 30.4375
RATE = 0.05 / YEAR
WITH_SITES = ("sites", "screening", "patients", "looks", "running")
CLOSE = 1e-8  # discounted time is rounded to ticks of 0.08 seconds


def run(
    tree: Tree, design: str = "sequential", truth: str = "world", engine: str = "fast", replicates: int = 20
) -> tuple[ChunkResult, Columns]:
    plan = build_plan(scenario_from(tree), design, truth, 1)
    numbers = [np.arange(replicates)] if engine == "fast" else [np.array([r]) for r in range(replicates)]
    results = [conduct(start_engine(plan, engine).start(each)) for each in numbers]
    parts = [columns_of(result)["trials"] for result in results]
    return results[0], {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def costs(columns: Columns) -> Columns:
    return {name: values for name, values in columns.items() if name.startswith("cost")}


# ---- the bill by hand ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("design", ["fixed", "sequential"])
@pytest.mark.parametrize("discount", [0.0, 0.05])
@pytest.mark.parametrize("keep", ["keep", "release"])
def test_a_trial_with_sites_costs_what_its_log_says(design: str, discount: float, keep: str) -> None:
    tree = with_sites()
    tree["costs"]["discount"] = f"{discount} per year"
    tree["screening"]["when_enrolment_closes"] = keep
    result, columns = run(tree, design)
    for row in range(20):
        expected = bill(result.chunk.log(row), PRICES, discount / YEAR, tree)
        for name, money in expected.items():
            if name in WITH_SITES:
                assert columns[f"cost_{name}"][row] == pytest.approx(money, rel=CLOSE), (row, name)
        assert columns["cost"][row] == pytest.approx(sum(expected[name] for name in WITH_SITES), rel=CLOSE)
    assert all(columns[f"cost_{name}"].any() for name in WITH_SITES)


@pytest.mark.parametrize("discount", [0.0, 0.05])
def test_visits_and_adverse_events_cost_what_the_log_says(discount: float) -> None:
    tree = with_lives()
    tree["costs"]["discount"] = f"{discount} per year"
    result, columns = run(tree)
    for row in range(20):
        expected = bill(result.chunk.log(row), PRICES, discount / YEAR, tree)
        for name, money in expected.items():
            assert columns[f"cost_{name}"][row] == pytest.approx(money, rel=CLOSE), (row, name)
        assert columns["cost"][row] == pytest.approx(sum(expected.values()), rel=CLOSE)
    assert all(columns[f"cost_{name}"].any() for name in COMPONENTS)


def test_without_consent_every_candidate_called_is_screened() -> None:
    tree = with_sites(screening=None)
    del tree["costs"]["consent"]
    result, columns = run(tree)
    for row in range(20):
        expected = bill(result.chunk.log(row), PRICES, RATE, tree)
        assert columns["cost_screening"][row] == pytest.approx(expected["screening"], rel=CLOSE)


@pytest.mark.parametrize("discount", [0.0, 0.05])
def test_a_trial_without_sites_costs_what_its_log_says(discount: float) -> None:
    tree = without_sites()
    tree["costs"]["discount"] = f"{discount} per year"
    result, columns = run(tree)
    assert set(costs(columns)) == {"cost", "cost_patients", "cost_looks", "cost_running"}
    for row in range(20):
        expected = bill(result.chunk.log(row), PRICES, discount / YEAR, tree)
        for name in ("patients", "looks", "running"):
            assert columns[f"cost_{name}"][row] == pytest.approx(expected[name], rel=CLOSE)


def test_without_discount_costs_are_counts_times_prices() -> None:
    tree = with_sites()
    tree["costs"] = {
        name: value for name, value in PRICES.items() if not name.endswith("month") and name not in OF_LIVES
    }
    result, columns = run(tree)
    np.testing.assert_array_equal(columns["cost_sites"], 25000.0 * columns["sites_opened"])
    asked = columns["screened"] + columns["refusals"]
    screening = 40.0 * columns["candidates"] + 100.0 * asked + 1800.0 * columns["screened"]
    np.testing.assert_array_equal(columns["cost_screening"], screening)
    np.testing.assert_array_equal(columns["cost_patients"], 5000.0 * columns["enrolled"])
    looks = np.zeros(20)
    for look in result.looks:
        looks[look.point.rows] += 1
    np.testing.assert_array_equal(columns["cost_looks"], 40000.0 * looks)
    assert len(set(looks)) == 2
    assert not columns["cost_running"].any()


# ---- closed forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_year", [1e-9, 1e-4, 0.03, 0.2, 1.0])
def test_present_values_are_those_of_continuous_discounting(per_year: float) -> None:
    rate = per_year / YEAR
    for days in (0.0, 2.0**-20, 0.3, 3.65, 12.1, 400.0, 9000.0, 300_000.0):
        tick = int(days * TICKS_PER_DAY)
        x = rate * tick / TICKS_PER_DAY
        assert abs(present_count(tick, rate) / ONE - math.exp(-x)) <= 0.51 / ONE
        assert abs(present_time(tick, rate) - -math.expm1(-x) / rate * TICKS_PER_DAY) <= 0.51 + 1e-14 * tick


def test_without_discount_a_thing_counts_once_and_time_is_time() -> None:
    for tick in (0, 1, 12345, 1 << 45):
        assert present_count(tick, 0.0) == ONE
        assert present_time(tick, 0.0) == tick


def test_closed_forms_of_a_trial_without_chance() -> None:
    n, over, readout, until, rate = 100, 400.0, 50.0, 500.0, 0.05 / YEAR
    marker = {
        "kind": "continuous",
        "readout": f"{readout} days",
        "mean": 10,
        "sd": 3,
        "effect": {"treatment": 1},
    }
    test = {
        "endpoint": "marker",
        "arms": ["treatment", "control"],
        "analysis": "t_test",
        "direction": "higher",
    }
    look = {"when": {"calendar": f"{until - 30} days"}, "cleaning_lag": "20 days", "decision_lag": "10 days"}
    tree = without_sites(
        accrual={"evenly_spaced": {"over": f"{over} days"}},
        dropout=None,
        endpoints={"marker": marker},
        hypotheses={"primary": test},
        truths={"world": {}},
        designs={
            "sequential": {
                "kind": "fixed",
                "n": n,
                "allocation": "simple",
                "looks": [look],
                "tests": {"primary": {"alpha": 0.025}},
            }
        },
    )
    _, columns = run(tree, replicates=3)
    step = math.exp(-rate * over / n)
    entries = step * (1 - step**n) / (1 - step)
    followed = entries * (1 - math.exp(-rate * readout)) / rate / MONTH
    running = (1 - math.exp(-rate * until)) / rate / MONTH
    assert columns["cost_patients"] == pytest.approx(5000 * entries + 300 * followed, rel=CLOSE)
    assert columns["cost_looks"] == pytest.approx(40000 * math.exp(-rate * (until - 30)), rel=CLOSE)
    assert columns["cost_running"] == pytest.approx(80000 * running, rel=CLOSE)


def test_a_site_is_paid_for_from_its_opening_to_its_closing() -> None:
    sites = {"one": {"rate": "1 per day", "closes": "100 days"}, "other": {"rate": "1 per month"}}
    tree = with_sites(
        accrual={"sites": sites}, screening=None, costs={"site_month": 1, "discount": "5% per year"}
    )
    tree["designs"]["sequential"]["n"] = 200
    _, columns = run(tree)
    open_days = [min(100.0, end) for end in columns["decision_time"]]
    expected = [
        sum(-math.expm1(-RATE * days) / RATE / MONTH for days in (closed, end))
        for closed, end in zip(open_days, columns["decision_time"], strict=True)
    ]
    assert columns["cost"] == pytest.approx(expected, rel=CLOSE)


# ---- the engines -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("make", [with_sites, without_sites, with_lives], ids=["sites", "no sites", "lives"])
@pytest.mark.parametrize("grid", [1, 7 * TICKS_PER_DAY], ids=["fine", "week"])
def test_the_engines_agree_to_the_last_bit(make: Callable[[], Tree], grid: int) -> None:
    found = check_twins(scenario_from(make()), replicates=range(12), grid=grid)
    assert not found, found


@pytest.mark.slow
def test_the_engines_agree_at_the_horizon() -> None:
    tree = with_sites(horizon="250 days")
    for number in range(2):
        tree["designs"]["sequential"]["looks"][number]["decision_lag"] = "200 days"
    assert not check_twins(scenario_from(tree), replicates=range(12), grid=7 * TICKS_PER_DAY)
    result, columns = run(tree)
    assert (columns["decision_time"] == 250).any()
    for row in range(20):
        expected = bill(result.chunk.log(row), PRICES, RATE, tree)
        assert columns["cost"][row] == pytest.approx(sum(expected.values()), rel=CLOSE)


@pytest.mark.slow
def test_a_price_moves_nothing_but_costs() -> None:
    for engine in ("fast", "reference"):
        plain, dear = (run(with_sites(), truth=truth, engine=engine)[1] for truth in ("world", "dear"))
        for name, values in plain.items():
            same = np.array_equal(values, dear[name], equal_nan=values.dtype.kind == "f")
            assert same == (name not in ("cost", "cost_patients", "cost_looks")), name
        np.testing.assert_allclose(dear["cost_looks"], 1.25 * plain["cost_looks"], rtol=1e-12)


def test_without_costs_records_are_as_they_were() -> None:
    tree = with_sites()
    free = with_sites(costs=None, truths={"world": {}})
    scenario = scenario_from(free)
    assert "costs" not in scenario.dump()
    priced, plain = run(tree)[1], run(free)[1]
    assert set(priced) - set(plain) == {"cost", *(f"cost_{name}" for name in WITH_SITES)}
    for name, values in plain.items():
        assert np.array_equal(values, priced[name], equal_nan=values.dtype.kind == "f")
    cells = trialsim.simulate(scenario, replicates=2, seed=1).cells()
    assert "currency" not in cells.columns


# ---- what is reported ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulation() -> Any:
    return trialsim.simulate(
        scenario_from(with_sites()), replicates=60, seed=1, designs=["fixed", "sequential"]
    )


def test_measures_are_those_of_the_records(simulation: Any) -> None:
    trials = simulation.trials()
    here = trials[(trials["design"] == "fixed") & (trials["truth"] == "world")]
    found = simulation.characteristics

    def value(name: str, **keys: Any) -> float:
        (row,) = found.select(name, design="fixed", truth="world", **keys)
        assert row.unit == "EUR"
        return float(row.value)

    assert value("cost") == pytest.approx(here["cost"].mean())
    for suffix, share in {"median": 0.5, "p10": 0.1, "p90": 0.9}.items():
        assert value(f"cost_{suffix}") == pytest.approx(here["cost"].quantile(share))
    parts = [value("cost_component", reason=name) for name in WITH_SITES]
    assert parts == pytest.approx([here[f"cost_{name}"].mean() for name in WITH_SITES])
    assert sum(parts) == pytest.approx(value("cost"))


def test_designs_are_compared_by_replicate(simulation: Any) -> None:
    (row,) = (
        row for row in simulation.characteristics.differences if row.name == "cost" and row.truth == "world"
    )
    trials = simulation.trials()
    here = trials[trials["truth"] == "world"].pivot(index="replicate", columns="design", values="cost")
    difference = here["sequential"] - here["fixed"]
    assert (row.unit, row.n) == ("EUR", 60)
    assert row.value == pytest.approx(difference.mean())
    assert row.mcse == pytest.approx(difference.std(ddof=1) / math.sqrt(60))


def test_tables_show_costs_in_their_currency(simulation: Any) -> None:
    tables = summary_tables(simulation.characteristics)
    assert all("cost, EUR" in table.headings for table in tables)
    assert any("cost: up to the decision" in line for line in legend(simulation.characteristics, tables))
    table = cost_table(simulation.characteristics)
    assert table is not None
    assert table.title == "Costs in EUR"
    assert table.headings[-5:] == WITH_SITES
    free = trialsim.simulate(
        scenario_from(with_sites(costs=None, truths={"world": {}})), replicates=3, seed=1
    ).characteristics
    assert not any("cost" in heading for table in summary_tables(free) for heading in table.headings)
    assert cost_table(free) is None
    assert not free.select("cost")


@pytest.mark.slow
def test_the_command_line_reports_and_compares_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from trialsim.scenario.writing import canonical_yaml

    for name, tree in {"one": with_sites(), "other": with_sites()}.items():
        tree["costs"]["look"] = 40000 if name == "one" else 60000
        (tmp_path / f"{name}.yaml").write_text(canonical_yaml(scenario_from(tree)), encoding="utf-8")
        command = ["run", tmp_path / f"{name}.yaml", "--replicates", 20, "--seed", 1, "--workers", 1]
        assert main([str(word) for word in [*command, "--out", tmp_path / name]]) == 0
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Costs</h2>" in page
    assert "cost, EUR" in page
    assert "<code>cost_component</code>" in page
    assert "it costs" in page
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "other")]) == 0
    printed = capsys.readouterr().out
    assert "cost" in printed


# ---- what is refused -------------------------------------------------------------------------------------------------


def refusal(tree: Tree) -> str:
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree)
    return "\n".join(str(problem) for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("look", -1, "costs.look: -1 is out of range; it must be at least 0 and at most 1,000,000,000"),
        ("look", math.inf, "costs.look: a number must be finite"),
        ("look", math.nan, "costs.look: a number must be finite"),
        ("look", "40000", "costs.look: a number is expected, found the text '40000'; write it without quotes"),
        ("look", "40000 EUR", "costs.look: a number"),
        ("look", None, "costs.look: a number"),
        ("patients", 5, "costs.patients: is not known here; allowed: currency, site_activation"),
        ("patients", 5, "Did you mean 'patient'?"),
        ("discount", 0.03, "costs.discount: a discount needs a time unit, found the bare number 0.03"),
        ("discount", "3%", "costs.discount: a discount needs a time unit, found '3%'; write a share per unit of time"),
        ("discount", "3% per fortnight", "costs.discount: the time unit 'fortnight' is unknown"),
        ("discount", "-3% per year", "costs.discount: '-0.03 per year' is not allowed; the rate must be zero or more"),
        ("discount", "300% per year", "costs.discount: '300% per year' is too high; a discount is at most 100% per year"),
        ("discount", "much", "costs.discount: a rate is expected, found 'much'"),
        ("discount", True, "costs.discount: a discount is expected, found true"),
        ("currency", 5, "costs.currency: the currency is a word, such as EUR; found 5"),
        ("currency", "euros and cents", "costs.currency: 'euros and cents' cannot be a currency; write one word"),
        ("currency", "days", "costs.currency: 'days' is the unit of other measures"),
    ],
)  # fmt: skip
def test_a_bad_price_is_refused_with_a_sentence(key: str, value: Any, sentence: str) -> None:
    tree = with_sites()
    tree["costs"][key] = value
    assert sentence in refusal(tree)


def test_costs_without_a_price_are_refused() -> None:
    assert "costs: no price above 0 is given" in refusal(without_sites(costs={"currency": "EUR", "look": 0}))


@pytest.mark.parametrize("key", OF_SITES)
def test_what_happens_at_sites_has_no_price_without_them(key: str) -> None:
    tree = without_sites()
    tree["costs"][key] = 5
    assert f"costs.{key}: is stated without sites; write accrual: {{sites: {{...}}}}" in refusal(tree)
    tree["costs"][key] = 0
    scenario_from(tree)


@pytest.mark.parametrize(
    ("key", "why"), [(OF_LIVES[0], "visits"), *((name, "adverse events") for name in OF_LIVES[1:])]
)
def test_what_does_not_happen_to_patients_has_no_price(key: str, why: str) -> None:
    tree = without_sites()
    tree["costs"][key] = 5
    assert f"costs.{key}: is stated without {why}; write" in refusal(tree)


def test_consent_has_no_price_where_nobody_is_asked() -> None:
    tree = with_sites()
    del tree["screening"]["consent"]
    assert "costs.consent: is stated, but nobody is asked for consent" in refusal(tree)


def test_a_truth_that_prices_what_never_happens_is_refused() -> None:
    tree = without_sites(truths={"world": {}, "dear": {"costs.site_month": 5}})
    assert "truths.dear: costs.site_month: is stated without sites" in refusal(tree)


# ---- the language ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["3% per year", "0.03 per year", "3 %/year", "0.25% per month"])
def test_a_discount_is_read_in_either_spelling(written: str) -> None:
    tree = without_sites()
    tree["costs"]["discount"] = written
    scenario = scenario_from(tree)
    assert scenario.costs is not None
    assert scenario.costs.discount == pytest.approx(0.03 / YEAR, rel=1e-15)
    assert scenario_from(scenario.dump()) == scenario


def test_truths_change_prices_and_the_discount() -> None:
    truths = {"world": {}, "ladder": {"grid": {"costs.discount": ["1% per year", "0.02 per year"]}}}
    scenario = scenario_from(
        without_sites(truths=truths | {"dear": {"costs.look": 7, "costs.discount": "4%/year"}})
    )
    found = [scenario.world(truth).costs for truth in scenario.truths]
    assert [one.discount * YEAR for one in found if one] == pytest.approx([0.05, 0.01, 0.02, 0.04])
    assert [one.currency for one in found if one] == ["EUR"] * 4


def test_what_could_not_be_read_is_no_reason_to_refuse_a_price() -> None:
    tree = with_sites()
    tree["screening"]["windo"] = tree["screening"].pop("window", "40 days")
    said = refusal(tree)
    assert "screening.windo" in said
    assert "costs.consent" not in said
