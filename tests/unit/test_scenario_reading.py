"""YAML as people mean it, and YAML that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.lines import with_lines
from trialsim.scenario.load import load_scenario
from trialsim.scenario.reading import parse_yaml, read_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[no, on, yes, off, y, n, No, ON]", ["no", "on", "yes", "off", "y", "n", "No", "ON"]),
        ("[true, false, True, FALSE]", [True, False, True, False]),
        ("[null, ~, Null, NULL, ]", [None, None, None, None]),
        ("[1e3, 1.5e-3, .5, 1., -2, +3, 010]", [1000.0, 0.0015, 0.5, 1.0, -2, 3, 10]),
        (
            "[12:30, 190:20:30, 2020-01-01, 2001-12-14t21:59:43.10-05:00]",
            ["12:30", "190:20:30", "2020-01-01", "2001-12-14t21:59:43.10-05:00"],
        ),
        ("[1_000, 0x1F, 0b11, 0o17, 1e, e3, -, =]", ["1_000", "0x1F", "0b11", "0o17", "1e", "e3", "-", "="]),
        ("['1', \"null\", 'no', !!str 5]", ["1", "null", "no", "5"]),
        (
            "{null: 1, no: 2, on: 3, 1: 4, 1e3: 5, true: 6, 12:30: 7, ~: 8}",
            {"null": 1, "no": 2, "on": 3, "1": 4, "1e3": 5, "true": 6, "12:30": 7, "~": 8},
        ),
        ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("\ufeffa: 1", {"a": 1}),
        ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
    ],
)
def test_values_mean_what_a_person_meant(text: str, value: object) -> None:
    assert parse_yaml(text) == value


def test_only_infinity_is_read_beside_finite_numbers() -> None:
    assert parse_yaml("[.inf, -.inf, .Inf]") == [float("inf"), float("-inf"), float("inf")]


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("a: 1\na: 2\n", "a: is written twice (lines 1 and 2)"),
        ("x: {b: 1, c: 2, b: 3}", "x.b: is written twice"),
        ("a: 1\n---\nb: 2\n", "several YAML documents"),
        ("a: [1, 2", "a bracket or a quote is not closed"),
        ("a:\n\t- 1\n", "indent with spaces"),
        ("a: *nowhere", "names nothing before it"),
        ("a: &a [*a]", "stands inside what it names"),
        (bomb(9), "more than 200,000 values"),
        ("[" * 5000 + "]" * 5000, "levels deep"),
        ("\n".join(f"a{n}: &a{n} [{f'*a{n - 1}' if n else ''}]" for n in range(60)), "levels deep"),
        ("{a: " * 5000, "levels deep"),
        ("name: x\narms: " + "[" * 50 + "]" * 50, "levels deep (line 2)"),
        ("base: &b {x: 1}\nmore: {<<: *b, y: 2}\n", "merge keys (<<, line 2) are not read; use extends"),
        ("a: !!python/object/apply:os.system [ls]", "tag"),
        ("a: !custom 5", "tag"),
        ("!!map {a: 1}", "tag"),
        ("a: !!int '5'", "tag"),
        ("a: .nan", "a: '.nan' is not a finite number"),
        ("a: 1e999", "a: '1e999' is not a finite number"),
        ("a: [1, -1e999]", "a[1]: '-1e999' is not a finite number"),
        ("a: " + "9" * 5000, "is not a finite number"),
        ("? [1, 2]\n: 3\n", "cannot be a key"),
        ("&x k: 1\n*x : 2\n", "cannot be a key"),
        ("a: 'x\x00y'", "not text"),
        ("k" * 600 + ": 1", "a key on line 1 has 600 characters"),
        ("a: b: c", "the text is not YAML at line 1"),
        ("@a: 1", "'@' cannot begin a value; put it in quotes"),
        ("%FOO\n---\n%", "not YAML"),
    ],
)
def test_what_is_refused_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ScenarioError) as refusal:
        parse_yaml(text)
    assert words in str(refusal.value)


def test_all_repeated_keys_are_named_at_once() -> None:
    with pytest.raises(ScenarioError) as refusal:
        parse_yaml("a: 1\na: 2\nb: {c: 1, c: 2}\nd: .nan\n")
    assert [problem.path for problem in refusal.value.problems] == ["a", "b.c", "d"]


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    (tmp_path / "sixteen.yaml").write_bytes("name: x".encode("utf-16"))
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "large.yaml").write_bytes(b"#" * (1 << 20) + b"\n")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    for name, words in {
        "none.yaml": "there is no such file",
        ".": "this is a folder",
        "latin.yaml": "not UTF-8 text (byte 7)",
        "sixteen.yaml": "not UTF-8 text",
        "binary.yaml": "not UTF-8 text",
        "large.yaml": "larger than 1 MiB",
        "loop.yaml": "cannot be read",
        "nul\0.yaml": "its name is not a path",
        "n" * 5000: "cannot be read",
    }.items():
        with pytest.raises(ScenarioError) as refusal:
            load_scenario(tmp_path / name)
        assert words in str(refusal.value), name


def test_a_file_of_just_the_greatest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "full.yaml"
    file.write_bytes(b"#" * ((1 << 20) - 1) + b"\n")
    assert len(read_text(file)) == 1 << 20


def test_problems_have_the_lines_on_which_they_stand(tmp_path: Path) -> None:
    """A key's own line, that of its mapping where it is wanting, none where it may stand in another file."""
    file = tmp_path / "scenario.yaml"
    file.write_text("# a comment\nname: x\ndesigns:\n  a:\n    n: 10\n  b: {looks: [1,\n    2]}\n")
    lines = {
        "": None,
        "name": 2,
        "designs.a.n": 5,
        "designs.a.kind": 4,
        "designs.b.looks[1]": 7,
        "nowhere": None,
    }
    assert [each.line for each in with_lines([Problem(path, "") for path in lines], file)] == list(
        lines.values()
    )
    file.write_text("extends: other.yaml\nname: x\ndesigns:\n  a:\n    n: 10\n")
    found = with_lines([Problem("designs.a.n", ""), Problem("designs.a.kind", "")], file)
    assert [str(each) for each in found] == ["line 5, designs.a.n: ", "designs.a.kind: "]


def test_what_the_text_is_blamed_for_hides_nothing_else(tmp_path: Path) -> None:
    """A key that is written twice, a number that is not finite and a merge key stand beside all other problems."""
    file = tmp_path / "bad.yaml"
    file.write_text(
        "name: bad\narms: [a, b]\naccrual: {evenly_spaced: {over: 12 monhts}}\n"
        "endpoints:\n  e: {kind: binary, rate: .nan, readout: 1 week, effect: {b: 0.4}, effect_measure: rate}\n"
        "hypotheses: {h: {endpoint: e, arms: [b, a], analysis: score_test, direction: higher}}\ntruths: {t: {}}\n"
        "designs:\n  one: &one\n    {kind: fixed, n: 4, n: 50, allocation: simple, looks: [{when: {readouts: 4}}],\n"
        "    tests: {h: {alpha: 3}}}\n  two: {<<: *one, n: 30}\n"
    )
    with pytest.raises(ScenarioError) as refused:
        load_scenario(file)
    assert [(each.path, each.line) for each in refused.value.problems] == [
        ("accrual.evenly_spaced.over", 3),
        ("endpoints.e.rate", 5),
        ("designs.one.n", 10),
        ("designs.one.tests.h.alpha", 11),
        ("designs.two", 12),
    ]
