"""What a story tells of recruitment agrees with the event log and the records, candidate by candidate."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from tests.unit.recruitment_scenario import RECRUITING, recruiting, straight
from tests.unit.story_scenario import eventful
from trialsim.cli import main as entry
from trialsim.contracts import Kind
from trialsim.report.story import Story, explain
from trialsim.report.story_picture import entries_by_group, planned_enrolment
from trialsim.report.story_recruitment import candidate_sentences
from trialsim.report.story_tables import event_tables


@pytest.fixture(scope="module")
def story() -> Story:
    return explain(recruiting(), "one", "base", 3, 1)


def total(story: Story, name: str) -> int:
    return int(story.replay.tables["sites"][name].sum())


def rows_of(story: Story, kind: Kind) -> int:
    return sum(row.kind == kind for row in story.replay.log)


def test_every_entry_about_a_candidate_says_at_which_attempt() -> None:
    kinds, again = (
        {"arrival", "dispatch", "screening", "reneging", "released", "candidate", "randomisation"},
        0,
    )
    for number in range(6):
        events = explain(recruiting(), "one", "base", number, 1).events
        about = events["kind"].isin(kinds)
        came = (events["kind"] == "arrival").where(about).astype(float)
        counted = came.groupby([events["site"], events["candidate"]]).cumsum()
        assert (events.loc[about, "attempt"] == counted[about]).all()
        assert events.loc[~about, "attempt"].isna().all()
        again += int((events.loc[about & (events["kind"] != "arrival"), "attempt"] > 1).sum())
    assert again > 0


def test_the_log_names_site_and_candidate_and_no_key(story: Story) -> None:
    log, events = story.replay.log, story.events
    sites = story.replay.plan.world.sites
    assert sites is not None
    of_candidates = events["kind"].isin(["arrival", "dispatch", "screening", "reneging", "released"])
    for place in events.index[of_candidates]:
        key = log[place].id
        assert events.at[place, "site"] == sites.names[key >> 32]
        assert events.at[place, "candidate"] == (key & 0xFFFFFFFF) + 1
    assert not any(re.search(r"\d{8}", what) for what in events["what"])
    assert set(events["kind"]) >= {
        "site", "arrival", "dispatch", "screening", "reneging", "released", "site_closed", "candidate",
    }  # fmt: skip
    linked = events[events["kind"] == "candidate"].set_index("patient")
    for name in ("randomisation", "event", "readout", "dropout"):
        here = events[events["kind"] == name]
        assert (linked.loc[here["patient"], "site"].to_numpy() == here["site"].to_numpy()).all()
    assert events.loc[events["kind"] == "candidate", "what"].iloc[0].startswith("patient 1 is candidate ")
    failed = events[(events["kind"] == "screening") & (events["result"] == "failed")]
    assert set(failed["reason"]) <= {"labs", "imaging", "window"}
    assert len(failed) == total(story, "screen_failures")


def test_every_candidates_way_is_told_as_the_records_count_it(story: Story) -> None:
    keys = [row.id for row in story.replay.log if row.kind == Kind.ARRIVAL and row.part == 0]
    told = [" ".join(candidate_sentences(story.replay, key)) for key in keys]
    assert len(told) == total(story, "candidates")

    def count(words: str) -> int:
        return sum(len(re.findall(words, text)) for text in told)

    assert count("had records that did not pass") == total(story, "prescreen_failures")
    assert count("withdrew on") == total(story, "withdrawals") > 0
    assert count("refused on") == total(story, "refusals") > 0
    assert count("consented on") == total(story, "screened")
    assert count(r"failed screening \(") == total(story, "screen_failures") > 0
    assert count("was released on") == total(story, "released") > 0
    assert count("was randomised on") == total(story, "randomised") == len(story.replay.courses)
    assert (
        count("came again on")
        == sum(row.kind == Kind.ARRIVAL and row.part > 0 for row in story.replay.log)
        > 0
    )
    assert count("was called") == rows_of(story, Kind.DISPATCH)
    assert all(text.startswith("Candidate ") and text.endswith(".") for text in told)


def test_who_is_still_under_way_at_the_end_is_told() -> None:
    scenario = recruiting().model_copy(update={"horizon": 150.0})
    story = explain(scenario, "larger", "slow", 0, 1)
    keys = {row.id for row in story.replay.log if row.kind == Kind.ARRIVAL}
    told = [" ".join(candidate_sentences(story.replay, key)) for key in keys]
    under_way = [text for text in told if "had come no further" in text]
    assert under_way
    ended = {"prescreen_failures", "withdrawals", "refusals", "released", "randomised", "screen_failures"}
    back = sum(row.kind == Kind.ARRIVAL and row.part > 0 for row in story.replay.log)
    assert len(told) + back == len(under_way) + sum(total(story, name) for name in ended)


def test_the_story_counts_candidates_and_says_who_filled_first(story: Story) -> None:
    text = story.text()
    assert f"{total(story, 'candidates')} candidates came;" in text
    assert f"{total(story, 'screened')} screenings were begun with consent" in text
    assert f"{total(story, 'withdrawals')} withdrew while waiting" in text
    sites = story.replay.plan.world.sites
    assert sites is not None
    full = [row for row in story.replay.log if row.kind == Kind.SITE_CLOSED and row.value == 1.0]
    if full:
        assert f"Site {sites.names[full[0].id]} filled first: it had its 14 patients on day" in text
    idle = float(story.replay.trial["idle_days"])
    assert f"free for {idle:,.0f} days in all" in text


@pytest.mark.parametrize("number", range(4))
def test_a_site_is_summed_up_as_in_the_records(number: int) -> None:
    story = explain(recruiting(), "one", "base", number, 1)
    sites = story.replay.plan.world.sites
    assert sites is not None
    table = story.replay.tables["sites"]
    for place, name in enumerate(sites.names):
        part = story.site(name)
        text = part.text()
        came = int(table["candidates"][place])
        assert (f"{came} candidate{'' if came == 1 else 's'} came" in text) == (came > 0)
        if table["screen_failures"][place]:
            assert f"{table['screen_failures'][place]} failed (" in text
            reasons = [int(found) for found in re.findall(r"(\d+) for ", text)]
            assert sum(reasons) == table["screen_failures"][place]
        if table["opened_time"][place] == table["opened_time"][place]:
            assert f"opened on day {table['opened_time'][place]:.1f} " in text
        events = story.events_of(part)
        assert (events["site"] == name).all()
        whole = story.events
        assert len(events) == (whole["site"] == name).sum()


def test_a_patient_and_the_candidate_are_the_same_way(story: Story) -> None:
    part = story.candidate("5")
    same = story.candidate(f"{part.about['site']}:{part.about['candidate']}")
    assert part.sentences == same.sentences
    assert part.log == same.log
    assert part.about["patient"] == 5
    assert "as patient 5." in part.text()
    assert part.sentences[-1].startswith("Patient 5 on ")
    kinds = [row.kind for row in part.log]
    assert kinds[0] == Kind.ARRIVAL
    assert Kind.RANDOMISATION in kinds


def test_patients_of_a_scenario_without_sites_have_a_way_too() -> None:
    part = explain(eventful(), "adaptive", "alternative", 0, 1).candidate("2")
    assert part.sentences[0].startswith("Patient 2 was randomised to ")
    assert part.about == {"patient": 2}


def test_without_sites_there_is_no_column_of_recruitment() -> None:
    events = explain(eventful(), "adaptive", "alternative", 0, 1).events
    assert list(events) == [
        "design", "time", "tick", "kind", "patient", "arm", "look", "review", "endpoint", "hypothesis", "reason",
        "status", "value", "term", "severity", "what",
    ]  # fmt: skip


def test_a_long_log_shows_no_candidates_in_the_middle(story: Story) -> None:
    (table,) = event_tables(story, everything=False)
    assert table.row_count < 60
    (table,) = event_tables(story, everything=True)
    assert table.row_count == len(story.replay.log)


def test_two_designs_part_where_one_of_them_is_full() -> None:
    story = explain(recruiting(), "smaller", "base", 3, 1, against="one")
    assert story.parting is not None
    assert story.parting.log is not None
    assert {row.measure for row in story.parting.summary} >= {"candidates", "screen_failures", "sites_opened"}
    equal = story.parting.log.equal
    first, second = story.replay.log, story.against.replay.log if story.against is not None else ()
    assert first[:equal] == tuple(second)[:equal]
    assert first[equal] != tuple(second)[equal]
    assert first[equal].kind == Kind.ENROLMENT_CLOSED


@pytest.mark.slow
def test_enrolment_is_drawn_by_group_and_against_the_plan(story: Story) -> None:
    groups = entries_by_group(story.replay)
    assert list(groups) == ["big", "small"]
    entries = sorted(tick for ticks in groups.values() for tick in ticks.tolist())
    assert entries == [course.entry for course in story.replay.courses]
    days = pd.Series([0.0, 100.0, 2000.0]).to_numpy()
    planned = planned_enrolment(story.replay, days)
    assert planned[0] == 0
    assert 0 < planned[1] < planned[2] == 32
    assert entries_by_group(explain(eventful(), "adaptive", "alternative", 0, 1).replay) == {}
    assert story.picture_bytes(".png").startswith(b"\x89PNG")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recruiting.yaml").write_text(RECRUITING)
    (tmp_path / "plain.yaml").write_text(
        "name: plain\naccrual: {evenly_spaced: {rate: 10 per month}}\narms: [control, treatment]\n"
        "endpoints: {score: {kind: continuous, readout: 30 days, mean: 1, sd: 3, effect: {treatment: -1}}}\n"
        "hypotheses: {primary: {endpoint: score, arms: [treatment, control], analysis: t_test, direction: lower}}\n"
        "truths: {base: {}}\n"
        "designs: {one: {kind: fixed, n: 20, allocation: simple, looks: [{when: {readouts: 20}}], "
        "tests: {primary: {alpha: 0.025}}}}\n"
    )
    return tmp_path / "recruiting.yaml"


def run(*arguments: str | Path | int) -> int:
    return entry.main([str(argument) for argument in arguments])


@pytest.mark.slow
def test_json_keeps_its_schema_for_the_whole_and_for_parts(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = json.loads(files("trialsim").joinpath("schemas", "explain.json").read_text())
    validator = Draft202012Validator(schema)
    found = {}
    for name, options in {
        "whole": [],
        "against": ["--against", "larger"],
        "candidate": ["--candidate", "1"],
        "site": ["--site", "big_1", "--csv", "site.csv"],
    }.items():
        assert run("explain", path, "--json", *options) == 0
        found[name] = json.loads(capsys.readouterr().out)
        validator.validate(found[name])
    assert "about" not in found["whole"]
    assert found["site"]["about"] == {"site": "big_1"}
    assert found["site"]["events"] == [row for row in found["whole"]["events"] if row["site"] == "big_1"]
    assert len(pd.read_csv("site.csv")) == len(found["site"]["events"])
    assert found["candidate"]["about"]["patient"] == 1
    assert len(found["candidate"]["events"]) < len(found["whole"]["events"])
    assert not validator.is_valid({**found["site"], "about": {"else": 1}})


def test_a_candidates_way_is_printed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", path, "--candidate", "big_1:1") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Candidate 1 of site big_1 came on day ")
    assert "event log of one for candidate 1 of site big_1" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--candidate", "big_l:1"],
            "--candidate: there is no site 'big_l'; there are big_1, big_2, small_1",
        ),
        (["--candidate", "big1:1"], "Did you mean 'big_1'?"),
        (["--candidate", "big_1:9999"], "candidate 9999 of site big_1 never came in this trial; "),
        (["--candidate", "big_1:9999"], "Did you mean 'big_1:"),
        (["--candidate", "big_1:0"], "never came in this trial"),
        (["--candidate", "big_1"], "write SITE:NUMBER for a candidate, as in big_1:12"),
        (["--candidate", "big_1:x"], "'big_1:x' is nobody"),
        (["--candidate", "77"], "there is no patient 77 in this trial; they are numbered 1 to"),
        (["--candidate", "0"], "there is no patient 0"),
        (["--candidate", ":3"], "':3' is nobody"),
        (["--site", "smal_2"], "--site: there is no site 'smal_2'"),
        (["--site", "smal_2"], "Did you mean 'small_2'?"),
        (["--site", "big"], "--site: 'big' is a group of 2 sites; name one of big_1 to big_2."),
        (["--site", "big_1", "--candidate", "1"], "give one of them"),
        (["--site", "big_1", "--against", "larger"], "leave out --against"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(
    path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert run("explain", path, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in " ".join(printed.err.split())


def test_a_scenario_without_sites_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (("--site", "big_1"), ("--candidate", "big_1:2")):
        assert run("explain", path.with_name("plain.yaml"), option, value) == 2
        assert f"{option}: the scenario has no sites" in capsys.readouterr().err


def test_everybody_who_goes_straight_through_is_called_and_randomised() -> None:
    story = explain(straight(), "one", "base", 0, 1)
    text = story.candidate("1").text()
    assert "was called at once" in text
    assert "consented" not in text
    assert "The places" not in story.text()
