"""``trialsim check``, ``schema`` and ``init``: the scenario language on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import Problem, ScenarioError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from trialsim.scenario.schema import Scenario

MOST_SHOWN = 100


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(check)
    app.command()(schema)
    app.command()(init)


def check(
    files: Annotated[list[Path], typer.Argument(help="Scenario files (YAML).", metavar="FILE...")],
    effects: Annotated[
        bool, typer.Option("--effects", help="Print every effect as conditional and as marginal.")
    ] = False,
    truths: Annotated[
        str | None, typer.Option(help="With --effects: truths, separated by commas; default all.")
    ] = None,
) -> None:
    """Check scenario files, and show every problem at once."""
    from rich.console import Console

    from trialsim.report.computed_design import computed_sentences
    from trialsim.scenario.advice import notes
    from trialsim.scenario.load import load_scenario

    good, bad = Console(highlight=False), Console(stderr=True, highlight=False)
    failed = False
    for file in files:
        try:
            scenario = load_scenario(file, _unattainable)
        except ScenarioError as error:
            failed = True
            _print_problems(bad, file, error.problems)
        else:
            if not _are_there(bad, file, scenario, truths):
                failed = True
                continue
            good.print(f"{file}: {_summary(scenario)}", style="green", markup=False, soft_wrap=True)
            for sentence in computed_sentences(scenario):
                good.print(f"  {sentence}", markup=False, soft_wrap=True)
            for sentence in notes(scenario.dump()):
                good.print(f"  note: {sentence}", style="yellow", markup=False, soft_wrap=True)
            if effects:
                failed = not _print_effects(good, bad, file, scenario, truths) or failed
    if failed:
        raise typer.Exit(2)


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors that complete and check while one types."""
    import json

    from trialsim.scenario.json_schema import scenario_json_schema

    typer.echo(json.dumps(scenario_json_schema(), indent=2, ensure_ascii=False))


def init(
    name: Annotated[
        str, typer.Argument(help="Name of the new scenario; NAME.yaml is written here.", metavar="NAME")
    ],
) -> None:
    """Write a commented scenario to start from; an existing file is left alone."""
    from rich.console import Console

    from trialsim.scenario.starter import write_starter

    try:
        path = write_starter(name, Path())
    except UsageError as error:
        Console(stderr=True, highlight=False).print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    typer.echo(f"{path} is written. Change it, then: trialsim check {path}")


def _unattainable(scenario: Scenario, truths: Sequence[str]) -> Iterable[Problem]:
    """Return the marginal hazard ratios that cannot be had under some truths of a scenario."""
    from trialsim.scenario.endpoints import has_marginal_ratios

    if not any(map(has_marginal_ratios, scenario.endpoints.values())):
        return ()
    from trialsim.engines.unattainable import unattainable_ratios

    return unattainable_ratios(scenario, truths)


def _are_there(console: Console, file: Path, scenario: Scenario, truths: str | None) -> bool:
    """Print truths that were named and are not in a scenario; return whether all are."""
    from trialsim.cli.running import names_in

    try:
        scenario.select_truths(names_in(truths, "--truths"))
    except UsageError as error:
        console.print(f"{file}: --truths: {error}", style="bold red", markup=False, soft_wrap=True)
        return False
    return True


def _print_effects(good: Console, bad: Console, file: Path, scenario: Scenario, truths: str | None) -> bool:
    """Print the effects of the truths asked for; return whether they could be worked out."""
    from trialsim.cli.running import names_in
    from trialsim.engines.effects import effects
    from trialsim.report.effects_table import EXPLANATION, effects_tables
    from trialsim.report.tables import rich_table
    from trialsim.scenario.lines import told_of

    try:
        with told_of(file):
            found = effects(scenario, scenario.select_truths(names_in(truths, "--truths")))
    except ScenarioError as error:
        _print_problems(bad, file, error.problems)
        return False
    for table in effects_tables(found):
        good.print(rich_table(table))
    good.print(EXPLANATION, markup=False)
    return True


def _print_problems(console: Console, file: Path, problems: list[Problem]) -> None:
    """Print the problems of one file, the first hundred in full."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    console.print(f"{file}: {count}", style="bold red", markup=False, soft_wrap=True)
    for problem in problems[:MOST_SHOWN]:
        console.print(f"  {problem}", markup=False, soft_wrap=True)
    if len(problems) > MOST_SHOWN:
        console.print(f"  and {len(problems) - MOST_SHOWN} more", soft_wrap=True)


def _summary(scenario: Scenario) -> str:
    """Return what a good scenario holds, and its identity."""
    counts = {
        "arm": len(scenario.arms),
        "endpoint": len(scenario.endpoints),
        "hypothesis": len(scenario.hypotheses),
        "truth": len(scenario.truths),
        "design": len(scenario.designs),
    }
    words = [f"{count} {_plural(word) if count != 1 else word}" for word, count in counts.items()]
    return f"good ({', '.join(words)}; digest {scenario.digest()})"


def _plural(word: str) -> str:
    """Return the plural of one of the words counted."""
    return "hypotheses" if word == "hypothesis" else f"{word}s"
