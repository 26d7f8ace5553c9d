"""What a multi-arm design whose size is asked for is drawn from: bounds, means and rules of its scenario."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trialsim.designs.computed_bounds import computed_bounds
from trialsim.designs.multi_arm_size import StagesOfArms, pooled_rates, size_of_an_arm
from trialsim.designs.solved_size import require_plain, value_in_arm, whole_blocks
from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import listed, shown

if TYPE_CHECKING:
    from trialsim.designs.multi_arm_multi_stage import MultiArmMultiStage

_SIZED = ("score_test", "t_test", "welch", "z_test")


def solved_patients(kind: MultiArmMultiStage, scenario: Scenario, name: str) -> int:
    """Return the patients of all arms, as many in each, for the power to show at least one arm that works.

    Parameters
    ----------
    kind
        The class of the design, which knows its closed test and its selection.
    scenario
        Checked, with some size in place of the one sought.
    name
        The design; it states power, and the truth that the size is solved under.

    Raises
    ------
    ScenarioError
        With every problem found.
    """
    design = scenario.designs[name]
    at = f"designs.{name}"
    assert design.under is not None and design.power is not None
    stages = _stages(kind, scenario, name)
    arms = len(stages.means)
    patients = size_of_an_arm(stages, design.power)
    if patients is None:
        sentence = f"no size has the power {design.power:g}: the rules of the design lose the arms that work too often"
        raise ScenarioError([Problem(f"{at}.power", sentence)])
    block = (design.allocation.size or arms) * arms // math.gcd(design.allocation.size or arms, arms)
    return whole_blocks(name, design, -(-arms * patients // block) * block)


def _stages(kind: MultiArmMultiStage, scenario: Scenario, name: str) -> StagesOfArms:
    """Return what the trial is drawn from, refused where a normal statistic would not be true."""
    design = scenario.designs[name]
    at = f"designs.{name}.under"
    world = scenario.world(str(design.under))
    hypotheses = [world.hypotheses[test] for test in design.tests]
    first = hypotheses[0]
    endpoint = world.endpoints[first.endpoint]
    if endpoint.kind == "survival":
        sentence = (
            "no size is solved for a multi-arm design on a survival endpoint, whose events depend on the arms that stay; "
            "give n and looks, and see with trialsim sweep which do"
        )
        raise ScenarioError([Problem(at, sentence)])
    if first.analysis not in _SIZED:
        sentence = f"no size is solved for {first.analysis} (there is one for {listed(_SIZED)}); state n and the looks"
        raise ScenarioError([Problem(at, sentence)])
    require_plain(world, f"designs.{name}", design, first.endpoint)
    names = [first.arms[1], *(each.arms[0] for each in hypotheses)]
    sign = -1.0 if first.direction == "lower" else 1.0
    true = np.array([value_in_arm(endpoint, arm) for arm in names])
    if not (sign * true[1:] > sign * true[0]).any():
        sentence = (
            f"under {shown(design.under)} no arm is better than {names[0]}, so that no size has the power"
        )
        raise ScenarioError([Problem(at, f"{sentence}; name a truth in which one is")])
    binary = endpoint.kind == "binary"
    known = float(getattr(endpoint, "sd", 1.0))
    sd = np.sqrt(true * (1.0 - true)) if binary else np.full(len(true), known)
    if first.analysis == "z_test" and first.analysis_options["sd"] != known:
        sentence = (
            f"the z test takes another standard deviation than '{first.endpoint}' has; state n and the looks"
        )
        raise ScenarioError([Problem(at, sentence)])
    if binary and sign < 0.0:
        true = 1.0 - true  # success is what does not happen
    elif sign < 0.0:
        true = -true
    information = design.information or tuple(
        (look + 1) / len(design.looks) for look in range(len(design.looks))
    )
    bounds = next(iter(computed_bounds(scenario, name, None, information).bounds.values()))
    efficacy = tuple(math.inf if z is None else z for z in bounds.efficacy_z)
    futility = tuple(
        -math.inf if z is None else z for z in bounds.futility_z or (None,) * len(bounds.efficacy_z)
    )
    policy = kind.stopping(scenario, name)
    policy.lower_is_better = False  # means are turned so that more is better
    return StagesOfArms(
        kind.closed_plan_with(scenario, name, efficacy),
        policy,
        futility,
        true,
        sd,
        information,
        pooled_rates if binary else None,
    )
