"""Continuous, 442 patients planned and up to 884, two looks by read-outs, the size re-estimated by conditional power."""

from __future__ import annotations

from measure import Work, report

if __name__ == "__main__":
    report(
        Work("sample_size_reestimation", "promising_zone", "effect", 600_000),
        300_000,
        reference_replicates=200,
    )
