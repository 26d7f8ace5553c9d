"""The names the package offers."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import trialsim


@pytest.mark.parametrize("name", trialsim.__all__)
def test_a_public_name_can_be_loaded(name: str) -> None:
    assert getattr(trialsim, name) is not None
    assert name in dir(trialsim)


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'simulat'.*simulate"):
        trialsim.simulat  # noqa: B018


def test_the_version_is_that_of_the_project_file(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert trialsim.__version__ == project["version"]


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trialsim", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"trialsim {trialsim.__version__}\n"


def test_the_package_says_that_it_is_typed(root: Path) -> None:
    assert (root / "trialsim" / "py.typed").exists()
