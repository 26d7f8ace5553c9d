"""Numbers, lists of numbers and pairs of numbers as they are written after an option."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.designs.boundary_request import Parameter


def _number(option: str, text: str) -> float:
    """Return a number or a ratio of two, such as 1/3."""
    try:
        return float(text) if "/" not in text else float(Fraction(text.replace(" ", "")))
    except (ValueError, ArithmeticError):
        raise UsageError(
            f"{option}: {text.strip()!r} is not a number; write numbers such as 0.5 or 1/3, separated by commas."
        ) from None


def numbers_written(option: str, text: str) -> list[float]:
    """Return the numbers of a list separated by commas."""
    return [_number(option, part) for part in text.split(",")]


def parameter_written(option: str, text: str | None) -> Parameter:
    """Return a parameter as Python takes it: a number, several, or pairs."""
    if text is None:
        return None
    if ":" in text:
        pairs = [part.split(":") for part in text.split(",")]
        if any(len(pair) != 2 for pair in pairs):
            raise UsageError(
                f"{option}: {text!r} mixes pairs and numbers; write pairs such as 0.5:0.2,0.8:0.6."
            )
        return [(_number(option, at), _number(option, share)) for at, share in pairs]
    numbers = numbers_written(option, text)
    return numbers[0] if len(numbers) == 1 else numbers
