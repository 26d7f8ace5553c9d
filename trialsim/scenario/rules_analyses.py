"""Rules on the options of analyses: strata and covariates that exist, times within the trial."""

from __future__ import annotations

from collections.abc import Iterator

from trialsim import registry
from trialsim.builtin import BUILTIN
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.population import TRAITS
from trialsim.scenario.rules_strata import site_findings
from trialsim.scenario.rules_world import Finding, WorldParts, covariate_levels
from trialsim.scenario.wording import unknown

Place = tuple[str | int, ...]


def analysis_findings(at: Place, hypothesis: Hypothesis, parts: WorldParts) -> Iterator[Finding]:
    """Yield what is wrong with the options of an analysis.

    Parameters
    ----------
    at
        The place of the options.
    hypothesis
        Whose analysis it is.
    parts
        What could be read of the world.
    """
    if hypothesis.strata:
        yield from site_findings((*at, "strata"), hypothesis.strata, parts)
    for place, name in enumerate(hypothesis.covariates):
        problem = _covariate_problem(name, parts)
        if name in hypothesis.covariates[:place]:
            problem = f"'{name}' is named twice"
        elif name in hypothesis.strata:
            problem = f"'{name}' makes strata already; leave it out here or there"
        if problem:
            yield (*at, "covariates", place), problem
    for name in hypothesis.score:
        problem = _covariate_problem(name, parts)
        if not problem and covariate_levels(parts).get(name):
            problem = f"'{name}' is categorical; a score is made of numbers"
        if problem:
            yield (*at, "score", name), problem
    if hypothesis.analysis == "model":
        yield from _own_model(at, hypothesis)
        return
    for option, days in hypothesis.analysis_options.items():
        if option in ("up_to", "at") and days > parts.horizon:
            beyond = f"{days:g} days is beyond the horizon of {parts.horizon:g} days"
            yield (*at, option), f"{beyond}, at which the trial ends"


def _own_model(at: Place, hypothesis: Hypothesis) -> Iterator[Finding]:
    """Yield a model that nobody has registered, and options that it has not, or needs."""
    name = hypothesis.posterior or ""
    if name not in registry.names("posteriors"):
        yield (*at, "name"), unknown("the model", name, registry.names("posteriors"))
        return
    if name in BUILTIN["posteriors"]:
        yield (
            (*at, "name"),
            f"{name} ships: write analysis: {{{name}: ...}}, or name a model of another package",
        )
        return
    model = registry.get("posteriors", name)
    given = hypothesis.analysis_options
    for option in given:
        if option not in ("name", "covariates", "margin") and option not in model.defaults:
            yield (*at, "options", option), unknown("the option", option, model.defaults)
    for option, value in model.defaults.items():
        if value is None and option not in given:
            yield (*at, "options"), f"{name} needs {option}: {model.prior[option]}"


def _covariate_problem(name: str, parts: WorldParts) -> str | None:
    """Return what keeps an analysis from adjusting for a covariate, or None."""
    if parts.population is None:
        return None
    levels = covariate_levels(parts)
    if name in TRAITS:
        return f"'{name}' is a latent trait, which nobody sees; name a covariate"
    if name in levels:
        return None
    if not levels:
        return f"'{name}' is not known; the population has no covariates"
    return unknown("the covariate", name, levels)
