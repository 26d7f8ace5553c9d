"""Rules for Bayesian designs: what decision rules name exists, and what they ask can be worked out."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim import registry
from trialsim.scenario.decisions import (
    COMPARED,
    COMPLETED,
    PREDICTED,
    WITHOUT_MARGINS,
    Best,
    Condition,
    Equivalent,
    Limited,
    Posterior,
    Predictive,
    Utility,
)
from trialsim.scenario.design import Design
from trialsim.scenario.hypotheses import POSTERIORS, Hypothesis
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts, arms_of
from trialsim.scenario.wording import listed, unknown

_BOUNDED = ("bounds", "efficacy", "futility", "information", "power", "under", "events")


def single_arm_findings(at: Place, hypothesis: Hypothesis) -> Iterator[Finding]:
    """Yield a single arm without a rate to compare it with, and a rate where two arms are compared."""
    rate = hypothesis.analysis_options.get("rate")
    if len(hypothesis.arms) == 1 and rate is None:
        sentence = (
            "one arm alone is compared with a rate: analysis: {beta_binomial: {rate: 0.2}}; or name two arms"
        )
        yield (*at, "arms"), sentence
    if len(hypothesis.arms) == 2 and rate is not None:
        if hypothesis.analysis == "basket":
            yield (*at, "arms"), "a basket is compared with a rate, and every basket is an arm; name one arm"
            return
        sentence = "two arms are compared with each other; leave out rate, or name one arm"
        yield (*at, "analysis", hypothesis.analysis, "rate"), sentence


def decision_findings(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield what is wrong with the decision rules of a design, and where there can be none."""
    if design.kind != "bayesian":
        if design.decisions:
            yield (*at, "decisions"), f"a {design.kind} design decides by bounds; use kind: bayesian"
        for test, asked in design.tests.items():
            if asked.posterior is not None:
                yield (*at, "tests", test, "posterior"), "belongs to kind: bayesian; leave it out"
            hypothesis = parts.hypotheses.get(test)
            if (
                hypothesis is not None
                and hypothesis.posterior is not None
                and (design.kind not in ("fixed", "group_sequential") or design.overrunning)
            ):
                why = f"{hypothesis.analysis} has a prior, which the tests of this design know nothing of"
                yield (*at, "tests", test), f"{why}; take kind: bayesian"
        return
    for key in _BOUNDED:
        if getattr(design, key) is not None:
            yield (*at, key), "a bayesian design has decisions, not bounds; leave it out"
    name, _ = design.policies["stopping"]
    if design.policies["stopping"] != ("bounds", {"stop_when": "all", "futility": "follow"}):
        yield (*at, "policies", "stopping"), f"{name} is not asked in a bayesian design; its decisions decide"
    yield from _models(at, design, parts)
    for number, rule in enumerate(design.decisions or ()):
        place: Place = (*at, "decisions", number)
        for order, test in enumerate(rule.tests or ()):
            if test not in design.tests:
                yield (*place, "tests", order), unknown("the test", test, design.tests)
        if rule.tests is not None and rule.do != "stop_for_success":
            yield (*place, "tests"), "says which tests succeed, and belongs to stop_for_success alone"
        for order, look in enumerate(rule.looks or ()):
            if look > len(design.looks):
                yield (*place, "looks", order), f"look {look} of {len(design.looks)} does not exist"
        if rule.do == "stop_accrual":
            yield from _closing(place, parts)
        yield from _condition((*place, "when"), rule.when, design, parts)


