"""The words of sentences about what cannot be used: what was found, what is allowed, what was meant."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

MOST_COMPARED = 300


def refuse(sentence: str) -> PydanticCustomError:
    """Return the error by which a validator refuses a value with a sentence of our own."""
    return PydanticCustomError("trialsim", "{sentence}", {"sentence": sentence})


def shown(value: Any) -> str:
    """Return a value as a person would point at it in a sentence, cut short where it is long."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, int):
        return str(value) if -(10**18) < value < 10**18 else "a whole number of more than 18 digits"
    if isinstance(value, str):
        return f"'{printable(value)}'"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list"


def printable(text: str, most: int = 60) -> str:
    """Return text on one line, cut short where it is long, without characters that a terminal might obey."""
    text = text if len(text) <= most else f"{text[: most - 3]}..."
    return "".join(character if character.isprintable() else "?" for character in text)


def closest(word: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed word that was probably meant, or None where none is close."""
    close = difflib.get_close_matches(
        word[:100], list(itertools.islice(allowed, MOST_COMPARED)), n=1, cutoff=0.6
    )
    return close[0] if close else None


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` when one of the allowed words is close, otherwise an empty string."""
    close = closest(word, allowed)
    return "" if close is None else f" Did you mean '{printable(close)}'?"


def listed(words: Iterable[str], most: int = 20) -> str:
    """Return words as a readable list, cut short after ``most`` of them."""
    words = list(words)
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(printable(word) for word in words[:most]) + more if words else "none"


def unknown(what: str, word: object, allowed: Iterable[str]) -> str:
    """Return the sentence for a name that is not one of those allowed."""
    allowed = list(dict.fromkeys(allowed))
    hint = did_you_mean(word, allowed) if isinstance(word, str) else ""
    return f"{what} {shown(word)} is unknown; allowed: {listed(allowed)}.{hint}"
