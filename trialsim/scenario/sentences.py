"""From validation errors to sentences, each at its path in the file as it is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from trialsim.errors import Problem
from trialsim.scenario.wording import closest, did_you_mean, listed, printable, shown

MOST_PROBLEMS = 1000

_MORE = re.compile(r"and ([0-9]+) more problems")

Location = Sequence[str | int]


def written_path(tree: Any, location: Location) -> str:
    """Return the path in the file of a place in the models.

    The models hold steps that are not written (the tag of a union, a count that stands alone); these are left
    out.
    """
    path = ""
    here = tree
    last = len(location) - 1
    for place, step in enumerate(location):
        if step == "[key]" or (isinstance(step, str) and step.startswith("<")):
            continue
        if isinstance(step, int):
            if not isinstance(here, list):
                break
            path += f"[{step}]"
            here = here[step] if 0 <= step < len(here) else None
        elif isinstance(here, dict):
            if step not in here and place != last:
                break
            path += f".{printable(step)}" if path else printable(step)
            here = here.get(step)
        else:
            break
    return path


def _at(tree: Any, location: Location) -> Any:
    """Return what is written at a place, or None."""
    for step in location:
        if step == "[key]" or (isinstance(step, str) and step.startswith("<")):
            continue
        inside = (
            step in tree if isinstance(tree, dict) else isinstance(tree, list) and step in range(len(tree))
        )
        if not inside:
            return None
        tree = tree[step]
    return tree


def problems_from(
    error: ValidationError, tree: Any, allowed_keys: Mapping[int, tuple[str, ...]]
) -> list[Problem]:
    """Return the problems of a validation error; a key that is wanting comes after the misspelt one that was meant for it.

    Parameters
    ----------
    error
        What pydantic raised.
    tree
        The plain data it was raised for.
    allowed_keys
        The keys allowed in each mapping, by the identity of the mapping.
    """
    problems = []
    details = error.errors(include_url=False)
    meant = _meant(details[:MOST_PROBLEMS], tree, allowed_keys)
    inner = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    for detail in details[:MOST_PROBLEMS]:
        location = detail["loc"]
        if detail["type"] == "too_short" and location in inner:
            continue  # its entries were refused, each with its own sentence
        allowed: Iterable[str] = ()
        if detail["type"] == "extra_forbidden":
            allowed = allowed_keys.get(id(_at(tree, location[:-1])), ())
        follows = meant.get(tuple(location), "") if detail["type"] == "missing" else ""
        problems.append(
            Problem(written_path(tree, location), _sentence(detail, location, allowed), follows=follows)
        )
    if len(details) > MOST_PROBLEMS:
        problems.append(Problem("", f"and {len(details) - MOST_PROBLEMS} more problems"))
    return causes_first(list(dict.fromkeys(problems)))


def at_most(problems: Sequence[Problem], most: int = MOST_PROBLEMS) -> list[Problem]:
    """Return so many problems and, where there are others, their number."""
    told = [problem for problem in problems if not _MORE.fullmatch(str(problem))]
    left = len(told) - most if len(told) > most else 0
    left += max((int(more[1]) for problem in problems if (more := _MORE.fullmatch(str(problem)))), default=0)
    return told[:most] + ([Problem("", f"and {left} more problems")] if left else [])


def causes_first(problems: Sequence[Problem]) -> list[Problem]:
    """Return problems in their order, but those that follow from another one right after it.

    Parameters
    ----------
    problems
        In any order.
    """
    there = {problem.path for problem in problems} - {""}
    following: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.follows in there:
            following.setdefault(problem.follows, []).append(problem)
    ordered: list[Problem] = []
    for problem in problems:
        if problem.follows not in there:
            ordered += [problem, *following.pop(problem.path, ())]
    return ordered


def is_inherited(problem: Problem, said: Collection[Problem], ancestors: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a design has a problem from one that it extends, where it is told.

    Parameters
    ----------
    problem
        The problem.
    said
        All that is told.
    ancestors
        The designs that each one extends.
    """
    part, *rest = problem.path.split(".")
    if part != "designs" or not rest:
        return False
    above = (".".join([part, one, *rest[1:]]) for one in ancestors.get(rest[0], ()))
    return any(Problem(path, problem.message) in said for path in above)


def _meant(
    details: Sequence[Mapping[str, Any]], tree: Any, allowed_keys: Mapping[int, tuple[str, ...]]
) -> dict[tuple[str | int, ...], str]:
    """Return the places that misspelt keys were probably meant for, each with the path of the misspelt one."""
    found = {}
    for detail in details:
        *above, key = detail["loc"] or [""]
        if detail["type"] == "extra_forbidden":
            close = closest(str(key), allowed_keys.get(id(_at(tree, above)), ()))
            if close is not None:
                found[(*above, close)] = written_path(tree, detail["loc"])
    return found


def _sentence(detail: Mapping[str, Any], location: Location, allowed: Iterable[str]) -> str:
    """Return one error as a sentence."""
    kind, context = detail["type"], detail.get("ctx", {})
    found = shown(detail.get("input"))
    match kind:
        case "trialsim":
            return str(context["sentence"])
        case "missing":
            return "is required and missing"
        case "extra_forbidden":
            allowed = list(allowed)
            hint = did_you_mean(str(location[-1]), allowed)
            return f"is not known here; allowed: {listed(allowed)}.{hint}"
        case "model_type" | "model_attributes_type" | "dict_type" | "mapping_type":
            return f"a mapping (key: value) is expected, found {found}"
        case "tuple_type" | "list_type":
            return f"a list [...] is expected, found {found}"
        case "too_short":
            least = context["min_length"]
            needed = "at least 1 entry is" if least == 1 else f"at least {least} entries are"
            return f"{needed} needed, found {context['actual_length'] or 'none'}"
        case "too_long":
            many = context["actual_length"] or "more"
            most = context["max_length"]
            allowed_many = "1 entry is" if most == 1 else f"{most} entries are"
            return f"at most {allowed_many} allowed, found {many}"
        case "literal_error":
            return f"{found} is not allowed; allowed: {context['expected']}"
        case _:
            return f"{found} cannot be used here"
