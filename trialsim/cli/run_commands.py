"""``trialsim run``, ``report``, ``compare`` and ``list``: simulate, and read what was simulated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.certificates import Uncertified, with_certificates, without_certificates
from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.oc.characteristics import OperatingCharacteristics
    from trialsim.oc.run_folder import StoredRun

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder that a run wrote.", metavar="RUN")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("run")(run_command)
    app.command("report")(report_command)
    app.command("compare")(compare_command)
    app.command("list")(list_command)


def run_command(
    scenario: Annotated[Path, typer.Argument(help="Scenario file (YAML).", metavar="SCENARIO")],
    designs: Annotated[str | None, typer.Option(help="Designs, separated by commas; default all.")] = None,
    truths: Annotated[
        str | None,
        typer.Option(help="Truths, separated by commas; a grid's name means all of it; default all."),
    ] = None,
    replicates: Annotated[int, typer.Option(help="Trials per design and truth.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 1,
    engine: Annotated[str, typer.Option(help="fast or reference.")] = "fast",
    workers: Annotated[int, typer.Option(help="Workers; they change no number.")] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; default runs/<name>-<digest>-<seed>.")
    ] = None,
    finished_by: Annotated[
        list[str] | None,
        typer.Option(
            help='A time such as "18 months": how likely is the trial finished by then? May be repeated.'
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Folder in which finished trials are kept; a run broken off goes on from there."),
    ] = None,
    uncertified: Uncertified = False,
    decision_log: Annotated[
        bool | None,
        typer.Option(
            "--decision-log/--no-decision-log",
            help="Keep the log of decisions that `trialsim audit` verifies; default where a design has a learned policy.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Simulate the designs under the truths; print and save the operating characteristics."""
    from trialsim.cli.all_faults import Faults
    from trialsim.cli.running import Request, check_numbers, dates_in_days, names_in, run_into_folder
    from trialsim.oc.run_writer import require_free
    from trialsim.scenario.lines import told_of
    from trialsim.scenario.load import load_scenario

    faults = Faults()
    faults.of(check_numbers, replicates, seed, workers, engine)
    dates = faults.of(dates_in_days, finished_by or []) or ()
    wanted, under = faults.of(names_in, designs, "--designs"), faults.of(names_in, truths, "--truths")
    if out is not None:
        faults.of(require_free, out)
    loaded = faults.of(load_scenario, scenario)
    chosen = None if loaded is None else faults.of(loaded.select_designs, wanted)
    worlds = None if loaded is None else faults.of(loaded.select_truths, under)
    faults.tell()
    assert loaded is not None
    request = Request(
        scenario=loaded,
        source=scenario,
        designs=chosen or (),
        truths=worlds or (),
        replicates=replicates,
        seed=seed,
        engine=engine,
        workers=workers,
        finished_by=dates,
        out=out,
        checkpoint=checkpoint,
        decision_log=decision_log,
    )
    without = without_certificates(loaded, scenario, request.designs, uncertified)
    certified = with_certificates(loaded, scenario, request.designs)
    request = replace(request, uncertified=without, certified=certified)
    with told_of(scenario):
        done = run_into_folder(request)
    if json:
        typer.echo(done.summary, nl=False)
        typer.echo(f"Results: {done.folder}", err=True)
        return
    _print_tables(done.characteristics, done.targets, done.empty)
    typer.echo(f"Results: {done.folder}")
    typer.echo(f"Report:  {done.folder / 'report.html'}")
    if done.log_root is not None:
        typer.echo(f"Log:     root {done.log_root}; verify it with `trialsim audit {done.folder}`")


def report_command(
    run: RunFolder,
    sites: Annotated[
        Path | None,
        typer.Option(help="Write patients by single site, of every design and truth, to a CSV file."),
    ] = None,
) -> None:
    """Rebuild a run's report.html from its records, and print its table."""
    from trialsim.oc.run_folder import alpha_targets, characteristics_of, load_run
    from trialsim.report.empty_trials import empty_sentences
    from trialsim.report.failures import failure_sentences
    from trialsim.report.saved import write_report

    stored = load_run(run)
    characteristics = characteristics_of(stored)
    if sites is not None:
        _write_sites(stored, sites)
    path = write_report(stored, characteristics)
    told = [*empty_sentences(stored.records), *failure_sentences(stored.records)]
    _print_tables(characteristics, alpha_targets(stored.scenario), told)
    typer.echo(f"Report:  {path}")
    if sites is not None:
        typer.echo(f"Sites:   {sites}")


def _write_sites(stored: StoredRun, path: Path) -> None:
    """Write patients by single site to a file that is not there yet."""
    from trialsim.report.site_figures import sites_csv
    from trialsim.report.whole_file import write_whole

    text = sites_csv(stored.records)
    if text is None:
        raise UsageError(f"--sites: {stored.folder} is a run of a scenario without sites; leave it out")
    try:
        write_whole(path, text.encode("utf-8", "backslashreplace"), overwrite=False)
    except FileExistsError:
        raise UsageError(
            f"--sites: {path} is there already and is not overwritten; name another file"
        ) from None
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"--sites: {path} cannot be written ({why}); name another file") from error


