"""The multi-arm multi-stage design: arms against one control, chosen at looks, tested by a closed combination test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from trialsim.contracts import BoundsFollower
from trialsim.designs.computed_bounds import DIGITS, computed_bounds
from trialsim.designs.planned_information import planned_information
from trialsim.policies.select_arms import SelectArms
from trialsim.scenario.design import Bounds, Computed, Design
from trialsim.scenario.multi_arm import Selection
from trialsim.scenario.schema import Scenario
from trialsim.stats.combination.closed_stages import ClosedPlan
from trialsim.stats.combination.cohort_parts import look_rates, part_bounds, part_weights
from trialsim.stats.combination.fisher import fisher_critical, fisher_design
from trialsim.stats.combination.inverse_normal import stage_weights


class MultiArmMultiStage:
    """Several arms against one control, selected at looks, with a closed combination test that holds familywise.

    Stages are combined by the inverse normal or by Fisher's product, arms by Dunnett's, Simes' or Bonferroni's test of
    intersections; the level of the tests is the familywise one.
    """

    name = "multi_arm_multi_stage"
    reference = "Bauer and Kieser 1999; Hommel 2001; Bretz et al. 2006"

    def bounds(self, design: Design, test: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return efficacy and futility bounds on the combined statistic by look; infinite where there is none.

        Parameters
        ----------
        design
            The design of a loaded scenario.
        test
            Name of the hypothesis tested.
        """
        return design.efficacy_z(test), design.futility_z(test)

    def follower(self, scenario: Scenario, name: str, test: str) -> BoundsFollower | None:
        """Return None: the weights are fixed in advance, so that the bounds hold whatever is seen."""
        return None

    def closed_plan(self, scenario: Scenario, name: str) -> ClosedPlan:
        """Return what the closed combination test fixes in advance.

        Parameters
        ----------
        scenario
            A loaded scenario.
        name
            The design.
        """
        design = scenario.designs[name]
        return self.closed_plan_with(scenario, name, design.efficacy_z(next(iter(design.tests))))

    def closed_plan_with(self, scenario: Scenario, name: str, efficacy_z: Sequence[float]) -> ClosedPlan:
        """Return the same with bounds that may not be the design's yet."""
        design = scenario.designs[name]
        arms = design.arms or scenario.arms
        shares = design.allocation.ratio or {}
        tested = [scenario.hypotheses[test].arms[0] for test in design.tests]
        combination = design.combination
        fisher = None if combination is None else combination.fisher
        rates, split = _rates(scenario, name), design.patient_wise
        if split is None or split.interim_information is None:
            weights, bounds = stage_weights(rates), np.array(efficacy_z)
        else:
            weights, bounds = part_weights(rates, split.interim_information), part_bounds(efficacy_z)
        return ClosedPlan(
            weights,
            bounds,
            tuple(float(shares.get(arm, 1)) for arm in (arms[0], *tested)),
            design.intersection_test or "dunnett",
            fisher is not None,
            1.0 if fisher is None else fisher.futility_p,
        )

    def stopping(self, scenario: Scenario, name: str) -> SelectArms:
        """Return the policy that selects arms and stops by the design's bounds."""
        design = scenario.designs[name]
        _, parameters = design.policies["stopping"]
        selection = design.selection or Selection.model_validate("keep_all")
        hypothesis = scenario.hypotheses[next(iter(design.tests))]
        rule: dict[str, Any] = getattr(selection, selection.kind).model_dump(exclude={"by"})
        return SelectArms(
            selection.kind, lower_is_better=hypothesis.direction == "lower", **rule, **parameters
        )

    def size(self, scenario: Scenario, name: str) -> int:
        """Return the patients with which some arm that works is shown: see :mod:`trialsim.designs.multi_arm_size`."""
        from trialsim.designs.multi_arm_solved import solved_patients

        return solved_patients(self, scenario, name)

    def computed(self, scenario: Scenario, name: str, solved: int | None) -> Computed:
        """Return the bounds of a design: of a family, or the critical values of Fisher's product as deviates."""
        design = scenario.designs[name]
        fisher = None if design.combination is None else design.combination.fisher
        split = design.patient_wise
        if split is not None and split.interim_information is not None:
            rates = look_rates(_rates(scenario, name), split.interim_information)
            return computed_bounds(scenario, name, solved, rates)
        if split is not None:
            return _at_the_last_look(design, _rates(scenario, name))
        if fisher is None:
            return computed_bounds(scenario, name, solved, _rates(scenario, name))
        looks = len(design.looks)
        alpha = next(iter(design.tests.values())).alpha
        found = fisher_design(alpha, looks, fisher.futility_p, fisher.method)
        bounds = Bounds(efficacy_z=tuple(round(float(-ndtri(c)), DIGITS) for c in found.critical))
        rates = _rates(scenario, name)
        return Computed(
            information=dict.fromkeys(design.tests, rates), bounds=dict.fromkeys(design.tests, bounds)
        )


def _at_the_last_look(design: Design, rates: tuple[float, ...]) -> Computed:
    """Return the bounds of stages that are split by patients: all of alpha at the last look, nothing before it."""
    alpha = next(iter(design.tests.values())).alpha
    fisher = design.combination is not None and design.combination.fisher is not None
    level = fisher_critical(alpha, len(design.looks)) if fisher else alpha
    bounds = Bounds(efficacy_z=(*(None,) * (len(design.looks) - 1), round(float(-ndtri(level)), DIGITS)))
    return Computed(
        information=dict.fromkeys(design.tests, rates), bounds=dict.fromkeys(design.tests, bounds)
    )


def _rates(scenario: Scenario, name: str) -> tuple[float, ...]:
    """Return the information rates that give the stages' weights: those stated, of the stages, or of the looks."""
    design = scenario.designs[name]
    looks = len(design.looks)
    if design.information is not None:
        return design.information
    if design.patient_wise is not None and design.patient_wise.events is not None:
        events = np.cumsum(design.patient_wise.events)
        return tuple((events / events[-1]).tolist())
    if looks == 1 or (design.combination is not None and design.combination.fisher is not None):
        return tuple((look + 1) / looks for look in range(looks))  # a product has no weights
    return planned_information(scenario, name, next(iter(design.tests)))
