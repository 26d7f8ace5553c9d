"""From the files as written to one tree: ``extends`` merged, designs made whole, grids of truths expanded."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.reading import parse_yaml, read_text
from trialsim.scenario.truths import canonical_path
from trialsim.scenario.units import (
    is_duration,
    is_quantity,
    parse_duration,
    parse_rate,
    readable_duration,
    write_rate,
)
from trialsim.scenario.values import shown, unknown

MOST_EXTENDS = 10
MOST_CELLS = 10_000


def merged(base: Any, over: Any) -> Any:
    """Return one tree laid over another: mappings merge, everything else replaces, null deletes."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    result = dict(base)
    for key, value in over.items():
        if value is None and key in result:
            del result[key]
        else:
            result[key] = merged(result[key], value) if key in result else value
    return result


def inside(folder: Path, name: Any, what: str) -> Path:
    """Return the path of a file beside the scenario.

    Raises
    ------
    ScenarioError
        Where the name leads out of the folder: an absolute path, ``..``, or a link to elsewhere.
    """
    if not isinstance(name, str) or not name or len(name) > 1000 or not name.isprintable():
        raise ScenarioError(
            [Problem(what, f"the name of a file in the scenario's folder is expected, found {shown(name)}")]
        )
    given = Path(name)
    if given.is_absolute() or ".." in given.parts or "\\" in name or name.startswith("~") or ":" in name:
        raise ScenarioError(
            [Problem(what, f"{shown(name)} leads out of the scenario's folder; name a file inside it")]
        )
    try:
        path = (folder / given).resolve()
        home = folder.resolve()
    except (OSError, RuntimeError, ValueError):
        raise ScenarioError([Problem(what, f"{shown(name)} is not the name of a file")]) from None
    if not path.is_relative_to(home):
        raise ScenarioError(
            [Problem(what, f"{shown(name)} is a link out of the scenario's folder; put the file inside it")]
        )
    return path


def read_extended(path: Path) -> Any:
    """Return the tree of a scenario file, merged over the files that it extends.

    Raises
    ------
    ScenarioError
        Where a file cannot be read, leads out of the folder, or extends itself.
    """
    chain: list[Any] = []
    seen: list[Path] = []
    here = path
    while True:
        tree = parse_yaml(read_text(here), str(here))
        seen.append(here.resolve())
        if not isinstance(tree, dict) or "extends" not in tree:
            chain.append(tree)
            break
        chain.append({key: value for key, value in tree.items() if key != "extends"})
        following = inside(path.parent, tree["extends"], "extends")
        if following in seen:
            raise ScenarioError(
                [Problem("extends", f"{shown(tree['extends'])} comes back to itself; break the circle")]
            )
        if len(seen) >= MOST_EXTENDS:
            raise ScenarioError([Problem("extends", f"more than {MOST_EXTENDS} files extend one another")])
        if not following.is_file():
            raise ScenarioError(
                [Problem("extends", f"there is no file {shown(tree['extends'])} beside {path.name}")]
            )
        here = following
    result = chain.pop()
    if chain and not isinstance(result, dict):
        raise ScenarioError([Problem("extends", f"{here.name} is not a mapping of the scenario's keys")])
    while chain:
        result = merged(result, chain.pop())
    return result


def resolve_designs(tree: dict[str, Any], problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    """Merge each design over the one it extends, in place; return the designs that each one extends.

    Parameters
    ----------
    tree
        The scenario; its ``designs`` are replaced.
    problems
        Problems found are appended here.
    """
    designs = tree.get("designs")
    if not isinstance(designs, dict):
        return {}
    whole: dict[str, Any] = {}
    ancestors: dict[str, tuple[str, ...]] = {}
    for name, design in designs.items():
        line: list[str] = []
        chain = []
        while isinstance(design, dict) and "extends" in design:
            at = f"designs.{name if not line else line[-1]}.extends"
            parent = design["extends"]
            chain.append({key: value for key, value in design.items() if key != "extends"})
            design = None
            if not isinstance(parent, str) or parent not in designs:
                problems.append(
                    Problem(at, unknown("the design", parent, (one for one in designs if one != name)))
                )
            elif parent == name or parent in line:
                problems.append(Problem(at, f"{shown(parent)} comes back to itself; break the circle"))
            else:
                line.append(parent)
                design = designs[parent]
        if chain and not isinstance(design, dict):
            # What it extends is broken; that is said once, there.
            if line and design is not None:
                problems.append(Problem(f"designs.{name}.extends", f"{shown(line[-1])} is not a mapping"))
            continue
        while chain:
            design = merged(design, chain.pop())
        whole[name] = design
        ancestors[name] = tuple(line)
    tree["designs"] = whole
    return ancestors


def expand_grids(tree: dict[str, Any], problems: list[Problem]) -> None:
    """Replace each truth with a grid by one truth for each of its cells, in place."""
    truths = tree.get("truths")
    if not isinstance(truths, dict):
        return
    expanded: dict[str, Any] = {}
    for name, truth in truths.items():
        if not isinstance(truth, dict) or "grid" not in truth:
            expanded[name] = truth
            continue
        at = f"truths.{name}.grid"
        grid = truth["grid"]
        plain = {key: value for key, value in truth.items() if key != "grid"}
        if not isinstance(grid, dict) or not grid:
            problems.append(
                Problem(at, f"a mapping of paths to lists of values is expected, found {shown(grid)}")
            )
            continue
        broken = [path for path, values in grid.items() if not isinstance(values, list) or not values]
        problems += [
            Problem(f"{at}.{path}", f"a list of values is expected, found {shown(grid[path])}")
            for path in broken
        ]
        twice = [path for path in grid if path in plain]
        problems += [
            Problem(f"{at}.{path}", "is set beside the grid as well; keep one of them") for path in twice
        ]
        if broken or twice:
            continue
        cells = 1
        for values in grid.values():
            cells *= len(values)
        if cells + len(expanded) > MOST_CELLS:
            problems.append(
                Problem(at, f"the grid has {cells:,} cells; at most {MOST_CELLS:,} truths are allowed in all")
            )
            continue
        labels = _labels(list(grid))
        in_order = sorted(
            range(len(labels)), key=labels.__getitem__
        )  # so that key order is no part of a name
        for values in itertools.product(*grid.values()):
            inner = ",".join(f"{labels[index]}={_value_label(values[index])}" for index in in_order)
            cell = f"{name}[{inner}]"
            if cell in expanded or cell in truths:
                problems.append(Problem(at, f"the cell {inner} occurs twice; keep each value once"))
                break
            expanded[cell] = plain | dict(zip(grid, values, strict=True))
    tree["truths"] = expanded


def _labels(paths: list[str]) -> list[str]:
    """Return the last segment of each path, or as many of the last as tell them apart."""
    segments = [canonical_path(path).split(".") for path in paths]
    labels = []
    for index, parts in enumerate(segments):
        others = segments[:index] + segments[index + 1 :]
        taken = 2 if parts[-1] == "*" or parts[-1].isdigit() else 1
        while taken < len(parts) and any(other[-taken:] == parts[-taken:] for other in others):
            taken += 1
        labels.append(".".join(parts[-taken:]))
    return labels


def _value_label(value: Any) -> str:
    """Return a value as it stands in a cell's name, whatever the spelling of its unit."""
    if is_quantity(value):
        from pydantic_core import PydanticCustomError

        try:
            return (
                readable_duration(parse_duration(value))
                if is_duration(value)
                else write_rate(parse_rate(value, zero=True))
            )
        except PydanticCustomError:
            return str(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15:
        return repr(float(value))
    return shown(value).replace("[", "(").replace("]", ")")
