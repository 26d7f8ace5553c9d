"""The decision log: the same bytes however a run is cut, any change found and named, any decision explained."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.unit.logged_run import TEXT, scenario, stored, write_run
from tests.unit.shipped_schema import check_document
from trialsim.cli.main import main
from trialsim.engines.decision_log import HEADS, LOG, RANKINGS
from trialsim.engines.plan import build_plan
from trialsim.errors import UsageError
from trialsim.oc.decision_log import ROOT, decisions_of, verify
from trialsim.policies.scores import LARGEST
from trialsim.report.audit import explained, summary
from trialsim.scenario.load import scenario_from_text

FILES = [f"{name}.parquet" for name in (LOG, HEADS, RANKINGS)]


@pytest.fixture
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scenario, which is the same all the time, not be read anew for each of many verifications."""
    monkeypatch.setattr("trialsim.oc.decision_log.load_scenario", lambda path: scenario())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("logged") / "run", 1).folder


def tables(folder: Path) -> dict[str, pa.Table]:
    return {name: pq.read_table(folder / f"{name}.parquet") for name in (LOG, HEADS, RANKINGS)}


@pytest.fixture
def few_in_full(monkeypatch: pytest.MonkeyPatch) -> int:
    """Keep few trials in full, so that there are others without running a hundred."""
    for module in ("engines", "oc"):
        monkeypatch.setattr(f"trialsim.{module}.decision_log.KEPT_IN_FULL", 2)
    return 2


@pytest.mark.slow
def test_the_same_bytes_for_any_chunk_workers_and_engine(tmp_path: Path, few_in_full: int) -> None:
    """Files of the log and the root; of the later replicates no text is kept."""
    ways: list[dict[str, Any]] = [{}, {"chunk": 2}, {"workers": 2}, {"engine": "reference"}]
    first, *others = [write_run(tmp_path / f"run{k}", 4, **way) for k, way in enumerate(ways)]
    assert verify(first).broken is None
    for other in others:
        assert other.provenance[ROOT] == first.provenance[ROOT]
        for name in FILES:
            assert (other.folder / name).read_bytes() == (first.folder / name).read_bytes(), name
    log = pq.read_table(first.folder / FILES[0]).to_pylist()
    assert {row["replicate"] for row in log if row["seen"]} == set(range(few_in_full))
    ranked = pq.read_table(first.folder / FILES[2])["replicate"].to_pylist()
    assert set(ranked) == set(range(few_in_full))
    # A longer run begins as a shorter one.
    fewer = write_run(tmp_path / "fewer", 3)
    shorter = pq.read_table(fewer.folder / FILES[0]).to_pylist()
    assert shorter == [row for row in log if row["replicate"] < 3]
    assert verify(fewer).root != verify(first).root


def test_a_chain_can_be_followed_with_nothing_but_a_hash(folder: Path) -> None:
    """As docs/policies.md says it, in plain Python."""
    run, log = stored(folder), tables(folder)[LOG].to_pylist()
    rows = [row for row in log if row["design"] == "adaptive" and row["truth"] == "none"]
    link = bytes.fromhex(rows[0]["link"])
    for row in rows[1:]:
        link = hashlib.sha256(link + row["record"].encode()).digest()
        assert row["link"] == link.hex()
    heads = tables(folder)[HEADS].to_pylist()
    assert link.hex() == next(h["head"] for h in heads if h["design"] == "adaptive" and h["truth"] == "none")
    together = b"".join(bytes.fromhex(head["head"]) for head in heads)
    assert hashlib.sha256(together).hexdigest() == run.provenance[ROOT]["root"]
    kinds = {json.loads(row["record"])["kind"] for row in rows}
    assert kinds == {"sites", "candidates", "allocation", "look"}


def _other(value: Any) -> Any:
    """Return something else of the same type, which reads much the same."""
    if isinstance(value, int):
        return value + 1
    if re.fullmatch("[0-9a-f]{64}", value):
        return ("0" if value[0] != "0" else "1") + value[1:]
    digit = re.search(r"(?<=[:,\[])[0-9]", value)
    if digit is None:
        return value + " "
    return value[: digit.start()] + str((int(digit[0]) + 1) % 10) + value[digit.end() :]


