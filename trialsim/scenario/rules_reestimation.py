"""Rules for designs that re-estimate their size: what looks wait for, who can be tested how, limits that can be kept."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.reestimation import BlindedVariance, ConditionalPower, EarlyEndpoint
from trialsim.scenario.rules_early_endpoint import early_endpoint_findings
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts, arms_of
from trialsim.scenario.wording import listed

KIND = "sample_size_reestimation"
WEIGHTED = (
    "t_test", "welch", "z_test", "ancova", "procova", "score_test", "miettinen_nurminen", "logistic",
)  # fmt: skip
BLINDED = ("t_test", "welch", "score_test", "miettinen_nurminen")
BY_EVENTS = ("logrank",)
_CONDUCT = ("treatment", "discontinuation", "withdrawal", "adverse_events", "visits")


def reestimation_findings(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield what is wrong with a design that re-estimates its size, and a re-estimation where there can be none."""
    where = (*at, "reestimation")
    if design.kind != KIND:
        if design.reestimation is not None:
            yield where, f"belongs to kind: {KIND}; change the kind, or leave it out"
        return
    if design.reestimation is None:
        example = "{conditional_power: {target: 0.9, zone: [0.4, 0.9], maximum: 800}}"
        yield where, f"is required: how the size is re-estimated, such as {example}"
        return
    inside = (*where, design.reestimation.kind)
    yield from _looks(at, inside, design, parts)
    yield from _limits(inside, design)
    yield from _test(at, inside, design, parts)
    yield from _world(at, inside, design, parts)
    if isinstance(design.reestimation.rule, EarlyEndpoint):
        yield from early_endpoint_findings(at, inside, design, design.reestimation.rule, parts)


