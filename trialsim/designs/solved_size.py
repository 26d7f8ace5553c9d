"""The size that gives a group sequential design its power under a named truth.

It is the size of the fixed design times the inflation factor of the bounds (Jennison and Turnbull 2000, sec. 2.3 and
ch. 3): events by Schoenfeld (1981), patients by the formulae of :mod:`trialsim.stats.sample_size`. Of several tests the one
that needs most decides.
"""

from __future__ import annotations

import math
from typing import Any

from trialsim.designs.computed_bounds import bounds_for
from trialsim.designs.expected_events import events_by_the_horizon
from trialsim.errors import Problem, ScenarioError, UsageError
from trialsim.scenario.design import MOST_PATIENTS, Design
from trialsim.scenario.schema import Scenario
from trialsim.scenario.wording import listed, shown
from trialsim.stats.sample_size.means import MeansDesign, means_sample_size
from trialsim.stats.sample_size.proportions import ProportionsDesign, proportions_sample_size
from trialsim.stats.sample_size.survival import LogrankDesign, required_events

_SIZED = ("logrank", "cox", "score_test", "t_test", "z_test")
_ROUNDING = 1e-8
_CONDUCT = ("treatment", "discontinuation", "withdrawal", "adverse_events", "visits")
_MOVED_BY = ("covariates", "latent", "modifiers", "drift", "site", "detected", "adjudication")


def solved_size(scenario: Scenario, name: str) -> int:
    """Return the events (first test on a survival endpoint) or the patients of a design.

    Parameters
    ----------
    scenario
        Checked, with some size in place of the one sought.
    name
        The design; it states power, and the truth that the size is solved under.

    Raises
    ------
    ScenarioError
        With every problem found.
    """
    design = scenario.designs[name]
    at = f"designs.{name}"
    assert design.under is not None and design.power is not None
    world = scenario.world(design.under)
    problems: list[Problem] = []
    sizes = []
    for test in design.tests:
        try:
            sizes.append(_size_of_test(world, name, design, test))
        except ScenarioError as error:
            problems += error.problems
        except UsageError as error:
            problems.append(Problem(f"{at}.power", str(error)))
    if problems:
        raise ScenarioError(dict.fromkeys(problems))
    size = max(sizes)
    if _of_survival(world, next(iter(design.tests))):
        events = math.ceil(size - _ROUNDING * size)
        _require_enough_patients(world, name, design, events)
        return events
    return whole_blocks(name, design, size)


def _of_survival(world: Scenario, test: str) -> bool:
    return bool(world.endpoints[world.hypotheses[test].endpoint].kind == "survival")


def _size_of_test(world: Scenario, name: str, design: Design, test: str) -> float:
    """Return the events or patients in all that one test needs, a fraction."""
    at = f"designs.{name}"
    assert design.power is not None
    hypothesis = world.hypotheses[test]
    endpoint = world.endpoints[hypothesis.endpoint]
    if endpoint.kind == "survival" and not _of_survival(world, next(iter(design.tests))):
        sentence = "tests on survival and on other endpoints need events and patients; state n and the looks"
        raise ScenarioError([Problem(f"{at}.under", sentence)])
    if endpoint.kind != "survival" and _of_survival(world, next(iter(design.tests))):
        sentence = "tests on survival and on other endpoints need events and patients; state n and the looks"
        raise ScenarioError([Problem(f"{at}.under", sentence)])
    if hypothesis.analysis not in _SIZED:
        known = f"there is one for {listed(_SIZED)}"
        sentence = f"no formula here gives the size of {hypothesis.analysis} ({known}); state n and the looks"
        raise ScenarioError([Problem(f"{at}.under", sentence)])
    require_plain(world, at, design, hypothesis.endpoint)
    treatment, control = hypothesis.arms
    ratio = _share(design, treatment) / _share(design, control)
    alpha = design.tests[test].alpha
    fractions = design.information or tuple(
        (look + 1) / len(design.looks) for look in range(len(design.looks))
    )
    inflation = bounds_for(name, design, test, fractions).inflation_factor
    if endpoint.kind == "survival":
        fixed = required_events(
            LogrankDesign(_hazard_ratio(at, design, endpoint, hypothesis), 1.0, alpha, ratio), design.power
        )
        return fixed * inflation
    first, second = value_in_arm(endpoint, treatment), value_in_arm(endpoint, control)
    _require_benefit(at, design, hypothesis, first, second)
    if endpoint.kind == "binary":
        fixed = proportions_sample_size(
            ProportionsDesign(first, second, alpha=alpha, ratio=ratio), design.power
        )
    else:
        options = hypothesis.analysis_options
        if options.get("sd", endpoint.sd) != endpoint.sd:
            sentence = (
                f"the z test takes a standard deviation of {options['sd']:g}, that of '{hypothesis.endpoint}' is "
                f"{endpoint.sd:g}; no formula here gives the size, state n and the looks"
            )
            raise ScenarioError([Problem(f"{at}.under", sentence)])
        kind = "z" if hypothesis.analysis == "z_test" else "t"
        means = MeansDesign(first - second, endpoint.sd, test=kind, alpha=alpha, ratio=ratio)
        fixed = means_sample_size(means, design.power)
    pair = _share(design, treatment) + _share(design, control)
    return fixed * inflation * sum(_share(design, arm) for arm in design.arms) / pair


