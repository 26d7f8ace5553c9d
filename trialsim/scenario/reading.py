"""From YAML text to plain data, by the rules of YAML 1.2 and with limits that no file can exceed.

The file is read as a stream of events, so that nothing is built before it has been checked: depth, size,
aliases, tags and repeated keys are refused with a sentence. Keys are always text, so that ``no``, ``on`` and
``null`` may be names; as values ``no`` and ``12:30`` are text too, ``null`` is nothing, ``1e3`` is a number.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trialsim.errors import Problem, ScenarioError
from trialsim.scenario.wording import printable, shown

MOST_BYTES = 1 << 20
MOST_NODES = 200_000
MOST_DEPTH = 40

_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)\Z")
_NOT_A_NUMBER = (".nan", ".NaN", ".NAN")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: truth for truth in (True, False) for word in (str(truth), str(truth).lower(), str(truth).upper())
}
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Open:
    """A list or mapping whose end has not been read yet."""

    value: list[Any] | dict[str, Any]
    path: str
    anchor: str | None
    nodes_before: int
    key: str | None = None
    merges: bool = False
    height: int = 0
    lines: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Anchored:
    """A value that aliases may stand for, with its size and its levels of nesting."""

    value: Any
    nodes: int
    height: int


def read_text(path: Path, kind: str = "scenario") -> str:
    """Return the text of a scenario file, or of a file like it.

    Parameters
    ----------
    path
        The file.
    kind
        What it holds, for sentences.

    Raises
    ------
    ScenarioError
        Where there is no such file, or it is too large, or not text.
    """
    source = str(path)

    def refused(sentence: str) -> ScenarioError:
        return ScenarioError([Problem("", sentence)], source)

    try:
        if path.is_dir():
            raise refused(f"this is a folder; name a {kind} file in it")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else _reason(error)
        raise refused(f"the file cannot be read: {reason}") from None
    if len(data) > MOST_BYTES:
        raise refused(f"the file is larger than 1 MiB; a {kind} is a short text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refused(f"the file is not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from None


def _reason(error: Exception) -> str:
    """Return the system's words for why a file cannot be read."""
    words = error.strerror if isinstance(error, OSError) else None
    return (words or "its name is not a path").lower()


def parse_yaml(text: str, source: str = "", problems: list[Problem] | None = None) -> Any:
    """Return the plain data of one YAML document.

    Parameters
    ----------
    text
        The document.
    source
        Where it comes from, for the message.
    problems
        Where given, problems that leave something to go on with are appended here: a key that is written twice, a number
        that is not finite, a merge key.

    Raises
    ------
    ScenarioError
        With all problems of the text; a syntax error ends the search.
    """
    reader = _read(text, source, problems is not None)
    if problems is not None:
        problems += reader.problems
    return reader.root


def lines_of(text: str) -> dict[str, int]:
    """Return the line, from 1, of each key and each item of a list by its path, of a text that can be read."""
    return _read(text, "", go_on=True).lines


def _read(text: str, source: str, go_on: bool = False) -> _Reader:
    """Return the reader of one YAML document after its end; ``go_on`` where some problems do not end it."""
    reader, ended = _Reader(), False
    try:
        parser = _PARSER(text)
        try:
            while parser.check_event():
                reader.take(parser.get_event())
        finally:
            parser.dispose()
    except _Refused as refusal:
        reader.problems.append(refusal.problem)
        ended = True
    except yaml.YAMLError as error:
        reader.problems.append(Problem("", _syntax(error, text)))
        ended = True
    except (ValueError, RecursionError):
        reader.problems.append(Problem("", "the text cannot be read as YAML"))
        ended = True
    if not reader.problems and not reader.documents:
        reader.problems.append(Problem("", "the file is empty; trialsim init writes a commented start"))
        ended = True
    if ended or (reader.problems and not go_on):
        raise ScenarioError(reader.problems, source)
    return reader


