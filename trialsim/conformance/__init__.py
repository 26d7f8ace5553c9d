"""Proofs that parts keep the rules: the two engines agree event by event, and policies decide as they must."""

from __future__ import annotations

from trialsim.conformance.policies import check_policy
from trialsim.conformance.twins import Difference, check_twins, first_difference, twin_difference

__all__ = ["Difference", "check_policy", "check_twins", "first_difference", "twin_difference"]
