"""Binary, 300 patients, three looks by read-outs."""

from __future__ import annotations

from measure import Work, report

if __name__ == "__main__":
    report(
        Work("binary_sequential", "group_sequential", "alternative", 2_000_000),
        1_000_000,
        reference_replicates=100,
    )
