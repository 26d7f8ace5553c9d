"""Which trials are for what: replicates have numbers, and what one use has seen no other meets.

A number, with the seed, is all that a trial is drawn from. Whoever chooses on some trials and judges on the same finds
what was chosen better than it is.
"""

from __future__ import annotations

from typing import Final

from trialsim.errors import UsageError

EVALUATION: Final = range(0, 1_000_000_000)
"""Of ``trialsim run``, ``sweep`` and all that reports on designs."""

TRAINING: Final = range(1 << 40, (1 << 40) + (1 << 28))
"""What learned policies are trained on; a simulated log is split by site into training, selection and test."""

TUNING: Final = range((1 << 40) + (1 << 28), (1 << 40) + (1 << 29))
"""Where benchmarks select the numbers of traditional rules."""

POOL: Final = range((1 << 40) + (1 << 29), (1 << 40) + (1 << 30))
"""Whose candidates say who is eligible, where a choice of sites is trained."""

AREAS: Final = range((1 << 40) + (1 << 30), (1 << 40) + (1 << 31))
"""Whose candidates say how well rankings tell who would be randomised; no such trial is run."""

CERTIFICATION: Final = range(1 << 41, 1 << 42)
"""Of ``trialsim certify``."""

CALIBRATION: Final = range(1 << 42, 1 << 43)
"""Of ``trialsim calibrate``: search, calibration and the threshold's own certification, one after the other."""


def require_within(numbers: range, first: int, trials: int, what: str) -> None:
    """Refuse trials that would reach beyond the numbers that are theirs.

    Raises
    ------
    UsageError
        With how many there are.
    """
    if first < numbers.start or first + trials > numbers.stop:
        raise UsageError(
            f"{what}: {trials:,} trials from {first:,} reach beyond {numbers.stop - 1:,}, and others begin there; "
            "ask for fewer"
        )