def compare_command(
    run: RunFolder,
    run2: Annotated[Path, typer.Argument(help="Folder of another run.", metavar="RUN2")],
    json: Json = False,
) -> None:
    """Compare two runs: the second minus the first, with Monte Carlo errors."""
    from trialsim.oc.between_runs import compare_runs
    from trialsim.oc.run_folder import load_run
    from trialsim.oc.run_writer import json_text
    from trialsim.report.estimand_sentences import unlike_runs
    from trialsim.report.tables import comparison_table, rich_table

    first, second = load_run(run), load_run(run2)
    found = compare_runs(first, second)
    notes = unlike_runs(found, first.records.facts(), second.records.facts())
    if first.provenance.get("digest") != second.provenance.get("digest"):
        typer.echo(
            "The two scenarios differ: differences may come from what was simulated, not from the designs alone.",
            err=True,
        )
    if json:

        def about(stored: StoredRun) -> dict[str, Any]:
            keys = ("scenario", "digest", "seed", "replicates")
            return {"run": str(stored.folder), **{key: stored.provenance.get(key) for key in keys}}

        document = {
            "first": about(first),
            "second": about(second),
            "paired": found.paired,
            "why": found.why,
            "notes": notes,
            "differences": [row.to_dict() for row in found.rows],
        }
        typer.echo(json_text(document), nl=False)
        return
    _console().print(rich_table(comparison_table(found)))
    for sentence in (f"{'Paired by replicate' if found.paired else 'Not paired'}: {found.why}.", *notes):
        typer.echo(sentence)


def list_command(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="measures, designs, analyses, posteriors, policies, models or endpoints; without it the kinds are listed.",
            metavar="[KIND]",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List what there is of a kind, with its definition."""
    from trialsim.oc.run_writer import json_text

    entries = _kinds() if kind is None else _entries(kind)
    if json:
        typer.echo(json_text({"kind": kind or "kinds", "entries": entries}), nl=False)
        return
    for entry in entries:
        unit = f" ({entry['unit']})" if entry["unit"] else ""
        typer.echo(f"{entry['name']}{unit}\n    {entry['definition']}")


def _kinds() -> list[dict[str, str | None]]:
    from trialsim.registry import kinds, names

    found: list[dict[str, str | None]] = [
        {"name": "measures", "unit": None, "definition": "what a run reports of a design under a truth"}
    ]
    return found + [{"name": each, "unit": None, "definition": ", ".join(names(each))} for each in kinds()]


def _entries(kind: str) -> list[dict[str, str | None]]:
    from trialsim.registry import describe, kinds, names

    if kind == "measures":
        from trialsim.oc.measures import definitions

        return [{"name": each.name, "unit": each.unit, "definition": each.sentence} for each in definitions()]
    allowed = ["measures", *kinds()]
    if kind not in allowed:
        from trialsim.scenario.wording import did_you_mean

        raise UsageError(
            f"There is no kind {kind!r}; allowed: {', '.join(allowed)}.{did_you_mean(kind, allowed)}"
        )
    # Whoever looks for analyses looks for those that give a posterior too.
    shown = [kind, "posteriors"] if kind == "analyses" else [kind]
    return [
        {"name": name, "unit": None, "definition": describe(each, name) + _questions(each, name)}
        for each in shown
        for name in names(each)
    ]


def _questions(kind: str, name: str) -> str:
    """Return in a sentence what decision rules may ask of a Bayesian model; nothing for other parts."""
    from trialsim.registry import get, names
    from trialsim.scenario.decisions import asked_of

    if kind not in ("analyses", "posteriors") or name not in names("posteriors"):
        return ""
    asked = asked_of(name, getattr(get("posteriors", name), "kind", "") == "sampled")
    return f" Decision rules may ask for: {', '.join(asked)}."


def _print_tables(
    characteristics: OperatingCharacteristics, targets: dict[tuple[str, str], float], empty: Sequence[str]
) -> None:
    from trialsim.report.answer import comparison_sentences, type_one_error_sentences
    from trialsim.report.cautions import horizon_sentences
    from trialsim.report.estimand_sentences import discordance_sentences
    from trialsim.report.legend import legend
    from trialsim.report.more_tables import finished_sentences
    from trialsim.report.recruitment_tables import recruitment_table
    from trialsim.report.tables import rich_table, summary_tables

    console = _console()
    tables = summary_tables(characteristics)
    for table in tables:
        console.print(rich_table(table))
    if (recruitment := recruitment_table(characteristics)) is not None:
        console.print(rich_table(recruitment))
    sentences = [*empty, *finished_sentences(characteristics), *legend(characteristics, tables)]
    sentences += [*comparison_sentences(characteristics), *type_one_error_sentences(characteristics, targets)]
    sentences += [*discordance_sentences(characteristics.facts), *horizon_sentences(characteristics)]
    for sentence in sentences:
        console.print(sentence, soft_wrap=True, highlight=False, markup=False)


def _console() -> Any:
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, 140), highlight=False)
