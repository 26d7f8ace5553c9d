"""Sites that close and open at reviews, against a plain NumPy simulation of the shipped scenario that shares no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trialsim.engines.runner import Job, _Workshop
from trialsim.scenario.load import load_scenario

FILE = Path(__file__).parents[2] / "scenarios" / "recruitment_reviews" / "sites_again.yaml"
MONTH = 30.4375
SITES, OPEN, PATIENTS, SHAPE, RATE, ELIGIBLE, RECORD = 16, 6, 150, 1.2, 1.5 / MONTH, 0.6, 6 * MONTH
END = 96 * MONTH


def by_hand(rng: np.random.Generator) -> tuple[float, int, int]:
    """Return the end of enrolment in days, sites opened and sites closed of one trial under the usual rule."""
    rates = RATE * rng.gamma(SHAPE, 1 / SHAPE, SITES)
    record = rng.poisson(rates * np.exp(0.8 * rng.standard_normal(SITES)) * RECORD)
    set_up = rng.uniform(0.0, 3 * MONTH, SITES)
    eligible = [np.sort(rng.uniform(0, END, rng.poisson(r * ELIGIBLE * END))) for r in rates]
    others = [np.sort(rng.uniform(0, END, rng.poisson(r * (1 - ELIGIBLE) * END))) for r in rates]
    best = np.argsort(-_posterior(record, RECORD * np.ones(SITES)), kind="stable")[:OPEN]
    opens = np.full(SITES, np.inf)
    opens[best] = set_up[best] - set_up[best].min()
    asked, closes = np.isfinite(opens), np.full(SITES, np.inf)
    review = 0.0
    while True:
        review += 2 * MONTH
        until = np.minimum(closes, END)
        comes = [opens[s] + eligible[s] for s in np.flatnonzero(asked)]
        entry = (
            np.sort(
                np.concatenate([t[t <= until[s]] for t, s in zip(comes, np.flatnonzero(asked), strict=True)])
            )
            + 7
        )
        full = entry[PATIENTS - 1] if len(entry) >= PATIENTS else np.inf
        if full <= review:
            return float(full), int((opens < full).sum()), int(np.isfinite(closes).sum())
        if review >= END:  # the trial's time is over
            return float(entry[entry <= END].max()), int((opens <= END).sum()), int(np.isfinite(closes).sum())
        days = np.where(opens <= review, np.minimum(review, closes) - opens, 0.0)
        seen = np.array([np.searchsorted(eligible[s], days[s]) for s in range(SITES)])
        came = seen + [np.searchsorted(others[s], days[s]) for s in range(SITES)]
        last = np.where(
            np.isinf(closes), days - 7, days
        )  # a closed site's last candidates are still randomised
        enrolled = np.array([np.searchsorted(eligible[s], last[s]) for s in range(SITES)])
        slow = (opens <= review) & np.isinf(closes) & (days >= 3 * MONTH)
        slow &= enrolled < 0.5 / MONTH * days
        closes[slow] = review
        worth = np.where(asked, -np.inf, _posterior(record + came, RECORD + days))
        for s in np.argsort(-worth, kind="stable")[: min(int(slow.sum()), int((~asked).sum()))]:
            opens[s], asked[s] = review + set_up[s], True


def _posterior(found: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Return the posterior means of rates whose prior has the mean of all sites together."""
    mean = max(found.sum() / days.sum(), 1e-12)
    return np.asarray((SHAPE + found) / (SHAPE / mean + days))


@pytest.mark.slow
@pytest.mark.parametrize("design", ["usual_rule"])
def test_the_usual_rule_agrees_with_a_simulation_by_hand(design: str) -> None:
    rng = np.random.default_rng(20261126)
    theirs = np.array([by_hand(rng) for _ in range(400)])
    trials = _Workshop(Job(load_scenario(FILE), 3)).run(design, "expected", 0, 800)["trials"]
    ours = np.column_stack([trials[name] for name in ("enrolment_end_time", "sites_opened", "sites_closed")])
    error = np.sqrt(ours.var(axis=0, ddof=1) / len(ours) + theirs.var(axis=0, ddof=1) / len(theirs))
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) <= 5 * error).all(), (
        ours.mean(0),
        theirs.mean(0),
    )
    assert theirs[:, 2].mean() > 2  # many sites close, so that something is compared
