"""What cannot be written or asked for is said before anything is lost or simulated."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import trialsim
from trialsim.cli.main import main
from trialsim.compiled import kernel
from trialsim.errors import ScenarioError, UsageError
from trialsim.oc.run_writer import RunWriter
from trialsim.oc.unfinished import PARTIAL
from trialsim.report.cautions import caution_sentences
from trialsim.report.story import explain
from trialsim.report.whole_file import write_whole
from trialsim.scenario.load import load_scenario, scenario_from, scenario_from_text
from trialsim.scenario.starter import starter_text


@pytest.fixture
def binary(root: Path) -> Path:
    return root / "scenarios" / "binary_sequential" / "binary_sequential.yaml"


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"old")
    written = Path.write_bytes

    def full(target: Path, content: bytes) -> int:
        written(target, content[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    for name, overwrite in (("log.csv", True), ("new.csv", False)):
        with pytest.raises(OSError, match="No space"):
            write_whole(tmp_path / name, b"new content", overwrite)
    assert [each.name for each in tmp_path.iterdir()] == ["log.csv"]
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    with pytest.raises(FileExistsError):
        write_whole(path, b"new", overwrite=False)
    (tmp_path / "link.csv").symlink_to("log.csv")
    write_whole(tmp_path / "link.csv", b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert (tmp_path / "link.csv").is_symlink()


def test_a_full_disk_leaves_no_half_of_a_starter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trialsim.scenario.starter.starter_text", full)
    assert main(["init", "abc"]) == 2
    assert "abc.yaml cannot be written: no space left on device." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_arrow_on_a_full_disk_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError("Error writing bytes to file. Detail: [errno 28] No space left on device")

    monkeypatch.setattr("trialsim.oc.run_writer.pq.write_table", full)
    effects = pa.table({"effect": [1.0]})
    told = r"found: cannot be written \(no space left on device\); name another with --out"
    with pytest.raises(UsageError, match=told), RunWriter(tmp_path / "found") as writer:
        writer.write_effects(effects)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """One beside the folder and one in it; of a killed process the lock is gone, and of an old version the process."""
    child = multiprocessing.get_context("spawn").Process(
        target=_killed_while_writing, args=(tmp_path / "found",)
    )
    child.start()
    child.join()
    left = tmp_path / f"found{PARTIAL}{child.pid}"
    assert left.is_dir()
    (tmp_path / f"other{PARTIAL}{child.pid}").mkdir()
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / f"inside{PARTIAL}{child.pid}").mkdir()
    for name in ("found", "inside"):
        with RunWriter(tmp_path / name) as writer:
            writer.write_text("provenance.json", "{}")
            writer.finish()
        assert [each.name for each in (tmp_path / name).iterdir()] == ["provenance.json"]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "found", "inside", f"other{PARTIAL}{child.pid}",
    ]  # fmt: skip


def _killed_while_writing(folder: Path) -> None:
    RunWriter(folder).__enter__()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_folder_that_is_being_written_is_refused_at_the_beginning(
    binary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    def simulated(*_: Any) -> None:
        raise AssertionError("simulated")

    monkeypatch.setattr("trialsim.engines.runner._results", simulated)
    words = [command, str(binary), "--out", str(tmp_path / "found"), "--replicates", "5", "--workers", "1"]
    words += ["--vary", "endpoints.response.rate=0.2,0.3"] if command == "sweep" else []
    with RunWriter(tmp_path / "found"):
        assert main(words) == 2
        assert f"process {os.getpid()} is writing a run there at this moment" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["found.partial-7", os.fsdecode(b"f\xff"), "circle", "x" * 250])
@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_folder_that_cannot_be_is_refused_before_simulating(
    binary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    out: str,
    command: str,
) -> None:
    def simulated(*_: Any) -> None:
        raise AssertionError("simulated")

    monkeypatch.setattr("trialsim.engines.runner._results", simulated)
    (tmp_path / "circle").symlink_to("circle")
    words = [command, str(binary), "--out", str(tmp_path / out), "--replicates", "5", "--workers", "1"]
    words += ["--vary", "endpoints.response.rate=0.2,0.3"] if command == "sweep" else []
    assert main(words) == 2
    assert "name another" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [
        {"designs": []}, {"designs": 5}, {"truths": [["x"]]}, {"truths": b"none"},
        {"replicates": "5"}, {"replicates": 5.5}, {"replicates": True}, {"replicates": 0},
        {"seed": "1"}, {"seed": 1.5}, {"seed": -1}, {"workers": "2"}, {"workers": None},
    ],
)  # fmt: skip
def test_a_wrong_type_in_python_is_a_sentence(binary: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="it must be a"):
        trialsim.simulate(binary, **{"replicates": 5, **wrong})


def test_a_wrong_type_in_a_sweep_or_a_story_is_a_sentence(binary: Path) -> None:
    wrong: Any
    for wrong in (5, [5], None):
        with pytest.raises(UsageError, match="vary: "):
            trialsim.sweep(binary, wrong, replicates=3)
    for wrong in ("x", None, True):
        with pytest.raises(UsageError, match="solve: a target of type"):
            trialsim.solve(binary, "endpoints.response.rate=0.2,0.3", wrong, replicates=3)
    for wrong in ("0", 1.5, -1, 1_000_000_000):
        with pytest.raises(UsageError, match=r"replicate is .* it must be a whole number"):
            explain(load_scenario(binary), replicate=wrong)


@pytest.mark.slow
def test_a_kernel_is_saved_while_nobody_else_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))

    def twice(x: float) -> float:
        return 2 * x

    compiled: Any = kernel(twice)
    folder = Path(compiled._cache.cache_path)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        value = pool.submit(compiled, 3.0)
        with pytest.raises(TimeoutError):
            value.result(timeout=2)
        assert not list(folder.glob("*.nbc"))
        fcntl.flock(held, fcntl.LOCK_UN)
        assert value.result(timeout=60) == 6
    assert len(list(folder.glob("*.nbc"))) == 1


def test_kernels_do_without_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", full)
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.load", full)
    assert kernel(_one_more)(1) == 2


def _one_more(number: int) -> int:
    return number + 1


@pytest.mark.parametrize("name", ["null", "true", "my_trial"])
def test_a_starter_of_any_name_can_be_read(name: str) -> None:
    assert scenario_from_text(starter_text(name)).name == name


def test_an_empty_list_in_a_grid_is_called_empty(binary: Path) -> None:
    tree = load_scenario(binary).dump()
    tree["truths"]["none"] = {"grid": {"endpoints.response.rate": []}}
    with pytest.raises(ScenarioError, match="the list is empty; give at least one value"):
        scenario_from(tree)


RARE = """
name: rare
horizon: 20 months
accrual: {evenly_spaced: {over: 12 months}}
arms: [control, treatment]
endpoints:
  death: {kind: survival, baseline: {median: 1000 years}, effect: {treatment: 0.7}}
