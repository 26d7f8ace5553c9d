"""What is told of a look of a Bayesian design: probabilities, errors, thresholds, and what control borrows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from trialsim.analyses.bayesian.array_cut import cut_of
from trialsim.analyses.bayesian.robust_mixtures import RobustBetaBinomial, RobustNormal
from trialsim.report.story import Story, explain
from trialsim.report.story_borrowing import borrowing_sentence
from trialsim.scenario.load import load_scenario

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"


def told(path: str, design: str, truth: str) -> Story:
    return explain(load_scenario(SCENARIOS / path), design, truth, 1)


def test_what_control_borrows_is_told_at_each_look() -> None:
    story = told("robust_borrowing/robust_borrowing.yaml", "borrow_robust", "rate_50")
    sentences = [each for each in story.sentences if each.startswith("Of robust, control's prior: ")]
    assert len(sentences) == len(story.replay.looks) == 3
    for look, sentence in zip(story.replay.looks, sentences, strict=True):
        read = [
            course.readouts[0][1]
            for course in story.replay.courses
            if course.arm == 0 and 0 in course.readouts and course.readouts[0][0] <= look.cut
        ]
        n, wins = len(read), int(sum(read))
        # Earlier controls: 30 of 100 responded after a flat prior, half believed.
        informative, vague = stats.betabinom(n, 31, 71), stats.betabinom(n, 1, 1)
        weight = informative.pmf(wins) / (informative.pmf(wins) + vague.pmf(wins))
        assert f"has weight {weight:.3f} (0.500 before the trial)" in sentence
        each = informative.pmf(np.arange(n + 1))
        tail = each[each <= each[wins] * (1 + 1e-9)].sum()
        shown = "below 0.001" if tail < 0.0005 else f"{tail:.3f}"
        assert f"have probability {shown}; the prior was worth 33.5 patients and " in sentence
    assert "below the threshold 0.98" in " ".join(story.sentences)


def test_a_mean_is_judged_by_what_was_expected_of_it() -> None:
    rng = np.random.default_rng(3)
    value = rng.normal(1.2, 2.0, 60)
    options = {"sd": 2.0, "control_mean": 0.0, "control_sd": 0.4, "vague_mean": 0.0, "vague_sd": 5.0}
    found = RobustNormal().borrowing(cut_of(np.arange(60) % 2, value), options)
    mean = value[::2].mean()
    laws = [stats.norm(0, np.hypot(sd, 2 / np.sqrt(30))) for sd in (0.4, 5.0)]
    each = np.array([0.8, 0.2]) * [law.pdf(mean) for law in laws]
    assert found.before == pytest.approx(0.8)
    assert found.after == pytest.approx(each[0] / each.sum())
    assert found.tail == pytest.approx(2 * laws[0].sf(abs(mean)))
    # Where earlier trials are believed whole, they are worth as many patients as their precision says.
    sure = RobustNormal().borrowing(cut_of(np.arange(60) % 2, value), options | {"robust_weight": 1e-9})
    assert sure.worth_before == pytest.approx((2.0 / 0.4) ** 2, rel=1e-4)
    assert sure.worth_after == pytest.approx((2.0 / 0.4) ** 2, rel=1e-3)
    nobody = RobustNormal().borrowing(cut_of([1, 1], [0.0, 1.0]), options)
    assert (nobody.after, nobody.tail) == (pytest.approx(0.8), 1.0)


def test_what_a_prior_with_a_shape_below_1_is_worth_is_said_not_to_be_defined() -> None:
    options = {"control_a": 12, "control_b": 30, "vague_a": 0.5, "vague_b": 0.5}
    treated = np.arange(40) % 2
    for good, ending in (
        (np.zeros(40), "; what the prior is worth is not defined, a shape of it being below 1."),
        (treated == 0, "; what the prior is worth is not defined, a shape of it being below 1."),
        (
            np.arange(40) < 12,
            "; what the prior was worth is not defined, a shape of it being below 1; it is now worth ",
        ),
    ):
        found = RobustBetaBinomial().borrowing(cut_of(treated, good.astype(float)), options)
        assert ending in borrowing_sentence("gain", found)
        assert "nan" not in borrowing_sentence("gain", found)


@pytest.mark.slow
def test_each_model_tells_its_own_error() -> None:
    story = told("basket_borrowing/basket_borrowing.yaml", "exchangeable", "one_active")
    found = next(each for each in story.sentences if each.startswith("At look 1: "))
    assert "(error below 2e-05)" in found
    assert all("error below 2e-05" in each for each in story.sentences if each.startswith("Rule "))
