"""What becomes of patients against closed forms: intensities integrated over time at risk, causes, effects that fade."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.integrate import quad

from trialsim.engines.conduct import conduct
from trialsim.engines.records import columns_of
from trialsim.engines.runner import chunk_of
from trialsim.scenario.load import scenario_from

REPLICATES, PATIENTS, DAYS = 40, 500, 300.0
N = REPLICATES * PATIENTS / 2  # patients of each arm
DEATH, LOSS, LEAVE, STOP = 0.001, 0.0008, 0.0006, 0.002


def per_day(rate: float) -> dict[str, Any]:
    return {"hazard": f"{rate!r} per day"}


def tallies(endpoints: dict[str, Any], **parts: Any) -> dict[str, np.ndarray]:
    """Return the table of arms after ``DAYS``, each column ``[replicate, arm]``; all enter within a minute."""
    first = next(iter(endpoints))
    tree = {
        "name": "lives",
        "horizon": "2 years",
        "accrual": {"evenly_spaced": {"over": "0.001 days"}},
        "arms": ["control", "treatment"],
        "endpoints": endpoints,
        "hypotheses": {
            "h": {
                "endpoint": first,
                "arms": ["treatment", "control"],
                "analysis": "logrank",
                "direction": "lower",
            }
        },
        "truths": {"here": {}},
        "designs": {
            "d": {
                "kind": "fixed",
                "n": PATIENTS,
                "allocation": "alternating",
                "looks": [{"when": {"calendar": f"{DAYS} days"}}],
                "tests": {"h": {"alpha": 0.025}},
            }
        },
    } | parts
    chunk = chunk_of(scenario_from(tree), "d", "here", list(range(REPLICATES)), 11, "fast")
    arms = columns_of(conduct(chunk))["arms"]
    return {name: values.reshape(REPLICATES, 2) for name, values in arms.items()}


def agrees(found: np.ndarray, expected: float, what: str) -> None:
    """Assert that a mean over replicates is within 5 of its standard errors of what is expected."""
    error = found.std(ddof=1) / np.sqrt(len(found))
    assert error > 0.0, what
    assert abs(found.mean() - expected) < 5.0 * error, (what, found.mean(), expected, error)


def death(effect: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "death": {
            "kind": "survival",
            "baseline": per_day(DEATH),
            "effect": {"treatment": effect},
            "terminal": True,
        }
        | more
    }


def test_adverse_events_come_at_their_intensity_integrated_over_time_at_risk() -> None:
    rate, window, sd = 0.01, 20.0, 0.6
    shares = {"mild": 0.6, "moderate": 0.3, "severe": 0.1}
    found = tallies(
        death(),
        population={"traits": {"toxicity": {"sd": sd}}},
        dropout={"baseline": per_day(LOSS)},
        withdrawal={"baseline": per_day(LEAVE)},
        discontinuation={"physician": {"baseline": per_day(STOP)}},
        adverse_events={
            "rash": {
                "baseline": per_day(rate),
                "effect": {
                    "treatment": [
                        {"from": "0 days", "hazard_ratio": 3.0},
                        {"from": "60 days", "hazard_ratio": 1.5},
                    ]
                },
                "latent": {"toxicity": 1.0},
                "severity": shares,
                "serious": {"severe": 0.25, "moderate": 0.05},
                "window": f"{window} days",
            }
        },
    )

    def at_risk(t: float) -> float:
        return float(np.exp(-(DEATH + LOSS + LEAVE) * t - STOP * max(t - window, 0.0)))

    for arm, ratios in enumerate([(1.0, 1.0), (3.0, 1.5)]):
        early, late = (quad(at_risk, *span)[0] for span in ((0.0, 60.0), (60.0, DAYS)))
        events = PATIENTS / 2 * rate * np.exp(sd**2 / 2) * (ratios[0] * early + ratios[1] * late)
        for level, share in shares.items():
            agrees(found[f"adverse_events:rash:{level}"][:, arm], share * events, f"{level} in arm {arm}")
        agrees(found["serious:rash:severe"][:, arm], 0.25 * shares["severe"] * events, "serious")
        agrees(found["serious:rash:moderate"][:, arm], 0.05 * shares["moderate"] * events, "serious")
        years = PATIENTS / 2 * (early + late) / 365.25
        agrees(found["risk_years:rash"][:, arm], years, "years at risk")
        total = DEATH + LOSS + LEAVE
        followed = PATIENTS / 2 * (1.0 - np.exp(-total * DAYS)) / total / 365.25
        agrees(found["patient_years"][:, arm], followed, "years followed")
        dosed = PATIENTS / 2 * (1.0 - np.exp(-(total + STOP) * DAYS)) / (total + STOP) / 365.25
        agrees(found["treatment_years"][:, arm], dosed, "years on treatment")


def test_one_death_whatever_the_cause() -> None:
    rates, fatal = {"a": 0.01, "b": 0.004}, {"a": 0.1, "b": 0.3}
    found = tallies(
        death(0.5),
        dropout={"baseline": per_day(LOSS)},
        adverse_events={
            name: {"baseline": per_day(rate), "severity": {"severe": 1.0}, "fatal": {"severe": fatal[name]}}
            for name, rate in rates.items()
        },
    )
    for arm, ratio in enumerate((1.0, 0.5)):
        causes = {"disease": DEATH * ratio, **{name: rates[name] * fatal[name] for name in rates}}
        total = sum(causes.values()) + LOSS
        gone = PATIENTS / 2 * (1.0 - np.exp(-total * DAYS))
        for cause, rate in causes.items():
            agrees(found[f"deaths:{cause}"][:, arm], rate / total * gone, f"deaths of {cause}")
        agrees(found["events"][:, arm], (total - LOSS) / total * gone, "deaths")
        agrees(found["losses"][:, arm], LOSS / total * gone, "losses")
        counted = sum(found[f"deaths:{cause}"] for cause in causes)
        assert np.array_equal(counted, found["events"])


def test_reasons_to_discontinue_compete() -> None:
    reasons = {"adverse_event": (0.002, 2.0), "physician": (0.001, 1.0), "patient": (0.0005, 0.4)}
    found = tallies(
        death(),
        discontinuation={
            name: {"baseline": per_day(rate), "effect": {"treatment": ratio}}
            for name, (rate, ratio) in reasons.items()
        },
        withdrawal={"baseline": per_day(LEAVE)},
        treatment={"duration": "200 days"},
    )
    for arm in range(2):
        hazards = {name: rate * (ratio if arm else 1.0) for name, (rate, ratio) in reasons.items()}
        total = sum(hazards.values()) + DEATH + LEAVE
        for name, hazard in hazards.items():
            expected = PATIENTS / 2 * hazard / total * (1.0 - np.exp(-total * 200.0))
            agrees(found[f"discontinued:{name}"][:, arm], expected, name)
        agrees(found["treatment_ended"][:, arm], PATIENTS / 2 * np.exp(-total * 200.0), "ended as planned")
        left = PATIENTS / 2 * LEAVE / (LEAVE + DEATH) * (1.0 - np.exp(-(LEAVE + DEATH) * DAYS))
        agrees(found["withdrawals"][:, arm], left, "withdrawals go on off treatment")


def survivors(stop: float, cumulative: Any, days: float = DAYS) -> float:
    """Return the share alive, where treatment stops at a hazard and ``cumulative(s, t)`` is that of death since entry."""
    on = np.exp(-stop * days - cumulative(days, days))
    off = quad(lambda s: stop * np.exp(-stop * s - cumulative(s, days)), 0.0, days, limit=200)[0]
    return float(on + off)


def test_an_effect_that_stops_or_fades_with_the_last_dose() -> None:
    hazard, ratio, stop, half_life = 0.004, 0.3, 0.01, 40.0
    endpoint = {
        "death": {
            "kind": "survival",
            "baseline": per_day(hazard),
            "effect": {"treatment": ratio},
            "terminal": True,
        }
    }
    leave = {"discontinuation": {"any": {"baseline": per_day(stop)}}}

    def remaining(since: float) -> float:
        """Return the hazard spent in some days after the last dose, with the effect fading in steps."""
        step, total = half_life / 4, 0.0
        for k in range(21):
            width = min(max(since - k * step, 0.0), step) if k < 20 else max(since - 20 * step, 0.0)
            total += hazard * width * (ratio ** (2.0 ** -((k + 0.5) / 4)) if k < 20 else 1.0)
        return total

    cases = {
        "stays": ({}, lambda s, t: hazard * ratio * t),
        "stops": ({"effect_stops": True}, lambda s, t: hazard * (ratio * s + t - s)),
        "fades": (
            {"waning": {"half_life": f"{half_life} days"}},
            lambda s, t: hazard * ratio * s + remaining(t - s),
        ),
    }
    dead = {}
    for name, (treatment, cumulative) in cases.items():
        found = tallies(endpoint, treatment=treatment, **leave)
        agrees(found["events"][:, 0], PATIENTS / 2 * (1.0 - np.exp(-hazard * DAYS)), f"control, {name}")
        agrees(found["events"][:, 1], PATIENTS / 2 * (1.0 - survivors(stop, cumulative)), name)
        dead[name] = found["events"][:, 1].mean()
    assert dead["stays"] < dead["fades"] < dead["stops"]


def test_rescue_and_crossover_change_hazards_from_their_start_on() -> None:
    hazard, ratio, stop, wait = 0.004, 0.3, 0.01, 30.0
    endpoint = {
        "death": {
            "kind": "survival",
            "baseline": per_day(hazard),
            "effect": {"treatment": ratio},
            "terminal": True,
        }
    }
    leave = {"discontinuation": {"any": {"baseline": per_day(stop)}}}

    def after(before: float, later: float) -> Any:
        return lambda s, t: hazard * (before * min(s + wait, t) + later * max(t - s - wait, 0.0))

    rescued = tallies(
        endpoint,
        treatment={"rescue": {"probability": 1, "delay": f"{wait} days", "hazard_ratio": {"death": 0.2}}},
        **leave,
    )
    for arm, share in enumerate((1.0, ratio)):
        expected = PATIENTS / 2 * (1.0 - survivors(stop, after(share, 0.2 * share)))
        agrees(rescued["events"][:, arm], expected, f"rescue in arm {arm}")
    crossing = {"from": ["control"], "to": "treatment", "on": "discontinuation", "delay": f"{wait} days"}
    crossed = tallies(endpoint, treatment={"crossover": crossing | {"probability": 1}}, **leave)
    agrees(crossed["events"][:, 0], PATIENTS / 2 * (1.0 - survivors(stop, after(1.0, ratio))), "crossed")
    agrees(crossed["events"][:, 1], PATIENTS / 2 * (1.0 - np.exp(-hazard * ratio * DAYS)), "not crossed")
    some = tallies(endpoint, treatment={"crossover": crossing | {"probability": 0.25}}, **leave)
    mixed = 0.25 * survivors(stop, after(1.0, ratio)) + 0.75 * np.exp(-hazard * DAYS)
    agrees(some["events"][:, 0], PATIENTS / 2 * (1.0 - mixed), "a quarter crosses")
    assert (some["crossovers"][:, 1] == 0).all()


def test_doses_move_the_intensity_and_an_interruption_stops_it() -> None:
    rate = 0.01
    event = {
        "baseline": per_day(rate),
        "severity": {"mild": 1.0},
        "dose_exponent": 2.0,
        "actions": {"mild": {"reduce": 1.0}},
        "window": "0 days",
    }
    found = tallies(death(), treatment={"doses": [1, 0.5]}, adverse_events={"rash": event})
    # The first event reduces the dose to a half, the intensity to a quarter; the second ends treatment.
    first, second, gone = rate, rate / 4, DEATH

    def reached(*rates: float) -> float:
        return float(
            quad(
                lambda t: (
                    rates[0]
                    * np.exp(-(rates[0] + gone) * t)
                    * rates[1]
                    / (rates[1] + gone)
                    * (1.0 - np.exp(-(rates[1] + gone) * (DAYS - t)))
                ),
                0.0,
                DAYS,
            )[0]
        )

    agrees(found["discontinued:adverse_event"][:, 0], PATIENTS / 2 * reached(first, second), "two events")
    once = PATIENTS / 2 * first / (first + gone) * (1.0 - np.exp(-(first + gone) * DAYS))
    agrees(found["dose_reductions"][:, 0], once, "one event")
    paused = event | {"actions": {"mild": {"interrupt": 1.0}}, "interruption": "50 days"}
    held = tallies(death(), adverse_events={"rash": paused})
    # Events are at least 50 days apart: their number is that of a renewal process among the living.
    draws = np.random.default_rng(5).exponential(1 / rate, size=(200_000, 8))
    onset = draws.cumsum(axis=1) + 50.0 * np.arange(8)
    alive = np.where(onset <= DAYS, np.exp(-DEATH * onset), 0.0).sum(axis=1)
    own_error = alive.std() / np.sqrt(len(alive)) * PATIENTS / 2
    counts = held["adverse_events:rash:mild"][:, 0]
    error = np.hypot(counts.std(ddof=1) / np.sqrt(len(counts)), own_error)
    assert abs(counts.mean() - PATIENTS / 2 * alive.mean()) < 5.0 * error


def test_leaving_depends_on_adverse_events_and_on_the_last_outcome() -> None:
    rate, ratio, day, slope = 0.01, 5.0, 100.0, 0.8
    endpoints = {
        "marker": {
            "kind": "binary",
            "readout": f"{day} days",
            "rate": 0.4,
            "effect": {"treatment": 0.4},
            "effect_measure": "rate",
        },
    } | death()
    hypotheses = {
        "h": {
            "endpoint": "death",
            "arms": ["treatment", "control"],
            "analysis": "logrank",
            "direction": "lower",
        }
    }
    found = tallies(
        endpoints,
        hypotheses=hypotheses,
        dropout={"baseline": per_day(LOSS), "after": {"moderate": ratio}},
        withdrawal={"baseline": per_day(LEAVE), "outcome": {"marker": slope}},
        adverse_events={"rash": {"baseline": per_day(rate), "severity": {"mild": 0.5, "moderate": 0.5}}},
    )

    def inside(t: float, later: float) -> float:
        """Return the share still followed whose withdrawals come ``later`` times as often after the read-out."""
        gone = DEATH * t + LEAVE * (min(t, day) + later * max(t - day, 0.0))
        worse = rate / 2
        before = np.exp(-(worse + LOSS) * t)
        excess = worse + LOSS - ratio * LOSS
        after = worse * np.exp(-ratio * LOSS * t) * (1.0 - np.exp(-excess * t)) / excess
        return float(np.exp(-gone) * (before + after))

    def lost(t: float, later: float) -> float:
        gone = DEATH * t + LEAVE * (min(t, day) + later * max(t - day, 0.0))
        return LOSS * float(np.exp(-gone - (rate / 2 + LOSS) * t)) + ratio * LOSS * (
            inside(t, later) - float(np.exp(-gone - (rate / 2 + LOSS) * t))
        )

    expected_losses, expected_withdrawals = 0.0, 0.0
    for later, share in ((np.exp(slope), 0.4), (1.0, 0.6)):
        for span, factor in (((0.0, day), 1.0), ((day, DAYS), later)):
            expected_losses += share * quad(lost, *span, args=(later,))[0]
            expected_withdrawals += share * quad(lambda t, r=later: inside(t, r), *span)[0] * LEAVE * factor
    for arm in range(2):
        agrees(found["losses"][:, arm], PATIENTS / 2 * expected_losses, "losses")
        agrees(found["withdrawals"][:, arm], PATIENTS / 2 * expected_withdrawals, "withdrawals")
