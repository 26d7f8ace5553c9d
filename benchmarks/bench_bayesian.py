"""Four arms allocated by the probability of being best, and two arms watched by predictive probability."""

from __future__ import annotations

from measure import Work, report

if __name__ == "__main__":
    report(Work("rar_four_arms", "response_adaptive", "no_effect", 40_000), 50_000, reference_replicates=20)
    report(Work("predictive_two_arms", "goldilocks", "effect", 20_000), 5_000, reference_replicates=20)
