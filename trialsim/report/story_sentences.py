"""A trial told in plain sentences: who came when, what each look saw, what was decided, and how it ended."""

from __future__ import annotations

import math

import numpy as np

from trialsim.contracts import Fate, Kind, Status, Stop
from trialsim.engines.strategies import flag_of
from trialsim.engines.true_values import estimand_of
from trialsim.report.computed_design import computed_sentences
from trialsim.report.numbers import plain
from trialsim.report.people import at_a_look
from trialsim.report.story_bayesian import decides_by_rules, posterior_finding, rules_weighed
from trialsim.report.story_bounds import bounds_followed
from trialsim.report.story_closed import closed_finding
from trialsim.report.story_cohorts import chosen_by, cohort_sentences
from trialsim.report.story_failures import failure_sentences
from trialsim.report.story_missing import missing_at_the_cut
from trialsim.report.story_people import people_sentences
from trialsim.report.story_recruitment import recruitment_sentences, review_sentences
from trialsim.report.story_replay import Look, Replay
from trialsim.report.story_trial_lives import lives_sentences
from trialsim.report.story_used import counted_already, from_whom
from trialsim.report.story_words import (
    against_bounds,
    because,
    by_arm,
    count,
    counted_as,
    listed,
    waits_for,
    when,
)

_DIFFERENCES = {
    "risk_difference": ("difference of proportions", 3),
    "difference_in_means": ("difference of means", 2),
    "difference_in_restricted_means": ("difference of mean days", 2),
    "difference_in_survival": ("difference of survival", 3),
    "difference_in_event_rates": ("difference of event rates", 3),
}


def story_sentences(replay: Replay) -> tuple[str, ...]:
    """Return the story of a replicate, a sentence or a few for each thing that happened.

    Parameters
    ----------
    replay
        The replicate.
    """
    sentences = [
        _opening(replay),
        *_bounds(replay),
        *_truths(replay),
        *recruitment_sentences(replay),
        *_enrolment(replay),
    ]
    for look in replay.looks:
        sentences.extend(_look(replay, look))
    sentences += lives_sentences(replay)
    sentences += [*_reviews(replay), *people_sentences(replay), *_ending(replay)]
    return tuple(sentences)


def _opening(replay: Replay) -> str:
    """Return what was run."""
    plan = replay.plan
    return (
        f"This is replicate {replay.replicate} of {plan.scenario} under design {plan.design} and truth "
        f"{plan.truth}, seed {plan.seed}: up to {count(plan.most, 'patient')} on {listed(plan.arms, 'or')}, "
        f"{_allocated(replay)}, and at most {count(len(plan.looks), 'look')}."
    )


def _bounds(replay: Replay) -> list[str]:
    """Return the bounds of a design whose bounds were computed."""
    computed = computed_sentences(replay.scenario, (replay.plan.design,))
    return [f"Design {sentence}." for sentence in computed]


def _allocated(replay: Replay) -> str:
    """Return how patients are allocated by design."""
    allocation = replay.scenario.designs[replay.plan.design].allocation
    ratio = replay.plan.allocation.ratio
    shares = "" if len(set(ratio.tolist())) == 1 else f" {' : '.join(str(part) for part in ratio)}"
    words = {
        "alternating": f"allocated{shares} in turn",
        "simple": f"allocated{shares} by simple randomisation",
        "permuted_blocks": f"allocated{shares} in permuted blocks of {allocation.size}",
    }
    over = listed(list(allocation.factors)) or "the totals of the arms"
    words["minimisation"] = f"allocated{shares} by minimisation over {over}"
    words["biased_coin"] = f"allocated{shares} by a biased coin"
    if allocation.kind == "biased_coin" and allocation.strata:
        words["biased_coin"] += f" within strata of {listed(list(allocation.strata))}"
    if allocation.kind in words:
        return words[allocation.kind]
    within = listed(list(allocation.strata))
    return f"allocated{shares} in permuted blocks of {allocation.size} within strata of {within}"


def _effect(replay: Replay, test: int, value: float) -> str:
    """Return an effect on the scale on which people speak of it."""
    estimand = estimand_of(replay.plan.tests[test])
    for ratio in ("hazard", "odds"):
        if estimand.endswith(f"log_{ratio}_ratio"):
            return f"{ratio} ratio {plain(math.exp(value), 2)}"
    noun, digits = _DIFFERENCES.get(estimand, (estimand.replace("_", " "), 3))
    return f"{noun} {plain(value, digits)}"


