"""Rows of inference after looks, of multiplicity and of combination tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import norm

from tests.reference import test_combination as combination
from tests.reference import test_inference as inference
from tests.reference import test_multi_arm as multi_arm
from tests.reference import test_multiplicity as multiplicity
from tests.validation.row import Row, row_of
from trialsim.designs import group_sequential
from trialsim.stats.combination.fisher import fisher_design
from trialsim.stats.inference.repeated import repeated_p
from trialsim.stats.inference.stagewise import adjusted_inference, stagewise_p
from trialsim.stats.multiplicity import adjusted
from trialsim.stats.multiplicity.dunnett import control_loadings, dunnett, dunnett_bound


def _after_looks() -> Iterator[Row]:
    """Yield stage-wise and repeated inference."""
    section = "Inference after looks"
    upper = group_sequential(inference.THIRDS.tolist()).efficacy_z
    for row in inference.LRSTAT.itertuples():
        what = f"3 looks, information 100, ended at look {row.stage} with z = {row.z:g}"
        if "repeated" in row.what:
            look = row.stage - 1
            p = repeated_p(row.z, lambda alpha, look=look: inference.bound_at("GS3", look, alpha), 1e-6, 0.5)
            yield row_of(section, f"{what}: repeated p", "lrstat", row.p, p, 3e-7)
            continue
        found = adjusted_inference(
            100 * inference.THIRDS, inference.none(3), upper, row.stage - 1, row.z, row.cilevel
        )
        figures = [found.p_value[0], found.estimate[0], found.lower[0], found.upper[0]]
        theirs = [row.p, row.estimate, row.lower, row.upper]
        yield row_of(section, f"{what}: p, estimate, 95% limits", "lrstat", theirs, figures, 1e-6)
    finals = inference.RPACT[
        inference.RPACT.final_p.notna() & inference.RPACT.design.isin(list(inference.DESIGNS))
    ]
    for row in finals.itertuples():
        design = group_sequential(**inference.DESIGNS[row.design])
        rates = design.information_rates
        ours = stagewise_p(
            rates, inference.none(len(rates)), design.efficacy_z, row.stage - 1, inference.statistic_of(row)
        )
        yield row_of(section, f"{row.case}: final p", "rpact", row.final_p, ours, 2e-8)
    for row in inference.stages_seen():
        look, design = row.stage - 1, row.design
        ours_p = repeated_p(
            inference.statistic_of(row),
            lambda alpha, look=look, design=design: inference.bound_at(design, look, alpha),
            1e-6,
            0.5,
        )
        yield row_of(
            section, f"{row.case}, stage {row.stage}: repeated p", "rpact", row.repeated_p, ours_p, 2e-6
        )


def _what_may_come() -> Iterator[Row]:
    """Yield conditional and predictive power."""
    section = "Conditional and predictive power, three looks"
    for row in inference.GSDESIGN.itertuples():
        close = 1e-7 if row.case.startswith("gsCP") else 2e-7
        ours = inference.gsdesign_power(row)
        yield row_of(section, f"{row.case}, {row.assumed}", "gsDesign", row.conditional_power, ours, close)


def _multiplicity() -> Iterator[Row]:
    """Yield adjusted p values."""
    section = "Adjusted p values"
    table = multiplicity.ADJUSTED
    for call in sorted(set(table[table.method.isin(multiplicity.METHODS)].call)):
        rows = table[table.call == call]
        ours = getattr(adjusted, rows.method.iloc[0])(rows.p.to_numpy())
        yield row_of(section, call, "R, p.adjust", rows.adjusted_p, ours, 1e-14)
    for k in (2, 3, 4, 5):
        rows = table[table.method.str.contains(f"k={k} ")]
        ours = dunnett(norm.isf(rows.p.to_numpy()), control_loadings(100, np.full(k, 100)))
        yield row_of(section, f"Dunnett, {k} arms against control", "mvtnorm", rows.adjusted_p, ours, 2e-8)
    cases = sorted(set(zip(multiplicity.GRAPHS.case, multiplicity.GRAPHS.method)))
    for case, method in cases:
        rows = multiplicity.GRAPHS[
            (multiplicity.GRAPHS.case == case) & (multiplicity.GRAPHS.method == method)
        ]
        rows = rows[rows.alpha == 0.025]
        ours, close = multiplicity.adjusted_by(method, rows)
        yield row_of(section, f"{case}: {method}", "graphicalMCP", rows.adjusted_p, ours, close)
    ours = [dunnett_bound(0.05, control_loadings(1, np.ones(k))) for k in range(1, 10)]
    what = "bounds of 1 to 9 arms against control, one-sided 0.05"
    yield row_of("Dunnett's table", what, "Dunnett (1955), table 1a", multiplicity.DUNNETT_1A, ours, 0.005)
    for row in multi_arm.ONE_STAGE.itertuples():
        bound = dunnett_bound(row.alpha_star_final, control_loadings(1.0, np.ones(row.K)))
        what = f"bound of {row.K} arms against control in one stage, at the level that it reports"
        yield row_of("Several arms against one control", what, "MAMS", row.upper, bound, 2e-6)


def _combinations() -> Iterator[Row]:
    """Yield critical values of Fisher's product."""
    section = "Critical values of Fisher's combination test"
    for call in sorted(set(combination.FISHER.call)):
        rows = combination.FISHER[combination.FISHER.call == call]
        first = rows.iloc[0]
        ours = fisher_design(first.alpha, int(first.kMax), first.alpha0, combination.METHODS[first.method])
        what = f"{int(first.kMax)} stages, alpha {first.alpha:g}, futility {first.alpha0:g}, {first.method}"
        yield row_of(section, what, "rpact", rows.critical, ours.critical, 1e-11, True)


def inference_rows() -> list[Row]:
    """Return the rows of all of these."""
    parts = (_after_looks, _what_may_come, _combinations, _multiplicity)
    return [row for part in parts for row in part()]
