"""Hypotheses whose arms stand the wrong way round, or that look for more events where longer survival may be meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def swapped_arms(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each hypothesis that tests whether control is better than a treatment.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    arms, hypotheses = scenario.get("arms"), scenario.get("hypotheses")
    if not isinstance(arms, (list, tuple)) or not isinstance(hypotheses, Mapping) or len(arms) < 2:
        return
    for name, hypothesis in hypotheses.items():
        compared = hypothesis.get("arms") if isinstance(hypothesis, Mapping) else None
        if isinstance(compared, (list, tuple)) and len(compared) == 2 and compared[0] == arms[0]:
            yield (
                f"“{name}” tests whether {compared[0]}, the first arm, is better than {compared[1]}: the first of a "
                f"hypothesis' arms is the one under test. For a claim about {compared[1]} write arms: "
                f"[{compared[1]}, {compared[0]}]."
            )


def longer_is_lower(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each test of milestones or restricted means that looks for more events.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    hypotheses = scenario.get("hypotheses")
    for name, hypothesis in hypotheses.items() if isinstance(hypotheses, Mapping) else ():
        if not isinstance(hypothesis, Mapping) or hypothesis.get("direction") != "higher":
            continue
        analysis = hypothesis.get("analysis")
        kind = next(iter(analysis), "") if isinstance(analysis, Mapping) else analysis
        if kind in ("milestone", "restricted_mean"):
            yield (
                f"“{name}” has direction: higher, which for {kind}, as for hazards, means that more events are better. "
                "For a claim of longer survival write direction: lower."
            )
