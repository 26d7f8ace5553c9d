"""What became of a trial's patients together, in sentences: adverse events, treatment that ended, deaths, visits."""

from __future__ import annotations

from collections import Counter

from trialsim.contracts import Kind
from trialsim.engines.life import HELD_LATE, WAS_MISSED
from trialsim.report.story_lives import level_name
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import by_arm, count, listed


def lives_sentences(replay: Replay) -> list[str]:
    """Return what became of the patients up to the end of the trial; nothing where the scenario does not say."""
    if replay.plan.world.life is None:
        return []
    return [*_adverse_events(replay), *_treatment(replay), *_visits(replay)]


def _adverse_events(replay: Replay) -> list[str]:
    """Return how many adverse events there were, of which severity, term and arm, and what was done about them."""
    life = replay.plan.world.life
    assert life is not None
    if not life.terms:
        return []
    rows = [row for row in replay.log if row.kind == Kind.ADVERSE_EVENT]
    if not rows:
        return ["There were no adverse events by the end of the trial."]
    levels, terms = Counter(int(row.value) for row in rows), Counter(row.part for row in rows)
    had = {row.id for row in rows}
    whom = [course for number, course in enumerate(replay.courses) if number in had]
    parts = [f"{levels[level]:,} {level_name(life, level)}" for level in sorted(levels)]
    serious = sum(row.kind == Kind.SERIOUS for row in replay.log)
    text = f"By the end of the trial there were {count(len(rows), 'adverse event')} in {count(len(whom), 'patient')} "
    arms = [sum(course.arm == arm for course in whom) for arm in range(len(replay.plan.arms))]
    text += f"{by_arm(replay, arms)}: {listed(parts)}, "
    text += f"{serious:,} of them serious; "
    text += listed(
        [f"{number:,} of {life.terms[term].replace('_', ' ')}" for term, number in terms.most_common()]
    )
    done = [
        (sum(row.kind == Kind.INTERRUPTED for row in replay.log), "interrupted"),
        (sum(row.kind == Kind.REDUCED for row in replay.log), "reduced"),
    ]
    what = [f"{word} {count(number, 'time')}" for number, word in done if number]
    return [f"{text}.", *([f"Because of them doses were {listed(what)}."] if what else [])]


def _treatment(replay: Replay) -> list[str]:
    """Return who stopped treatment and why, who crossed over, who died and who withdrew consent."""
    life = replay.plan.world.life
    assert life is not None
    reasons = Counter(row.part for row in replay.log if row.kind == Kind.DISCONTINUED)
    parts = []
    if reasons:
        why = [f"{reasons[part]:,} for {life.reasons[part].replace('_', ' ')}" for part in sorted(reasons)]
        stopped = count(sum(reasons.values()), "patient")
        parts.append(f"{stopped} discontinued treatment ({listed(why)})")
    parts += _last_doses(replay)
    told = {Kind.RESCUE: "began rescue treatment", Kind.CROSSOVER: "crossed over", Kind.DEATH: "died"}
    for kind, words in told.items():
        number = sum(row.kind == kind for row in replay.log)
        if number:
            parts.append(f"{count(number, 'patient')} {words}")
    withdrew = sum(row.kind == Kind.DROPOUT and row.part == 1 for row in replay.log)
    if withdrew:
        parts.append(f"{count(withdrew, 'patient')} withdrew consent")
    lost = sum(row.kind == Kind.DROPOUT and row.part != 1 for row in replay.log)
    if lost:
        other = "others were" if lost > 1 else "other was"
        parts.append(
            f"{lost:,} {other} lost to follow-up"
            if withdrew
            else f"{count(lost, 'patient')} {'was' if lost == 1 else 'were'} lost to follow-up"
        )
    return [f"By the end of the trial {listed(parts)}."] if parts else []


def _last_doses(replay: Replay) -> list[str]:
    """Return who had the last dose as planned, and who had it on crossing over, as far as there were any."""
    crossed = {(row.id, row.tick) for row in replay.log if row.kind == Kind.CROSSOVER}
    ended = [(row.id, row.tick) in crossed for row in replay.log if row.kind == Kind.TREATMENT_ENDED]
    told = (("as planned", ended.count(False)), ("on crossing over", ended.count(True)))
    return [f"{count(number, 'patient')} had the last dose {how}" for how, number in told if number]


def _visits(replay: Replay) -> list[str]:
    """Return how many visits were held, late or missed; nothing where there are none."""
    parts = [row.part for row in replay.log if row.kind == Kind.VISIT]
    if not parts:
        return []
    missed, late = parts.count(WAS_MISSED), parts.count(HELD_LATE)
    held = len(parts) - missed
    return [
        f"By then {count(held, 'visit')} {'was' if held == 1 else 'were'} held, {late:,} of them late, and "
        f"{missed:,} missed."
    ]
