"""Packages of one module with an entry point, as a user would install them beside trialsim."""

from __future__ import annotations

from pathlib import Path


def write_package(folder: Path, module: str, text: str, group: str, name: str, value: str) -> None:
    """Put a package into a folder that is then looked in.

    Parameters
    ----------
    folder
        Where to put it.
    module, text
        The module's name, and what is in it.
    group, name, value
        The entry point: what kind of part it is, its name in scenarios, and what in the module it is.
    """
    (folder / f"{module}.py").write_text(text, encoding="utf-8")
    described = folder / f"{module}-1.0.dist-info"
    described.mkdir()
    told = f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n"
    (described / "METADATA").write_text(told, encoding="utf-8")
    (described / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}:{value}\n", encoding="utf-8")
