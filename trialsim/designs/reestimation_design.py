"""The design that re-estimates its size: by conditional power with weights fixed in advance, or blinded by the variance."""

from __future__ import annotations

import math

import numpy as np

from trialsim.contracts import BoundsFollower, Resizing
from trialsim.designs.planned_information import counts_of_looks
from trialsim.designs.reestimation_rules import (
    ByBlindedVariance,
    ByConditionalPower,
    ByEarlyEndpoint,
    Sizes,
)
from trialsim.scenario.design import Computed, Design
from trialsim.scenario.reestimation import BlindedVariance, ConditionalPower, EarlyEndpoint
from trialsim.scenario.schema import Scenario
from trialsim.stats.combination.closed_stages import ClosedPlan
from trialsim.stats.combination.inverse_normal import stage_weights

_NO_LIMIT = 1 << 40


class SampleSizeReestimation:
    """A design with two or more looks, at which its size is re-estimated.

    Unblinded, the stages are combined with weights from the planned information (Cui, Hung and Wang 1999), so that the
    level holds whatever the sizes; blinded, the statistic of all data is tested.
    """

    name = "sample_size_reestimation"
    reference = (
        "Mehta and Pocock 2011; Cui, Hung and Wang 1999; Kieser and Friede 2003 (blinded); Tsiatis 1982, Irle and Schaefer "
        "2012 (events)"
    )

    def bounds(self, design: Design, test: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return efficacy and futility bounds on the z scale by look; without any, the last is that of the level.

        Parameters
        ----------
        design
            The design of a loaded scenario.
        test
            Name of the hypothesis tested.
        """
        return design.efficacy_z(test), design.futility_z(test)

    def follower(self, scenario: Scenario, name: str, test: str) -> BoundsFollower | None:
        """Return None: weights and bounds are those of the plan, whatever the sizes become."""
        return None

    def computed(self, scenario: Scenario, name: str, solved: int | None) -> Computed:
        """Return the bounds of a design that names their family: see :mod:`trialsim.designs.computed_bounds`."""
        from trialsim.designs.computed_bounds import computed_bounds

        return computed_bounds(scenario, name, solved)

    def resizing(self, scenario: Scenario, name: str) -> Resizing:
        """Return how a design re-estimates its size.

        Parameters
        ----------
        scenario
            A loaded scenario.
        name
            The design.
        """
        design = scenario.designs[name]
        assert design.reestimation is not None
        split = design.patient_wise
        if split is not None and split.events is not None:
            counts: tuple[int, ...] | None = tuple(np.cumsum(split.events).tolist())
        else:
            counts = counts_of_looks(design.looks)
        assert counts is not None
        rates = tuple(count / counts[-1] for count in counts)
        rule = design.reestimation.rule
        if isinstance(rule, EarlyEndpoint):
            planned = design.looks[-1].when.count or 0
            early = ByEarlyEndpoint(rule.maximum_events - planned, (rule.zone[0], rule.zone[1]))
            per_information = _per_information(design, next(iter(design.tests)), scenario)
            return Resizing(early, np.array(rates), True, counts, per_information, True)
        looks = tuple(look - 1 for look in rule.looks or range(1, len(counts)))
        sizes = _sizes(design, next(iter(design.tests)), scenario, counts)
        if isinstance(rule, BlindedVariance):
            alpha = next(iter(design.tests.values())).alpha
            chosen: ByBlindedVariance | ByConditionalPower = ByBlindedVariance(
                sizes, looks, rule.effect, alpha, rule.power
            )
        else:
            chosen = _by_conditional_power(design, rule, sizes, looks, rates)
        return Resizing(
            chosen, np.array(rates), isinstance(rule, ConditionalPower), counts, sizes.counted_per_information,
            design.counts_events,
        )  # fmt: skip

    def closed_plan(self, scenario: Scenario, name: str) -> ClosedPlan | None:
        """Return what the combination test of stages that are split by patients fixes in advance; None for increments.

        Parameters
        ----------
        scenario
            A loaded scenario.
        name
            The design.
        """
        design = scenario.designs[name]
        if design.patient_wise is None:
            return None
        test = next(iter(design.tests))
        rates = self.resizing(scenario, name).rates
        shares = tuple(float(share) for share in reversed(_shares(design, test, scenario)))
        return ClosedPlan(
            stage_weights(tuple(rates.tolist())),
            np.array(design.efficacy_z(test)),
            shares,
            "dunnett",
            False,
            1.0,
        )


def _by_conditional_power(
    design: Design, rule: ConditionalPower, sizes: Sizes, looks: tuple[int, ...], rates: tuple[float, ...]
) -> ByConditionalPower:
    """Return the rule of a design that is not blinded."""
    bounds = design.efficacy_z(next(iter(design.tests)))
    zone = None if rule.zone is None else (rule.zone[0], rule.zone[1])
    stage = (rule.stage_minimum or 1, rule.stage_maximum or _NO_LIMIT)
    effect = rule.effect if rule.hazard_ratio is None else abs(math.log(rule.hazard_ratio))
    return ByConditionalPower(sizes, looks, rates, bounds, rule.target, zone, effect, stage)


def _sizes(design: Design, test: str, scenario: Scenario, counts: tuple[int, ...]) -> Sizes:
    """Return what the rules know of the plan; limits of patients become limits of read-outs in proportion.

    Limits of events are what they are, and an event more is the least that there can be.
    """
    assert design.reestimation is not None
    rule = design.reestimation.rule
    shares = _shares(design, test, scenario)
    block = sum(shares) // math.gcd(*shares)
    per_information = _per_information(design, test, scenario)
    last = counts[-1]
    if isinstance(rule, ConditionalPower) and rule.maximum_events is not None:
        least = last if rule.minimum_events is None else rule.minimum_events
        return Sizes(counts, least, rule.maximum_events, 1, per_information)
    assert not isinstance(rule, EarlyEndpoint) and rule.maximum is not None
    least = design.n if rule.minimum is None else rule.minimum
    return Sizes(
        counts, -(-least * last // design.n), rule.maximum * last // design.n, block, per_information
    )


def _shares(design: Design, test: str, scenario: Scenario) -> tuple[int, int]:
    """Return the shares of treatment and control in the allocation."""
    treatment, control = scenario.hypotheses[test].arms
    ratio = design.allocation.ratio or {}
    return ratio.get(treatment, 1), ratio.get(control, 1)


def _per_information(design: Design, test: str, scenario: Scenario) -> float:
    """Return read-outs or events of both arms for one unit of information."""
    shares = _shares(design, test, scenario)
    return sum(shares) ** 2 / (shares[0] * shares[1])
