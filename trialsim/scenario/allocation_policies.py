"""Parameters of the policies that allocate patients to arms."""

from __future__ import annotations

from typing import Annotated

from trialsim.scenario.values import Flag, Model, NumberAtom, WordAtom


class Thompson(Model):
    """Allocate by a power of the probability that each arm is the best."""

    power: Annotated[float, NumberAtom(least=0, most=10)] = 1.0
    tempered: Flag = False
    minimum: Annotated[float, NumberAtom(least=0, most=0.5)] = 0.0
    maximum: Annotated[float, NumberAtom(least=0.5, most=1)] = 1.0
    prior_a: Annotated[float, NumberAtom(least=0.05, most=100_000)] = 1.0
    prior_b: Annotated[float, NumberAtom(least=0.05, most=100_000)] = 1.0


class ProtectedControl(Model):
    """Keep a share for control, and allocate the others by a power of the probability of being the best of them."""

    share: Annotated[float, NumberAtom(least=0, most=0.9)] = 0.0
    power: Annotated[float, NumberAtom(least=0, most=10)] = 1.0
    power_at_start: Annotated[float, NumberAtom(least=-1, most=10)] = -1.0
    minimum: Annotated[float, NumberAtom(least=0, most=0.5)] = 0.0
    maximum: Annotated[float, NumberAtom(least=0.5, most=1)] = 1.0
    prior_a: Annotated[float, NumberAtom(least=0.05, most=100_000)] = 1.0
    prior_b: Annotated[float, NumberAtom(least=0.05, most=100_000)] = 1.0


ALLOCATION_CONTROLS = ("oracle", "adversarial", "random", "emulated")
"""Policies of allocation that look at the truth or at nothing, never at outcomes."""


class AllocationControl(Model):
    """Favour one arm: the best, the worst or any, as only nature or chance knows it."""

    minimum: Annotated[float, NumberAtom(least=0, most=0.5)] = 0.1


class EmulatedAllocation(Model):
    """Favour the arm that a score of a chosen area under the curve takes for the best."""

    auc: Annotated[float, NumberAtom(least=0.001, most=0.999)]
    minimum: Annotated[float, NumberAtom(least=0, most=0.5)] = 0.1


class DoublyAdaptive(Model):
    """Steer allocation towards an estimated target by the doubly adaptive biased coin."""

    target: Annotated[str, WordAtom(("rosenberger", "neyman"))] = "rosenberger"
    gamma: Annotated[float, NumberAtom(least=0, most=20)] = 2.0
    minimum: Annotated[float, NumberAtom(least=0, most=0.5)] = 0.0
    maximum: Annotated[float, NumberAtom(least=0.5, most=1)] = 1.0
