"""Parameters of the policies that rank candidates by themselves, without another ranking inside."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from trialsim.scenario.population import TraitName
from trialsim.scenario.values import Finite, Label, Model, NumberAtom, OpenProbability, WordAtom
from trialsim.scenario.wording import refuse

Area = Annotated[float, NumberAtom(least=0.001, most=0.999)]


class ByCovariate(Model):
    """Call those first in whom a covariate is highest, or lowest, or who have a level of it."""

    covariate: Label
    prefer: Annotated[str, WordAtom(("highest", "lowest"))] = "highest"


class Control(Model):
    """A ranking by what nobody in the trial can see."""

    reads: Label = "eligible"


class Emulated(Model):
    """A score of a chosen area under the curve for a latent trait, in all or by subgroup."""

    auc: Area
    prevalence: OpenProbability
    trait: TraitName = "eligibility"
    subgroup: Label | None = None
    auc_by_level: dict[Label, Area] | None = None
    rank_by: Annotated[str, WordAtom(("score", "probability"))] = "score"

    @model_validator(mode="after")
    def _has_both(self) -> Emulated:
        """Refuse areas by level without a subgroup, and the other way round."""
        if (self.subgroup is None) != (not self.auc_by_level):
            raise refuse("subgroup and auc_by_level belong together: whose levels, and the area in each")
        return self


class Criterion(Model):
    """What the protocol asks of one covariate."""

    least: Finite | None = None
    most: Finite | None = None
    levels: Annotated[tuple[Label, ...], Field(min_length=1, max_length=50)] | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Criterion:
        """Refuse a criterion that asks nothing, or a number and levels at once."""
        numbers = self.least is not None or self.most is not None
        if numbers == (self.levels is not None):
            raise refuse("a criterion is either least and most, or one of them, of a number, or levels")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise refuse(f"least, {self.least:g}, is above most, {self.most:g}; nobody meets that")
        return self


class PrescreenRules(Model):
    """Call those first whose records meet the declared criteria."""

    require: Annotated[dict[Label, Criterion], Field(min_length=1, max_length=100)]
