"""Scores as whole numbers, draws at candidates' addresses, and rankings named inside others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim import registry
from trialsim.contracts import CandidateView, Floats, Ints, Memory, RecruitmentPolicy
from trialsim.draws import Purpose, uniforms_at

STEPS = 2.0**20
LARGEST = 2**42
"""Scores are multiples of 1 / STEPS, and at most LARGEST of them in size."""


def on_grid(values: Floats) -> Ints:
    """Return values as whole numbers of steps, so that no last bit decides; those that are not known come last.

    Parameters
    ----------
    values
        Scores, NaN where there is none, ``[candidate]``.
    """
    low = float(-LARGEST)
    steps = np.clip(np.rint(np.asarray(values, dtype=np.float64) * STEPS), low + 1.0, -low)
    return np.asarray(np.where(np.isnan(steps), low, steps), dtype=np.int64)


def drawn(view: CandidateView, draw: int) -> Floats:
    """Return a uniform for each candidate, found at the candidate's own address, ``[candidate]``.

    Parameters
    ----------
    view
        The candidates.
    draw
        Which of a policy's draws.
    """
    out = np.empty(len(view.candidate))
    uniforms_at(view.seed, view.replicate, view.candidate, int(Purpose.SAMPLER), draw, out)
    return out


def policy_from(ranking: Mapping[str, Any]) -> RecruitmentPolicy:
    """Return the recruitment policy that another one names, ``{name: parameters}``."""
    ((name, parameters),) = ranking.items()
    policy: RecruitmentPolicy = registry.get("policies", f"recruitment.{name}")(**(parameters or {}))
    return policy


def reads_latent(policy: object) -> bool:
    """Return whether a policy declares that it reads what is hidden."""
    return bool(getattr(policy, "reads_latent", False))


def scores_of(policy: RecruitmentPolicy, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
    """Return the scores of a ranking inside another, and its memory; served as they come, by the time of contact."""
    return (on_grid(-view.contact_days), memory) if policy.as_they_come else policy.decide(view, memory)


def prepared(policy: RecruitmentPolicy, sample: CandidateView) -> RecruitmentPolicy:
    """Return a policy ready for use, given candidates whom no trial meets."""
    prepare = getattr(policy, "prepared", None)
    return policy if prepare is None else prepare(sample)
