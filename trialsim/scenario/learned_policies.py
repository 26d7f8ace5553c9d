"""Parameters of policies that were trained: files, and the digests that pin them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, model_validator

from trialsim.scenario.site_policies import OpenSites
from trialsim.scenario.values import Model, NumberAtom, Text
from trialsim.scenario.wording import refuse, shown


def _is_digest(value: str) -> str:
    """Refuse what is no SHA-256."""
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise refuse(
            f"{shown(value)} is no SHA-256; `trialsim train` prints the 64 characters of a checkpoint's"
        )
    return value


class Learned(Model):
    """A model in a file beside the scenario, pinned by the SHA-256 of its bytes."""

    checkpoint: Text
    digest: Annotated[str, AfterValidator(_is_digest)]


class LearnedSites(OpenSites):
    """How many sites are opened, and a model in a file beside the scenario, pinned by the SHA-256 of its bytes."""

    checkpoint: Text
    digest: Annotated[str, AfterValidator(_is_digest)]


class Relearned(Model):
    """A logistic regression that learns from the trial's own screenings, from zero or from a model in a file."""

    prior_sd: Annotated[float, NumberAtom(least=0.001, most=100)] = 1.0
    checkpoint: Text | None = None
    digest: Annotated[str, AfterValidator(_is_digest)] | None = None

    @model_validator(mode="after")
    def _has_both(self) -> Relearned:
        """Refuse a checkpoint without its digest, and the other way round."""
        if (self.checkpoint is None) != (self.digest is None):
            raise refuse("checkpoint and digest belong together: the file, and the SHA-256 of its bytes")
        return self