hypotheses: {primary: {endpoint: death, arms: [treatment, control], analysis: logrank, direction: lower}}
truths: {expected: {}}
designs:
  fixed: {kind: fixed, n: 4, allocation: alternating, looks: [{when: {events: 3}}], tests: {primary: {alpha: 0.025}}}
"""


def test_trials_without_events_or_looks_say_so() -> None:
    found = trialsim.simulate(scenario_from_text(RARE), replicates=4).characteristics
    assert [row.value for row in found.select("events")] == [0.0]
    assert caution_sentences(found) == [
        "In 4 of 4 trials of “fixed” under “expected” no look was reached before the horizon."
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("{events: 3}", "no look was reached before the horizon."),
        ("{calendar: 15 months}", "an analysis failed (“primary”: no events in the compared arms, in 4)."),
    ],
)
def test_the_terminal_says_why_nothing_was_rejected(
    when: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rare.yaml"
    path.write_text(RARE.replace("{events: 3}", when))
    options = ["--replicates", "4", "--workers", "1", "--out", str(tmp_path / "found")]
    assert main(["run", str(path), *options]) == 0
    assert f"In 4 of 4 trials of “fixed” under “expected” {said}" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "found")]) == 0
    assert f"In 4 of 4 trials of “fixed” under “expected” {said}" in capsys.readouterr().out
    assert said in (tmp_path / "found" / "report.html").read_text(encoding="utf-8")
