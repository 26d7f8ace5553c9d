"""A look at a real trial in sentences: what to do, and what may not be meant."""

from __future__ import annotations

from trialsim.interim.result import GIVE_UP, NOT_REJECTED, REJECT, InterimAnalysis


def recommendation(found: InterimAnalysis) -> str:
    """Return what the bounds say is to be done, as a sentence."""
    place = found.look - 1
    z, bound = f"z = {found.z:.3f}", found.bounds.efficacy_z[place]
    two_sided = found.design.plan.request.sides == 2
    at = f"the efficacy bound {bound:.3f}" + (" of its absolute value" if two_sided else "")
    if found.rejected_at is not None:
        return (
            f"The trial rejected at look {found.rejected_at}; with the data that came after it the p value is "
            f"{found.conclusions[0].p_value:.4g} (combination method)."
        )
    if found.decision == REJECT:
        if two_sided and found.z < 0.0:
            lead = f"{'Reject' if found.is_last else 'Stop'} in favour of {found.design.arms[0]}"
        else:
            lead = "Reject" if found.is_last else "Stop for efficacy"
        return f"{lead}: {z} reaches {at} of look {found.look}."
    if found.decision == NOT_REJECTED:
        return f"Do not reject: {z} stays short of {at} of the last look."
    if found.decision == GIVE_UP:
        binding = found.design.plan.request.futility_binding
        rest = (
            "which is binding: going on would raise the type I error."
            if binding
            else "which is not binding: going on costs no type I error."
        )
        return f"Stop for futility: {z} is within the futility bound {found.bounds.futility_z[place]:.3f}, {rest}"
    chances = found.chances
    effect = (
        f", {chances['design_effect']:.3f} under the design's effect" if "design_effect" in chances else ""
    )
    return f"Go on: {z} stays short of {at}; conditional power is {chances['trend']:.3f} under the trend seen{effect}."


def notes(found: InterimAnalysis) -> tuple[str, ...]:
    """Return sentences on what may not be meant."""
    said = list(found.bounds.warnings)
    asked = found.design.plan.request
    for place, look in enumerate(found.design.looks):
        z = abs(look.z) if asked.sides == 2 else look.z
        if z <= found.bounds.futility_z[place]:
            kind = "binding" if asked.futility_binding else "non-binding"
            said.append(f"Look {place + 1} had reached its {kind} futility bound, and the trial went on.")
    if found.design.analysis == "fleming_harrington":
        said.append(
            "The information is the variance of the weighted score; estimates, intervals and chances take the weighted "
            "effect as the same at all times, and are rough where it is not."
        )
    if found.data.missing:
        said.append(f"{found.data.missing} patients have no value yet and are left out.")
    if found.data.others:
        arms = ", ".join(f"{name or '(none)'}: {count}" for name, count in sorted(found.data.others.items()))
        said.append(
            f"Patients of arms that are not compared are left out ({arms}). Were the arms compared chosen by what they had "
            "shown, these bounds do not hold: plan a closed combination test (kind: multi_arm_multi_stage)."
        )
    return tuple(said)
