"""Recruitment told in plain sentences: the trial's as a whole, one site's, and one candidate's way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from trialsim.contracts import Kind, LogRow
from trialsim.operations.sites import NO_LIMIT
from trialsim.policies.scores import STEPS
from trialsim.report.numbers import plain
from trialsim.report.story_candidates import (
    CLOSED_BECAUSE,
    CONSENT,
    OF_CANDIDATES,
    RELEASED_FROM,
    RESULT,
    candidate_name,
    number_of,
    site_of,
)
from trialsim.report.story_patient_lives import patient_sentences
from trialsim.report.story_replay import Replay
from trialsim.report.story_words import count, listed, when
from trialsim.timegrid import TICKS_PER_DAY, to_days

_STOOD = {
    "waiting": "while waiting to be called",
    "in_screening": "during screening",
    "before_randomisation": "before randomisation",
}

_TIMES = ("opened_time", "closed_time", "idle_days")


def recruitment_sentences(replay: Replay) -> list[str]:
    """Return how recruitment went; nothing in a world without sites."""
    if not replay.with_sites:
        return []
    sites = replay.plan.world.sites
    assert sites is not None
    table = replay.tables["sites"]
    opened = sorted((row.tick, row.id) for row in replay.log if row.kind == Kind.SITE)
    if not opened:
        return [
            f"None of the {sites.count} sites opened." if sites.count > 1 else "The only site did not open."
        ]
    opening = f"{_of(len(opened), sites.count, 'site')} opened, the first on {when(opened[0][0])}"
    if len(opened) > 1:
        opening += f", the last on {when(opened[-1][0])}"
    sentences = [f"{opening}."]
    failures = dict(
        zip(
            replay.plan.world.screening.reasons if replay.plan.world.screening is not None else (),
            replay.tables["screening"]["failures"].tolist(),
            strict=True,
        )
    )
    whole = {name: int(column.sum()) for name, column in table.items() if name not in _TIMES}
    sentences += _counted(whole, failures)
    full = [
        row for row in replay.log if row.kind == Kind.SITE_CLOSED and CLOSED_BECAUSE[int(row.value)] == "cap"
    ]
    if full:
        first = full[0]
        patients = count(int(table["randomised"][first.id]), "patient")
        sentences.append(
            f"Site {sites.names[first.id]} filled first: it had its {patients} on {when(first.tick)}."
        )
    elif sites.count > 1 and table["randomised"].max() > 0:
        most = int(table["randomised"].argmax())
        patients = count(int(table["randomised"][most]), "patient")
        sentences.append(f"No site was full; the most came from site {sites.names[most]}, {patients}.")
    sentences += _idle(replay, range(sites.count), "The places of coordinators")
    return sentences


def review_sentences(replay: Replay) -> list[str]:
    """Return what reviews decided on sites and candidates; nothing where they decide on neither."""
    plan, sites = replay.plan, replay.plan.world.sites
    reviews = [row for row in replay.log if row.kind == Kind.REVIEW]
    if sites is None or not (plan.reselects_sites or plan.rescores_candidates):
        return []
    if not reviews:
        return ["Recruitment was never reviewed."]
    text = f"Recruitment was reviewed {count(len(reviews), 'time')}, last on {when(reviews[-1].tick)}"
    found = []
    if plan.reselects_sites:
        closed = [
            row.id
            for row in replay.log
            if row.kind == Kind.SITE_CLOSED and CLOSED_BECAUSE[int(row.value)] == "review"
        ]
        called = [row.id for row in replay.log if row.kind == Kind.SITE_CALLED]
        found.append(f"{_sites(sites.names, closed, 'was', 'were')} closed")
        found.append(f"{_sites(sites.names, called, 'was', 'were')} asked to open")
    if plan.rescores_candidates:
        scores = sum(row.kind == Kind.RESCORED for row in replay.log)
        found.append(f"those waiting were given {count(scores, 'new score')}")
    return [f"{text}; {listed(found)}."]


def _sites(names: Sequence[str], chosen: Sequence[int], one: str, several: str) -> str:
    """Return some sites by name, and the verb for as many."""
    if not chosen:
        return f"no site {one}"
    listing = listed([names[s] for s in chosen])
    return f"site{'' if len(chosen) == 1 else 's'} {listing} {one if len(chosen) == 1 else several}"


def site_sentences(replay: Replay, site: int) -> list[str]:
    """Return how recruitment went at one site.

    Parameters
    ----------
    replay
        A replicate of a world with sites.
    site
        Number of the site from 0.
    """
    sites, table = replay.plan.world.sites, replay.tables["sites"]
    assert sites is not None
    name = sites.names[site]
    opened = [row.tick for row in replay.log if row.kind == Kind.SITE and row.id == site]
    if not opened:
        called = [row.tick for row in replay.log if row.kind == Kind.SITE_CALLED and row.id == site]
        asked = f", though it was asked on {when(called[0])}" if called else ""
        return [f"Site {name} never opened in this trial{asked}."]
    text = f"Site {name} opened on {when(opened[0])}"
    called = [row.tick for row in replay.log if row.kind == Kind.SITE_CALLED and row.id == site]
    if called:
        text = f"Site {name}, a reserve, was asked on {when(called[0])}, opened on {when(opened[0])}"
    closed = [row for row in replay.log if row.kind == Kind.SITE_CLOSED and row.id == site]
    if closed:
        patients = count(int(table["randomised"][site]), "patient")
        why = {
            "cap": f"having its {patients}",
            "time": "its time being over",
            "review": "as a review decided",
        }[CLOSED_BECAUSE[int(closed[0].value)]]
        text += f" and closed on {when(closed[0].tick)}, {why}"
    elif (shut := _enrolment_closed(replay)) is not None:
        text += f" and took candidates until enrolment closed on {when(shut)}"
    else:
        text += " and was open to the end of the trial"
    rows = [row for row in replay.log if row.kind == Kind.SCREENING and site_of(row.id) == site]
    failures = _failures(replay, rows)
    numbers = {key: int(column[site]) for key, column in table.items() if key not in _TIMES}
    return [
        f"{text}.",
        *_counted(numbers, failures),
        *_idle(replay, [site], "The places of its coordinators"),
    ]


def candidate_sentences(replay: Replay, key: int) -> list[str]:
    """Return one candidate's way: contact, waiting, screening, and what became of the patient.

    Parameters
    ----------
    replay
        A replicate of a world with sites.
    key
        Of a candidate who came.
    """
    patient = next((i for i, course in enumerate(replay.courses) if course.key == key), None)
    sentences: list[str] = []
    parts: list[str] = []
    came = standing = 0
    done = False
    for row in replay.log:
        if row.kind == Kind.RANDOMISATION and row.id == patient:
            arm = replay.plan.arms[replay.courses[row.id].arm]
            parts.append(f"was randomised on {when(row.tick)} to {arm} as patient {row.id + 1}")
            done = True
        if row.kind not in OF_CANDIDATES or row.kind == Kind.CANDIDATE or row.id != key:
            continue
        if row.kind == Kind.ARRIVAL:
            if parts:
                sentences.append(f"{_beginning(replay, key, sentences)} {listed(parts)}.")
            again = "again " if row.part else ""
            parts, came, standing = [f"came {again}on {when(row.tick)}"], row.tick, 0
        elif row.kind == Kind.DISPATCH:
            standing = 1
        told, ends = _step(replay, row, came)
        parts += told
        done = ends
        if row.kind == Kind.SCREENING and row.part == RESULT:
            standing = 2
    last = replay.log[-1].tick
    if not done:
        where = _STOOD[RELEASED_FROM[standing]]
        parts.append(f"had come no further, {where}, when the trial ended on {when(last)}")
    sentences.append(f"{_beginning(replay, key, sentences)} {listed(parts)}.")
    return sentences + ([] if patient is None else patient_sentences(replay, patient))


def _beginning(replay: Replay, key: int, before: Sequence[str]) -> str:
    """Return with whom a sentence begins."""
    name = candidate_name(replay, key)
    return f"{name[0].upper()}{name[1:]}" if not before else f"Candidate {number_of(key)}"


def _step(replay: Replay, row: LogRow, came: int) -> tuple[list[str], bool]:
    """Return what an entry adds to a candidate's way, and whether the way may end there."""
    law = replay.plan.world.screening
    assert law is not None
    on, value = f"on {when(row.tick)}", int(row.value)
    waited = f"{plain(to_days(row.tick - came), 1)} days"
    if row.kind == Kind.ARRIVAL:
        if value:
            return [], False
        return ["had records that did not pass"], True
    if row.kind == Kind.DISPATCH:
        return ["was called at once" if row.tick == came else f"waited {waited} and was called {on}"], False
    if row.kind == Kind.RESCORED:
        return [f"was scored anew {on} ({plain(row.value / STEPS, 3)})"], False
    if row.kind == Kind.RENEGING:
        return [f"withdrew {on} after waiting {waited}"], True
    if row.kind == Kind.RELEASED:
        return [f"was released {on} {_STOOD[RELEASED_FROM[value]]}, as {_closing(replay, row)} closed"], True
    if row.part == CONSENT:
        return [f"{'consented' if value else 'refused'} {on}"], not value
    if not value:
        return [f"passed screening {on}"], False
    return [f"failed screening ({law.reasons[value - 1]}) {on}"], True


