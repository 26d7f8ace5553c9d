"""Real patients in four arms: covariates, survival and CD4, group sequential with three tests."""

from __future__ import annotations

from measure import Work, report

if __name__ == "__main__":
    report(Work("actg175", "sequential", "fitted", 20_000), target=10_000, reference_replicates=20)
