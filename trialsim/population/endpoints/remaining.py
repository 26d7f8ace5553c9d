"""Binary and continuous outcomes of patients who no longer take the treatment: with what is left of its effect."""

from __future__ import annotations

from trialsim.compiled import kernel
from trialsim.elementary import standard_normal
from trialsim.population.endpoints.binary import response_probability
from trialsim.population.endpoints.continuous import measured_value


@kernel
def outcome_with(u, binary, control, own, main, modifier, drift, on_probability, weight, sd):  # type: ignore[no-untyped-def]
    """Return what a read-out shows where some of the arm's effect is left.

    The effect is what the arm adds to control's linear predictor, interactions included; ``weight`` of it is left. With
    nothing left the outcome is the very one that the patient would have had on control.

    Parameters
    ----------
    u
        The patient's uniform at the address of the read-out.
    binary
        Whether the outcome is binary; it is continuous otherwise.
    control, own
        Intercepts of control and of the arm whose effect it is.
    main, modifier, drift
        What the patient adds in every arm, in arms other than control, and by the calendar.
    on_probability
        Whether the drift is added to the probability.
    weight
        What is left of the effect, from 0 to 1.
    sd
        Residual standard deviation of a continuous outcome.
    """
    shift = control + weight * ((own - control) + modifier)
    if binary:
        return 1.0 if u < response_probability(shift + main, drift, on_probability) else 0.0
    return measured_value(standard_normal(u), shift + (main + drift), sd)