def _share(design: Design, arm: str) -> int:
    return (design.allocation.ratio or {}).get(arm, 1)


def require_plain(world: Scenario, at: str, design: Design, endpoint: str) -> None:
    """Refuse endpoints whose outcome depends on more than the arm: no formula of size is true for them."""
    part = world.endpoints[endpoint]
    moved = [key for key in _MOVED_BY if getattr(part, key, None)]
    moved += [key for key in _CONDUCT if getattr(world, key)]
    if part.kind != "survival" and world.dropout is not None:
        moved.append("dropout")
    if part.kind == "survival" and len(design.arms) > 2:
        moved.append("a third arm, whose events are counted too")
    if moved:
        sentence = (
            f"no formula gives the size where '{endpoint}' is moved by {listed(moved)}; state n and the looks, and see the "
            "power by simulation"
        )
        raise ScenarioError([Problem(f"{at}.under", sentence)])


def _hazard_ratio(at: str, design: Design, endpoint: Any, hypothesis: Any) -> float:
    """Return the hazard ratio of a pair of arms, refused where it changes in time or is no benefit."""
    ratios = []
    for arm in hypothesis.arms:
        ratio = endpoint.effect.get(arm, 1.0)
        values = {ratio} if isinstance(ratio, float) else {value for _, value in ratio}
        if len(values) > 1:
            told = listed(f"{value:g}" for value in values)
            sentence = (
                f"the size would be that of proportional hazards, but under {shown(design.under)} the hazard ratio of "
                f"{arm} on '{hypothesis.endpoint}' changes in time ({told}); name a truth in which "
                "it is constant, or state n and the looks"
            )
            raise ScenarioError([Problem(f"{at}.under", sentence)])
        ratios.append(values.pop())
    ratio = ratios[0] / ratios[1]
    _require_benefit(at, design, hypothesis, ratio, 1.0)
    return ratio


def value_in_arm(endpoint: Any, arm: str) -> float:
    """Return the probability or the mean in an arm."""
    if endpoint.kind == "continuous":
        return float(endpoint.mean + endpoint.effect.get(arm, 0.0))
    rate = endpoint.rate
    if arm not in endpoint.effect:
        return float(rate)
    effect = endpoint.effect[arm]
    if endpoint.effect_measure == "rate":
        return float(effect)
    if endpoint.effect_measure == "risk_difference":
        return float(rate + effect)
    odds = effect * rate / (1.0 - rate)
    return float(odds / (1.0 + odds))


def _require_benefit(at: str, design: Design, hypothesis: Any, treatment: float, control: float) -> None:
    """Refuse a truth under which treatment is no better than control: no size has power there."""
    better = treatment < control if hypothesis.direction == "lower" else treatment > control
    if not better:
        sentence = (
            f"under {shown(design.under)} {hypothesis.arms[0]} is no better than {hypothesis.arms[1]} on "
            f"'{hypothesis.endpoint}', so that no size has the power; name a truth in which it is"
        )
        raise ScenarioError([Problem(f"{at}.under", sentence)])


def whole_blocks(name: str, design: Design, size: float) -> int:
    """Return patients rounded up to whole blocks of the allocation, or to whole multiples of its ratio."""
    block = design.allocation.size or sum(_share(design, arm) for arm in design.arms)
    n = block * math.ceil((size - _ROUNDING * size) / block)
    if n > MOST_PATIENTS:
        sentence = f"{n:,} patients would be needed; at most {MOST_PATIENTS:,} are allowed"
        raise ScenarioError([Problem(f"designs.{name}.power", sentence)])
    return max(n, block * math.ceil(2 * len(design.arms) / block))


def _require_enough_patients(world: Scenario, name: str, design: Design, events: int) -> None:
    """Refuse more events than the patients can give by the horizon."""
    expected = events_by_the_horizon(world, design)
    most = design.n if expected is None else min(design.n, expected)
    if events > most:
        # In proportion, as accrual of other sizes may be faster or longer.
        enough = math.ceil(design.n * events / max(most, 1e-9))
        more = f"enrol more (about {enough:,} can give as many), or " if enough <= MOST_PATIENTS else ""
        sentence = (
            f"{events} events are needed, but {design.n} patients can be expected to have {math.floor(most)} that are "
            f"known by the horizon of {world.horizon / 365.25:.3g} years; {more}extend the horizon"
        )
        raise ScenarioError([Problem(f"designs.{name}.n", sentence)])
