"""True values by strategy for intercurrent events, against closed forms, and that analyses find them where they can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lifelines.statistics import logrank_test

from trialsim.contracts import Kind
from trialsim.engines.plan import Plan, build_plan
from trialsim.engines.potential_outcomes import SAMPLE, cox_of_two, true_value
from trialsim.engines.runner import run
from trialsim.engines.strategies import estimator_of, flag_of
from trialsim.errors import ScenarioError
from trialsim.oc.characteristics import operating_characteristics
from trialsim.oc.in_memory import collect
from trialsim.report.cautions import caution_sentences
from trialsim.report.story_replay import replay
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

HAZARD, RATIO, STOP, STOP_RATIO, DAYS = 0.004, 0.4, 0.006, 1.5, 300.0
WAYS = ("treatment_policy", "hypothetical", "composite", "while_on_treatment", "principal_stratum")


def scenario(endpoint: dict[str, Any], analysis: str, direction: str, **parts: Any) -> Scenario:
    tree = {
        "name": "strategies",
        "horizon": "2 years",
        "accrual": {"evenly_spaced": {"over": "0.001 days"}},
        "arms": ["control", "treatment"],
        "endpoints": {"e": endpoint},
        "treatment": {"effect_stops": True},
        "discontinuation": {
            "any": {"baseline": {"hazard": f"{STOP} per day"}, "effect": {"treatment": STOP_RATIO}}
        },
        "hypotheses": {
            way: {
                "endpoint": "e",
                "arms": ["treatment", "control"],
                "analysis": analysis,
                "direction": direction,
                "strategy": way,
                "follow_up": f"{DAYS} days",
            }
            for way in WAYS
        },
        "truths": {"here": {}},
        "designs": {
            "d": {
                "kind": "fixed",
                "n": 1000,
                "allocation": "alternating",
                "looks": [{"when": {"calendar": f"{DAYS} days"}}],
                "tests": {way: {"alpha": 0.025} for way in WAYS},
            }
        },
    } | parts
    return scenario_from(tree)


def survival(ratio: float = RATIO, **more: Any) -> dict[str, Any]:
    return {
        "kind": "survival",
        "baseline": {"hazard": f"{HAZARD} per day"},
        "effect": {"treatment": ratio},
    } | more


def truths(plan: Plan) -> dict[str, float]:
    return {test.name: true_value(plan, test, 1, 0) for test in plan.tests}


def limit_of_cox() -> float:
    """Return the log hazard ratio to which a Cox model converges where the effect stops with treatment."""
    t = np.linspace(0.0, DAYS, 200_001)
    on, stop = HAZARD * RATIO, STOP * STOP_RATIO
    treated = np.exp(-(on + stop) * t) + stop * (np.exp(-HAZARD * t) - np.exp(-(on + stop) * t)) / (
        on + stop - HAZARD
    )
    control = np.exp(-HAZARD * t)
    events = [-np.diff(s) for s in (treated, control)]
    risk = [0.5 * (s[1:] + s[:-1]) for s in (treated, control)]
    beta = 0.0
    for _ in range(50):
        share = np.exp(beta) * risk[0] / (np.exp(beta) * risk[0] + risk[1])
        both = events[0] + events[1]
        beta += float((events[0] - both * share).sum() / (both * share * (1 - share)).sum())
    return beta


EXACT = {
    "treatment_policy": limit_of_cox(),
    "hypothetical": np.log(RATIO),
    "composite": np.log((HAZARD * RATIO + STOP * STOP_RATIO) / (HAZARD + STOP)),
    "while_on_treatment": np.log(RATIO),
    "principal_stratum": np.log(RATIO),
}


@pytest.fixture(scope="module")
def exponential() -> Scenario:
    return scenario(survival(), "cox", "lower")


def test_true_hazard_ratios_by_strategy(exponential: Scenario) -> None:
    found = truths(build_plan(exponential, "d", "here", 1))
    for way in WAYS:
        stays = np.exp(-STOP * (1 + STOP_RATIO) * DAYS) if way == "principal_stratum" else 1.0
        events = SAMPLE * stays * 0.25  # at the least, on the arm with fewer
        assert abs(found[way] - EXACT[way]) < 5.0 * np.sqrt(2.0 / events), way
    assert abs(EXACT["treatment_policy"] - EXACT["hypothetical"]) > 0.2


def test_analyses_find_the_true_values_of_the_strategies_that_they_fit(exponential: Scenario) -> None:
    estimates: dict[str, list[float]] = {}

    def keep(tables: dict[str, Any]) -> None:
        for way in WAYS:
            estimates.setdefault(way, []).extend(tables["trials"][f"estimate:{way}"].to_pylist())

    cells = run(exponential, None, None, 100, 3, "fast", 1, keep).to_pylist()
    for way in WAYS[:4]:
        values = np.array(estimates[way])
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert abs(values.mean() - EXACT[way]) < 5.0 * error + 0.01, (
            way
        )  # the Cox estimate's own bias in n = 1000
    stratum = np.array(estimates["principal_stratum"])
    assert np.array_equal(stratum, estimates["treatment_policy"])
    said = {row["hypothesis"]: row["estimator"] for row in cells}
    assert "flagged" not in said["treatment_policy"] + said["composite"]
    assert all("flagged" in said[way] for way in ("hypothetical", "while_on_treatment", "principal_stratum"))


def test_binary_composite_and_its_kin() -> None:
    day = 60.0
    endpoint = {
        "kind": "binary",
        "readout": f"{day} days",
        "rate": 0.4,
        "effect": {"treatment": 0.7},
        "effect_measure": "rate",
    }
    found = truths(build_plan(scenario(endpoint, "score_test", "higher"), "d", "here", 1))
    stays = [np.exp(-STOP * ratio * day) for ratio in (1.0, STOP_RATIO)]
    tolerance = 5.0 * np.sqrt(0.5 / SAMPLE)
    # With the last dose the effect stops: whoever has stopped by the read-out answers as on control.
    assert abs(found["treatment_policy"] - 0.3 * stays[1]) < tolerance
    assert found["hypothetical"] == pytest.approx(0.3, abs=1e-9)
    assert abs(found["composite"] - (0.7 * stays[1] - 0.4 * stays[0])) < tolerance
    assert found["while_on_treatment"] == pytest.approx(0.3, abs=1e-9)


def test_nobody_quits_in_a_hypothesis_whatever_makes_quitting_likelier() -> None:
    """Where adverse events make discontinuation likelier, the true difference is that of the effect as it is written."""
    endpoint = {
        "kind": "binary",
        "readout": "100 days",
        "rate": 0.4,
        "effect": {"treatment": 0.7},
        "effect_measure": "rate",
    }
    likelier = {
        "adverse_events": {"rash": {"baseline": {"hazard": "0.02 per day"}, "severity": {"mild": 1.0}}},
        "discontinuation": {"any": {"baseline": {"hazard": f"{STOP} per day"}, "after": {"mild": 3.0}}},
    }
    plan = build_plan(scenario(endpoint, "score_test", "higher", **likelier), "d", "here", 1)
    found = truths(plan)
    assert found["hypothetical"] == pytest.approx(0.3, abs=1e-9)
    assert found["treatment_policy"] < 0.2


WINDOW = 40.0


def with_a_window(endpoint: dict[str, Any], analysis: str, direction: str) -> Scenario:
    tree = scenario(endpoint, analysis, direction).dump()
    tree["hypotheses"]["while_on_treatment"]["window"] = f"{WINDOW:g} days"
    return scenario_from(tree)


def limit_with_a_window() -> float:
    """Return the log hazard ratio to which a Cox model converges with the window, in which hazards are control's."""
    t, step = np.linspace(0.0, DAYS, 20_001, retstep=True)
    risk, rate = [], []
    for ratio, stop in ((RATIO, STOP * STOP_RATIO), (1.0, STOP)):
        on = np.exp(-(HAZARD * ratio + stop) * t)
        since = np.minimum(t, WINDOW)  # stopped at u, from t - since to t, and without the event since then
        c = HAZARD * ratio + stop - HAZARD
        in_window = stop * np.exp(-HAZARD * t) * (np.exp(-c * (t - since)) - np.exp(-c * t)) / c
        risk.append(on + in_window)
        rate.append(HAZARD * ratio * on + HAZARD * in_window)
    beta = 0.0
    for _ in range(50):
        share = np.exp(beta) * risk[0] / (np.exp(beta) * risk[0] + risk[1])
        score, information = (
            rate[0] - (rate[0] + rate[1]) * share,
            (rate[0] + rate[1]) * share * (1.0 - share),
        )
        beta += float(np.trapezoid(score, dx=step) / np.trapezoid(information, dx=step))
    return beta


