"""A picture that a command writes: refused before any work is done, written whole."""

from __future__ import annotations

from pathlib import Path

from trialsim.errors import UsageError

PICTURE_KINDS = (".png", ".svg")


def check_picture_file(path: Path, force: bool) -> None:
    """Refuse a picture that cannot be drawn or written.

    Raises
    ------
    UsageError
        With what is allowed.
    """
    if path.suffix.lower() not in PICTURE_KINDS:
        raise UsageError(f"--picture: {path}: a picture is a file that ends in {' or '.join(PICTURE_KINDS)}.")
    if path.is_dir():
        raise UsageError(f"--picture: {path} is a folder; name a file.")
    if not path.parent.is_dir():
        raise UsageError(f"--picture: there is no folder {path.parent}; make it, or name another place.")
    if path.exists() and not force:
        raise _exists(path)


def write_picture_file(path: Path, content: bytes, force: bool) -> None:
    """Write a picture whole.

    Raises
    ------
    UsageError
        Where a file has appeared there meanwhile that may not be replaced.
    """
    from trialsim.report.whole_file import write_whole

    try:
        write_whole(path, content, force)
    except FileExistsError:
        raise _exists(path) from None


def _exists(path: Path) -> UsageError:
    return UsageError(f"--picture: {path} exists already; name another file, or replace it with --force.")
