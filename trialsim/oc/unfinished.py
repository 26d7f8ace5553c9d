"""Folders of runs that are being written, and of those whose process was killed."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from trialsim.errors import UsageError

PARTIAL = ".partial-"
"""Between the name of a run's folder and the number of the process that writes it."""

_LOCK = ".being-written"


def hold(partial: Path) -> int:
    """Mark a partial folder as being written for as long as this process lives, and return what :func:`let_go` takes.

    The system lets go of the lock when a process ends, however it does: no number of a process has to be trusted, which
    the system gives anew.
    """
    descriptor = os.open(partial / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    with suppress(OSError):  # a file system may have no locks: the number of the process has to do
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def let_go(partial: Path, descriptor: int) -> None:
    """Take the mark away."""
    (partial / _LOCK).unlink(missing_ok=True)
    os.close(descriptor)


def clear_abandoned(place: Path) -> None:
    """Remove what killed processes left of runs into a folder; refuse the folder while another process writes it.

    Parameters
    ----------
    place
        Where the run shall lie, behind all links.

    Raises
    ------
    UsageError
        Where a living process writes it.
    """
    ours = re.compile(re.escape(f"{place.name}{PARTIAL}") + r"(\d+)\Z")
    for folder in (place, place.parent):
        for partial in _folders(folder):
            found = ours.match(partial.name)
            if found is None:
                continue
            if _is_written(partial, int(found[1])):
                raise UsageError(
                    f"{place}: process {found[1]} is writing a run there at this moment; wait for it, or name another "
                    "folder with --out"
                )
            shutil.rmtree(partial, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder; none where it cannot be read."""
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []


def _is_written(partial: Path, process: int) -> bool:
    """Return whether a living process writes a partial folder."""
    try:
        descriptor = os.open(partial / _LOCK, os.O_RDWR)
    except FileNotFoundError:  # it is just being made, or was left by a version without locks
        return _lives(process)
    except OSError:
        return True  # somebody else's: nothing is known of it, and it is not ours to remove
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return _lives(process)
    finally:
        os.close(descriptor)
    return False


def _lives(process: int) -> bool:
    """Return whether there is a process of a number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
