"""Requests to end, such as an interrupt, a shutdown or a closed terminal, as an orderly exit of whatever command runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_WORDS = {"SIGTERM": "Ended on request (SIGTERM).", "SIGHUP": "Ended: the terminal was closed (SIGHUP)."}


class Ended(SystemExit):
    """A request to end.

    Parameters
    ----------
    code
        What a shell reports for its signal: 128 and its number. It alone makes the exception, so that compiled code
        which raises it anew from its arguments can do so.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.sentence = _WORDS[signal.Signals(code - 128).name]


@contextmanager
def requests_to_end() -> Iterator[None]:
    """Let a polite request to end run the clean-up, an interrupt with a word at once; a signal that is ignored stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()
    before: dict[int, object] = {}

    def leave(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a worker that has not settled yet: the clean-up is not its own
            os._exit(128 + number)
        for each in before:  # one request is enough: another must not disturb the clean-up
            signal.signal(each, signal.SIG_IGN)
        raise Ended(128 + number)

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)
        with suppress(OSError):  # at once: the clean-up may take a while
            os.write(2, b"\nStopping: what is in hand is given up.\n")
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[int(signal.SIGINT)] = signal.signal(signal.SIGINT, interrupt)
    for name in _WORDS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[int(number)] = signal.signal(number, leave)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)  # type: ignore[arg-type]
