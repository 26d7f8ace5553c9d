"""What people make of recommendations on sites, allocation, doses and stops, against rules written out by hand."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import multivariate_normal, norm

import trialsim
from tests.packages import write_package
from tests.twins.test_people import LOOKS, VISITS
from tests.twins.tie_rich import FOLDER
from tests.twins.tie_rich_reviews import REVIEW_SCENARIOS
from tests.unit.test_evaluate import SCENARIO, evaluated
from trialsim import registry
from trialsim.conformance import check_twins
from trialsim.conformance.sample_views import allocation_view, look_view, site_view, visit_view
from trialsim.contracts import DISCONTINUE, NOTHING, REDUCE, Fate, Kind, LogRow
from trialsim.engines.conduct import conduct
from trialsim.engines.decision_log import FATES, Journal, Origin
from trialsim.engines.fast_site_kernels import CLOSED_BY_REVIEW
from trialsim.engines.runner import chunk_of
from trialsim.errors import ScenarioError
from trialsim.oc.certificate import learned_policies, needs_certificate
from trialsim.policies.committees import AllocationCommittee
from trialsim.report.audit import explained
from trialsim.report.computed_design import computed_sentences
from trialsim.report.designs_table import designs_table
from trialsim.report.story import explain
from trialsim.scenario.advice import notes
from trialsim.scenario.checkpoints import checkpoints_of
from trialsim.scenario.load import scenario_from, scenario_from_text
from trialsim.scenario.reading import parse_yaml
from trialsim.stats.normal import upper_quantile

TRIALS = 60
EFFICACY, FUTILITY = [2.5, 2.3, 2.0], [0.0, 0.5, -np.inf]
NORMAL = f"""
name: normal
horizon: 5 years
accrual: {{poisson: {{rate: 2 per day}}}}
arms: [control, treatment]
endpoints: {{score: {{kind: continuous, readout: 5 days, mean: 0, sd: 1, effect: {{treatment: 0.3}}}}}}
hypotheses:
  primary: {{endpoint: score, arms: [treatment, control], analysis: {{z_test: {{sd: 1}}}}, direction: higher}}
truths: {{works: {{}}, none: {{endpoints.score.effect.treatment: 0}}}}
designs:
  alone:
    kind: group_sequential
    n: 120
    allocation: alternating
    looks: [{{when: {{readouts: 40}}}}, {{when: {{readouts: 80}}}}, {{when: {{readouts: 120}}}}]
    tests: {{primary: {{alpha: 0.025}}}}
    bounds: {{efficacy_z: {EFFICACY}, futility_z: [0.0, 0.5, null]}}
"""
RESPONSE = """
name: response
horizon: 5 years
accrual: {poisson: {rate: 1 per day}}
arms: [control, treatment]
endpoints:
  response: {kind: binary, readout: 5 days, rate: 0.3, effect: {treatment: 0.3}, effect_measure: risk_difference}
hypotheses: {primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher}}
truths: {works: {}}
designs:
  alone:
    kind: fixed
    n: 100
    allocation: simple
    looks: [{when: {readouts: 100}}]
    reviews: {every: {enrolled: 10}}
    tests: {primary: {alpha: 0.025}}
