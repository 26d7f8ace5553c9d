"""From the files as written to one tree: what extends something is laid over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.reading import parse_yaml, read_text
from trialsim.scenario.wording import shown, unknown

MOST_EXTENDS = 10


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


def overruled_policies(base: Any, over: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the slots in which one design names another policy than the design below it, whose own would stay beside it.

    Mappings merge, so that ``{random: {}}`` over ``{oracle: {}}`` has both.

    Parameters
    ----------
    base, over
        The designs as written.

    Yields
    ------
    tuple of str
        Path of the slot in the design, the name above, and the name below.
    """
    yield from _overruled("policies", _mapping(base, "policies"), _mapping(over, "policies"))


def _overruled(at: str, base: dict[str, Any], over: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the slots of two mappings of slots that name different policies, and of rankings inside rankings."""
    for slot in over.keys() & base.keys():
        below, above = _mapping(base, slot), _mapping(over, slot)
        kept = [name for name in below if name not in above]
        added = [name for name in above if name not in below and above[name] is not None]
        if kept and added:
            yield f"{at}.{slot}", added[0], kept[0]
        for name in below.keys() & above.keys():
            inner = (_mapping(below, name), _mapping(above, name))
            rankings = [{key: each[key] for key in ("ranking",) if key in each} for each in inner]
            yield from _overruled(f"{at}.{slot}.{name}", rankings[0], rankings[1])


def _mapping(tree: Any, key: str) -> dict[str, Any]:
    """Return what stands at a key where it is a mapping, otherwise an empty one."""
    found = tree.get(key) if isinstance(tree, dict) else None
    return found if isinstance(found, dict) else {}


def _over(base: Any, over: Any, at: str, below: str, problems: list[Problem]) -> Any:
    """Return one design laid over another, with a sentence where a policy of both would stand in one slot."""
    result = merged(base, over)
    for path, added, kept in overruled_policies(base, over):
        problems.append(
            Problem(
                f"{at}.{path}",
                f"{added} stands beside {kept}, which {below} sets here and which stays, as mappings merge; add "
                f"{kept}: null to leave it out, or name {added} alone if it takes no parameters",
            )
        )
        place = result
        for step in path.split("."):
            place = place[step]
        del place[kept]
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


def read_extended(path: Path, problems: list[Problem] | None = None) -> Any:
    """Return the tree of a scenario file, merged over the files that it extends.

    Parameters
    ----------
    path
        The file.
    problems
        As in :func:`trialsim.scenario.reading.parse_yaml`.

    Raises
    ------
    ScenarioError
        Where a file cannot be read, leads out of the folder, or extends itself.
    """
    chain: list[Any] = []
    seen: list[Path] = []
    here = path
    while True:
        tree = parse_yaml(read_text(here), str(here), problems)
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
        result = _file_over(result, chain.pop(), [] if problems is None else problems)
    return result


def _file_over(base: Any, over: Any, problems: list[Problem]) -> Any:
    """Return the tree of a file laid over that of the file it extends."""
    result = merged(base, over)
    below, above = _mapping(base, "designs"), _mapping(over, "designs")
    for name in below.keys() & above.keys():
        if isinstance(above[name], dict) and isinstance(below[name], dict):
            at = f"designs.{name}"
            result["designs"][name] = _over(below[name], above[name], at, "the file below", problems)
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
            elif len(line) >= MOST_EXTENDS:
                problems.append(Problem(at, f"more than {MOST_EXTENDS} designs extend one another"))
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
            below = line[len(chain) - 1]
            design = _over(design, chain.pop(), f"designs.{name}", f"the design {shown(below)}", problems)
        whole[name] = design
        ancestors[name] = tuple(line)
    tree["designs"] = whole
    return ancestors
