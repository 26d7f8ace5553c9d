"""What was worked out of designs that are asked in a few lines, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trialsim.scenario.design import Bounds, Design
from trialsim.scenario.inner_policies import PEOPLE
from trialsim.scenario.schema import Scenario
from trialsim.scenario.units import readable_duration
from trialsim.scenario.wording import listed

_FAR = "none"


def computed_sentences(scenario: Scenario, designs: Iterable[str] | None = None) -> Iterator[str]:
    """Yield sentences on each design whose bounds are computed or whose size is re-estimated.

    Its size where that was solved, its bounds by test, its power where one integral gives it.
    """
    for name in scenario.designs if designs is None else designs:
        design = scenario.designs[name]
        yield from _integrated(scenario, name)
        if design.computed is None:
            continue
        yield f"{name}: {_size(design)}{_counts(design)}"
        if design.kind == "multi_arm_multi_stage":
            test, bounds = next(iter(design.computed.bounds.items()))
            yield f"{name}, every arm: {_bounds(design, test, bounds)}; {_stages(design)}"
            continue
        for test, bounds in design.computed.bounds.items():
            yield f"{name}, bounds of {test}: {_bounds(design, test, bounds)}"


def _integrated(scenario: Scenario, name: str) -> Iterator[str]:
    """Yield power and mean size of a design that re-estimates its size, where an integral gives them."""
    if scenario.designs[name].reestimation is None:
        return
    from trialsim.designs.reestimation_power import power_by_truth

    found = power_by_truth(scenario, name)
    if found:
        parts = [f"{each.power:.4f} with {each.size:.1f} under {truth}" for truth, each in found.items()]
        what = "events, about," if scenario.designs[name].counts_events else "patients read out,"
        yield f"{name}: power and mean {what} by integration: {listed(parts)}"


def _stages(design: Design) -> str:
    """Return how the stages and arms of a multi-arm design are tested together, and which arms go on."""
    how = "inverse_normal" if design.combination is None else design.combination.kind
    rule = "keep_all" if design.selection is None else design.selection.kind
    by = None if design.selection is None else design.selection.by
    chosen = rule if by is None else f"{rule} by {by.endpoint}"
    text = f"stages by {how}, arms by {design.intersection_test or 'dunnett'}, closed; selection {chosen}"
    return text + _split(design)


def _split(design: Design) -> str:
    """Return to what end the patients of each stage are followed, where stages are split by patients."""
    split = design.patient_wise
    if split is None:
        return ""
    if split.events is not None:
        ends = f"{listed([f'{count:,}' for count in split.events])} events"
    else:
        ends = f"{listed([readable_duration(days) for days in split.calendar or ()])} from the start"
    text = f"; stages by patients, each to its own end: {ends}"
    if split.interim_information is not None:
        shares = listed([f"{share:g}" for share in split.interim_information])
        text += f"; tested at its own look too, planned with {shares} of its information"
    return text


def _size(design: Design) -> str:
    """Return the solved size."""
    computed = design.computed
    assert computed is not None
    if computed.events is None and computed.n is None:
        return ""
    what = f"{computed.events:,} events" if computed.events is not None else f"{computed.n:,} patients"
    return f"{what} for power {design.power:g} under {design.under}{_if_followed(design)}; "


def _if_followed(design: Design) -> str:
    """Return of a solved power that it is another where people override what the bounds recommend."""
    name, options = design.policies["stopping"]
    chance = options.get("override", 0.0) if name == PEOPLE else 0.0
    if not chance:
        return ""
    return f" if the stops are followed (they are overridden with probability {chance:g}; trialsim run has the power then)"


def _counts(design: Design) -> str:
    """Return what the looks wait for."""
    words = []
    for look in design.looks:
        count = look.when.count
        if count is not None:
            where = {None: "", "each": " in each open arm", "together": " in the open arms"}[
                look.when.open_arms
            ]
            words.append(f"{count:,} {look.when.kind}{where}")
        elif look.when.duration is not None:
            words.append(f"{look.when.kind} {readable_duration(look.when.duration)}")
        else:
            words.append(look.when.kind)
    return f"{design.n:,} patients, looks at {listed(words)}"


def _bounds(design: Design, test: str, bounds: Bounds) -> str:
    """Return the bounds of one test with the information they are for."""
    assert design.computed is not None
    information = ", ".join(f"{each:.4f}" for each in design.computed.information[test])
    text = f"information {information}; efficacy z {_row(bounds.efficacy_z)}"
    if bounds.futility_z is not None:
        text += f"; futility z {_row(bounds.futility_z[:-1])} ({'binding' if design.futility_binding else 'non-binding'})"
    if design.computed.inflation_factor is not None:
        text += f"; inflation factor {design.computed.inflation_factor[test]:.4f}"
    return text


def _row(bounds: tuple[float | None, ...]) -> str:
    return ", ".join(_FAR if z is None else f"{z:.6f}" for z in bounds)
