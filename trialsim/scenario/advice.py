"""What a scenario may well mean, but rarely should: a sentence on each, in ``trialsim check`` and the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trialsim.scenario.adaptation_advice import adaptation_notes
from trialsim.scenario.dose_advice import doses_without_effect
from trialsim.scenario.drift_advice import drifting_allocations
from trialsim.scenario.hypothesis_advice import longer_is_lower, swapped_arms
from trialsim.scenario.nobody_advice import nobody_passes, nothing_known
from trialsim.scenario.override_advice import overridden_futility, overridden_power
from trialsim.scenario.plan_advice import plan_notes
from trialsim.scenario.size_advice import uncompared_sizes
from trialsim.scenario.strategy_advice import censored_counts

_BALANCED_BY = {
    "minimisation": ("factors", "by minimisation"),
    "stratified_permuted_blocks": ("strata", "by stratified blocks"),
    "biased_coin": ("strata", "by a biased coin in each stratum"),
}


def notes(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield every note on a scenario.

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    yield from nobody_passes(scenario)
    yield from nothing_known(scenario)
    yield from swapped_arms(scenario)
    yield from longer_is_lower(scenario)
    yield from censored_counts(scenario)
    yield from unstratified_analyses(scenario)
    yield from adaptation_notes(scenario)
    yield from drifting_allocations(scenario)
    yield from doses_without_effect(scenario)
    yield from overridden_futility(scenario)
    yield from overridden_power(scenario)
    yield from uncompared_sizes(scenario)
    yield from plan_notes(scenario)


def unstratified_analyses(scenario: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each design whose allocation balances covariates that its tests leave out.

    Balance makes the arms more alike than chance would. A test that does not know of it takes its standard error as too
    large: it rejects less often than its level and has less power than it could have (Kahan and Morris 2012 for means
    and proportions; Ye and Shao 2020 for the log-rank test).

    Parameters
    ----------
    scenario
        A resolved scenario as plain data; what cannot be read in it is passed over.
    """
    hypotheses = _mapping(scenario.get("hypotheses"))
    for name, design in _mapping(scenario.get("designs")).items():
        for rule, options in _mapping(_mapping(design).get("allocation")).items():
            key, how = _BALANCED_BY.get(rule, ("", ""))
            balanced = _names(_mapping(options).get(key))
            endpoints = _mapping(scenario.get("endpoints"))
            # Sites make no difference unless an endpoint says so.
            alike = () if any(_mapping(each).get("site") for each in endpoints.values()) else _site(scenario)
            left_out: dict[tuple[str, ...], list[str]] = {}
            for test in _mapping(_mapping(design).get("tests")):
                analysis = _mapping(hypotheses.get(test)).get("analysis")
                if _redraws(analysis):
                    continue
                stratified = _strata(analysis)
                missing = tuple(one for one in balanced if one not in (*stratified, *alike))
                if missing:
                    left_out.setdefault(missing, []).append(test)
            for missing, tests in left_out.items():
                quoted = _listed([f"“{test}”" for test in tests])
                yield (
                    f"“{name}” balances {_listed(balanced)} {how}, but the analysis of {quoted} is not stratified by "
                    f"{_listed(missing)}: where {'they matter' if len(missing) > 1 else 'it matters'} for the outcome, it "
                    "rejects too rarely. Stratify the analysis, or use a re-randomisation test."
                )


def _site(scenario: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the stratum that is the site, none in a world without sites."""
    return ("site",) if _mapping(scenario.get("accrual")).get("sites") else ()


def _redraws(analysis: Any) -> bool:
    """Return whether an analysis is a re-randomisation test, which knows of any balance."""
    names = [analysis] if isinstance(analysis, str) else list(_mapping(analysis))
    return any(str(name).startswith("rerandomised_") for name in names)


def _strata(analysis: Any) -> tuple[str, ...]:
    """Return the covariates that an analysis takes into account, none where it has none."""
    return tuple(
        name
        for options in _mapping(analysis).values()
        for key in ("strata", "covariates")
        for name in _names(_mapping(options).get(key))
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, an empty one where it is none."""
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> tuple[str, ...]:
    """Return names, none where it is no list."""
    return tuple(str(name) for name in value) if isinstance(value, (list, tuple)) else ()


def _listed(words: tuple[str, ...] | list[str]) -> str:
    """Return words as people list them."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
