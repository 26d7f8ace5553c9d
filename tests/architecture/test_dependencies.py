"""The core depends on what it imports and on nothing else, and on no GPL package."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

# The names under which these are imported, where they differ from the names under which they are installed.
DISTRIBUTION = {"yaml": "pyyaml", "sklearn": "scikit-learn"}
# These are the lower halves of packages that we name, which pin them themselves.
DISTRIBUTION |= {"llvmlite": "numba", "pydantic_core": "pydantic"}

GPL = re.compile(r"\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)


@functools.cache
def _imported(folder: Path) -> dict[str, set[str]]:
    """Return each third-party distribution imported under ``folder``, with the files that import it."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            else:
                continue
            for module in modules:
                name = module.split(".")[0]
                if name != "trialsim" and name not in sys.stdlib_module_names:
                    found.setdefault(DISTRIBUTION.get(name, name), set()).add(str(path.relative_to(folder)))
    return found


def _project(root: Path) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    return project


def _names(requirements: object) -> set[str]:
    assert isinstance(requirements, list)
    return {Requirement(text).name.lower() for text in requirements}


def _extras(root: Path) -> dict[str, set[str]]:
    extras = _project(root)["optional-dependencies"]
    assert isinstance(extras, dict)
    return {extra: _names(requirements) for extra, requirements in extras.items()}


def _with_all_they_need(names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for text in distribution(name).requires or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name.lower())
    return found


def _licence(name: str) -> str:
    metadata = distribution(name).metadata
    stated = metadata.get("License-Expression")
    classified = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    free_text = (metadata.get("License") or "").splitlines()[:1]
    return stated or " ".join(classified) or " ".join(free_text)


@pytest.mark.slow
def test_the_core_depends_on_exactly_what_it_imports(root: Path) -> None:
    imported = _imported(root / "trialsim")
    optional = set().union(*(names for extra, names in _extras(root).items() if extra != "dev"))
    core = {name: sorted(files) for name, files in imported.items() if name not in optional}
    declared = _names(_project(root)["dependencies"])
    assert {name: files for name, files in core.items() if name not in declared} == {}, (
        "imported, not declared"
    )
    assert sorted(declared - set(core)) == [], "declared, not imported"


def test_nothing_that_is_for_tests_is_imported(root: Path) -> None:
    assert sorted(set(_imported(root / "trialsim")) & _extras(root)["dev"]) == []


def test_nothing_that_is_imported_is_under_the_gpl(root: Path) -> None:
    licences = {
        name: _licence(name) for name in _with_all_they_need(set(_names(_project(root)["dependencies"])))
    }
    assert {name: text for name, text in licences.items() if not text} == {}, "no licence stated"
    # The exception of GCC's run-time library lets code under any licence link with it.
    assert {
        name: text
        for name, text in licences.items()
        if GPL.search(re.sub(r"GPL\S* WITH GCC-exception\S*", "", text))
    } == {}


@pytest.mark.parametrize("extra", [None, "ai", "bayes", "scale", "app", "dev"])
def test_every_dependency_is_pinned_within_its_bounds(root: Path, extra: str | None) -> None:
    project = _project(root)
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    requirements = project["dependencies"] if extra is None else extras[extra]
    assert isinstance(requirements, list)
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if "==" in line)
    for text in requirements:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[requirement.name.lower()]), text


def test_every_package_the_core_pulls_in_is_pinned(root: Path) -> None:
    text = (root / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-")
    pinned = {line.split("==")[0] for line in text.splitlines() if "==" in line}
    needed = _with_all_they_need(_names(_project(root)["dependencies"]))
    assert sorted({name.replace("_", "-") for name in needed} - pinned) == []
