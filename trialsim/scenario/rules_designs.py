"""Rules across hypotheses and designs: what is tested exists and suits, what is waited for can happen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trialsim.scenario.allocation_policies import ALLOCATION_CONTROLS
from trialsim.scenario.design import NO_BOUND, Bounds, Design
from trialsim.scenario.drift_advice import KNOW_OF_TIME, RANK_NOBODY
from trialsim.scenario.hypotheses import ANALYSES_OF_KIND, POSTERIORS_OF_KIND, Hypothesis
from trialsim.scenario.inner_policies import recommending
from trialsim.scenario.rules_adverse_events import (
    about_adverse_events,
    adverse_event_findings,
    adverse_event_test_findings,
)
from trialsim.scenario.rules_analyses import analysis_findings
from trialsim.scenario.rules_balance import balance_findings
from trialsim.scenario.rules_decisions import decision_findings, single_arm_findings
from trialsim.scenario.rules_families import family_findings
from trialsim.scenario.rules_life import monitoring_findings
from trialsim.scenario.rules_looks import look_findings
from trialsim.scenario.rules_multi_arm import multi_arm_findings
from trialsim.scenario.rules_multiplicity import multiplicity_findings
from trialsim.scenario.rules_overrun import overrun_findings
from trialsim.scenario.rules_people import people_findings, policy_place
from trialsim.scenario.rules_rankings import AT_REVIEWS, ranking_findings
from trialsim.scenario.rules_reestimation import reestimation_findings
from trialsim.scenario.rules_rerandomised import rerandomised_findings
from trialsim.scenario.rules_strata import allocation_strata_findings
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.site_policies import site_policy_sentences
from trialsim.scenario.stopping_policies import learned_stopping_sentences, stopping_policy_findings
from trialsim.scenario.trial_parts import Place, TrialParts, arms_of
from trialsim.scenario.wording import listed, unknown

LEARNING = ("rosenberger", "thompson", "protected_control", "doubly_adaptive", "learned")
"""Randomisation policies that learn from response rates."""
_BOUNDING = ("bounds", "efficacy", "futility", "information", "power", "under", "futility_binding")
"""What a design states of its bounds."""

_IN_WORDS = {
    "fixed": "fixed",
    "group_sequential": "group sequential",
    "multi_arm_multi_stage": "multi-arm multi-stage",
    "sample_size_reestimation": "sample size re-estimation",
    "bayesian": "Bayesian",
}


def trial_findings(parts: TrialParts) -> Iterator[Finding]:
    """Yield everything that is wrong across hypotheses and designs."""
    yield from _one_arm(parts)
    for name, hypothesis in parts.hypotheses.items():
        yield from _hypothesis(("hypotheses", name), hypothesis, parts)
    for name, design in parts.designs.items():
        at = ("designs", name)
        yield from _arms(at, design, parts)
        yield from _allocation(at, design, parts)
        yield from look_findings(at, design, parts)
        yield from _tests(at, design, parts)
        yield from adverse_event_test_findings(at, design, parts)
        yield from decision_findings(at, design, parts)
        yield from _bounds(at, design)
        yield from multi_arm_findings(at, design, parts)
        yield from multiplicity_findings(at, design)
        yield from _policies(at, design, parts)
        yield from reestimation_findings(at, design, parts)
        yield from overrun_findings(at, design, parts)
        yield from _accrual(at, design, parts)


def _one_arm(parts: TrialParts) -> Iterator[Finding]:
    """Yield a single arm where hypotheses compare two."""
    arms = parts.world.arms
    pairs = [name for name, hypothesis in parts.hypotheses.items() if len(hypothesis.arms) == 2]
    if arms is not None and len(arms) == 1 and pairs:
        compare = "compares" if len(pairs) == 1 else "compare"
        yield (
            ("arms",),
            f"two arms are needed, {listed(pairs)} {compare} two; write arms: [{arms[0]}, treatment], or compare the one "
            f"arm with a rate, in the hypothesis: arms: [{arms[0]}], analysis: {{beta_binomial: {{rate: 0.2}}}}",
        )


def _hypothesis(at: Place, hypothesis: Hypothesis, parts: TrialParts) -> Iterator[Finding]:
    """Yield what a hypothesis names that does not exist or does not suit."""
    arms = parts.world.arms
    if arms is not None and not (len(arms) == 1 and len(hypothesis.arms) == 2):
        for place, arm in enumerate(hypothesis.arms):
            if arm not in arms:
                yield (*at, "arms", place), unknown("the arm", arm, arms)
    yield from single_arm_findings(at, hypothesis)
    if len(hypothesis.arms) == 2 and hypothesis.arms[0] == hypothesis.arms[1]:
        yield (*at, "arms"), f"'{hypothesis.arms[0]}' is compared with itself; name two different arms"
    if about_adverse_events(hypothesis, parts):
        yield from adverse_event_findings(at, hypothesis, parts)
    elif hypothesis.endpoint not in parts.endpoint_names:
        yield (*at, "endpoint"), unknown("the endpoint", hypothesis.endpoint, parts.endpoint_names)
    elif hypothesis.endpoint in parts.world.endpoints:
        kind = parts.world.endpoints[hypothesis.endpoint].kind
        suited = (*ANALYSES_OF_KIND[kind], *POSTERIORS_OF_KIND[kind])
        if hypothesis.analysis not in suited:
            what = f"{hypothesis.analysis} does not suit the {kind} endpoint '{hypothesis.endpoint}'"
            yield (*at, "analysis"), f"{what}; allowed: {listed(suited)}"
    if hypothesis.follow_up is not None and hypothesis.follow_up > parts.world.horizon:
        beyond = f"{hypothesis.follow_up:g} days is beyond the horizon of {parts.world.horizon:g} days"
        yield (*at, "follow_up"), f"{beyond}, at which the trial ends"
    yield from analysis_findings((*at, "analysis", hypothesis.analysis), hypothesis, parts.world)


def _arms(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield arms of a design that do not exist, are named twice or lack control, and too few patients."""
    arms = parts.world.arms
    for place, arm in enumerate(design.arms):
        if arms is not None and arm not in arms:
            yield (*at, "arms", place), unknown("the arm", arm, arms)
        if arm in design.arms[:place]:
            yield (*at, "arms", place), f"the arm '{arm}' is named twice"
    if design.arms and arms and design.arms[0] != arms[0] and design.arms[0] in arms:
        yield (*at, "arms", 0), f"the first arm must be the control arm, '{arms[0]}'"
    if design.n < len(arms_of(design, parts)):
        yield (*at, "n"), f"{design.n} patients are too few for {len(arms_of(design, parts))} arms"


