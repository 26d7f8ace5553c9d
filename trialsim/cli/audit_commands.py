"""``trialsim audit``: whether the decision log of a run still holds, and what a decision was made on."""

from __future__ import annotations

import json as jsons
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.oc.decision_log import Verified
    from trialsim.oc.run_folder import StoredRun

Rows = list[dict[str, Any]]


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("audit")(audit_command)


def audit_command(
    run: Annotated[Path, typer.Argument(help="Folder that a run wrote.", metavar="RUN")],
    design: Annotated[str | None, typer.Option(help="Design of the trial; default the first.")] = None,
    truth: Annotated[str | None, typer.Option(help="Truth of the trial; default the first.")] = None,
    replicate: Annotated[int | None, typer.Option(help="Number of a trial: list its decisions.")] = None,
    decision: Annotated[int | None, typer.Option(help="Number of one of its decisions: explain it.")] = None,
    candidate: Annotated[
        str | None, typer.Option(help="One of the candidates of a ranking, SITE:NUMBER.")
    ] = None,
    root: Annotated[
        str | None, typer.Option(help="The root that the run printed, as it was noted elsewhere.")
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Make the trial again, and require the same decisions.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")] = False,
) -> None:
    """Verify the decision log of a run, and explain any decision of it."""
    from trialsim.oc.decision_log import verify
    from trialsim.oc.run_folder import load_run
    from trialsim.oc.run_writer import json_text

    stored = load_run(run)
    _check_options(stored, replicate, decision, candidate, replay)
    found = verify(stored, root)
    if found.broken is not None:
        if json:
            typer.echo(json_text(_document(run, found)), nl=False)
        raise UsageError(f"{run}: the log of decisions does not hold. {found.broken}.")
    told: dict[str, Any] = {}
    sentences = [
        f"The log holds: {found.decisions:,} decisions of {found.trials:,} trials, {found.rankings:,} of them rankings of "
        f"candidates. Root: {found.root}."
    ]
    if replicate is not None:
        where = (_named(stored, "designs", design), _named(stored, "truths", truth), replicate)
        told, lines = _trial(stored, where, decision, candidate, replay)
        sentences += lines
    if json:
        typer.echo(json_text(_document(run, found) | told), nl=False)
        return
    for sentence in sentences:
        typer.echo(sentence)


def _check_options(
    stored: StoredRun, replicate: int | None, decision: int | None, candidate: str | None, replay: bool
) -> None:
    """Refuse options that say too little."""
    if replicate is None and (decision is not None or replay):
        raise UsageError("--decision and --replay are of one trial: name it with --replicate")
    if candidate is not None and decision is None:
        raise UsageError("--candidate is of one ranking: name it with --replicate and --decision")
    most = int(stored.provenance["replicates"])
    if replicate is not None and not 0 <= replicate < most:
        raise UsageError(f"--replicate: {replicate} was not run; the run has 0 to {most - 1}")


def _named(stored: StoredRun, what: str, name: str | None) -> str:
    """Return a design or truth of the run, the first by default."""
    names: list[str] = list(stored.provenance[what])
    if name is None:
        return names[0]
    if name not in names:
        raise UsageError(f"--{what[:-1]}: {name!r} was not run; the run has {', '.join(names)}")
    return name


def _trial(
    stored: StoredRun,
    where: tuple[str, str, int],
    decision: int | None,
    candidate: str | None,
    replay: bool,
) -> tuple[dict[str, Any], list[str]]:
    """Return what is told of a trial, as a document and as sentences."""
    from trialsim.engines.decision_log import KEPT_IN_FULL
    from trialsim.oc.decision_log import decisions_of
    from trialsim.oc.decision_replay import replayed
    from trialsim.report.audit import summary

    rows, ranked = decisions_of(stored, *where)
    about = {"design": where[0], "truth": where[1], "replicate": where[2]}
    sentences = [f"Replicate {where[2]} of {where[0]} under {where[1]}: {len(rows)} decisions."]
    again = replay or (decision is not None and where[2] >= KEPT_IN_FULL)
    if again:
        made, ranked = replayed(stored, *where)
        _require_same(where, rows, made)
        rows = made
        sentences.append("The trial was made again: every record and link is the same.")
    if decision is None:
        sentences += [summary(row) for row in rows]
        listed = [
            {"decision": row["decision"], **jsons.loads(row["record"]), "link": row["link"]} for row in rows
        ]
        return about | {"replayed": again, "decisions": listed}, sentences
    if not 0 <= decision < len(rows):
        last = f"it has 0 to {len(rows) - 1}" if rows else "it has none"
        raise UsageError(f"--decision: replicate {where[2]} has no decision {decision}; {last}")
    return _decision(stored, about | {"replayed": again}, sentences, rows[decision], ranked, candidate)


def _require_same(where: tuple[str, str, int], stored: Rows, made: Rows) -> None:
    """Refuse a log whose trial, made again, decides otherwise."""
    for old, new in zip(stored, made, strict=False):
        if (old["record"], old["link"]) != (new["record"], new["link"]):
            raise UsageError(
                f"{where[0]}, {where[1]}, replicate {where[2]}, decision {old['decision']}: made again, it is another "
                "decision than the log holds; the log was written by another version, or forged as a whole"
            )
    if len(stored) != len(made):
        raise UsageError(
            f"{where[0]}, {where[1]}, replicate {where[2]}: made again it has {len(made)} decisions, the log {len(stored)}"
        )


def _decision(
    stored: StoredRun,
    about: dict[str, Any],
    sentences: list[str],
    row: Mapping[str, Any],
    ranked: Sequence[Mapping[str, Any]],
    candidate: str | None,
) -> tuple[dict[str, Any], list[str]]:
    """Return what is told of one decision."""
    from trialsim.engines.plan import build_plan
    from trialsim.report.audit import explained
    from trialsim.scenario.load import load_scenario, patient_table

    scenario = load_scenario(stored.folder / "scenario.yaml")
    table = patient_table(scenario)
    seed = int(stored.provenance["seed"])
    plan = build_plan(scenario, about["design"], about["truth"], seed, 1, table)
    mine = [each for each in ranked if each["decision"] == row["decision"]]
    told = explained(plan, row, mine, None if candidate is None else _who(candidate))
    document = {
        "decision": {
            "decision": row["decision"],
            **jsons.loads(row["record"]),
            "link": row["link"],
            "saw": jsons.loads(row["seen"]) if row["seen"] else None,
            "sentences": told,
        }
    }
    return about | document, [*sentences, *told]


def _who(text: str) -> tuple[str, int]:
    """Return the name of the site and the number of a candidate."""
    site, _, number = text.rpartition(":")
    if not site or not number.isdigit():
        raise UsageError(f"--candidate: {text!r} is not SITE:NUMBER, such as ward_1:12")
    return site, int(number)


def _document(run: Path, found: Verified) -> dict[str, Any]:
    """Return what a verification found as plain data."""
    broken = found.broken
    return {
        "run": str(run),
        "holds": broken is None,
        "root": found.root,
        "trials": found.trials,
        "decisions_verified": found.decisions,
        "rankings_verified": found.rankings,
        "broken": None if broken is None else {**vars(broken), "sentence": str(broken)},
    }
