"""Which of many alike cases every run takes; the others are run by `make test-exhaustive`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def every(step: int, cases: Sequence[Any]) -> list[Any]:
    """Return the cases, all but each ``step``-th marked as exhaustive."""
    return [
        pytest.param(case, marks=pytest.mark.exhaustive) if number % step else case
        for number, case in enumerate(cases)
    ]
