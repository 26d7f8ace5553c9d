"""Rules for the stages of a combination test: what arms may be chosen by, and what a split by patients takes."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim.scenario.design import Bounds, Design
from trialsim.scenario.multi_arm import Fisher, PatientWise
from trialsim.scenario.rules_world import Finding
from trialsim.scenario.trial_parts import Place, TrialParts
from trialsim.scenario.wording import unknown


def stage_findings(at: Place, design: Design, parts: TrialParts) -> Iterator[Finding]:
    """Yield choices of arms that the stages do not allow, and ends of stages that do not suit.

    Increments of a log-rank score are independent of interim decisions that saw nothing but the score (Tsiatis 1982).
    Whoever chooses by something else of patients who are still followed needs a split by patients (Jenkins, Stone and
    Jennison 2011; Irle and Schaefer 2012).
    """
    tested = _tested(design, parts)
    yield from _chosen_by(at, design, parts, tested)
    if design.patient_wise is not None:
        yield from _split(at, design, design.patient_wise, parts, tested)


def _tested(design: Design, parts: TrialParts) -> str | None:
    """Return the endpoint that is tested, None where that cannot be told."""
    first = next(iter(design.tests), "")
    return parts.hypotheses[first].endpoint if first in parts.hypotheses else None


def _chosen_by(at: Place, design: Design, parts: TrialParts, tested: str | None) -> Iterator[Finding]:
    """Yield an endpoint that arms are chosen by where it does not exist or makes stages dependent."""
    by = None if design.selection is None else design.selection.by
    if design.selection is None or by is None:
        return
    place = (*at, "selection", design.selection.kind, "by")
    if by.endpoint not in parts.endpoint_names:
        yield (*place, "endpoint"), unknown("the endpoint", by.endpoint, parts.endpoint_names)
        return
    if by.endpoint == tested:
        yield (
            (*place, "endpoint"),
            f"'{by.endpoint}' is what the tests are about; arms are chosen by it without by",
        )
    if design.under is not None:
        sentence = "a size is solved for arms chosen by the endpoint of the tests; give n and looks in place of under"
        yield (*at, "under"), sentence
    if tested is None or by.endpoint == tested or design.stages is not None:
        return
    kind = parts.world.endpoints[tested].kind if tested in parts.world.endpoints else ""
    what = "increments of the log-rank score" if kind == "survival" else "later read-outs"
    cure = (
        "write stages: {patient_wise: {events: [...]}}, or "
        if kind == "survival"
        else "leave by out, or write "
    )
    yield (
        place,
        f"arms are chosen by '{by.endpoint}' of patients who are still followed for '{tested}': their {what} are not "
        f"independent of the choice, and the level is not held; {cure}stages: increments, to see by how much",
    )


def _split(
    at: Place, design: Design, split: PatientWise, parts: TrialParts, tested: str | None
) -> Iterator[Finding]:
    """Yield what does not suit stages that are split by patients."""
    place, looks = (*at, "stages", "patient_wise"), len(design.looks)
    endpoint = parts.world.endpoints.get(tested or "")
    if endpoint is not None and endpoint.kind != "survival":
        yield place, f"is for survival endpoints, and '{tested}' is {endpoint.kind}; leave stages out"
    if looks == 1:
        yield place, "one look has one stage, and nothing to split; leave stages out"
    elif split.ends != looks:
        yield place, f"{split.ends} ends for {looks} looks; give one for the stage of each look"
    if split.events is not None and sum(split.events) > design.n:
        sentence = f"{sum(split.events)} events exceed the {design.n} patients that can be enrolled"
        yield (*place, "events"), sentence
    for number, days in enumerate(split.calendar or ()):
        if days > parts.world.horizon:
            sentence = f"{days:g} days is beyond the horizon of {parts.world.horizon:g} days, at which the trial ends"
            yield (*place, "calendar", number), sentence
    if split.interim_information is None:
        yield from _bounds(at, design)
    else:
        yield from _interim(at, design, split, split.interim_information, tested)
    yield from _combination(at, design, split)


_SHARES = "stages: {patient_wise: {..., interim_information: [...]}}, a share for each look but the last"


def _bounds(at: Place, design: Design) -> Iterator[Finding]:
    """Yield bounds at looks at which no stage is tested."""
    if design.efficacy is not None:
        sentence = (
            "stages that are split by patients have their p values at the last look, so that no look before it rejects; "
            "leave efficacy out: the last look is judged at alpha; or say what share of each stage's information is tested "
            f"at its own look: {_SHARES}"
        )
        yield (*at, "efficacy"), sentence
    bounds = design.bounds
    if not isinstance(bounds, Bounds):
        return
    for look, bound in enumerate(bounds.efficacy_z[:-1]):
        if bound is not None:
            sentence = (
                f"{bound:g} at look {look + 1}: stages that are split by patients have their p values at the last look; "
                f"write null, or what share of each stage's information is tested at its own look: {_SHARES}"
            )
            yield (*at, "bounds", "efficacy_z", look), sentence


def _interim(
    at: Place, design: Design, split: PatientWise, shares: tuple[float, ...], tested: str | None
) -> Iterator[Finding]:
    """Yield what does not suit stages that are tested at their own looks and again at their ends.

    A stage's two parts are increments of one score, of which the first must leave something for the second.
    """
    place, looks = (*at, "stages", "patient_wise", "interim_information"), len(design.looks)
    if looks > 1 and len(shares) != looks - 1:
        sentence = f"{len(shares)} shares for {looks} looks; give one for each look but the last"
        yield place, sentence
    if design.combination is not None and design.combination.fisher is not None:
        sentence = "parts of stages are weighted by their information, which Fisher's product does not; use inverse_normal"
        yield place, sentence
        return
    written = design.bounds.efficacy_z[:-1] if isinstance(design.bounds, Bounds) else ()
    if design.efficacy is None and all(bound is None for bound in written):
        sentence = (
            "stages are tested at their own looks so that these may reject, and no look before the last has a bound; give "
            "efficacy, or leave interim_information out"
        )
        yield place, sentence
    first = design.looks[0].when
    if split.events is None or first.kind != "events" or first.count is None:
        return
    of_all = first.endpoint in (None, tested) and first.arms is None and first.open_arms is None
    if of_all and first.count >= split.events[0]:
        sentence = (
            f"look 1 waits for {first.count} events, and stage 1 ends with {split.events[0]}: nothing would be left to "
            "test at its end; let it end later, or look earlier"
        )
        yield (*at, "looks", 0, "when"), sentence


def _combination(at: Place, design: Design, split: PatientWise) -> Iterator[Finding]:
    """Yield a combination that counts on what only later looks know, and weights that are missing or said twice."""
    fisher = None if design.combination is None else design.combination.fisher
    inside = (*at, "combination", "fisher")
    if fisher is not None and fisher.futility_p < 1.0:
        sentence = "p values of stages that are split by patients are known at the last look alone; leave futility_p out"
        yield (*inside, "futility_p"), sentence
    if fisher is not None and fisher.method != Fisher.model_fields["method"].default:
        sentence = "shares the level among looks, of which the last alone rejects here; leave method out"
        yield (*inside, "method"), sentence
    if fisher is None and split.events is None and design.information is None:
        sentence = (
            "is required where stages end by the calendar: the weights of the stages, fixed in advance, such as "
            "information: [0.5, 1]"
        )
        yield (*at, "information"), sentence
    if fisher is None and split.events is not None and design.information is not None:
        yield (
            (*at, "information"),
            "the weights of the stages follow from the events of each; leave information out",
        )