"""


TWO_BOUNDS = [1.5, 1.4, 1.3]


def two_endpoints(**chances: float) -> Any:
    """Return a design that tests two independent endpoints on the same arms, alone and with a committee."""
    tree = yaml.safe_load(NORMAL)
    tree["endpoints"]["second"] = tree["endpoints"]["score"] | {"effect": {"treatment": 0.1}}
    tree["hypotheses"]["second"] = tree["hypotheses"]["primary"] | {"endpoint": "second"}
    tree["truths"] = {"works": {}}
    base = tree["designs"]["alone"]
    base["tests"] = {"primary": {"alpha": 0.0125}, "second": {"alpha": 0.0125}}
    base["looks"] = [{"when": {"readouts": {"count": n, "endpoint": "score"}}} for n in (40, 80, 120)]
    base["bounds"] = {"efficacy_z": TWO_BOUNDS}
    shown = {"policies": {"stopping": people("bounds", **chances)}}
    tree["designs"] = {"alone": base, "shown": base | shown}
    return scenario_from(tree)


def people(policy: Any, delay: float = 0.0, override: float = 0.0) -> dict[str, Any]:
    """Return a policy of a slot in which people decide on what another recommends."""
    return {"human_in_the_loop": {"policy": policy, "delay": delay, "override": override}}


def designs(text: str, **changes: dict[str, Any]) -> Any:
    """Return a scenario in which designs differ from the first in some keys."""
    tree = yaml.safe_load(text)
    base = next(iter(tree["designs"].values()))
    tree["designs"] = {name: base | change for name, change in changes.items()}
    return scenario_from(tree)


def logs(scenario: Any, design: str, count: int = TRIALS) -> list[list[LogRow]]:
    """Return the event logs of some trials under the first truth."""
    chunk = chunk_of(scenario, design, next(iter(scenario.truths)), range(count), 1, "fast")
    conduct(chunk)
    return [chunk.log(row) for row in range(count)]


def of_kinds(log: list[LogRow], *kinds: Kind) -> list[LogRow]:
    """Return the rows of a log that are of some kinds."""
    return [row for row in log if row.kind in kinds]


def fates(slot: str, policy: dict[str, Any], view: Any) -> np.ndarray:
    """Return what people made of the recommendations of a view."""
    loop = registry.get("policies", f"{slot}.human_in_the_loop")(policy=policy, delay=0.2, override=0.3)
    decision, _ = loop.decide(view, {})
    return np.asarray(loop.judged(view, {})[1] if slot == "monitoring" else decision.fate)


RECOMMENDED: dict[str, tuple[dict[str, Any], Any]] = {
    "sites": ({"reselection": {"open": 3, "close_below": 100.0, "after": 1e-6}}, lambda: site_view(20_000)),
    "randomisation": ({"thompson": {}}, lambda: allocation_view(20_000)),
    "monitoring": ({"dose_modification": {"level": "mild", "reduce_after": 1}}, lambda: visit_view(20_000)),
    "stopping": ({"bounds": {}}, lambda: look_view(20_000)),
}


@pytest.mark.parametrize("slot", RECOMMENDED)
def test_each_fate_comes_as_often_as_stated(slot: str) -> None:
    policy, view = RECOMMENDED[slot]
    found = fates(slot, policy, view())
    asked = found[found != Fate.NOT_ASKED]
    assert len(asked) > 1000
    for fate, share in ((Fate.ACCEPTED, 0.5), (Fate.DELAYED, 0.2), (Fate.OVERRIDDEN, 0.3)):
        assert (asked == fate).mean() == pytest.approx(
            share, abs=5 * np.sqrt(share * (1 - share) / len(asked))
        )


ALIKE: dict[str, tuple[str, str, Any]] = {
    "stopping": (NORMAL, "stopping", {"bounds": {}}),
    "randomisation": (RESPONSE, "randomisation", {"thompson": {"power": 0.5}}),
    "monitoring": (VISITS, "monitoring", {"dose_modification": {"level": "mild", "reduce_after": 1}}),
    "sites": (SCENARIO, "sites", {"historical_mean": {"open": 2}}),
}


@pytest.mark.parametrize("name", ALIKE)
def test_what_is_always_accepted_is_the_policy_alone(name: str) -> None:
    text, slot, policy = ALIKE[name]
    scenario = designs(text, alone={"policies": {slot: policy}}, shown={"policies": {slot: people(policy)}})
    assert logs(scenario, "shown", 12) == logs(scenario, "alone", 12)


CONTROLS: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    # No bound but the last is left.
    "stopping": (NORMAL, "stopping", "bounds", {"bounds": {"efficacy_z": [None, None, 2.0]}}),
    "monitoring": (VISITS, *ALIKE["monitoring"][1:], {}),
    "sites": (SCENARIO, *ALIKE["sites"][1:], {"policies": {"sites": {"random": {"open": 2}}}}),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_always_overridden_is_the_control_rule(name: str) -> None:
    text, slot, policy, control = CONTROLS[name]
    overruled = {"policies": {slot: people(policy, override=1.0)}}
    scenario = designs(text, overruled=overruled, control=control, followed={"policies": {slot: policy}})
    given = logs(scenario, "overruled", 12)
    assert given == logs(scenario, "control", 12)
    assert given != logs(scenario, "followed", 12)


def test_overridden_allocation_is_the_ratio_of_the_design() -> None:
    rule = {"thompson": {"power": 1.0}}
    scenario = designs(
        RESPONSE, control={}, overruled={"policies": {"randomisation": people(rule, override=1.0)}}
    )
    for one, other in zip(logs(scenario, "overruled"), logs(scenario, "control"), strict=True):
        assert of_kinds(one, Kind.RANDOMISATION, Kind.READOUT) == of_kinds(
            other, Kind.RANDOMISATION, Kind.READOUT
        )
        assert {row.value for row in of_kinds(one, Kind.WEIGHT)} == {0.5}


def test_delayed_reviews_of_allocation_are_every_second_one() -> None:
    """The rule itself, reviewed half as often, allocates each patient alike."""
    rule = {"thompson": {"power": 1.0}}
    scenario = designs(
        RESPONSE,
        delayed={"policies": {"randomisation": people(rule, delay=1.0)}},
        seldom={"policies": {"randomisation": rule}, "reviews": {"every": {"enrolled": 20}}},
    )
    delayed, seldom = logs(scenario, "delayed"), logs(scenario, "seldom")
    for one, other in zip(delayed, seldom, strict=True):
        assert of_kinds(one, Kind.RANDOMISATION) == of_kinds(other, Kind.RANDOMISATION)
    assert len({row.value for row in of_kinds(seldom[0], Kind.WEIGHT)}) > 4


def test_delayed_stops_come_one_look_later_with_the_same_conclusions() -> None:
    scenario = designs(NORMAL, alone={}, delayed={"policies": {"stopping": people("bounds", delay=1.0)}})
    found = trialsim.simulate(scenario, replicates=500, seed=2).trials()
    one, other = (found[found["design"] == name].reset_index() for name in ("alone", "delayed"))
    assert (one["reject:primary"] == other["reject:primary"]).all()
    assert one["reject:primary"].mean() > 0.1
    assert (other["stop_look"] == np.minimum(one["stop_look"] + 1, 3)).all()
    assert {1, 2} <= set(one["stop_look"])
    early = one["stop_look"] < 3
    assert (other["stop_reason"] == one["stop_reason"])[one["stop_look"] == 1].all()
    assert (other["enrolled"] >= one["enrolled"])[early].all()


@pytest.mark.slow
def test_a_conclusion_that_stops_nothing_uses_up_no_delay() -> None:
    """Looks at which trials stop with two independent tests, by normal probabilities, delayed with probability 0.4."""
    delay, n, looks = 0.4, 20_000, np.array([1.0, 2.0])
    decided = np.ones(2)
    for effect in (
        0.3,
        0.1,
    ):  # of each test: the probability that it has been rejected by look 1, and by look 2
        below = TWO_BOUNDS[:2] - effect * np.sqrt(10.0 * looks)
        joint = multivariate_normal(cov=[[1.0, np.sqrt(0.5)], [np.sqrt(0.5), 1.0]])
        decided *= 1.0 - np.array([norm.cdf(below[0]), joint.cdf(below)])
    stops = np.diff(decided, prepend=0.0)
    expected = np.array([(1 - delay) * stops[0], delay * stops[0] + (1 - delay) * stops[1]])
    found = trialsim.simulate(two_endpoints(delay=delay), replicates=n, seed=6).trials()
    one, other = (found[found["design"] == name].reset_index() for name in ("alone", "shown"))
    for trials, shares in ((one, stops), (other, expected)):
        for look, share in zip((1, 2), shares, strict=True):
            error = np.sqrt(share * (1 - share) / n)
            assert (trials["stop_look"] == look).mean() == pytest.approx(share, abs=5 * error)
    earlier = one[["reject_look:primary", "reject_look:second"]].min(axis=1) < one["stop_look"]
    assert (earlier & (one["stop_look"] == 2)).sum() > 1000  # where a delay could have been used up before
    assert (one["reject:second"] == other["reject:second"]).all()


def test_every_stop_that_is_always_delayed_comes_one_look_later_with_two_endpoints() -> None:
    found = trialsim.simulate(two_endpoints(delay=1.0), replicates=500, seed=2).trials()
    one, other = (found[found["design"] == name].reset_index() for name in ("alone", "shown"))
    assert (other["stop_look"] == np.minimum(one["stop_look"] + 1, 3)).all()
    assert {1, 2} <= set(one["stop_look"])


def test_a_mere_conclusion_is_accepted_or_overridden_and_never_delayed() -> None:
    scenario = two_endpoints(delay=0.4, override=0.3)
    chunk = chunk_of(scenario, "shown", "works", range(TRIALS), 1, "fast")
    journal = Journal(chunk.plan, Origin("", 1, "shown", "works", {}), np.arange(TRIALS))
    met: set[tuple[bool, str]] = set()
    found = conduct(chunk, journal).log["decision_log"]
    for record, seen in zip(found["record"], found["seen"], strict=True):
        decided = json.loads(record)["decided"]
        if decided["people"] == "were not asked":
            continue
        met.add((decided["recommended_stop"], decided["people"]))
        if not decided["recommended_stop"]:
            overridden = decided["people"] == "overrode"
            assert decided["reject"] == ([False, False] if overridden else decided["recommended_reject"])
        said = explained(chunk.plan, {"record": record, "seen": seen, "decision": 0}, ())[-1]
        assert not ("to go on" in said and "delayed it" in said)
    both = {"accepted", "overrode"}
    assert met == {(False, fate) for fate in both} | {(True, fate) for fate in both | {"delayed"}}


@pytest.mark.parametrize(
    ("chances", "sentences"),
    [
        (
            {"delay": 1.0},
            (
                "to close low to allocation. The committee delayed it: what is concluded stands, and low stays open to the "
                "next look.",
                "Recommended by bounds: to go on and to close low to allocation. The committee accepted it.",
            ),
        ),
        (
            {"override": 1.0},
            (
                "to close low to allocation. The committee overrode it: the trial goes on as if nothing had been",
            ),
        ),
    ],
)
def test_closing_of_arms_is_told_alike_in_story_and_log(
    chances: dict[str, float], sentences: tuple[str, ...]
) -> None:
    tree = parse_yaml(LOOKS)
    base = tree["designs"]["alone"]
    tree["designs"] = {"shown": base | {"policies": {"stopping": people("bounds", **chances)}}}
    scenario = scenario_from(tree)
    chunk = chunk_of(scenario, "shown", "expected", range(12), 1, "fast")
    journal = Journal(chunk.plan, Origin("", 1, "shown", "expected", {}), np.arange(12))
    found = conduct(chunk, journal).log["decision_log"]
    logged: list[list[str]] = [[] for _ in range(12)]
    for number, record, seen in zip(found["replicate"], found["record"], found["seen"], strict=True):
        last = explained(chunk.plan, {"record": record, "seen": seen, "decision": 0}, ())[-1]
        logged[number] += [last] if last.startswith("Recommended") else []
    told = [
        [
            said
            for said in explain(scenario, "shown", "expected", number).sentences
            if said.startswith("Recommended")
        ]
        for number in range(12)
    ]
    assert told == logged
    for sentence in sentences:
        assert any(sentence in said for each in told for said in each), sentence


CLOSES = """
import numpy as np

