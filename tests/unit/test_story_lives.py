"""Stories of patients' lives: every kind of the log has its words, and the data set gives back the analyses."""

from __future__ import annotations

import copy
import re
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.markers import MarkerStyle

from tests.twins.lives import SCENARIOS
from trialsim.contracts import Kind
from trialsim.engines.conduct import conduct
from trialsim.engines.runner import chunk_of
from trialsim.report.story_lives import KINDS, level_name
from trialsim.report.story_marks import swimmers
from trialsim.report.story_patient_lives import patient_sentences
from trialsim.report.story_patients import analysis_data_set
from trialsim.report.story_replay import Replay, replay
from trialsim.report.story_sentences import story_sentences
from trialsim.report.story_words import happening, named, when
from trialsim.scenario.load import scenario_from
from trialsim.timegrid import TICKS_PER_DAY

mpl.use("Agg")


# True values of strategies by drawing take most of a minute: that story is told by `make test-exhaustive`.
LONG = ("monitored", "everything", "outcomes_change", "told_strategies")
"""Those with true values of strategies, which take their time."""
STORIES = [
    pytest.param(name, marks=pytest.mark.exhaustive) if name == "strategies" else name for name in SCENARIOS
]


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in STORIES],
)
def told(request: pytest.FixtureRequest) -> Replay:
    scenario = scenario_from(SCENARIOS[request.param][0])
    return replay(scenario, next(iter(scenario.designs)), "here", 2, 1)


@pytest.fixture(scope="module")
def sentences(told: Replay) -> list[str]:
    """The story of that trial; true values of some strategies take their time."""
    return story_sentences(told)


def test_every_entry_has_its_words(told: Replay, sentences: list[str]) -> None:
    for row in told.log:
        entry = named(told, row)
        words = happening(entry)
        assert words and "None" not in words, (row, words)
        if row.kind in KINDS:
            assert f"patient {row.id + 1} on {told.plan.arms[told.courses[row.id].arm]}" in words
    assert sentences


def test_crossing_over_is_told_only_where_patients_can(
    request: pytest.FixtureRequest, told: Replay, sentences: list[str]
) -> None:
    tree = SCENARIOS[request.node.callspec.params["told"]][0]
    numbers = {
        how: sum(
            int(number)
            for text in sentences
            for number in re.findall(rf"(\d+) patients? had the last dose {how}", text)
        )
        for how in ("as planned", "on crossing over")
    }
    last = {row.id for row in told.log if row.kind == Kind.TREATMENT_ENDED}
    assert sum(numbers.values()) == len(last)
    assert numbers["on crossing over"] == 0 or "crossover" in tree.get("treatment", {})
    crossed = {row.id for row in told.log if row.kind == Kind.CROSSOVER}
    assert numbers["on crossing over"] <= len(last & crossed)


def test_who_leaves_is_told_apart_from_who_withdraws(told: Replay, sentences: list[str]) -> None:
    text = " ".join(sentences)
    gone = [row for row in told.log if row.kind == Kind.DROPOUT]
    withdrew, lost = (sum(row.part == part for row in gone) for part in (1, 0))
    assert (f"{withdrew} patient" in text and "withdrew consent" in text) == bool(withdrew)
    assert bool(
        re.search(rf"\b{lost} (others were|other was|patients were|patient was) lost to follow-up", text)
    ) == bool(lost)
    for look in told.looks:
        by_then = [row.part for row in gone if row.tick <= look.cut]
        assert told.left(look.cut) == (by_then.count(0), by_then.count(1))


def test_looks_say_what_was_reported_beside_what_was_confirmed(told: Replay, sentences: list[str]) -> None:
    adjudicated = {row.part for row in told.log if row.kind == Kind.ADJUDICATED}
    tested = {test.endpoint for test in told.plan.tests}
    said = [text for text in sentences if re.search(r"reported, [\d,]+ of them confirmed by then", text)]
    if not told.looks or not adjudicated & tested:
        return
    assert len(said) == len(told.looks)
    for look in told.looks:
        for endpoint in adjudicated & tested:
            confirmed = sum(
                row.kind == Kind.ADJUDICATED
                and row.part == endpoint
                and row.value == 1
                and row.tick <= look.cut
                for row in told.log
            )
            assert int(told.known(endpoint, look.cut).sum()) == confirmed
            number = told.told(endpoint, look.cut)
            assert number is not None and number >= confirmed


def test_events_that_a_strategy_leaves_out_are_told(told: Replay, sentences: list[str]) -> None:
    for look in told.looks:
        for place, test in enumerate(told.plan.tests):
            if (taken := look.used[place]) is None or told.plan.world.outcomes[
                test.endpoint
            ].kind != "survival":
                continue
            used = sum(each.event for each in taken)
            known = int(told.known(test.endpoint, look.cut)[[test.treatment, test.control]].sum())
            if test.strategy in ("while_on_treatment", "hypothetical"):
                assert used <= known
            if test.strategy in ("treatment_policy", "principal_stratum"):
                assert used == known
            found = [
                text for text in sentences if f"{test.name} z = " in text and f"(from {used} event" in text
            ]
            assert used == known or found or look.status[place] != 0


