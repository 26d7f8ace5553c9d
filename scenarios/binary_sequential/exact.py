"""The exact answer to ``binary_sequential.yaml``, in whole numbers.

``python scenarios/binary_sequential/exact.py`` prints the figures of ``expected.yaml``. For every state
(patients so far, successes on control, successes on treatment) it works backwards, one patient at a time, to
the probability that the trial rejects at a given look. With rates 3/10 and 9/20 all probabilities are whole
numbers over powers of 10 and 20, and z is compared with its bound by squares of fractions: nothing is rounded
before the last division.
"""

from __future__ import annotations

from fractions import Fraction

LOOKS = [100, 200, 300]
BOUNDS = ["3.71030", "2.51143", "1.99305"]
FIXED_BOUND = "1.959963984540054"  # normal quantile of 0.975
RATES = {"alternative": (Fraction(3, 10), Fraction(9, 20)), "no_effect": (Fraction(3, 10), Fraction(3, 10))}
ENTRY_GAP_DAYS = Fraction("30.4375") / 25
READOUT_DAYS = 28


def crosses(control: int, treatment: int, per_arm: int, bound: str) -> bool:
    """Say whether the pooled score z is at or above ``bound``, without a square root."""
    successes = control + treatment
    failures = 2 * per_arm - successes
    if successes == 0 or failures == 0 or treatment <= control:
        return False
    # z^2 = (difference)^2 / (p (1 - p) 2 / per_arm) with p = successes / (2 per_arm)
    squared = Fraction(2 * per_arm * (treatment - control) ** 2, successes * failures)
    return squared >= Fraction(bound) ** 2


def reject_at(look: int, rates: tuple[Fraction, Fraction], looks: list[int], bounds: list[str]) -> Fraction:
    """Return the probability to reach look ``look`` (from 0) and to reject there."""
    half = looks[look] // 2
    value = [[int(crosses(c, t, half, bounds[look])) for t in range(half + 1)] for c in range(half + 1)]
    for patients in range(looks[look] - 1, -1, -1):
        rate = rates[patients % 2]  # control first, alternating
        success, failure = rate.numerator, rate.denominator - rate.numerator
        controls, treatments = (patients + 1) // 2, patients // 2
        value = [
            [
                success * (value[c + 1][t] if patients % 2 == 0 else value[c][t + 1]) + failure * value[c][t]
                for t in range(treatments + 1)
            ]
            for c in range(controls + 1)
        ]
        if patients in looks[:look]:
            bound = bounds[looks.index(patients)]
            for c in range(controls + 1):
                for t in range(treatments + 1):
                    if crosses(c, t, patients // 2, bound):
                        value[c][t] = 0
    return Fraction(value[0][0], rates[0].denominator ** half * rates[1].denominator ** half)


def enrolled_at(look: int) -> int:
    """Return how many patients have entered when the readouts of ``look`` are in."""
    cut = LOOKS[look] * ENTRY_GAP_DAYS + READOUT_DAYS
    return min(LOOKS[-1], int(cut / ENTRY_GAP_DAYS))


def figures() -> dict[tuple[str, str, str, int | None], Fraction]:
    """Return the exact figures by (design, truth, measure, look)."""
    answer: dict[tuple[str, str, str, int | None], Fraction] = {}
    for truth, rates in RATES.items():
        rejects = [reject_at(look, rates, LOOKS, BOUNDS) for look in range(len(LOOKS))]
        stops = [*rejects[:-1], 1 - sum(rejects[:-1])]
        cell = ("group_sequential", truth)
        answer[*cell, "reject", None] = sum(rejects, Fraction(0))
        for look in range(len(LOOKS)):
            answer[*cell, "reject_by_look", look + 1] = sum(rejects[: look + 1], Fraction(0))
        answer[*cell, "analysed", None] = sum((p * n for p, n in zip(stops, LOOKS, strict=True)), Fraction(0))
        enrolled = [enrolled_at(look) for look in range(len(LOOKS))]
        answer[*cell, "enrolled", None] = sum(
            (p * n for p, n in zip(stops, enrolled, strict=True)), Fraction(0)
        )
        dates = [n * ENTRY_GAP_DAYS + READOUT_DAYS for n in LOOKS]
        answer[*cell, "duration", None] = sum((p * d for p, d in zip(stops, dates, strict=True)), Fraction(0))
        answer["fixed", truth, "reject", None] = reject_at(0, rates, LOOKS[-1:], [FIXED_BOUND])
    return answer


def main() -> None:
    """Print the figures with fifteen digits."""
    for (design, truth, measure, look), value in figures().items():
        name = measure if look is None else f"{measure} {look}"
        print(f"{design:17s} {truth:12s} {name:17s} {float(value):.15g}")


if __name__ == "__main__":
    main()