def _truths(replay: Replay) -> list[str]:
    """Return what is true of each test."""
    parts = []
    for place, test in enumerate(replay.plan.tests):
        truth = replay.truths[place]
        against = replay.plan.arms[test.control]
        if test.treatment == test.control:
            against = f"the rate {plain(float(test.options['rate']), 3)}"
        arms = f"{replay.plan.arms[test.treatment]} against {against}"
        worth = "no benefit" if truth.null else "a benefit"
        endpoint = replay.plan.world.outcomes[test.endpoint].name
        told = (
            "an effect without a known value"
            if math.isnan(truth.value)
            else _effect(replay, place, truth.value)
        )
        parts.append(f"{test.name} ({endpoint}, {arms}) {told}, {worth}")
    flagged = [
        f"The analysis of {test.name} is flagged: {flag}."
        for test in replay.plan.tests
        if (flag := flag_of(test.strategy, replay.plan.world.outcomes[test.endpoint].kind)) is not None
    ]
    return [f"In truth: {'; '.join(parts)}.", *flagged]


def _enrolment(replay: Replay) -> list[str]:
    """Return who was randomised when."""
    n = len(replay.courses)
    if n == 0:
        return ["Nobody was randomised."]
    entry = [course.entry for course in replay.courses]
    arms = by_arm(replay, replay.randomised(replay.end).tolist())
    if n == 1:
        text = f"One patient was randomised {arms}, on {when(entry[0])}"
    else:
        text = (
            f"{n:,} patients were randomised {arms}: the first on {when(entry[0])}, half of them by "
            f"{when(entry[(n + 1) // 2 - 1])}, the last on {when(entry[-1])}"
        )
    if n < replay.size:
        text += f"; the trial ended before the other {replay.size - n:,} of the planned {replay.size:,} came"
    return [f"{text}."]


def _look(replay: Replay, look: Look) -> list[str]:
    """Return what a look saw and what came of it."""
    found = [*_findings(replay, look), *cohort_sentences(replay, look), *chosen_by(replay, look)]
    return [_occasion(replay, look), *found, *_people(replay, look), *_consequences(replay, look)]


def _people(replay: Replay, look: Look) -> list[str]:
    """Return what was recommended to people who decide, and what they made of it."""
    recommended, fate = look.decision.recommended, look.decision.fate
    if recommended is None or fate is None:
        return []
    assert recommended.stop is not None and recommended.reason is not None
    assert recommended.reject is not None and recommended.futile is not None
    assert recommended.open_arms is not None
    rejected, given_up = (
        [test.name for test, is_so in zip(replay.plan.tests, made[0], strict=True) if is_so]
        for made in (recommended.reject, recommended.futile)
    )
    before = {row.id for row in replay.log if row.kind == Kind.ARM_CLOSED and row.tick < look.cut}
    stays = zip(replay.plan.arms, recommended.open_arms[0], strict=True)
    closed = [arm for number, (arm, is_so) in enumerate(stays) if not is_so and number not in before]
    stop, reason = bool(recommended.stop[0]), int(recommended.reason[0])
    closing = recommended.close_enrolment is not None and bool(recommended.close_enrolment[0])
    by = _stopping(replay)
    said = at_a_look(Fate(int(fate[0])), by, stop, reason, rejected, given_up, closed, closing)
    return [said] if said else []


def _stopping(replay: Replay) -> str:
    """Return the name of the stopping policy, of the one that recommends where people decide."""
    policy = replay.plan.stopping
    name: str = getattr(policy, "recommends", policy).name
    return name


def _occasion(replay: Replay, look: Look) -> str:
    """Return when a look was taken, why then, and on what data."""
    plan = replay.plan.looks[look.number - 1]
    due = f"Look {look.number}, due at {waits_for(replay, plan.trigger, look.further)}"
    if plan.no_later_than <= replay.plan.horizon:
        due += f" but no later than {when(plan.no_later_than)}"
    text = f"{due}, was taken on {when(look.cut)}"
    position = next(k for k, each in enumerate(replay.looks) if each is look)
    if not replay.met(plan.trigger, position):
        latest = look.cut >= plan.no_later_than
        text += ", its latest date" if latest else ", as nobody was left from whom more could come"
    randomised = replay.randomised(look.cut)
    seen = [f"{count(int(randomised.sum()), 'patient')} randomised {by_arm(replay, randomised.tolist())}"]
    for endpoint in dict.fromkeys(test.endpoint for test in replay.plan.tests):
        known = replay.known(endpoint, look.cut)
        told = replay.told(endpoint, look.cut)
        arms = by_arm(replay, known.tolist())
        if told is None:
            seen.append(f"{counted_as(replay, endpoint, int(known.sum()))} known {arms}")
        else:
            reported = counted_as(replay, endpoint, told)
            seen.append(f"{reported} reported, {int(known.sum()):,} of them confirmed by then {arms}")
    for number, how in zip(replay.left(look.cut), ("lost to follow-up", "who withdrew consent"), strict=True):
        if number:
            seen.append(f"{number:,} {how}")
    return f"{text}, with {listed(seen)}."


