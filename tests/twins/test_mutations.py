"""The twin test has teeth: a slip of control flow in either engine makes it fail.

Each mutation replaces a piece of an engine's source, loads the result in the engine's place, and compares it with the
untouched other engine on the small scenarios of ``tie_rich.py``.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import trialsim.engines
from tests.twins.exhaustive import every
from tests.twins.tie_rich import FOLDER, SCENARIOS
from trialsim.conformance import check_twins
from trialsim.engines import reference, runner
from trialsim.scenario.load import scenario_from

ENGINES = Path(trialsim.engines.__file__).parent


@dataclass(frozen=True)
class Mutation:
    """A slip: in which file what is replaced by what; for a kernel, which compiled functions are replaced by theirs."""

    slip: str
    file: str
    old: str
    new: str
    kernels: tuple[str, ...] = ()


MUTATIONS = [
    # Slips of the SimPy engine.
    Mutation(
        "a look waits for one too many",
        "reference",
        "in arms) >= trigger.count + self._further",
        "in arms) > trigger.count + self._further",
    ),
    Mutation(
        "no_later_than is ignored", "reference", "now >= look.no_later_than or self._met(", "self._met("
    ),
    Mutation(
        "dropout comes before an event of its instant",
        "reference",
        "Kind.EVENT, i, e)\n        except",
        "Kind.DROPOUT + 1, i, e)\n        except",
    ),
    Mutation(
        "reviews go on after enrolment",
        "reference",
        "if not self.enrolment_over and not self._ended:\n            self._point",
        "if True:\n            self._point",
    ),
    Mutation(
        "blocks go on after an arm has closed", "reference", "                self._blocks.clear()\n", ""
    ),
    Mutation("turns go on after an arm has closed", "reference", "                self._turn = 0\n", ""),
    Mutation(
        "a block holds one place too few",
        "reference",
        "if not sum(self._blocks.get(stratum, [])):",
        "if sum(self._blocks.get(stratum, [])) <= 1:",
    ),
    Mutation(
        "the decision lag is ignored",
        "reference",
        "now + look.cleaning + look.decision",
        "now + look.cleaning",
    ),
    Mutation(
        "a look waits for what cannot come",
        "reference",
        "return over is not None and now >= over + self._report_delay(trigger.endpoint)",
        "return False",
    ),
    Mutation(
        "a gap is measured from the decision",
        "reference",
        "return now >= self._previous_cut + trigger.ticks",
        "return now >= self._ready - self.plan.grid + trigger.ticks",
    ),
    Mutation(
        "patients without a report are counted",
        "reference",
        "p.had(e, tick - report)",
        "p.had(e, tick)",
    ),
    Mutation(
        "those lost are still heard of",
        "reference",
        "            process.interrupt()\n            self.endpoint_over(e)\n        patient.running.clear()\n",
        "            self.endpoint_over(e)\n",
    ),
    Mutation(
        "a closed arm keeps its weight", "reference", "                    self._weights[arm] = 0.0\n", ""
    ),
    Mutation(
        "minimisation does not count whom it allocates",
        "reference",
        "            counts[arm] += 1\n",
        "            pass\n",
    ),
    Mutation(
        "minimisation begins anew after an arm has closed",
        "reference",
        "                self._blocks.clear()\n",
        "                self._blocks.clear()\n                self._on_arms.clear()\n",
    ),
    Mutation(
        "only the first margin is counted",
        "reference",
        "for counts in self._counts_of(patient):",
        "for counts in self._counts_of(patient)[:1]:",
    ),
    Mutation(
        "those lost are paid for to the end",
        "reference_costs",
        "if patient.lost is not None:",
        "if patient.lost is not None and endpoints < 0:",
    ),
    Mutation(
        "whoever has given all is paid for to the end",
        "reference_costs",
        "return max(given) if len(given) == endpoints else None",
        "return None",
    ),
    Mutation("a site that has closed is paid for", "reference_costs", "closed.get(row.id, end)", "end"),
    Mutation(
        "records are looked at once more",
        "reference_costs",
        "Kind.ARRIVAL and row.part == 0",
        "Kind.ARRIVAL",
    ),
    Mutation("visits that are missed are paid for", "reference_costs", " and row.part != WAS_MISSED", ""),
    Mutation(
        "those who died are paid for to the end",
        "reference_costs",
        "left = patient.ended if",
        "left = patient.lost if",
    ),
    # Slips of the array engine.
    Mutation(
        "an event counts before its report", "fast", "np.where(dates < NEVER, dates + delay, dates)", "dates"
    ),
    Mutation(
        "a patient of the instant is allocated anew",
        "fast",
        "first[rows] = self.entered(rows, ticks)",
        "first[rows] = self.entered(rows, ticks - 1)",
    ),
    Mutation(
        "decisions are taken at the cut",
        "fast",
        "decide_at = point.tick + self._lag[point.number] if self._lagging else point.tick",
        "decide_at = point.tick",
    ),
    Mutation(
        "a review as the last patient enters",
        "fast",
        "np.where(due < entry[rows, self.plan.n - 1], due, NEVER)",
        "np.where(due <= entry[rows, self.plan.n - 1], due, NEVER)",
    ),
    Mutation("the next look in the instant of a decision", "fast", "= ticks + self.plan.grid", "= ticks"),
    Mutation(
        "no_later_than is ignored",
        "fast",
        "np.minimum(self._date(look.trigger, rows), look.no_later_than)",
        "self._date(look.trigger, rows)",
    ),
    Mutation(
        "the horizon comes one instant early",
        "fast",
        "over = soonest > self.plan.horizon",
        "over = soonest >= self.plan.horizon",
    ),
    Mutation(
        "the last report is not waited for",
        "fast",
        "dates[missing] = last + (outcome.law.readout_ticks if events else 0)",
        "dates[missing] = last",
    ),
    Mutation(
        "a gap is measured from the decision",
        "fast",
        "return self._previous_cut[rows] + trigger.ticks",
        "return self._ready[rows] - self.plan.grid + trigger.ticks",
    ),
    Mutation(
        "those who complete are lost in the same instant",
        "fast_log",
        "dropout[i] < complete[i]",
        "dropout[i] <= complete[i]",
    ),
    # Slips of its kernels, which are compiled anew.
    Mutation(
        "a block holds one place too few",
        "fast_outcome_kernels",
        "if places_left[g] == 0:",
        "if places_left[g] <= 1:",
        ("allocate",),
    ),
    Mutation(
        "those allocated before an arm closed are forgotten",
        "fast_minimisation",
        "for i in range(first[r]):",
        "for i in range(0):",
        ("allocate_by_counts",),
    ),
    Mutation(
        "minimisation does not count whom it allocates",
        "fast_minimisation",
        "counts[level[m], a] += 1",
        "counts[level[m], a] += 0",
        ("allocate_by_counts",),
    ),
    Mutation(
        "minimisation goes on with an arm that has closed",
        "fast_minimisation",
        "ratio[a] if open_arms[r, a] else 0",
        "ratio[a]",
        ("allocate_by_counts",),
    ),
    Mutation(
        "counts go on from replicate to replicate",
        "fast_minimisation",
        "        counts[:] = 0\n",
        "        counts *= np.int64(r > 0)\n",
        ("allocate_by_counts",),
    ),
    Mutation(
        "those who leave in an instant are not at risk in it",
        "fast_risk_kernels",
        "entered_by(limit - time, ",
        "entered_by(limit - time - 1, ",
        ("numbers_at_risk",),
    ),
    Mutation(
        "a read-out of the instant of dropout is missed",
        "fast_outcome_kernels",
        "if wait <= d[i] else",
        "if wait < d[i] else",
        ("readout_times",),
    ),
    Mutation(
        "those lost are paid for until their last endpoint",
        "fast_costs",
        "begin + min(lost[i], done[i])",
        "begin + done[i]",
        ("pay_for_patients",),
    ),
    Mutation(
        "a patient of the last instant is not paid for",
        "fast_costs",
        "if begin > end:",
        "if begin >= end:",
        ("pay_for_patients",),
    ),
    Mutation(
        "serious adverse events are paid for twice",
        "fast_costs",
        "amounts[r, _SERIOUS] += present_count(ticks[r, j], discount)",
        "amounts[r, _SERIOUS] += 2 * present_count(ticks[r, j], discount)",
        ("pay_for_lives",),
    ),
    Mutation(
        "what happens after the end is paid for",
        "fast_costs",
        "if ticks[r, j] > ends[r]:",
        "if ticks[r, j] > ends[r] + (ends[r] >> 3):",
        ("pay_for_lives",),
    ),
    Mutation(
        "a look is paid for at the start",
        "fast_costs",
        "present_count(cuts[k], discount)",
        "present_count(0, discount)",
        ("pay_for_looks",),
    ),
    Mutation(
        "a site is open to the end",
        "fast_costs",
        "stop = min(closed[r, s], ends[r])",
        "stop = ends[r]",
        ("pay_for_sites",),
    ),
    Mutation(
        "answers after the closing are paid for",
        "fast_costs",
        "if answer > end or (answer > shut and not stays):",
        "if answer > end:",
        ("pay_for_candidates",),
    ),
    Mutation(
        "refusals are screened",
        "fast_costs",
        "if contact[c, OUTCOME] != REFUSES:",
        "if True:",
        ("pay_for_candidates",),
    ),
    # Slips in looks that select arms.
    Mutation(
        "a look waits for closed arms too",
        "reference",
        "arms = [a for a in arms if self._open[a]]",
        "pass",
    ),
    Mutation(
        "a stage ends before the instant of its look",
        "fast_count_kernels",
        "            cut[k],\n",
        "            cut[k] - 1,\n",
        ("readouts_by_arm",),
    ),
    Mutation(
        "a stage is all data",
        "fast",
        "return FastCut(self, point, self.plan.tests[test], self._previous_cut[point.rows])",
        "return FastCut(self, point, self.plan.tests[test])",
    ),
    Mutation(
        "a look does not end its stage",
        "fast",
        "            self._cohorts.note(point)\n",
        "            pass\n",
    ),
    Mutation(
        "who enters at the cut is in the next stage",
        "reference",
        "sum(cut < patient.entry for cut in self._cuts)",
        "sum(cut <= patient.entry for cut in self._cuts)",
    ),
    Mutation(
        "a look waits for one arm alone",
        "fast_count_kernels",
        "if counted[r, slot] if each else slot == 0:",
        "if slot == 0:",
        ("dates_in_open_arms",),
    ),
    Mutation(
        "patients of a word that is begun are counted once more",
        "fast_first_kernels",
        "bits = bits >> before << before",
        "bits = bits >> np.uint64(0)",
        ("add_responses",),
    ),
    Mutation(
        "whoever enters in the instant of a cut comes later",
        "fast_first_kernels",
        "entered_by(until[k], entry",
        "entered_by(until[k] - 1, entry",
        ("first_entered",),
    ),
    Mutation(
        "those who come between a look and its decision have no arm",
        "fast",
        "        if self._lagging:\n            self._allocate_until(rows, ticks)\n",
        "",
    ),
]


def first_disagreement(scenarios: Iterable[tuple[dict[str, Any], int]], trials: int) -> str | None:
    """Return the first disagreement of the engines on small scenarios, or None.

    Three trials of each come first: they show most slips, wherever the scenario that shows them stands. An engine that
    falls over, an index beyond its array or a row that is no event, tells another story, too.
    """
    loaded = [(scenario_from(tree, FOLDER), grid) for tree, grid in scenarios]
    for few in sorted({min(3, trials), trials}):
        for scenario, grid in loaded:
            try:
                found = check_twins(scenario, replicates=range(few), grid=grid)
            except (IndexError, ValueError) as fell:
                found = [f"the engines differ: one of them fell over: {fell!r}"]
            if found:
                return found[0]
    return None


def disagreement(trials: int = 30) -> str | None:
    """Return the first disagreement of the engines on the small scenarios, or None."""
    return first_disagreement(SCENARIOS.values(), trials)


def outdated(mutations: list[Mutation]) -> list[str]:
    """Return the slips whose text the engines no longer hold."""
    sources = {
        name: (ENGINES / f"{name}.py").read_text(encoding="utf-8") for name in {m.file for m in mutations}
    }
    return [m.slip for m in mutations if m.old not in sources[m.file]]


def load(mutation: Mutation, folder: Path) -> ModuleType:
    """Return the module with the slip, compiled in a cache of its own."""
    source = (ENGINES / f"{mutation.file}.py").read_text(encoding="utf-8")
    assert mutation.old in source, f"{mutation.file}.py no longer holds {mutation.old!r}"
    path = folder / f"{mutation.file}.py"
    path.write_text(source.replace(mutation.old, mutation.new), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"trialsim.engines.mutated_{mutation.file}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module


def put_in_place(mutation: Mutation, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runner meet the module with the slip instead of the engine's own."""
    if mutation.file == "fast":
        monkeypatch.setattr(runner, "FastEngine", module.FastEngine)
    elif mutation.kernels:
        own = importlib.import_module(f"trialsim.engines.{mutation.file}")
        for name in mutation.kernels:
            monkeypatch.setattr(own, name, getattr(module, name))
    elif mutation.file == "reference_costs":
        monkeypatch.setattr(reference, "amounts_of", module.amounts_of)
    else:
        monkeypatch.setitem(sys.modules, f"trialsim.engines.{mutation.file}", module)


