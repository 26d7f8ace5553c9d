"""The decision log of a trial: what policies saw and decided, each entry chained to the one before by a digest."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trialsim.contracts import (
    DISCONTINUE,
    NOTHING,
    REDUCE,
    AllocationView,
    CandidateView,
    Decision,
    Floats,
    Ints,
    LookView,
    MonitoringPolicy,
    SiteDecision,
)
from trialsim.engines.plan import Plan
from trialsim.engines.points import VisitsDecided
from trialsim.engines.remembered import Remembered
from trialsim.engines.site_selection import choice_of_sites
from trialsim.operations.sites import SITE_BITS
from trialsim.policies.committees import Investigator
from trialsim.scenario.inner_policies import inner_policies
from trialsim.scenario.schema import Scenario

if TYPE_CHECKING:
    from trialsim.engines.conduct import Asked, ChunkResult

LOG, HEADS, RANKINGS = "decision_log", "log_heads", "rankings"
TEXTS = ("record", "seen", "link", "head")
"""Columns that hold text of their own in each row."""

KEPT_IN_FULL = 100
"""Of the first so many replicates the log keeps what was seen, and every score, as text; of all it keeps digests.

The digest of what was seen is that of the text where the text is kept, and that of the numbers where it is not.
"""

DONE_AT_VISITS = ("nothing", "treatment ended", "dose lowered")
"""What the answers :data:`~trialsim.contracts.NOTHING`, ``DISCONTINUE`` and ``REDUCE`` are called."""

FATES = ("accepted", "delayed", "overrode", "were not asked")
"""What people do of a recommendation, in the order of :class:`~trialsim.contracts.Fate`."""

_RECOMMENDED = (
    "stop", "reason", "reject", "futile", "open_arms", "weights", "close_enrolment", "score", "close", "open",
)  # fmt: skip
_TICKS = float(1 << 20)
_SLOTS = {"randomisation": "allocation", "stopping": "look"}
_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
Columns = dict[str, NDArray[Any]]
Parts = list[tuple[str, NDArray[Any]]]
"""Names, and arrays whose first axis is the replicate."""


@dataclass(frozen=True)
class Origin:
    """What a chain begins with: of which scenario, seed, design and truth it is, and which policies and models decide.

    Parameters
    ----------
    scenario
        Digest of the scenario.
    seed
        Of the run.
    design, truth
        Names.
    models
        SHA-256 of each checkpoint that a policy of the design uses, by slot.
    """

    scenario: str
    seed: int
    design: str
    truth: str
    models: Mapping[str, tuple[str, ...]]

    def link(self, replicate: int) -> bytes:
        """Return the digest that stands before the first decision of a replicate."""
        told = {"scenario": self.scenario, "seed": self.seed, "design": self.design, "truth": self.truth,
                "models": self.models, "replicate": replicate}  # fmt: skip
        return hashlib.sha256(_ENCODE(told).encode()).digest()


def origin_of(scenario: Scenario, design: str, truth: str, seed: int) -> Origin:
    """Return what the chains of a design under a truth begin with."""
    policies = scenario.designs[design].policies
    models = {slot: tuple(_digests(parameters)) for slot, (_, parameters) in policies.items()}
    found = {slot: models[slot] for slot in sorted(models) if models[slot]}
    return Origin(scenario.digest(), seed, design, truth, found)


def _digests(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the digests of a policy's checkpoint and of those of policies inside it."""
    if parameters.get("digest"):
        yield str(parameters["digest"])
    for _, _, own in inner_policies(parameters):
        yield from _digests(own)


@dataclass
class _Entry:
    """One decision before it is chained: when, the parts of its record, and the text of what was seen."""

    tick: int
    kind: str
    decided: str
    seen: str = ""
    digest: str = ""
    number: int = -1
    first: int = 0
    last: int = 0


_RANKS = {"visit": 0, "site_review": 1, "visits": 3}
"""Which of an instant's entries comes first; the others stand between, in the order in which they were noted."""


