"""``trialsim sweep``: a measure over a parameter, and the smallest value that meets a target."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.certificates import Uncertified, sweep_without_certificates
from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.oc.sweep import Sweep


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("sweep")(sweep_command)


def sweep_command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", metavar="SCENARIO")],
    vary: Annotated[
        list[str],
        typer.Option(
            help="What varies: PATH=FROM:TO:STEP or PATH=VALUE,VALUE,... such as designs.fixed.n=300:900:50. "
            "A unit may follow the values; PATH+PATH vary together. May be given twice.",
            metavar="PATH=VALUES",
        ),
    ],
    designs: Annotated[
        str | None,
        typer.Option(help="Designs, separated by commas; default those in which something varies."),
    ] = None,
    truths: Annotated[
        str | None,
        typer.Option(help="Truths, separated by commas; a grid's name means all of it; default all."),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure to tabulate, as in `trialsim list measures`; reject:primary is that of one "
            "hypothesis. May be repeated. Default power_disjunctive."
        ),
    ] = None,
    solve: Annotated[
        str | None,
        typer.Option(
            help="Find the smallest value that lifts a measure to its target, such as power_disjunctive=0.9. "
            "Where none does, it says so and the exit code is 0 all the same.",
            metavar="MEASURE=VALUE",
        ),
    ] = None,
    replicates: Annotated[int, typer.Option(help="Trials per design, truth and point.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of every draw, the same at all points.")] = 1,
    engine: Annotated[str, typer.Option(help="fast or reference.")] = "fast",
    workers: Annotated[int, typer.Option(help="Workers; they change no number.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; default runs/<name>-sweep-<digest>-<seed>.")
    ] = None,
    uncertified: Uncertified = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Tabulate and draw measures over a number of the scenario; all points have the same patients."""
    from trialsim.cli.all_faults import Faults
    from trialsim.cli.progress_shown import progress_of
    from trialsim.cli.running import check_numbers, names_in
    from trialsim.oc.run_writer import RunWriter, json_text
    from trialsim.oc.sweep import DEFAULT_MEASURE, prepared, sweep
    from trialsim.oc.sweep_folder import Asked, folder_of, require_free, write_sweep
    from trialsim.oc.sweep_solve import parse_target
    from trialsim.oc.sweep_solve import solve as solved
    from trialsim.report.sweep_page import PICTURE_KINDS, draw_sweep, solution_sentences
    from trialsim.scenario.load import load_scenario

    faults = Faults()
    faults.of(check_numbers, replicates, seed, workers, engine)
    target = None if solve is None else faults.of(parse_target, solve)
    measures = list(measure or [])
    if target is not None:
        measures = [target[0], *(each for each in measures if each != target[0])]
    measures = measures or [DEFAULT_MEASURE]
    chosen, worlds = faults.of(names_in, designs, "--designs"), faults.of(names_in, truths, "--truths")
    loaded, meant = faults.of(load_scenario, scenario), None
    if loaded is not None:
        known = faults.of(loaded.select_designs, chosen) is not None
        there = faults.of(loaded.select_truths, worlds) is not None
        meant = faults.of(
            prepared, loaded, vary, chosen if known else None, worlds if there else None, measures
        )
    if target is not None and len(vary) != 1:
        faults.note("--solve: one number is to vary, not several; give --vary once.")
    faults.tell()
    assert meant is not None
    grid, wanted = meant
    without = sweep_without_certificates(grid, scenario, uncertified)
    asked = Asked(
        source=scenario,
        grid=grid,
        measures=tuple(each.label for each in wanted),
        solve=solve,
        replicates=replicates,
        seed=seed,
        engine=engine,
        workers=workers,
        out=out,
        uncertified=without,
    )
    folder = folder_of(asked)
    require_free(folder)
    _require_writable(folder)
    numbers = (replicates, seed, engine, workers)
    with RunWriter(folder) as writer:
        with progress_of("points", None) as show:
            if target is None:
                found = sweep(grid.scenario, grid.varied, grid.designs, grid.truths, measures, *numbers, show)
            else:
                found = solved(
                    grid.scenario,
                    grid.varied[0],
                    target[1],
                    measures[0],
                    grid.designs,
                    grid.truths,
                    *numbers,
                    progress=show,
                    others=measures[1:],
                )
        pictures = {f"sweep.{kind}": draw_sweep(found, kind) for kind in PICTURE_KINDS}
        write_sweep(writer, asked, found, solution_sentences(found), pictures)
    if json:
        typer.echo(json_text(found.document()), nl=False)
        for sentence in (*found.notes, f"Results: {folder}"):
            typer.echo(sentence, err=True)
        return
    _print(found)
    typer.echo(f"Results: {folder}")
    typer.echo(f"Picture: {folder / 'sweep.svg'}")


def _print(found: Sweep) -> None:
    from rich.console import Console

    from trialsim.report.sweep_page import solution_sentences, sweep_tables
    from trialsim.report.tables import rich_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, 140), highlight=False)
    for table in sweep_tables(found):
        console.print(rich_table(table))
    console.print(
        "Monte Carlo standard errors in parentheses; all points have the same patients.",
        soft_wrap=True,
        highlight=False,
    )
    for sentence in (*solution_sentences(found), *found.notes):
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)


def _require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made where it shall lie, before anything is simulated."""
    above = folder.resolve()
    while not above.exists():
        above = above.parent
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: cannot be written ({above} does not allow it); name another with --out.")
