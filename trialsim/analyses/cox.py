"""The Cox model of treatment, plain, stratified or adjusted for covariates, tested by Wald's statistic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analyses.outcome import estimates
from trialsim.contracts import Bools, DataCut, Estimates, Floats, Status
from trialsim.stats.cox_covariates import adjusted_log_hazard_ratios
from trialsim.stats.survival import cox_fit


class Cox:
    """Maximum partial likelihood log hazard ratio (Cox 1972), ties by Efron (1977), z by Wald."""

    name = "cox"
    endpoint_kinds = ("survival",)
    estimator = "cox_log_hazard_ratio"
    estimand = "log_hazard_ratio"
    reference = "Cox 1972; ties: Efron 1977"
    information = "observed information of the log hazard ratio"
    increments = (
        "independent asymptotically, where hazards are proportional (Tsiatis, Rosner and Tritchler 1985)"
    )

    def estimate(self, cut: DataCut, lower_is_better: bool, options: Mapping[str, Any]) -> Estimates:
        """Return the fit of every replicate."""
        effect, information, nothing = _adjusted(cut) if options.get("covariates") else _plain(cut)
        infinite = ~np.isfinite(effect) | (information <= 0.0)
        root = np.sqrt(np.where(infinite, 1.0, information))
        sign = -1.0 if lower_is_better else 1.0
        return estimates(
            effect,
            1.0 / root,
            sign * effect * root,
            information,
            [(Status.NO_EVENTS, nothing), (Status.NO_FINITE_ESTIMATE, infinite)],
        )


def _plain(cut: DataCut) -> tuple[Floats, Floats, Bools]:
    """Return log hazard ratio, information and whether there were no events, from numbers at risk."""
    table = cut.risk_tables()
    size = len(table.offsets) - 1
    effect, information = np.zeros(size), np.zeros(size)
    cox_fit(
        table.offsets,
        table.at_risk,
        table.at_risk_treatment,
        table.events,
        table.events_treatment,
        effect,
        information,
    )
    return effect, information, np.diff(table.offsets) == 0


def _adjusted(cut: DataCut) -> tuple[Floats, Floats, Bools]:
    """Return the same of a model with covariates, from the patients one by one."""
    rows = cut.patients()
    size = len(rows.offsets) - 1
    effect, information, events = np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.int64)
    adjusted_log_hazard_ratios(
        rows.offsets, rows.treated, rows.stratum, rows.value, rows.event, rows.covariates, effect, information, events
    )  # fmt: skip
    return effect, information, events == 0
