"""Who the patients are, as data: rows of a real table, or marginals joined by a Gaussian copula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from trialsim.scenario.values import (
    ONE_KEY,
    Finite,
    Label,
    Model,
    Name,
    NotNegative,
    NumberAtom,
    Positive,
    Probability,
    Text,
    WordAtom,
    exactly_one,
)
from trialsim.scenario.wording import listed, refuse, shown

TRAITS = ("prognosis", "predictive", "toxicity", "adherence", "eligibility")
MOST_COVARIATES = 100

TraitName = Annotated[str, WordAtom(TRAITS)]
Correlation = Annotated[float, NumberAtom(above=-1, below=1)]


class Normal(Model):
    """A normal marginal."""

    mean: Finite
    sd: Positive


class LogNormal(Model):
    """A log-normal marginal by its median and the standard deviation of its logarithm."""

    median: Positive
    sd_log: Annotated[float, NumberAtom(above=0, most=20)]


class Beta(Model):
    """A beta marginal on (0, 1)."""

    alpha: Annotated[float, NumberAtom(above=0, most=1e6)]
    beta: Annotated[float, NumberAtom(above=0, most=1e6)]


class Poisson(Model):
    """A Poisson marginal."""

    mean: Annotated[float, NumberAtom(above=0, most=1e6)]


class Marginal(Model):
    """The distribution of one covariate, as exactly one of the families.

    The levels of a categorical marginal are kept sorted, so that the order in which they are written moves no
    patient.
    """

    model_config = ConfigDict(json_schema_extra=ONE_KEY)

    normal: Normal | None = None
    log_normal: LogNormal | None = None
    beta: Beta | None = None
    poisson: Poisson | None = None
    categorical: Annotated[dict[Label, Probability], Field(min_length=1, max_length=50)] | None = None

    @field_validator("categorical")
    @classmethod
    def _sums_to_one(cls, levels: dict[str, float] | None) -> dict[str, float] | None:
        """Refuse level probabilities that do not sum to one."""
        if levels is None:
            return None
        total = sum(levels.values())
        if abs(total - 1.0) > 1e-9:
            raise refuse(f"the probabilities of the levels must sum to 1; they sum to {shown(total)}")
        return dict(sorted(levels.items()))

    @model_validator(mode="after")
    def _is_one_family(self) -> Marginal:
        """Refuse none and several families."""
        families = type(self).model_fields
        exactly_one(
            (name for name in families if getattr(self, name) is not None), families, "a distribution"
        )
        return self

    @property
    def kind(self) -> str:
        """The family's name."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def parameters(self) -> dict[str, float]:
        """The family's parameters by name; level probabilities for a categorical marginal."""
        chosen = getattr(self, self.kind)
        return dict(chosen) if isinstance(chosen, Mapping) else dict(chosen.model_dump())

    @property
    def levels(self) -> tuple[str, ...]:
        """The sorted levels of a categorical marginal, otherwise empty."""
        return tuple(self.categorical) if self.categorical is not None else ()


class Trait(Model):
    """A latent trait: normal with mean zero."""

    sd: NotNegative


class Population(Model):
    """The patients of the scenario; empty for patients who are all alike."""

    resample: Text | None = None
    columns: dict[Name, Label] = {}
    marginals: dict[Name, Marginal] = {}
    traits: dict[TraitName, Trait] = {}
    correlation: Annotated[
        dict[Name, Annotated[dict[Name, Correlation], Field(max_length=MOST_COVARIATES)]],
        Field(max_length=MOST_COVARIATES),
    ] = {}

    @field_validator("columns", "marginals", "traits")
    @classmethod
    def _in_order(cls, named: dict[str, Any]) -> dict[str, Any]:
        """Keep names sorted, so that the order in which they are written moves no patient."""
        if len(named) > MOST_COVARIATES:
            raise refuse(f"{len(named)} names are given; at most {MOST_COVARIATES} are allowed")
        return dict(sorted(named.items()))

    @field_validator("correlation")
    @classmethod
    def _each_pair_once(cls, correlation: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        """Keep each pair under its first name in alphabetical order; refuse two values for one pair."""
        pairs: dict[tuple[str, str], float] = {}
        for one, others in correlation.items():
            for other, value in others.items():
                pair = (min(one, other), max(one, other))
                if one == other:
                    raise refuse(f"'{one}' is correlated with itself; leave it out")
                if pairs.setdefault(pair, value) != value:
                    raise refuse(f"the pair {one} and {other} is given two different values")
        kept: dict[str, dict[str, float]] = {}
        for (one, other), value in sorted(pairs.items()):
            kept.setdefault(one, {})[other] = value
        return kept

    @model_validator(mode="after")
    def _is_one_kind(self) -> Population:
        """Refuse rows of a table beside parametric marginals."""
        if self.resample is not None and self.marginals:
            raise refuse(
                "either resample (rows of a table) or marginals (distributions) is expected, not both"
            )
        if self.resample is not None and not self.columns:
            raise refuse(
                "columns is required with resample: which traits are read from which column of the table"
            )
        if self.resample is None and self.columns:
            raise refuse("columns is given without resample: name the table of patients to read them from")
        clash = sorted(set(TRAITS) & (set(self.marginals) | set(self.columns)))
        if clash:
            raise refuse(f"{listed(clash)} is the name of a latent trait; give the covariate another name")
        return self

    @property
    def kind(self) -> Literal["identical", "resampled", "parametric"]:
        """How patients come about."""
        if self.resample is not None:
            return "resampled"
        return "parametric" if self.marginals else "identical"

    @property
    def covariates(self) -> tuple[str, ...]:
        """The names of what a policy may see of a patient, sorted."""
        return tuple(self.columns) if self.resample is not None else tuple(self.marginals)

    @property
    def correlated(self) -> tuple[str, ...]:
        """The names that the copula joins, sorted: marginals and latent traits."""
        return tuple(sorted((*self.marginals, *self.traits)))

    def correlation_matrix(self) -> list[list[float]]:
        """Return the correlation matrix of the copula in the order of :attr:`correlated`."""
        names = self.correlated
        place = {name: index for index, name in enumerate(names)}
        matrix = [
            [1.0 if row == column else 0.0 for column in range(len(names))] for row in range(len(names))
        ]
        for one, others in self.correlation.items():
            for other, value in others.items():
                if one in place and other in place:
                    matrix[place[one]][place[other]] = matrix[place[other]][place[one]] = value
        return matrix
