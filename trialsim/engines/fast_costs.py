"""What has to be paid for in the trials of a chunk of the fast engine, summed over its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import Ints, Kind
from trialsim.engines.fast_journal_kernels import SERIOUS_ROW, kind_of, part_of, value_of
from trialsim.engines.fast_site_kernels import ANSWER, CONTACT, DISPATCH, OUTCOME
from trialsim.engines.life import WAS_MISSED
from trialsim.operations.costs import COLUMN, ITEMS, CostLaw, present_count, present_time
from trialsim.operations.screening import FAILS_PRESCREEN, REFUSES
from trialsim.timegrid import NEVER

if TYPE_CHECKING:
    from trialsim.engines.fast import FastChunk

_SITE, _SITE_MONTH = COLUMN["site_activation"], COLUMN["site_month"]
_PATIENT, _PATIENT_MONTH = COLUMN["patient"], COLUMN["patient_month"]
_LOOK, _TRIAL_MONTH = COLUMN["look"], COLUMN["trial_month"]
_VISIT, _ADVERSE_EVENT, _SERIOUS = COLUMN["visit"], COLUMN["adverse_event"], COLUMN["serious_adverse_event"]
_WAS_VISIT, _WAS_ADVERSE = int(Kind.VISIT), int(Kind.ADVERSE_EVENT)
_PRESCREEN, _CONSENT, _SCREEN = COLUMN["prescreen"], COLUMN["consent"], COLUMN["screen"]


def amounts_of(chunk: FastChunk, costs: CostLaw, ends: Ints) -> Ints:
    """Return what has to be paid for in each trial, ``[replicate, item]``.

    Parameters
    ----------
    chunk
        Of trials that have ended.
    costs
        The law; its discount is used here, its prices are not.
    ends
        Tick at which each trial ended, ``[replicate]``.
    """
    amounts = np.zeros((len(ends), len(ITEMS)), dtype=np.int64)
    pay_for_patients(ends, chunk.entry, chunk.dropout, chunk.complete, costs.discount, amounts)
    if chunk.lives is not None:
        pay_for_lives(ends, chunk.entry, *chunk.lives.journal, costs.discount, amounts)
    for kind, record in chunk.history:
        if kind == "look":
            pay_for_looks(record[0], record[2], costs.discount, amounts)
    recruitment, tallies = chunk.patients.recruitment, chunk.tallies()
    if recruitment is not None and tallies is not None:
        pay_for_sites(ends, tallies.opened, tallies.closed, costs.discount, amounts)
        pay_for_candidates(
            ends, recruitment.closing, recruitment.offsets[:: recruitment.sites.count], recruitment.contact,
            recruitment.law.attempts, recruitment.law.keep, costs.discount, amounts,
        )  # fmt: skip
    return amounts


@kernel
def pay_for_patients(ends, entry, dropout, complete, discount, amounts):  # type: ignore[no-untyped-def]
    """Add up patients and their follow-up, and the time of the trial itself."""
    for r in range(len(ends)):
        arrivals = entry[r if len(entry) > 1 else 0]
        lost = dropout[r if len(dropout) > 1 else 0]
        done = complete[r if len(complete) > 1 else 0]
        end = ends[r]
        amounts[r, _TRIAL_MONTH] += present_time(end, discount)
        for i in range(len(arrivals)):
            begin = arrivals[i]
            if begin > end:
                break
            stop = min(begin + min(lost[i], done[i]), end)
            amounts[r, _PATIENT] += present_count(begin, discount)
            amounts[r, _PATIENT_MONTH] += present_time(stop, discount) - present_time(begin, discount)


@kernel
def pay_for_lives(ends, entry, ticks, codes, offsets, discount, amounts):  # type: ignore[no-untyped-def]
    """Add up visits and adverse events from the journals of patients' lives."""
    for r in range(len(ends)):
        arrivals = entry[r if len(entry) > 1 else 0]
        for i in range(len(arrivals)):
            if arrivals[i] > ends[r]:
                break
            for j in range(offsets[r, i], offsets[r, i + 1]):
                if ticks[r, j] > ends[r]:
                    continue
                code = codes[r, j]
                kind = kind_of(code)
                if kind == _WAS_VISIT and part_of(code) != WAS_MISSED:
                    amounts[r, _VISIT] += present_count(ticks[r, j], discount)
                elif kind == _WAS_ADVERSE:
                    amounts[r, _ADVERSE_EVENT] += present_count(ticks[r, j], discount)
                    if value_of(code) & SERIOUS_ROW:
                        amounts[r, _SERIOUS] += present_count(ticks[r, j], discount)


@kernel
def pay_for_looks(rows, cuts, discount, amounts):  # type: ignore[no-untyped-def]
    """Add up the looks of one round."""
    for k in range(len(rows)):
        amounts[rows[k], _LOOK] += present_count(cuts[k], discount)


@kernel
def pay_for_sites(ends, opened, closed, discount, amounts):  # type: ignore[no-untyped-def]
    """Add up sites that opened, and the time for which they were open."""
    for r in range(len(ends)):
        for s in range(opened.shape[1]):
            if opened[r, s] < NEVER:
                stop = min(closed[r, s], ends[r])
                amounts[r, _SITE] += present_count(opened[r, s], discount)
                amounts[r, _SITE_MONTH] += present_time(stop, discount) - present_time(opened[r, s], discount)


@kernel
def pay_for_candidates(ends, closing, offsets, contact, attempts, keep, discount, amounts):  # type: ignore[no-untyped-def]
    """Add up candidates who came, were asked for consent and began screening; ``offsets`` are those of replicates."""
    for r in range(len(ends)):
        end, shut = ends[r], closing[r]
        stays = keep or shut == NEVER
        for c in range(offsets[r] * attempts, offsets[r + 1] * attempts):
            came, called, answer = contact[c, CONTACT], contact[c, DISPATCH], contact[c, ANSWER]
            if came > end or came >= shut:
                continue
            if c % attempts == 0:
                amounts[r, _PRESCREEN] += present_count(came, discount)
            if contact[c, OUTCOME] == FAILS_PRESCREEN or called > end or called >= shut:
                continue
            if answer > end or (answer > shut and not stays):
                continue
            if answer > called:
                amounts[r, _CONSENT] += present_count(answer, discount)
            if contact[c, OUTCOME] != REFUSES:
                amounts[r, _SCREEN] += present_count(answer, discount)
