"""A part of a story: one candidate's way, one patient's, or one site's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trialsim.contracts import Kind, LogRow
from trialsim.engines.plan import Plan
from trialsim.errors import UsageError
from trialsim.operations.sites import SitesLaw
from trialsim.report.story_candidates import candidate_name, key_of, number_of, site_of
from trialsim.report.story_patient_lives import patient_sentences
from trialsim.report.story_recruitment import candidate_sentences, site_sentences
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import named, when
from trialsim.scenario.wording import did_you_mean, listed, shown


@dataclass(frozen=True, eq=False)
class Part:
    """What happened to one candidate, patient or site.

    Parameters
    ----------
    title
        Whom it is about.
    about
        The same as data: ``site``, ``candidate`` and ``patient``, those that apply.
    sentences
        Its story.
    log
        Its entries of the event log.
    """

    title: str
    about: dict[str, Any]
    sentences: tuple[str, ...]
    log: tuple[LogRow, ...]

    def text(self) -> str:
        """Return the story line by line."""
        return "\n".join(self.sentences)


def candidate_part(replay: Replay, who: str) -> Part:
    """Return one candidate's way, or one patient's.

    Parameters
    ----------
    replay
        The replicate.
    who
        ``SITE:NUMBER`` for a candidate, a number for a patient; both are counted from 1.

    Raises
    ------
    UsageError
        If there is nobody of that name or number.
    """
    sites = replay.plan.world.sites
    site, number = _read_candidate(sites, who)
    if not site:
        return _patient_part(replay, number)
    key = key_of(_site_number(sites, site, "--candidate"), number)
    came = {row.id for row in replay.log if row.kind == Kind.ARRIVAL and site_of(row.id) == site_of(key)}
    if key not in came:
        raise UsageError(f"--candidate: {_never_came(site, number, sorted(map(number_of, came)))}")
    return _candidate_part(replay, key)


def site_part(replay: Replay, name: str) -> Part:
    """Return one site's log.

    Parameters
    ----------
    replay
        The replicate.
    name
        Of the site.

    Raises
    ------
    UsageError
        If there is no site of that name.
    """
    site = _site_number(replay.plan.world.sites, name, "--site")
    entries = tuple(row for row in replay.log if named(replay, row).get("site") == name)
    return Part(f"site {name}", {"site": name}, tuple(site_sentences(replay, site)), entries)


def _candidate_part(replay: Replay, key: int) -> Part:
    """Return the way of a candidate who came."""
    sites = replay.plan.world.sites
    assert sites is not None
    about = {"site": sites.names[site_of(key)], "candidate": number_of(key)}
    log = []
    for row in replay.log:
        entry = named(replay, row)
        if (entry["site"], entry["candidate"]) == (about["site"], about["candidate"]):
            log.append(row)
    patient = next((i + 1 for i, course in enumerate(replay.courses) if course.key == key), None)
    about["patient"] = patient
    return Part(candidate_name(replay, key), about, tuple(candidate_sentences(replay, key)), tuple(log))


def _patient_part(replay: Replay, number: int) -> Part:
    """Return a patient's way: from first contact where patients come as candidates."""
    if not 1 <= number <= len(replay.courses):
        some = (
            f"they are numbered 1 to {len(replay.courses):,}" if replay.courses else "nobody was randomised"
        )
        raise UsageError(f"--candidate: there is no patient {number} in this trial; {some}.")
    if replay.with_sites:
        return _candidate_part(replay, replay.courses[number - 1].key)
    course = replay.courses[number - 1]
    log = tuple(row for row in replay.log if named(replay, row)["patient"] == number)
    came = f"Patient {number} was randomised to {replay.plan.arms[course.arm]}"
    sentences = (f"{came} on {when(course.entry)}.", *patient_sentences(replay, number - 1))
    return Part(f"patient {number}", {"patient": number}, sentences, log)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def require_part(plan: Plan, candidate: str | None, site: str | None) -> None:
    """Refuse a name that nobody can have, before a trial is replayed.

    Parameters
    ----------
    plan
        Of the trial.
    candidate, site
        As for :func:`candidate_part` and :func:`site_part`, or None.

    Raises
    ------
    UsageError
        If the name is malformed, or there is no such site.
    """
    sites = plan.world.sites
    if candidate is not None:
        name, _ = _read_candidate(sites, candidate)
        if name:
            _site_number(sites, name, "--candidate")
    if site is not None:
        _site_number(sites, site, "--site")


def _read_candidate(sites: SitesLaw | None, who: str) -> tuple[str, int]:
    """Return the site, empty for a patient, and the number."""
    site, colon, number = who.rpartition(":")
    if not _is_number(number) or (colon and not site):
        raise UsageError(
            f"--candidate: {shown(who)} is nobody; write SITE:NUMBER for a candidate, as in {_example(sites)}, or "
            "the number of a patient."
        )
    return site, int(number)


def _example(sites: SitesLaw | None) -> str:
    return f"{sites.names[0]}:12" if sites is not None else "north_1:12"


def _site_number(sites: SitesLaw | None, name: str, option: str) -> int:
    """Return the number of a site from 0."""
    if sites is None:
        raise UsageError(
            f"{option}: the scenario has no sites, its patients simply come; leave the option out"
            f"{', or give the number of a patient' if option == '--candidate' else ''}."
        )
    if name not in sites.names and name in sites.groups:
        own = [sites.names[s] for s in np.flatnonzero(sites.group == sites.groups.index(name))]
        raise UsageError(
            f"{option}: {shown(name)} is a group of {len(own)} sites; name one of {own[0]} to {own[-1]}."
        )
    if name not in sites.names:
        hint = did_you_mean(name, sites.names)
        raise UsageError(f"{option}: there is no site {shown(name)}; there are {listed(sites.names)}.{hint}")
    return sites.names.index(name)


def _never_came(site: str, number: int, came: list[int]) -> str:
    """Return the sentence for a candidate who did not come."""
    who = f"candidate {number} of site {site} never came in this trial"
    if not came:
        return f"{who}, nobody did."
    near = min(came, key=lambda one: abs(one - number))
    span = f"{len(came):,} did, numbered {came[0]} to {came[-1]}" if len(came) > 1 else f"{came[0]} alone did"
    return f"{who}; {span}. Did you mean '{site}:{near}'?"
