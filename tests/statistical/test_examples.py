"""The examples that answer a question print what is stored beside them, and what theory says."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from math import comb
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.out"))


def test_each_question_has_an_example() -> None:
    assert {path.stem for path in EXAMPLES} == {
        "recruitment", "sites", "randomisation", "stopping", "drift", "selection_bias",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("output", EXAMPLES, ids=lambda path: path.stem)
def test_the_output_beside_an_example_is_what_it_prints(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(output.with_suffix(".py"))])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(output.with_suffix(".py")), run_name="__main__")
    assert printed.getvalue() == output.read_text(encoding="utf-8")


def _right_with_a_coin(n: int, probability: float) -> float:
    """Return the expected share of right guesses under Efron's coin, by the chain of its imbalance."""
    at = {0: 1.0}
    right = 0.0
    for _ in range(n):
        after: dict[int, float] = {}
        for imbalance, mass in at.items():
            right += mass * (0.5 if imbalance == 0 else probability)
            up = 0.5 if imbalance == 0 else probability if imbalance < 0 else 1.0 - probability
            for step, chance in ((1, up), (-1, 1.0 - up)):
                after[imbalance + step] = after.get(imbalance + step, 0.0) + mass * chance
        at = after
    return right / n


@pytest.mark.slow
def test_a_recruiter_who_guesses_is_right_as_often_as_blackwell_and_hodges_say() -> None:
    """Blackwell and Hodges (Ann Math Stat 28, 1957): blocks of 2m have m + 4**m / (2 * C(2m, m)) - 1/2 right guesses."""
    example = runpy.run_path(str(EXAMPLES[0].with_name("selection_bias.py")))
    arms = example["allocations"](100)

    def block(size: int) -> float:
        m = size // 2
        return (m + 4**m / (2 * comb(size, m)) - 0.5) / size

    expected = {
        "alternating": 0.75, "blocks_of_2": block(2), "blocks_of_4": block(4), "blocks_of_10": block(10),
        "biased_coin": _right_with_a_coin(example["N"], 0.6667), "simple": 0.5,
    }  # fmt: skip
    for design, share in expected.items():
        right, error, type_one, _ = example["figures"](arms[design])
        assert abs(right - share) <= 5 * error + 1e-12, design
        assert (type_one > 0.15) == (design not in ("simple", "biased_coin", "blocks_of_10")), design
    # Without a right guess too many the test keeps its level; with alternation a shift of 0.25 falls on 49 of 50 pairs.
    bias = 0.25 * 50 / 50
    z = bias / np.sqrt(2 / 50) - 1.959963984540054
    assert example["figures"](arms["blocks_of_2"])[2] == pytest.approx(_normal(z), abs=1e-9)


def _normal(z: float) -> float:
    from statistics import NormalDist

    return NormalDist().cdf(z)
