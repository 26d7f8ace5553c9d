"""What a worker process owes the process that started it: to answer its signals, and to end when it ends.

An interrupt is only noted, and asked about between chunks: an exception could come within the hand-over of a result, and
half a message would leave the other side waiting for the rest.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from types import FrameType
from typing import Any

_SECONDS_BETWEEN_LOOKS = 1.0
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
_PATIENCE_SECONDS = 3.0
_interrupted = False


class GivenUp(Exception):
    """A task that was broken off, as the run is to stop."""


def go_on() -> None:
    """Give up where an interrupt has come.

    Raises
    ------
    GivenUp
        Then; in the process that started the workers an interrupt raises its own exception.
    """
    if _interrupted:
        raise GivenUp


def _note_interrupt(number: int, frame: FrameType | None) -> None:
    """Remember an interrupt."""
    global _interrupted
    _interrupted = True


def call_off(pool: ProcessPoolExecutor, given: Iterable[Future[Any]]) -> None:
    """Let the workers of a pool give up what they have in hand; who takes too long over that is ended.

    Parameters
    ----------
    pool
        The workers.
    given
        Tasks that they may have.
    """
    workers = list((getattr(pool, "_processes", None) or {}).values())
    unfinished = [each for each in given if not each.cancel() and not each.done()]
    for worker in workers:
        if worker.is_alive() and worker.pid is not None and sys.platform != "win32":
            os.kill(worker.pid, signal.SIGINT)
    if wait(unfinished, timeout=_PATIENCE_SECONDS).not_done:
        for worker in workers:
            worker.terminate()


def settle(parent: int) -> None:
    """Prepare a worker process: its own signal handlers, and no life without its parent.

    Parameters
    ----------
    parent
        Process that started the worker.
    """
    _answer_signals()
    if not _dies_with_parent():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before the wish to follow it was known
        os._exit(1)


def _answer_signals() -> None:
    """Undo the handlers inherited from the parent; an interrupt is answered between chunks."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _note_interrupt)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.SIG_DFL)


def _dies_with_parent() -> bool:
    """Ask the system to end this process with its parent; return whether it will."""
    if sys.platform != "linux":
        return False
    try:
        return bool(ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _watch(parent: int) -> None:
    """End this process as soon as its parent has ended."""
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)
