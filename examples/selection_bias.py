"""Why nobody who recruits may see how patients were allocated: what a recruiter does who guesses who is next.

In trialsim no recruitment policy sees allocations, so the recruiter stands outside: each trial is allocated as its design
says, the recruiter guesses the arm that is behind (Blackwell and Hodges 1957), and calls a better patient when treatment is
guessed, a worse one when control is. Treatment does nothing. The error of the test follows exactly from the guesses
(outcomes are normal with standard deviation 1; Proschan 1994).

Run from the root of the repository: ``python examples/selection_bias.py`` (its output: selection_bias.out)
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.special import ndtr, ndtri

from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.scenario.load import scenario_from_text

N, SHIFT, ALPHA = 100, 0.25, 0.025
DESIGNS = {
    "alternating": "alternating",
    "blocks_of_2": "{permuted_blocks: {size: 2}}",
    "blocks_of_4": "{permuted_blocks: {size: 4}}",
    "blocks_of_10": "{permuted_blocks: {size: 10}}",
    "biased_coin": "{biased_coin: {probability: 0.6667}}",
    "simple": "simple",
}
WORLD = """
name: selection_bias
accrual: {evenly_spaced: {rate: 10 per month}}
arms: [control, treatment]
endpoints:
  outcome: {kind: continuous, readout: 1 day, mean: 0, sd: 1, effect: {treatment: 0}}
hypotheses:
  primary: {endpoint: outcome, arms: [treatment, control], analysis: {z_test: {sd: 1}}, direction: higher}
truths: {no_effect: {}}
designs:
"""
DESIGN = """
  %s: {kind: fixed, n: %d, allocation: %s, looks: [{when: {readouts: %d}}], tests: {primary: {alpha: 0.025}}}
"""


def allocations(replicates: int) -> dict[str, np.ndarray]:
    """Return the arm of each patient in the order of entry, ``[replicate, patient]``, by design."""
    text = WORLD + "".join(DESIGN % (name, N, rule, N) for name, rule in DESIGNS.items())
    scenario = scenario_from_text(text)
    found = {}
    for design in DESIGNS:
        chunk = conduct(chunk_of(scenario, design, "no_effect", range(replicates), 1, "fast")).chunk
        logs = (chunk.log(row) for row in range(replicates))
        found[design] = np.array(
            [[int(entry.value) for entry in log if entry.kind == Kind.RANDOMISATION] for log in logs]
        )
    return found


def guesses(arms: np.ndarray) -> np.ndarray:
    """Return 1 where treatment is guessed, -1 where control is, 0 where neither is behind, ``[replicate, patient]``."""
    ahead = np.cumsum(2 * arms - 1, axis=1)
    before = np.concatenate([np.zeros((len(arms), 1)), ahead[:, :-1]], axis=1)
    return -np.sign(before)


def figures(arms: np.ndarray) -> tuple[float, float, float, float]:
    """Return the share of right guesses (a coin where neither is behind) and the type I error, with standard errors."""
    guessed = guesses(arms)
    right = np.where(guessed == 0, 0.5, guessed == 2 * arms - 1).mean(axis=1)
    treated, n_treated = arms == 1, arms.sum(axis=1)
    shift = SHIFT * guessed
    bias = (shift * treated).sum(axis=1) / n_treated - (shift * ~treated).sum(axis=1) / (N - n_treated)
    se = np.sqrt(1.0 / n_treated + 1.0 / (N - n_treated))
    error = ndtr(bias / se - ndtri(1.0 - ALPHA))
    root = np.sqrt(len(arms))
    return right.mean(), right.std(ddof=1) / root, error.mean(), error.std(ddof=1) / root


def main(replicates: int = 200) -> None:
    """Print how often the guess is right and what becomes of the type I error, by allocation."""
    print(
        f"{N} patients, no effect, guesses shift patients by {SHIFT} standard deviations; nominal error {ALPHA}"
    )
    for design, arms in allocations(replicates).items():
        right, right_error, error, error_error = figures(arms)
        print(
            f"  {design:13} guessed right {right:.3f} ({right_error:.3f}), type I error {error:.3f} ({error_error:.3f})"
        )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
