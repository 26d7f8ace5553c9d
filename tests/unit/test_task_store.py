"""Finished trials in a folder: each file says which task it holds, and is whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialsim.engines.task_store import Task, TaskStore
from trialsim.errors import UsageError

ABOUT = {"scenario": "abc", "seed": 3, "engine": "fast"}
FIRST, SECOND = ("fixed", "none", 0, 4), ("fixed", "none", 4, 8)


def _columns(start: int) -> dict[str, Any]:
    return {"trials": {"replicate": np.arange(start, start + 4)}}


def _file(store: TaskStore, task: Task) -> Path:
    before = set(store.folder.iterdir())
    store.keep(task, _columns(task[2]))
    (made,) = set(store.folder.iterdir()) - before
    return made


def test_a_file_of_another_task_or_run_is_not_taken(tmp_path: Path) -> None:
    store = TaskStore(tmp_path / "kept", ABOUT)
    first, second = _file(store, FIRST), _file(store, SECOND)
    for task in (FIRST, SECOND):
        found = store.find(task)
        assert found is not None
        assert found.keys() == {"trials"}
        assert found["trials"]["replicate"].tolist() == _columns(task[2])["trials"]["replicate"].tolist()
    shutil.copy(first, second)
    assert store.find(SECOND) is None
    other = TaskStore(tmp_path / "other", ABOUT | {"seed": 4})
    shutil.copy(_file(other, FIRST), first)
    assert store.find(FIRST) is None
    np.savez(first, **{"trials/replicate": np.arange(4)})  # type: ignore[arg-type]
    assert store.find(FIRST) is None


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TaskStore(tmp_path / "kept", ABOUT)

    def full(file: Any, **_: Any) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(
        UsageError, match=r"-0-4\.npz: cannot be written \(no space left on device\); remove it"
    ):
        store.keep(FIRST, _columns(0))
    assert [path.name for path in store.folder.iterdir()] == ["about.json"]


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    store = TaskStore(tmp_path / "kept", ABOUT)
    path = _file(store, FIRST)
    path.unlink()
    path.mkdir()
    assert store.find(FIRST) is None
    with pytest.raises(UsageError, match=rf"{path.name}: is a folder; remove it"):
        store.keep(FIRST, _columns(0))
    assert sorted(each.name for each in store.folder.iterdir()) == sorted([path.name, "about.json"])
