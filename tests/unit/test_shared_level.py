"""Fixed designs whose tests share one level: rejections against statsmodels and by hand, both engines, and refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from trialsim.conformance import twin_difference
from trialsim.engines.plan import build_plan
from trialsim.errors import ScenarioError
from trialsim.oc.in_memory import collect
from trialsim.oc.run_folder import alpha_targets
from trialsim.scenario.load import scenario_from

TESTS = ("low", "high", "late")
GRAPH = {
    "weights": {"low": 0.6, "high": 0.4},
    "transitions": {"low": {"high": 1}, "high": {"late": 0.7, "low": 0.3}},
}
TREE: dict[str, Any] = {
    "name": "shared",
    "arms": ["control", "low", "high"],
    "accrual": {"evenly_spaced": {"over": "100 days"}},
    "endpoints": {
        "pain": {"kind": "continuous", "readout": "3 days", "mean": 0, "sd": 1, "effect": {"low": 0.3, "high": 0.4}},
        "walk": {
            "kind": "binary", "readout": "9 days", "rate": 0.4, "effect": {"low": 0.4, "high": 0.6},
            "effect_measure": "rate",
        },
    },
    "hypotheses": {
        "low": {"endpoint": "pain", "arms": ["low", "control"], "analysis": "t_test", "direction": "higher"},
        "high": {"endpoint": "pain", "arms": ["high", "control"], "analysis": "t_test", "direction": "higher"},
        "late": {"endpoint": "walk", "arms": ["high", "control"], "analysis": "score_test", "direction": "higher"},
    },
    "truths": {
        "effect": {},
        "none": {
            "endpoints.pain.effect.low": 0, "endpoints.pain.effect.high": 0, "endpoints.walk.effect.high": 0.4,
        },
    },
    "designs": {
        "shared": {
            "kind": "fixed",
            "n": 180,
            "allocation": {"permuted_blocks": {"size": 6}},
            "looks": [{"when": {"calendar": "150 days"}}],
            "tests": {name: {"alpha": 0.025} for name in TESTS},
            "multiplicity": "holm",
        }
    },
}  # fmt: skip


def tree(multiplicity: Any, **changes: Any) -> dict[str, Any]:
    found = copy.deepcopy(TREE)
    found["designs"]["shared"] |= {"multiplicity": multiplicity} | changes
    return found


def p_and_rejections(multiplicity: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return one-sided p values and what was rejected, ``[replicate, test]``."""
    records = collect(scenario_from(tree(multiplicity)), ["shared"], ["effect"], 400, 7)
    looks = records.looks.to_pandas().pivot_table("z", "replicate", "hypothesis", observed=True)[list(TESTS)]
    trials = records.trials.to_pandas().sort_values("replicate")
    rejected = np.stack([trials[f"reject_look:{name}"].to_numpy() > 0 for name in TESTS], axis=1)
    return norm.sf(looks.to_numpy()), rejected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("procedure", "method"),
    [("bonferroni", "bonferroni"), ("holm", "holm"), ("hochberg", "simes-hochberg"), ("hommel", "hommel")],
)
def test_rejections_are_those_of_statsmodels(procedure: str, method: str) -> None:
    p, rejected = p_and_rejections(procedure)
    theirs = np.stack([multipletests(row, 0.025, method)[0] for row in p])
    assert (rejected == theirs).all()
    assert 0.2 < rejected.mean() < 0.8


def test_a_fixed_sequence_goes_on_while_it_rejects() -> None:
    p, rejected = p_and_rejections("fixed_sequence")
    assert (rejected == (np.cumsum(p > 0.025, axis=1) == 0)).all()


def test_a_graph_passes_shares_on_by_hand() -> None:
    """Retest with the shares as they stand until nothing more is rejected (Bretz et al. 2009, algorithm 1)."""
    p, rejected = p_and_rejections({"graph": GRAPH})
    for row, found in zip(p, rejected, strict=True):
        low, high, late = row
        # What is left of the level once some are rejected. `high` passes 0.7 to `late` and 0.3 to `low`; without `low` all
        # of it goes to `late`, which passes nothing on.
        weights = {
            (): (0.6, 0.4, 0.0),
            (0,): (0.0, 1.0, 0.0),
            (1,): (0.72, 0.0, 0.28),
            (0, 1): (0.0, 0.0, 1.0),
        }
        gone: tuple[int, ...] = ()
        while True:
            share = weights.get(gone, (0.72, 0.0, 0.0) if gone == (1, 2) else (0.0, 0.0, 0.0))
            more = [
                j for j, value in enumerate((low, high, late)) if j not in gone and value <= 0.025 * share[j]
            ]
            if not more:
                break
            gone = tuple(sorted((*gone, more[0])))
        assert tuple(np.flatnonzero(found)) == gone


@pytest.mark.parametrize("multiplicity", ["hommel", {"graph": GRAPH}])
def test_the_engines_agree(multiplicity: Any) -> None:
    plan = build_plan(scenario_from(tree(multiplicity)), "shared", "effect", 5)
    found = twin_difference(plan, [*range(6), 2**40])
    assert found is None, str(found)


def test_the_familywise_error_holds_and_has_the_level_for_its_target() -> None:
    scenario = scenario_from(tree("hochberg"))
    assert ("shared", "at least one hypothesis") in alpha_targets(scenario.dump())
    replicates = 4000
    trials = collect(scenario, ["shared"], ["none"], replicates, 11).trials.to_pandas()
    any_rejected = np.any([trials[f"reject_look:{name}"].to_numpy() > 0 for name in TESTS], axis=0)
    assert any_rejected.mean() <= 0.025 + 5 * np.sqrt(0.025 * 0.975 / replicates)
    assert any_rejected.mean() >= 0.025 / 2


@pytest.mark.parametrize(
    ("multiplicity", "changes", "sentence"),
    [
        ("holms", {}, "Did you mean 'holm'?"),
        ("graph", {}, "multiplicity: graph needs weights: write graph: {weights: ...}"),
        ("holm", {"tests": {"low": {"alpha": 0.025}}}, "is for several tests"),
        ("holm", {"tests": {"low": {"alpha": 0.02}, "high": {"alpha": 0.01}}}, "they share one, which holds familywise"),
        ("holm", {"kind": "group_sequential", "efficacy": "pocock"}, "belongs to kind: fixed, not group_sequential"),
        ({"graph": {"weights": {"low": 0.8, "high": 0.4, "late": 0}}}, {}, "they add up to 1.2; at most 1"),
        ({"graph": {"weights": {"low": 0.5, "high": 0.5}}}, {}, "nothing is ever passed to late"),
        ({"graph": {"weights": {"law": 1}}}, {}, "Did you mean 'low'?"),
        (
            {"graph": {"weights": {"low": 1}, "transitions": {"low": {"low": 1}}}},
            {},
            "no test passes its share to itself",
        ),
    ],
)  # fmt: skip
def test_what_shares_no_level_is_refused(multiplicity: Any, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree(multiplicity, **changes))
    assert sentence in str(refused.value)
