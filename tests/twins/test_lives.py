"""Patients' lives are told alike by both engines, on fine and coarse time, and a slip in either is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.twins.exhaustive import every
from tests.twins.lives import SCENARIOS
from tests.twins.test_mutations import Mutation, first_disagreement, load, outdated, put_in_place
from trialsim.conformance import check_twins
from trialsim.contracts import Kind
from trialsim.engines import fast_monitoring, reference
from trialsim.engines.conduct import conduct
from trialsim.engines.fast import FastEngine
from trialsim.engines.plan import build_plan
from trialsim.engines.records import columns_of
from trialsim.engines.runner import chunk_of
from trialsim.scenario.load import patient_table, scenario_from
from trialsim.timegrid import TICKS_PER_DAY

GRIDS = {"tick": (1, 8), "day": (TICKS_PER_DAY, 20), "week": (7 * TICKS_PER_DAY, 12)}
"""The step of time and how many trials; nothing ties on the finest, and on the coarsest nearly everything."""

MUTATIONS = [
    Mutation(
        "a read-out has the whole effect whatever is left of it",
        "reference_life",
        "if not course.weight and course.crossed_to is None:",
        "if True:",
    ),
    Mutation(
        "what is left of an effect is left of that of the other arm too",
        "fast_life_kernels",
        "1.0 if crossed else of_left[fading]",
        "of_left[fading]",
        ("live",),
    ),
    Mutation(
        "hazards hear of the outcome as randomised",
        "reference_life",
        "value = self.patient.outcome[e] = self._outcome(e)",
        "value, self.patient.outcome[e] = self.patient.outcome[e], self._outcome(e)",
    ),
    Mutation(
        "nothing is spent until a hazard changes",
        "reference_life",
        "amount = still_to_spend(amount, clock.pace, since, now, c, clock.group, *clocks)",
        "pass",
    ),
    Mutation(
        "an interruption is not noticed",
        "reference_life",
        "level = course.dose if course.paused_until is None else numbers.treatment.doses",
        "level = course.dose",
    ),
    Mutation(
        "a shorter interruption ends a longer one",
        "reference_life",
        "until = max(self._now + lasts, course.paused_until or 0)",
        "until = self._now + lasts",
    ),
    Mutation("adverse events go on after their window", "reference_life", "if self._after_window(c)]:", "if False]:"),
    Mutation(
        "the worst adverse event is the last",
        "reference_life",
        "self.course.worst = max(self.course.worst, level + 1)",
        "self.course.worst = level + 1",
    ),
    Mutation(
        "a dose below the last level",
        "reference_life",
        "lowest = course.dose + 1 == numbers.treatment.doses",
        "lowest = False",
    ),
    Mutation(
        "what was to come comes after leaving", "reference_life", "        self.course.timers.clear()\n", ""
    ),
    Mutation(
        "an effect fades at once", "reference_life", "course.weight += 1", "course.weight = numbers.treatment.weights - 1"
    ),
    Mutation(
        "those who cross over keep their arm's hazard",
        "reference_life",
        "if course.crossed_to is not None:\n                return",
        "if False:\n                return",
    ),
    Mutation(
        "rescue after the planned end", "reference_life", "        if reason is None:\n            return\n", ""
    ),
    Mutation(
        "outcomes are not heard",
        "reference_life",
        "if self.law.numbers.clock.hear[c, k] != 0.0:",
        "if False:",
    ),
    Mutation(
        "withdrawal comes before loss", "reference_life", "return Kind.DROPOUT, WITHDRAWAL_PART", "return Kind.READOUT, 255"
    ),
    Mutation(
        "a composite knows no death", "reference_cut", "changes = (quit_, p.died) if strategy",
        "changes = (quit_,) if strategy",
    ),
    Mutation(
        "a death counts before it is told", "reference_cut", "died = None if self._law.name == self._death else died",
        "died = p.died",
    ),
    Mutation(
        "a strategy takes no event that waits for its report as followed", "reference_cut",
        "own = p.event[e] if happened else p.stays_until(e, until)",
        "own = p.event[e] if happened else min(t for t in (until, p.ended) if t is not None)",
    ),
    Mutation(
        "planned ends are censored as if they were intercurrent", "reference_cut",
        'last = p.off if strategy == "while_on_treatment" else p.quit', "last = p.off",
    ),
    Mutation(
        "monitoring decides at missed visits", "reference_life",
        "            if course.left is None and course.last_dose is None:\n                self._monitor(visit)",
        "        if course.left is None and course.last_dose is None:\n            self._monitor(visit)",
    ),
    Mutation(
        "monitoring goes below the last dose", "reference_life",
        "if done == DISCONTINUE or course.dose + 1 == law.numbers.treatment.doses:", "if done == DISCONTINUE:",
    ),
    Mutation(
        "monitoring decides before a visit is seen", "fast_visit_kernels", "when[j] > held or (", "when[j] >= held or (",
        ("seen_at_visit",),
    ),
    Mutation("a missed visit is held", "reference_life", "if how != WAS_MISSED:", "if True:"),
    Mutation(
        "visits go on as scheduled after a late one", "reference_life", "self._expect_visit(visit + 1, now)",
        "self._expect_visit(visit + 1, 0)",
    ),
    Mutation(
        "an event that is not confirmed is analysed", "reference_life",
        "self.patient.refused[e] = int(self.trial.clock.now)\n                return",
        "self.patient.refused[e] = int(self.trial.clock.now)",
    ),
    Mutation(
        "reports on their way are not waited for", "reference",
        'if trigger.kind in ("events", "stages") and self.pending[trigger.endpoint]:', "if False:",
    ),
    Mutation(
        "a refused event is known before the verdict", "fast_life_kernels", "max(tick, refused_until[e])", "tick", ("live",)
    ),
    Mutation(
        "an event later than the window is told",
        "fast_life_kernels",
        "if next_at[slot_term + a] > now + of_window[a]:",
        "if next_at[slot_term + a] > now + 2 * of_window[a] + 9:",
        ("live",),
    ),
    Mutation(
        "the later of two in an instant comes first",
        "fast_life_kernels",
        "if next_at[s] < now:",
        "if next_at[s] <= now:",
        ("live",),
    ),
    Mutation(
        "the last dose of a patient whose treatment changed is told twice",
        "fast_life_kernels",
        "rough, how_of, plan_of, ahead, who_of",
        "rough // FULLY * FULLY, how_of, plan_of, ahead, who_of",
        ("live",),
    ),
    Mutation(
        "what was done about adverse events is not told", "fast_life_kernels", "event_at, notes,", "event_at, 0 * notes,",
        ("live",),
    ),
    Mutation(
        "an adverse event about which nothing is done lets nobody leave",
        "fast_life_kernels",
        "terms_begin, stirs, rough",
        "terms_begin, stirs != stirs, rough",
        ("live",),
    ),
    Mutation(
        "nobody resumes treatment", "fast_life_kernels", "paused = False\n                    changed", "changed", ("live",)
    ),
    Mutation(
        "those whose exit is not known leave too late",
        "fast_late_kernels",
        "limit - e[j] < time",
        "limit - e[j] <= time",
        ("numbers_at_risk_as_known",),
    ),
]  # fmt: skip


def disagreement(replicates: int = 12) -> str | None:
    """Return the first disagreement of the engines on the small scenarios, or None."""
    return first_disagreement(SCENARIOS.values(), replicates)


@pytest.mark.parametrize(
    ("grid", "trials"),
    [
        pytest.param(*grid, id=name, marks=[] if name == "week" else pytest.mark.slow)
        for name, grid in GRIDS.items()
    ],
)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_engines_agree(name: str, grid: int, trials: int) -> None:
    found = check_twins(scenario_from(SCENARIOS[name][0]), replicates=range(trials), grid=grid, seed=6)
    assert not found, found[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_how_far_lives_are_led_at_first_changes_nothing(name: str) -> None:
    scenario = scenario_from(SCENARIOS[name][0])
    replicates = np.arange(20)
    for design in scenario.designs:
        plan = build_plan(scenario, design, "here", 6, 1, patient_table(scenario))
        whole = conduct(FastEngine(plan).start(replicates))
        told = [whole.chunk.log(row) for row in range(20)]
        wanted = columns_of(whole)
        for ticks in (0, int(np.median(whole.ends.tick)), int(whole.ends.tick.min()) - 1):
            engine = FastEngine(plan)
            assert engine.learned is not None
            engine.learned.ticks = ticks
            engine.learned.rows_a_patient = 1
            part = conduct(engine.start(replicates))
            assert [part.chunk.log(row) for row in range(20)] == told
            assert ticks <= engine.learned.ticks <= plan.horizon
            found = columns_of(part)
            for table, columns in wanted.items():
                for column, values in columns.items():
                    np.testing.assert_array_equal(found[table][column], values, f"{table}.{column}")


@pytest.mark.slow
def test_everything_happens_in_the_small_scenarios() -> None:
    seen: set[tuple[Kind, int]] = set()
    for tree, _ in SCENARIOS.values():
        scenario = scenario_from(tree)
        for design in scenario.designs:
            chunk = conduct(chunk_of(scenario, design, "here", list(range(30)), 1, "fast")).chunk
            seen |= {(row.kind, row.part) for replicate in range(30) for row in chunk.log(replicate)}
    kinds = {kind for kind, _ in seen}
    assert kinds >= {
        Kind.ADVERSE_EVENT, Kind.SERIOUS, Kind.RESOLVES, Kind.DEATH, Kind.DISCONTINUED, Kind.REDUCED, Kind.INTERRUPTED,
        Kind.RESUMED, Kind.TREATMENT_ENDED, Kind.RESCUE, Kind.CROSSOVER,
        Kind.ONSET, Kind.VISIT, Kind.ADJUDICATED,
    }  # fmt: skip
    assert {(Kind.DROPOUT, 0), (Kind.DROPOUT, 1), (Kind.DEATH, 0), (Kind.DEATH, 2)} <= seen
    assert {(Kind.VISIT, 0), (Kind.VISIT, 1), (Kind.VISIT, 2)} <= seen


# The kernels of lives take half a minute to compile anew for each slip: `make test-exhaustive` makes them.
_SLOW = [mutation for mutation in MUTATIONS if mutation.file == "fast_life_kernels"]
_QUICK = [mutation for mutation in MUTATIONS if mutation.file != "fast_life_kernels"]


def test_every_slip_can_still_be_made() -> None:
    assert not outdated(MUTATIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mutation",
    [*every(4, _QUICK), *(pytest.param(slip, marks=pytest.mark.exhaustive) for slip in _SLOW)],
    ids=lambda m: f"{m.file}: {m.slip}",
)
def test_a_slip_is_found(mutation: Mutation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))
    module = load(mutation, tmp_path)
    if mutation.file == "reference_life":
        monkeypatch.setattr(reference, "Life", module.Life)
    elif mutation.file == "fast_visit_kernels":
        monkeypatch.setattr(fast_monitoring, "seen_at_visit", module.seen_at_visit)
    elif mutation.file == "reference_cut":
        monkeypatch.setattr(reference, "ReferenceCut", module.ReferenceCut)
    else:
        put_in_place(mutation, module, monkeypatch)
    found = disagreement()
    assert found is not None, "the twins did not notice"
    assert "differ" in found
