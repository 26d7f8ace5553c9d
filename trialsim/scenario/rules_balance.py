"""Rules of minimisation and of the biased coin: factors that exist, arms enough but not too many, a bias for balance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from trialsim.scenario.design import Allocation
from trialsim.scenario.rules_world import Finding, WorldParts, strata_findings
from trialsim.scenario.wording import unknown

Place = tuple[str | int, ...]

MOST_SCALE = 10_000
"""The largest least common multiple of the shares with which imbalances of a million patients stay within 64 bits."""


def balance_findings(
    at: Place, rule: Allocation, arms: Sequence[str], parts: WorldParts
) -> Iterator[Finding]:
    """Yield what is wrong with an allocation that favours arms; nothing where it favours none.

    Parameters
    ----------
    at
        The place of the rule.
    rule
        The allocation.
    arms
        Arms of the design, none where they could not be read.
    parts
        What could be read of the world.
    """
    if rule.probability is None:
        return
    shares = list(rule.ratio.values()) if rule.ratio is not None else [1] * len(set(arms))
    if shares and rule.probability < min(shares) / sum(shares) - 1e-12:
        least = f"the smallest share, {min(shares)} of {sum(shares)}"
        yield (
            (*at, "probability"),
            f"{rule.probability:g} is below {least}: arms that are ahead would be favoured; take a larger one",
        )
    if rule.biased_coin is not None and len(set(arms)) > 2:
        instead = "minimisation: {factors: []} balances the totals of any number of arms"
        yield at, f"a biased coin is for 2 arms, and the design has {len(set(arms))}; {instead}"
    if rule.minimisation is None:
        return
    yield from strata_findings((*at, "factors"), rule.factors, parts, "factors")
    for name in rule.minimisation.weights:
        if name not in rule.factors:
            yield (*at, "weights", name), unknown("the factor", name, rule.factors)
    scale = math.lcm(*shares)
    if scale > MOST_SCALE:
        sentence = f"the least common multiple of the shares is {scale:,}, at most {MOST_SCALE:,} is allowed"
        yield (*at, "ratio"), f"{sentence}; take a simpler ratio"
