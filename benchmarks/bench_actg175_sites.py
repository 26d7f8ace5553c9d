"""Trials of ACTG 175's size recruited at 43 sites with screening, two looks, served as they come.

Target: 600 trials a second on a core where a Philox double takes 1.8 ns.
"""

from measure import Work, report

if __name__ == "__main__":
    report(Work("actg175_sites", "two_looks", "fitted", 3_000), target=600, reference_replicates=4)
