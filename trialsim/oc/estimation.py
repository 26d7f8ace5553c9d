"""How well the trials estimate: true value, mean, bias, root mean squared error, coverage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trialsim.oc.columns import Cell, Records
from trialsim.oc.measures import PROBABILITY, Measure, measure
from trialsim.oc.montecarlo import mean, normal, proportion, root_mean_square
from trialsim.oc.rejections import Tested, count

COVERAGE_Z = 1.959964


def estimation_measures(records: Records, cell: Cell, tested: Tested) -> Iterator[Measure]:
    """Yield the measures of one hypothesis' estimator in one cell."""
    facts = tested.facts
    name = facts.hypothesis
    unit = facts.unit or "estimate"
    truth = facts.true_value
    if truth is not None:
        known = normal(truth, facts.true_value_mcse, 0)
        yield measure(*cell, "true_value", known, unit=unit, hypothesis=name)
    if f"estimate:{name}" not in records.columns("trials"):
        return
    estimates = records.numbers("trials", f"estimate:{name}", cell)
    usable = np.isfinite(estimates)
    if tested.failed is not None:
        usable &= ~tested.failed
    # A trial that ended without analysing the hypothesis has no estimate, and has not failed.
    n = estimates.size - count(tested.unanalysed)
    n_usable = count(usable)
    complete = n_usable == estimates.size
    kept = estimates if complete else estimates[usable]
    if (found := mean(kept)) is not None:
        yield measure(*cell, "estimate", found, unit=unit, hypothesis=name, n_failed=n - n_usable)
    if truth is None:
        return
    errors = kept - truth
    if (found := mean(errors)) is not None:
        yield measure(*cell, "bias", found, unit=unit, hypothesis=name, n_failed=n - n_usable)
    yield from _bias_by_reason(records, cell, tested, errors, None if complete else usable, unit)
    if (found := root_mean_square(errors)) is not None:
        yield measure(*cell, "rmse", found, unit=unit, hypothesis=name, n_failed=n - n_usable)
    if n == 0:
        return
    standard_errors = records.numbers("trials", f"se:{name}", cell)
    if not complete:
        standard_errors = standard_errors[usable]
    covering = count(np.abs(errors) <= COVERAGE_Z * standard_errors)
    yield measure(
        *cell, "coverage", proportion(covering, n), unit=PROBABILITY, hypothesis=name, n_failed=n - n_usable
    )


def _bias_by_reason(
    records: Records,
    cell: Cell,
    tested: Tested,
    errors: np.ndarray[tuple[int], np.dtype[np.float64]],
    usable: np.ndarray[tuple[int], np.dtype[np.bool_]] | None,
    unit: str,
) -> Iterator[Measure]:
    reasons = records.categories("trials", "stop_reason", cell)
    for reason in sorted(reasons.present()):
        stopped = reasons.equal(reason)
        among = stopped if usable is None else stopped[usable]
        found = mean(errors[among])
        analysed = stopped if tested.unanalysed is None else stopped & ~tested.unanalysed
        if found is not None:
            yield measure(
                *cell,
                "bias",
                found,
                unit=unit,
                hypothesis=tested.facts.hypothesis,
                reason=reason,
                n_failed=count(analysed) - found.n,
            )