def _order(entry: _Entry) -> tuple[int, int]:
    """Return the key by which entries are sorted: visits and reviews of sites are noted last, and happen first."""
    return entry.tick, _RANKS.get(entry.kind, 2)


class Journal:
    """Writes the decision log of a chunk of trials.

    Parameters
    ----------
    plan
        The plan of its trials.
    origin
        What the chains begin with.
    replicates
        Their global numbers.
    in_full
        Replicates of which everything is kept: numbers below this, by default :data:`KEPT_IN_FULL`.
    """

    def __init__(self, plan: Plan, origin: Origin, replicates: Ints, in_full: int | None = None) -> None:
        self._plan, self._origin, self._replicates = plan, origin, replicates
        self._in_full = KEPT_IN_FULL if in_full is None else in_full
        self._entries: list[list[_Entry]] = [[] for _ in replicates]
        self._named = {
            "look": ("stopping", plan.stopping.name),
            "allocation": ("randomisation", plan.randomisation.name),
            "candidates": ("recruitment", plan.recruitment.name),
            "sites": ("sites", "" if plan.site_policy is None else plan.site_policy.name),
            "site_review": ("sites", "" if plan.site_policy is None else plan.site_policy.name),
            "size": ("stopping", "size"),
            "visit": ("monitoring", "" if plan.monitoring is None else plan.monitoring.name),
            "visits": ("monitoring", "" if plan.monitoring is None else plan.monitoring.name),
        }

    def note(self, asked: Asked, decision: Decision) -> None:
        """Note what a policy was asked and what it decided."""
        kind, view = _SLOTS[asked.slot], asked.view
        seen = _seen_at_look(view) if kind == "look" else _seen_at_review(view)
        ticks = np.rint(view.cut_days * _TICKS).astype(np.int64)
        self._add(kind, asked.rows, ticks, seen, _decided(decision), view.look if kind == "look" else None)

    def _add(
        self,
        kind: str,
        rows: Ints,
        ticks: Ints,
        seen: Parts,
        decided: Parts,
        numbers: Ints | None = None,
    ) -> None:
        """Add an entry to each of some replicates."""
        kept = np.flatnonzero(self._replicates[rows] < self._in_full)
        texts: dict[int, str] = dict(
            zip(kept.tolist(), _texts([(name, array[kept]) for name, array in seen], len(kept)), strict=True)
        )
        digests = _digests_of(seen, len(rows))
        for row in np.flatnonzero(self._replicates[rows] < KEPT_IN_FULL).tolist():
            digests[row] = hashlib.sha256(texts[row].encode()).hexdigest()
        looks = [-1] * len(rows) if numbers is None else numbers.tolist()
        for i, (row, tick, said, digest, look) in enumerate(
            zip(rows.tolist(), ticks.tolist(), _texts(decided, len(rows)), digests, looks, strict=True)
        ):
            self._entries[row].append(_Entry(tick, kind, said, texts.get(i, ""), digest, look))

    def _keeps(self, row: int) -> bool:
        """Return whether everything of a replicate is kept."""
        return bool(self._replicates[row] < self._in_full)

    def tables(self, result: ChunkResult) -> dict[str, Columns]:
        """Return the log of a chunk that has ended: decisions, the head of each chain, and rankings."""
        self._note_sizes(result)
        self._note_reviews_of_sites(result)
        self._note_visits(result)
        for entries in self._entries:
            entries.sort(key=_order)
        self._note_sites()
        rankings = self._note_candidates(result)
        log: dict[str, list[Any]] = {name: [] for name in ("replicate", "decision", "record", "seen", "link")}
        heads, counts = [], []
        for row, replicate in enumerate(self._replicates.tolist()):
            link = self._origin.link(replicate)
            for number, entry in enumerate(self._entries[row]):
                record = self._record(entry)
                link = hashlib.sha256(link + record).digest()
                for column, value in zip(
                    log.values(), (replicate, number, record, entry.seen.encode(), link.hex().encode()), strict=True
                ):  # fmt: skip
                    column.append(value)
            heads.append(link.hex().encode())
            counts.append(len(self._entries[row]))
        found: dict[str, Columns] = {}
        found[LOG] = {
            "replicate": np.array(log["replicate"], dtype=np.int64),
            "decision": np.array(log["decision"], dtype=np.int32),
        }
        found[LOG] |= {name: _text_column(log[name]) for name in ("record", "seen", "link")}
        found[HEADS] = {
            "replicate": np.asarray(self._replicates, dtype=np.int64),
            "decisions": np.array(counts, dtype=np.int32),
            "head": _text_column(heads),
        }
        if rankings is not None:
            found[RANKINGS] = rankings
        return found

    def _record(self, entry: _Entry) -> bytes:
        """Return the record of an entry: what the next link is made from."""
        slot, name = self._named[entry.kind]
        models = self._origin.models.get(slot, ())
        parts = [f'"kind":"{entry.kind}"', f'"tick":{entry.tick}', f'"policy":{_ENCODE(name)}']
        parts += [f'"look":{entry.number + 1}'] if entry.number >= 0 else []
        parts += [f'"models":{_ENCODE(models)}'] if models else []
        parts += [f'"seen":"{entry.digest}"'] if entry.digest else []
        parts.append(f'"decided":{entry.decided}')
        return f"{{{','.join(parts)}}}".encode()

    # ---- what no policy is asked by the loop ----------------------------------------------------------------------

    def _note_sizes(self, result: ChunkResult) -> None:
        """Note what the rule that re-estimates the size decided, after the look at which it did."""
        if self._plan.resizing is None:
            return
        for look in result.looks:
            further, power = look.decision.further_counts, look.conditional_power
            if further is None or power is None:
                continue
            what = "events" if self._plan.resizing.by_events else "readouts"
            decided = [(f"further_{what}", further)]
            seen = ("conditional_power", power) if look.worth is None else ("early_z", look.worth[:, 0])
            self._add("size", look.point.rows, look.point.tick, [seen], decided)

    def _note_reviews_of_sites(self, result: ChunkResult) -> None:
        """Note which sites were closed, and which reserves were called, at reviews before the end of each trial."""
        for each in result.chunk.sites_reviewed():
            there = np.flatnonzero(each.tick <= result.ends.tick[each.rows])
            if not len(there):
                continue  # recruitment is worked out ahead: no trial got as far as this review
            view = each.view
            seen: Parts = [
                (name, getattr(view.so_far, name)[there])
                for name in ("open", "reserve", "open_days", "came", "randomised")
            ]
            known = view.of(there)
            seen += [("history_patients", known.history_patients), ("promised", known.promised)]
            seen += [("rates", known.rates)] if known.rates.size else []
            decided: Parts = [("close", each.closed[there]), ("open", each.called[there])]
            decided += [(name, array[there]) for name, array in _recommended(each.decision)]
            self._add("site_review", each.rows[there], each.tick[there], seen, decided)

    def _note_visits(self, result: ChunkResult) -> None:
        """Note what was done about patients at visits, and, at the end of each trial, all that was asked there.

        Most answers are that nothing is done, as was recommended: these have no entry of their own, and are told by the
        digest of all answers.
        """
        asked = result.chunk.visits_decided()
        if asked is None:
            return
        view, done = asked.view, asked.done
        recommended, fate = _recommended_at_visits(self._plan.monitoring, asked)
        some = np.flatnonzero((done != NOTHING) | (recommended != NOTHING))
        rows = np.ascontiguousarray(
            np.stack([view.patient, view.visit + 1, asked.tick, done], axis=1), dtype="<i8"
        )
        self._note_answers(result, asked.rows, rows)
        if not len(some):
            return
        seen: Parts = [(name, getattr(view, name)[some]) for name in ("days", "events", "serious", "dose")]
        seen += [("latent", view.latent[some])] if view.latent.size else []
        decided: Parts = [("patient", view.patient[some]), ("visit", view.visit[some] + 1)]
        decided.append(("done", np.array(DONE_AT_VISITS)[done[some]]))
        if isinstance(self._plan.monitoring, Investigator):
            decided.append(("recommended_done", np.array(DONE_AT_VISITS)[recommended[some]]))
            decided.append(("people", np.array(FATES)[fate[some]]))
        self._add("visit", asked.rows[some], asked.tick[some], seen, decided)

    def _note_answers(self, result: ChunkResult, owners: Ints, rows: NDArray[np.int64]) -> None:
        """Note the digest of all that was answered at visits, at the end of each trial; ``rows`` belong to ``owners``."""
        done, at = rows[:, 3], np.searchsorted(owners, np.arange(len(self._replicates) + 1))
        for row, (first, last) in enumerate(itertools.pairwise(at.tolist())):
            answers = hashlib.sha256(rows[first:last].data).hexdigest()
            counts = np.bincount(done[first:last], minlength=len(DONE_AT_VISITS)).tolist()
            told = {
                "visits": last - first,
                "lowered": counts[REDUCE],
                "ended": counts[DISCONTINUE],
                "answers": answers,
            }
            self._entries[row].append(_Entry(int(result.ends.tick[row]), "visits", _ENCODE(told)))

    def _note_sites(self) -> None:
        """Note which sites were opened, before anything else."""
        if self._plan.world.sites is None:
            return
        choice = choice_of_sites(self._plan, self._replicates)
        if choice is None:
            return
        view, score, chosen = choice.view, choice.score, choice.chosen
        seen: Parts = [
            ("history_days", np.broadcast_to(view.history_days, score.shape)),
            ("history_patients", view.history_patients),
            ("promised", view.promised),
        ]
        seen += [("rates", view.rates)] if view.rates.size else []
        rows = np.arange(len(self._replicates))
        decided: Parts = [("scores", score), ("open", chosen), *_recommended(choice.decision)]
        self._add("sites", rows, np.zeros_like(rows), seen, decided)
        for entries in self._entries:
            entries.insert(0, entries.pop())

    def _note_candidates(self, result: ChunkResult) -> Columns | None:
        """Note how candidates were ranked between decisions, and return the rankings that are kept in full."""
        scored = result.chunk.scored()
        if scored is None:
            return None
        rows = np.ascontiguousarray(np.stack([scored.keys, scored.ticks, scored.scores], axis=1), dtype="<i8")
        parts: list[tuple[int, int, NDArray[np.int64], list[str]]] = []
        for row in range(len(self._replicates)):
            first, last = int(scored.offsets[row]), int(scored.offsets[row + 1])
            keeps = self._keeps(row) and last > first
            texts = candidate_texts(result.chunk.candidates_seen(row)) if keeps else []
            self._entries[row] = list(self._with_candidates(row, rows, first, last, texts))
            if keeps:
                blocks = [(n, e) for n, e in enumerate(self._entries[row]) if e.kind == "candidates"]
                parts += [
                    (row, n, rows[e.first : e.last], texts[e.first - first : e.last - first])
                    for n, e in blocks
                ]
        return _rankings(self._replicates, parts)

    def _with_candidates(
        self, row: int, rows: NDArray[np.int64], first: int, last: int, texts: Sequence[str]
    ) -> Iterator[_Entry]:
        """Yield the entries of a replicate, those who were scored before each decision in an entry of their own."""
        ticks, at = rows[first:last, 1], 0
        for entry in self._entries[row]:
            until = int(np.searchsorted(ticks, entry.tick, side="right"))
            # Sites are chosen before anybody comes, and visits make no difference to rankings.
            if until > at and entry.kind not in ("sites", "visit", "visits"):
                yield self._ranking(row, rows, first + at, first + until, texts[at:until])
                at = until
            yield entry
        if last - first > at:
            yield self._ranking(row, rows, first + at, last, texts[at:])

    def _ranking(
        self, row: int, rows: NDArray[np.int64], first: int, last: int, texts: Sequence[str]
    ) -> _Entry:
        """Return the entry of candidates who were scored one after the other."""
        block = rows[first:last]
        digest = hashlib.sha256(block.data).hexdigest()
        # A record does not depend on whether more is kept this time than usual.
        usual = texts if self._replicates[row] < KEPT_IN_FULL else ()
        seen = hashlib.sha256("\n".join(usual).encode()).hexdigest() if usual else ""
        decided = f'{{"candidates":{last - first},"scores":"{digest}"}}'
        return _Entry(int(block[-1, 1]), "candidates", decided, "", seen, first=first, last=last)


