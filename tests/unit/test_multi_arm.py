"""Multi-arm multi-stage designs: who goes on after a look, worked out by hand, and what a scenario may not ask."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from tests.unit.test_policies import view
from trialsim.contracts import LookView, Status, Stop
from trialsim.designs.multi_arm_multi_stage import MultiArmMultiStage
from trialsim.engines.conduct import conduct
from trialsim.engines.plan import build_plan
from trialsim.engines.records import columns_of, joined
from trialsim.engines.runner import start_engine
from trialsim.errors import ScenarioError
from trialsim.oc.error_claims import FAMILY, error_claims
from trialsim.oc.run_folder import alpha_targets
from trialsim.policies.select_arms import SelectArms
from trialsim.report.computed_design import computed_sentences
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario
from trialsim.simulation import simulate
from trialsim.stats.combination.fisher import fisher_design


def seen(effect: list[list[float]], **changes: Any) -> LookView:
    """Return a view of the first of two looks of a closed test of four arms, none of which is shown."""
    values = np.array(effect, dtype=float)
    parts: dict[str, Any] = {
        "effect": values,
        "own_z": values + 1.0,
        "lost": np.zeros(values.shape, dtype=bool),
        "futility_z": np.full(values.shape, -math.inf),
    }
    z = changes.pop("z", np.ones(values.shape))
    return view(z.tolist(), arms=values.shape[1] + 1, **(parts | changes))


def going_on(policy: SelectArms, at: LookView) -> list[list[bool]]:
    decision, _ = policy.decide(at, {})
    assert decision.open_arms is not None
    return decision.open_arms[:, 1:].tolist()


EFFECTS = [[0.2, 0.5, 0.45, -0.1]]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"rule": "keep_all"}, [True, True, True, True]),
        ({"rule": "select_best"}, [False, True, False, False]),
        ({"rule": "drop_the_losers", "keep": (3, 1)}, [True, True, True, False]),
        ({"rule": "within_epsilon", "epsilon": 0.06}, [False, True, True, False]),
        ({"rule": "within_epsilon", "epsilon": 0.31}, [True, True, True, False]),
        ({"rule": "all_promising", "threshold": 0.2}, [True, True, True, False]),
        ({"rule": "select_best", "lower_is_better": True}, [False, False, False, True]),
        ({"rule": "all_promising", "threshold": 0.0, "lower_is_better": True}, [False, False, False, True]),
    ],
)
def test_a_rule_keeps(rule: dict[str, Any], kept: list[bool]) -> None:
    assert going_on(SelectArms(**rule), seen(EFFECTS)) == [kept]


def test_the_best_by_z_is_not_the_best_by_effect() -> None:
    at = seen(EFFECTS, own_z=np.array([[2.0, 1.0, 1.5, 0.0]]))
    assert going_on(SelectArms("select_best", "z"), at) == [[True, False, False, False]]


def test_ties_go_to_the_arm_named_first() -> None:
    assert going_on(SelectArms("select_best"), seen([[0.1, 0.3, 0.3, 0.3]])) == [[False, True, False, False]]


def test_the_number_kept_is_that_of_the_look_and_the_last_one_afterwards() -> None:
    policy = SelectArms("drop_the_losers", keep=(3, 2))
    at = seen(EFFECTS * 3, look=np.array([0, 1, 2]), is_last=np.zeros(3, dtype=bool))
    assert [sum(row) for row in going_on(policy, at)] == [3, 2, 2]


def test_arms_without_an_estimate_and_those_given_up_are_not_chosen() -> None:
    status = np.zeros((1, 4), dtype=np.int8)
    status[0, 1] = Status.EMPTY_ARM
    assert going_on(SelectArms("select_best"), seen(EFFECTS, status=status)) == [[False, False, True, False]]
    futile = seen(EFFECTS, own_z=np.array([[1, -0.2, 1, 1.0]]), futility_z=np.zeros((1, 4)))
    assert going_on(SelectArms("select_best"), futile) == [[False, False, True, False]]
    assert going_on(SelectArms("select_best", futility="ignore"), futile) == [[False, True, False, False]]
    lost = np.array([[False, True, True, False]])
    assert going_on(SelectArms("select_best"), seen(EFFECTS, lost=lost)) == [[True, False, False, False]]


def test_an_arm_shown_is_one_of_those_kept_and_needs_no_more_patients() -> None:
    z = np.array([[1.0, 3.0, 1.0, 1.0]])
    decision, _ = SelectArms("drop_the_losers", keep=(2,)).decide(seen(EFFECTS, z=z), {})
    assert decision.reject is not None
    assert decision.futile is not None
    assert decision.open_arms is not None
    assert decision.reject.tolist() == [[False, True, False, False]]
    assert decision.open_arms.tolist() == [[True, False, False, True, False]]
    assert decision.futile.tolist() == [[True, False, False, True]]


def test_where_no_arm_is_promising_the_trial_stops() -> None:
    decision, _ = SelectArms("all_promising", threshold=1.0).decide(seen(EFFECTS), {})
    assert decision.stop is not None
    assert decision.reason is not None
    assert (decision.stop.tolist(), decision.reason.tolist()) == ([True], [Stop.FUTILITY])


def test_nothing_is_chosen_at_the_last_look() -> None:
    at = seen(EFFECTS, is_last=np.ones(1, dtype=bool), z=np.array([[3.0, 1.0, 3.0, 1.0]]))
    decision, _ = SelectArms("select_best").decide(at, {})
    assert decision.reject is not None
    assert decision.futile is not None
    assert decision.reject.tolist() == [[True, False, True, False]]
    assert not decision.futile.any()


# ---- scenarios ------------------------------------------------------------------------------------------------------

TREE: dict[str, Any] = {
    "name": "several",
    "arms": ["control", "low", "high"],
    "accrual": {"evenly_spaced": {"rate": "1 per day"}},
    "endpoints": {
        "score": {"kind": "continuous", "readout": "12 hours", "mean": 0, "sd": 1, "effect": {"low": 0, "high": 0.5}},
        "death": {"kind": "survival", "baseline": {"median": "1 year"}, "effect": {"low": 1, "high": 0.5}},
    },
    "hypotheses": {
        "low": {"endpoint": "score", "arms": ["low", "control"], "analysis": "t_test", "direction": "higher"},
        "high": {"endpoint": "score", "arms": ["high", "control"], "analysis": "t_test", "direction": "higher"},
        "high_low": {"endpoint": "score", "arms": ["high", "low"], "analysis": "t_test", "direction": "higher"},
        "again": {"endpoint": "score", "arms": ["low", "control"], "analysis": "t_test", "direction": "higher"},
        "lower": {"endpoint": "score", "arms": ["high", "control"], "analysis": "t_test", "direction": "lower"},
        "low_cox": {"endpoint": "death", "arms": ["low", "control"], "analysis": "cox", "direction": "lower"},
        "high_cox": {"endpoint": "death", "arms": ["high", "control"], "analysis": "cox", "direction": "lower"},
    },
    "truths": {"effect": {}},
    "designs": {
        "only": {
            "kind": "multi_arm_multi_stage",
            "n": 150,
            "allocation": "alternating",
            "looks": [
                {"when": {"readouts": {"count": 25, "open_arms": "each"}}},
                {"when": {"readouts": {"count": 50, "open_arms": "each"}}},
            ],
            "tests": {"low": {"alpha": 0.025}, "high": {"alpha": 0.025}},
            "efficacy": "obrien_fleming",
            "selection": "select_best",
        }
    },
}  # fmt: skip


def asked(**changes: Any) -> dict[str, Any]:
    tree = copy.deepcopy(TREE)
    design = tree["designs"]["only"]
    for key, value in changes.items():
        if value is None:
            design.pop(key, None)
        else:
            design[key] = value
    return tree


def levels(*names: str, alpha: float = 0.025) -> dict[str, Any]:
    return {name: {"alpha": alpha} for name in names}


FISHER = {"efficacy": None, "combination": {"fisher": {"futility_p": 0.5}}}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "group_sequential"}, "designs.only.selection", "belongs to a design of kind: multi_arm_multi_stage"),
    ({"tests": levels("low")}, "designs.only.tests", "missing: high"),
    ({"tests": levels("low", "high_low")}, "designs.only.tests.high_low", "every test compares an arm with control"),
    ({"tests": levels("low", "again", "high")}, "designs.only.tests.again", "compared with control by 'low' already"),
    ({"tests": levels("low", "lower")}, "designs.only.tests.lower", "has another direction than 'low'"),
    ({"tests": levels("low_cox", "high_cox"), "looks": [{"when": {"events": 20}}, {"when": {"events": 40}}]},
     "designs.only.tests.low_cox", "increments of the log-rank score, which cox has not"),
    ({"tests": levels("low") | levels("high", alpha=0.05)}, "designs.only.tests", "levels 0.025, 0.05"),
    ({"arms": ["control", "high"], "tests": levels("high")}, "designs.only.kind", "none to choose"),
    ({"efficacy": None}, "designs.only.bounds", "is required for a multi-arm multi-stage design"),
    ({"efficacy": None, "bounds": {"low": {"efficacy_z": [2, 2]}, "high": {"efficacy_z": [2, 2]}}}, "designs.only.bounds",
     "one bound at each look, for all tests"),
    ({"power": 0.9, "n": 120}, "designs.only.power", "moves nothing without futility"),
    ({"futility": "pocock", "power": 0.9}, "designs.only.futility", "is for one comparison; allowed: z"),
    ({"futility": {"z": [0]}, "futility_binding": True}, "designs.only.futility_binding", "futility does not bind"),
    (FISHER | {"efficacy": "pocock"}, "designs.only.efficacy", "critical values of its own"),
    (FISHER | {"combination": {"fisher": {"futility_p": 0.02}}}, "designs.only.combination.fisher.futility_p",
     "not above the level"),
    ({"combination": {"fisher": {"futility_p": 1.2}}, "efficacy": None}, "designs.only.combination.fisher.futility_p",
     "out of range"),
    ({"combination": "stouffer"}, "designs.only.combination", "the combination 'stouffer' is unknown"),
    ({"selection": "the_best"}, "designs.only.selection", "select_best"),
    ({"selection": "drop_the_losers"}, "designs.only.selection", "drop_the_losers needs keep"),
    ({"selection": {"drop_the_losers": {"keep": [1, 2]}}}, "designs.only.selection.drop_the_losers", "rises from 1 to 2"),
    ({"selection": {"drop_the_losers": {"keep": 2}}}, "designs.only.selection.drop_the_losers.keep", "drops none"),
    ({"looks": [{"when": {"readouts": 100}}]}, "designs.only.selection", "one look, the last"),
    ({"intersection_test": "hochberg"}, "designs.only.intersection_test", "hochberg"),
    ({"policies": {"stopping": {"drop_arms": {"keep": 1}}}}, "designs.only.policies.stopping", "beside the selection"),
    ({"policies": {"randomisation": "rosenberger"}}, "designs.only.policies.randomisation", "within a stage"),
    ({"n": 70}, "designs.only.looks[0].when.readouts", "25 in each of 3 arms exceed the 70 patients"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "path", "words"), REFUSED, ids=lambda part: part if isinstance(part, str) else ""
)
def test_what_is_refused_is_refused_with_a_sentence(changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        scenario_from(asked(**changes))
    assert any(p.path.startswith(path) and words in p.message for p in refusal.value.problems), [
        str(p) for p in refusal.value.problems
    ]


def test_more_than_eight_arms_are_refused() -> None:
    tree = asked()
    arms = [f"a{k}" for k in range(9)]
    tree["arms"] = ["control", *arms]
    tree["endpoints"] = {"score": tree["endpoints"]["score"] | {"effect": dict.fromkeys(arms, 0)}}
    tree["hypotheses"] = {arm: tree["hypotheses"]["low"] | {"arms": [arm, "control"]} for arm in arms}
    tree["designs"]["only"] |= {"tests": levels(*arms), "n": 500}
    with pytest.raises(ScenarioError, match="at most 8 can be tested closed"):
        scenario_from(tree)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        FISHER,
        {"efficacy": None, "bounds": {"efficacy_z": [2.5, 2.0], "futility_z": [0.0, None]}},
        {
            "selection": {"drop_the_losers": {"keep": 1}},
            "intersection_test": "simes",
            "information": [0.3, 1],
        },
    ],
)
def test_a_resolved_scenario_is_read_again_as_the_same(changes: dict[str, Any]) -> None:
    scenario = scenario_from(asked(**changes))
    again = scenario_from(scenario.dump())
    assert again.digest() == scenario.digest()
    assert again.designs["only"].computed == scenario.designs["only"].computed


def plan_of(**changes: Any) -> tuple[Scenario, Any]:
    scenario = scenario_from(asked(**changes))
    return scenario, MultiArmMultiStage().closed_plan(scenario, "only")


def test_bounds_of_fishers_product_are_deviates_of_its_critical_values() -> None:
    _, closed = plan_of(**FISHER)
    assert norm.sf(closed.efficacy) == pytest.approx(fisher_design(0.025, 2, 0.5).critical, rel=1e-10)
    assert closed.products
    assert closed.futility_p == 0.5


def test_weights_are_those_of_the_information_stated_or_else_of_the_looks() -> None:
    assert plan_of()[1].weights == pytest.approx(np.sqrt([0.5, 0.5]))
    assert plan_of(information=[0.3, 1])[1].weights == pytest.approx(np.sqrt([0.3, 0.7]))


def test_one_look_is_dunnetts_test() -> None:
    """Dunnett 1955, table 1a: for two arms and many patients 2.21 one-sided at 0.025; the closed test is its step-down."""
    changes = {"looks": [{"when": {"readouts": {"count": 50, "open_arms": "each"}}}], "selection": None, "efficacy": None,
               "bounds": {"efficacy_z": [float(norm.isf(0.025))]}}  # fmt: skip
    tree = asked(**changes)
    for name in ("low", "high"):
        tree["hypotheses"][name]["analysis"] = {"z_test": {"sd": 1}}
    plan = build_plan(scenario_from(tree), "only", "effect", 1)
    found = conduct(start_engine(plan, "fast").start(np.arange(4000)))
    own = found.effect / found.se
    larger, smaller = own.max(axis=1), own.min(axis=1)
    first = larger >= 2.2121
    assert (found.rejected.any(axis=1) == first).mean() > 0.9995
    assert (found.rejected.all(axis=1) == (first & (smaller >= norm.isf(0.025)))).mean() > 0.9995


def test_allocation_goes_on_among_the_kept_arm_and_control_alone() -> None:
    plan = build_plan(scenario_from(asked()), "only", "effect", 1)
    found = conduct(start_engine(plan, "fast").start(np.arange(500)))
    on = found.ends.look == 1
    assert 0.5 < on.mean() <= 1.0
    by_arm = found.ends.arm_enrolled[on]
    assert (by_arm[:, 0] == 50).all()
    assert (np.sort(by_arm[:, 1:], axis=1) == [25, 50]).all()
    best = found.looks[0].effect.argmax(axis=1)
    assert (by_arm[np.arange(len(by_arm)), 1 + best[on]] == 50).all()


def test_what_is_worked_out_is_said_once_for_all_arms() -> None:
    (size, bounds) = computed_sentences(scenario_from(asked(**FISHER)))
    assert size == "only: 150 patients, looks at 25 readouts in each open arm, 50 readouts in each open arm"
    assert bounds.startswith("only, every arm: information 0.5000, 1.0000; efficacy z ")
    assert bounds.endswith("stages by fisher, arms by dunnett, closed; selection select_best")


def test_the_familywise_error_is_claimed_of_the_family() -> None:
    """Where all arms are null; the level of each test is the family's."""
    tree = asked()
    tree["truths"] = {"nothing": {"endpoints.score.effect.*": 0}, "one": {}}
    ran = simulate(scenario_from(tree), replicates=2000, seed=3)
    claims = error_claims(ran.characteristics, alpha_targets(scenario_from(tree).dump()))
    (family,) = [claim for claim in claims if claim.hypothesis == FAMILY]
    assert (family.truth, family.target, family.n_claims) == ("nothing", 0.025, 4)
    (row,) = [r for r in ran.characteristics.select("reject_any") if r.truth == "nothing"]
    assert family.value == row.value
    assert family.sentence.startswith("Familywise error in “only” under “nothing”: ")


@pytest.mark.parametrize("allocation", ["alternating", "simple"])
@pytest.mark.parametrize("changes", [{}, FISHER | {"intersection_test": "simes"}])
def test_neither_chunks_nor_the_engine_change_a_number(allocation: str, changes: dict[str, Any]) -> None:
    plan = build_plan(scenario_from(asked(allocation=allocation, **changes)), "only", "effect", 5)
    whole = columns_of(conduct(start_engine(plan, "fast").start(np.arange(12))))
    for engine, size in (("fast", 5), ("reference", 1)):
        parts = [
            columns_of(conduct(start_engine(plan, engine).start(np.arange(12)[first : first + size])))
            for first in range(0, 12, size)
        ]
        for table, columns in joined(parts).items():
            for name, values in columns.items():
                same = np.array_equal(values, whole[table][name], equal_nan=values.dtype.kind == "f")
                assert same, (engine, table, name)
