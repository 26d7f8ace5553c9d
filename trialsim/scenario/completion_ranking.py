"""The ranking by expected completion, as data."""

from __future__ import annotations

from pydantic import model_validator

from trialsim.scenario.endpoints import Coefficients, Values
from trialsim.scenario.values import Model, Probability
from trialsim.scenario.wording import refuse


class RecordedChance(Model):
    """A probability by what the records hold, on the logit scale around that of the centred candidate."""

    probability: Probability
    covariates: Coefficients = {}
    centre: Values = {}

    @model_validator(mode="after")
    def _is_inside(self) -> RecordedChance:
        """Refuse covariates around a probability that has no log odds."""
        if self.covariates and not 0 < self.probability < 1:
            raise refuse("with covariates the probability must be above 0 and below 1")
        return self


class ExpectedCompletion(Model):
    """Rank by the chances of being eligible, consenting, staying, and of telling something."""

    eligible: RecordedChance | None = None
    consents: RecordedChance | None = None
    stays: RecordedChance | None = None
    prognostic: RecordedChance | None = None
    predictive: RecordedChance | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ExpectedCompletion:
        """Refuse a ranking by nothing, and one in which two kinds of enrichment are mixed."""
        chances = [getattr(self, name) for name in type(self).model_fields]
        if not any(chance is not None and chance.covariates for chance in chances):
            raise refuse(
                "no chance depends on a covariate, so that all candidates are alike; state covariates of one of "
                "eligible, consents, stays, prognostic and predictive"
            )
        if self.prognostic is not None and self.predictive is not None:
            raise refuse(
                "prognostic and predictive are two kinds of enrichment, who has the event and whom the treatment helps; "
                "their product is the chance of neither; give one of them"
            )
        return self
