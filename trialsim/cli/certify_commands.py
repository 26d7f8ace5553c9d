"""``trialsim certify``: what fresh null trials show of a design's error, kept beside the scenario."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trialsim.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("certify")(certify_command)


def certify_command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", metavar="SCENARIO")],
    design: Annotated[str, typer.Option(help="Design.")],
    truths: Annotated[
        str | None,
        typer.Option(
            help="Null truths, separated by commas; a grid's name stands for its cells; default all."
        ),
    ] = None,
    target: Annotated[float, typer.Option(help="Largest probability of rejecting a true null.")] = 0.025,
    replicates: Annotated[int, typer.Option(help="Trials under each truth.")] = 50_000,
    attempt: Annotated[int, typer.Option(help="Which attempt this is, from 1.")] = 1,
    attempts: Annotated[int, typer.Option(help="How many are planned; they share the level.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Count errors in trials that nothing was fitted to, and keep the certificate beside the scenario."""
    from trialsim.cli.all_faults import Faults
    from trialsim.cli.certificates import note_numbers
    from trialsim.cli.running import names_in
    from trialsim.oc.certificate import MOST_ATTEMPTS, certify, file_of, refuse_spent
    from trialsim.oc.run_writer import json_text
    from trialsim.report.whole_file import write_whole
    from trialsim.scenario.lines import told_of
    from trialsim.scenario.load import load_scenario
    from trialsim.scenario.wording import listed

    faults = Faults()
    note_numbers(faults, {"--replicates": replicates}, attempt, attempts, seed, workers, MOST_ATTEMPTS)
    faults.of(_require_probability, target)
    under = faults.of(names_in, truths, "--truths")
    loaded = faults.of(load_scenario, scenario)
    designs = None if loaded is None else faults.of(loaded.select_designs, [design])
    wanted = None if loaded is None or not under else faults.of(loaded.select_truths, under)
    faults.tell()
    assert loaded is not None and designs
    (chosen,) = designs
    path = file_of(scenario, chosen)
    refuse_spent(loaded, chosen, path, attempt, attempts)
    with told_of(scenario):
        found = certify(loaded, chosen, wanted, target, replicates, attempt, attempts, seed, workers)
    text = json_text(found.to_dict())
    write_whole(path, text.encode("utf-8"), overwrite=attempt > 1)
    if json:
        typer.echo(text, nl=False)
        return
    level = f"simultaneous upper {100 * (1 - 0.025 / attempts):g}% limit"
    for point in found.points:
        typer.echo(f"{point.truth}: {point.value:.4f}, {level} {point.upper:.4f} ({point.n:,} trials)")
    typer.echo(f"Rejecting a true null: {found.verdict}; nothing is claimed of other truths.")
    if found.left_out:
        typer.echo(
            f"Left out: {listed(found.left_out)}, null as well. A certificate counts if it leaves out none."
        )
    typer.echo(f"Certificate: {path}")


def _require_probability(target: float) -> None:
    """Refuse a target that is no probability."""
    if not 0.0 < target < 1.0:
        raise UsageError(f"--target {target:g}: a probability between 0 and 1 is expected, as 0.025")
