"""From what a scenario states of a patient's life to its laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from trialsim.draws import Purpose, name_address
from trialsim.engines.life import (
    STEPS_PER_HALF_LIFE,
    ClockNumbers,
    LifeLaw,
    LifeNumbers,
    ReadingNumbers,
    SurvivalNumbers,
    TermNumbers,
    TreatmentNumbers,
    VisitingNumbers,
    delay_numbers,
    fading_weights,
)
from trialsim.engines.world import Drift, OutcomeLaw
from trialsim.errors import Problem, ScenarioError
from trialsim.operations.adverse_events import term_address
from trialsim.operations.delays import DelayLaw, delay_law
from trialsim.operations.visits import EVEN, NORMAL, PUNCTUAL
from trialsim.population.clocks import clock_tables, with_weights
from trialsim.population.endpoints.survival import HazardLaw, hazard_law
from trialsim.population.predictor import Predictor
from trialsim.scenario.delays import Delay
from trialsim.scenario.life import Treatment
from trialsim.scenario.rules_life import ADVERSE_EVENT, BY_PROTOCOL, DISCONTINUATION, MONITORING, reasons_of
from trialsim.scenario.schema import Scenario
from trialsim.scenario.visits import Visits
from trialsim.timegrid import NEVER, to_ticks

_FATAL_GRADE = "5"


class Builder(Protocol):
    """What turns a stated hazard into a law."""

    scenario: Scenario
    arms: tuple[str, ...]
    grid: int

    def predictor(self, part: Any) -> Predictor:
        """Return the predictor of a hazard."""
        ...

    def hazard(self, part: Any, effects: Any) -> HazardLaw:
        """Return the hazards of each arm."""
        ...


def has_life(scenario: Scenario) -> bool:
    """Return whether a world says more of its patients than endpoints and loss."""
    said = (
        scenario.treatment,
        scenario.discontinuation,
        scenario.withdrawal,
        scenario.adverse_events,
        scenario.visits,
    )
    dropout = scenario.dropout
    return (
        any(part is not None for part in said)
        or (dropout is not None and (dropout.after is not None or dropout.outcome is not None))
        or any(
            getattr(part, name, None)
            for part in scenario.endpoints.values()
            for name in ("terminal", "report_delay", "adjudication")
        )
    )


def monitors(scenario: Scenario) -> bool:
    """Return whether a design of a scenario decides at visits, so that records of all designs have room for it."""
    return any(design.policies["monitoring"][0] != BY_PROTOCOL for design in scenario.designs.values())


def _clock(builder: Builder, name: str, part: Any, purpose: Purpose, draw: int) -> OutcomeLaw:
    """Return the law of one clock."""
    hazard = builder.hazard(part, part.effect)
    none = np.zeros(len(builder.arms))
    return OutcomeLaw(
        name, "survival", int(purpose), draw, 0, builder.predictor(part), Drift(), hazard, none, 0.0
    )


def life_clocks(builder: Builder) -> tuple[OutcomeLaw, ...]:
    """Return the laws of withdrawal, adverse events and reasons to discontinue, as far as there are any."""
    scenario, found = builder.scenario, []
    if scenario.withdrawal is not None:
        found.append(_clock(builder, "withdrawal", scenario.withdrawal, Purpose.WITHDRAWAL, 0))
    for name, event in (scenario.adverse_events or {}).items():
        draw = term_address(name_address(name))
        found.append(_clock(builder, name, event, Purpose.ADVERSE_EVENT, draw))
    for name, reason in (scenario.discontinuation or {}).items():
        found.append(_clock(builder, name, reason, Purpose.DISCONTINUATION, name_address(name)))
    return tuple(found)


def build_life(builder: Builder, laws: Sequence[OutcomeLaw], outcomes: int) -> LifeLaw | None:
    """Return what happens to patients from randomisation on, or None where the scenario says nothing of it.

    Parameters
    ----------
    builder
        Of the world's laws.
    laws
        All laws of the world: outcomes, loss where there is any, then those of :func:`life_clocks`.
    outcomes
        How many of them are outcomes.

    Raises
    ------
    ScenarioError
        If patients are to cross over to an arm that the design lacks.
    """
    scenario = builder.scenario
    if not has_life(scenario):
        return None
    treatment = scenario.treatment or Treatment()
    terms, reasons = scenario.adverse_events or {}, scenario.discontinuation or {}
    survival = [i for i in range(outcomes) if laws[i].kind == "survival"]
    read = [i for i in range(outcomes) if laws[i].kind != "survival"]
    place = outcomes
    loss = place if scenario.dropout is not None else -1
    place += loss >= 0
    withdrawal = place if scenario.withdrawal is not None else -1
    place += withdrawal >= 0
    index = (*survival, loss, withdrawal, *range(place, place + len(terms) + len(reasons)))
    weights = fading_weights(treatment.waning is not None, treatment.effect_stops)
    nothing = hazard_law(((0.0,), (0.0,)), None, [((0.0, 1.0),)] * len(builder.arms))
    hazards: list[HazardLaw] = []
    for number in index:
        hazard = laws[number].hazard if number >= 0 else nothing
        assert hazard is not None
        hazards.append(with_weights(hazard, weights if number in survival else (1.0,) * len(weights)))
    levels = next((event.levels for event in terms.values()), ())
    names = [law.name for law in laws[:outcomes]]
    stated: list[Any] = [scenario.endpoints[name] for name in names]
    visits = scenario.visits
    reason_names = reasons_of(reasons, terms)
    if monitors(scenario):
        reason_names = tuple(sorted({*reason_names, MONITORING}))
    leaving = [None] * len(survival) + [scenario.dropout, scenario.withdrawal] + [None] * len(terms)
    leaving += list(reasons.values())
    grid = builder.grid

    def ticks(law: Delay | None) -> DelayLaw | None:
        return None if law is None else delay_law(law, grid)

    def by_level(attribute: str) -> Any:
        return np.array(
            [[getattr(event, attribute).get(level, 0.0) for level in levels] for event in terms.values()]
        ).reshape(len(terms), len(levels))

    def action(attribute: str) -> Any:
        return np.array(
            [
                [getattr(event.actions.get(level), attribute, None) or 0.0 for level in levels]
                for event in terms.values()
            ]
        ).reshape(len(terms), len(levels))

    fatal = by_level("fatal")
    if _FATAL_GRADE in levels:
        fatal[:, levels.index(_FATAL_GRADE)] = 1.0
        shares = np.array([event.shares for event in terms.values()])
        fatal[shares == 0.0] = 0.0
    rescue, crossover = treatment.rescue, treatment.crossover
    numbers = LifeNumbers(
        clock=ClockNumbers(
            purpose=np.array([laws[i].purpose if i >= 0 else 0 for i in index], dtype=np.int64),
            draw=np.array([laws[i].draw if i >= 0 else 0 for i in index], dtype=np.int64),
            present=np.array([i >= 0 for i in index], dtype=np.bool_),
            after=np.array([_after(part, levels) for part in leaving]),
            hear=np.array(
                [
                    [(getattr(part, "outcome", None) or {}).get(names[i], 0.0) for i in read]
                    for part in leaving
                ]
            ).reshape(len(index), len(read)),
        ),
        survival=SurvivalNumbers(
            endpoints=np.array(survival, dtype=np.int64),
            report=np.array([laws[i].readout_ticks for i in survival], dtype=np.int64),
            terminal=next(
                (
                    e
                    for e, i in enumerate(survival)
                    if getattr(scenario.endpoints[names[i]], "terminal", None)
                ),
                -1,
            ),
            detected=np.array([stated[i].detected is not None for i in survival], dtype=np.bool_),
            report_law=np.array([delay_numbers(ticks(stated[i].report_delay)) for i in survival]).reshape(
                -1, 3
            ),
            verdict_law=np.array([delay_numbers(ticks(_verdict(stated[i]).delay)) for i in survival]).reshape(
                -1, 3
            ),
            confirmed=np.array([_verdict(stated[i]).confirmed for i in survival], dtype=np.float64),
            name=np.array([term_address(name_address(names[i])) for i in survival], dtype=np.int64),
        ),
        reading=ReadingNumbers(
            readouts=np.array(read, dtype=np.int64),
            readout=np.array([laws[i].readout_ticks for i in read], dtype=np.int64),
            at_visit=np.array([stated[i].detected is not None for i in read], dtype=np.bool_),
            purpose=np.array([laws[i].purpose for i in read], dtype=np.int64),
            draw=np.array([laws[i].draw for i in read], dtype=np.int64),
            binary=np.array([laws[i].kind == "binary" for i in read], dtype=np.bool_),
            intercepts=np.array([laws[i].intercepts for i in read], dtype=np.float64).reshape(
                len(read), len(builder.arms)
            ),
            sd=np.array([laws[i].sd for i in read], dtype=np.float64),
            on_probability=np.array([laws[i].drift.on_probability for i in read], dtype=np.bool_),
        ),
        term=TermNumbers(
            address=np.array([term_address(name_address(name)) for name in terms], dtype=np.int64),
            cumulative=np.cumsum(
                np.array([event.shares for event in terms.values()]).reshape(len(terms), len(levels)), axis=1
            ),
            serious=by_level("serious"),
            fatal=fatal,
            discontinue=action("discontinue"),
            reduce=action("reduce"),
            interrupt=action("interrupt"),
            dose_factor=np.array(
                [
                    [dose ** (event.dose_exponent or 0.0) for dose in (*treatment.levels, 0.0)]
                    for event in terms.values()
                ]
            ).reshape(len(terms), len(treatment.levels) + 1),
            window=np.array([to_ticks(event.window, grid) for event in terms.values()], dtype=np.int64),
            length=np.array([delay_numbers(ticks(event.duration)) for event in terms.values()]).reshape(
                -1, 3
            ),
            interruption=np.array(
                [delay_numbers(ticks(event.interruption)) for event in terms.values()]
            ).reshape(-1, 3),
        ),
        treatment=TreatmentNumbers(
            reason=np.array([reason_names.index(name) for name in reasons], dtype=np.int64),
            reason_of_action=reason_names.index(ADVERSE_EVENT) if ADVERSE_EVENT in reason_names else -1,
            reason_of_monitoring=reason_names.index(MONITORING) if MONITORING in reason_names else -1,
            doses=len(treatment.levels),
            duration=NEVER if treatment.duration is None else max(to_ticks(treatment.duration, grid), grid),
            weights=len(weights),
            step=_step(treatment, grid),
            left=np.array(weights, dtype=np.float64),
            rescue=_chance(rescue, grid),
            rescue_ratio=np.array(
                [(rescue.hazard_ratio if rescue else {}).get(names[i], 1.0) for i in survival],
                dtype=np.float64,
            ),
            crossover=_chance(crossover, grid),
            crossover_on=_crossover_on(treatment, [names[i] for i in survival]),
            crosses=np.array([crossover is not None and arm in crossover.start for arm in builder.arms]),
            crossover_to=_crossover_to(treatment, builder.arms),
        ),
        visiting=VisitingNumbers(
            visits=np.array(
                [max(to_ticks(time, grid), grid) for time in visits.times] if visits else [], dtype=np.int64
            ),
            missed=(visits.missed or 0.0) if visits else 0.0,
            jitter=_jitter(visits),
            late=_chance(visits.late if visits else None, grid),
        ),
        grid=grid,
    )
    return LifeLaw(numbers, clock_tables(hazards), index, tuple(terms), levels, reason_names)


def _after(part: Any, levels: Sequence[str]) -> list[float]:
    """Return the ratio after no adverse event and after the worst of each level; a level not named keeps the last."""
    stated = getattr(part, "after", None) or {}
    ratios = [1.0]
    for level in levels:
        ratios.append(stated.get(level, ratios[-1]))
    return ratios


@dataclass(frozen=True)
class _NoVerdict:
    """What stands for adjudication where there is none."""

    delay: Delay | None = None
    confirmed: float = 1.0


def _verdict(endpoint: Any) -> Any:
    """Return how events of an endpoint are adjudicated."""
    return endpoint.adjudication or _NoVerdict()


def _jitter(visits: Visits | None) -> Any:
    """Return kind and size of the jitter of visits."""
    stated = visits.jitter if visits is not None else None
    if stated is None:
        return np.array([float(PUNCTUAL), 0.0])
    return np.array(
        [NORMAL, stated.sd] if stated.sd is not None else [EVEN, stated.uniform], dtype=np.float64
    )


def _step(treatment: Treatment, grid: int) -> int:
    """Return for how many ticks each weight of a fading effect holds."""
    if treatment.waning is None:
        return grid
    return max(to_ticks(treatment.waning.half_life / STEPS_PER_HALF_LIFE, grid), grid)


def _chance(part: Any, grid: int) -> Any:
    """Return the probability and the delay of a change of treatment."""
    if part is None:
        return np.array([0.0, -1.0, 0.0, 0.0])
    return np.concatenate([[part.probability], delay_numbers(delay_law(part.delay, grid))])


def _crossover_on(treatment: Treatment, survival: Sequence[str]) -> int:
    """Return after which survival endpoint patients cross over: -1 for discontinuation, -2 for never."""
    if treatment.crossover is None:
        return -2
    return -1 if treatment.crossover.on == DISCONTINUATION else survival.index(treatment.crossover.on)


def _crossover_to(treatment: Treatment, arms: tuple[str, ...]) -> int:
    """Return the arm to which patients cross over."""
    crossover = treatment.crossover
    if crossover is None:
        return 0
    if crossover.to not in arms:
        why = (
            f"patients cross over to {crossover.to}, which is no arm of this design; give the design that arm"
        )
        raise ScenarioError([Problem("treatment.crossover.to", why)])
    return arms.index(crossover.to)