def _findings(replay: Replay, look: Look) -> list[str]:
    """Return where each test stood."""
    parts = []
    for place, test in enumerate(replay.plan.tests):
        if look.own_z is not None:
            parts.append(closed_finding(replay, look, place))
            continue
        efficacy, futility = float(look.efficacy_z[place]), float(look.futility_z[place])
        if look.status[place] == Status.NOT_ANALYSED:
            continue
        if look.status[place] != Status.OK:
            parts.append(f"{test.name} could not be analysed, {look.why_not(test, place)}")
            continue
        z = f"{test.name} z = {plain(float(look.z[place]), 3)}{from_whom(replay, look, place)}"
        found = f"{z}, {against_bounds(float(look.z[place]), efficacy, futility)}"
        if decides_by_rules(replay):
            z = found = posterior_finding(replay, look, place)
        earlier = replay.decided_before(look, place)
        if earlier:
            parts.append(f"{z}, {earlier} before")
            continue
        if look.says("reject", place):
            found += ": rejected"
        elif look.says("futile", place):
            by_policy = not look.z[place] <= futility
            found += f": given up{' by the stopping policy ' + _stopping(replay) if by_policy else ''}"
        parts.append(found)
    found_here = [f"At look {look.number}: {'; '.join(parts)}."] if parts else []
    return [*found_here, *bounds_followed(replay, look), *rules_weighed(replay, look)]


def _consequences(replay: Replay, look: Look) -> list[str]:
    """Return when the decision was taken and what it changed."""
    sentences = []
    if look.decided > look.cut:
        taken = "the decision was taken" if look.carried_out else "the decision would have been taken"
        if look.lock in (look.cut, look.decided):
            text = f"The data were locked and {taken} on {when(look.decided)}"
            if look.lock == look.cut:
                text = f"The data were locked at once, and {taken} on {when(look.decided)}"
        else:
            text = f"The data were locked on {when(look.lock)} and {taken} on {when(look.decided)}"
        meanwhile = sum(look.cut < course.entry <= look.decided for course in replay.courses)
        if meanwhile:
            text += (
                f"; {count(meanwhile, 'patient')} {'was' if meanwhile == 1 else 'were'} randomised meanwhile"
            )
        sentences.append(f"{text}.")
    if not look.carried_out:
        return [*sentences, "The trial's time was over before the decision could be carried out."]
    if look.stops:
        return sentences
    changes = ["the trial went on", *_new_size(replay, look)]
    closed = [row.id for row in replay.log if row.kind == Kind.ARM_CLOSED and row.tick == look.decided]
    if closed:
        names = [replay.plan.arms[arm] for arm in closed]
        text = f"{listed(names)} {'was' if len(names) == 1 else 'were'} closed to allocation"
        complete = len(replay.courses) == replay.plan.n and replay.courses[-1].entry <= look.decided
        changes.append(f"{text}, which was complete already" if complete else text)
    if replay.plan.reviews is None:
        weights = [row.value for row in replay.log if row.kind == Kind.WEIGHT and row.tick == look.decided]
        if weights:
            changes.append(f"allocation from then on was {_shares(replay, weights)}")
    text = "; ".join(changes)
    return [*sentences, f"{text[0].upper()}{text[1:]}."]


def _new_size(replay: Replay, look: Look) -> list[str]:
    """Return what became of the size, where it was re-estimated."""
    if look.decision.further_counts is None or replay.plan.resizing is None:
        return []
    by_events = replay.plan.resizing.by_events
    further = np.array([look.further, int(look.decision.further_counts[0])])
    sizes = replay.plan.events_awaited + further if by_events else replay.plan.size_after(further)
    what, unit = ("number of events", "") if by_events else ("size", " patients")
    power = ""
    if np.isfinite(look.conditional_power):
        power = f", the conditional power being {plain(look.conditional_power, 3)},"
    if sizes[0] == sizes[1]:
        return [f"the {what}{power} stayed at {sizes[0]:,}{unit}"]
    word = "raised" if sizes[1] > sizes[0] else "lowered"
    text = f"the {what}{power} was {word} from {sizes[0]:,} to {sizes[1]:,}{unit}"
    reopened = any(row.kind == Kind.RESIZED and row.part and row.tick == look.decided for row in replay.log)
    return [f"{text}, and enrolment, which had closed, opened again" if reopened else text]


def _shares(replay: Replay, weights: list[float]) -> str:
    """Return allocation weights by arm."""
    return listed(
        [f"{plain(weight, 3)} to {arm}" for weight, arm in zip(weights, replay.plan.arms, strict=True)]
    )