def _with(folder: Path, place: Path, name: str, change: Callable[[list[dict[str, Any]]], None]) -> Any:
    """Return what is verified of a run one of whose tables was changed."""
    if not place.is_dir():
        shutil.copytree(folder, place)
    table = pq.read_table(folder / f"{name}.parquet")
    rows = table.to_pylist()
    change(rows)
    plain = pa.schema(
        [pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in table.schema]
    )
    pq.write_table(pa.Table.from_pylist(rows, plain), place / f"{name}.parquet")
    found = verify(stored(place)).broken
    shutil.copyfile(folder / f"{name}.parquet", place / f"{name}.parquet")
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("loaded_once")
@pytest.mark.parametrize(("name", "every"), [(LOG, 1), (HEADS, 1), (RANKINGS, 17)])
def test_any_field_that_is_changed_is_found(folder: Path, tmp_path: Path, name: str, every: int) -> None:
    """Each column of each row (of rankings each seventeenth); where only text was changed, the very decision is named."""
    whole = tables(folder)[name].to_pylist()
    assert _with(folder, tmp_path / "same", name, lambda rows: None) is None
    for at in range(0, len(whole), every):
        for column in whole[at]:

            def change(rows: list[dict[str, Any]], at: int = at, column: str = column) -> None:
                rows[at][column] = _other(rows[at][column])

            found = _with(folder, tmp_path / "changed", name, change)
            assert found is not None, (at, column)
            if column in ("record", "link", "seen", "score", "tick"):
                where = (found.design, found.truth, found.replicate, found.decision)
                assert where == tuple(whole[at][key] for key in ("design", "truth", "replicate", "decision"))


@pytest.mark.usefixtures("loaded_once")
def test_rows_that_are_gone_doubled_or_exchanged_are_found(folder: Path, tmp_path: Path) -> None:
    for name in (LOG, HEADS, RANKINGS):
        count = tables(folder)[name].num_rows
        for at in sorted({0, 1, count // 2, count - 1}):
            changes: list[Callable[[list[dict[str, Any]]], None]] = [
                lambda rows, at=at: rows.pop(at),  # type: ignore[misc]
                lambda rows, at=at: rows.insert(at, rows[at]),  # type: ignore[misc]
                lambda rows, at=at: rows.insert(0, rows.pop(at) if at else rows.pop()),  # type: ignore[misc]
            ]
            for change in changes:
                assert _with(folder, tmp_path / "rows", name, change) is not None, (name, at)


def test_what_was_changed_is_said(folder: Path, tmp_path: Path) -> None:
    def broken(column: str, at: int) -> str:
        return str(
            _with(
                folder,
                tmp_path / "said",
                LOG,
                lambda rows: rows[at].update({column: _other(rows[at][column])}),
            )
        )

    assert "adaptive, expected, replicate 0, decision 2: its record was changed" in broken("record", 2)
    assert "decision 2: its link was changed: the next one builds on another" in broken("link", 2)
    assert "decision 2: the text of what was seen was changed" in broken("seen", 2)
    assert "the record was changed, or scenario, seed" in broken("record", 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda p: p[ROOT].update(root=_other(p[ROOT]["root"])),
            "heads and their chains, or the root, were changed",
        ),
        (lambda p: p[ROOT].update(decisions=1), "counts other trials or decisions"),
        (lambda p: p.update(seed=2), "adaptive, expected, replicate 0, decision 0: its link does not follow"),
        (lambda p: p.update(replicates=2), "adaptive, expected, replicate 1: its head is missing"),
        (lambda p: p.update(truths=["expected"]), "in_order, expected, replicate 0: its head is missing"),
        (lambda p: p.update(designs=["adaptive"]), "has rows of a trial that was not run"),
    ],
)
def test_a_changed_provenance_is_found(folder: Path, change: Callable[[Any], None], said: str) -> None:
    run = stored(folder)
    change(run.provenance)
    assert said in str(verify(run).broken)


