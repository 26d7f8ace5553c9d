"""Four arms of 30 patients a stage, the best selected after the first, closed Dunnett tests, two stages."""

from __future__ import annotations

from measure import Work, report

if __name__ == "__main__":
    report(
        Work("multi_arm", "means_best", "effect", 1_000_000, "four_arms"), 500_000, reference_replicates=1000
    )
