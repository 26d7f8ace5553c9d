"""One decision of a trial in plain sentences: what the policy saw that it may see, what it said, and by which model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trialsim.contracts import Status, Stop
from trialsim.engines.candidate_views import seed_for_policies
from trialsim.engines.plan import Plan
from trialsim.operations.sites import SITE_BITS
from trialsim.policies.human_in_the_loop import ACCEPTED, DELAYED, OVERRIDDEN, HumanInTheLoop
from trialsim.policies.scores import STEPS
from trialsim.report.people import logged
from trialsim.report.story_status import why_no_estimate

Rows = Sequence[Mapping[str, Any]]
_TICKS = float(1 << 20)
_SHOWN = 5
_MAY_SEE = {
    "sites": "It may see what is known of sites before the trial: records of an earlier one and what sites promise.",
    "site_review": "It may see what is known of sites and what they have found up to the review; no arm and no outcome.",
    "candidates": "It may see a candidate's records at first contact; it sees no allocation probability, no randomisation "
    "list and no outcome.",
    "allocation": "It may see counts and read-outs by arm up to the cut; it sees no single patient and nothing later.",
    "look": "It may see the analyses and counts of the cut; nothing later than the cut is in them.",
    "size": "It may see the analysis of the look.",
    "visit": "It may see a patient's adverse events and dose up to the visit; it sees no arm and no outcome.",
    "visits": "It may see a patient's adverse events and dose up to each visit; it sees no arm and no outcome.",
}
_FATES = {
    ACCEPTED: "The coordinator accepted the ranking's score.",
    DELAYED: "The coordinator delayed: called only when nobody waits who is not delayed.",
    OVERRIDDEN: "The coordinator overrode the ranking: the score is that of somebody drawn at random.",
}
_BY_DESIGN = "as the design has it"
_HIDDEN = "It is a control: it reads what is hidden from everybody in a trial."
_OF = {
    "sites": "which sites open",
    "site_review": "which sites close and open",
    "candidates": "a ranking of candidates",
    "allocation": "allocation",
    "look": "a look",
    "size": "the size of the trial",
    "visit": "a patient's treatment",
    "visits": "all visits of patients on treatment",
}


def summary(row: Mapping[str, Any]) -> str:
    """Return one line about a decision."""
    record = json.loads(row["record"])
    return (
        f"{row['decision']:>4}  day {_day(record)}  {_about(record)}, by {record['policy']}: {_short(record)}"
    )


def explained(
    plan: Plan, row: Mapping[str, Any], ranked: Rows, candidate: tuple[str, int] | None = None
) -> list[str]:
    """Return sentences about a decision.

    Parameters
    ----------
    plan
        The design under its truth, for names.
    row
        Its row in the log, with what was seen in full.
    ranked
        Its rows in the rankings, where candidates were ranked.
    candidate
        Name of the site and number (from 1, as `trialsim explain` counts) of one of them, who is told of.
    """
    record = json.loads(row["record"])
    kind, models = record["kind"], record.get("models", [])
    sentences = [
        f"Decision {row['decision']} is about {_about(record)}, "
        f"at day {_day(record)}. It was made by the policy {record['policy']}.",
        f"Model: SHA-256 {', '.join(models)}." if models else "No learned model has a part in it.",
    ]
    hidden = kind != "size" and bool(getattr(_policy_of(plan, kind), "reads_latent", False))
    sentences.append(_HIDDEN if hidden else _MAY_SEE[kind])
    if kind == "candidates":
        return [*sentences, *_of_candidates(plan, ranked, candidate)]
    if kind == "visits":
        return [*sentences, *_of_visits(record["decided"])]
    seen = json.loads(row["seen"])
    tell = {
        "sites": _of_sites,
        "site_review": _of_site_review,
        "allocation": _of_allocation,
        "look": _of_look,
        "size": _of_size,
        "visit": _of_visit,
    }[kind]
    sites = plan.world.sites
    parts = plan.arms if kind in ("allocation", "look") or sites is None else sites.names
    by = getattr(_policy_of(plan, kind), "recommends", None)
    tests, open_arms = [test.name for test in plan.tests], seen.get("open_arms", ())
    people = logged(kind, getattr(by, "name", ""), record["decided"], tests, parts, open_arms)
    return [*sentences, *tell(plan, seen, record["decided"]), *people]


def _about(record: Mapping[str, Any]) -> str:
    """Return what a decision is about: which look, where it is one."""
    return f"look {record['look']}" if record["kind"] == "look" else _OF[record["kind"]]


def _day(record: Mapping[str, Any]) -> str:
    return f"{record['tick'] / _TICKS:.3f}"


def _short(record: Mapping[str, Any]) -> str:
    """Return what was decided in a few words."""
    decided = record["decided"]
    if record["kind"] == "candidates":
        return f"{decided['candidates']} scored"
    if record["kind"] == "sites":
        return f"{sum(decided['open'])} of {len(decided['open'])} open"
    if record["kind"] == "site_review":
        return f"{sum(decided['close'])} closed, {sum(decided['open'])} called"
    if record["kind"] == "allocation":
        if "weights" not in decided:
            return _BY_DESIGN
        return f"probabilities {', '.join(_number(weight) for weight in decided['weights'])}"
    if record["kind"] == "visit":
        return f"{decided['done']} at visit {decided['visit']}"
    if record["kind"] == "visits":
        return f"{decided['visits']} visits, dose lowered at {decided['lowered']}, treatment ended at {decided['ended']}"
    if record["kind"] == "size":
        return _further(decided)
    return _stops(decided)


def _stops(decided: Mapping[str, Any]) -> str:
    """Return whether a trial stops, and why."""
    if not decided.get("stop"):
        return "close enrolment and take the last look" if decided.get("close_enrolment") else "go on"
    return f"stop ({Stop(decided['reason']).name.lower()})"


def _policy_of(plan: Plan, kind: str) -> Any:
    """Return the policy that made a decision; that of sites where no other is named."""
    of = {
        "candidates": plan.recruitment,
        "allocation": plan.randomisation,
        "look": plan.stopping,
        "visit": plan.monitoring,
        "visits": plan.monitoring,
    }
    return of.get(kind, plan.site_policy)


def _of_look(plan: Plan, seen: Mapping[str, Any], decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was seen and decided at a look."""
    for a, arm in enumerate(plan.arms):
        yield (
            f"Seen, {arm}: {seen['arm_enrolled'][a]} enrolled, {seen['arm_events'][a]} events, "
            f"{seen['arm_readouts'][a]} read out{'' if seen['open_arms'][a] else ', closed to allocation'}."
        )
    for t, test in enumerate(plan.tests):
        if seen["rejected"][t] or seen["futile"][t]:
            yield f"Seen, {test.name}: decided before ({'rejected' if seen['rejected'][t] else 'given up'})."
            continue
        status = Status(seen["status"][t])
        if status is not Status.OK:
            judged = None if seen.get("chains") is None else np.array(seen["chains"][t], dtype=np.float64)
            yield f"Seen, {test.name}: {why_no_estimate(test, status, judged)}."
            continue
        yield (
            f"Seen, {test.name}: z {_number(seen['z'][t])}, estimate {_number(seen['effect'][t])} (standard error "
            f"{_number(seen['se'][t])}); bounds: efficacy {_number(seen['efficacy_z'][t])}, futility "
            f"{_number(seen['futility_z'][t])}."
        )
    names = plan.quantities
    for name, value in zip(names, decided.get("trace") or [], strict=False):
        yield f"Weighed: {name} {_number(value)}."
    yield f"Decided: {_stops(decided)}."
    for t, test in enumerate(plan.tests):
        for what, said in (("reject", "rejected"), ("futile", "given up")):
            if (decided.get(what) or [False] * len(plan.tests))[t]:
                yield f"{test.name} is {said}."
    if decided.get("open_arms") is not None and not decided.get("stop"):
        closed = [
            arm
            for arm, before, now in zip(plan.arms, seen["open_arms"], decided["open_arms"], strict=True)
            if before and not now
        ]
        if closed:
            yield f"Closed to allocation: {', '.join(closed)}."


