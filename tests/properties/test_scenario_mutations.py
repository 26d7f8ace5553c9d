"""A corpus of broken scenario files: whatever is done to a good one ends in a scenario or in sentences."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.load import load_scenario
from trialsim.scenario.reading import parse_yaml
from trialsim.scenario.starter import starter_text

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path for path in ROOT.glob("scenarios/**/*.yaml") if path.name != "expected.yaml")
RICH = ROOT / "tests/unit/scenario_rich.yaml"
CASES = 2000
BATCHES = 8
JARGON = ("pydantic", "Traceback", "Input should", "validation error", "https://", "<class", "object at 0x")

ODD_VALUES: list[Any] = [
    None,
    True,
    "",
    "null",
    "no",
    "1e3",
    "12:30",
    "2020-01-01",
    -1,
    0,
    1,
    1.5,
    -0.0,
    1e300,
    1e-300,
    10**30,
    float("inf"),
    "1e300 years",
    "-3 days",
    "0 days",
    "5 fortnights",
    "3 per month",
    "control",
    "treatment",
    "../../etc/passwd",
    "/etc/passwd",
    [],
    {},
    [[]],
    [None],
    [1, 2, 3],
    {"a": 1},
    {"extends": "fixed"},
    {"grid": {}},
    "x" * 5000,
    "ä\u202eß",
]


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every node of a tree but its root."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    found = []
    for key, part in items:
        found.append((*path, key))
        found += places(part, (*path, key))
    return found


def node(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def misspelt(word: str, rng: random.Random) -> str:
    place = rng.randrange(len(word) + 1)
    return rng.choice(
        [
            word[:place] + rng.choice("aeioxz_0- .") + word[place:],
            word[:place] + word[place + 1 :],
            word.upper(),
        ]
    )


def mutated_tree(tree: Any, rng: random.Random) -> Any:
    """Return a tree with one to three things done to it."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        every = places(tree)
        if not every:
            return tree
        path = rng.choice(every)
        parent, key = node(tree, path[:-1]), path[-1]
        value = parent[key]
        match rng.choice(
            ["delete", "odd", "odd", "misspell", "negate", "huge", "wrap", "swap", "duplicate", "text"]
        ):
            case "delete":
                del parent[key]
            case "odd":
                parent[key] = copy.deepcopy(rng.choice(ODD_VALUES))
            case "misspell" if isinstance(parent, dict):
                parent[misspelt(str(key), rng)] = parent.pop(key)
            case "misspell" if isinstance(value, str):
                parent[key] = misspelt(value, rng)
            case "negate" if isinstance(value, (int, float)):
                parent[key] = -value
            case "huge" if isinstance(value, (int, float)):
                parent[key] = value * 10.0 ** rng.choice([3, 9, 30, 200, -9])
            case "wrap":
                parent[key] = rng.choice([[value], {"x": value}, {str(key): value}, {"all": [value]}])
            case "swap":
                other = rng.choice(every)
                parent[key] = copy.deepcopy(node(tree, other))
            case "duplicate" if isinstance(parent, list):
                parent.insert(key, copy.deepcopy(value))
            case "text":
                parent[key] = str(value)
            case _:
                parent[key] = None
    return tree


def mutated_text(text: str, rng: random.Random) -> bytes:
    """Return a text with something done to its characters."""
    data = bytearray(text.encode())
    match rng.choice(["cut", "bytes", "drop line", "double line", "indent", "insert"]):
        case "cut":
            return bytes(data[: rng.randrange(len(data))])
        case "bytes":
            for _ in range(rng.choice([1, 3, 20])):
                data[rng.randrange(len(data))] = rng.randrange(256)
        case "insert":
            place = rng.randrange(len(data))
            data[place:place] = rng.choice(
                [
                    b"\t",
                    b"&a ",
                    b"*a ",
                    b"<<: ",
                    b"!!python/object ",
                    b"---\n",
                    b"{",
                    b"]",
                    b"\x00",
                    b"\xff",
                    b'"',
                    b"#",
                    b": ",
                ]
            )
        case action:
            lines = text.split("\n")
            place = rng.randrange(len(lines))
            if action == "drop line":
                del lines[place]
            elif action == "double line":
                lines.insert(place, lines[place])
            else:
                lines[place] = rng.choice(["  ", " ", "\t"]) + lines[place]
            return "\n".join(lines).encode()
    return bytes(data)


def originals() -> list[tuple[Path | None, str]]:
    """Return the folder and the text of every file that is mutated."""
    shipped = [(path.parent, path.read_text(encoding="utf-8")) for path in SHIPPED]
    return [*shipped, (None, starter_text("starter")), (None, RICH.read_text(encoding="utf-8"))]


def test_there_are_shipped_scenarios_and_all_are_good() -> None:
    assert SHIPPED
    for path in [*SHIPPED, RICH]:
        load_scenario(path)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_mutation_ends_in_a_scenario_or_in_sentences(batch: int, tmp_path: Path) -> None:
    rng = random.Random(20240 + batch)
    files = originals()
    for folder, _ in files:
        for table in folder.glob("*.csv") if folder else ():
            shutil.copyfile(table, tmp_path / table.name)
    refused = 0
    for _ in range(CASES // BATCHES):
        _, text = rng.choice(files)
        if rng.random() < 0.7:
            # JSON is YAML and says exactly what the tree holds, but for infinity.
            written = json.dumps(mutated_tree(parse_yaml(text), rng), ensure_ascii=rng.random() < 0.5)
            data = written.replace("Infinity", ".inf").encode("utf-8", "replace")
        else:
            data = mutated_text(text, rng)
        file = tmp_path / "mutated.yaml"
        file.write_bytes(data)
        problems: list[Problem] | None = None
        try:
            scenario = load_scenario(file)
        except ScenarioError as error:
            problems = error.problems
        if problems is None:
            assert len(scenario.digest()) == 64
            for truth in list(scenario.truths)[:3]:
                scenario.world(truth)
        else:
            refused += 1
            assert problems
            for problem in problems:
                assert len(problem.message) > 10, problem
                assert not any(word in str(problem) for word in JARGON), problem
                assert str(problem).isprintable(), problem
    assert refused > CASES // BATCHES // 3