@pytest.mark.slow
def test_a_window_after_the_last_dose_counts_as_on_treatment() -> None:
    made = with_a_window(survival(), "cox", "lower")
    plan = build_plan(made, "d", "here", 1)
    (test,) = [test for test in plan.tests if test.name == "while_on_treatment"]
    found, exact = true_value(plan, test, 1, 0), limit_with_a_window()
    assert exact - np.log(RATIO) > 0.1
    assert abs(found - exact) < 5.0 * np.sqrt(2.0 / (0.25 * SAMPLE))
    assert "with 40 days after the last dose" in estimator_of(test, "survival")
    rows = operating_characteristics(collect(made, ["d"], ["here"], 300, 9))
    (bias,) = rows.select("bias", hypothesis="while_on_treatment", reason=None)
    assert bias.mcse is not None and abs(bias.value) < 5.0 * bias.mcse + 0.02


def test_a_read_out_within_the_window_counts() -> None:
    day = 60.0
    endpoint = {
        "kind": "binary", "readout": f"{day} days", "rate": 0.4, "effect": {"treatment": 0.7}, "effect_measure": "rate",
    }  # fmt: skip
    made = with_a_window(endpoint, "score_test", "higher")
    found = truths(build_plan(made, "d", "here", 1))["while_on_treatment"]
    on, kept = (np.exp(-STOP * STOP_RATIO * t) for t in (day, day - WINDOW))
    exact = 0.3 * on / kept
    assert abs(found - exact) < 5.0 * 0.3 * np.sqrt(0.25 / SAMPLE)
    rows = operating_characteristics(collect(made, ["d"], ["here"], 400, 9))
    (bias,) = rows.select("bias", hypothesis="while_on_treatment", reason=None)
    assert bias.mcse is not None and abs(bias.value) < 5.0 * bias.mcse + 0.002
    assert 0.3 - exact > 0.05


