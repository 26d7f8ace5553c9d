"""``trialsim train``, ``evaluate`` and ``benchmark``: learned policies against traditional ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.learning.request import TrainingRequest
    from trialsim.oc.rankings import Compared
    from trialsim.report.tables import TextTable

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
_CHECKPOINT = ".safetensors"
_IN_TRIALS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "allocation": (
        "trialsim.learning.allocation_training", "train_allocation",
        {"responders": "{:.2f} responders", "rejected": "{:.1%} reject", "value": "value {:.2f}"},
        "randomisation: {learned: {checkpoint: FILE, digest: DIGEST}}",
    ),
    "sites": (
        "trialsim.learning.site_training", "train_sites",
        {"months": "{:.2f} months to the last patient in", "distance": "{:.4f} from the eligible", "value": "value {:.2f}"},
        "sites: {learned: {open: ..., checkpoint: FILE, digest: DIGEST}}",
    ),
    "stopping": (
        "trialsim.learning.stopping_request", "train_stopping_rule",
        {"size": "mean expected size {:.4f} of the fixed one", "error": "error {:.4f}", "power": "power {:.4f}"},
        "stopping: {learned: {checkpoint: FILE, digest: DIGEST}}, without bounds of its own",
    ),
}  # fmt: skip
"""Policies that learn in simulated trials: who trains them, what is said of an iteration, and how a scenario has them."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("train")(train_command)
    from trialsim.cli.evaluate_command import evaluate_command

    app.command("evaluate")(evaluate_command)
    app.command("benchmark")(benchmark_command)


