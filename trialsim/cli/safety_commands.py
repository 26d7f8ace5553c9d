"""``trialsim safety``: the table of a Bayesian rule that stops for too many adverse events."""

from __future__ import annotations

from typing import Annotated

import typer

from trialsim.errors import UsageError

MOST_PATIENTS = 10_000


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("safety")(safety_command)


def safety_command(
    limit: Annotated[float, typer.Option(help="Largest acceptable rate of the adverse event.")],
    patients: Annotated[int, typer.Option(help="Most patients treated.")],
    threshold: Annotated[float, typer.Option(help="Stop where P(rate > limit) exceeds it.")] = 0.9,
    prior: Annotated[
        str, typer.Option(help="Shapes of the beta prior: events, and patients without.", metavar="A,B")
    ] = "0.5,0.5",
    first: Annotated[int, typer.Option(help="Patients treated at the first check.")] = 1,
    every: Annotated[
        int, typer.Option(help="Patients between checks; the last patient is always checked.")
    ] = 1,
    rates: Annotated[
        str | None, typer.Option(help="True rates at which the rule is tried; default around the limit.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Print how many adverse events among how many treated stop the trial, and how often the rule does."""
    from trialsim.cli.numbers_written import numbers_written
    from trialsim.oc.run_writer import json_text
    from trialsim.stats.bayes.safety_rule import safety_rule

    shapes = numbers_written("--prior", prior)
    tried = (
        [round(limit * factor, 4) for factor in (0.5, 1.0, 1.5, 2.0) if limit * factor < 1]
        if rates is None
        else list(numbers_written("--rates", rates))
    )
    problems = [
        sentence
        for wrong, sentence in (
            (not 0 < limit < 1, f"--limit: {limit:g} is not a rate between 0 and 1."),
            (not 0 < threshold < 1, f"--threshold: {threshold:g} is not a probability between 0 and 1."),
            (
                not 1 <= patients <= MOST_PATIENTS,
                f"--patients: {patients} is not from 1 to {MOST_PATIENTS:,}.",
            ),
            (not 1 <= first <= patients, f"--first: {first} is not from 1 to the {patients} patients."),
            (every < 1, f"--every: {every} is not above 0."),
            (
                len(shapes) != 2 or min(shapes) <= 0,
                f"--prior: two numbers above 0 are expected, found {prior}.",
            ),
            (any(not 0 <= rate <= 1 for rate in tried), "--rates: each is from 0 to 1."),
        )
        if wrong
    ]
    if problems:
        raise UsageError(" ".join(problems))
    treated = sorted({*range(first, patients + 1, every), patients})
    rule = safety_rule(limit, threshold, (shapes[0], shapes[1]), treated)
    does = [(rate, *rule.stopping(rate)) for rate in tried]
    if json:
        document = {
            "limit": limit,
            "threshold": threshold,
            "prior": list(shapes),
            "rule": [{"events": e, "treated_from": a, "treated_to": b} for e, a, b in rule.rows()],
            "rates": [{"rate": r, "stops": p, "mean_treated": n} for r, p, n in does],
        }
        typer.echo(json_text(document), nl=False)
        return
    typer.echo(
        f"Stop where P(rate > {limit:g}) > {threshold:g}, given a beta({shapes[0]:g}, {shapes[1]:g}) prior:\n"
    )
    typer.echo("  events at least   patients treated")
    for events, begin, end in rule.rows():
        between = f"{begin}" if begin == end else f"{begin} to {end}"
        typer.echo(f"  {events:>15}   {between}")
    if not rule.rows():
        typer.echo("  no number of events stops so small a trial")
    typer.echo("\n  true rate   stops    mean number treated")
    for rate, stops, mean in does:
        typer.echo(f"  {rate:>9g}   {stops:.4f}   {mean:.1f}")
