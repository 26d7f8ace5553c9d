"""How files are named: after the one idea that each holds."""

from __future__ import annotations

from pathlib import Path

import pytest

CATCH_ALL = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}


@pytest.mark.parametrize("folder", ["trialsim", "tests"])
def test_no_file_is_a_catch_all(root: Path, folder: str) -> None:
    named = [path for path in (root / folder).rglob("*") if path.stem.strip("_") in CATCH_ALL]
    assert [str(path.relative_to(root)) for path in named] == []


def test_every_package_has_an_init(root: Path) -> None:
    folders = {path.parent for path in (root / "trialsim").rglob("*.py")}
    assert (
        sorted(str(folder.relative_to(root)) for folder in folders if not (folder / "__init__.py").exists())
        == []
    )


def test_an_init_holds_names_only(root: Path) -> None:
    longer = {
        str(path.relative_to(root)): count
        for path in (root / "trialsim").rglob("__init__.py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 60
    }
    assert longer == {}
