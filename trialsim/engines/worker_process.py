"""What a worker process owes the process that started it: to answer its signals, and to end when it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_SECONDS_BETWEEN_LOOKS = 1.0
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


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
    """Undo the handlers inherited from the parent; an interrupt from the keyboard is the parent's to answer."""
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