def _syntax(error: yaml.YAMLError, text: str) -> str:
    """Return a syntax error as a sentence with its line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return "the text is not YAML: it holds characters that are not text"
    lines = text.split("\n")
    where = f"the text is not YAML at line {mark.line + 1}, column {mark.column + 1}"
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"{where}: a tab stands where YAML expects spaces; indent with spaces"
    if not any(rest.strip() for rest in [line[mark.column :], *lines[mark.line + 1 :]]):
        return f"{where}: the text ends too early; a bracket or a quote is not closed"
    problem = getattr(error, "problem", None) or "it cannot be read"
    if "cannot start any token" in problem:
        return f"{where}: {shown(line[mark.column : mark.column + 1])} cannot begin a value; put it in quotes"
    return f"{where}: {problem}; check indentation, quotes and brackets"


def _line(event: yaml.Event) -> int:
    """Return the line on which an event begins, from 1."""
    return event.start_mark.line + 1 if event.start_mark is not None else 1


class _Refused(Exception):
    """A problem that ends the reading."""

    def __init__(self, path: str, sentence: str) -> None:
        self.problem = Problem(path, sentence)
        super().__init__(sentence)


class _Reader:
    """Builds plain data from events."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.root: Any = None
        self.documents = 0
        self.nodes = 0
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchored | None] = {}
        self.lines: dict[str, int] = {}

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _Refused("", "the file holds several YAML documents (---); a scenario is one document")

    def _here(self) -> str:
        """Return the path of the node that comes next."""
        if not self.stack:
            return ""
        top = self.stack[-1]
        if isinstance(top.value, list):
            return f"{top.path}[{len(top.value)}]"
        key = printable(str(top.key))
        return f"{top.path}.{key}" if top.path else key

    def _note_line(self, event: Any) -> None:
        """Note where an item of a list stands."""
        if self.stack and isinstance(self.stack[-1].value, list):
            self.lines.setdefault(self._here(), _line(event))

    def _awaits_key(self) -> bool:
        """Return whether the next node is the key of a mapping."""
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def _count(self, nodes: int) -> None:
        """Count nodes, those that aliases stand for included."""
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            raise _Refused("", f"the file holds more than {MOST_NODES:,} values (aliases counted in full)")

    def _key(self, event: yaml.ScalarEvent) -> None:
        """Take a scalar as a key; keys are text whatever they look like."""
        top, key = self.stack[-1], event.value
        line = _line(event)
        path = f"{top.path}.{printable(key)}" if top.path else printable(key)
        if key == "<<" and event.implicit[0]:
            top.merges = True
            self.problems.append(
                Problem(top.path, f"merge keys (<<, line {line}) are not read; use extends, or write out")
            )
        elif key in top.lines:
            self.problems.append(
                Problem(path, f"is written twice (lines {top.lines[key]} and {line}); keep one")
            )
        top.lines[key] = line
        top.key = key
        self.lines.setdefault(path, line)
        if len(key) > 500:
            raise _Refused(top.path, f"a key on line {line} has {len(key)} characters")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        """Take a scalar as a key or as a value."""
        self._count(1)
        if self._awaits_key():
            self._check_tag(event)
            self._key(event)
            return
        self._check_tag(event)
        self._note_line(event)
        value = self._plain(event.value) if event.implicit[0] else event.value
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(value, nodes=1, height=0)
        self._put(value)

    def _check_tag(self, event: Any) -> None:
        """Refuse tags other than ``!!str``."""
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            line = _line(event)
            raise _Refused(
                self._here(), f"the tag {shown(event.tag)} (line {line}) is not read; write the value alone"
            )

    def _plain(self, text: str) -> Any:
        """Return the value of an unquoted scalar."""
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.match(text):
            return int(text) if len(text) <= 300 else self._refused_number(text)
        if _FLOAT.match(text):
            number = float(text)
            return number if math.isfinite(number) else self._refused_number(text)
        infinite = _INFINITE.match(text)
        if infinite:
            return -math.inf if infinite[1] == "-" else math.inf
        return self._refused_number(text) if text in _NOT_A_NUMBER else text

    def _refused_number(self, text: str) -> float:
        """Note a number that is not finite."""
        self.problems.append(Problem(self._here(), f"{shown(text)} is not a finite number"))
        return 0.0

    def _alias(self, event: yaml.AliasEvent) -> None:
        """Take the value that an alias stands for."""
        name, line = str(event.anchor), _line(event)
        if self._awaits_key():
            raise _Refused(self._here(), f"an alias (*{name}, line {line}) cannot be a key")
        if name not in self.anchors:
            raise _Refused(self._here(), f"the alias *{name} (line {line}) names nothing before it")
        anchored = self.anchors[name]
        if anchored is None:
            raise _Refused(self._here(), f"the alias *{name} (line {line}) stands inside what it names")
        self._count(anchored.nodes)
        self._check_depth(anchored.height, line)
        self._put(anchored.value, anchored.height)

    def _check_depth(self, height: int, line: int) -> None:
        """Refuse a value of some height where it would be nested too deeply."""
        if len(self.stack) + height > MOST_DEPTH:
            raise _Refused("", f"the file is nested more than {MOST_DEPTH} levels deep (line {line})")

    def _start(self, event: Any) -> None:
        """Open a list or a mapping."""
        self._count(1)
        if self._awaits_key():
            raise _Refused(self.stack[-1].path, f"a list or mapping cannot be a key (line {_line(event)})")
        self._check_depth(1, _line(event))
        if event.tag not in (None, "!"):
            self._check_tag(event)
            raise _Refused(self._here(), f"the tag !!str (line {_line(event)}) stands before a collection")
        self._note_line(event)
        value: list[Any] | dict[str, Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.stack.append(_Open(value, self._here(), event.anchor, self.nodes - 1))
        if event.anchor:
            self.anchors[event.anchor] = None

    def _end(self) -> None:
        """Close the innermost list or mapping."""
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = _Anchored(done.value, self.nodes - done.nodes_before, done.height + 1)
        self._put(done.value, done.height + 1)

    def _put(self, value: Any, height: int = 0) -> None:
        """Put a finished value, with its levels of nesting, in its place."""
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        top.height = max(top.height, height)
        if isinstance(top.value, list):
            top.value.append(value)
        else:
            if not top.merges:
                top.value[str(top.key)] = value
            top.key, top.merges = None, False