@pytest.mark.slow
def test_every_kind_of_a_life_is_told() -> None:
    seen: set[Kind] = set()
    for tree, _ in SCENARIOS.values():
        scenario = scenario_from(tree)
        for number in range(3):
            seen |= {
                row.kind for row in replay(scenario, next(iter(scenario.designs)), "here", number, 1).log
            }
    assert seen >= KINDS


def test_adverse_events_stand_in_the_picture_by_severity(told: Replay) -> None:
    drawn = swimmers(told)
    count = sum(len(mark.points) for mark in drawn.marks if mark.label.startswith("adverse event"))
    assert count == sum(row.kind == Kind.ADVERSE_EVENT for row in told.log)
    for mark in drawn.marks:
        MarkerStyle(mark.shape)


def test_the_data_set_gives_back_the_events_analysed(told: Replay) -> None:
    frame = analysis_data_set(told)
    primary = told.plan.world.outcomes[told.plan.primary]
    if primary.kind == "survival":
        events = (frame[f"{primary.name.upper()}_CNSR"] == 0).sum()
        assert events == told.trial["events"]
    look = told.looks[told.stop_look - 1] if told.stop_look else None
    for place, test in enumerate(told.plan.tests):
        law = told.plan.world.outcomes[test.endpoint]
        if look is None or law.kind != "survival" or test.strategy != "treatment_policy":
            continue
        if test.analysis.name != "logrank":
            continue
        part = frame[frame[f"{law.name.upper()}_ANLFL"] == "Y"]
        part = part[part["ARMCD"].isin([test.treatment, test.control])]
        time = part[f"{law.name.upper()}_TIME"].to_numpy(dtype=float)
        had = (part[f"{law.name.upper()}_CNSR"] == 0).to_numpy(dtype=bool)
        treated = (part["ARMCD"] == test.treatment).to_numpy()
        score, variance = 0.0, 0.0
        for at in np.unique(time[had]):
            risk, now = time >= at, had & (time == at)
            n, n1, d = risk.sum(), (risk & treated).sum(), now.sum()
            score += (now & treated).sum() - d * n1 / n
            variance += d * (n1 / n) * (1 - n1 / n) * ((n - d) / (n - 1) if n > 1 else 0.0)
        assert look.z[place] == pytest.approx(-score / np.sqrt(variance), abs=1e-9)


def test_every_adverse_event_of_a_patient_is_told(told: Replay) -> None:
    life = told.plan.world.life
    assert life is not None
    for number in range(len(told.courses)):
        text = " ".join(patient_sentences(told, number))
        own = [row for row in told.log if row.id == number and row.kind in KINDS]
        had = [row for row in own if row.kind == Kind.ADVERSE_EVENT]
        for row in had:
            term = f"{level_name(life, int(row.value))} {life.terms[row.part]} on {when(row.tick)}"
            assert term in text
        for kind, words in (
            (Kind.SERIOUS, ", serious"), (Kind.RESOLVES, ", for |, not resolved"), (Kind.INTERRUPTED, ", no doses for "),
            (Kind.REDUCED, "dose reduced to level "), (Kind.DISCONTINUED, "discontinued"), (Kind.DEATH, "fatal|died of"),
            (Kind.CROSSOVER, "crossed over to"), (Kind.RESCUE, "began rescue"), (Kind.RESUMED, "had doses again"),
        ):  # fmt: skip
            assert len(re.findall(words, text)) == sum(row.kind == kind for row in own), (kind, text)
        if life.terms and not had:
            assert "no adverse event" in text


def test_how_long_an_adverse_event_lasted_is_told_of_those_that_ended_while_the_patient_was_followed() -> (
    None
):
    """Against what the reference engine knows of when each patient left."""
    tree = copy.deepcopy(SCENARIOS["everything"][0])
    tree["adverse_events"]["rash"]["duration"] = {"exponential": {"mean": "40 days"}}
    scenario = scenario_from(tree)
    design = next(iter(scenario.designs))
    told = replay(scenario, design, "here", 2, 1)
    trial: Any = chunk_of(scenario, design, "here", [2], 1, "reference")
    conduct(trial)
    left = [told.end if p.ended is None else min(p.ended, told.end) for p in trial.patients]
    counted = {True: 0, False: 0}
    for number, until in enumerate(left):
        text = " ".join(patient_sentences(told, number))
        lengths = [row for row in told.log if row.id == number and row.kind == Kind.RESOLVES]
        over = [row.tick + row.value * TICKS_PER_DAY <= until for row in lengths]
        assert len(re.findall(r", for [\d.]+ days", text)) == sum(over)
        assert text.count(", not resolved by the end of follow-up") == len(over) - sum(over)
        for each in over:
            counted[each] += 1
    assert min(counted.values()) > 3


def test_a_trial_tells_how_many_adverse_events_and_visits_there_were(
    told: Replay, sentences: list[str]
) -> None:
    life, text = told.plan.world.life, " ".join(sentences)
    assert life is not None
    count = sum(row.kind == Kind.ADVERSE_EVENT for row in told.log)
    serious = sum(row.kind == Kind.SERIOUS for row in told.log)
    if life.terms:
        assert f"there were {count} adverse events in " in text and f"{serious} of them serious" in text
    held = sum(row.kind == Kind.VISIT and row.part != 1 for row in told.log)
    if len(life.numbers.visiting.visits):
        assert f"{held} visits were held" in text
