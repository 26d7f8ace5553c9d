"""Plain data as a YAML file would give it: keys are text, and nothing is nested without end."""

from __future__ import annotations

from typing import Any

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.reading import MOST_DEPTH
from trialsim.scenario.wording import printable


def as_from_yaml(tree: Any, problems: list[Problem], path: str = "", depth: int = 0) -> Any:
    """Return plain data with the text of every key, as YAML has it.

    Parameters
    ----------
    tree
        Mappings, lists and scalars.
    problems
        Problems found are appended here: two keys that are written alike, of which the first is kept.
    path
        Where it stands.
    depth
        In how many others.

    Raises
    ------
    ScenarioError
        Where it is nested more deeply than a file may be.
    """
    if not isinstance(tree, (dict, list)):
        return tree
    if depth >= MOST_DEPTH:
        raise ScenarioError([Problem("", f"the scenario is nested more than {MOST_DEPTH} levels deep")])
    if isinstance(tree, list):
        return [as_from_yaml(each, problems, f"{path}[{k}]", depth + 1) for k, each in enumerate(tree)]
    found: dict[str, Any] = {}
    for key, value in tree.items():
        text = str(key)
        at = f"{path}.{printable(text)}" if path else printable(text)
        if text in found:
            problems.append(Problem(at, "is written twice, as text and otherwise; keep one"))
        else:
            found[text] = as_from_yaml(value, problems, at, depth + 1)
    return found