def test_a_log_forged_as_a_whole_is_found_by_the_root_that_was_noted(folder: Path, tmp_path: Path) -> None:
    """Nothing inside a folder can show that all of it was made anew: the root is to be kept elsewhere."""
    forged = write_run(tmp_path / "forged", 1, seed=2)
    assert verify(forged).broken is None
    noted = stored(folder).provenance[ROOT]["root"]
    assert "not the one that was noted" in str(verify(forged, noted).broken)
    assert verify(stored(folder), noted.upper()).broken is None


@pytest.mark.parametrize(
    "policies",
    [
        {"recruitment": ("relearned", {})},
        {"sites": ("reselection", {"open": 2, "close_below": "1 per month"})},
    ],
)
def test_every_decision_of_a_design_reviewed_for_others_than_its_allocation_is_told(
    tmp_path: Path, policies: dict[str, Any]
) -> None:
    """At reviews that a ranking or the sites ask for, allocation stays as the design has it: there are no weights."""
    text = yaml.safe_load(TEXT)
    design = text["designs"].pop("adaptive")
    design["policies"] = {slot: {name: options} for slot, (name, options) in policies.items()}
    text["designs"] = {"reviewed": design}
    what = scenario_from_text(yaml.safe_dump(text))
    run = write_run(tmp_path / "run", 1, what=what)
    rows, ranked = decisions_of(run, "reviewed", "expected", 0)
    told = {}
    for row in rows:
        kind = json.loads(row["record"])["kind"]
        plan = build_plan(what, "reviewed", "expected", 1)
        own = [each for each in ranked if each["decision"] == row["decision"]]
        told[kind] = summary(row), explained(plan, row, own)[-1]
    assert told["allocation"][0].endswith("allocation, by by_design: as the design has it")
    assert told["allocation"][1] == "Decided: as the design has it."
    assert " look 2, by bounds: " in told["look"][0]


def test_the_audit_tells_what_a_coordinator_made_of_a_score(tmp_path: Path) -> None:
    """Told beside the scores of the ranking alone, which candidates keep, lose or exchange as it says."""
    text = yaml.safe_load(TEXT)
    alone = text["designs"]["in_order"]
    inner = {"oracle": {"reads": "eligibility"}}
    human = {"human_in_the_loop": {"ranking": inner, "delay": 0.3, "override": 0.3}}
    text["designs"] = {
        "alone": alone | {"policies": {"recruitment": inner}},
        "shown": alone | {"policies": {"recruitment": human}},
    }
    what = scenario_from_text(yaml.safe_dump(text))
    run = write_run(tmp_path / "run", 3, what=what)
    told = {"accepted": 0, "delayed": 0, "overrode": 0}
    for replicate in range(3):
        rows, ranked = decisions_of(run, "shown", "expected", replicate)
        (row,) = (each for each in rows if json.loads(each["record"])["kind"] == "candidates")
        plan = build_plan(what, "shown", "expected", 1)
        scores = {
            (each["site"], each["candidate"]): each["score"]
            for each in decisions_of(run, "alone", "expected", replicate)[1]
        }
        for each in ranked:
            before = scores.get((each["site"], each["candidate"]))
            if before is None:  # enrolment was full before this one came
                continue
            who = f"ward_{each['site'] + 1}", each["candidate"] + 1
            sentence = explained(plan, row, ranked, who)[-1]
            (fate,) = (word for word in told if f"The coordinator {word}" in sentence)
            told[fate] += 1
            if fate != "overrode":
                assert each["score"] == (before if fate == "accepted" else before - 2 * LARGEST - 1)
    share = {fate: count / sum(told.values()) for fate, count in told.items()}
    assert share == pytest.approx(
        {"accepted": 0.4, "delayed": 0.3, "overrode": 0.3}, abs=4 * (0.25 / sum(told.values())) ** 0.5
    )


