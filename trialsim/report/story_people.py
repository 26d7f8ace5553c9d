"""What people made of recommendations on sites, allocation and patients in a trial, in sentences; looks tell of theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from trialsim.contracts import Fate
from trialsim.engines.decision_log import FATES
from trialsim.report.people import logged
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import count, listed, when

_IN_FULL = 6
"""Recommendations that are told one by one; of more their number is told."""
_KINDS = {
    "sites": "which sites open",
    "site_review": "sites",
    "allocation": "allocation",
    "visit": "patients at visits",
}
_BECAME = {Fate.ACCEPTED: "accepted", Fate.DELAYED: "delayed", Fate.OVERRIDDEN: "overridden"}


def people_sentences(replay: Replay) -> list[str]:
    """Return what was recommended besides looks and what became of it; nothing where policies decide alone.

    Parameters
    ----------
    replay
        The replicate.
    """
    found = []
    for kind, about in _KINDS.items():
        entries = [each for each in replay.recommended if each["kind"] == kind]
        if kind != "visit" and len(entries) <= _IN_FULL:
            found += [_told(replay, each) for each in entries]
        elif entries:
            number = Counter(each["decided"]["people"] for each in entries)
            became = [(number[FATES[fate]], word) for fate, word in _BECAME.items()]
            fates = listed(
                [f"{many:,} {'was' if many == 1 else 'were'} {word}" for many, word in became if many]
            )
            text = f"There were {count(len(entries), 'recommendation')} on {about} by {_by(replay, kind)}"
            found.append(f"{text}: {fates}.")
    return found


def people_about(replay: Replay, patient: int) -> list[str]:
    """Return what was recommended about a patient, numbered from 0, at visits, and what the investigator made of it."""
    return [
        _told(replay, each)
        for each in replay.recommended
        if each["kind"] == "visit" and each["decided"]["patient"] == replay.courses[patient].key
    ]


def _told(replay: Replay, entry: Mapping[str, Any]) -> str:
    """Return an entry of the decision log in words."""
    kind, sites = entry["kind"], replay.plan.world.sites
    parts = replay.plan.arms if kind == "allocation" or sites is None else sites.names
    at = "" if kind == "sites" else f" on {when(entry['tick'])}"
    (said,) = logged(kind, _by(replay, kind) + at, entry["decided"], (), parts)
    return said


def _by(replay: Replay, kind: str) -> str:
    """Return the name of the policy that recommends."""
    plan = replay.plan
    policy = {"allocation": plan.randomisation, "visit": plan.monitoring}.get(kind, plan.site_policy)
    name: str = policy.recommends.name  # type: ignore[union-attr]
    return name
