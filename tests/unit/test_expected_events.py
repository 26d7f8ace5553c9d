"""Events that patients can be expected to have by the horizon: integrals, simulated trials, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.stats import expon, lognorm, weibull_min

import trialsim
from trialsim.designs.expected_events import events_by_the_horizon
from trialsim.errors import ScenarioError
from trialsim.scenario.load import scenario_from
from trialsim.scenario.schema import Scenario

DAYS, OVER, N = 700, 300, 198
DEATH = {
    "kind": "survival", "terminal": True, "baseline": {"hazard": "0.001 per day"}, "effect": {"treatment": 0.5},
}  # fmt: skip
LOSS = {"baseline": {"hazard": "0.0008 per day"}, "effect": {"treatment": 2.0}}
EVENT = 0.002, 0.0014
OUT = 0.001 + 0.0008, 0.0005 + 0.0016
SHARES = 1 / 3, 2 / 3


def world(**parts: Any) -> Scenario:
    """Return a trial with a third of its patients on control; its only look is at the horizon."""
    endpoint = {"kind": "survival", "baseline": {"hazard": "0.002 per day"}, "effect": {"treatment": 0.7}}
    death = parts.pop("death", None)
    tree: dict[str, Any] = {
        "name": "example",
        "horizon": f"{DAYS} days",
        "accrual": {"uniform": {"over": f"{OVER} days"}},
        "arms": ["control", "treatment"],
        "endpoints": {"event": endpoint | parts.pop("event", {})} | ({} if death is None else {"death": death}),
        "hypotheses": {
            "primary": {"endpoint": "event", "arms": ["treatment", "control"], "analysis": "logrank", "direction": "lower"}
        },
        "truths": {"effect": {}},
        "designs": {
            "fixed": {
                "kind": "fixed", "n": N,
                "allocation": {"permuted_blocks": {"size": 3, "ratio": {"control": 1, "treatment": 2}}},
                "looks": [{"when": {"calendar": f"{DAYS} days"}}], "tests": {"primary": {"alpha": 0.025}},
            }
        },
    }  # fmt: skip
    return scenario_from(tree | parts)


def expected(scenario: Scenario) -> float:
    found = events_by_the_horizon(scenario.world("effect"), scenario.designs["fixed"])
    assert found is not None
    return found


def incidence(time: float, arm: int) -> float:
    """Return the chance of an event by a time since entry, before loss and death."""
    both = EVENT[arm] + OUT[arm]
    return EVENT[arm] / both * -float(np.expm1(-both * max(time, 0.0)))


def test_loss_and_death_compete_with_the_event() -> None:
    entered = [quad(lambda u: incidence(DAYS - u, arm), 0.0, OVER)[0] / OVER for arm in (0, 1)]  # noqa: B023
    found = expected(world(death=DEATH, dropout=LOSS))
    assert found == pytest.approx(N * np.dot(SHARES, entered), rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "law"),
    [
        ({"exponential": {"mean": "90 days"}}, expon(scale=90)),
        ({"log_normal": {"median": "60 days", "sd_log": 1.0}}, lognorm(1.0, scale=60)),
        ({"weibull": {"shape": 0.8, "scale": "80 days"}}, weibull_min(0.8, scale=80)),
    ],
)
def test_events_are_known_when_they_are_reported(written: dict[str, Any], law: Any) -> None:
    found = expected(world(event={"report_delay": written}, death=DEATH, dropout=LOSS))
    known = [
        dblquad(lambda late, u: law.pdf(late) * incidence(DAYS - u - late, arm), 0.0, OVER, 1e-9, lambda u: DAYS - u)[0]  # noqa: B023
        / OVER
        for arm in (0, 1)
    ]  # fmt: skip
    assert found == pytest.approx(N * np.dot(SHARES, known), rel=1e-4)


@pytest.mark.parametrize("event", [{"readout": "120 days"}, {"report_delay": "120 days"}])
def test_a_fixed_delay_brings_the_horizon_nearer(event: dict[str, Any]) -> None:
    sooner = world().model_copy(update={"horizon": float(DAYS - 120)})
    assert expected(world(event=event)) == pytest.approx(expected(sooner), rel=1e-6)


@pytest.mark.parametrize("shape", [0.5, 1.0, 1.7])
def test_weibull_hazards_are_integrated(shape: float) -> None:
    scale, ratio = 400.0, (1.0, 0.7)
    event = {"baseline": {"weibull": {"shape": shape, "scale": f"{scale} days"}}}

    def of(arm: int) -> float:
        def density(y: float) -> float:
            return float(ratio[arm] * np.exp(-y * ratio[arm] - LOSSES[arm] * scale * y ** (1.0 / shape)))

        def by(u: float) -> float:
            # In units of the hazard spent, which has no pole at entry.
            most = ((DAYS - u) / scale) ** shape
            return float(quad(density, 0.0, most)[0])

        return float(quad(by, 0.0, OVER)[0]) / OVER

    assert expected(world(event=event, dropout=LOSS)) == pytest.approx(
        N * (SHARES[0] * of(0) + SHARES[1] * of(1)), rel=2e-5
    )


LOSSES = 0.0008, 0.0016
RATIOS = [{"from": "0 days", "hazard_ratio": 2.0}, {"from": "200 days", "hazard_ratio": 0.3}]
WORLDS: dict[str, dict[str, Any]] = {
    "death": {"death": DEATH, "dropout": LOSS},
    "reports": {"event": {"report_delay": {"log_normal": {"median": "60 days", "sd_log": 1.0}}}},
    "all": {
        "event": {
            "baseline": {"weibull": {"shape": 1.4, "median": "250 days"}},
            "report_delay": {"uniform": {"from": "10 days", "to": "200 days"}},
        },
        "death": DEATH | {"baseline": {"weibull": {"shape": 1.5, "median": "500 days"}}, "effect": {"treatment": RATIOS}},
        "dropout": LOSS,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("parts", WORLDS.values(), ids=WORLDS)
def test_trials_have_as_many(parts: dict[str, Any]) -> None:
    scenario = world(**parts)
    events = trialsim.simulate(scenario, replicates=4000, seed=5).trials()["events"].to_numpy(dtype=float)
    error = events.std(ddof=1) / np.sqrt(len(events))
    assert abs(events.mean() - expected(scenario)) < 5.0 * error


TRAITS = {"traits": {"prognosis": {"sd": 1.5}}}
UNKNOWN: dict[str, dict[str, Any]] = {
    "loss_by_trait": {"population": TRAITS, "dropout": LOSS | {"latent": {"prognosis": 1.0}}},
    "death_by_trait": {
        "population": TRAITS,
        "death": DEATH | {"latent": {"prognosis": -1.0}, "effect_kind": "conditional"},
    },
    "death_drifts": {"death": DEATH | {"drift": {"per_year": 3.0}}},
}


@pytest.mark.parametrize("parts", UNKNOWN.values(), ids=UNKNOWN)
def test_what_goes_by_traits_is_taken_not_to_happen(parts: dict[str, Any]) -> None:
    """So that a size is never refused that could be had."""
    without = {key: part for key, part in parts.items() if key not in ("death", "dropout")}
    scenario = world(**parts)
    assert expected(scenario) == pytest.approx(expected(world(**without)), rel=1e-12)
    events = trialsim.simulate(scenario, replicates=500, seed=5).trials()["events"].to_numpy(dtype=float)
    assert events.mean() + 5.0 * events.std() / np.sqrt(len(events)) < expected(scenario)


@pytest.mark.slow
def test_patients_of_sites_are_taken_to_enter_at_once() -> None:
    group = {
        "count": 8,
        "rate": "2 per month",
        "activation": {"uniform": {"from": "0 days", "to": "90 days"}},
    }
    scenario = world(accrual={"sites": {"usual": group}}, death=DEATH, dropout=LOSS)
    by_then = N * (SHARES[0] * incidence(DAYS, 0) + SHARES[1] * incidence(DAYS, 1))
    assert expected(scenario) == pytest.approx(by_then, rel=1e-6)
    simulated = trialsim.simulate(scenario, replicates=20, seed=5, engine="reference")
    events = simulated.trials()["events"].to_numpy(dtype=float)
    assert events.mean() + 5.0 * events.std() / np.sqrt(len(events)) < by_then


SIZED = {
    "kind": "group_sequential", "n": 330, "allocation": "alternating", "looks": 2, "power": 0.8, "under": "effect",
    "tests": {"primary": {"alpha": 0.025}}, "efficacy": "obrien_fleming",
}  # fmt: skip


def sized(n: int, **parts: Any) -> Scenario:
    return world(horizon="5 years", designs={"sized": SIZED | {"n": n}}, **parts)


def refused(n: int, **parts: Any) -> str:
    with pytest.raises(ScenarioError) as found:
        sized(n, **parts)
    (problem,) = found.value.problems
    return str(problem)


def test_a_size_is_refused_where_events_come_too_seldom_or_too_late() -> None:
    events = sized(330).designs["sized"].looks[-1].when.events
    assert events is not None
    needed = events.count
    assert needed == 249
    for parts in (
        {"death": DEATH | {"baseline": {"hazard": "0.002 per day"}}},
        {"event": {"report_delay": {"log_normal": {"median": "500 days", "sd_log": 1.0}}}},
        {"event": {"readout": "900 days"}},
        {"death": DEATH | {"baseline": {"hazard": "0.002 per day"}}, "accrual": {"sites": {"usual": {
            "count": 20, "rate": "2 per month", "activation": "30 days"}}}},
    ):  # fmt: skip
        sentence = refused(330, **parts)
        assert sentence.startswith(
            f"designs.sized.n: {needed} events are needed, but 330 patients can be expected to have"
        )
        assert "extend the horizon" in sentence
        more = int(sentence.partition("(about ")[2].partition(" can")[0].replace(",", ""))
        last = sized(more + 2, **parts).designs["sized"].looks[-1].when.events
        assert last is not None
        assert last.count == needed


def test_reports_beyond_the_horizon_are_no_matter_of_size() -> None:
    sentence = refused(330, event={"readout": "1826 days"})
    assert "expected to have 0 that are known" in sentence
    assert "enrol more" not in sentence


def test_events_that_a_committee_must_confirm_have_no_formula() -> None:
    """Looks wait for reports and analyses take what is confirmed: of 0.9 planned, 0.7 was left where 0.6 are confirmed."""
    sentence = refused(330, event={"adjudication": {"delay": "30 days", "confirmed": 0.6}})
    assert "designs.sized.under: no formula gives the size where 'event' is moved by adjudication" in sentence
