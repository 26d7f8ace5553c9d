"""``trialsim assurance``: the probability of success averaged over what may be true."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("assurance")(assurance_command)


def assurance_command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", metavar="SCENARIO")],
    design: Annotated[str, typer.Option(help="Design.")],
    prior: Annotated[
        list[str],
        typer.Option(
            help="Design prior of a number of the world: PATH=normal(MEAN, SD), lognormal(MEDIAN, SD), beta(A, B) or "
            "uniform(LEAST, MOST). May be repeated.",
            metavar="PATH=LAW",
        ),
    ],
    success: Annotated[str, typer.Option(help="all tests rejected, any, or the name of one.")] = "all",
    points: Annotated[int, typer.Option(help="Points of the prior.")] = 50,
    trials: Annotated[int, typer.Option(help="Trials at each point.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Average a design's probability of success over a design prior; analysis priors stay in the scenario."""
    from trialsim.cli.all_faults import Faults
    from trialsim.cli.running import LARGEST_SEED, MOST_WORKERS
    from trialsim.oc.assurance import assurance, prior_written, require_success
    from trialsim.oc.run_writer import json_text
    from trialsim.scenario.load import load_scenario

    faults = Faults()
    faults.numbers(
        {
            "--points": (points, 1, 10_000),
            "--trials": (trials, 1, 1_000_000),
            "--seed": (seed, 0, LARGEST_SEED),
            "--workers": (workers, 1, MOST_WORKERS),
        }
    )
    priors = [faults.of(prior_written, each) for each in prior]
    loaded = faults.of(load_scenario, scenario)
    chosen = None if loaded is None else faults.of(loaded.select_designs, [design])
    if loaded is not None and chosen:
        faults.of(require_success, loaded, chosen[0], success)
    faults.tell()
    assert loaded is not None
    given = [each for each in priors if each is not None]
    found = assurance(loaded, design, given, success, points, trials, seed, workers)
    if json:
        typer.echo(json_text(asdict(found)), nl=False)
        return
    typer.echo(
        f"Assurance of {design} ({success}): {found.probability:.4f} (Monte Carlo standard error {found.mcse:.4f}), over "
        f"{points} points of the prior with {trials:,} trials each."
    )
    typer.echo(f"Power at the prior mean: {found.at_mean[0]:.4f} ({found.at_mean[1]:.4f}).")