def _looks(at: Place, inside: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield looks that wait for anything but what is re-estimated, and a re-estimation at a look that is no interim."""
    if len(design.looks) < 2:
        yield (
            (*at, "looks"),
            "one look is not enough: the size is re-estimated at an interim and tested at the last",
        )
    assert design.reestimation is not None
    kind, word = ("events", "events") if design.counts_events else ("readouts", "read-outs")
    endpoints = {parts.hypotheses[test].endpoint for test in design.tests if test in parts.hypotheses}
    first = 0 if design.patient_wise is None else len(design.looks) - 1
    for number, look in enumerate(design.looks):
        if number < first:
            continue  # stages that are split by patients have ends of their own
        if look.when.kind != kind or look.when.arms is not None:
            sentence = (
                f"the size is re-estimated in {word}, so that looks wait for those of all arms: {kind}: 200"
            )
            yield (*at, "looks", number, "when"), sentence
        elif look.when.endpoint is not None and endpoints and look.when.endpoint not in endpoints:
            sentence = f"the size is re-estimated in {word} of what is tested, not of '{look.when.endpoint}'"
            yield (*at, "looks", number, "when"), sentence
    for place, look_number in enumerate(design.reestimation.looks or ()):
        if look_number >= len(design.looks):
            sentence = f"look {look_number} is no interim of {len(design.looks)} looks"
            yield (*inside, "looks", place), sentence


def _limits(inside: Place, design: Design) -> Iterator[Finding]:
    """Yield limits that contradict the plan."""
    assert design.reestimation is not None
    rule = design.reestimation.rule
    if not isinstance(rule, BlindedVariance) and rule.maximum_events is not None:
        yield from _limits_of_events(inside, design, rule, rule.maximum_events)
    elif (maximum := design.reestimation.maximum) is not None and maximum < design.n:
        yield (*inside, "maximum"), f"{maximum} is below the {design.n} patients that are planned"
    if isinstance(rule, EarlyEndpoint):
        return
    if rule.minimum is not None and rule.minimum > design.n:
        yield (*inside, "minimum"), f"{rule.minimum} is above the {design.n} patients that are planned"
    if design.under is not None:
        yield (
            (*inside[:-2], "under"),
            "a size that is re-estimated is planned by n; leave under and power out",
        )
    if isinstance(rule, BlindedVariance):
        early = [
            name for name in design.tests if any(z != float("inf") for z in design.efficacy_z(name)[:-1])
        ]
        if early or design.efficacy is not None:
            sentence = "a blinded re-estimation has the size of a fixed design; leave the bounds of earlier looks out"
            yield inside, sentence
        return
    at = inside[:-2]
    for test in design.tests:
        bounds = design.efficacy_z(test)
        for look in rule.looks or range(1, len(bounds)):
            if design.efficacy is None and look < len(bounds) and bounds[look] == float("inf"):
                sentence = f"look {look + 1} has no efficacy bound, so that there is no power to reach it at look {look}"
                yield (*at, "bounds"), sentence


def _limits_of_events(
    inside: Place, design: Design, rule: ConditionalPower | EarlyEndpoint, maximum: int
) -> Iterator[Finding]:
    """Yield limits of events that contradict the plan, or that its patients cannot have."""
    planned = design.looks[-1].when.count
    if planned is not None and maximum < planned:
        yield (*inside, "maximum_events"), f"{maximum} is below the {planned} events that are planned"
    least = None if isinstance(rule, EarlyEndpoint) else rule.minimum_events
    if planned is not None and least is not None and least > planned:
        yield (*inside, "minimum_events"), f"{least} is above the {planned} events that are planned"
    if maximum > design.n:
        yield (
            (*inside, "maximum_events"),
            f"{maximum} exceeds the {design.n} patients, who have one event each",
        )


def _survival_test(
    at: Place, inside: Place, test: str, hypothesis: Hypothesis, design: Design
) -> Iterator[Finding]:
    """Yield a test of events that no re-estimation here is for.

    The weighted stages of a survival test are increments of its log-rank score. They are independent as long as decisions
    use nothing else from patients who are followed on, which no rule here does, and their information goes with events.
    """
    assert design.reestimation is not None
    rule = design.reestimation.rule
    if isinstance(rule, BlindedVariance):
        sentence = (
            f"'{hypothesis.endpoint}' is survival, whose outcomes have no variance to be seen; re-estimate its events: "
            "reestimation: {conditional_power: {target: 0.9, maximum_events: 400}}"
        )
        yield (*at, "tests", test), sentence
        return
    if rule.maximum_events is None:
        sentence = (
            f"'{hypothesis.endpoint}' is survival, whose events are re-estimated; write maximum_events in place of "
            "maximum"
        )
        yield (*inside, "maximum"), sentence
    if hypothesis.analysis not in BY_EVENTS:
        sentence = (
            f"{hypothesis.analysis} has no increments whose information goes with events, which the stages are weighted "
            f"by; allowed here: {listed(BY_EVENTS)}"
        )
        yield (*at, "tests", test), sentence
    ratio = None if isinstance(rule, EarlyEndpoint) else rule.hazard_ratio
    if ratio is not None and (ratio >= 1.0) == (hypothesis.direction == "lower"):
        sentence = f"{ratio:g} is no benefit where the direction is {hypothesis.direction}"
        yield (*inside, "hazard_ratio"), sentence


def _test(at: Place, inside: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield tests that no re-estimation here is for."""
    assert design.reestimation is not None
    if len(design.tests) > 1:
        yield (*at, "tests"), f"the size is re-estimated for one test, found {len(design.tests)}"
    if len(set(arms_of(design, parts))) > 2:
        yield (*at, "arms"), "the size is re-estimated for two arms; name two"
    allowed = BLINDED if design.reestimation.kind == "blinded_variance" else WEIGHTED
    for test in design.tests:
        if test not in parts.hypotheses or parts.hypotheses[test].endpoint not in parts.world.endpoints:
            continue
        hypothesis = parts.hypotheses[test]
        if parts.world.endpoints[hypothesis.endpoint].kind == "survival":
            yield from _survival_test(at, inside, test, hypothesis, design)
        elif design.counts_events:
            sentence = f"'{hypothesis.endpoint}' has no events; write maximum in place of maximum_events"
            yield (*inside, "maximum_events"), sentence
        elif hypothesis.analysis not in allowed:
            reason = (
                "knows the variance, or does not rest on it alone"
                if allowed is BLINDED
                else "has no stages to be weighted"
            )
            yield (*at, "tests", test), f"{hypothesis.analysis} {reason}; allowed here: {listed(allowed)}"
    if design.reviews is not None:
        yield (*at, "reviews"), "a design that re-estimates its size has no reviews; leave them out"
    for slot, usual in (("stopping", "bounds"), ("randomisation", "by_design")):
        if design.policies[slot][0] != usual:
            yield (*at, "policies", slot), f"a design that re-estimates its size has the policy {usual} here"


def _world(at: Place, inside: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield worlds in which a size cannot change, and a maximum that is not reached.

    Where it is events that are re-estimated, patients come as planned, and may have any world.
    """
    if design.counts_events:
        return
    accrual, horizon = parts.world.accrual, parts.world.horizon
    has = [key for key in _CONDUCT if getattr(parts.world, key, None)]
    if has:
        yield (
            (*at, "kind"),
            f"a size cannot be re-estimated where patients have {listed(has)}; leave them out",
        )
    if accrual is None:
        return
    if accrual.sites is not None:
        yield (
            (*at, "kind"),
            "a size cannot be re-estimated in a world with sites; state rates of accrual, or plan the maximum with kind: "
            "group_sequential",
        )
    elif accrual.kind == "uniform":
        sentence = "uniform accrual has no pace beyond its period; write accrual: {poisson: {rate: ...}}, or evenly_spaced"
        yield (*at, "kind"), sentence
    pieces = accrual.rates or (((0.0, accrual.rate),) if accrual.rate is not None else ())
    if accrual.over is not None and accrual.kind == "evenly_spaced":
        pieces = ((0.0, design.n / accrual.over),)
    ends = [*(start for start, _ in pieces[1:]), horizon]
    expected = sum(
        rate * max(min(end, horizon) - start, 0.0)
        for (start, rate), end in zip(pieces, ends, strict=bool(pieces))
    )
    if pieces and expected < design.most * (1 - 1e-9):
        sentence = (
            f"about {expected:.0f} of {design.most} patients come before the horizon of {horizon:g} days"
        )
        yield (*inside, "maximum"), sentence
