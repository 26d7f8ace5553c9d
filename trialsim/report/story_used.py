"""Whom a test takes at a look, where its strategy for intercurrent events makes that others than those who are known."""

from __future__ import annotations

from trialsim.contracts import Status
from trialsim.engines.strategies import COMPOSITE, PRINCIPAL_STRATUM, TREATMENT_POLICY
from trialsim.report.story_replay import Look, Replay
from trialsim.report.story_words import count, counted_as


def from_whom(replay: Replay, look: Look, place: int) -> str:
    """Return how many patients and events a test takes, in parentheses.

    Nothing where a strategy that leaves nobody out takes all that are known.

    Parameters
    ----------
    replay, look
        The replicate and its look.
    place
        Number of the test.
    """
    test = replay.plan.tests[place]
    taken = look.used[place] if look.used else None
    if taken is None or test.treatment == test.control:
        return ""
    law = replay.plan.world.outcomes[test.endpoint]
    known = int(replay.known(test.endpoint, look.cut)[[test.treatment, test.control]].sum())
    survival = law.kind == "survival"
    used = sum(each.event for each in taken) if survival else len(taken)
    told = "" if test.strategy == TREATMENT_POLICY else f" by the {test.strategy.replace('_', ' ')} strategy"
    if test.strategy in (TREATMENT_POLICY, PRINCIPAL_STRATUM):
        if used == known:
            return ""
    elif test.strategy == COMPOSITE:
        put = sum(each.by_strategy for each in taken)
        told += f", {put:,} of them for discontinuation{_or_death(replay)}"
    if survival:
        events = f"{count(used, 'event')} in {count(len(taken), 'patient')}"
        return f" (from {events}{told}, {known:,} of {law.name} being known)"
    return f" (from {count(used, 'patient')}{told}, {counted_as(replay, test.endpoint, known)} being known)"


def counted_already(replay: Replay) -> str:
    """Return how many of those still waited for at the deciding cut tests count all the same, as failures or events."""
    if not replay.stop_look:
        return ""
    look = next(each for each in replay.looks if each.number == replay.stop_look)
    word = "events" if replay.plan.world.outcomes[replay.plan.primary].kind == "survival" else "failures"
    parts = []
    for place, test in enumerate(replay.plan.tests):
        taken = look.used[place] if look.used else None
        analysed = look.status[place] != Status.NOT_ANALYSED and not replay.decided_before(look, place)
        if (
            taken is None
            or not analysed
            or test.endpoint != replay.plan.primary
            or test.strategy != COMPOSITE
        ):
            continue
        already = sum(each.awaited and each.by_strategy for each in taken)
        if already:
            parts.append(f"{already:,} of them {test.name} has counted as {word} by its composite strategy")
    return "".join(f"; {part}" for part in parts)


def _or_death(replay: Replay) -> str:
    """Return the other intercurrent event that counts, where patients die in the world of the trial."""
    life = replay.plan.world.life
    return " or death" if life is not None and life.numbers.survival.terminal >= 0 else ""
