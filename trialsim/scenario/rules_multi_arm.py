"""Rules for multi-arm multi-stage designs: one question asked of every arm, that a closed test can answer."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Design
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.rules_stages import stage_findings
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts, arms_of
from trialsim.scenario.wording import listed

MOST_COMPARED = 8
"""Arms beside control: there are 2**8 - 1 intersections of as many hypotheses."""

_OWN_KEYS = ("selection", "combination", "stages", "intersection_test")


def multi_arm_findings(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield what a multi-arm multi-stage design cannot have, and its keys where another kind has them."""
    if design.kind != "multi_arm_multi_stage":
        early = design.reestimation is not None and design.reestimation.early_endpoint is not None
        for key in _OWN_KEYS:
            if getattr(design, key) is not None and not (early and key == "stages"):
                yield (*at, key), f"belongs to a design of kind: multi_arm_multi_stage, not {design.kind}"
        return
    yield from _comparisons(at, design, parts)
    yield from _levels(at, design)
    yield from _bounds(at, design)
    yield from _selection(at, design, parts)
    yield from stage_findings(at, design, parts)
    yield from _policies(at, design)


def _comparisons(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield tests that are not one comparison of each arm with control, all of the same kind."""
    arms = arms_of(design, parts)
    tests = {test: parts.hypotheses[test] for test in design.tests if test in parts.hypotheses}
    if not arms or len(tests) < len(design.tests):
        return
    if len(set(arms)) < 3:
        yield (
            (*at, "kind"),
            "one arm is compared with control, so that there is none to choose; use group_sequential",
        )
    if len(set(arms)) - 1 > MOST_COMPARED:
        sentence = f"{len(set(arms)) - 1} arms are compared with control; at most {MOST_COMPARED} can be tested closed"
        yield (*at, "kind"), sentence
    compared: dict[str, str] = {}
    for test, hypothesis in tests.items():
        place = (*at, "tests", test)
        if len(hypothesis.arms) == 1:
            yield place, f"has one arm; every test compares an arm with control, '{arms[0]}'"
            continue
        arm, control = hypothesis.arms
        if control != arms[0]:
            yield (
                place,
                f"compares '{arm}' with '{control}'; every test compares an arm with control, '{arms[0]}'",
            )
        elif arm in compared:
            yield place, f"the arm '{arm}' is compared with control by '{compared[arm]}' already"
        compared.setdefault(arm, test)
    missing = [arm for arm in arms[1:] if arm not in compared]
    if missing:
        yield (*at, "tests"), f"a test is required for every arm but control; missing: {listed(missing)}"
    yield from _alike(at, tests)
    for test, hypothesis in tests.items():
        yield from _analysis((*at, "tests", test), hypothesis, design, parts)


def _alike(at: Place, tests: dict[str, Hypothesis]) -> Iterator[Finding]:
    """Yield tests that differ in more than the arm."""
    first, *others = tests.items()
    for test, hypothesis in others:
        for key, what in (
            ("endpoint", "endpoint"),
            ("direction", "direction"),
            ("analysis", "analysis"),
            ("strategy", "strategy for intercurrent events"),
        ):
            if getattr(hypothesis, key) != getattr(first[1], key):
                sentence = (
                    f"has another {what} than '{first[0]}'; arms that are selected together are tested alike"
                )
                yield (*at, "tests", test), sentence


def _analysis(place: Place, hypothesis: Hypothesis, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield an analysis whose stages have no p values of their own."""
    endpoint = parts.world.endpoints.get(hypothesis.endpoint)
    survival, split = endpoint is not None and endpoint.kind == "survival", design.patient_wise
    if survival and split is not None and split.interim_information and hypothesis.analysis != "logrank":
        yield (
            place,
            "stages that are tested at their own looks and again at their ends are tested by independent increments of the "
            f"log-rank score, which {hypothesis.analysis} has not; use analysis: logrank, or leave interim_information out",
        )
    if survival and split is None and hypothesis.analysis != "logrank":
        yield (
            place,
            f"stages of a survival endpoint are independent increments of the log-rank score, which {hypothesis.analysis} "
            "has not; use analysis: logrank, or stages: {patient_wise: {events: [...]}}, the patients of each stage "
            "followed to an end fixed in advance",
        )
    if hypothesis.analysis.startswith("rerandomised_"):
        yield place, "a re-randomisation test cannot be taken of a stage; use the analysis that it redraws"


def _levels(at: Place, design: Design) -> Iterator[Finding]:
    """Yield levels that differ: there is one, the familywise one."""
    levels = {test.alpha for test in design.tests.values()}
    if len(levels) > 1:
        told = listed([f"{level:g}" for level in sorted(levels)])
        sentence = f"the tests have the levels {told}; a closed test has one, at which it holds familywise: give it to each"
        yield (*at, "tests"), sentence


def _bounds(at: Place, design: Design) -> Iterator[Finding]:
    """Yield bounds that do not suit the combination."""
    fisher = None if design.combination is None else design.combination.fisher
    if isinstance(design.bounds, dict):
        yield (*at, "bounds"), "a closed test has one bound at each look, for all tests: {efficacy_z: [...]}"
    if design.under is not None and len(set((design.allocation.ratio or {"": 1}).values())) > 1:
        sentence = (
            "a size is solved for arms of one size; give n and looks, and see with trialsim sweep which do"
        )
        yield (*at, "under"), sentence
    if design.futility_binding:
        sentence = "futility does not bind in a multi-arm design: its level holds whether futility is followed or not"
        yield (*at, "futility_binding"), sentence
    if design.futility is not None and design.futility[0] != "z":
        sentence = (
            f"futility by {design.futility[0]} is for one comparison; allowed: z, which an arm's own combined statistic "
            "must exceed, such as futility: {z: [0]}"
        )
        yield (*at, "futility"), sentence
    if fisher is None:
        return
    for key in ("efficacy", "bounds", "futility", "information"):
        if getattr(design, key) is not None:
            sentence = (
                "Fisher's product has critical values of its own, from alpha and its futility_p; leave it out"
            )
            yield (*at, key), sentence
    if len(design.looks) > 12:
        yield (*at, "looks"), f"{len(design.looks)} looks; Fisher's product combines at most 12 stages"
    for test in design.tests.values():
        if fisher.futility_p <= test.alpha:
            sentence = (
                f"{fisher.futility_p:g} is not above the level {test.alpha:g}: what rejects would be given up"
            )
            yield (*at, "combination", "fisher", "futility_p"), sentence
            return


def _selection(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield a rule that can never leave an arm out."""
    if design.selection is None:
        return
    if len(design.looks) == 1:
        yield (*at, "selection"), "arms are selected at interim looks, and this design has one look, the last"
    losers = design.selection.drop_the_losers
    experimental = len(set(arms_of(design, parts))) - 1
    if losers is not None and experimental > 0 and losers.keep[-1] >= experimental:
        sentence = f"{losers.keep[-1]} kept of {experimental} experimental arms drops none; use keep_all"
        yield (*at, "selection", "drop_the_losers", "keep"), sentence


def _policies(at: Place, design: Design) -> Iterator[Finding]:
    """Yield policies that decide what the design decides, or that let outcomes of a stage move its allocation."""
    stopping = design.policies["stopping"][0]
    if stopping != "bounds":
        sentence = f"{stopping} decides beside the selection of the design; use bounds, and selection for which arms go on"
        yield (*at, "policies", "stopping"), sentence
    if design.policies["randomisation"][0] != "by_design":
        sentence = (
            f"{design.policies['randomisation'][0]} lets outcomes move the allocation within a stage, so that its p value "
            "would not be what the combination takes it for; leave the randomisation policy out"
        )
        yield (*at, "policies", "randomisation"), sentence