from trialsim.contracts import Decision, Stop


class Closes:
    name = "closes"
    decides_on = "look"
    closes_enrolment = True
    reference = "enrolment closes after the first look"

    def decide(self, view, memory):
        none = np.zeros(view.z.shape, dtype=bool)
        reason = np.where(view.is_last, np.int8(Stop.FINAL), np.int8(Stop.CONTINUE))
        closing = ~view.is_last & (np.asarray(view.look) < 2)
        return Decision(view.is_last, reason, none, none, view.open_arms, close_enrolment=closing), memory
"""


@pytest.mark.parametrize(
    ("chances", "became", "enrolled"),
    [
        ({}, "The committee accepted it.", range(41, 61)),
        (
            {"delay": 1.0},
            "delayed it: what is concluded stands, and enrolment stays open to the next look.",
            range(81, 101),
        ),
        ({"override": 1.0}, "The committee overrode it: the trial goes on as if nothing had been", [120]),
    ],
)
def test_closing_of_enrolment_alone_is_told_alike_in_story_and_log(
    chances: dict[str, float],
    became: str,
    enrolled: Sequence[int],
    packages: Path,
) -> None:
    write_package(packages, "package_that_closes", CLOSES, "trialsim.policies", "stopping.closes", "Closes")
    scenario = designs(NORMAL, shown={"policies": {"stopping": people("closes", **chances)}})
    chunk = chunk_of(scenario, "shown", "works", range(4), 1, "fast")
    journal = Journal(chunk.plan, Origin("", 1, "shown", "works", {}), np.arange(4))
    found = conduct(chunk, journal)
    log = found.log["decision_log"]
    logged: list[list[str]] = [[] for _ in range(4)]
    for number, record, seen in zip(log["replicate"], log["record"], log["seen"], strict=True):
        last = explained(chunk.plan, {"record": record, "seen": seen, "decision": 0}, ())[-1]
        logged[number] += [last] if last.startswith("Recommended") else []
    told = [
        [each for each in explain(scenario, "shown", "works", n).sentences if each.startswith("Recommended")]
        for n in range(4)
    ]
    assert told == logged
    what = "Recommended by closes: to go on and to close enrolment and take the last look next. "
    assert all(each[0].startswith(what) and became in each[0] for each in told)
    assert {int(number) for number in found.ends.enrolled} <= set(enrolled)  # those waited for among them
    assert not check_twins(scenario, replicates=range(4), seed=1)


def test_a_story_names_the_policy_that_gives_up_not_the_people() -> None:
    rule = people({"random": {"look": 1, "share": 0.9}}, delay=1.0)
    scenario = designs(NORMAL, shown={"policies": {"stopping": rule}})
    stories = [" ".join(explain(scenario, "shown", "works", number, 3).sentences) for number in range(6)]
    assert any("given up by the stopping policy random." in story for story in stories)
    assert not any("human_in_the_loop" in story for story in stories)


def test_a_delayed_dose_is_lowered_at_the_next_visit_that_the_patient_comes_to() -> None:
    """A rule that acts at the second visit alone, delayed, is the rule that acts at the third where nobody misses any."""
    text = VISITS.replace(", missed: 0.1", "")
    rule = {"random": {"share": 0.6, "visit": 2, "do": "reduce"}}
    later = {"random": {"share": 0.6, "visit": 3, "do": "reduce"}}
    scenario = designs(
        text,
        delayed={"policies": {"monitoring": people(rule, delay=1.0)}},
        later={"policies": {"monitoring": later}},
    )
    found = logs(scenario, "delayed", 12)
    assert found == logs(scenario, "later", 12)
    assert any(of_kinds(log, Kind.REDUCED) for log in found)


def reselected(**chances: float) -> list[list[LogRow]]:
    """Return trials whose reviews close sites, as far as a committee goes along."""
    tree = copy.deepcopy(REVIEW_SCENARIOS["sites_chosen_again"][0])
    tree["designs"] = {"as_they_come": tree["designs"]["as_they_come"]}
    policies = tree["designs"]["as_they_come"]["policies"]
    policies["sites"] = people(policies["sites"], **chances)
    return logs(scenario_from(tree, FOLDER), "as_they_come")


@pytest.mark.slow
def test_committees_of_sites_close_and_open_late_or_never() -> None:
    changes = (Kind.SITE_CALLED, Kind.SITE_CLOSED)

    def reviewed(log: list[LogRow]) -> list[int]:
        """Return the reviews at which a site was closed or called, from 0."""
        ticks = [row.tick for row in of_kinds(log, Kind.REVIEW)]
        by_review = [
            row
            for row in of_kinds(log, *changes)
            if row.kind == Kind.SITE_CALLED or row.value == CLOSED_BY_REVIEW
        ]
        return sorted({ticks.index(row.tick) for row in by_review})

    followed, delayed, overruled = reselected(), reselected(delay=1.0), reselected(override=1.0)
    first = [reviewed(log) for log in followed]
    assert sum(bool(each) for each in first) > TRIALS / 2
    assert not any(reviewed(log) for log in overruled)
    told = 0
    for before, log in zip(first, delayed, strict=True):
        acted = reviewed(log)
        if not before:
            assert not acted
        elif acted:
            # Nothing differs up to the first recommendation, which is followed one review later, or is not repeated then.
            assert acted[0] > before[0]
            told += acted[0] == before[0] + 1
            assert all(b - a > 1 for a, b in itertools.pairwise(acted))
    assert told > 10


@pytest.mark.slow
def test_type_one_error_and_power_with_a_committee_by_simulation_of_scores() -> None:
    """Scores at thirds of the information as Brownian motion, with fates by NumPy's own generator."""
    delay, override, n = 0.2, 0.4, 20_000
    scenario = designs(
        NORMAL, shown={"policies": {"stopping": people("bounds", delay=delay, override=override)}}
    )
    found = trialsim.simulate(scenario, replicates=n, seed=3).trials()
    rng, many = np.random.default_rng(9), 2_000_000
    for truth, effect in (("works", 0.3), ("none", 0.0)):
        increments = rng.normal(effect * np.sqrt(10.0), 1.0, (many, 3))
        z = np.cumsum(increments, axis=1) / np.sqrt([1.0, 2.0, 3.0])
        open_, rejected, looks = np.ones(many, dtype=bool), np.zeros(many, dtype=bool), np.zeros(many)
        waits = np.zeros(many, dtype=bool)
        for look in range(3):
            here = open_ | waits
            looks += here
            waits[:] = False
            up = open_ & (z[:, look] >= EFFICACY[look])
            down = open_ & ~up & (z[:, look] <= FUTILITY[look])
            fate = rng.random(many)
            overruled = (fate < override) & (look < 2)
            acted = (up | down) & ~overruled
            waits = acted & (fate < override + delay) & (look < 2)
            rejected |= up & ~overruled
            open_ &= ~acted
        mine = found[found["truth"] == truth]
        expected = rejected.mean()
        error = np.sqrt(expected * (1 - expected) * (1 / n + 1 / many))
        assert mine["reject:primary"].mean() == pytest.approx(expected, abs=5 * error)
        spread = looks.std() * np.sqrt(1 / n + 1 / many)
        assert mine["stop_look"].mean() == pytest.approx(looks.mean(), abs=5 * spread)


