"""The words of recruitment: who a candidate is, and what an entry of the event log says of sites and candidates."""

from __future__ import annotations

from typing import Any

from trialsim.contracts import Kind, LogRow
from trialsim.operations.sites import SITE_BITS
from trialsim.policies.scores import STEPS
from trialsim.report.numbers import plain
from trialsim.report.story_replay import Replay

RECRUITMENT_COLUMNS = ("site", "candidate", "attempt", "result")
"""What the event log says besides, in a world with sites; candidates and attempts are numbered from 1."""

OF_CANDIDATES = (
    Kind.ARRIVAL, Kind.DISPATCH, Kind.SCREENING, Kind.RENEGING, Kind.RELEASED, Kind.CANDIDATE,
    Kind.RESCORED,
)  # fmt: skip
OF_SITES = (Kind.SITE, Kind.SITE_CLOSED, Kind.SITE_CALLED)

CONSENT, RESULT, WINDOW_END = 0, 1, 2
"""Parts of an entry of screening: the answer to the question for consent, the result, the end of the window after it."""

CLOSED_BECAUSE = {1: "cap", 2: "time", 3: "review"}
RELEASED_FROM = ("waiting", "in_screening", "before_randomisation")

_WHY_CLOSED = {"cap": "as it was full", "time": "as its time was over", "review": "as a review decided"}
_NUMBER = (1 << SITE_BITS) - 1


def site_of(key: int) -> int:
    """Return the number of the site at which a candidate is."""
    return key >> SITE_BITS


def number_of(key: int) -> int:
    """Return the number of a candidate at the site, from 1."""
    return (key & _NUMBER) + 1


def key_of(site: int, number: int) -> int:
    """Return the key of a candidate given the number of the site from 0 and the candidate's from 1."""
    return (site << SITE_BITS) | (number - 1)


def candidate_name(replay: Replay, key: int) -> str:
    """Return who a candidate is."""
    assert replay.plan.world.sites is not None
    return f"candidate {number_of(key)} of site {replay.plan.world.sites.names[site_of(key)]}"


def of_recruitment(replay: Replay, row: LogRow) -> dict[str, Any]:
    """Return what an entry of the event log says of sites and candidates; nothing where it is about neither.

    Parameters
    ----------
    replay
        A replicate of a world with sites.
    row
        The entry.
    """
    sites, law = replay.plan.world.sites, replay.plan.world.screening
    assert sites is not None and law is not None
    kind, value = row.kind, int(row.value)
    if kind in OF_SITES:
        why = CLOSED_BECAUSE.get(value) if kind == Kind.SITE_CLOSED else None
        return {"site": sites.names[row.id], "reason": why}
    if kind not in OF_CANDIDATES:
        return {}
    key = value if kind == Kind.CANDIDATE else row.id
    found: dict[str, Any] = {"site": sites.names[site_of(key)], "candidate": number_of(key)}
    found["attempt"] = replay.attempt_at(key, row.tick)
    if kind == Kind.CANDIDATE:
        found["patient"] = row.id + 1
    elif kind == Kind.ARRIVAL:
        found["result"] = "passed" if value else "failed"
    elif kind == Kind.RESCORED:
        found["value"] = row.value / STEPS
    elif kind == Kind.RELEASED:
        found["reason"] = RELEASED_FROM[value]
    elif kind == Kind.SCREENING and row.part == CONSENT:
        found["result"] = "consented" if value else "refused"
    elif kind == Kind.SCREENING:
        found["result"] = "failed" if value else "passed"
        found["reason"] = law.reasons[value - 1] if value else None
    return found


def of_patient(replay: Replay, patient: int) -> dict[str, Any]:
    """Return which candidate a patient, numbered from 1, was."""
    assert replay.plan.world.sites is not None
    key = replay.courses[patient - 1].key
    return {"site": replay.plan.world.sites.names[site_of(key)], "candidate": number_of(key)}


def recruitment_clause(entry: dict[str, Any]) -> str | None:
    """Return a clause that says what an entry of recruitment records; None for other entries."""
    kind, site = entry["kind"], f"site {entry.get('site')}"
    who = f"candidate {entry.get('candidate')} of {site}"
    if kind == "arrival":
        if entry["attempt"] > 1:
            return f"{who} came again, attempt {entry['attempt']}"
        return f"{who} came, {'and' if entry['result'] == 'passed' else 'but'} the records {_passed(entry)}"
    if kind == "screening":
        if entry["result"] == "failed":
            return f"{who} failed screening ({entry['reason']})"
        return f"{who} {'passed screening' if entry['result'] == 'passed' else entry['result']}"
    if kind == "released":
        return f"{who} was released, {entry['reason'].replace('_', ' ')}"
    if kind == "randomisation" and entry.get("site") is not None:
        told = f"({site}, candidate {entry['candidate']})"
        return f"patient {entry['patient']} {told} was randomised to {entry['arm']}"
    return {
        "site": f"{site} opened",
        "site_closed": f"{site} closed, {_WHY_CLOSED.get(entry['reason'], '')}",
        "site_called": f"{site}, a reserve, was asked to open",
        "rescored": f"{who} was scored anew: {_score(entry['value'])}",
        "dispatch": f"{who} was called",
        "reneging": f"{who} withdrew while waiting",
        "candidate": f"patient {entry['patient']} is {who}",
    }.get(kind)


def _score(value: float | None) -> str:
    return plain(value, 3) if value is not None else ""


def _passed(entry: dict[str, Any]) -> str:
    return "passed" if entry["result"] == "passed" else "did not pass"
