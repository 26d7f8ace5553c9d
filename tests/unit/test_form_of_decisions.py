"""Answers that no engine could take are told, whatever a policy decides on, and nothing falls over at them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from trialsim.conformance import check_policy, form
from trialsim.contracts import DECISION_POINTS, AllocationView, CandidateView, Decision, LookView, Stop


def answering(point: str, answer: Callable[[Any], Any], **attributes: Any) -> Any:
    """Return a policy that answers so, whatever it remembers."""
    needed = {
        "name": "mine",
        "reference": "",
        "decides_on": point,
        "as_they_come": False,
        "open_sites": 2,
        "adaptive": True,
    }
    return type("Mine", (), needed | attributes | {"decide": lambda self, view, memory: answer(view)})()


def at_look(view: LookView, **others: Any) -> tuple[Decision, dict[str, Any]]:
    """Return a decision to go on but for the last look, with something said otherwise."""
    none = np.zeros(view.z.shape, dtype=bool)
    reason = np.where(view.is_last, np.int8(Stop.FINAL), np.int8(Stop.CONTINUE))
    decided = {
        "stop": view.is_last,
        "reason": reason,
        "reject": none,
        "futile": none,
        "open_arms": view.open_arms,
    }
    return Decision(**decided | others), {}


def weights(view: AllocationView, value: float = 1.0) -> Decision:
    return Decision(weights=np.where(view.open_arms, value, 0.0))


@pytest.mark.parametrize("point", DECISION_POINTS)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda view: None, "decide must return a pair, the decision and the memory; it returns None"),
        (
            lambda view: (1, 2, 3),
            "decide must return a pair, the decision and the memory; it returns a tuple",
        ),
        (lambda view: (None, None), "the memory must be a mapping of arrays by name; it is None"),
        (lambda view: (None, {"last": [1, 2]}), "the memory must hold arrays; 'last' is a list"),
        (lambda view: len(view) and None, "decide fails on the view: TypeError"),
        (lambda view: view.outcomes, "decide fails on the view: AttributeError"),
    ],
)
def test_an_answer_of_no_form_is_told_and_nothing_falls_over(
    point: str, answer: Callable[[Any], Any], said: str
) -> None:
    (fault,) = check_policy(answering(point, answer))
    assert fault.startswith(said)


@pytest.mark.parametrize(
    ("point", "answer", "said"),
    [
        ("allocation", lambda v: (np.ones(v.open_arms.shape), {}), "must be a Decision; it is float64 of shape (40, 3)"),
        ("allocation", lambda v: (weights(v, 0.0), {}), "not all 0"),
        ("allocation", lambda v: (weights(v, np.inf), {}), "weights must be finite"),
        ("allocation", lambda v: (weights(v, -1.0), {}), "not negative"),
        ("allocation", lambda v: (Decision(weights=np.ones((40, 2))), {}), "weights must be an array of shape (40, 3)"),
        ("allocation", lambda v: (Decision(weights=[[1, 0, 0]] * 40), {}), "weights must be an array of shape (40, 3)"),
        (
            "allocation",
            lambda v: (replace(weights(v), stop=np.ones(40, dtype=bool)), {}),
            "gives weights alone; this one gives stop too",
        ),
        ("look", lambda v: at_look(v, stop=np.full(40, np.nan)), "stop must hold bool; it holds float64"),
        ("look", lambda v: at_look(v, reject=np.zeros((40, 7), dtype=bool)), "reject must be an array of shape (40, 2)"),
        ("look", lambda v: at_look(v, futile=None, open_arms=None), "it leaves out futile, open_arms"),
        ("look", lambda v: at_look(v, reason=np.zeros(40, dtype=np.int8)), "a trial that stops must have a reason"),
        ("look", lambda v: at_look(v, trace=np.zeros((40, 1))), "trace must be an array of shape (40, 0)"),
        ("site", lambda v: (v.promised, {}), "what is decided must be a SiteDecision; it is float64"),
    ],
)  # fmt: skip
def test_a_decision_that_no_engine_could_take_is_told(
    point: str, answer: Callable[[Any], Any], said: str
) -> None:
    assert any(said in fault for fault in check_policy(answering(point, answer)))


def test_every_part_of_a_decision_has_a_form() -> None:
    own = {field.name for field in fields(Decision)} - {"recommended"}  # a decision in its turn
    assert set(form._KINDS) == own
    further = answering(
        "look", lambda view: at_look(view, further_counts=np.zeros(len(view.z), dtype=np.int64))
    )
    assert check_policy(further) == []


def test_a_decision_of_the_right_form_breaks_no_rule() -> None:
    assert check_policy(answering("look", at_look)) == []
    assert check_policy(answering("allocation", lambda view: (weights(view), {}))) == []


@pytest.mark.parametrize(
    ("point", "needed"), [("candidate", "as_they_come"), ("site", "open_sites"), ("allocation", "adaptive")]
)
def test_what_the_engine_asks_of_a_policy_beside_its_method_is_told(point: str, needed: str) -> None:
    class Bare:
        decides_on = point

        def decide(self, view: Any, memory: Any) -> Any:
            return None, memory

    found = check_policy(Bare())
    for name in ("name", "reference", needed):
        assert f"a policy that decides on {point} needs the attribute {name!r}" in found


def test_who_answers_by_chance_is_not_said_to_peek() -> None:
    class ByChance:
        name, reference, decides_on, as_they_come = "mine", "", "candidate", False

        def decide(self, view: CandidateView, memory: Any) -> Any:
            return np.random.default_rng().integers(0, 1000, len(view.candidate)), memory

    found = check_policy(ByChance())
    assert any(fault.startswith("not deterministic") for fault in found)
    assert not any("peeking" in fault for fault in found)
