"""Memory in which workers hand their records over to the process that forked them.

Through a pipe records go in pieces of 64 KB, for each of which the two sides wait for each other and take turns on a
core; in memory that both see they are copied once by each. Only what says how they lie goes through the pipe.
"""

from __future__ import annotations

import mmap
import pickle
import sys
from contextlib import suppress
from dataclasses import dataclass

from trialsim.engines.records import Columns

PLACE_BYTES = 32 << 20
"""Room of one place; only what is ever written in it takes memory."""
_ALIGNED = 64


@dataclass(frozen=True)
class Laid:
    """How the records of a task lie in their place.

    Parameters
    ----------
    outline
        Tables, columns and their types.
    sizes
        Bytes of each column, in the order in which they lie.
    """

    outline: bytes
    sizes: tuple[int, ...]


class SharedRecords:
    """Places for the records of so many tasks at a time.

    A place belongs to one task from when it is given out until its records are taken.

    Parameters
    ----------
    places
        How many.
    place_bytes
        Room of each.
    """

    def __init__(self, places: int, place_bytes: int = PLACE_BYTES) -> None:
        self._place_bytes = place_bytes
        self._memory = mmap.mmap(-1, places * place_bytes)

    def lay(self, place: int, tables: dict[str, Columns]) -> Laid | dict[str, Columns]:
        """Put records in their place and tell how they lie there; they come back as they are where it is too small."""
        buffers: list[pickle.PickleBuffer] = []
        outline = pickle.dumps(tables, protocol=5, buffer_callback=buffers.append)
        parts = [buffer.raw() for buffer in buffers]
        if sum(_room(part.nbytes) for part in parts) > self._place_bytes:
            return tables
        start = place * self._place_bytes
        for part in parts:
            self._memory[start : start + part.nbytes] = part
            start += _room(part.nbytes)
        return Laid(outline, tuple(part.nbytes for part in parts))

    def take(self, place: int, laid: Laid) -> dict[str, Columns]:
        """Return a copy of the records in a place, which is free from now on."""
        start, parts = place * self._place_bytes, []
        with memoryview(self._memory) as memory:
            for size in laid.sizes:
                parts.append(bytearray(memory[start : start + size]))
                start += _room(size)
        tables: dict[str, Columns] = pickle.loads(laid.outline, buffers=parts)
        return tables

    def close(self) -> None:
        """Give the memory back; what was taken stays."""
        with suppress(BufferError):  # an interrupt came while a part was being copied
            self._memory.close()


def shared_records(places: int) -> SharedRecords | None:
    """Return places that workers who are forked from now on share; None where the system has none to give."""
    if sys.platform != "linux":  # others start workers anew
        return None
    try:
        return SharedRecords(places)
    except (OSError, ValueError, OverflowError):
        return None


def _room(size: int) -> int:
    """Return the bytes that a column takes with what keeps the next one aligned."""
    return -(-size // _ALIGNED) * _ALIGNED
