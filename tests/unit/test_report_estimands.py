"""The report names estimands, shows their true values, and says where rejections are not what the truth's name suggests."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.synthetic_records import cell_fact, tables, trial
from tests.unit.test_cli_run import SCENARIO, formula_run, run, schema, use_engine
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.columns import records_of
from trialsim.oc.run_folder import load_run
from trialsim.report.answer import answer, comparison_sentences
from trialsim.report.designs_table import designs_table
from trialsim.report.estimand_sentences import discordance_sentences, unlike_sentence
from trialsim.report.estimands_table import estimands_table
from trialsim.report.page import page
from trialsim.report.tables import summary_tables
from trialsim.scenario.schema import Scenario

ESTIMATES = (-0.5, -0.4, -0.3, -0.2)
TOLD = {
    "estimand": "log_hazard_ratio", "estimator": "peto_log_hazard_ratio, composite strategy",
    "endpoint": "progression", "analysis": "logrank", "strategy": "composite",
    "true_value": math.log(0.68), "true_value_mcse": 0.004, "undisturbed_value": math.log(0.6), "undisturbed_null": False,
}  # fmt: skip


def characteristics(*facts: dict[str, Any]) -> tuple[Any, OperatingCharacteristics]:
    names = dict.fromkeys(fact["hypothesis"] for fact in facts)
    rows = [
        trial(
            i,
            {name: {"estimate": value, "se": 0.1} for name in names},
            design=fact["design"],
            truth=fact["truth"],
        )
        for fact in facts
        for i, value in enumerate(ESTIMATES)
    ]
    made = tables(rows, list(facts))
    return records_of(made), operating_characteristics(made)


def test_the_true_value_stands_beside_the_mean_estimate_and_the_effect_as_written() -> None:
    records, found = characteristics(cell_fact(**TOLD))
    table = estimands_table(found)
    assert table is not None
    row = dict(zip(table.headings, table.rows[0], strict=True))
    assert row["estimand"] == ("progression", "hazard ratio", "composite strategy")
    assert row["estimated by"] == ("Peto log hazard ratio",)
    assert row["true value (mcse)"] == ("0.680", "log −0.3857 (0.0040)")
    mean, error = np.mean(ESTIMATES), np.std(ESTIMATES, ddof=1) / 2.0
    assert row["mean estimate (mcse)"] == (f"{math.exp(mean):.3f}", f"log −{-mean:.3f} ({error:.3f})")
    assert row["bias (mcse)"] == (f"{mean - math.log(0.68):.3f} ({error:.3f})",)
    # The true value, -0.386, lies within 1.96 standard errors of 0.1 of every estimate.
    assert row["coverage (mcse)"][0].startswith("1 (at least ")
    assert row["as written"] == ("0.600", "log −0.5108")
    text = page({"name": "x"}, {}, found, records, {})
    assert "<h2>What the trials estimate</h2>" in text
    assert "As written: the same if nobody discontinued" in text
    (known,) = found.select("true_value")
    assert (known.value, known.mcse, known.n, known.n_failed) == (math.log(0.68), 0.004, 0, 0)
    assert known.unit == "log hazard ratio"
    assert known.lower == pytest.approx(math.log(0.68) - 1.959964 * 0.004, abs=1e-8)


def test_without_discontinuation_nothing_is_said_of_it_and_differences_have_one_line() -> None:
    fact = cell_fact(estimand="risk_difference", strategy="treatment_policy", endpoint="response", true_value=0.15,
                     undisturbed_value=0.15, undisturbed_null=False, unit="probability")  # fmt: skip
    _, found = characteristics(fact)
    table = estimands_table(found)
    assert table is not None and "as written" not in table.headings
    row = dict(zip(table.headings, table.rows[0], strict=True))
    assert row["true value (mcse)"] == ("0.15",)
    assert row["estimand"] == ("response", "risk difference", "treatment policy strategy")
    assert [row.mcse for row in found.select("true_value")] == [None]
    assert discordance_sentences(found.facts) == []


@pytest.mark.parametrize("null", [False, True])
def test_rejections_that_count_otherwise_than_the_effect_as_written_suggests_are_named(null: bool) -> None:
    told = TOLD | {"null": null, "undisturbed_null": not null, "true_value": -0.03, "true_value_mcse": 0.002}
    other = TOLD | {"null": null, "undisturbed_null": null}
    _, found = characteristics(
        cell_fact(truth="no_effect", **told),
        cell_fact(design="gs", truth="no_effect", **told),
        cell_fact(**other),
    )
    (sentence,) = discordance_sentences(found.facts)
    assert sentence in answer(found, {})
    written, truly = ("false", "true") if null else ("true", "false")
    assert sentence.startswith(
        f"Under “no_effect” the null hypothesis of “primary” is {written} of the effect as the scenario writes it but "
        f"{truly} of its estimand, hazard ratio 0.970 (log −0.0300, Monte Carlo error 0.0020) by the composite strategy, "
    )
    counted = "type I errors, not as power" if null else "power, not as type I errors"
    assert sentence.endswith(f"in “fixed” and “gs” its rejections count as {counted}.")


def test_a_value_within_its_error_of_none_is_said_to_be_so() -> None:
    told = TOLD | {"undisturbed_null": True, "true_value": -0.003, "true_value_mcse": 0.002}
    _, found = characteristics(cell_fact(**told))
    assert "Monte Carlo error 0.0020, so that it may be none)" in discordance_sentences(found.facts)[0]


def test_powers_of_different_questions_are_said_to_be_so() -> None:
    policy = TOLD | {"strategy": "treatment_policy"}
    _, found = characteristics(cell_fact("first", **policy), cell_fact("second", design="gs", **TOLD))
    sentences = comparison_sentences(found)
    assert sentences[-1].startswith(
        "The powers of “gs” and “fixed” do not answer the same question: “gs” tests “second” (progression, hazard ratio, "
        "logrank, composite strategy) and “fixed” tests “first” (progression, hazard ratio, logrank, treatment policy "
        "strategy)."
    )
    _, alike = characteristics(cell_fact(**policy), cell_fact(design="gs", **policy))
    assert not any("same question" in sentence for sentence in comparison_sentences(alike))
    # What a run of an earlier version does not tell is no difference.
    _, older = characteristics(cell_fact(estimand="log_hazard_ratio", estimator=TOLD["estimator"]))
    _, newer = characteristics(cell_fact(**policy))
    assert unlike_sentence(older.facts, newer.facts, ("a", "b")) == ""


def test_a_design_whose_only_null_is_true_is_marked_beside_one_whose_is_false() -> None:
    told = TOLD | {"strategy": "treatment_policy", "null": True, "undisturbed_null": True}
    _, found = characteristics(cell_fact("first", **told), cell_fact("second", design="gs", **TOLD))
    (table,) = summary_tables(found)
    assert table.headings[1] == "power or type I error (mcse)"
    assert table.rows[0][1][0].startswith("first (null) 0 (at most ")
    assert table.rows[1][1][0].startswith("0 (at most ")


def composite_run(scenario: Scenario, designs: Sequence[str], truths: Sequence[str], *rest: Any) -> pa.Table:
    facts = formula_run(scenario, designs, truths, *rest).to_pylist()
    for fact in facts:
        policy = fact["design"] == "fixed"
        fact |= TOLD | {"strategy": "treatment_policy" if policy else "composite"}
        fact |= {"null": fact["null"] and policy, "undisturbed_null": fact["null"]}
    return pa.Table.from_pylist(facts)


@pytest.fixture
def scenario_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    use_engine(monkeypatch, composite_run)
    path = tmp_path / "example.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.mark.slow
def test_a_run_prints_it_and_its_json_has_the_true_values(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", scenario_file, "--replicates", 50, "--out", "one") == 0
    printed = capsys.readouterr().out
    assert (
        "Under “none” the null hypothesis of “primary” is true of the effect as the scenario writes it but"
        in printed
    )
    assert "in “sequential” its rejections count as power, not as type I errors." in printed
    assert "The powers of “sequential” and “fixed” do not answer the same question" in printed
    document = json.loads(Path("one/summary.json").read_text())
    assert list(schema("run").iter_errors(document)) == []
    values = [row for row in document["measures"] if row["name"] == "true_value"]
    assert len(values) == 8 and {row["value"] for row in values} == {math.log(0.68)}
    strategies = {(row["design"], row["strategy"]) for row in document["hypotheses"]}
    assert strategies == {("fixed", "treatment_policy"), ("sequential", "composite")}
    report = Path("one/report.html").read_text()
    assert "its rejections count as power, not as type I errors" in report


def test_runs_of_different_questions_are_compared_with_a_sentence(
    scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for design in ("fixed", "sequential"):
        arguments = ("--designs", design, "--truths", "effect", "--replicates", 20, "--out", design)
        assert run("run", scenario_file, *arguments) == 0
    capsys.readouterr()
    assert run("compare", "fixed", "sequential") == 0
    sentence = "The powers of “sequential” of the second run and “fixed” of the first do not answer the same question"
    assert sentence in capsys.readouterr().out
    assert run("compare", "fixed", "sequential", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(schema("compare").iter_errors(document)) == []
    assert document["notes"][0].startswith(sentence)
    assert run("compare", "fixed", "fixed", "--json") == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []


def slow_run(clock: list[float]) -> Callable[..., pa.Table]:
    def runs(*arguments: Any) -> pa.Table:
        found = formula_run(*arguments)
        show = arguments[-1]
        for done, at in ((10, 12.0), (20, 31.0), (30, 40.0), (40, 95.0), (100, 99.0)):
            clock[0] = at
            show(done, 100)
        return found

    return runs


def test_without_a_terminal_lines_say_that_and_how_far_a_simulation_is(
    scenario_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    use_engine(monkeypatch, slow_run(clock))
    monkeypatch.setattr("trialsim.cli.progress_shown.time.monotonic", lambda: clock[0])
    assert run("run", scenario_file, "--replicates", 50, "--json") == 0
    captured = capsys.readouterr()
    json.loads(captured.out)
    assert captured.err.splitlines()[:3] == [
        "Simulating 400 trials; what is not compiled yet is compiled first, which may take minutes.",
        "20 of 100 trials after 31 s.",
        "40 of 100 trials after 1 min 35 s.",
    ]
    assert captured.err.splitlines()[3].startswith("Results: ")


def test_the_designs_are_told_with_patients_looks_and_levels(scenario_file: Path) -> None:
    assert run("run", scenario_file, "--replicates", 20, "--out", "one") == 0
    report = Path("one/report.html").read_text()
    stored = load_run("one")
    table = designs_table(stored.scenario, ["fixed", "sequential"])
    assert table is not None
    fixed, sequential = (dict(zip(table.headings, row, strict=True)) for row in table.rows)
    assert fixed["patients"] == ("300",)
    assert fixed["arms"] == ("control", "treatment")
    assert fixed["allocation"][0] == "simple"
    assert fixed["tests"] == ("primary: treatment against control, response, score test, level 0.025",)
    assert sequential["kind"] == ("group sequential",)
    assert [look.partition(" of ")[0] for look in sequential["looks at"]] == [
        f"{n} readouts" for n in (100, 200, 300)
    ]
    assert "<h2>Designs</h2>" in report and "group sequential" in report


def test_triggers_are_said_in_words_and_what_is_no_scenario_has_no_table() -> None:
    when = {"all": [{"events": {"count": 45, "endpoint": "death", "arms": ["a", "b"]}}, {"gap": "60.0 days"}],
            "no_later_than": "1826.25 days"}  # fmt: skip
    design = {
        "kind": "fixed",
        "n": 1200,
        "looks": [{"when": when}, {"when": {"any": [{"enrolled": 9}, {"calendar": "1 year"}]}}],
    }
    table = designs_table({"designs": {"d": design}}, ["d", "other"])
    assert table is not None
    row = dict(zip(table.headings, table.rows[0], strict=True))
    assert row["looks at"] == (
        "45 events of death on a and b and 60 days after the look before, at the latest at 5 years",
        "9 enrolled or 1 year",
    )
    assert row["patients"] == ("1,200",)
    assert designs_table({"name": "x"}, ["d"]) is None