@pytest.mark.slow
def test_audit_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], few_in_full: int
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("logged.yaml").write_text(TEXT, encoding="utf-8")
    options = ["--designs", "adaptive", "--truths", "expected", "--replicates", str(few_in_full + 2)]
    assert main(["run", "logged.yaml", *options, "--out", "run", "--decision-log"]) == 0
    root = re.search(r"root ([0-9a-f]{64}); verify it with `trialsim audit run`", capsys.readouterr().out)
    assert root is not None
    assert main(["audit", "run", "--root", root[1]]) == 0
    assert "The log holds: " in capsys.readouterr().out

    assert main(["audit", "run", "--replicate", "0"]) == 0
    listed = capsys.readouterr().out
    assert "sites open, by historical_mean: 2 of 3 open" in listed
    number = {kind: next(n for n, line in enumerate(listed.splitlines()[2:]) if kind in line)
              for kind in ("sites", "candidates", "allocation", "look 2")}  # fmt: skip
    told = {}
    for kind, decision in number.items():
        assert main(["audit", "run", "--replicate", "0", "--decision", str(decision)]) == 0
        told[kind] = capsys.readouterr().out
    assert "No learned model has a part in it." in told["sites"]
    assert "candidates in 200 days on record" in told["sites"]
    assert "It is a control: it reads what is hidden" in told["candidates"]
    assert "place 1 of" in told["candidates"]
    assert "latent eligibility" in told["candidates"]
    assert re.search(r"Seen, control: \d+ enrolled, \d+ read out with a sum of \d", told["allocation"])
    assert "Decided, probabilities of the next patients' arms: control " in told["allocation"]
    assert re.search(r"Seen, primary: z \S+, estimate", told["look 2"])

    # Beyond those kept in full the trial is made again, and its digests are those of the log.
    who = ["audit", "run", "--replicate", str(few_in_full), "--decision", "1"]
    assert main(who) == 0
    again = capsys.readouterr().out
    assert "The trial was made again: every record and link is the same." in again
    one = re.search(r"Candidate (\S+), scored at day .* place 1 of", again)
    assert one is not None
    assert main([*who, "--candidate", one[1], "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    check_document("audit", document)
    assert document["replayed"] and f"Candidate {one[1]}" in document["decision"]["sentences"][-1]
    assert main(["audit", "run", "--replicate", "3", "--replay", "--json"]) == 0
    check_document("audit", json.loads(capsys.readouterr().out))

    for wrong, said in [
        (["--decision", "1"], "name it with --replicate"),
        (["--replicate", "0", "--candidate", "ward_1:1"], "name it with --replicate and --decision"),
        (["--replicate", "500"], "the run has 0 to 3"),
        (["--replicate", "0", "--decision", "99"], "has no decision 99"),
        (["--replicate", "0", "--decision", "1", "--candidate", "ward"], "is not SITE:NUMBER"),
        (["--replicate", "0", "--design", "other"], "the run has adaptive"),
    ]:
        assert main(["audit", "run", *wrong]) == 2
        assert said in capsys.readouterr().err

    log = pq.read_table("run/decision_log.parquet")
    rows = log.to_pylist()
    rows[5]["record"] = _other(rows[5]["record"])
    pq.write_table(pa.Table.from_pylist(rows, log.schema), "run/decision_log.parquet")
    assert main(["audit", "run", "--json"]) == 2
    printed = capsys.readouterr()
    assert (
        "the log of decisions does not hold. adaptive, expected, replicate 0, decision 5: its record"
        in printed.err
    )
    document = json.loads(printed.out)
    check_document("audit", document)
    assert document["broken"]["decision"] == 5
    assert main(["report", "run"]) == 0  # nothing is computed from the log
    capsys.readouterr()
    Path("run/log_heads.parquet").unlink()
    assert main(["audit", "run"]) == 2
    assert "log_heads.parquet is missing" in capsys.readouterr().err


def test_a_run_without_a_log_says_how_to_keep_one(folder: Path) -> None:
    run = stored(folder)
    del run.provenance[ROOT]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"run it again with `trialsim run \.\.\. --decision-log`"):
        verify(run)
