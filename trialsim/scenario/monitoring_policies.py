"""Parameters of the policies that decide at visits."""

from __future__ import annotations

from typing import Annotated

from pydantic import model_validator

from trialsim.scenario.population import TraitName
from trialsim.scenario.values import Model, NumberAtom, OpenProbability, Text, WordAtom
from trialsim.scenario.visits import MOST_VISITS
from trialsim.scenario.wording import refuse

CONTROLS = ("oracle", "adversarial", "random", "emulated")
"""Policies that act on patients by what nobody sees, or by chance."""


class DoseModification(Model):
    """From which severity on adverse events count, and after how many the dose is lowered or treatment ends."""

    level: Text
    reduce_after: Annotated[int, NumberAtom(least=1, most=1000)] | None = None
    discontinue_after: Annotated[int, NumberAtom(least=1, most=1000)] | None = None

    @model_validator(mode="after")
    def _does_something(self) -> DoseModification:
        """Refuse a rule that does nothing."""
        if self.reduce_after is None and self.discontinue_after is None:
            raise refuse("the rule does nothing; give it reduce_after, discontinue_after or both")
        return self


class RandomMonitoring(Model):
    """Act at one visit on a share of patients, whoever they are."""

    share: OpenProbability = 0.25
    do: Annotated[str, WordAtom(("reduce", "discontinue"))] = "reduce"
    visit: Annotated[int, NumberAtom(least=1, most=MOST_VISITS, whole=True)] = 1


class MonitoringControl(RandomMonitoring):
    """Act at one visit on the patients in whom a latent trait is highest, or lowest."""

    trait: TraitName = "toxicity"


class EmulatedMonitoring(MonitoringControl):
    """Act at one visit on the patients with the highest of scores that know the trait so well."""

    auc: Annotated[float, NumberAtom(least=0.001, most=0.999)]
