"""The address of a fit whose draws are its own: the run's seed, the replicate and the look."""

from __future__ import annotations

from dataclasses import dataclass

from trialsim.draws import Purpose, name_address, word

_FIRST_DRAW = 16
_PER_LOOK = 8


@dataclass(frozen=True)
class Key:
    """The address of a fit: the run's seed, the global number of the replicate, the look from 0."""

    seed: int
    replicate: int
    look: int = 0

    def bits(self, name: str, attempt: int) -> int:
        """Return the 64 random bits of an attempt at fitting a named model."""
        draw = _FIRST_DRAW + _PER_LOOK * self.look + attempt
        return int(word(self.seed, self.replicate, name_address(name), int(Purpose.SAMPLER), draw))

    def sampler_seed(self, name: str, attempt: int) -> int:
        """Return the seed of an attempt at fitting a named model."""
        return self.bits(name, attempt) >> 33