def test_overriding_everything_leaves_the_last_test_alone() -> None:
    n = 20_000
    scenario = designs(NORMAL, overruled={"policies": {"stopping": people("bounds", override=1.0)}})
    found = trialsim.simulate(scenario, truths="none", replicates=n, seed=4).trials()
    expected = 1 - 0.9772498680518208  # 1 - Phi(2)
    assert upper_quantile(expected) == pytest.approx(2.0)
    assert found["reject:primary"].mean() == pytest.approx(
        expected, abs=5 * np.sqrt(expected * (1 - expected) / n)
    )
    assert (found["enrolled"] == 120).all()


def test_what_is_overridden_never_rejects_beyond_the_efficacy_bounds() -> None:
    ignored = {"policies": {"stopping": {"bounds": {"futility": "ignore"}}}}
    scenario = designs(
        NORMAL, ignored=ignored, shown={"policies": {"stopping": people("bounds", delay=0.2, override=0.5)}}
    )
    found = trialsim.simulate(scenario, truths="none", replicates=5_000, seed=5).trials()
    one, other = (found[found["design"] == name].reset_index() for name in ("ignored", "shown"))
    assert not (other["reject:primary"] & ~one["reject:primary"]).any()
    assert other["reject:primary"].sum() < one["reject:primary"].sum()