def _models(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield tests whose analysis has no posterior, or whose outcomes are not those read out."""
    for test in design.tests:
        hypothesis = parts.hypotheses.get(test)
        if hypothesis is None:
            continue
        if hypothesis.posterior is None and hypothesis.analysis != "beta_binomial":
            allowed = listed(("beta_binomial", *POSTERIORS))
            yield (
                (*at, "tests", test),
                f"{hypothesis.analysis} has no posterior; a bayesian design takes {allowed}",
            )
        elif hypothesis.strategy != "treatment_policy":
            sentence = f"is analysed by the strategy {hypothesis.strategy}; decisions take outcomes as they are read out"
            yield (*at, "tests", test), f"{sentence}, strategy: treatment_policy"


def _closing(place: Place, parts: TrialParts) -> Iterator[Finding]:
    """Yield worlds in which enrolment cannot be ended by a decision."""
    accrual = parts.world.accrual
    if accrual is not None and accrual.sites is not None:
        yield (
            (*place, "do"),
            "stop_accrual is not available with accrual: {sites: ...}; give a rate of accrual",
        )
    world = parts.world
    if world.adverse_events or world.discontinuation or world.withdrawal or world.visits:
        yield (*place, "do"), "stop_accrual is not available where the scenario tells patients' lives"


def _condition(at: Place, condition: Condition, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield what is wrong with a condition and those joined in it."""
    for number, child in enumerate(condition.children):
        yield from _condition((*at, "all" if condition.all_of else "any", number), child, design, parts)
    leaf = condition.leaf
    if leaf is None:
        return
    kind = type(leaf).__name__.lower()
    yield from _thresholds((*at, kind), leaf, len(design.looks))
    arms = arms_of(design, parts)
    yield from _asked_of((*at, kind), leaf, design, parts)
    if isinstance(leaf, Posterior) and leaf.test is not None and leaf.test not in design.tests:
        yield (*at, kind, "test"), unknown("the test", leaf.test, design.tests)
    if isinstance(leaf, Predictive):
        for order, test in enumerate(leaf.tests or ()):
            if test not in design.tests:
                yield (*at, kind, "tests", order), unknown("the test", test, design.tests)
    if isinstance(leaf, Best) and leaf.arm is not None and arms and leaf.arm not in arms:
        yield (*at, kind, "arm"), unknown("the arm", leaf.arm, arms)
    if isinstance(leaf, (Best, Equivalent)) and len(arms) == 1:
        yield (*at, kind), "compares arms, and the design has one"


def _asked_of(at: Place, leaf: Limited, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield probabilities that the analyses of a design's tests do not give."""
    analyses = {test: parts.hypotheses[test].analysis for test in design.tests if test in parts.hypotheses}
    if isinstance(leaf, Utility):
        for test in leaf.weights:
            if test not in design.tests:
                yield (*at, "weights", test), unknown("the test", test, design.tests)
    if isinstance(leaf, Posterior) and (leaf.beyond is not None or leaf.within is not None):
        key = "within" if leaf.beyond is None else "beyond"
        tests = [leaf.test] if leaf.test else list(analyses)[:1]
        for test in tests:
            if analyses.get(test) in WITHOUT_MARGINS or _is_sampled(test, parts):
                sentence = f"is not for {analyses[test]}, by which {test} is analysed"
                yield (*at, key), f"{sentence}; name other hypotheses whose margins are those effects"
            elif test in parts.hypotheses and (problem := _no_effect(leaf, parts.hypotheses[test], parts)):
                yield (*at, key), problem
            elif test in parts.hypotheses and len(parts.hypotheses[test].arms) == 1 and key == "within":
                yield (*at, key), f"compares two arms, and {test} has one"
    if isinstance(leaf, Predictive):
        for test in leaf.tests or analyses:
            if analyses.get(test, "beta_binomial") not in PREDICTED:
                allowed = listed(PREDICTED)
                yield (
                    at,
                    f"success of {test}, analysed by {analyses[test]}, cannot be predicted; allowed: {allowed}",
                )
            elif (
                analyses.get(test) in COMPLETED
                and parts.hypotheses[test].analysis_options["followed_for"] is None
            ):
                model = analyses[test]
                yield (
                    at,
                    f"success of {test} hangs on how long patients will have been followed; say so: "
                    f"hypotheses.{test}.analysis.{model}.followed_for: 12 months",
                )
    if isinstance(leaf, (Best, Equivalent)) and analyses:
        first = next(iter(analyses))
        if analyses[first] not in COMPARED:
            yield (
                at,
                f"compares the arms on the first test, {first}, which is analysed by {analyses[first]}; take one of "
                f"{listed(COMPARED)}",
            )
        elif isinstance(leaf, Equivalent) and (problem := _no_effect(leaf, parts.hypotheses[first], parts)):
            yield (*at, "within"), problem


def _is_sampled(test: str, parts: TrialParts) -> bool:
    """Return whether a test is analysed by a sampled model of another package."""
    hypothesis = parts.hypotheses.get(test)
    if hypothesis is None or hypothesis.analysis != "model" or hypothesis.posterior is None:
        return False
    if hypothesis.posterior not in registry.names("posteriors"):
        return False
    return bool(getattr(registry.get("posteriors", hypothesis.posterior), "kind", "") == "sampled")


def _no_effect(leaf: Posterior | Equivalent, hypothesis: Hypothesis, parts: TrialParts) -> str | None:
    """Return why what a condition names can be no effect of a test, or None."""
    beyond, within = getattr(leaf, "beyond", None), leaf.within
    if "margin_ratio" in hypothesis.analysis_options:
        if beyond is not None and beyond <= 0.0:
            return f"{beyond:g} is no ratio; {hypothesis.analysis} compares arms by their ratio: give one above 0"
        if within is not None and within <= 1.0:
            why = f"{within:g} is not above 1; {hypothesis.analysis} compares arms by their ratio"
            return f"{why}: 1.25 stands for 0.8 to 1.25"
        return None
    endpoint = parts.world.endpoints.get(hypothesis.endpoint)
    if getattr(endpoint, "kind", "") == "continuous" or hypothesis.analysis == "model":
        return None
    for given in (beyond, within):
        if given is not None and not -1.0 < given < 1.0:
            return f"{given:g} is no difference of probabilities; give one between -1 and 1"
    return None


def _thresholds(at: Place, leaf: Limited, looks: int) -> Iterator[Finding]:
    """Yield thresholds by look that are too few or too many."""
    for side in ("above", "below"):
        given = getattr(leaf, side)
        if isinstance(given, tuple) and len(given) != looks:
            # Predictive probabilities are not weighed at the last look, so that its threshold may be left out.
            if isinstance(leaf, Predictive) and len(given) == looks - 1:
                continue
            yield (
                (*at, side),
                f"{len(given)} thresholds for {looks} looks; give one number, or one for each look",
            )