def _recommended_at_visits(policy: MonitoringPolicy | None, asked: VisitsDecided) -> tuple[Ints, Ints]:
    """Return what was recommended at visits, and its fate: engines know what was done, so that it is asked for again.

    Of each patient the visits come in their order, so that what is remembered is as it was.
    """
    recommended = fate = np.full(len(asked.done), NOTHING)
    if not isinstance(policy, Investigator) or not len(fate):
        return recommended, fate
    patients = np.stack([asked.rows, asked.view.patient], axis=1)
    _, owner = np.unique(patients, axis=0, return_inverse=True)
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner)
    number = np.empty_like(owner)
    number[order] = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    recommended, fate, kept = recommended.copy(), fate.copy(), Remembered(len(counts))
    for visit in range(int(counts.max())):
        here = np.flatnonzero(number == visit)
        found = policy.judged(asked.view.of(here), kept.of(owner[here]))
        recommended[here], fate[here] = found[:2]
        kept.keep(owner[here], found[2])
    return recommended, fate


def candidate_texts(view: CandidateView) -> list[str]:
    """Return what a recruitment policy saw of each candidate as JSON: records, and what is hidden where it reads that."""
    columns: dict[str, list[Any]] = {}
    for k, name in enumerate(view.names):
        values = _plain(view.covariates[:, k])
        levels = view.levels.get(name)
        columns[name] = (
            values if levels is None else [None if code is None else levels[int(code)] for code in values]
        )
    if view.latent.size:
        columns |= {f"latent {trait}": _plain(view.latent[:, k]) for k, trait in enumerate(view.traits)}
    if view.chances.size:
        what = ("passing the records", "consenting", "being eligible")
        columns |= {f"chance of {name}": _plain(view.chances[:, k]) for k, name in enumerate(what)}
    names = list(columns)
    if not names:
        return ["{}"] * len(view.candidate)
    return [_ENCODE(dict(zip(names, values, strict=True))) for values in zip(*columns.values(), strict=True)]


