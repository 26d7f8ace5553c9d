"""Minimisation and the biased coin in plain fractions, as the documents define them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

Counts = Sequence[Sequence[int]]


def _imbalance(measure: str, values: list[Fraction]) -> Decimal:
    mean = sum(values) / Fraction(len(values))
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    spread = max(values) - min(values) if measure == "range" else variance
    number = Decimal(spread.numerator) / Decimal(spread.denominator)
    return number.sqrt() if measure == "sd" else number


def favoured_by_minimisation(
    counts: Counts, weights: Sequence[int], ratio: Sequence[int], measure: str
) -> list[int]:
    """Return the arms (share above 0) that leave the least imbalance; ``counts[factor][arm]`` of the patient's levels."""
    arms = [a for a, share in enumerate(ratio) if share]
    with localcontext(prec=50):
        total = {
            a: sum(
                (
                    weight * _imbalance(measure, [Fraction(row[b] + (b == a), ratio[b]) for b in arms])
                    for row, weight in zip(counts, weights, strict=True)
                ),
                Decimal(0),
            )
            for a in arms
        }
        least = min(total.values())
        return [a for a in arms if total[a] - least <= abs(least) * Decimal("1e-30")]


def favoured_by_coin(counts: Sequence[int], ratio: Sequence[int]) -> list[int]:
    """Return the arms (share above 0) that are furthest behind."""
    over = {a: Fraction(counts[a], share) for a, share in enumerate(ratio) if share}
    return [a for a, value in over.items() if value == min(over.values())]


def shared_out(favoured: list[int], ratio: Sequence[int], p: Fraction) -> list[Fraction]:
    """Return the probabilities of Han, Enas and McEntegart, averaged over the order of those that tie."""
    total, smallest = sum(ratio), min(share for share in ratio if share)
    chances = [Fraction(0)] * len(ratio)
    if total == smallest:
        chances[favoured[0]] = Fraction(1)
        return chances
    p = max(p, Fraction(smallest, total))
    for k in favoured:
        preferred = Fraction(ratio[k], sum(ratio[a] for a in favoured))
        high = 1 - (1 - p) * Fraction(total - ratio[k], total - smallest)
        for a, share in enumerate(ratio):
            chances[a] += preferred * (high if a == k else (1 - high) * Fraction(share, total - ratio[k]))
    return chances