def _closing(replay: Replay, released: LogRow) -> str:
    """Return what closed when a candidate was released."""
    site = site_of(released.id)
    here = any(
        row.kind == Kind.SITE_CLOSED and row.id == site and row.tick == released.tick for row in replay.log
    )
    return "the site" if here else "enrolment"


def _counted(numbers: dict[str, int], failures: dict[str, int]) -> list[str]:
    """Return how many candidates came and what became of them, from the counts of the records."""
    came = numbers["candidates"]
    if came == 0:
        return ["No candidate came."]
    left = [
        (numbers["prescreen_failures"], "had records that did not pass"),
        (numbers["withdrawals"], "withdrew while waiting"),
        (numbers["refusals"], "refused"),
        (numbers["released"], "were released when their site or enrolment closed"),
    ]
    gone = [f"{number:,} {_singular(what) if number == 1 else what}" for number, what in left if number]
    text = f"{count(came, 'candidate')} came"
    sentences = [f"{text}; {listed(gone)}." if gone else f"{text}."]
    screened, failed = numbers["screened"], numbers["screen_failures"]
    if screened:
        reasons = [f"{number:,} for {reason}" for reason, number in failures.items() if number]
        lost = f"{failed:,} failed ({listed(reasons)})" if failed else "none failed"
        begun = count(screened, "screening")
        text = f"{begun} {'was' if screened == 1 else 'were'} begun with consent and {lost}"
        sentences.append(f"{text}; {count(numbers['randomised'], 'candidate')} became {_patients(numbers)}.")
    if again := numbers["rescreened"]:
        attempts, patients = numbers["rescreenings"], numbers["rescreened_randomised"]
        often = "" if attempts == again else f", {attempts:,} times in all"
        became = "a patient" if patients == 1 else "patients"
        sentences.append(
            f"{count(again, 'candidate')} came again after failing{often}; {patients:,} of them became {became}."
        )
    return sentences


