"""Costs: what is paid for, at which price, and what money at a later time is worth at the start.

Money is discounted continuously: an amount paid t days after the start counts ``exp(-r t)`` of itself, and a price per
unit of time paid from a to b counts ``(exp(-r a) - exp(-r b)) / r`` units of time. Both are rounded to whole numbers, the
first to 2**-36, the second to ticks, so that sums over things that happen do not depend on the order in which they are
added up, and are plain counts and plain ticks where nothing is discounted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trialsim.compiled import kernel
from trialsim.elementary import natural_exp
from trialsim.scenario.costs import Costs
from trialsim.timegrid import DAYS_PER_MONTH, TICKS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ONE = 1 << 36
"""What something that is paid for at the start counts; later things count less."""

_TICKS_PER_MONTH = DAYS_PER_MONTH * TICKS_PER_DAY
_SMALL = 1e-3


class Item(NamedTuple):
    """Something that is paid for: the key of its price, the component of costs it belongs to, whether it is by month."""

    price: str
    component: str
    monthly: bool = False


ITEMS = (
    Item("site_activation", "sites"),
    Item("site_month", "sites", monthly=True),
    Item("prescreen", "screening"),
    Item("consent", "screening"),
    Item("screen", "screening"),
    Item("patient", "patients"),
    Item("patient_month", "patients", monthly=True),
    Item("visit", "visits"),
    Item("adverse_event", "adverse_events"),
    Item("serious_adverse_event", "adverse_events"),
    Item("look", "looks"),
    Item("trial_month", "running", monthly=True),
)
"""What is paid for, in the order of the columns in which engines count it."""

COLUMN = {item.price: place for place, item in enumerate(ITEMS)}
"""Where each item is counted."""

COMPONENTS = tuple(dict.fromkeys(item.component for item in ITEMS))
_NEEDS = {"sites": "sites", "screening": "sites", "visits": "visits", "adverse_events": "adverse_events"}
"""What a world must have for a component of costs to arise; the others always can."""


@dataclass(frozen=True)
class CostLaw:
    """What a trial costs.

    Parameters
    ----------
    currency
        Of all amounts.
    prices
        Of a thing, or of a month, ``[item]`` in the order of :data:`ITEMS`.
    discount
        Rate per day at which later costs count less, 0 for none.
    components
        Of costs that can arise in this world.
    """

    currency: str
    prices: tuple[float, ...]
    discount: float
    components: tuple[str, ...]


def cost_law(stated: Costs, has: Collection[str]) -> CostLaw:
    """Return the law that a scenario states.

    Parameters
    ----------
    stated
        The scenario's block.
    has
        Which of ``sites``, ``visits`` and ``adverse_events`` the world has.
    """
    return CostLaw(
        stated.currency,
        tuple(getattr(stated, item.price) for item in ITEMS),
        stated.discount or 0.0,
        tuple(name for name in COMPONENTS if name not in _NEEDS or _NEEDS[name] in has),
    )


def money_spent(law: CostLaw, amounts: Ints) -> dict[str, Floats]:
    """Return what trials cost by component.

    Parameters
    ----------
    law
        Prices.
    amounts
        What was counted: sums of :func:`present_count` for things, of :func:`present_time` at their ends less at their
        beginnings for what is paid by month, ``[replicate, item]``.

    Returns
    -------
    dict of numpy.ndarray
        Money ``[replicate]`` of each component that can arise.
    """
    spent = {name: np.zeros(len(amounts)) for name in law.components}
    for place, (item, price) in enumerate(zip(ITEMS, law.prices, strict=True)):
        if item.component in spent:
            unit = _TICKS_PER_MONTH if item.monthly else float(ONE)
            spent[item.component] = spent[item.component] + price * (amounts[:, place] / unit)
    return spent


@kernel
def present_count(tick, discount):  # type: ignore[no-untyped-def]
    """Return what one thing paid for at a tick counts, as a multiple of 1/:data:`ONE`.

    Parameters
    ----------
    tick
        When it is paid for.
    discount
        Rate per day.
    """
    if discount == 0.0:
        return np.int64(ONE)
    return np.int64(np.floor(ONE * natural_exp(-discount * (tick / TICKS_PER_DAY)) + 0.5))


@kernel
def present_time(tick, discount):  # type: ignore[no-untyped-def]
    """Return what the time from the start to a tick counts, in ticks: ``(1 - exp(-r t)) / r``, which is t without discount.

    Parameters
    ----------
    tick
        End of the time.
    discount
        Rate per day.
    """
    if discount == 0.0:
        return np.int64(tick)
    x = discount * (tick / TICKS_PER_DAY)
    if x < _SMALL:  # where the difference would cancel: the series of (1 - exp(-x)) / x
        return np.int64(np.floor(tick * (1.0 - x / 2.0 * (1.0 - x / 3.0 * (1.0 - x / 4.0))) + 0.5))
    return np.int64(np.floor((1.0 - natural_exp(-x)) / discount * TICKS_PER_DAY + 0.5))
