"""The size of a multi-arm multi-stage design: the patients with which it shows an arm that works, by its own rules.

No closed form exists where arms are selected (Bretz et al. 2006). The stages' statistics are normal, so that a trial is
drawn from one normal number an arm and stage; the closed test and the selection are those of the simulation proper. The
normal numbers are a scrambled Sobol sequence of fixed seed, the same for every size: the power is a smooth function of the
size, with an error below 0.003.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from trialsim.contracts import LookView, Status, StoppingPolicy
from trialsim.stats.combination.closed_stages import ClosedPlan, ClosedStages

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

POINTS = 1 << 14
_SEED = 20_001
_MOST_AN_ARM = 1_000_000


@dataclass(frozen=True)
class StagesOfArms:
    """What the stages of a design are drawn from.

    Parameters
    ----------
    plan
        The closed test.
    policy
        Which arms go on, and when the trial stops.
    futility
        Bounds on an arm's own combined statistic by look.
    means
        True means of control and of the arms, benefit upwards, ``[1 + arm]``.
    deviations
        Standard deviations of one outcome, ``[1 + arm]``.
    rates
        Patients of an arm at each look over those at the last, ``[look]``.
    pooled
        Returns the standard error squared per patient of a difference from the two observed means (rates); None where it is
        known to be that of ``deviations``.
    """

    plan: ClosedPlan
    policy: StoppingPolicy
    futility: tuple[float, ...]
    means: Floats
    deviations: Floats
    rates: tuple[float, ...]
    pooled: Callable[[Floats, Floats], Floats] | None = None


def size_of_an_arm(stages: StagesOfArms, power: float) -> int | None:
    """Return the fewest patients of each arm with which some arm that works is shown with a power; None where none do."""
    normals = _normals(len(stages.rates), len(stages.means))
    most = 4
    while disjunctive_power(stages, most, normals) < power:
        most *= 2
        if most > _MOST_AN_ARM:
            return None
    least = most // 2
    while most - least > 1:
        middle = (least + most) // 2
        if disjunctive_power(stages, middle, normals) < power:
            least = middle
        else:
            most = middle
    return most


def disjunctive_power(stages: StagesOfArms, patients: int, normals: Floats | None = None) -> float:
    """Return the chance to show at least one arm that is better than control.

    Parameters
    ----------
    stages
        The design under a truth.
    patients
        Of each arm by the last look.
    normals
        Standard normal numbers ``[stage, 1 + arm, point]``; by default those that sizes are found with.
    """
    drawn = _normals(len(stages.rates), len(stages.means)) if normals is None else normals
    looks, arms, points = len(stages.rates), len(stages.means) - 1, drawn.shape[2]
    tests = ClosedStages(stages.plan, points)
    rejected, futile = np.zeros((points, arms), dtype=bool), np.zeros((points, arms), dtype=bool)
    sums, counted = np.zeros((arms + 1, points)), 0.0
    going = np.arange(points)
    before = 0.0
    for look in range(looks):
        added = (stages.rates[look] - before) * patients
        before = stages.rates[look]
        seen = stages.means[:, None] + stages.deviations[:, None] * drawn[look][:, going] / np.sqrt(added)
        counted += added
        sums[:, going] += added * seen
        there = ~(rejected | futile)[going].T
        z = np.where(there, _statistics(stages, seen, added), np.nan)
        found = tests.add(going, np.full(len(going), look), z, there, None)
        overall = sums[:, going] / counted
        view = _view(
            stages, look, looks, going, found.closed, found.own, found.lost, there, overall, rejected, futile
        )
        decision, _ = stages.policy.decide(view, {})
        assert decision.reject is not None and decision.futile is not None and decision.stop is not None
        rejected[going] |= decision.reject
        futile[going] |= decision.futile
        going = going[~decision.stop]
        if not len(going):
            break
    works = stages.means[1:] > stages.means[0]
    return float(rejected[:, works].any(axis=1).mean())


def _normals(stages: int, arms: int) -> Floats:
    """Return standard normal numbers, ``[stage, arm, point]``."""
    from scipy.stats import qmc

    uniform = qmc.Sobol(stages * arms, seed=_SEED).random(POINTS)
    normal = ndtri(np.clip(uniform, 1e-12, 1.0 - 1e-12))
    return np.ascontiguousarray(normal.T.reshape(stages, arms, POINTS))


def _statistics(stages: StagesOfArms, seen: Floats, patients: float) -> Floats:
    """Return the statistics of a stage's own data, ``[arm, point]``."""
    if stages.pooled is None:
        variance = (stages.deviations[1:] ** 2 + stages.deviations[0] ** 2)[:, None] / patients
    else:
        variance = stages.pooled(seen[1:], seen[:1]) / patients
    return np.asarray((seen[1:] - seen[:1]) / np.sqrt(variance))


def pooled_rates(treatment: Floats, control: Floats) -> Floats:
    """Return the variance of a difference of two rates per patient of an arm, from the rates taken together."""
    together = np.clip(0.5 * (treatment + control), 1e-6, 1.0 - 1e-6)
    return np.asarray(2.0 * together * (1.0 - together))


def _view(
    stages: StagesOfArms,
    look: int,
    looks: int,
    going: NDArray[np.int64],
    closed: Floats,
    own: Floats,
    lost: Bools,
    there: Bools,
    overall: Floats,
    rejected: Bools,
    futile: Bools,
) -> LookView:
    """Return what the stopping policy sees; effects are signed so that more is better."""
    size, arms = len(going), len(stages.means) - 1
    nothing = np.zeros((size, arms + 1), dtype=np.int64)
    ok, not_there = np.int8(Status.OK), np.int8(Status.NOT_ANALYSED)
    return LookView(
        replicate=going,
        look=np.full(size, look),
        is_last=np.full(size, look == looks - 1),
        cut_days=np.zeros(size),
        z=np.where(there, closed, np.nan).T,
        effect=(overall[1:] - overall[:1]).T,
        se=np.ones((size, arms)),
        information=np.ones((size, arms)),
        status=np.where(there, ok, not_there).T,
        efficacy_z=np.full((size, arms), stages.plan.efficacy[look]),
        futility_z=np.full((size, arms), stages.futility[look]),
        test_arms=np.array([[arm + 1, 0] for arm in range(arms)]),
        rejected=rejected[going],
        futile=futile[going],
        open_arms=np.ones((size, arms + 1), dtype=bool),
        arm_enrolled=nothing,
        arm_events=nothing,
        arm_readouts=nothing,
        own_z=np.where(there, own, np.nan).T,
        lost=lost.T,
    )
