"""The twin test has teeth before randomisation too: a slip in how either engine runs its sites makes it fail."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.twins.exhaustive import every
from tests.twins.test_mutations import Mutation, first_disagreement, load, outdated
from tests.twins.tie_rich_sites import SITE_SCENARIOS
from trialsim.engines import fast, fast_closing_kernels, fast_log, fast_patients, fast_site_kernels, reference

_RUN, _FIND, _TALLY = ("run_sites",), ("find_closing",), ("site_tallies",)

SLIPS = [
    Mutation(
        "blocks of a site are those of the trial",
        "fast_patients",
        "strata + (self.keys >> SITE_BITS) * count",
        "strata + (self.keys >> 63) * count",
    ),
    # Slips of the SimPy engine.
    Mutation(
        "a cap of one too many",
        "reference_sites",
        "site.committed < site.cap:",
        "site.committed <= site.cap:",
    ),
    Mutation(
        "patience ends after the dispatch of its instant",
        "reference_sites",
        "clock.at(came + patience, Kind.RENEGING, key)",
        "clock.at(came + patience, Kind.LOOK, key)",
    ),
    Mutation(
        "a site takes candidates in the instant in which it closes",
        "reference_sites",
        "int(laws.closes[s]), Kind.SITE, s, 1)",
        "int(laws.closes[s]), Kind.REVIEW, s, 1)",
    ),
    Mutation(
        "of two candidates with one score the later is called",
        "reference_sites",
        "(site.waiting[one][0], -one)",
        "(site.waiting[one][0], one)",
    ),
    Mutation(
        "a coordinator waits for the randomisation",
        "reference_sites",
        "        self._let_go(site, place=True, seat=at_once)\n",
        "        self._let_go(site, place=at_once, seat=at_once)\n",
    ),
    Mutation(
        "those under way are released the last first",
        "reference_sites",
        "                sorted(self.under_way)\n",
        "                sorted(self.under_way, reverse=True)\n",
    ),
    Mutation("those in screening are not kept", "reference_sites", "if not self.law.keep", "if True"),
    Mutation("nobody comes again", "reference_sites", "if again >= NEVER:", "if again >= 0:"),
    Mutation(
        "who comes again keeps the old place in the queue",
        "reference_sites",
        "if plan.rescores_candidates or plan.recruitment.as_they_come:",
        "if plan.rescores_candidates:",
    ),
    Mutation(
        "a full site keeps its waiting list", "reference_sites", "self._release(sorted(site.waiting))", "pass"
    ),
    Mutation(
        "sites go on closing after enrolment has",
        "reference_sites",
        "if site.closed < NEVER or not self.open or self.trial.ended:",
        "if site.closed < NEVER or self.trial.ended:",
    ),
    Mutation(
        "other trials take from the backlog",
        "reference_sites",
        "if not backlog and taken_by_competition(",
        "if taken_by_competition(",
    ),
    Mutation(
        "places stay idle after a site has closed",
        "reference_sites",
        "        if self.open and site.closed == NEVER:\n            self._settle(site)\n",
        "        self._settle(site)\n",
    ),
    Mutation(
        "nobody is waited for after enrolment has closed",
        "reference_sites",
        "return not self.open and not self.under_way",
        "return not self.open",
    ),
    Mutation(
        "who comes again has failed for good",
        "reference_sites",
        "            self.screened_out[outcome - 1] -= 1\n",
        "",
    ),
    Mutation(
        "who is randomised after coming again is not told apart",
        "reference_sites",
        "randomised_again += candidate.attempt > 0",
        "randomised_again += candidate.attempt > 9",
    ),
    # Slips of the array engine.
    Mutation(
        "those kept are not waited for",
        "fast_sites",
        "np.maximum(self.pipeline_end[rows], self.closing[rows])",
        "self.closing[rows]",
    ),
    Mutation(
        "a site opens in the instant in which it closes",
        "fast_sites",
        "np.where(opening < self.sites.closes",
        "np.where(opening <= self.sites.closes",
    ),
    Mutation(
        "patience outlasts a closing of its instant",
        "fast_site_log",
        "if (patience, Kind.RENEGING, key) < closing:",
        "if patience < closing[0]:",
    ),
    Mutation(
        "who has never been called fills a site",
        "fast_site_log",
        "recruitment.contact[place, kernels.DISPATCH] < NEVER",
        "True",
    ),
    Mutation("the last is released first", "fast_site_log", "(one[0], one[1])", "(one[0], -one[1])"),
    Mutation(
        "screening that ends as enrolment closes is forgotten",
        "fast_site_log",
        "(tick, Kind.SCREENING, key) > shut",
        "tick >= shut[0]",
    ),
    # Slips of its kernels, which are compiled anew.
    Mutation(
        "a cap of one too many",
        "fast_site_kernels",
        "committed < cap[s]:",
        "committed <= cap[s]:",
        _RUN,
    ),
    Mutation(
        "a cap of one too few",
        "fast_site_kernels",
        "committed < cap[s]:",
        "committed < cap[s] - 1:",
        _RUN,
    ),
    Mutation(
        "who withdraws in an instant is called in it",
        "fast_site_kernels",
        "if contact[place, PATIENCE] <= now:",
        "if contact[place, PATIENCE] < now:",
        _RUN,
    ),
    Mutation(
        "a site takes candidates in the instant in which it is full",
        "fast_site_kernels",
        "or now >= close:",
        "or now > close:",
        _RUN,
    ),
    Mutation(
        "of two candidates with one score the later is called",
        "fast_site_kernels",
        "score[above] == value and who[above] < item",
        "score[above] == value and who[above] > item",
        _RUN,
    ),
    Mutation(
        "a coordinator waits for the randomisation",
        "fast_site_kernels",
        "now + screened, place << 2 | kind)",
        "now + final, place << 2 | kind)",
        _RUN,
    ),
    Mutation(
        "who misses the window is counted towards the cap for good",
        "fast_site_kernels",
        "now + final, place << 2 | _LEAVES)",
        "now + final, place << 2 | _RETURNS)",
        _RUN,
    ),
    Mutation(
        "a stated closing comes before a full site",
        "fast_site_kernels",
        "passed == cap[s] and latest <= close",
        "passed == cap[s] and latest < close",
        _RUN,
    ),
    Mutation(
        "a site is full when the last place is taken",
        "fast_site_kernels",
        "latest = max(latest, now + final)",
        "latest = now + final",
        _RUN,
    ),
    Mutation(
        "those wrongly randomised do not count towards the cap",
        "fast_site_kernels",
        "(outcome == PASSES) | (outcome == PASSES - 1)",
        "outcome == PASSES",
        _RUN,
    ),
    Mutation("nobody comes again", "fast_site_kernels", "if again < NEVER:", "if again < 0:", _RUN),
    Mutation(
        "who comes again comes from the beginning of the screening",
        "fast_site_kernels",
        "now + final + again, (place + 1)",
        "now + again, (place + 1)",
        _RUN,
    ),
    Mutation(
        "who comes again keeps the old place in the queue",
        "fast_site_kernels",
        "score = scores[place // attempts] if by_score else -now",
        "score = scores[place // attempts] if by_score else -ticks[place // attempts]",
        _RUN,
    ),
    Mutation(
        "whoever would be randomised in the instant of the closing is counted",
        "fast_site_kernels",
        "(final == shut and c <= closing_place[r])",
        "final == shut",
        _TALLY,
    ),
    Mutation(
        "who is called as enrolment closes is kept",
        "fast_closing_kernels",
        "if contact[c, DISPATCH] < closing[r] and contact[c, FINAL] >= closing[r]:",
        "if contact[c, DISPATCH] <= closing[r] and contact[c, FINAL] >= closing[r]:",
        _FIND,
    ),
    Mutation(
        "who withdraws as the site fills has withdrawn",
        "fast_site_kernels",
        "left == close and not by_cap",
        "left == close",
        _TALLY,
    ),
    Mutation(
        "a site closes with its own last patient though enrolment closes with them",
        "fast_site_kernels",
        "fills < closing_place[r]",
        "fills <= closing_place[r]",
        _TALLY,
    ),
    Mutation(
        "who comes again has failed for good",
        "fast_site_kernels",
        "screened_out[r, contact[c - 1, OUTCOME] - 1] -= 1",
        "screened_out[r, contact[c - 1, OUTCOME] - 1] -= 0",
        _TALLY,
    ),
    Mutation(
        "who consents again is somebody else",
        "fast_site_kernels",
        "mine[EVER_CONSENTED] += np.int64(first_attempt)",
        "mine[EVER_CONSENTED] += 1",
        _TALLY,
    ),
    Mutation(
        "who withdraws on coming again is not told apart",
        "fast_site_kernels",
        "mine[WITHDREW_AGAIN] += np.int64(not first_attempt)",
        "mine[WITHDREW_AGAIN] += 0",
        _TALLY,
    ),
    Mutation(
        "coordinators are busy beyond the closing",
        "fast_site_kernels",
        "min(screened, window) - called",
        "screened - called",
        _TALLY,
    ),
]


def disagreement(trials: int = 30) -> str | None:
    """Return the first disagreement of the engines on the small scenarios with sites, or None."""
    return first_disagreement(SITE_SCENARIOS.values(), trials)


def put_in_place(mutation: Mutation, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engines meet the module with the slip instead of their own."""
    if mutation.file == "reference_sites":
        monkeypatch.setattr(reference, "Recruitment", module.Recruitment)
    elif mutation.file == "fast_patients":
        monkeypatch.setattr(fast, "Patients", module.Patients)
    elif mutation.file == "fast_sites":
        monkeypatch.setattr(fast_patients, "Recruitment", module.Recruitment)
    elif mutation.file == "fast_site_log":
        for name in ("add_candidates", "add_released"):
            monkeypatch.setattr(fast_log, name, getattr(module, name))
    else:
        own = fast_closing_kernels if mutation.file == "fast_closing_kernels" else fast_site_kernels
        for name in mutation.kernels:
            monkeypatch.setattr(own, name, getattr(module, name))


@pytest.mark.slow
def test_without_a_slip_the_engines_agree() -> None:
    assert disagreement() is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    every(
        2,
        [
            "reference_sites",
            "fast_patients",
            "fast_site_kernels",
            "fast_sites",
            "fast_closing_kernels",
            "fast_site_log",
        ],
    ),
)
def test_loading_a_module_without_a_slip_changes_nothing(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Mutation(
        "none",
        file,
        "from __future__",
        "from __future__",
        _FIND if file == "fast_closing_kernels" else (*_RUN, *_TALLY),
    )
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))
    put_in_place(nothing, load(nothing, tmp_path), monkeypatch)
    assert disagreement(6) is None


def test_every_slip_can_still_be_made() -> None:
    assert not outdated(SLIPS)


@pytest.mark.slow
@pytest.mark.parametrize("slip", every(6, SLIPS), ids=lambda m: f"{m.file}: {m.slip}")
def test_a_slip_is_found(slip: Mutation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))
    put_in_place(slip, load(slip, tmp_path), monkeypatch)
    found = disagreement()
    assert found is not None, "the twins did not notice"
    assert "differ" in found
