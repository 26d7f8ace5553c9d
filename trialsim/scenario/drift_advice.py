"""Allocation that follows outcomes, where patients or outcomes change as enrolment goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.inner_policies import written_policy

KNOW_OF_TIME = ("cmh_by_period", "rerandomised_")
"""Analyses, or how they begin, that compare patients of the same time, or allocations that were as likely."""

RANK_NOBODY = ("first_come_first_served", "random")
"""Orders in which candidates are called that have nothing to do with what they are like."""


def drifting_allocations(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each test that takes patients of all times alike where allocation and patients both change.

    Response-adaptive allocation gives the arm that does well more of the patients who come late. Whoever comes late differs
    where candidates are ranked or outcomes drift, and the plain test takes that for an effect (Villar, Bowden and Wason,
    Stat. Methods Med. Res. 27, 2018).

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    hypotheses = _mapping(scenario.get("hypotheses"))
    drift_in_truths = any(
        ".drift." in path and value
        for overlay in _mapping(scenario.get("truths")).values()
        for path, value in _mapping(overlay).items()
    )
    for name, written in _mapping(scenario.get("designs")).items():
        design = _mapping(written)
        policies = _mapping(design.get("policies"))
        rule = written_policy(policies.get("randomisation"))[0] or "by_design"
        ranking = next(iter(_mapping(policies.get("recruitment"))), "first_come_first_served")
        if rule == "by_design":
            continue
        plain = []
        drifting = drift_in_truths
        for test in _mapping(design.get("tests")):
            hypothesis = _mapping(hypotheses.get(test))
            analysis = hypothesis.get("analysis")
            kind = analysis if isinstance(analysis, str) else next(iter(_mapping(analysis)), "")
            if not str(kind).startswith(KNOW_OF_TIME):
                plain.append(test)
            endpoint = _mapping(scenario.get("endpoints")).get(str(hypothesis.get("endpoint")))
            drift = _mapping(_mapping(endpoint).get("drift"))
            drifting = drifting or bool(drift.get("per_year")) or bool(drift.get("steps"))
        ranked = ranking not in RANK_NOBODY
        if plain and (ranked or drifting):
            why = f"candidates are ranked by {ranking}" if ranked else "outcomes drift"
            quoted = ", ".join(f"“{test}”" for test in plain)
            yield (
                f"“{name}” allocates by {rule} while {why}: those who come late differ from those who came early and are "
                f"shared otherwise, which {quoted} takes for an effect. Analyse by period (cmh_by_period), or by a "
                "re-randomisation test."
            )


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}
