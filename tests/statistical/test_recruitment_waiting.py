"""Waiting for a coordinator at one site: against the stationary queue M/M/c+M, known as Erlang A.

Candidates come at rate lambda, c coordinators screen at rate mu each, and who waits leaves at rate theta. The number
waiting or in screening is a birth and death process (Palm 1946). Rates per day against a tick of a twelfth of a second make
rounding negligible. Stationary means are taken from the difference of two horizons of the very same trials, so that the
start is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.statistical.recruited import Recruited, off, recruited
from trialsim.contracts import Kind

WARM, LAST, REPLICATES = 150, 450, 160


@dataclass(frozen=True)
class ErlangA:
    """What is known of the queue when it has settled."""

    arriving: float
    serving: float
    leaving: float
    servers: int

    @property
    def chances(self) -> np.ndarray:
        """Chance of each number waiting or being served."""
        k = np.arange(1, 400)
        out = np.minimum(k, self.servers) * self.serving + np.maximum(k - self.servers, 0) * self.leaving
        logs = np.concatenate([[0.0], np.cumsum(np.log(self.arriving) - np.log(out))])
        weights = np.exp(logs - logs.max())
        return np.asarray(weights / weights.sum())

    @property
    def waits(self) -> float:
        """Chance that one who comes finds nobody free."""
        return float(self.chances[self.servers :].sum())

    @property
    def queue(self) -> float:
        """Mean number waiting."""
        k = np.arange(400)
        return float(np.maximum(k - self.servers, 0) @ self.chances)

    @property
    def abandons(self) -> float:
        """Chance that one who comes leaves before being served."""
        return self.leaving * self.queue / self.arriving

    @property
    def idle(self) -> float:
        """Mean number of servers who are free."""
        k = np.arange(400)
        return float(np.maximum(self.servers - k, 0) @ self.chances)


QUEUES = [
    ErlangA(1.0, 0.8, 0.3, 1),
    ErlangA(2.0, 0.5, 0.1, 3),
    ErlangA(0.9, 0.25, 1.5, 4),
    ErlangA(3.0, 0.5, 0.5, 2),
]


def run(queue: ErlangA, horizon: int) -> Recruited:
    site = {"rate": f"{queue.arriving} per day", "coordinators": queue.servers}
    return recruited(
        {"one": site},
        {
            "duration": {"exponential": {"mean": f"{1 / queue.serving} days"}},
            "patience": {"exponential": {"mean": f"{1 / queue.leaving} days"}},
        },
        n=2500,
        horizon=f"{horizon} days",
        replicates=REPLICATES,
    )


@pytest.mark.parametrize("queue", QUEUES, ids=str)
def test_who_waits_who_leaves_who_is_served(queue: ErlangA) -> None:
    early, late = run(queue, WARM), run(queue, LAST)
    span = LAST - WARM

    def per_day(column: str) -> np.ndarray:
        """Return how fast a count of the site grows between the horizons, a value a trial."""
        return (late.sites(column)[:, 0].astype(float) - early.sites(column)[:, 0]) / span

    assert not np.isfinite(late.sites("closed_time")).any()
    assert off(per_day("candidates"), queue.arriving) < 5
    assert off(per_day("withdrawals"), queue.arriving * queue.abandons) < 5
    assert off(per_day("screened"), queue.arriving * (1 - queue.abandons)) < 5
    assert off(per_day("randomised"), queue.arriving * (1 - queue.abandons)) < 5
    assert off(per_day("idle_days"), queue.idle) < 5
    # By balance of flows the busy ones are those served over the rate of service.
    assert queue.servers - queue.idle == pytest.approx(
        queue.arriving * (1 - queue.abandons) / queue.serving, rel=1e-9
    )


@pytest.mark.slow
@pytest.mark.parametrize("queue", QUEUES, ids=str)
def test_who_finds_nobody_free_and_how_long_they_wait(queue: ErlangA) -> None:
    found = run(queue, LAST)
    waited, line = [], []
    for row in range(40):
        came: dict[int, int] = {}
        left: dict[int, int] = {}
        for entry in found.log(row, Kind.ARRIVAL, Kind.DISPATCH, Kind.RENEGING):
            (came if entry.kind == Kind.ARRIVAL else left)[entry.id] = entry.tick
        first, last = WARM << 20, (LAST - 50) << 20
        within = [key for key, tick in came.items() if first < tick <= last]
        waited.append(np.mean([left[key] > came[key] for key in within]))
        # Little's law: time spent waiting, all candidates together, is the mean number who wait.
        line.append(sum(left[key] - came[key] for key in within) / (last - first))
    assert off(np.array(waited), queue.waits) < 5
    assert off(np.array(line), queue.queue) < 5


@pytest.mark.slow
def test_a_coordinator_is_free_again_before_the_lag_is_over() -> None:
    """With a lag of any length the queue is the same, and who passes comes so much later."""
    queue = QUEUES[1]
    duration = {"exponential": {"mean": f"{1 / queue.serving} days"}}
    patience = {"exponential": {"mean": f"{1 / queue.leaving} days"}}
    site = {"one": {"rate": f"{queue.arriving} per day", "coordinators": queue.servers}}
    way = {"duration": duration, "patience": patience}
    short = recruited(site, way, n=1500, horizon="200 days", replicates=20)
    long = recruited(site, way | {"lag": "100 days"}, n=1500, horizon="300 days", replicates=20)
    for row in range(20):
        one = [e for e in short.log(row, Kind.ARRIVAL, Kind.DISPATCH, Kind.RENEGING) if e.tick < 200 << 20]
        two = [e for e in long.log(row, Kind.ARRIVAL, Kind.DISPATCH, Kind.RENEGING) if e.tick < 200 << 20]
        assert one == two
        entered = [e.tick for e in short.log(row, Kind.RANDOMISATION) if e.tick < 200 << 20]
        later = [e.tick for e in long.log(row, Kind.RANDOMISATION)]
        assert [tick + (100 << 20) - 1 for tick in entered] == later[: len(entered)]
