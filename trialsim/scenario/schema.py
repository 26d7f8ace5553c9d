"""The scenario: one frozen model of a world, what is asked of it, and the designs that ask."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, field_validator, model_validator

from trialsim.errors import UsageError
from trialsim.scenario.accrual import Accrual
from trialsim.scenario.completion import completed
from trialsim.scenario.costs import Costs
from trialsim.scenario.design import Design
from trialsim.scenario.endpoints import Dropout, Endpoint
from trialsim.scenario.hypotheses import Hypothesis
from trialsim.scenario.life import Departure, Reasons, Terms, Treatment
from trialsim.scenario.population import Population
from trialsim.scenario.screening import Screening
from trialsim.scenario.table import Table
from trialsim.scenario.truths import Overlay, TruthName, apply_overlay, select
from trialsim.scenario.units import PositiveDuration
from trialsim.scenario.values import Label, Model, Name, Text
from trialsim.scenario.visits import Visits

DEFAULT_HORIZON = 50 * 365.25
MOST_ARMS = 20
MOST_TRUTHS = 10_000


class World(Model):
    """What a truth may change: the patients, how they come, what happens to them."""

    population: Population = Population()
    accrual: Accrual
    endpoints: Annotated[dict[Name, Endpoint], Field(min_length=1, max_length=50)]
    dropout: Dropout | None = None
    screening: Screening | None = None
    costs: Costs | None = None
    treatment: Treatment | None = None
    discontinuation: Reasons | None = None
    withdrawal: Departure | None = None
    adverse_events: Terms | None = None
    visits: Visits | None = None


class Scenario(Model):
    """A scenario with every quantity in days or per day, ``extends`` merged and grids of truths expanded."""

    name: Name
    source: Text | None = None
    description: Text | None = None
    assumed: dict[Label, Text] = {}
    horizon: PositiveDuration = DEFAULT_HORIZON
    population: Population = Population()
    accrual: Accrual
    arms: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_ARMS)]
    endpoints: Annotated[dict[Name, Endpoint], Field(min_length=1, max_length=50)]
    dropout: Dropout | None = None
    screening: Screening | None = None
    costs: Costs | None = None
    treatment: Treatment | None = None
    discontinuation: Reasons | None = None
    withdrawal: Departure | None = None
    adverse_events: Terms | None = None
    visits: Visits | None = None
    hypotheses: Annotated[dict[Name, Hypothesis], Field(min_length=1, max_length=50)]
    truths: Annotated[dict[TruthName, Overlay], Field(min_length=1, max_length=MOST_TRUTHS)]
    designs: Annotated[dict[Name, Design], Field(min_length=1, max_length=100)]

    _folder: Path | None = PrivateAttr(default=None)
    _table: Table | None = PrivateAttr(default=None)

    @field_validator("endpoints")
    @classmethod
    def _in_order(cls, endpoints: dict[str, Any]) -> dict[str, Any]:
        """Keep endpoints sorted, so that the order in which they are written moves no outcome."""
        return dict(sorted(endpoints.items()))

    @model_validator(mode="after")
    def _completed(self) -> Scenario:
        """Settle what the designs leave unsaid."""
        designs = {
            name: completed(design, self.arms, self.hypotheses, self.endpoints)
            for name, design in self.designs.items()
        }
        object.__setattr__(self, "designs", designs)
        return self

    @property
    def folder(self) -> Path | None:
        """The folder of the scenario's files, where it was read from one; not part of its identity."""
        return self._folder

    @property
    def table(self) -> Table | None:
        """The patients that are drawn with replacement, where there are any."""
        return self._table

    def located(self, folder: Path | None, table: Table | None = None) -> Scenario:
        """Return the same scenario with the folder of its files and its table of patients."""
        copy = self.model_copy()
        copy._folder = folder
        copy._table = table
        return copy

    def dump(self) -> dict[str, Any]:
        """Return the canonical written form: durations in days, rates per day, defaults filled in.

        It is plain data that reads back to an equal scenario with the same digest.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def dump_world(self) -> dict[str, Any]:
        """Return the canonical written form of what a truth may change."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, include=set(World.model_fields))

    def digest(self) -> str:
        """Return the identity of the scenario: SHA-256 of its canonical form and of the table it resamples.

        The order of keys is no part of it, but for one thing that the order decides: whose events a design's
        records count, which is the endpoint of the design's first test.
        """
        primary = {
            name: self.hypotheses[next(iter(design.tests))].endpoint for name, design in self.designs.items()
        }
        table = self._table.digest if self._table is not None else None
        whole = {"scenario": self.dump(), "primary": primary, "table": table}
        text = json.dumps(whole, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        """Return whether two scenarios are the same in all that moves a number, wherever their files lie."""
        return self.digest() == other.digest() if isinstance(other, Scenario) else NotImplemented

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash(self.digest())

    def world(self, truth: str) -> Scenario:
        """Return the scenario with the overlay of one truth applied.

        Raises
        ------
        UsageError
            Where there is no such truth, or several.
        """
        if truth not in self.truths:
            cells = self.select_truths([truth])
            raise UsageError(f"{truth} is a grid of truths; name one of them, such as {cells[0]}.")
        overlay = self.truths[truth]
        if not overlay:
            return self
        world = World.model_validate(apply_overlay(self.dump_world(), overlay))
        return self.model_copy(update=dict(world))

    def select_truths(self, names: list[str] | tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return the truths asked for, in the order asked for; a grid's name stands for all its cells.

        Raises
        ------
        UsageError
            Where there is no such truth.
        """
        return select("truth", names, tuple(self.truths), families=True)

    def select_designs(self, names: list[str] | tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return the designs asked for, in the order asked for.

        Raises
        ------
        UsageError
            Where there is no such design.
        """
        return select("design", names, tuple(self.designs), families=False)