def _of_allocation(plan: Plan, seen: Mapping[str, Any], decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was seen and decided at a review."""
    for a, arm in enumerate(plan.arms):
        yield (
            f"Seen, {arm}: {seen['arm_enrolled'][a]} enrolled, {seen['arm_readouts'][a]} read out with a sum of "
            f"{_number(seen['arm_total'][a])}{'' if seen['open_arms'][a] else ', closed'}."
        )
    if "weights" not in decided:
        yield f"Decided: {_BY_DESIGN}."
        return
    chances = (f"{arm} {_number(w)}" for arm, w in zip(plan.arms, decided["weights"], strict=True))
    yield f"Decided, probabilities of the next patients' arms: {', '.join(chances)}."


def _of_sites(plan: Plan, seen: Mapping[str, Any], decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was seen of each site, its score and whether it opens."""
    assert plan.world.sites is not None
    for s, name in enumerate(plan.world.sites.names):
        found = (
            f"{seen['history_patients'][s]} candidates in {_number(seen['history_days'][s])} days on record"
            if seen["history_days"][s]
            else "nothing on record"
        )
        promise = "" if seen["promised"][s] is None else f", promises {_number(seen['promised'][s])} a day"
        rate = f", truly finds {_number(seen['rates'][s])} a day" if "rates" in seen else ""
        opens = "opens" if decided["open"][s] else "stays closed"
        yield f"{name}: {found}{promise}{rate}; score {_number(decided['scores'][s])}; {opens}."


def _of_site_review(plan: Plan, seen: Mapping[str, Any], decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield what had become of each site, and what was decided about it."""
    assert plan.world.sites is not None
    for s, name in enumerate(plan.world.sites.names):
        state = "open" if seen["open"][s] else "a reserve" if seen["reserve"][s] else "not open"
        done = (
            "closes"
            if decided["close"][s]
            else "is asked to open"
            if decided["open"][s]
            else "stays as it is"
        )
        yield (
            f"{name}: {state}, {_number(seen['open_days'][s])} days so far, {seen['came'][s]} came, "
            f"{seen['randomised'][s]} randomised; {done}."
        )


def _of_size(plan: Plan, seen: Mapping[str, Any], decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was decided on the size."""
    if "early_z" in seen:
        assert plan.chosen_by is not None
        yield f"Seen: z {_number(seen['early_z'])} on {plan.chosen_by.tests[0].name}."
    else:
        yield f"Seen: conditional power as things stand {_number(seen['conditional_power'])}."
    yield f"Decided: later looks wait for {_further(decided)}, against what was first planned."


def _further(decided: Mapping[str, Any]) -> str:
    """Return how many read-outs or events more later looks wait for."""
    if "further_events" in decided:
        return f"{decided['further_events']:+d} events"
    return f"{decided['further_readouts']:+d} read-outs"


def _of_visit(plan: Plan, seen: Mapping[str, Any], decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was seen of a patient at a visit, and done."""
    life = plan.world.life
    assert life is not None
    key = decided["patient"]
    who = str(key + 1)
    if plan.world.sites is not None:
        who = f"{plan.world.sites.names[key >> SITE_BITS]}:{(key & ((1 << SITE_BITS) - 1)) + 1}"
    yield (
        f"Seen, patient {who} at visit {decided['visit']}, {_number(seen['days'])} days after randomisation: dose level "
        f"{seen['dose'] + 1} of {life.numbers.treatment.doses}, {seen['serious']} serious adverse events."
    )
    for term, counts in zip(life.terms, seen["events"], strict=True):
        told = ", ".join(f"{count} {level}" for level, count in zip(life.levels, counts, strict=True))
        yield f"Seen, {term} so far: {told}."
    traits = plan.world.source.columns[plan.world.source.covariate_count :]
    for name, value in zip(traits, seen.get("latent") or (), strict=False):
        yield f"Seen, latent {name}: {_number(value)}."
    last = decided["done"] == "dose lowered" and seen["dose"] + 1 == life.numbers.treatment.doses
    yield f"Decided: {decided['done']}{'; there is no lower dose, so that treatment ends' if last else ''}."


def _of_visits(decided: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many visits there were by the end of a trial, and what was done at them."""
    yield (
        f"The policy was asked at {decided['visits']} visits by the end of the trial; the dose was lowered at "
        f"{decided['lowered']} of them, treatment ended at {decided['ended']}, and nothing done at the others."
    )
    yield f"Digest of all answers (patient, visit, tick, answer): SHA-256 {decided['answers']}."


def _of_candidates(plan: Plan, ranked: Rows, candidate: tuple[str, int] | None) -> Iterator[str]:
    """Yield who was scored, and the place of one or of the first."""
    assert plan.world.sites is not None
    names = plan.world.sites.names
    order = sorted(ranked, key=lambda each: (-each["score"], each["site"], each["candidate"]))
    places = {id(each): k for k, each in enumerate(order, 1)}
    yield (
        f"{len(order)} scores were given, as candidates came or a review had learnt something. Whoever has the highest "
        "score at a site is called when a coordinator becomes free there, the lowest number among equals."
    )
    shown = [each for each in ranked if candidate == (names[each["site"]], each["candidate"] + 1)]
    for each in shown or ([] if candidate else order[:_SHOWN]):
        yield (
            f"Candidate {names[each['site']]}:{each['candidate'] + 1}, scored at day {each['tick'] / _TICKS:.3f}: "
            f"{each['score']} ({_number(each['score'] / STEPS)}), place {places[id(each)]} of {len(order)}. "
            f"Seen: {_records(each['seen'])}.{_coordinator(plan, each)}"
        )
    if candidate is not None and not shown:
        yield f"No candidate {candidate[0]}:{candidate[1]} was scored in this decision."
    elif candidate is None and len(order) > _SHOWN:
        yield f"The first {_SHOWN} by score are shown; --candidate SITE:NUMBER tells of another."


def _coordinator(plan: Plan, row: Mapping[str, Any]) -> str:
    """Return what the coordinator made of a candidate's score; nothing where nobody stands between it and the ranking."""
    if not isinstance(plan.recruitment, HumanInTheLoop):
        return ""
    key = np.array([(row["site"] << SITE_BITS) + row["candidate"]])
    seed = seed_for_policies(plan.seed)
    return f" {_FATES[int(plan.recruitment.fates(seed, np.array([row['replicate']]), key)[0])]}"


def _records(seen: str) -> str:
    """Return what was seen of a candidate in words."""
    values = json.loads(seen)
    told = (
        f"{name} {'missing' if value is None else value if isinstance(value, str) else _number(value)}"
        for name, value in values.items()
    )
    return ", ".join(told) or "the site and the time of contact only"


def _number(value: Any) -> str:
    """Return a number in few digits; the words of numbers that are not finite as they are."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else f"{value:.4g}"
