"""Parameters of the policies that choose sites, and whether they fit a trial's sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import model_validator

from trialsim.scenario.sites import MOST_SITES, SiteGroup
from trialsim.scenario.units import PositiveDuration, Rate
from trialsim.scenario.values import Label, Model, NumberAtom, WordAtom, exactly_one
from trialsim.scenario.wording import listed, refuse

_BY_RECORD = ("historical_mean",)
_BY_PROMISE = ("questionnaire",)
_BY_EITHER = ("gamma_poisson", "thompson", "record_and_promise", "balanced", "learned")
_AT_REVIEWS = ("reselection",)
_LEAST_AREA = 0.001


class OpenSites(Model):
    """How many sites are opened."""

    open: Annotated[int, NumberAtom(least=1, most=MOST_SITES, whole=True)]


class OpenSitesByPosterior(OpenSites):
    """How many sites are opened, and the shape of the gamma prior of their rates."""

    shape: Annotated[float, NumberAtom(least=0.01, most=1e6)] = 1.5


class OpenBalancedSites(OpenSitesByPosterior):
    """The same, and what a mix is worth that is like that of all sites."""

    price: Annotated[float, NumberAtom(least=0, most=1e6)] = 1.0


class OpenEmulatedSites(OpenSites):
    """How many sites are opened, and how good the score is by which they are chosen."""

    rank_correlation: Annotated[float, NumberAtom(least=-0.999, most=0.999)] | None = None
    auc: Annotated[float, NumberAtom(least=_LEAST_AREA, most=0.999)] | None = None
    by_group: dict[Label, Annotated[float, NumberAtom(least=-0.999, most=0.999)]] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> OpenEmulatedSites:
        """Refuse none and both of the measures, and areas below 0."""
        forms = ("rank_correlation", "auc")
        exactly_one((name for name in forms if getattr(self, name) is not None), forms, "a quality")
        for group, value in (self.by_group or {}).items():
            if self.auc is not None and value < _LEAST_AREA:
                raise refuse(
                    f"by_group.{group}: {value:g} is no area, which `auc` says it is; "
                    f"allowed: {_LEAST_AREA:g} to 0.999"
                )
        return self


class Reselection(OpenSitesByPosterior):
    """How many sites are opened, which of them close at reviews, and which reserves open in their place."""

    close_below: Rate
    judged_by: Annotated[str, WordAtom(("patients", "candidates", "posterior"))] = "patients"
    after: PositiveDuration = 91.3125
    reserves: Annotated[str, WordAtom(("posterior", "thompson", "none"))] = "posterior"


def site_policy_sentences(
    name: str, parameters: Mapping[str, Any], groups: Mapping[str, SiteGroup] | None, reviews: bool
) -> Iterator[str]:
    """Yield why a policy that chooses sites does not fit.

    Parameters
    ----------
    name, parameters
        The policy.
    groups
        The sites; None where there are none.
    reviews
        Whether the design has reviews.
    """
    if name == "all_open":
        return
    if groups is None:
        yield f"{name} chooses among sites, and without accrual: {{sites: {{...}}}} there are none"
        return
    count = sum(group.count for group in groups.values())
    if parameters.get("open", 0) > count:
        yield f"opens {parameters['open']} sites, and there are {count}"
    for group in parameters.get("by_group") or {}:
        if group not in groups:
            yield f"by_group: there is no group of sites {group!r}; allowed: {listed(groups)}"
        elif groups[group].count < 2:
            yield f"by_group: the group {group} has one site, and nothing can rank it; leave it out"
    on_record = any(group.history is not None for group in groups.values())
    asked = any(group.feasibility is not None for group in groups.values())
    if name in _BY_RECORD and not on_record:
        yield f"{name} goes by earlier trials, and no sites have a history; add history: {{over: 2 years}} to a group"
    if name in _BY_PROMISE and not asked:
        yield f"{name} goes by promises, and no sites were asked; add feasibility: {{optimism: 1.5}} to a group"
    if name in _AT_REVIEWS and not reviews:
        yield f"{name} decides at reviews, and the design has none; add reviews: {{every: {{calendar: 2 months}}}}"
    if name in _BY_EITHER and not (on_record or asked):
        yield f"{name} knows nothing of these sites; give a group a history, as history: {{over: 2 years}}"