def _rankings(
    replicates: Ints, parts: Iterable[tuple[int, int, NDArray[np.int64], Sequence[str]]]
) -> Columns:
    """Return the table of rankings: a row a candidate, in the order of first contacts."""
    chosen = list(parts)
    sizes = [len(block) for _, _, block, _ in chosen]
    rows = (
        np.concatenate([block for _, _, block, _ in chosen]) if chosen else np.zeros((0, 3), dtype=np.int64)
    )
    return {
        "replicate": np.repeat(np.array([replicates[row] for row, *_ in chosen], dtype=np.int64), sizes),
        "decision": np.repeat(np.array([number for _, number, *_ in chosen], dtype=np.int32), sizes),
        "site": (rows[:, 0] >> SITE_BITS).astype(np.int32),
        "candidate": rows[:, 0] & ((1 << SITE_BITS) - 1),
        "tick": rows[:, 1].astype(np.int64),
        "score": rows[:, 2].astype(np.int64),
        "seen": _text_column([text.encode() for _, _, _, texts in chosen for text in texts]),
    }


def _seen_at_look(view: LookView) -> Parts:
    """Return what a stopping policy saw."""
    names = ("z", "effect", "se", "information", "status", "efficacy_z", "futility_z", "rejected", "futile",
             "open_arms", "arm_enrolled", "arm_events", "arm_readouts", "own_z", "lost", "worth")  # fmt: skip
    found = [(name, value) for name in names if (value := getattr(view, name)) is not None]
    if view.error is not None:
        found.append(("error", view.error))
    elif view.seen is not None:  # whether any analysis of a batch has one must not matter
        found.append(("error", np.full(view.z.shape, np.nan)))
    if view.chains is not None:
        found.append(("chains", view.chains))
    if view.benefit.size:
        found.append(("benefit", np.broadcast_to(view.benefit, view.z.shape)))
    if view.seen is not None:
        found += [(f"seen_{name}", getattr(view.seen, name)) for name in ("readouts", "total", "pending")]
    return found