def test_the_log_holds_what_was_recommended_and_what_became_of_it() -> None:
    scenario = designs(NORMAL, shown={"policies": {"stopping": people("bounds", delay=0.3, override=0.3)}})
    chunk = chunk_of(scenario, "shown", "none", range(TRIALS), 1, "fast")
    numbers = np.arange(TRIALS)
    found = conduct(chunk, Journal(chunk.plan, Origin("", 1, "shown", "none", {}), numbers)).log[
        "decision_log"
    ]
    told: dict[str, int] = dict.fromkeys(FATES, 0)
    for record, seen in zip(found["record"], found["seen"], strict=True):
        row = {"record": record, "seen": seen, "decision": 0}
        decided = json.loads(record)["decided"]
        told[decided["people"]] += 1
        if decided["people"] != "accepted":
            stays = decided["people"] == "were not asked"
            assert decided["stop"] == (decided["recommended_stop"] and stays)
        said = explained(chunk.plan, row, ())[-1]
        words = {"overrode": "overrode it", "delayed": "delayed it", "accepted": "accepted it"}
        if decided["people"] in words:
            assert "Recommended by bounds: to stop" in said
            assert words[decided["people"]] in said
    assert min(told.values()) > 3
    stories = [" ".join(explain(scenario, "shown", "none", r, 1).sentences) for r in range(8)]
    assert any("The committee overrode it" in story for story in stories)