def train_command(
    request: Annotated[Path, typer.Argument(help="Training file (YAML).", metavar="POLICY.yaml")],
    out: Annotated[
        Path | None, typer.Option(help="Checkpoint; default: the training file's name, .safetensors.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="Where a network is trained: auto (a GPU where there is one), cpu, cuda.")
    ] = "auto",
    json: Json = False,
) -> None:
    """Train a ranking on simulated screening logs, or allocation, sites or stopping in simulated trials."""
    from trialsim.cli.all_faults import Faults
    from trialsim.learning.request import read_request
    from trialsim.learning.training import train
    from trialsim.models.dense import check_device
    from trialsim.oc.run_writer import json_text

    path = out or request.with_suffix(_CHECKPOINT)
    faults = Faults()
    faults.of(_require_free, path)
    faults.of(check_device, device)
    read = faults.of(read_request, request)
    faults.tell()
    assert read is not None
    asked = replace(read, device=device)
    if asked.policy in _IN_TRIALS:
        _train_in_trials(asked, path, json)
        return
    trained = train(asked)
    digest = trained.write(path)
    if json:
        document = {"checkpoint": str(path), "digest": digest, "about": trained.about, "curve": trained.curve}
        typer.echo(json_text(document), nl=False)
        return
    for part, found in trained.quality.items():
        typer.echo(
            f"{part:<10}  {found['candidates']:,.0f} candidates at {found['sites']:,.0f} sites, "
            f"{found['positive']:.1%} {asked.label}: AUC {found['auc']:.3f}, log loss {found['log_loss']:.4f}, "
            f"Brier score {found['brier']:.4f}"
        )
    if unused := trained.about.get("log", {}).get("unused"):
        typer.echo(
            f"Nothing is learned from these columns of {trained.about['log']['file']}, which are no covariates of the "
            f"scenario: {', '.join(unused)}"
        )
    typer.echo(f"Checkpoint: {path}")
    typer.echo(
        f"In a scenario beside it: recruitment: {{{asked.policy}: {{checkpoint: {path.name}, digest: {digest}}}}}"
    )


def _require_free(path: Path) -> None:
    """Refuse a checkpoint that has another name, or is there."""
    if path.suffix != _CHECKPOINT:
        raise UsageError(f"--out: {path}: a checkpoint is a file that ends in {_CHECKPOINT}")
    if path.exists():
        raise UsageError(f"{path} is there already and is not overwritten; name another file with --out")


def _train_in_trials(asked: TrainingRequest, path: Path, json: bool) -> None:
    """Train a policy in simulated trials and say how it went; interrupted, it goes on where it was."""
    from importlib import import_module

    from trialsim.oc.run_writer import json_text

    module, function, shown, slot = _IN_TRIALS[asked.policy]
    learn = getattr(import_module(module), function)
    trained = learn(asked, path.with_suffix(".unfinished"), lambda text: typer.echo(text, err=True))
    digest = trained.write(path)
    if json:
        document = {"checkpoint": str(path), "digest": digest, "about": trained.about, "curve": trained.curve}
        typer.echo(json_text(document), nl=False)
        return
    for at, found in (("first", trained.curve[0]), ("last", trained.curve[-1])):
        said = ", ".join(text.format(found[name]) for name, text in shown.items())
        typer.echo(f"{at:<5} iteration: {said}")
    typer.echo(f"Checkpoint: {path}")
    typer.echo(f"In a scenario beside it: {slot.replace('FILE', path.name).replace('DIGEST', digest)}")


def benchmark_command(
    family: Annotated[
        str,
        typer.Argument(
            help="What to compare: recruitment, sites, randomisation, stopping, all.", metavar="FAMILY"
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="A tenth of the trials or fewer, and a short training.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; default benchmark-FAMILY.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 1,
    workers: Annotated[int, typer.Option(help="Workers; they change no number.")] = 2,
) -> None:
    """Train every learned policy of a family, and compare all with the traditional ones."""
    from trialsim.cli.all_faults import Faults
    from trialsim.cli.running import check_numbers

    faults = Faults()
    faults.of(_require_family, family)
    faults.of(check_numbers, 1, seed, workers, "fast")
    faults.tell()
    folder = out or Path(f"benchmark-{family}")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(
            f"{folder} is there already and is not overwritten; name another with --out"
        ) from None
    for name in _FAMILIES if family == "all" else (family,):
        inside = folder / name if family == "all" else folder
        inside.mkdir(exist_ok=True)
        _FAMILIES[name](quick, inside, seed, workers)


def _require_family(family: str) -> None:
    """Refuse a family that has no benchmark."""
    if family not in (*_FAMILIES, "all"):
        raise UsageError(f"there is no benchmark of {family!r}; allowed: {', '.join(_FAMILIES)}, all")


def _say(text: str) -> None:
    """Say on stderr what is being done."""
    typer.echo(text, err=True)


def _benchmark_recruitment(quick: bool, folder: Path, seed: int, workers: int) -> None:
    from trialsim.learning.benchmark import ATTAINABLE, FULL, QUICK, benchmark_recruitment
    from trialsim.oc.run_writer import json_text
    from trialsim.report.rankings import draw_rankings, winners

    effort = QUICK if quick else FULL
    results = []
    for result in benchmark_recruitment(effort, folder, seed, workers, _say):
        results.append(result)
        for kind, trained in result.trained.items():
            test = trained.quality["test"]
            typer.echo(f"{result.name}: {kind} at {test['sites']:.0f} unseen sites: AUC {test['auc']:.3f}")
        print_rankings(f"{result.name} world: {effort.replicates} trials each", result.compared)
        typer.echo(winners(result.compared, ATTAINABLE))
    table = [
        {
            "world": result.name,
            "digests": dict(result.digests),
            "rankings": [each.to_dict() for each in result.compared],
        }
        for result in results
    ]
    picture = draw_rankings({each.name: each.compared for each in results}, "svg")
    _write(folder, json_text({"seed": seed, "worlds": table}), {"rankings.svg": picture})


def _benchmark_randomisation(quick: bool, folder: Path, seed: int, workers: int) -> None:
    from trialsim.learning.allocation_benchmark import FULL, QUICK, benchmark_randomisation
    from trialsim.oc.run_writer import json_text
    from trialsim.report.allocation import allocation_table, draw_frontier, verdicts
    from trialsim.report.allocation_pictures import draw_allocation_over_time, draw_drift, drift_table

    result = benchmark_randomisation(QUICK if quick else FULL, folder, seed, workers, _say)
    print_table(allocation_table(result))
    for sentence in verdicts(result):
        typer.echo(sentence)
    print_table(drift_table(result.drift))
    document = {"seed": seed, "n": result.course.n, "block": result.course.block, "digests": dict(result.digests),
                "rules": [each.to_dict() for each in result.rules], "curves": dict(result.curves),
                "drift": [each.to_dict() for each in result.drift]}  # fmt: skip
    pictures = {
        "frontier.svg": draw_frontier(result, "svg"),
        "allocation.svg": draw_allocation_over_time(result, "svg"),
        "drift.svg": draw_drift(result.drift, "svg"),
    }
    _write(folder, json_text(document), pictures)


def _benchmark_stopping(quick: bool, folder: Path, seed: int, workers: int) -> None:
    from trialsim.learning.stopping_benchmark import FULL, QUICK, benchmark_stopping, look_time_errors
    from trialsim.oc.run_writer import json_text
    from trialsim.report.stopping import (
        draw_stopping,
        learned_sentences,
        look_time_sentence,
        stopping_table,
        stopping_verdict,
    )

    result = benchmark_stopping(QUICK if quick else FULL, folder, seed, workers, _say)
    print_table(stopping_table(result.rules))
    errors = look_time_errors()
    for sentence in (
        stopping_verdict(result.rules),
        *learned_sentences(result.learned),
        look_time_sentence(errors),
    ):
        typer.echo(sentence)
    document = {"seed": seed, "rules": [rule.to_dict() for rule in result.rules],
                "learned": [each.to_dict() for each in result.learned], "digests": result.digests,
                "curves": result.curves, "look_at_first_crossing": errors}  # fmt: skip
    _write(folder, json_text(document), {"stopping.svg": draw_stopping(result.rules, "svg")})


def _benchmark_sites(quick: bool, folder: Path, seed: int, workers: int) -> None:
    from trialsim.learning.site_benchmark import FULL, QUICK, benchmark_sites
    from trialsim.oc.run_writer import json_text
    from trialsim.report.site_choices import draw_site_choices, site_choices_table, site_verdicts

    effort = QUICK if quick else FULL
    result = benchmark_sites(effort, folder, seed, workers, _say)
    print_table(site_choices_table(f"ten of thirty sites: {effort.replicates} trials each", result.choices))
    typer.echo(
        "Monte Carlo standard errors in parentheses; second lines: difference from the first, paired by trial."
    )
    for sentence in site_verdicts(result.rivals):
        typer.echo(sentence)
    short = [each.label for each in result.choices if each.estimate("reached_target").value < 1.0]
    if short:
        typer.echo(
            f"Not every trial reached its target with {', '.join(short)}: months are to the horizon there."
        )
    document = {"seed": seed, "shape": result.shape, "digests": dict(result.digests), "curves": dict(result.curves),
                "choices": [each.to_dict() for each in result.choices]}  # fmt: skip
    picture = draw_site_choices(result.choices, result.rivals, "svg")
    _write(folder, json_text(document), {"sites.svg": picture})


_FAMILIES = {
    "recruitment": _benchmark_recruitment,
    "sites": _benchmark_sites,
    "randomisation": _benchmark_randomisation,
    "stopping": _benchmark_stopping,
}


def _write(folder: Path, table: str, pictures: Mapping[str, bytes]) -> None:
    """Write the table and the figures of a benchmark, and say where they lie."""
    (folder / "table.json").write_text(table, encoding="utf-8")
    typer.echo(f"Table:  {folder / 'table.json'}")
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
        typer.echo(f"Figure: {folder / name}")


def print_rankings(title: str, compared: list[Compared]) -> None:
    """Print rankings compared."""
    from trialsim.report.rankings import eligible_shares, further_table, rankings_table

    print_table(rankings_table(title, compared))
    print_table(further_table("times, failures, and what the enrolled say of all", compared))
    typer.echo(
        "Monte Carlo standard errors in parentheses; second lines: difference from the first, paired by trial."
    )
    if sentence := eligible_shares(compared):
        typer.echo(sentence)
    short = [each.label for each in compared if each.estimate("reached_target").value < 1.0]
    if short:
        typer.echo(
            f"Not every trial reached its target with {', '.join(short)}: their weeks are to the last patient."
        )


def print_table(table: TextTable) -> None:
    """Print a table, wide where it goes to a file."""
    from rich.console import Console

    from trialsim.report.tables import rich_table

    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, 200), highlight=False)
    console.print(rich_table(table))