def _seen_at_review(view: AllocationView) -> Parts:
    """Return what a randomisation policy saw."""
    names = ("arm_enrolled", "arm_events", "arm_readouts", "arm_total", "open_arms")
    found: Parts = [(name, getattr(view, name)) for name in names]
    if view.benefit.size:
        found.append(("benefit", np.broadcast_to(view.benefit, view.open_arms.shape)))
    return found


def _decided(decision: Decision) -> Parts:
    """Return what was decided; what is left as it is, is left out."""
    names = ("stop", "reason", "reject", "futile", "open_arms", "weights", "close_enrolment", "trace", "rule")
    found = [(name, np.asarray(value)) for name in names if (value := getattr(decision, name)) is not None]
    return found + _recommended(decision)


def _recommended(decision: Decision | SiteDecision) -> Parts:
    """Return what was recommended to people and what they made of it; nothing where a policy decides alone."""
    if decision.recommended is None or decision.fate is None:
        return []
    said = (
        (f"recommended_{name}", np.asarray(value))
        for name in _RECOMMENDED
        if (value := getattr(decision.recommended, name, None)) is not None
    )
    return [*said, ("people", np.array(FATES)[decision.fate])]


def _texts(parts: Parts, size: int) -> list[str]:
    """Return arrays whose first axis is the replicate as JSON, a text a replicate."""
    if not parts:
        return ["{}"] * size  # nothing is changed
    names = [name for name, _ in parts]
    return [
        _ENCODE(dict(zip(names, values, strict=True)))
        for values in zip(*(_plain(array) for _, array in parts), strict=True)
    ]


