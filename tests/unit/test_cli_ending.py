"""A command that is asked to end, or killed, takes its workers with it and leaves no half of a result."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from trialsim.cli.ending import Ended
from trialsim.engines import worker_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_PATIENCE = 60.0


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _until(condition: object, seconds: float = _PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(autouse=True)
def _interrupts_arrive() -> Iterator[None]:
    """Let commands have interrupts, which whoever started the tests in the background may have had ignored."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def _running(root: Path, folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a command with two workers and wait until they are there."""
    scenario = root / "scenarios" / "binary_sequential" / "binary_sequential.yaml"
    command = [
        sys.executable,
        "-m",
        "trialsim",
        arguments[0],
        str(scenario),
        *arguments[1:],
        "--workers",
        "2",
    ]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, env=os.environ | {})
    workers: list[int] = []
    try:
        assert _until(lambda: process.poll() is not None or len(_children(process.pid)) == 2)
        workers = _children(process.pid)
        assert len(workers) == 2
        time.sleep(0.2)
        yield process, workers
    finally:
        for pid in (process.pid, *filter(_is_alive, workers)):
            if pid != process.pid or process.poll() is None:
                os.kill(pid, signal.SIGKILL)
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


RUN = ("run", "--replicates", "5000000", "--out", "found")
SWEEP = (
    "sweep",
    "--vary",
    "endpoints.response.rate=0.2:0.4:0.01",
    "--replicates",
    "500000",
    "--out",
    "found",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "asked", "sentence"),
    [(SWEEP, signal.SIGTERM, "Ended on request"), (RUN, signal.SIGHUP, "the terminal was closed")],
)
def test_a_request_to_end_takes_the_workers_along(
    root: Path, tmp_path: Path, arguments: tuple[str, ...], asked: signal.Signals, sentence: str
) -> None:
    with _running(root, tmp_path, *arguments) as (process, workers):
        process.send_signal(asked)
        _, told = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 128 + asked
        assert sentence in told
        assert "Traceback" not in told
        assert not any(map(_is_alive, workers))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(root: Path, tmp_path: Path) -> None:
    with _running(root, tmp_path, *RUN) as (process, workers):
        process.kill()
        process.wait()
        assert _until(lambda: not any(map(_is_alive, workers)), seconds=10)


@pytest.mark.slow
@pytest.mark.parametrize("system_helps", [True, False])
def test_a_worker_follows_its_parent_with_or_without_the_system(system_helps: bool) -> None:
    script = (
        "import os, sys, time\n"
        "from trialsim.engines import worker_process\n"
        f"if not {system_helps}: worker_process._dies_with_parent = lambda: False\n"
        "parent = os.getpid()\n"
        "child = os.fork()\n"
        "if child:\n"
        "    os.write(1, f'{child}\\n'.encode())\n"
        "    time.sleep(60)\n"
        "worker_process.settle(parent)\n"
        "os.write(1, b'settled\\n')\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline().strip(), parent.stdout.readline().strip()]
        child = int(next(line for line in lines if line != "settled"))
        parent.kill()
        parent.stdout.close()
    assert _until(lambda: not _is_alive(child), seconds=10)


def test_a_worker_has_the_handlers_of_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_dies_with_parent", lambda: True)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    try:
        worker_process.settle(os.getppid())
        found = [signal.getsignal(number) for number in numbers]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert found == [worker_process._note_interrupt, signal.SIG_DFL, signal.SIG_DFL]


def test_an_interrupt_ends_a_task_between_chunks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_interrupted", False)
    before = signal.signal(signal.SIGINT, worker_process._note_interrupt)
    try:
        worker_process.go_on()
        signal.raise_signal(signal.SIGINT)  # nothing is raised: a result may just be handed over
        with pytest.raises(worker_process.GivenUp):
            worker_process.go_on()
    finally:
        signal.signal(signal.SIGINT, before)


def test_workers_that_take_too_long_over_an_interrupt_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "_PATIENCE_SECONDS", 0.2)
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork"), _deaf) as pool:
        given = [pool.submit(time.sleep, 600.0) for _ in range(6)]
        assert _until(lambda: sum(each.running() for each in given) >= 2)
        begun = time.monotonic()
        worker_process.call_off(pool, given)
        pool.shutdown(wait=True, cancel_futures=True)
        assert time.monotonic() - begun < 60


def _deaf() -> None:
    """Be a worker that hears no interrupt."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.slow
@pytest.mark.parametrize(
    "to_all",
    [True, False],
    ids=["from the keyboard", "to the command alone"],
)
def test_an_interrupt_is_answered_at_once(root: Path, tmp_path: Path, to_all: bool) -> None:
    with _running(root, tmp_path, *RUN) as (process, workers):
        for pid in (process.pid, *workers) if to_all else (process.pid,):
            os.kill(pid, signal.SIGINT)
        assert process.stderr is not None
        begun = time.monotonic()
        lines = iter(process.stderr.readline, "")
        assert any("Stopping: what is in hand is given up." in line for line in lines)
        told = time.monotonic() - begun
        _, rest = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 130
        assert "Interrupted." in rest
        assert "Traceback" not in rest
        assert not any(map(_is_alive, workers))
        assert told < _PATIENCE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_was_finished_is_kept_when_a_run_is_interrupted(root: Path, tmp_path: Path) -> None:
    kept = ("--checkpoint", "kept")
    with _running(root, tmp_path, *RUN, *kept) as (process, _):
        assert _until(lambda: len(list(tmp_path.glob("kept/*.npz"))) > 2)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 130
        assert "Stopping" in told
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert all(path.suffix in (".npz", ".json") for path in (tmp_path / "kept").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_output_is_no_failure(closed: str) -> None:
    command = f'"{sys.executable}" -m trialsim list designs {closed}'
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert found.returncode == 0
    assert "Traceback" not in found.stderr
    wrong = subprocess.run(
        ["bash", "-c", command.replace("designs", "nothing")], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_can_be_raised_anew_from_its_arguments(number: int) -> None:
    end = Ended(128 + number)
    again = type(end)(*end.args)
    assert (again.code, again.sentence) == (end.code, end.sentence)
    assert again.code == 128 + number
