"""A failed analysis counts from the look at which it failed, in records, measures, report and story alike."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.synthetic_records import cell_fact, tables, trial
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.in_memory import Collected, collect
from trialsim.report.more_tables import stopping_table
from trialsim.report.story import explain
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

REPLICATES, SEED = 120, 5
DESIGNS = ("to_the_end", "waits_in_vain", "drops")


def rare_responses() -> dict[str, Any]:
    """Return a small trial of two arms against control whose responses are so rare that often nobody has one."""

    def against(arm: str) -> dict[str, Any]:
        words = {"endpoint": "response", "analysis": "score_test", "direction": "higher"}
        return words | {"arms": [arm, "control"], "strategy": "treatment_policy"}

    bounds = {"efficacy_z": [1.2, 1.2, 1.2]}
    looks = [{"when": {"calendar": f"{months} months"}} for months in (1, 2, 3)]
    in_vain = [{"when": {"readouts": n}} for n in (9, 26, 27)]
    tests = {"a": {"alpha": 0.025}, "b": {"alpha": 0.025}}
    shared = {
        "kind": "group_sequential",
        "n": 27,
        "allocation": "alternating",
        "looks": looks,
        "tests": tests,
    }
    return {
        "name": "rare_responses",
        "source": "made up",
        "horizon": "100 days",
        "accrual": {"poisson": {"rate": "9 per month"}},
        "arms": ["control", "arm_a", "arm_b"],
        "endpoints": {
            "response": {
                "kind": "binary",
                "readout": "1 week",
                "rate": 0.06,
                "effect": {"arm_a": 0.06, "arm_b": 0.06},
                "effect_measure": "rate",
            }
        },
        "hypotheses": {"a": against("arm_a"), "b": against("arm_b")},
        "truths": {"no_effect": {}, "b_works": {"endpoints.response.effect.arm_b": 0.3}},
        "designs": {
            # Failures that stand are those of the last look.
            "to_the_end": shared | {"bounds": bounds},
            # Often the second look's read-outs do not come before the horizon: what the first one found stands.
            "waits_in_vain": shared | {"bounds": bounds, "looks": in_vain},
            # One arm goes at the first look, and the failure of its test with it.
            "drops": shared
            | {"bounds": bounds, "policies": {"stopping": {"drop_arms": {"look": 1, "keep": 1}}}},
        },
    }


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return scenario_from(rare_responses())


@pytest.fixture(scope="module")
def records(scenario: Scenario) -> Collected:
    return collect(scenario, list(DESIGNS), ["no_effect", "b_works"], REPLICATES, SEED)


@pytest.fixture(scope="module")
def found(records: Collected) -> OperatingCharacteristics:
    return operating_characteristics(records, planned_looks=dict.fromkeys(DESIGNS, 3))


@pytest.fixture(scope="module")
def standing(records: Collected) -> pd.DataFrame:
    """Return, of each trial and test, the look that stands: the last one before which nothing was decided on it."""
    looks = records.looks.to_pandas()
    arms = records.arms.to_pandas()
    dropped = arms.set_index(["design", "truth", "replicate", "arm"])["dropped_look"]
    kept = []
    for keys, rows in looks.groupby(["design", "truth", "replicate", "hypothesis"], observed=True):
        gone = int(dropped[(*keys[:3], f"arm_{keys[3]}")])
        decided = [int(look) for look in rows.loc[rows["rejected"], "look"]] + ([gone] if gone else [])
        rows = rows[rows["look"] <= min(decided, default=99)]
        kept.append(rows.loc[rows["look"].idxmax()])
    return pd.DataFrame(kept)


@pytest.mark.parametrize(
    ("design", "at"), [("to_the_end", {3}), ("waits_in_vain", {1, 2, 3}), ("drops", {1, 3})]
)
def test_the_records_name_the_look_at_which_an_analysis_failed(
    records: Collected, standing: pd.DataFrame, design: str, at: set[int]
) -> None:
    trials = records.trials.to_pandas().set_index(["design", "truth", "replicate"])
    failed_at: set[int] = set()
    for row in standing[standing["design"] == design].itertuples():
        one = trials.loc[(row.design, row.truth, row.replicate)]
        failed = row.status not in ("ok", "not_analysed")
        assert one[f"failed_look:{row.hypothesis}"] == (row.look if failed else 0)
        assert one[f"status:{row.hypothesis}"] == row.status
        failed_at |= {row.look} if failed else set()
    assert failed_at == at


def counted_by_hand(records: Collected, design: str, truth: str, test: str, null: bool) -> list[float]:
    """Return the share of trials that count as rejecting by each look, trial by trial."""
    trials = records.trials.to_pandas()
    counted = np.zeros(3)
    for _, one in trials[(trials["design"] == design) & (trials["truth"] == truth)].iterrows():
        look = int(one[f"reject_look:{test}"])
        names = ["a", "b"] if one["status"] == "failed" else [test]
        failures = [int(one[f"failed_look:{name}"]) for name in names if one[f"failed_look:{name}"] > 0]
        if failures:
            look = 0 if not null else min([*failures, look] if look else failures)
        if look:
            counted[look - 1 :] += 1
    return list(counted / REPLICATES)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(("truth", "nulls"), [("no_effect", "ab"), ("b_works", "a")])
def test_a_failure_counts_from_its_look_on_and_in_the_end_all_that_reject_are_in(
    records: Collected, found: OperatingCharacteristics, design: str, truth: str, nulls: str
) -> None:
    for test in "ab":
        keys = {"design": design, "truth": truth, "hypothesis": test}
        by_look = [row.value for row in found.select("reject_by_look", **keys)]
        assert by_look == pytest.approx(
            counted_by_hand(records, design, truth, test, test in nulls), abs=1e-12
        )
        (whole,) = found.select("reject", **keys)
        assert by_look[-1] == whole.value
        assert whole.n_failed > 0
    if design == "to_the_end" and truth == "no_effect":  # what is found at the end is not there before
        assert by_look[0] < by_look[2]


def test_the_table_of_endings_says_the_same(found: OperatingCharacteristics) -> None:
    cells = [["\n".join(lines) for lines in row] for row in stopping_table(found).rows]
    last = [row[-1] for row in cells if row[:3] == ["no_effect", "to_the_end", "3"]]
    assert last
    for said in last:
        for test in "ab":
            (whole,) = found.select("reject", design="to_the_end", truth="no_effect", hypothesis=test)
            (value,) = re.findall(rf"^{test} ([0-9.]+)", said, flags=re.MULTILINE)
            assert float(value) == pytest.approx(whole.value, abs=0.001)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_story_says_when_it_failed_and_how_it_counts(
    scenario: Scenario, records: Collected, design: str
) -> None:
    trials = records.trials.to_pandas()
    here = trials[(trials["design"] == design) & (trials["truth"] == "b_works")]
    chosen = here[(here["failed_look:a"] > 0) & (here["reject_look:a"] == 0)].iloc[0]
    text = told(scenario, design, chosen)
    look = int(chosen["failed_look:a"])
    assert f"a: the null hypothesis was not rejected (its analysis failed at look {look}: " in text
    first = min(
        int(chosen[f"failed_look:{name}"])
        for name in ("ab" if chosen["status"] == "failed" else "a")
        if chosen[f"failed_look:{name}"] > 0
    )
    assert (
        f"the measures count a as rejected from look {first} on, since there is no benefit in truth" in text
    )
    fine = here[(here["failed_look:a"] == 0) & (here["failed_look:b"] == 0)].iloc[0]
    assert "the measures count" not in told(scenario, design, fine)


def told(scenario: Scenario, design: str, row: pd.Series[Any]) -> str:
    """Return the story of a trial in one line."""
    story = explain(scenario, design=design, truth="b_works", replicate=int(row["replicate"]), seed=SEED)
    return " ".join(story.text().split())


def by_look(rows: list[dict[str, Any]]) -> list[float]:
    """Return the shares of a true null that count as rejected by each of three looks."""
    found = operating_characteristics(tables(rows, [cell_fact(null=True)]), planned_looks={"fixed": 3})
    return [row.value for row in found.select("reject_by_look")]


def test_by_hand_and_where_the_records_do_not_say_when_it_failed() -> None:
    failed = {"status": "no_events", "estimate": math.nan, "se": math.nan}
    fine = trial(1, {"primary": {"failed_look": 0}}, stop_look=3)
    early = trial(0, {"primary": failed | {"failed_look": 1}}, status="failed", stop_look=2)
    assert by_look([early, fine]) == [0.5, 0.5, 0.5]
    before = {"primary": failed | {"failed_look": 2, "reject": True, "reject_look": 1}}
    assert by_look([trial(0, before, status="failed", stop_look=3), fine]) == [0.5, 0.5, 0.5]
    # Records of an earlier version: at the look that ended the trial, or the last where none did.
    plain = trial(1, stop_look=3)
    assert by_look([trial(0, {"primary": failed}, status="failed", stop_look=2), plain]) == [0.0, 0.5, 0.5]
    horizon = trial(0, {"primary": failed}, stop_reason="horizon", stop_look=0)
    assert by_look([horizon, plain]) == [0.0, 0.0, 0.5]
