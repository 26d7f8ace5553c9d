"""The story of a trial agrees with its log and its records, and says where two designs part."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.story_scenario import eventful
from trialsim.engines.conduct import conduct
from trialsim.engines.records import columns_of
from trialsim.engines.runner import chunk_of
from trialsim.errors import UsageError
from trialsim.report.story import Story, explain
from trialsim.report.story_parting import parting
from trialsim.report.story_replay import replay
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return eventful()


@pytest.fixture(scope="module")
def adaptive(scenario: Scenario) -> Story:
    return explain(scenario, "adaptive", "alternative", 0, 1)


def line(story: Story, beginning: str) -> str:
    found = [sentence for sentence in story.sentences if sentence.startswith(beginning)]
    assert len(found) == 1, story.text()
    return found[0]


def test_the_events_are_the_log_of_the_engine(scenario: Scenario, adaptive: Story) -> None:
    chunk = conduct(chunk_of(scenario, "adaptive", "alternative", [0], 1, "fast")).chunk
    log = chunk.log(0)
    events = adaptive.events
    assert events["tick"].tolist() == [row.tick for row in log]
    assert events["kind"].tolist() == [row.kind.name.lower() for row in log]
    assert (events["time"] * 2**20 == events["tick"]).all()
    assert events["time"].is_monotonic_increasing
    assert events["what"].notna().all()
    randomised = events[events["kind"] == "randomisation"]
    assert randomised["patient"].tolist() == list(range(1, 61))
    arms = [chunk.plan.arms[int(row.value)] for row in log if row.kind.name == "RANDOMISATION"]
    assert randomised["arm"].tolist() == arms


def test_z_of_the_looks_are_those_of_the_records(scenario: Scenario, adaptive: Story) -> None:
    looks = columns_of(conduct(chunk_of(scenario, "adaptive", "alternative", [0], 1, "fast")))["looks"]
    told = adaptive.events[adaptive.events["kind"] == "look"]
    assert told["look"].tolist() == looks["look"].tolist()
    for z, value, status in zip(looks["z"], told["value"], told["status"], strict=True):
        assert (status == "ok") == (z == z)
        if z == z:
            assert value == z
    text = line(adaptive, "At look 3")
    assert "z = " in text
    for z in looks["z"][looks["look"] == 3]:
        assert f"{abs(z):.3f}" in text


def test_each_look_is_told(adaptive: Story) -> None:
    assert "due at 15 patients randomised" in line(adaptive, "Look 1")
    assert "with no bound" in line(adaptive, "At look 1") or "no events" in line(adaptive, "At look 1")
    second = line(adaptive, "Look 2")
    assert (
        "due at 12 events of death and 30.0 days after the previous cut but no later than day 273.9" in second
    )
    locked = line(adaptive, "The data were locked on")
    look = adaptive.replay.looks[1]
    assert look.lock - look.cut == 14 * 2**20
    assert look.decided - look.lock == 7 * 2**20
    assert f"day {look.lock / 2**20:.1f}" in locked
    assert f"day {look.decided / 2**20:.1f}" in locked
    assert "due at 50 events of death or day 730.5" in line(adaptive, "Look 3")
    assert line(adaptive, "Allocation was reviewed 5 times")


def test_counts_of_a_look_are_those_of_the_records(scenario: Scenario, adaptive: Story) -> None:
    looks = columns_of(conduct(chunk_of(scenario, "adaptive", "alternative", [0], 1, "fast")))["looks"]
    for number in (1, 2, 3):
        at = (looks["look"] == number).argmax()
        assert f"{looks['enrolled'][at]} patients randomised (" in line(adaptive, f"Look {number}")
        events = looks["events"][at]
        assert f" {events} event{'' if events == 1 else 's'} of death known" in line(
            adaptive, f"Look {number}"
        )


@pytest.mark.slow
def test_a_real_effect_that_is_missed_and_a_false_positive_are_called_so(scenario: Scenario) -> None:
    missed = [explain(scenario, "two_arms", "ladder[high=0.5]", k, 1) for k in range(12)]
    found = [line(story, "high: ") for story in missed]
    assert any("false negative" in text for text in found)
    assert any("rejected at look 1, and the benefit is real" in text for text in found)
    for story, text in zip(missed, found, strict=True):
        assert bool(story.replay.trial["reject:high"]) == ("and the benefit is real" in text)
    null = [explain(scenario, "early", "ladder[high=1.0]", k, 1) for k in range(6)]
    told = [line(story, "high: ") for story in null]
    assert any("false positive" in text for text in told)
    for story, text in zip(null, told, strict=True):
        assert bool(story.replay.trial["reject:high"]) == ("a false positive" in text)


def test_an_overrun_is_told(scenario: Scenario) -> None:
    story = explain(scenario, "early", "alternative", 0, 1)
    overrun = int(story.replay.trial["overrun"])
    assert overrun > 0
    assert f"{overrun} patients were randomised meanwhile" in story.text()
    assert f"{overrun} patients had been randomised after it" in story.text()
    assert "the trial ended before the other" in story.text()


def test_a_trial_without_time_ends_at_its_horizon(root: Path) -> None:
    short = load_scenario(root / "scenarios/nph_oncology/nph_oncology.yaml").model_copy(
        update={"horizon": 200.0}
    )
    story = explain(short, "group_sequential", "proportional", 0, 1)
    assert "The trial ended on day 200.0 (month 6.6) because its time was over." in story.sentences
    assert "Look 1, due at 86 events of death, was never reached." in story.sentences
    assert (story.patients["CUTDT"] == 200).all()
    assert (story.patients["RANDDT"] + story.patients["DEATH_TIME"]).max() == 200


def test_where_a_trial_stops_and_the_other_goes_on(root: Path) -> None:
    scenario = load_scenario(root / "scenarios/binary_sequential/binary_sequential.yaml")
    story = explain(scenario, "group_sequential", "alternative", 3, 1, against="fixed")
    assert story.parting is not None
    assert story.parting.sentences[-1] == (
        "On day 271.5 (month 8.9) group_sequential stopped for efficacy at look 2 while fixed went on."
    )
    assert story.parting.log is not None
    assert story.parting.log.equal == 222
    assert story.parting.log.first is not None
    assert (story.parting.log.first["kind"], story.parting.log.first["look"]) == ("look", 1)
    rows = {row.measure: (row.first, row.second) for row in story.parting.summary}
    assert rows["decision_time"] == (271.5, 393.25)
    assert rows["enrolled"] == (222, 300)
    assert rows["stop_look"] == (2, 1)
    assert story.events["design"].unique().tolist() == ["group_sequential", "fixed"]
    assert story.patients["DESIGN"].unique().tolist() == ["group_sequential"]


def test_the_order_of_designs_turns_the_sentence_only(root: Path) -> None:
    scenario = load_scenario(root / "scenarios/binary_sequential/binary_sequential.yaml")
    story = explain(scenario, "fixed", "alternative", 3, 1, against="group_sequential")
    assert story.parting is not None
    assert story.parting.sentences[-1] == (
        "On day 271.5 (month 8.9) group_sequential stopped for efficacy at look 2 while fixed went on."
    )


@pytest.mark.slow
def test_the_first_patient_allocated_otherwise_is_named(scenario: Scenario) -> None:
    story = explain(scenario, "adaptive", "alternative", 1, 1, against="two_arms")
    assert story.parting is not None
    mine, theirs = story.replay.courses, story.against.replay.courses if story.against else ()
    names = (story.replay.plan.arms, story.against.replay.plan.arms if story.against else ())
    number = next(k for k in range(60) if names[0][mine[k].arm] != names[1][theirs[k].arm])
    day = mine[number].entry / 2**20
    assert story.parting.sentences[0].endswith(
        f"On day {day:.1f} (month {day / 30.4375:.1f}) patient {number + 1} was randomised to "
        f"{names[0][mine[number].arm]} under adaptive and to {names[1][theirs[number].arm]} under two_arms."
    )


def test_alike_designs_never_part(scenario: Scenario) -> None:
    found = parting(
        *(replay(scenario, name, "alternative", 0, 1) for name in ("two_arms", "twin_of_two_arms"))
    )
    assert (found.log, found.patients) == (None, None)
    assert found.sentences == ("two_arms and twin_of_two_arms have the same event log, entry by entry.",)


def test_another_number_of_looks_does_not_part_patients(root: Path) -> None:
    scenario = load_scenario(root / "scenarios/nph_oncology/nph_oncology.yaml")
    found = parting(*(replay(scenario, name, "proportional", 3, 1) for name in ("group_sequential", "fixed")))
    assert found.log is not None
    assert found.patients is None
    assert found.sentences[-1] == "What happened to patients is the same under both to the end."


def test_defaults_are_the_first_design_and_truth(scenario: Scenario) -> None:
    story = explain(scenario)
    assert (story.design, story.replay.plan.truth, story.replay.replicate) == ("adaptive", "alternative", 0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"design": "adaptve"}, "Did you mean 'adaptive'?"),
        ({"truth": "altrnative"}, "Did you mean 'alternative'?"),
        (
            {"truth": "ladder"},
            "ladder stands for 2 truths; name one of them: ladder[high=1.0], ladder[high=0.5].",
        ),
        ({"against": "adaptive"}, "adaptive is the design itself"),
        ({"against": "nothing"}, "There is no design 'nothing'"),
        ({"replicate": -1}, "replicate is -1"),
        ({"replicate": 1 << 40}, "it must be a whole number from 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1 << 63}, "it must be a whole number from 0 to 2**63 - 1"),
    ],
)
def test_what_cannot_be_told_is_refused(
    scenario: Scenario, arguments: dict[str, str | int], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        explain(scenario, **arguments)  # type: ignore[arg-type]
    assert sentence in str(refused.value)
