"""The twin test has teeth at reviews of recruitment too: a slip in how either engine goes through them makes it fail."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.twins.exhaustive import every
from tests.twins.test_mutations import Mutation, first_disagreement, load, outdated
from tests.twins.tie_rich_reviews import REVIEW_SCENARIOS
from trialsim.engines import fast_log, fast_review_kernels, fast_site_kernels, fast_sites, reference

_RUN = ("run_sites",)
_BACK, _SEEN, _RESOLVED = ("take_back",), ("seen_at_sites",), ("resolved_between",)

SLIPS = [
    Mutation(
        "a reserve opens at the review that asks for it",
        "reference_sites",
        "int(self.trial.clock.now) + int(self.set_up[site.number])",
        "int(self.trial.clock.now) + 1",
    ),
    Mutation(
        "a site that a review closes keeps its waiting list",
        "reference_sites",
        "self._close_site(site, BY_REVIEW)",
        "site.closed = int(self.trial.clock.now); self.trial.write(Kind.SITE_CLOSED, site.number, 0, BY_REVIEW)",
    ),
    Mutation(
        "screenings that were learnt from are learnt from again",
        "reference_sites",
        "        self.resolved = []\n        screenings",
        "        screenings",
    ),
    Mutation(
        "who comes again keeps the score of before the review",
        "reference_sites",
        "if candidate.scored_after < self.reviews:",
        "if candidate.scored_after < 0:",
    ),
    Mutation(
        "a site that is on its way is asked again",
        "fast_site_reviews",
        "self._asked[rows] |= called",
        "self._asked[rows] |= False",
    ),
    Mutation(
        "who waits keeps the score of before the review",
        "fast_site_reviews",
        "of.scores[coming], of.scores[waiting] = of.score(coming), scores",
        "of.scores[coming] = of.score(coming)",
    ),
    Mutation(
        "who comes later is scored by what was known before the review",
        "fast_site_reviews",
        "of.scores[coming], of.scores[waiting] = of.score(coming), scores",
        "of.scores[waiting] = scores",
    ),
    Mutation(
        "who is listed anew takes the score of another",
        "fast_site_reviews",
        "np.repeat((of.offsets - offsets)[:-1], np.diff(offsets))",
        "0",
    ),
    Mutation(
        "whoever a review closes upon is scored anew",
        "fast_site_log",
        "if closing <= (tick, *cause):",
        "if closing < (tick, *cause):",
    ),
    Mutation(
        "who is called at a review was called before it",
        "fast_review_kernels",
        "if called >= at[r] and called < NEVER:",
        "if called > at[r] and called < NEVER:",
        _BACK,
    ),
    Mutation(
        "who came at a review had not come by then",
        "fast_review_kernels",
        "if came <= at[r] or came == NEVER:",
        "if came < at[r] or came == NEVER:",
        _BACK,
    ),
    Mutation(
        "who is randomised at a review is not known there",
        "fast_review_kernels",
        "passes and contact[c, FINAL] <= at[r]",
        "passes and contact[c, FINAL] < at[r]",
        _SEEN,
    ),
    Mutation(
        "what ended at the review before is learnt from again",
        "fast_review_kernels",
        "after[r] < contact[c, FINAL] <= at[r]",
        "after[r] <= contact[c, FINAL] <= at[r]",
        _RESOLVED,
    ),
    Mutation(
        "a coordinator is free again after a review",
        "fast_site_kernels",
        "free -= busy",
        "free -= 0",
        _RUN,
    ),
    Mutation(
        "who failed before a review does not come again after it",
        "fast_site_kernels",
        "if again < NEVER and final + again > since:",
        "if again < 0:",
        _RUN,
    ),
    Mutation(
        "a site forgets at a review how full it is",
        "fast_site_kernels",
        "                passed += 1\n                latest = max(latest, final)\n                break",
        "                break",
        _RUN,
    ),
]


def disagreement(replicates: int = 15) -> str | None:
    """Return the first disagreement of the engines on the small scenarios with reviews, or None."""
    return first_disagreement(REVIEW_SCENARIOS.values(), replicates)


def put_in_place(mutation: Mutation, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engines meet the module with the slip instead of their own."""
    if mutation.file == "reference_sites":
        monkeypatch.setattr(reference, "Recruitment", module.Recruitment)
    elif mutation.file == "fast_site_reviews":
        monkeypatch.setattr(fast_sites, "run_through_reviews", module.run_through_reviews)
    elif mutation.file == "fast_site_log":
        monkeypatch.setattr(fast_log, "add_candidates", module.add_candidates)
    else:
        own = fast_review_kernels if mutation.file == "fast_review_kernels" else fast_site_kernels
        for name in mutation.kernels:
            monkeypatch.setattr(own, name, getattr(module, name))


@pytest.mark.slow
def test_without_a_slip_the_engines_agree() -> None:
    assert disagreement() is None


@pytest.mark.slow
@pytest.mark.parametrize("file", ["fast_site_reviews", "fast_review_kernels"])
def test_loading_a_module_without_a_slip_changes_nothing(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Mutation("none", file, "from __future__", "from __future__", (*_BACK, *_SEEN, *_RESOLVED))
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))
    put_in_place(nothing, load(nothing, tmp_path), monkeypatch)
    assert disagreement(3) is None


def test_every_slip_can_still_be_made() -> None:
    assert not outdated(SLIPS)


@pytest.mark.slow
@pytest.mark.parametrize("slip", every(5, SLIPS), ids=lambda m: f"{m.file}: {m.slip}")
def test_a_slip_is_found(slip: Mutation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALSIM_CACHE_DIR", str(tmp_path))
    put_in_place(slip, load(slip, tmp_path), monkeypatch)
    found = disagreement()
    assert found is not None, "the twins did not notice"
    assert "differ" in found
