"""Trials of ACTG 175's size recruited at 43 sites with screening, two looks, served as they come, with adverse events.

A patient has about 1.5 adverse events, so that a trial has about 3,200; the benchmark fails where it has not.
Target: 600 trials a second on a core where a Philox double takes 1.8 ns.
"""

from measure import Work, report

if __name__ == "__main__":
    work = Work("actg175_sites", "two_looks", "fitted", 3_000)
    report(work, target=600, reference_replicates=4, adverse_events=(1.4, 1.6))