def other_slots() -> tuple[tuple[Any, str, set[str]], ...]:
    """Return scenarios in which people decide besides looks, with a truth and the kinds of entries in the log."""
    sites = copy.deepcopy(REVIEW_SCENARIOS["sites_chosen_again"][0])
    sites["designs"] = {"one": sites["designs"]["as_they_come"]}
    of_sites = sites["designs"]["one"]["policies"]
    of_sites["sites"] = people(of_sites["sites"], delay=0.3, override=0.3)
    rule = people({"dose_modification": {"level": "mild", "reduce_after": 1}}, delay=0.3, override=0.3)
    return (
        (scenario_from(sites, FOLDER), "world", {"sites", "site_review"}),
        (designs(VISITS, one={"policies": {"monitoring": rule}}), "expected", {"visit"}),
        (
            designs(RESPONSE, one={"policies": {"randomisation": people("thompson", 0.3, 0.3)}}),
            "works",
            {"allocation"},
        ),
    )


def test_the_log_of_other_slots_says_who_decided() -> None:
    """By slot: what was recommended, what was done, and the sentence of an overridden recommendation."""
    overridden = {
        "sites": "drawn at random",
        "site_review": "no site closes and none is asked to open",
        "visit": "nothing was done",
        "allocation": "by the ratio of the design",
    }
    for scenario, truth, kinds in other_slots():
        chunk = chunk_of(scenario, "one", truth, range(40), 1, "fast")
        origin = Origin("", 1, "one", truth, {})
        found = conduct(chunk, Journal(chunk.plan, origin, np.arange(40))).log["decision_log"]
        met: dict[str, set[str]] = {kind: set() for kind in kinds}
        for record, seen in zip(found["record"], found["seen"], strict=True):
            read = json.loads(record)
            if read["kind"] not in kinds or read["decided"]["people"] == "were not asked":
                continue
            met[read["kind"]].add(read["decided"]["people"])
            said = explained(chunk.plan, {"record": record, "seen": seen, "decision": 0}, ())[-1]
            assert said.startswith("Recommended by ")
            if read["decided"]["people"] == "overrode":
                assert overridden[read["kind"]] in said
            if read["kind"] == "visit" and read["decided"]["people"] != "accepted":
                assert read["decided"]["done"] == "nothing"
                assert read["decided"]["recommended_done"] != "nothing"
        for kind, fates_met in met.items():
            assert fates_met == {"accepted", "overrode"} | ({"delayed"} if kind != "sites" else set())


@pytest.mark.parametrize("slot", [0, 1, 2], ids=["sites", "visits", "allocation"])
def test_explain_tells_of_other_slots_what_the_log_tells(slot: int) -> None:
    """One by one where there are at most six, otherwise how many; of patients each in the story of the patient."""
    scenario, truth, kinds = other_slots()[slot]
    chunk = chunk_of(scenario, "one", truth, range(4), 1, "fast")
    origin = Origin("", 1, "one", truth, {})
    found = conduct(chunk, Journal(chunk.plan, origin, np.arange(4))).log["decision_log"]
    for number in range(4):
        logged: dict[str, list[tuple[str, str]]] = {kind: [] for kind in kinds}
        for replicate, record, seen in zip(found["replicate"], found["record"], found["seen"], strict=True):
            read = json.loads(record)
            if replicate == number and read["decided"].get("people", FATES[-1]) != FATES[-1]:
                said = explained(chunk.plan, {"record": record, "seen": seen, "decision": 0}, ())[-1]
                logged[read["kind"]].append((read["decided"]["people"], said))
        story = explain(scenario, "one", truth, number, 1)
        told = [re.sub(r" on day [^:]*:", ":", said) for said in story.sentences if "ecommend" in said]
        expected = []
        for kind, entries in logged.items():
            if kind != "visit" and len(entries) <= 6:
                expected += [said for _, said in entries]
                continue
            (counts,) = (
                said for said in told if said.startswith(f"There were {len(entries)} recommendations")
            )
            expected.append(counts)
            for fate, word in zip(FATES, ("accepted", "delayed", "overridden"), strict=False):
                many = sum(each == fate for each, _ in entries)
                assert not many or re.search(rf"\b{many} (was|were) {word}", counts), counts
        assert sorted(told) == sorted(expected)
        assert told
        if "visit" in kinds:
            of_patients = [
                re.sub(r" on day [^:]*:", ":", said)
                for patient in range(len(story.replay.courses))
                for said in story.candidate(str(patient + 1)).sentences
                if said.startswith("Recommended by")
            ]
            assert sorted(of_patients) == sorted(said for _, said in logged["visit"])


