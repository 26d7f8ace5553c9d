"""What was recommended to people, and what they made of it, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trialsim.contracts import Fate, Stop
from trialsim.engines.decision_log import FATES
from trialsim.report.numbers import plain
from trialsim.report.story_words import listed

_OVERRIDDEN_LOOK = (
    "The committee overrode it: the trial goes on as if nothing had been recommended, and the same bounds hold "
    "at later looks."
)
_WHO = {"visit": "investigator"}
_AT_REVIEWS = {
    Fate.ACCEPTED: "The {} accepted it.",
    Fate.DELAYED: "The {} delayed it: things stay as they are until the next decision, which is followed.",
    Fate.NOT_ASKED: "",
}
_OVERRIDDEN = {
    "allocation": "The committee overrode it: patients are allocated by the ratio of the design.",
    "visit": "The investigator overrode it: nothing was done.",
    "sites": "The committee overrode it: the sites that open are drawn at random.",
    "site_review": "The committee overrode it: no site closes and none is asked to open.",
}


def at_a_look(
    fate: Fate,
    by: str,
    stop: bool,
    reason: int,
    rejected: Sequence[str],
    given_up: Sequence[str],
    closed: Sequence[str],
    closes_enrolment: bool = False,
) -> str:
    """Return what was recommended at a look and what a committee made of it; nothing where it was not asked.

    Parameters
    ----------
    fate
        What became of it.
    by
        Name of the policy that recommended it.
    stop, reason
        Whether to stop was recommended, and why (:class:`~trialsim.contracts.Stop`).
    rejected, given_up
        Tests that were to be rejected, and given up.
    closed
        Open arms that were to be closed to allocation.
    closes_enrolment
        Whether enrolment was to be closed and the last look to come next.
    """
    if fate is Fate.NOT_ASKED:
        return ""
    what = [f"to stop ({Stop(reason).name.lower()})"] if stop else ["to go on"]
    what += [f"to reject {listed(rejected)}"] if rejected else []
    what += [f"to give up {listed(given_up)}"] if given_up else []
    what += [f"to close {listed(closed)} to allocation"] if closed else []
    what += ["to close enrolment and take the last look next"] if closes_enrolment else []
    open_still = [*closed, *(["enrolment"] if closes_enrolment else [])]
    waits = f"{listed(open_still)} stay{'s' * (len(open_still) == 1)} open"
    waits = waits if open_still and not stop else "the trial goes on"
    became = {
        Fate.ACCEPTED: "The committee accepted it.",
        Fate.DELAYED: f"The committee delayed it: what is concluded stands, and {waits} to the next look.",
        Fate.OVERRIDDEN: _OVERRIDDEN_LOOK,
    }
    return f"Recommended by {by}: {listed(what)}. {became[fate]}"


def logged(
    kind: str,
    by: str,
    decided: Mapping[str, Any],
    tests: Sequence[str],
    parts: Sequence[str],
    open_arms: Sequence[bool] = (),
) -> Iterator[str]:
    """Yield what the decision log holds of a recommendation to people; nothing where a policy decides alone.

    Parameters
    ----------
    kind
        Of the entry.
    by
        Name of the policy that recommends.
    decided
        What was decided.
    tests, parts
        Names of the tests, and of the arms or sites.
    open_arms
        Of a look: which arms were open.
    """
    if "people" not in decided:
        return
    fate = Fate(FATES.index(decided["people"]))
    if fate is Fate.NOT_ASKED:
        return
    if kind == "look":
        rejected, given_up = ([t for t, is_so in zip(tests, decided[f"recommended_{what}"], strict=True) if is_so]
                              for what in ("reject", "futile"))  # fmt: skip
        stay = decided["recommended_open_arms"]
        closed = [arm for arm, was, is_so in zip(parts, open_arms, stay, strict=True) if was and not is_so]
        stop, reason = decided["recommended_stop"], decided["recommended_reason"]
        closing = bool(decided.get("recommended_close_enrolment", False))
        yield at_a_look(fate, by, stop, reason, rejected, given_up, closed, closing)
        return
    became = (
        _OVERRIDDEN[kind]
        if fate is Fate.OVERRIDDEN
        else _AT_REVIEWS[fate].format(_WHO.get(kind, "committee"))
    )
    yield f"Recommended by {by}: {_at_a_review(kind, decided, parts)}. {became}"


def _at_a_review(kind: str, decided: Mapping[str, Any], parts: Sequence[str]) -> str:
    """Return what was recommended on allocation, sites or a patient."""
    if kind == "allocation":
        weights = zip(parts, decided["recommended_weights"], strict=True)
        return f"probabilities {listed([f'{arm} {plain(weight, 4)}' for arm, weight in weights])}"
    if kind == "visit":
        return str(decided["recommended_done"])
    if kind == "sites":
        number = sum(decided["open"])
        return (
            f"to open the {number} sites with the highest of its scores"
            if number > 1
            else "to open the site it scores highest"
        )
    closed, opened = (
        [site for site, is_so in zip(parts, decided[f"recommended_{what}"], strict=True) if is_so]
        for what in ("close", "open")
    )
    said = [f"to close {listed(closed)}"] if closed else []
    said += [f"to open {listed(opened)}"] if opened else []
    return listed(said)