def test_a_window_goes_with_its_strategy() -> None:
    tree = scenario(survival(), "cox", "lower").dump()
    tree["hypotheses"]["composite"]["window"] = "30 days"
    with pytest.raises(ScenarioError, match=r"hypotheses\.composite\.window.*goes with while_on_treatment"):
        scenario_from(tree)


def test_no_effect_is_none_in_every_strategy_that_has_it() -> None:
    plan = build_plan(
        scenario(
            survival(1.0, terminal=True),
            "cox",
            "lower",
            discontinuation={"any": {"baseline": {"hazard": f"{STOP} per day"}}},
        ),
        "d",
        "here",
        1,
    )
    assert all(value == 0.0 for value in truths(plan).values())


def test_what_is_solved_stays_exact() -> None:
    plan = build_plan(scenario(survival(), "cox", "lower", treatment={"doses": [1, 0.5]}), "d", "here", 1)
    (policy,) = [test for test in plan.tests if test.name == "treatment_policy"]
    assert true_value(plan, policy, 1, 0) == pytest.approx(np.log(RATIO), abs=1e-6)


def test_cox_of_two_by_hand() -> None:
    """Two events each, no ties: the score 2 - sum of shares is zero where it says."""
    time, control = np.array([2, 5, 9]), np.array([1, 4, 9])
    beta = cox_of_two(time, np.array([True, True, False]), control, np.array([True, True, False]))
    w = np.exp(beta)
    shares = [3 * w / (3 * w + 3), 3 * w / (3 * w + 2), 2 * w / (2 * w + 2), 2 * w / (2 * w + 1)]
    assert sum(shares) == pytest.approx(2.0, abs=1e-10)


def test_a_strategy_needs_something_to_handle() -> None:
    with pytest.raises(ScenarioError, match="nothing in this scenario ends treatment"):
        scenario(survival(), "cox", "lower", discontinuation=None, treatment=None)
    measured = {"kind": "continuous", "readout": "60 days", "mean": 0, "sd": 1, "effect": {"treatment": 0.2}}
    with pytest.raises(ScenarioError, match="composite is for survival and binary endpoints"):
        scenario(measured, "t_test", "higher")


