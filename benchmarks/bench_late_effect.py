"""Survival, 400 patients, FH(0,1) at three looks by events, under an effect that comes after four months."""

from __future__ import annotations

from measure import Work, report

if __name__ == "__main__":
    report(
        Work("late_effect", "group_sequential", "delayed", 150_000), target=60_000, reference_replicates=60
    )