def _digests_of(parts: Parts, size: int) -> list[str]:
    """Return the digest of the numbers of each replicate: float64, the lowest byte first, one array after the other."""
    columns = [np.asarray(array, dtype="<f8").reshape(size, -1) for _, array in parts]
    # One number for all that are none, and one zero.
    rows = np.ascontiguousarray(np.concatenate(columns, axis=1) + 0.0)
    rows[np.isnan(rows)] = np.nan
    return [hashlib.sha256(row.data).hexdigest() for row in rows]


def _plain(values: Floats | NDArray[Any]) -> list[Any]:
    """Return an array as lists for JSON: what is not a number as null, infinity as a word, minus zero as zero."""
    if values.dtype.kind != "f":
        return values.tolist()  # type: ignore[no-any-return]
    whole = values + 0.0
    if np.isfinite(whole).all():
        return whole.tolist()  # type: ignore[no-any-return]
    spoken = whole.astype(object)
    spoken[np.isnan(whole)] = None
    spoken[np.isposinf(whole)] = "inf"
    spoken[np.isneginf(whole)] = "-inf"
    return spoken.tolist()  # type: ignore[no-any-return]


def _text_column(texts: Sequence[bytes]) -> NDArray[Any]:
    """Return texts as an array of bytes; ASCII, as JSON is written here."""
    return np.array(texts, dtype=np.bytes_) if texts else np.zeros(0, dtype="S1")
