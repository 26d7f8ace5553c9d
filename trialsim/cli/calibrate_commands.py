"""``trialsim calibrate``: the threshold that holds an error at its target, and what is certified of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.oc.calibration import Calibrated


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("calibrate")(calibrate_command)


def calibrate_command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", metavar="SCENARIO")],
    threshold: Annotated[
        str, typer.Option(help="Where it stands: designs.NAME.tests.primary.posterior.", metavar="PATH")
    ],
    target: Annotated[
        str,
        typer.Option(
            help="Measure and its largest value: reject_any=0.025, reject:NAME=..., stop:superiority=...",
            metavar="MEASURE=VALUE",
        ),
    ],
    truth: Annotated[str, typer.Option(help="Truth under which it must hold.")],
    over: Annotated[
        str | None, typer.Option(help="More truths, separated by commas; a grid's name stands for its cells.")
    ] = None,
    between: Annotated[
        str, typer.Option(help="Where the threshold is sought: LOW,HIGH.", metavar="LOW,HIGH")
    ] = "0.5,0.9999",
    search: Annotated[int, typer.Option(help="Trials of the search under each truth.")] = 4000,
    calibration: Annotated[int, typer.Option(help="Trials of the calibration under each truth.")] = 20_000,
    certify: Annotated[int, typer.Option(help="Trials of the certification under each truth.")] = 50_000,
    attempt: Annotated[int, typer.Option(help="Which attempt at a certificate this is, from 1.")] = 1,
    attempts: Annotated[int, typer.Option(help="How many are planned; they share the level.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Find the threshold at which an error is at its target, and certify it on other trials, which it then has spent."""
    from trialsim.cli.all_faults import Faults
    from trialsim.cli.certificates import note_numbers
    from trialsim.cli.running import names_in
    from trialsim.oc.calibration import Request, calibrate, design_named, refuse_range, refuse_request
    from trialsim.oc.calibration_ledger import entries_of, file_of, refuse_spent, with_entry
    from trialsim.oc.run_writer import json_text
    from trialsim.report.whole_file import write_whole
    from trialsim.scenario.lines import told_of
    from trialsim.scenario.load import load_scenario

    faults = Faults()
    trials = {"--search": search, "--calibration": calibration, "--certify": certify}
    note_numbers(faults, trials, attempt, attempts, seed, workers)
    measure, _, value_text = target.partition("=")
    more: list[str] | None = faults.of(names_in, over, "--over")
    largest, range_ = faults.of(_probability, value_text, target), faults.of(_two_numbers, between)
    loaded = faults.of(load_scenario, scenario)
    worlds = (
        None
        if loaded is None
        else faults.of(loaded.select_truths, list(dict.fromkeys([truth, *(more or [])])))
    )
    low, high = range_ or (0.0, 1.0)
    request = Request(
        threshold,
        measure,
        largest or 0.0,
        worlds or (),
        low,
        high,
        search,
        calibration,
        certify,
        attempt,
        attempts,
        seed,
        workers,
    )
    if loaded is not None:
        faults.of(refuse_request, loaded, request)
    faults.tell()
    assert loaded is not None
    refuse_range(loaded, request)
    ledger, digest = file_of(scenario, design_named(threshold)), loaded.digest()
    spent = entries_of(ledger)
    made_before = refuse_spent(ledger, spent, request, digest)
    with told_of(scenario):
        found = calibrate(loaded, request)
    if not made_before:
        write_whole(ledger, json_text(with_entry(spent, found, digest)).encode("utf-8"), overwrite=True)
    if json:
        typer.echo(
            json_text(asdict(found) | {"controlled": found.controlled, "verdict": found.verdict}), nl=False
        )
        return
    typer.echo("\n".join(_lines(found)))


def _probability(text: str, written: str) -> float:
    """Return the target's value, or refuse it."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value < 1.0:
        raise UsageError(f"--target {written}: a measure and a probability are expected: reject_any=0.025")
    return value


def _two_numbers(text: str) -> tuple[float, float]:
    """Return two ascending numbers, or refuse them."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--between {text}: two numbers are expected: 0.9,0.999") from None
    if not low < high:
        raise UsageError(f"--between {text}: the first number must be the smaller one")
    return low, high


_AT_THE_END = "The error aimed at lies beyond --between: the threshold is an end of it. A wider range may do."


def _lines(found: Calibrated) -> list[str]:
    """Return what was found in words."""
    asked = found.request
    last = found.first_certified + asked.certification - 1
    level = f"simultaneous upper {100 * (1 - 0.025 / asked.attempts):g}% limit"
    lines = [
        f"Threshold {found.threshold:.6f} at {asked.path}.",
        f"{asked.measure} is {asked.target:g} at {found.root:.6f} (95% limits {found.root_low:.6f} to "
        f"{found.root_high:.6f}, from {asked.calibration:,} trials a truth); {found.aimed:.4f} was aimed at.",
        *([_AT_THE_END] if found.at_the_end else []),
        f"Certification, attempt {asked.attempt} of {asked.attempts}, trials {found.first_certified:,} to {last:,}:",
    ]
    lines += [
        f"  {point.truth}: {point.value:.4f}, {level} {point.upper:.4f}"
        + (f" (over {len(found.points)} truths)" if len(found.points) > 1 else "")
        for point in found.points
    ]
    return [*lines, f"{asked.measure}: {found.verdict}; nothing is claimed of other truths."]