@pytest.mark.slow
def test_without_a_slip_the_engines_agree() -> None:
    assert disagreement() is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "file", every(5, ["reference", "fast", "fast_log", "fast_outcome_kernels", "fast_minimisation"])
)
def test_loading_a_module_without_a_slip_changes_nothing(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = {
        "fast_outcome_kernels": ("readout_times",),
        "fast_minimisation": ("allocate_by_counts",),
    }.get(file, ())
    nothing = Mutation("none", file, "from __future__", "from __future__", kernels)
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))
    put_in_place(nothing, load(nothing, tmp_path), monkeypatch)
    assert disagreement(6) is None


@pytest.mark.slow
@pytest.mark.parametrize("mutation", every(6, MUTATIONS), ids=lambda m: f"{m.file}: {m.slip}")
def test_a_slip_is_found(mutation: Mutation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))
    put_in_place(mutation, load(mutation, tmp_path), monkeypatch)
    found = disagreement()
    assert found is not None, "the twins did not notice"
    assert "differ" in found


def test_every_slip_can_still_be_made() -> None:
    assert not outdated(MUTATIONS)


def test_both_engines_are_mutated_often_enough() -> None:
    reference = [m for m in MUTATIONS if m.file == "reference"]
    assert len(reference) >= 5
    assert len(MUTATIONS) - len(reference) >= 5
