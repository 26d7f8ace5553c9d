"""Files that are either whole or as they were before."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write_whole(path: Path, content: bytes, overwrite: bool) -> None:
    """Write a file beside its place and move it there when it is whole.

    Parameters
    ----------
    path
        Where it shall lie; behind a link, the file that the link names is replaced.
    content
        What it shall hold.
    overwrite
        Whether a file that lies there may be replaced.

    Raises
    ------
    FileExistsError
        Where one lies there that may not be replaced.
    OSError
        Where it cannot be written; what lay there before is untouched.
    """
    place = path.resolve()
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(path)
    if place.exists() and not place.is_file():  # a pipe or a terminal takes bytes, nothing lies there
        place.write_bytes(content)
        return
    beside = place.with_name(f".trialsim-{os.getpid()}.partial")
    try:
        beside.write_bytes(content)
        if place.exists():
            shutil.copymode(place, beside)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
