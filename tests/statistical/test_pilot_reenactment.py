"""The CDISC pilot study re-enacted in its fitted world, and the scenario file against the fit it was written from.

The world was fitted to these very tables: each real figure should lie inside the central 95% of its own re-enactments.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import multivariate_normal, norm

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "cdisc_pilot"
PAGE = FOLDER.parents[1] / "docs" / "cdisc_pilot.md"
ARMS, LEVELS = ("placebo", "low", "high"), ("mild", "moderate", "severe")
PIECES = ("0-14", "14-28", "28-84", "84+")


def load(name: str) -> ModuleType:
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location(f"cdisc_pilot_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load("reenact")


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "cdisc_pilot.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    return json.loads((FOLDER / "parameters.json").read_text(encoding="utf-8"))


def per_day(text: str) -> float:
    number, unit = text.split(" ", 1)
    assert unit == "per day"
    return float(number)


# --- re-enactments


def test_the_real_figures_lie_among_re_enactments(script: ModuleType) -> None:
    listed = script.figures(script.reenact(script.fitted_plan(seed=1), 150))
    assert len(listed) == 2 * 27 + 1 + 3 * (3 + 1 + 3 + 7 + 3)
    together = script.joint(listed)
    assert (
        together.outside == sum(not one.inside for one in listed) <= 2
    )  # limits of 150 trials are not those of many
    assert together.p_outside > 0.2
    assert together.p_extreme > 0.2


def test_another_world_is_told_from_the_real_one(script: ModuleType) -> None:
    listed = script.figures(script.reenact(script.fitted_plan(seed=1, truth="no_effect"), 60))
    outside = {(one.arm, one.name) for one in listed if not one.inside}
    for arm in ("low", "high"):
        seen = {f"on treatment at week {week}" for week in (8, 12, 16, 20, 24)}
        seen |= {"moderate adverse events", "stopped for an adverse event", "completed"}
        assert {(arm, name) for name in seen} <= outside
    assert not any(arm == "placebo" for arm, _ in outside)
    treated = [one for one in listed if one.name.startswith("on treatment")]
    assert script.joint(treated).p_outside == script.joint(treated).p_extreme == pytest.approx(1 / 61)


@pytest.mark.slow
def test_figures_of_a_trial_like_the_others_are_jointly_usual(script: ModuleType) -> None:
    # 20 figures that hang together. The real trial is one of 100 alike: p values are uniform, ties apart.
    rng = np.random.default_rng(4)
    extreme, many = [], []
    for _ in range(200):
        trials = np.cumsum(rng.standard_normal((100, 20)), axis=1)
        found = script.joint(
            [script.figure_among("all", str(k), x[-1], x[:-1]) for k, x in enumerate(trials.T)]
        )
        extreme.append(found.p_extreme)
        many.append(found.p_outside)
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / 200)
        assert np.mean(np.array(extreme) <= level) == pytest.approx(level, abs=5 * error)
        assert np.mean(np.array(many) <= level) <= level + 5 * error


def test_one_figure_far_off_among_many_is_seen_by_its_rank(script: ModuleType) -> None:
    rng = np.random.default_rng(4)
    listed = [script.figure_among("all", str(k), 0.0, rng.standard_normal(999)) for k in range(30)]
    assert script.joint(listed).p_extreme > 0.9
    found = script.joint([*listed, script.figure_among("all", "far", 9.0, rng.standard_normal(999))])
    assert (
        found.p_extreme <= 31 * 2 / 1000
    )  # only trials that are the most extreme in some figure come before
    assert (found.outside, found.p_outside > 0.5) == (1, True)


@pytest.mark.slow
def test_the_page_holds_what_the_script_prints(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main([]) == 0
    assert capsys.readouterr().out.strip() in PAGE.read_text(encoding="utf-8")


# --- the file


def test_the_file_is_what_the_script_writes_from_the_fit(fitted: dict[str, Any]) -> None:
    text = (FOLDER / "cdisc_pilot.yaml").read_text(encoding="utf-8")
    assert text == load("pilot_scenario").scenario_text(fitted)


def test_intensities_are_the_fitted_ones_for_a_frailty_of_mean_one(
    written: dict[str, Any], fitted: dict[str, Any]
) -> None:
    rows = fitted["adverse_events"]
    sd = written["population"]["traits"]["toxicity"]["sd"]
    frailty_mean, frailty_square = np.exp(sd**2 / 2), np.exp(2 * sd**2)
    variance = frailty_square / frailty_mean**2 - 1
    assert variance == pytest.approx(rows["event_frailty.variance"]["value"], rel=2e-4)
    for arm in ARMS:
        for k, piece in enumerate(PIECES):
            found = {}
            for level in LEVELS:
                term = written["adverse_events"][f"{level}_event"]
                ratio = 1.0 if arm == "placebo" else term["effect"][arm][k]["hazard_ratio"]
                found[level] = per_day(term["baseline"]["piecewise"][k]["hazard"]) * ratio * frailty_mean
            total = sum(found.values())
            assert total == pytest.approx(rows[f"event_frailty_rate.{arm}.{piece}"]["value"], rel=2e-4)
            for level in LEVELS:
                share = rows[f"severity_share.{arm}.{level}"]["value"]
                assert found[level] / total == pytest.approx(share, rel=2e-4)


def test_one_factor_gives_the_fitted_changes_of_adas_cog(
    written: dict[str, Any], fitted: dict[str, Any]
) -> None:
    rows = fitted["measurements"]
    factor, sd = {}, {}
    for week in (8, 16, 24):
        endpoint = written["endpoints"][f"adas_week{week}"]
        factor[week] = endpoint["latent"]["prognosis"] * written["population"]["traits"]["prognosis"]["sd"]
        sd[week] = np.hypot(factor[week], endpoint["sd"])
        assert sd[week] == pytest.approx(rows[f"adas_cog.residual_sd.{week}"]["value"], rel=2e-4)
        for arm in ARMS:
            mean = endpoint["mean"] + endpoint["effect"].get(arm, 0.0)
            assert mean == pytest.approx(rows[f"adas_cog.change.{arm}.{week}"]["value"], abs=2e-4)
    for one, other in ((8, 16), (8, 24), (16, 24)):
        correlation = factor[one] * factor[other] / (sd[one] * sd[other])
        assert correlation == pytest.approx(rows[f"adas_cog.correlation.{one}_{other}"]["value"], rel=3e-4)


def test_hazards_of_stopping_are_the_fitted_ones(written: dict[str, Any], fitted: dict[str, Any]) -> None:
    rows, leaving = fitted["discontinuation"], written["discontinuation"]
    for reason, departure in leaving.items():
        if reason == "adverse_event":
            continue
        hazard = per_day(departure["baseline"]["hazard"])
        assert hazard == pytest.approx(rows[f"hazard.{reason}.all.constant"]["value"], rel=1e-4)
    for_event = leaving["adverse_event"]
    for k, piece in enumerate(PIECES):
        log_hazard = np.log(per_day(for_event["baseline"]["piecewise"][k]["hazard"]))
        assert log_hazard == pytest.approx(rows[f"stop_for_event.worst.{piece}"]["value"], abs=1e-4)
    for name, ratio in (for_event["effect"] | for_event["after"]).items():
        assert np.log(ratio) == pytest.approx(rows[f"stop_for_event.worst.{name}"]["value"], abs=1e-4)
    fitted_reasons = {name.split(".")[1] for name in rows if name.endswith(".all.constant")}
    assert set(leaving) == fitted_reasons - {"death"}


def test_sites_are_the_17_of_the_tables(written: dict[str, Any], fitted: dict[str, Any]) -> None:
    real = json.loads((FOLDER / "real.json").read_text(encoding="utf-8"))
    rows, sites = fitted["enrolment"], written["accrual"]["sites"]
    assert len(sites) == 17
    seen = {row["site"]: row["screened"] for row in real["enrolment"]["by_site"]}
    for name, site in sites.items():
        number = name.removeprefix("site_")
        rate, day = per_day(site["rate"]), int(site.get("activation", "0 days").split()[0])
        assert day == rows[f"activation_day.{number}"]["value"]
        assert rate == pytest.approx(rows[f"ramp_up.rate.{number}"]["value"], rel=1e-4)
        (slower,), rising = site["competing"], site["ramp_up"]
        assert rising["from"] == rows["ramp_up.from"]["value"]
        over = int(rising["over"].split()[0])
        lost = (1 - rising["from"]) * over / 2  # days of the full rate that the ramp-up costs
        expected = 1 + rate * (630 - day - lost + (784 - 630) * (1 - slower["share"]))  # and the first
        assert expected == pytest.approx(seen[number], rel=2e-4)


def test_the_bounds_spend_what_they_say(written: dict[str, Any]) -> None:
    alpha = written["designs"]["as_conducted"]["tests"]["low"]["alpha"]
    (_, only) = written["designs"]["as_conducted"]["bounds"]["efficacy_z"]
    assert norm.sf(only) == pytest.approx(alpha, rel=1e-4)
    first, last = written["designs"]["two_looks"]["bounds"]["efficacy_z"]
    half = np.sqrt(0.5)
    spent = 2 * norm.sf(norm.isf(alpha / 2) / half)  # Lan and DeMets 1983, O'Brien-Fleming type, at half
    assert norm.sf(first) == pytest.approx(spent, rel=1e-4)
    both = multivariate_normal(mean=[0, 0], cov=[[1, half], [half, 1]]).cdf([first, last])
    assert 1 - both == pytest.approx(alpha, rel=1e-4)
