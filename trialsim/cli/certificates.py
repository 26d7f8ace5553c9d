"""Learned policies that may change an error are run with a certificate, or because somebody said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.cli.all_faults import Faults
    from trialsim.oc.sweep_grid import Grid
    from trialsim.scenario.schema import Scenario

Uncertified = Annotated[
    bool,
    typer.Option(
        "--uncertified", help="Run learned allocation or stopping without a certificate of its error."
    ),
]


MOST_TRIALS = 100_000_000
FEWEST_TRIALS = 100


def note_numbers(
    faults: Faults,
    trials: Mapping[str, int],
    attempt: int,
    attempts: int,
    seed: int,
    workers: int,
    most_attempts: int = MOST_TRIALS,
) -> None:
    """Note which numbers of a command that certifies an error cannot be used.

    Parameters
    ----------
    faults
        Where they are noted.
    trials
        Numbers of trials, by option.
    attempt, attempts
        Which attempt at a certificate this is, and how many are planned.
    seed, workers
        As for every simulation.
    most_attempts
        Attempts for which there are trials.
    """
    from trialsim.cli.running import LARGEST_SEED, MOST_WORKERS

    faults.numbers(
        {option: (number, FEWEST_TRIALS, MOST_TRIALS) for option, number in trials.items()}
        | {
            "--attempt": (attempt, 1, most_attempts),
            "--attempts": (attempts, attempt if 1 <= attempt <= most_attempts else 1, most_attempts),
            "--seed": (seed, 0, LARGEST_SEED),
            "--workers": (workers, 1, MOST_WORKERS),
        }
    )


def without_certificates(
    scenario: Scenario, source: Path, designs: Sequence[str], uncertified: bool
) -> tuple[str, ...]:
    """Refuse designs whose learned policies may change an error and have no certificate; with the option say so only.

    Parameters
    ----------
    scenario, source
        The scenario, and where it came from.
    designs
        That are asked for.
    uncertified
        Whether the option was given.
    """
    from trialsim.oc.certificate import missing_certificates

    return _told(missing_certificates(scenario, source, designs), uncertified)


def with_certificates(scenario: Scenario, source: Path, designs: Sequence[str]) -> tuple[str, ...]:
    """Return, and say, which certificates count.

    Parameters
    ----------
    scenario, source, designs
        As of :func:`without_certificates`.
    """
    from trialsim.oc.certificate import certificates_in_force

    sentences = certificates_in_force(scenario, source, designs)
    for sentence in sentences:
        typer.echo(f"Certified: {sentence}", err=True)
    return tuple(sentences)


def sweep_without_certificates(grid: Grid, source: Path, uncertified: bool) -> tuple[str, ...]:
    """Do the same of a sweep, each point of which is a scenario of its own: a certificate is of one scenario.

    Parameters
    ----------
    grid
        What varies in which scenario.
    source, uncertified
        As of :func:`without_certificates`.
    """
    from trialsim.oc.certificate import needs_certificate
    from trialsim.oc.sweep_certificates import missing_certificates_of

    gated = [design for design in grid.designs if needs_certificate(grid.scenario, design)]
    return _told(missing_certificates_of(grid, source, gated) if gated else [], uncertified)


def _told(sentences: Sequence[str], uncertified: bool) -> tuple[str, ...]:
    """Refuse with the sentences, or print them where the option was given, and return them."""
    if sentences and not uncertified:
        raise UsageError(
            "\n".join(
                [*sentences, "certify with `trialsim certify`, or give --uncertified to run it all the same"]
            )
        )
    for sentence in sentences:
        typer.echo(f"Uncertified: {sentence}", err=True)
    return tuple(sentences)