def test_a_strategy_is_applied_to_what_is_known_at_the_cut() -> None:
    """The log-rank statistics of another package, from what the event log says was told by the cut."""
    late = survival(
        report_delay={"exponential": {"mean": "30 days"}},
        adjudication={"delay": {"exponential": {"mean": "60 days"}}, "confirmed": 0.7},
    )
    design = {
        "kind": "fixed",
        "n": 300,
        "allocation": "alternating",
        "looks": [{"when": {"calendar": f"{DAYS} days"}}],
        "tests": {way: {"alpha": 0.025} for way in WAYS},
    }
    told = replay(scenario(late, "logrank", "lower", designs={"d": design}), "d", "here", 0, 1)
    cut, n = told.looks[0].cut, len(told.courses)
    entry = np.array([course.entry for course in told.courses])
    event, seen, settled, stopped = (np.full(n, cut + 1) for _ in range(4))
    for row in told.log:
        if row.kind == Kind.EVENT:
            seen[row.id] = row.tick
        elif row.kind == Kind.ADJUDICATED and row.tick <= cut:
            settled[row.id] = row.tick
            event[row.id] = seen[row.id] if row.value else cut + 1
        elif row.kind == Kind.DISCONTINUED:
            stopped[row.id] = row.tick
    # Whose event was refused has left with it, as it was the last endpoint; who waits for a verdict counts as followed.
    until = np.where((settled <= cut) & (event > cut), np.minimum(seen, cut), cut)
    waiting = (seen < stopped) & (settled > cut) & (stopped <= cut)
    assert (event <= cut).sum() > 50 and ((seen <= cut) & (settled > cut)).sum() > 10 and waiting.sum() == 0
    ends = {
        "treatment_policy": (np.minimum(event, until), event <= until),
        "hypothetical": (
            np.minimum(np.minimum(event, stopped), until),
            (event <= stopped) & (event <= until),
        ),
        "composite": (
            np.minimum(np.minimum(event, stopped), until),
            np.minimum(event, stopped) <= until,
        ),
    }
    treated = np.array([course.arm == 1 for course in told.courses])
    for place, test in enumerate(told.plan.tests):
        if test.name in ends:
            stop, had = ends[test.name]
            time = stop - entry
            found = logrank_test(time[treated], time[~treated], had[treated], had[~treated])
            assert told.looks[0].z[place] ** 2 == pytest.approx(found.test_statistic, rel=1e-9), test.name


def test_a_flag_is_among_the_cautions(exponential: Scenario) -> None:
    found = operating_characteristics(collect(exponential, ["d"], ["here"], 3, 1))
    said = "\n".join(caution_sentences(found))
    for way in ("hypothetical", "while_on_treatment", "principal_stratum"):
        assert f"The analysis of “{way}” is flagged: {flag_of(way, 'survival')}." in said
    assert "analysis of “composite”" not in said and "analysis of “treatment_policy”" not in said
    # So many more discontinue on treatment that the composite is no benefit, though the effect as written is one.
    assert (
        "the null hypothesis of “composite” is false of the effect as the scenario writes it but true of its"
        in said
    )


def test_an_estimator_says_its_strategy(exponential: Scenario) -> None:
    tests = {test.name: test for test in build_plan(exponential, "d", "here", 1).tests}
    assert estimator_of(tests["treatment_policy"], "survival") == tests["treatment_policy"].analysis.estimator
    assert estimator_of(tests["composite"], "survival").endswith("composite strategy")


def test_a_flag_speaks_of_censoring_where_something_is_censored_alone() -> None:
    for way in ("hypothetical", "while_on_treatment"):
        said = flag_of(way, "binary")
        assert said is not None and said == flag_of(way, "continuous")
        assert "leaves out read-outs" in said and "censor" not in said and "hazard" not in said
    assert "censors at discontinuation" in str(flag_of("hypothetical", "survival"))
    assert all(flag_of("treatment_policy", kind) is None for kind in ("survival", "binary", "continuous"))
    assert "larger share of failures" in str(flag_of("composite", "binary"))
    assert flag_of("composite", "survival") is None


@pytest.mark.parametrize(
    ("strategy", "endpoint"),
    [("while_on_treatment", "score"), ("principal_stratum", "score"), ("principal_stratum", "event")],
)
def test_an_estimand_about_nobody_is_refused_before_anything_is_simulated(
    strategy: str, endpoint: str
) -> None:
    made = scenario_from(
        {
            "name": "nobody_stays",
            "accrual": {"evenly_spaced": {"over": "1 month"}},
            "arms": ["control", "treatment"],
            "endpoints": {
                "score": {"kind": "continuous", "readout": "8 weeks", "mean": 0, "sd": 1, "effect": {"treatment": 1}},
                "event": {"kind": "survival", "baseline": {"median": "1 year"}, "effect": {"treatment": 0.8}},
            },
            "discontinuation": {"any": {"baseline": {"hazard": "10 per day"}}},
            "hypotheses": {
                "primary": {
                    "endpoint": endpoint, "arms": ["treatment", "control"], "strategy": strategy,
                    "analysis": "t_test" if endpoint == "score" else "logrank", "follow_up": "1 year",
                    "direction": "higher" if endpoint == "score" else "lower",
                }
            },
            "truths": {"expected": {}},
            "designs": {
                "only": {"kind": "fixed", "n": 40, "allocation": "alternating", "looks": [{"when": {"enrolled": 40}}],
                         "tests": {"primary": {"alpha": 0.025}}},
            },
        }
    )  # fmt: skip
    seen: list[int] = []
    with pytest.raises(
        ScenarioError, match=f"under the truth expected none of 100,000 patients counts as {strategy}"
    ):
        run(made, None, None, 3, 1, "fast", 1, lambda _: seen.append(1))
    assert seen == []
