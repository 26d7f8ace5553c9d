"""What is wrong with a patient's life is said in sentences, at its place in the file."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from trialsim.errors import ScenarioError
from trialsim.scenario.load import scenario_from, scenario_from_text

RASH: dict[str, Any] = {"baseline": {"hazard": "0.4 per year"}, "severity": {"mild": 0.7, "severe": 0.3}}
GOOD: dict[str, Any] = {
    "name": "good",
    "accrual": {"uniform": {"over": "12 months"}},
    "arms": ["control", "treatment"],
    "endpoints": {
        "death": {
            "kind": "survival",
            "baseline": {"median": "2 years"},
            "effect": {"treatment": 0.8},
            "terminal": True,
        },
        "progression": {"kind": "survival", "baseline": {"median": "1 year"}, "effect": {"treatment": 0.8}},
        "cd4": {
            "kind": "continuous",
            "readout": "20 weeks",
            "mean": 0,
            "sd": 1,
            "effect": {"treatment": 0.1},
        },
    },
    "treatment": {"doses": [1, 0.5]},
    "discontinuation": {"physician": {"baseline": {"hazard": "0.1 per year"}}},
    "withdrawal": {"baseline": {"hazard": "0.1 per year"}},
    "dropout": {"baseline": {"hazard": "0.1 per year"}},
    "adverse_events": {"rash": RASH},
    "hypotheses": {
        "h": {
            "endpoint": "death",
            "arms": ["treatment", "control"],
            "analysis": "logrank",
            "direction": "lower",
        }
    },
    "truths": {"here": {}},
    "designs": {
        "d": {
            "kind": "fixed",
            "n": 40,
            "allocation": "simple",
            "looks": [{"when": {"calendar": "2 years"}}],
            "tests": {"h": {"alpha": 0.025}},
        }
    },
}


def problems(**changes: Any) -> list[str]:
    """Return the problems of the good scenario with parts laid over it, by dotted path."""
    tree = copy.deepcopy(GOOD)
    for path, value in changes.items():
        here = tree
        *lead, last = path.split("__")
        for key in lead:
            here = here.setdefault(key, {})
        here[last] = value
    with pytest.raises(ScenarioError) as refused:
        scenario_from(tree)
    return [str(problem) for problem in refused.value.problems]


def test_the_good_one_is_good() -> None:
    assert scenario_from(copy.deepcopy(GOOD)).adverse_events is not None


CROSSING = {"from": ["treatment"], "to": "treatment", "probability": 1, "on": "death", "delay": "1 week"}
CASES = [
    ({"endpoints__progression__terminal": True}, "endpoints.progression.terminal: a patient dies once"),
    ({"treatment__doses": [0.9, 0.5]}, "treatment: doses are relative to the first, which is 1; found 0.9"),
    ({"treatment__doses": [1, 0.5, 0.5]}, "treatment: doses must fall from level to level"),
    ({"treatment__doses": [1, 1.5]}, "treatment.doses[1]: 1.5 is out of range; it must be above 0 and at most 1"),
    (
        {"treatment": {"effect_stops": True, "waning": {"half_life": "1 week"}}},
        "treatment: either the effect stops with the last dose (effect_stops) or it fades (waning)",
    ),
    (
        {"adverse_events__rash__severity": {"mild": 0.5, "severe": 0.3}},
        "adverse_events.rash.severity: the shares must sum to 1; they sum to 0.8",
    ),
    (
        {"adverse_events__rash__severity": {"mild": 0.7, "sever": 0.3}},
        "adverse_events.rash.severity.sever: 'sever' is no severity; allowed: mild, moderate, severe, or a grade 1 to 5."
        " Did you mean 'severe'?",
    ),
    ({"adverse_events__rash__grades": {1: 1.0}}, "adverse_events.rash: how severe it is is expected as exactly one of"),
    ({"adverse_events__rash__serious": {"3": 0.5}}, "adverse_events.rash: serious: 3 is no level of severity"),
    (
        {"adverse_events__itch": {"baseline": {"hazard": "1 per year"}, "grades": {1: 1.0}}},
        "all adverse events are graded alike",
    ),
    (
        {"adverse_events__rash__actions": {"severe": {"reduce": 0.7, "interrupt": 0.4}}},
        "adverse_events.rash.actions.severe: the probabilities of the actions must sum to at most 1; they sum to 1.1",
    ),
    (
        {"adverse_events__rash__actions": {"severe": {"interrupt": 0.4}}},
        "adverse_events.rash: interruption is required where an action interrupts",
    ),
    (
        {"adverse_events__rash__actions": {"severe": {"reduce": 0.4}}, "treatment__doses": [1]},
        "adverse_events.rash.actions.severe.reduce: a dose can be reduced only where there are several",
    ),
    (
        {"adverse_events__rash__fatal": {"severe": 0.4}, "endpoints__death__terminal": False},
        "adverse_events.rash.fatal: a fatal adverse event needs an endpoint of death",
    ),
    ({"adverse_events__rash__baseline": {"hazard": "9 per day"}}, "adverse_events.rash.baseline: 9 a day is too often"),
    ({"adverse_events__rash__effect": {"treatmnt": 2}}, "adverse_events.rash.effect.treatmnt: the arm"),
    ({"adverse_events__rash__latent": {"toxicity": 1}}, "the latent trait 'toxicity' is not declared"),
    ({"discontinuation__physician__after": {"2": 1.5}}, "adverse events here have the severities mild, moderate, severe"),
    ({"discontinuation__physician__outcome": {"death": 0.1}}, "discontinuation.physician.outcome.death"),
    ({"withdrawal__outcome": {"cd5": 0.1}}, "Did you mean 'cd4'?"),
    ({"dropout__after": {"severe": 0}}, "dropout.after.severe: 0 is out of range"),
    (
        {"treatment__rescue": {"probability": 0.5, "delay": "1 week", "hazard_ratio": {"cd4": 0.5}}},
        "treatment.rescue.hazard_ratio.cd4: the survival endpoint",
    ),
    (
        {"treatment__crossover": CROSSING},
        "treatment.crossover.on: nobody crosses over after death, which ends everything",
    ),
    (
        {"treatment__crossover": CROSSING | {"to": "high"}},
        "treatment.crossover.to: the arm",
    ),
]  # fmt: skip


CASES += [
    (
        {"endpoints__progression__detected": "visits"},
        "endpoints.progression.detected: needs a schedule of visits",
    ),
    (
        {"endpoints__death__detected": "visits", "visits": {"every": "8 weeks", "until": "2 years"}},
        "endpoints.death.detected: death is known when it happens, not at a visit",
    ),
    (
        {"endpoints__cd4__detected": "visits", "visits": {"at": ["8 weeks", "19 weeks"]}},
        "endpoints.cd4.detected: no visit comes at or after the read-out at 140 days",
    ),
    (
        {"endpoints__progression__readout": "2 weeks", "endpoints__progression__report_delay": "1 week"},
        "endpoints.progression.report_delay: readout is a fixed delay of the report already",
    ),
    ({"visits": {"every": "8 weeks"}}, "visits: until is required with every"),
    (
        {"visits": {"every": "8 weeks", "until": "1 week"}},
        "visits: until (7 days) comes before the first visit (56 days)",
    ),
    ({"visits": {"every": "1 day", "until": "2 years"}}, "visits: these are more than 500 visits"),
    ({"visits": {"at": ["2 weeks", "1 week"]}}, "visits: the times of at must be in order"),
    ({"visits": {"at": ["2 weeks"], "until": "1 year"}}, "visits: until goes with every"),
    (
        {"visits": {"at": ["2 weeks"], "jitter": {}}},
        "visits.jitter: a jitter is expected as exactly one of sd",
    ),
    ({"visits": {"at": ["2 weeks"], "missed": 1.5}}, "visits.missed: 1.5 is out of range"),
]


@pytest.mark.parametrize(("changes", "sentence"), CASES, ids=lambda value: str(value)[:60])
def test_a_sentence_for_each(changes: dict[str, Any], sentence: str) -> None:
    found = problems(**changes)
    assert any(sentence in problem for problem in found), found


def test_rescue_needs_something_that_discontinues() -> None:
    tree = copy.deepcopy(GOOD)
    del tree["discontinuation"]
    tree["treatment"]["rescue"] = {"probability": 0.5, "delay": "1 week", "hazard_ratio": {"death": 0.5}}
    with pytest.raises(ScenarioError, match="rescue follows discontinuation, and nothing here discontinues"):
        scenario_from(tree)


def test_a_truth_reaches_into_a_life() -> None:
    tree = copy.deepcopy(GOOD)
    tree["truths"] = {"here": {}, "safe": {"adverse_events.rash.baseline.hazard": "0.1 per year"}}
    changed = scenario_from(tree).world("safe").adverse_events
    assert changed is not None
    assert changed["rash"].baseline.hazard == pytest.approx(0.1 / 365.25)
    tree["truths"]["wrong"] = {"adverse_events.rash.severity.mild": 0.8}
    with pytest.raises(
        ScenarioError, match=r"truths.wrong: adverse_events.rash.severity: the shares must sum to 1"
    ):
        scenario_from(tree)


def test_it_reads_back_from_its_canonical_form() -> None:
    import yaml

    scenario = scenario_from(copy.deepcopy(GOOD))
    assert scenario_from_text(yaml.safe_dump(scenario.dump())).digest() == scenario.digest()
