"""Delays have the distribution that is written, lie on the grid and grow with their uniform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from trialsim.operations.delays import delay_law, drawn_delay
from trialsim.scenario.delays import Delay
from trialsim.timegrid import TICKS_PER_DAY

FORMS: list[tuple[Any, Any]] = [
    ({"uniform": {"from": "2 days", "to": "9 days"}}, stats.uniform(2, 7)),
    ({"exponential": {"mean": "12 days"}}, stats.expon(scale=12)),
    ({"log_normal": {"median": "10 days", "sd_log": 0.5}}, stats.lognorm(0.5, scale=10)),
    ({"weibull": {"shape": 1.7, "scale": "20 days"}}, stats.weibull_min(1.7, scale=20)),
]


@pytest.mark.parametrize(("written", "law"), FORMS)
def test_a_delay_is_the_quantile_of_its_uniform(written: Any, law: Any) -> None:
    stated = delay_law(Delay.model_validate(written), 1)
    u = np.append(np.linspace(0.001, 0.999, 997), [1e-9, 1 - 1e-9])
    found = np.array([drawn_delay(one, *stated.parameters, 1) for one in u]) / TICKS_PER_DAY
    np.testing.assert_allclose(found, law.ppf(u), rtol=1e-9, atol=2.0 / TICKS_PER_DAY)
    assert (np.diff(found[:997]) >= 0).all()


def test_a_duration_alone_is_fixed_and_lasts_at_least_one_step() -> None:
    week = 7 * TICKS_PER_DAY
    assert (
        drawn_delay(0.3, *delay_law(Delay.model_validate("10 days"), 1).parameters, 1) == 10 * TICKS_PER_DAY
    )
    assert drawn_delay(0.3, *delay_law(Delay.model_validate("10 days"), week).parameters, week) == week
    assert drawn_delay(0.3, *delay_law(Delay.model_validate("0 days"), 1).parameters, 1) == 1


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (14, "a duration such as 14 days"),
        ({}, "none is given"),
        ({"uniform": {"from": "9 days", "to": "2 days"}}, "must be shorter"),
        ({"exponential": {"mean": "1 day"}, "fixed": "1 day"}, "given together"),
        ("14", "a duration is expected"),
    ],
)
def test_what_is_no_delay_is_refused_with_a_sentence(written: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Delay.model_validate(written)
