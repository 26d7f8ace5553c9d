"""What a look at a real trial says."""

from __future__ import annotations

from dataclasses import dataclass

from trialsim.designs.boundaries import Boundaries
from trialsim.interim.data_file import TrialData
from trialsim.interim.design import InterimDesign

REJECT, GIVE_UP, GO_ON, NOT_REJECTED, STOPPED = "reject", "give_up", "go_on", "not_rejected", "stopped_before"
LEAST_P, MOST_P = 1e-6, 0.5  # repeated p values are sought between these levels


@dataclass(frozen=True)
class Conclusion:
    """Inference on the effect, on the scale of the analysis.

    Parameters
    ----------
    method
        What it is.
    p_value
        One- or two-sided as the design is.
    estimate
        The estimated effect.
    lower, upper
        Limits; infinite ones are None in the document.
    """

    method: str
    p_value: float
    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class InterimAnalysis:
    """What one look says.

    Parameters
    ----------
    design
        How the trial is analysed.
    look
        Number of the look, from 1.
    is_last
        Whether no look is left.
    data
        The patients.
    counted
        What has been seen in the unit of the maximum.
    estimate, se, z, nominal_p
        The plain test.
    bounds
        Bounds at the information seen and planned, all looks.
    decision
        ``reject``, ``give_up``, ``go_on``, ``not_rejected``, or ``stopped_before`` where an earlier look had rejected.
    conclusions
        Repeated inference, and where the trial ends here the inference adjusted for its looks.
    chances
        Conditional power (``trend``, ``design_effect``), conditional error (``no_effect``) and ``predictive`` power under
        a flat prior; empty where no look is left.
    rejected_at
        The earlier look that had rejected, from 1; None where there is none.
    """

    design: InterimDesign
    look: int
    is_last: bool
    data: TrialData
    counted: float
    estimate: float
    se: float
    z: float
    nominal_p: float
    bounds: Boundaries
    decision: str
    conclusions: tuple[Conclusion, ...]
    chances: dict[str, float]
    rejected_at: int | None

    @property
    def ratio(self) -> bool:
        """Whether the effect is the logarithm of a ratio."""
        return self.design.told.ratio