def _patients(numbers: dict[str, int]) -> str:
    return "a patient" if numbers["randomised"] == 1 else "patients"


def _singular(what: str) -> str:
    """Return a clause about several candidates as one about a single one."""
    return what.replace("were released when their", "was released when its")


def _failures(replay: Replay, rows: Iterable[LogRow]) -> dict[str, int]:
    """Return screening failures by reason, in the order of the reasons."""
    law = replay.plan.world.screening
    assert law is not None
    found = Counter(int(row.value) for row in rows if row.part != CONSENT and row.value > 0)
    return {reason: found[place + 1] for place, reason in enumerate(law.reasons)}


def _idle(replay: Replay, chosen: Iterable[int], what: str) -> list[str]:
    """Return how long places for screening were free; nothing where their number is not limited."""
    sites, table = replay.plan.world.sites, replay.tables["sites"]
    assert sites is not None
    shut = _enrolment_closed(replay)
    end = min(replay.end, shut if shut is not None else replay.end) / TICKS_PER_DAY
    idle = available = 0.0
    for s in chosen:
        opened, closed = float(table["opened_time"][s]), float(table["closed_time"][s])
        if sites.coordinators[s] < NO_LIMIT and opened == opened:
            until = min(end, closed) if closed == closed else end
            available += float(sites.coordinators[s]) * max(until - opened, 0.0)
            idle += float(table["idle_days"][s])
    if available <= 0.0:
        return []
    share = 100.0 * idle / available
    return [
        f"{what} were free for {plain(idle, 0)} days in all, {plain(share, 0)}% of the time they were there."
    ]


def _enrolment_closed(replay: Replay) -> int | None:
    """Return when enrolment closed, or None."""
    return next((row.tick for row in replay.log if row.kind == Kind.ENROLMENT_CLOSED), None)


def _of(some: int, whole: int, noun: str) -> str:
    """Return how many of how many."""
    if some == whole:
        return f"All {count(whole, noun)}" if whole > 1 else f"The {noun}"
    return f"{some:,} of {count(whole, noun)}"