def test_visits_by_hand() -> None:
    """Who is delayed is acted upon at the next visit, by what is recommended then, or else by what was delayed."""
    loop = registry.get("policies", "monitoring.human_in_the_loop")(
        policy={"random": {"share": 0.5, "visit": 1, "do": "discontinue"}}, delay=1.0
    )
    view = visit_view(400)
    first = view.__class__(**(vars(view) | {"visit": np.zeros(400, dtype=np.int64)}))
    done, memory = loop.decide(first, {})
    assert (done == NOTHING).all()
    second = view.__class__(**(vars(view) | {"visit": np.ones(400, dtype=np.int64)}))
    done, memory = loop.decide(second, memory)
    assert 0.3 < (done == DISCONTINUE).mean() < 0.7
    assert not (done == REDUCE).any()
    done, _ = loop.decide(second, memory)
    assert (done == NOTHING).all()


@pytest.mark.parametrize(
    ("changes", "place", "sentence"),
    [
        (
            {"policies": {"stopping": people("bounds", 0.7, 0.4)}},
            "stopping.human_in_the_loop",
            "add up to 1.1",
        ),
        ({"policies": {"stopping": people(people("bounds"))}}, "human_in_the_loop.policy", "inside itself"),
        ({"policies": {"stopping": {"human_in_the_loop": {}}}}, "human_in_the_loop.policy", "required"),
        ({"policies": {"stopping": people("bound")}}, "human_in_the_loop.policy", "Did you mean 'bounds'"),
        (
            {"policies": {"stopping": people({"drop_arms": {"look": 3}})}},
            "human_in_the_loop.policy.drop_arms.look",
            "is not before the last of 3 looks",
        ),
        (
            {"policies": {"randomisation": people("by_design")}},
            "human_in_the_loop.policy",
            "recommends nothing",
        ),
        (
            {"policies": {"monitoring": people("by_protocol")}},
            "human_in_the_loop.policy",
            "recommends nothing",
        ),
        ({"policies": {"sites": people("all_open")}}, "human_in_the_loop.policy", "recommends nothing"),
        ({"policies": {"sites": people({"random": {"open": 2}})}}, "policy.random", "there are none"),
        (
            {"policies": {"randomisation": people("thompson")}},
            "randomisation",
            "no hypothesis on a binary endpoint",
        ),
        (
            {"policies": {"stopping": people("bounds", override=0.1)}, "overrunning": True},
            "overrunning",
            "which people may overrule",
        ),
        (
            {
                "policies": {"stopping": people("bounds", override=0.1)},
                "kind": "fixed",
                "looks": [{"when": {"readouts": 120}}],
                "bounds": None,
            },
            "stopping.human_in_the_loop",
            "one look, the last",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], place: str, sentence: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        designs(NORMAL, one=changes)
    found = [(problem.path, problem.message) for problem in refused.value.problems]
    assert any(place in path and sentence in message for path, message in found), found


def test_overridden_futility_that_bounds_count_upon_is_noted() -> None:
    shown = {"policies": {"stopping": people("bounds", override=0.2)}}
    for binding, ignored, noted in ((True, "follow", 1), (False, "follow", 0), (True, "ignore", 0)):
        shown["policies"]["stopping"] = people({"bounds": {"futility": ignored}}, override=0.2)
        scenario = designs(NORMAL, shown=shown | {"futility_binding": binding})
        said = [note for note in notes(scenario.dump()) if "overrides what is recommended" in note]
        assert len(said) == noted


def test_a_learned_policy_that_people_hear_is_certified_and_kept_like_any_other() -> None:
    digest = "ab" * 32
    learned = {"learned": {"checkpoint": "rule.safetensors", "digest": digest}}
    base = {"bounds": None, "policies": {"stopping": people(learned, override=0.1)}}
    scenario = designs(NORMAL, shown=base)
    assert needs_certificate(scenario, "shown")
    assert learned_policies(scenario, "shown") == {"stopping": digest}
    assert checkpoints_of(scenario) == ("rule.safetensors",)
    (said,) = (note for note in notes(scenario.dump()) if "its level is not held" in note)
    assert "Bounds of a learned policy always do. Certify the design" in said
    assert "holds it whatever" not in said


def test_designs_that_differ_in_people_alone_look_different_in_the_table() -> None:
    ways = {
        "followed": people("bounds"),
        "delayed": people("bounds", delay=0.4),
        "overridden": people("bounds", delay=0.4, override=0.25),
        "other": people({"random": {"share": 0.3}}, delay=0.4),
    }
    scenario = designs(NORMAL, **{name: {"policies": {"stopping": way}} for name, way in ways.items()})
    table = designs_table(scenario.dump(), list(ways))
    assert table is not None
    said = [row[1][1] for row in table.rows]
    assert said == [
        "stopping: human in the loop on bounds",
        "stopping: human in the loop on bounds, delay 0.4",
        "stopping: human in the loop on bounds, delay 0.4, override 0.25",
        "stopping: human in the loop on random, delay 0.4",
    ]
    ranked = {
        "policies": {"recruitment": {"human_in_the_loop": {"ranking": {"by_covariate": {}}, "override": 0.2}}}
    }
    table = designs_table({"designs": {"one": ranked}}, ["one"])
    assert table is not None
    assert ("recruitment: human in the loop on by covariate, override 0.2",) in table.rows[0]


@pytest.mark.parametrize(("chance", "told"), [(0.0, False), (0.3, True)])
def test_a_solved_power_says_that_it_holds_where_stops_are_followed(chance: float, told: bool) -> None:
    asked = {
        "kind": "group_sequential",
        "allocation": "alternating",
        "looks": 3,
        "power": 0.9,
        "under": "works",
        "efficacy": "lan_demets_obrien_fleming",
        "tests": {"primary": {"alpha": 0.025}},
        "policies": {"stopping": people("bounds", delay=0.2, override=chance)},
    }
    tree = yaml.safe_load(NORMAL)
    tree["designs"] = {"asked": asked}
    scenario = scenario_from(tree)
    (size, _) = computed_sentences(scenario)
    assert "for power 0.9 under works" in size
    assert ("if the stops are followed (they are overridden with probability 0.3" in size) == told
    said = [note for note in notes(scenario.dump()) if "as if stops were followed" in note]
    assert len(said) == told


def test_evaluate_takes_committees_and_the_number_of_sites_of_the_design(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = yaml.safe_load(SCENARIO)
    tree["designs"]["equal"]["policies"] = {"sites": {"random": {"open": 2}}}
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    (tmp_path / "shown.yaml").write_text(
        yaml.safe_dump(people("historical_mean", override=1.0)), encoding="utf-8"
    )
    words = ["--decides", "sites", "--scenario", str(tmp_path / "world.yaml")]
    found = evaluated(capsys, str(tmp_path / "shown.yaml"), *words)["policies"]
    assert found[0]["measures"] == found[1]["measures"]  # overridden, sites are drawn as `random` draws them


def test_a_scenario_reads_back_as_it_was_written() -> None:
    scenario = designs(
        NORMAL, shown={"policies": {"stopping": people({"random": {"share": 0.3}}, delay=0.1)}}
    )
    again = scenario_from_text(yaml.safe_dump(scenario.dump()))
    assert again.digest() == scenario.digest()
    assert again.designs["shown"].policies["stopping"] == (
        "human_in_the_loop",
        {"policy": {"random": {"share": 0.3, "look": 1, "stop_when": "all"}}, "delay": 0.1, "override": 0.0},
    )


@pytest.mark.slow
def test_a_rerandomisation_test_asks_the_committee_again_as_it_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is always accepted, or overridden, is tested like the rule, or the design, alone; fates are drawn alike."""
    text = RESPONSE.replace("score_test", "rerandomised_proportions")
    rule = {"thompson": {"power": 1.0}}
    ways = {"rule": rule, "accepted": people(rule), "overridden": people(rule, override=1.0)}
    scenario = designs(
        text, design={}, **{name: {"policies": {"randomisation": way}} for name, way in ways.items()}
    )
    seeds: set[int] = set()
    decide = AllocationCommittee.decide

    def noted(self: AllocationCommittee, view: Any, memory: Any) -> Any:
        seeds.add(view.seed)
        return decide(self, view, memory)

    monkeypatch.setattr(AllocationCommittee, "decide", noted)
    found = trialsim.simulate(scenario, replicates=8, seed=1).trials()
    z = {name: found.loc[found["design"] == name, "z:primary"].tolist() for name in scenario.designs}
    assert z["accepted"] == z["rule"]
    assert z["overridden"] == z["design"]
    assert z["rule"] != z["design"]
    assert len(seeds) == 1
