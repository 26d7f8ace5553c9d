"""Survival, 400 patients, three looks by events: the workload of lrstat, rpact and simtrial in the README."""

from __future__ import annotations

from measure import Work, report

if __name__ == "__main__":
    report(
        Work("nph_oncology", "group_sequential", "proportional", 200_000),
        target=100_000,
        reference_replicates=60,
    )
