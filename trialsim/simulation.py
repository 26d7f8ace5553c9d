"""Simulate in Python: one call, and its results as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from trialsim.errors import UsageError, names_given
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.in_memory import Collected, collect
from trialsim.oc.run_folder import planned_looks
from trialsim.scenario.load import load_scenario
from trialsim.scenario.schema import Scenario
from trialsim.scenario.units import parse_duration

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.report.story import Story

Row = dict[str, str | int | float | None]


@dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """Simulated trials of several designs under several truths.

    Parameters
    ----------
    scenario
        What was simulated.
    designs, truths
        Names, in the order of the results.
    replicates
        Trials of each design under each truth.
    seed
        Seed of every draw.
    engine
        The engine that ran.
    records
        The trials as Arrow tables.
    """

    scenario: Scenario
    designs: tuple[str, ...]
    truths: tuple[str, ...]
    replicates: int
    seed: int
    engine: str
    records: Collected

    def __repr__(self) -> str:
        return (
            f"Simulation({self.scenario.name}: designs {', '.join(self.designs)}; "
            f"truths {', '.join(self.truths)}; {self.replicates:,} replicates, seed {self.seed})"
        )

    @cached_property
    def characteristics(self) -> OperatingCharacteristics:
        """The operating characteristics, as the reports use them."""
        return self._characteristics(())

    def operating_characteristics(self, finished_by: str | Sequence[str] = ()) -> pd.DataFrame:
        """Return every measure of every design under every truth with its Monte Carlo error, a row each.

        Parameters
        ----------
        finished_by
            Times such as ``"18 months"``: adds how likely a trial is finished by each.

        Raises
        ------
        UsageError
            If one is not a duration.
        """
        if not finished_by:
            return self.characteristics.to_frame()
        dates = [finished_by] if isinstance(finished_by, str) else finished_by
        try:
            days = [parse_duration(date) for date in dates]
        except ValueError as error:
            raise UsageError(f"finished_by: {error}.") from None
        return self._characteristics(days).to_frame()

    def measures(self) -> list[Row]:
        """Return the measures as ``trialsim run --json`` prints them."""
        return self.characteristics.measures()

    def comparisons(self) -> list[Row]:
        """Return each design minus the first, paired by replicate, as ``trialsim run --json`` prints them."""
        return self.characteristics.comparisons()

    def trials(self) -> pd.DataFrame:
        """Return a row per design, truth and replicate; times in days."""
        return _frame(self.records.trials)

    def looks(self) -> pd.DataFrame:
        """Return a row per look taken and hypothesis tested; times in days."""
        return _frame(self.records.looks)

    def arms(self) -> pd.DataFrame:
        """Return a row per design, truth, replicate and arm."""
        return _frame(self.records.arms)

    def sites(self) -> pd.DataFrame:
        """Return a row per design, truth, replicate and site; empty where the scenario has no sites."""
        return _frame(self.records.sites)

    def enrolment(self) -> pd.DataFrame:
        """Return patients over time, a row per design, truth, group of sites and time; empty where there are no sites.

        The group is empty for all sites together; times are in days.
        """
        return _frame(self.records.enrolment)

    def adverse_events(self) -> pd.DataFrame:
        """Return adverse events over time, empty where there are none; times are in days since randomisation.

        A row per design, truth, group of trials, arm, term and period: events, serious ones and patient-days at risk.
        """
        return _frame(self.records.adverse_events)

    def decisions(self) -> pd.DataFrame:
        """Return a row per look of designs with decision rules: what was weighed and which rule decided; else empty."""
        return _frame(self.records.decisions)

    def cells(self) -> pd.DataFrame:
        """Return what is true: a row per design, truth and hypothesis, with estimand and true value."""
        return _frame(self.records.cells)

    def explain(self, design: str, truth: str, replicate: int, against: str | None = None) -> Story:
        """Replay one of the trials and tell it.

        Parameters
        ----------
        design, truth
            Names in the scenario.
        replicate
            Number of the trial, from 0, as in the tables.
        against
            Another design, to see the same patients under.

        Returns
        -------
        Story
            With ``.text()``, ``.events``, ``.patients`` and ``.picture(path)``.

        Raises
        ------
        UsageError
            If a name or a number cannot be used.
        """
        from trialsim.report.story import explain

        return explain(self.scenario, design, truth, replicate, self.seed, against)

    def _characteristics(self, finished_by: Sequence[float]) -> OperatingCharacteristics:
        looks = planned_looks(self.scenario.dump())
        return operating_characteristics(self.records, finished_by=finished_by, planned_looks=looks)


def simulate(
    scenario: Scenario | str | PathLike[str],
    designs: str | Sequence[str] | None = None,
    truths: str | Sequence[str] | None = None,
    replicates: int = 10_000,
    seed: int = 1,
    engine: str = "fast",
    workers: int = 1,
) -> Simulation:
    """Simulate trials of the designs under the truths.

    Parameters
    ----------
    scenario
        A loaded scenario, or the path of its file.
    designs, truths
        Names; a grid's name stands for all its truths. By default all.
    replicates
        Trials of each design under each truth.
    seed
        Seed of every draw: the same seed gives the same patients to every design.
    engine
        ``fast`` or ``reference``; it changes no number.
    workers
        Processes; they change no number.

    Returns
    -------
    Simulation
        Its results as tables.

    Raises
    ------
    ScenarioError
        If the file is no scenario, with every problem found in it.
    UsageError
        If a name or a number cannot be used.

    Examples
    --------
    >>> import trialsim
    >>> from trialsim.scenario.load import scenario_from_text
    >>> scenario = scenario_from_text('''
    ... name: example
    ... accrual: {evenly_spaced: {rate: 10 per month}}
    ... arms: [control, treatment]
    ... endpoints:
    ...   response: {kind: binary, readout: 4 weeks, rate: 0.3, effect: {treatment: 0.6},
    ...              effect_measure: rate}
    ... hypotheses:
    ...   primary: {endpoint: response, arms: [treatment, control], analysis: score_test, direction: higher,
    ...             strategy: treatment_policy}
    ... truths: {hoped_for: {}, no_effect: {endpoints.response.effect.treatment: 0.3}}
    ... designs:
    ...   fixed: {kind: fixed, n: 80, allocation: alternating, looks: [{when: {readouts: 80}}],
    ...           tests: {primary: {alpha: 0.025}}}
    ... ''')
    >>> simulation = trialsim.simulate(scenario, replicates=400, seed=1)
    >>> simulation
    Simulation(example: designs fixed; truths hoped_for, no_effect; 400 replicates, seed 1)
    >>> len(simulation.trials())
    800
    >>> table = simulation.operating_characteristics().query("name == 'reject'")
    >>> table[["truth", "value", "mcse"]].round(2)
           truth  value  mcse
    ...
    """
    loaded = scenario if isinstance(scenario, Scenario) else load_scenario(Path(scenario))
    chosen = loaded.select_designs(names_given("designs", designs))
    worlds = loaded.select_truths(names_given("truths", truths))
    records = collect(loaded, chosen, worlds, replicates, seed, engine, workers)
    return Simulation(loaded, chosen, worlds, replicates, seed, engine, records)


def _frame(table: pa.Table | None) -> pd.DataFrame:
    """Return a table for pandas, its names as categories; an empty one where the records have none."""
    if table is None:
        table = pa.table({})
    names = [field.name for field in table.schema if pa.types.is_string(field.type)]
    frame: pd.DataFrame = table.to_pandas(categories=names)
    return frame
