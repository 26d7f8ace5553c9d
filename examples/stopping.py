"""How soon a trial could stop at the best, and how near usual boundaries come.

Run from the root of the repository: ``python examples/stopping.py`` (its output: stopping.out)
"""

from __future__ import annotations

from trialsim.learning.stopping_benchmark import ALPHA, LOOKS, POWER, stopping_rules


def main() -> None:
    """Print the largest and the mean expected size of each family, over that of the fixed test, and what is best."""
    print(f"{LOOKS} looks, error {ALPHA}, power {POWER}; sizes over that of the fixed test, from theory")
    for rule in stopping_rules():
        above = abs(rule.mean / rule.best - 1.0)
        expected = ", ".join(f"{size:.3f}" for size in rule.expected)
        print(
            f"  {rule.label:27} largest {rule.maximum:.3f}; no, half, full effect {expected}; {above:6.2%} above the best"
        )


if __name__ == "__main__":
    main()
