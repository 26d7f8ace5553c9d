"""Expected arrivals at sites: the integral of each site's rate, however many sites and kinds of them there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from tests.unit.recruitment_scenario import RECRUITING
from trialsim.operations.sites import sites_law
from trialsim.scenario.load import scenario_from
from trialsim.scenario.reading import parse_yaml
from trialsim.timegrid import TICKS_PER_DAY

HORIZON = 700.0
GROUPS: dict[str, Any] = {
    "plain": {"count": 3, "rate": "0.4 per day", "backlog": 5},
    "slow": {"rate": "0.2 per day", "ramp_up": {"from": 0.3, "over": "120 days"}, "activation": "30 days"},
    "falling": {
        "count": 2,
        "rate": "0.5 per day",
        "ramp_up": {"from": 0.5, "over": "60 days"},
        "drift": {"per_year": -0.8},
        "activation": {"uniform": {"from": "0 days", "to": "100 days"}},
        "never_opens": 0.25,
    },
    "closing": {"rate": "1 per day", "closes": "200 days", "competing": [{"from": "90 days", "share": 0.4}]},
    "late": {"rate": "0 per day", "backlog": 7, "activation": "300 days", "never_opens": 0.5},
}


def law_of(groups: dict[str, Any]) -> Any:
    tree: Any = parse_yaml(RECRUITING)
    tree["accrual"]["sites"] = groups
    tree["truths"] = {"base": {}}
    return sites_law(scenario_from(tree).accrual.sites or {}, HORIZON, 1)


def by_quadrature(day: float) -> float:
    """Return what the groups above are expected to bring by a day, worked out group by group."""

    def ramped(x: float, start: float, over: float, slope: float) -> float:
        share = start + (1.0 - start) * x / over if x < over else 1.0 + slope * (x - over) / 365.25
        return max(share, 0.0)

    def integral(start: float, over: float, slope: float, until: float) -> float:
        return float(
            quad(ramped, 0.0, max(until, 0.0), (start, over, slope), points=[over, over + 456.5625])[0]
        )

    total = 3 * (5 + 0.4 * day)
    total += 0.2 * integral(0.3, 120.0, 0.0, day - 30.0)
    total += 2 * 0.75 * 0.5 * integral(0.5, 60.0, -0.8, day - 50.0)
    total += 0.6 * min(day, 200.0)  # competition counts from the start, as the most it ever takes
    return total + 0.5 * 7 * (day >= 300.0)


@pytest.mark.parametrize("day", [1.0, 29.0, 77.0, 150.0, 299.0, 301.0, 450.0, 699.0])
def test_they_are_the_integral_of_each_rate(day: float) -> None:
    found = law_of(GROUPS).expected_arrivals(np.array([day]))
    # The first site opens a tick after the start of set-up, so that the others open a tick earlier since then.
    assert found[0] == pytest.approx(by_quadrature(day), abs=3.0 / TICKS_PER_DAY)


def test_many_sites_and_many_kinds_of_sites_add_up() -> None:
    days = np.linspace(1.0, HORIZON, 300)
    many = {
        f"g{k}": {"count": 10, "rate": f"{0.01 + 0.001 * k} per day", "backlog": k % 3} for k in range(150)
    }
    found = law_of(many).expected_arrivals(days)
    exact = sum(10 * (k % 3 + (0.01 + 0.001 * k) * days) for k in range(150))
    assert found == pytest.approx(exact, rel=1e-9)