def _reviews(replay: Replay) -> list[str]:
    """Return how allocation weights moved, where they were reviewed apart from the looks, and recruitment besides."""
    reviews = [row for row in replay.log if row.kind == Kind.REVIEW]
    recruitment = review_sentences(replay)
    if not reviews or (recruitment and not replay.plan.randomisation.adaptive):
        return recruitment
    arms = len(replay.plan.arms)
    weights = np.array([row.value for row in replay.log if row.kind == Kind.WEIGHT]).reshape(-1, arms)
    text = f"Allocation was reviewed {count(len(reviews), 'time')}, last on {when(reviews[-1].tick)}"
    if len(weights) == 0:
        return [f"{text}, and never changed.", *recruitment]
    ranges = [
        f"{arm} {plain(low, 3)} to {plain(high, 3)}"
        for arm, low, high in zip(replay.plan.arms, weights.min(axis=0), weights.max(axis=0), strict=True)
    ]
    last = _shares(replay, weights[-1].tolist())
    return [f"{text}; the weights ranged over {listed(ranges)}, and were {last} last.", *recruitment]


def _ending(replay: Replay) -> list[str]:
    """Return when and why the trial ended, what it concluded, and whether that is true."""
    looked = f" at look {replay.stop_look}" if replay.stop_look and replay.reason != Stop.FINAL else ""
    sentences = [f"The trial ended on {when(replay.end)} {because(replay.reason.name.lower())}{looked}."]
    if replay.reason == Stop.HORIZON and len(replay.looks) < len(replay.plan.looks):
        closed = any(
            look.decision.close_enrolment is not None and look.decision.close_enrolment[0]
            for look in replay.looks
        )
        number = len(replay.plan.looks) if closed else len(replay.looks) + 1
        due = waits_for(replay, replay.plan.looks[number - 1].trigger)
        if not replay.looks or replay.looks[-1].number < number:
            sentences.append(f"Look {number}, due at {due}, was never reached.")
    conclusions = [_conclusion(replay, place) for place in range(len(replay.plan.tests))]
    sentences += [conclusion for conclusion in conclusions if conclusion]
    sentences += failure_sentences(replay)
    sentences += missing_at_the_cut(replay)
    overrun = int(replay.trial["overrun"])
    pipeline = int(replay.trial["pipeline"])
    left = []
    if overrun:
        left.append(f"{count(overrun, 'patient')} had been randomised after it")
    if pipeline:
        known = counted_as(replay, replay.plan.primary, 2).split(" ", 1)[1].split("s of", 1)[0]
        name = replay.plan.world.outcomes[replay.plan.primary].name
        were = "was" if pipeline == 1 else "were"
        text = f"{count(pipeline, 'patient')} randomised before it {were} still waited for"
        left.append(f"{text}, with no {known} of {name} known yet")
    if left:
        occasion = "deciding cut" if replay.stop_look else "end of the trial"
        sentences.append(f"At the {occasion} on {when(replay.cut)}: {listed(left)}{counted_already(replay)}.")
    return sentences


def _why_in_the_end(replay: Replay, test: int, status: Status) -> str:
    """Return why a test has no estimate in the end: what was told of the last look that has this status."""
    for look in reversed(replay.looks):
        if look.status[test] == status:
            return look.why_not(replay.plan.tests[test], test)
    return status.sentence


def _conclusion(replay: Replay, test: int) -> str:
    """Return what was concluded on one test, with the estimate and the truth beside it."""
    name = replay.plan.tests[test].name
    rejected = bool(replay.trial[f"reject:{name}"])
    status = Status(int(replay.trial[f"status:{name}"]))
    if status != Status.OK:
        failed = int(replay.trial[f"failed_look:{name}"])
        at = f"its analysis failed at look {failed}: " if failed else ""
        return f"{name}: the null hypothesis was not rejected ({at}{_why_in_the_end(replay, test, status)})."
    effect, se = float(replay.trial[f"estimate:{name}"]), float(replay.trial[f"se:{name}"])
    look = int(replay.trial[f"reject_look:{name}"])
    real = not replay.truths[test].null
    verdicts = {
        (True, True): "and the benefit is real",
        (True, False): "but there is no benefit in truth: a false positive",
        (False, True): "but there is a benefit in truth: a false negative",
        (False, False): "and there is no benefit in truth",
    }
    text = f"{name}: the null hypothesis was {f'rejected at look {look}' if rejected else 'not rejected'}"
    low, high = (_effect(replay, test, effect + side * 1.96 * se).rsplit(" ", 1)[1] for side in (-1.0, 1.0))
    return (
        f"{text}, {verdicts[rejected, real]}; estimated {_effect(replay, test, effect)} "
        f"(95% interval {low} to {high}, not adjusted for the looks)."
    )
