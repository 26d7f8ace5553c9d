"""Rules for designs whose trials analyse what arrives after a stop."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts
from trialsim.scenario.wording import listed

_CONDUCT = ("treatment", "discontinuation", "withdrawal", "adverse_events", "visits")


def overrun_findings(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield where nothing can arrive after a stop, or where no p value is known for what does."""
    if not design.overrunning:
        return
    where = (*at, "overrunning")
    if design.kind != "group_sequential":
        yield (
            where,
            "belongs to kind: group_sequential, whose trials may stop before their last look; leave it out",
        )
    if len(design.tests) > 1:
        yield where, f"data after a stop are analysed for one test, found {len(design.tests)}"
    has = [key for key in _CONDUCT if getattr(parts.world, key, None)]
    if has:
        yield where, f"data after a stop are not followed where patients have {listed(has)}; leave it out"
    if parts.world.accrual is not None and parts.world.accrual.sites is not None:
        yield where, "data after a stop are not followed in a world with sites; leave it out"
