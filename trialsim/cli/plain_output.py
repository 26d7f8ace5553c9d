"""Output in any encoding: quotes and dashes that it lacks become those of ASCII, other characters a question mark."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TextIO

_NAME = "trialsim.plain"

_PLAIN = {
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "–": "-",
    "—": "-",
    "−": "-",
    "‐": "-",
    "·": "|",
    "×": "x",
    "…": "...",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "•": "*",
}


def write_what_can_be_written(stream: TextIO | None) -> None:
    """Let a stream write plain characters for those that its encoding does not have.

    Parameters
    ----------
    stream
        Such as stdout; one that was closed before the start is None, and one that is no text stream is left alone.
    """
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        codecs.register_error(_NAME, _in_plain_characters)
        reconfigure(errors=_NAME)


def _in_plain_characters(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the characters that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    """Return a character in ASCII: without its accent, or a question mark."""
    if character in _PLAIN:
        return _PLAIN[character]
    without = "".join(each for each in unicodedata.normalize("NFKD", character) if each.isascii())
    return without or "?"