def _allocation(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield ratios for the wrong arms, blocks that do not divide, and strata that cannot be made."""
    rule, arms = design.allocation, arms_of(design, parts)
    inside = (*at, "allocation", rule.kind)
    if rule.ratio is not None and arms:
        for arm in rule.ratio:
            if arm not in arms:
                yield (*inside, "ratio", arm), unknown("the arm", arm, arms)
        missing = [arm for arm in arms if arm not in rule.ratio]
        if missing:
            yield (
                (*inside, "ratio"),
                f"a share is required for every arm of the design; missing: {listed(missing)}",
            )
    total = sum(rule.ratio.values()) if rule.ratio is not None else len(set(arms))
    if rule.size is not None and arms and total and rule.size % total:
        nearest = -(-rule.size // total) * total
        shares = f"the ratio's sum {total}" if rule.ratio is not None else f"the number of arms {total}"
        yield (*inside, "size"), f"{rule.size} is not a multiple of {shares}; {nearest} is"
    yield from allocation_strata_findings((*inside, "strata"), rule, parts.world)
    yield from balance_findings(inside, rule, arms, parts.world)


def _tests(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield tests of hypotheses that do not exist or compare arms that the design has not."""
    arms = arms_of(design, parts)
    for name in design.tests:
        if name not in parts.hypothesis_names:
            yield (*at, "tests", name), unknown("the hypothesis", name, parts.hypothesis_names)
            continue
        if name in parts.hypotheses:
            hypothesis = parts.hypotheses[name]
            yield from rerandomised_findings(at, name, hypothesis, design, len(arms), parts.world)
        if name in parts.hypotheses and parts.world.arms is not None:
            absent = [
                arm for arm in parts.hypotheses[name].arms if arm in parts.world.arms and arm not in arms
            ]
            if absent:
                yield (
                    (*at, "tests", name),
                    f"compares {listed(absent)}, which the design has not; its arms: {listed(arms)}",
                )


def _bounds(at: Place, design: Design) -> Iterator[Finding]:
    """Yield bounds that are missing, superfluous, of the wrong number, or that contradict each other."""
    if design.kind == "bayesian":
        return
    where = (*at, "bounds")
    if recommending(design.policies["stopping"])[0] == "learned":
        stated = {key: getattr(design, key) for key in _BOUNDING}
        for key, sentence in learned_stopping_sentences(design.kind, len(design.tests), stated):
            yield (*at, key), sentence
        return
    yield from family_findings(at, design)
    if design.kind == "fixed":
        if design.bounds is not None:
            yield (
                where,
                "a fixed design has no bounds (its one look is judged at alpha); use kind: group_sequential",
            )
        return
    if design.bounds is None:
        if not design.names_family and design.kind != "sample_size_reestimation":
            what = _IN_WORDS.get(design.kind, design.kind.replace("_", " "))
            yield (
                where,
                f"is required for a {what} design: {{efficacy_z: [...]}} with one bound for each "
                "look; or efficacy, a family from which they are computed, such as efficacy: lan_demets_obrien_fleming",
            )
        return
    written: dict[Place, Bounds] = {}
    if isinstance(design.bounds, Bounds):
        written[where] = design.bounds
    else:
        written = {(*where, test): bounds for test, bounds in design.bounds.items() if test in design.tests}
        for test in design.bounds:
            if test not in design.tests:
                yield (*where, test), unknown("the test", test, design.tests)
        missing = [test for test in design.tests if test not in design.bounds]
        if missing:
            yield where, f"bounds are required for every test; missing: {listed(missing)}"
    for place, bounds in written.items():
        yield from _bounds_of(place, bounds, len(design.looks))
    if design.futility_binding and all(bounds.futility_z is None for bounds in written.values()):
        yield (*at, "futility_binding"), "there are no futility bounds to be binding; give bounds.futility_z"


def _bounds_of(at: Place, bounds: Bounds, looks: int) -> Iterator[Finding]:
    """Yield what is wrong with the bounds of one test."""
    for side in ("efficacy_z", "futility_z"):
        values = getattr(bounds, side)
        if values is not None and len(values) != looks:
            yield (
                (*at, side),
                f"{len(values)} bounds for {looks} looks; one for each look is expected (null: none)",
            )
    if bounds.efficacy_z[-1] is None:
        yield (*at, "efficacy_z", len(bounds.efficacy_z) - 1), "the last look needs a finite bound"
    for number, (futility, efficacy) in enumerate(
        zip(bounds.futility_z or (), bounds.efficacy_z, strict=False)
    ):
        if futility is not None and futility > (NO_BOUND if efficacy is None else efficacy):
            sentence = (
                f"the futility bound {futility:g} lies above the efficacy bound {efficacy:g} of the same look"
            )
            yield (*at, "futility_z", number), sentence


def _policies(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield policies whose parameters do not fit the design."""
    yield from people_findings(at, design)
    name, parameters = recommending(design.policies["stopping"])
    place = policy_place(at, "stopping", design)
    experimental = len(set(arms_of(design, parts))) - 1
    for key, sentence in stopping_policy_findings(name, parameters, len(design.looks)):
        yield (*place, key), sentence
    if name == "drop_arms" and parts.world.arms is not None and parameters["keep"] >= experimental:
        yield (*place, "keep"), f"{parameters['keep']} kept of {experimental} experimental arms drops none"
    yield from _recruitment(at, design, parts)
    if (accrual := parts.world.accrual) is not None:
        chosen, options = recommending(design.policies["sites"])
        for sentence in site_policy_sentences(chosen, options, accrual.sites, design.reviews is not None):
            yield policy_place(at, "sites", design), sentence
    yield from _ranked_and_adaptive(at, design, parts)
    learning, _ = recommending(design.policies["randomisation"])
    if learning in (*LEARNING, *ALLOCATION_CONTROLS):
        kinds = {endpoint.kind for endpoint in _tested_endpoints(design, parts)}
        known = all(test in parts.hypotheses for test in design.tests)
        readable = known and len(parts.world.endpoints) == len(parts.endpoint_names)
        if readable and "binary" not in kinds:
            stands_for = "is a control of rules that learn" if learning in ALLOCATION_CONTROLS else "learns"
            sentence = f"{learning} {stands_for} from success rates; "
            sentence += "the design tests no hypothesis on a binary endpoint"
            yield (*at, "policies", "randomisation"), sentence


def _ranked_and_adaptive(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield tests where candidates are ranked, allocation follows outcomes, and no test of the same arms knows of time.

    Ranking makes drift: whoever comes late differs from whoever came early, and is allocated otherwise.
    """
    rule, ranking = recommending(design.policies["randomisation"])[0], design.policies["recruitment"][0]
    if rule == "by_design" or ranking in RANK_NOBODY:
        return
    tested = {test: parts.hypotheses[test] for test in design.tests if test in parts.hypotheses}
    answered = {(h.endpoint, h.arms) for h in tested.values() if h.analysis.startswith(KNOW_OF_TIME)}
    for test, hypothesis in tested.items():
        if (hypothesis.endpoint, hypothesis.arms) not in answered:
            sentence = (
                f"{ranking} ranks candidates and {rule} lets outcomes move the allocation: whoever comes late differs from "
                "whoever came early and is allocated otherwise, which this test takes for an effect. Test the same "
                "endpoint and arms by period (cmh_by_period) or by a re-randomisation test (rerandomised_...) as well or "
                "instead, or leave out one of the two"
            )
            yield (*at, "tests", test), sentence


def _recruitment(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield a ranking of candidates where there are none, or by a covariate that does not exist."""
    name, parameters = design.policies["recruitment"]
    place = (*at, "policies", "recruitment")
    accrual = parts.world.accrual
    if name != "first_come_first_served" and accrual is not None and accrual.sites is None:
        yield place, f"{name} ranks candidates, and without accrual: {{sites: {{...}}}} there are none"
    if name in AT_REVIEWS and design.reviews is None:
        yield (
            place,
            f"{name} learns at reviews, and the design has none; add reviews: {{every: {{enrolled: 20}}}}",
        )
    yield from ranking_findings(place, {name: parameters}, parts.world)
    monitored = recommending(design.policies["monitoring"])
    yield from monitoring_findings(policy_place(at, "monitoring", design), *monitored, parts.world)


def _tested_endpoints(design: Design, parts: TrialParts) -> Iterator[Any]:
    """Yield the endpoints that a design tests."""
    for test in design.tests:
        if test in parts.hypotheses and parts.hypotheses[test].endpoint in parts.world.endpoints:
            yield parts.world.endpoints[parts.hypotheses[test].endpoint]


def _accrual(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield a number of patients that is not expected to be reached before the horizon."""
    accrual, horizon = parts.world.accrual, parts.world.horizon
    if accrual is None or accrual.kind == "uniform":
        return
    if accrual.sites is not None:
        caps = [group.count * group.cap for group in accrual.sites.values() if group.cap is not None]
        if len(caps) == len(accrual.sites) and sum(caps) < design.n:
            yield (
                (*at, "n"),
                f"at most {sum(caps):,} of {design.n:,} patients fit under the caps of the sites",
            )
        return
    pieces = accrual.rates or (((0.0, accrual.rate),) if accrual.rate is not None else ())
    if not pieces:
        return
    expected = 0.0
    for (start, rate), end in zip(pieces, [*(start for start, _ in pieces[1:]), horizon], strict=True):
        expected += rate * max(min(end, horizon) - start, 0.0)
    if expected < design.n * (1 - 1e-9):
        sentence = f"about {expected:.0f} of {design.n} patients come before the horizon of {horizon:g} days"
        yield (*at, "n"), sentence
