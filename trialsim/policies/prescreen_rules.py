"""Eligibility as declared in the protocol, looked up in the records by a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.contracts import CandidateView, Ints, Memory


class PrescreenRules:
    """Call those first whose records meet every declared criterion, then those who miss one, and so on.

    A value that the records lack meets no criterion.

    Parameters
    ----------
    require
        For each covariate the least and the most that is allowed, or the levels that are: ``{least, most, levels}``.
    """

    name = "prescreen_rules"
    reference = "usual practice with electronic records"
    decides_on = "candidate"
    as_they_come = False

    def __init__(self, require: Mapping[str, Mapping[str, Any]]) -> None:
        self._require = {name: dict(rule) for name, rule in require.items()}

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return minus the number of criteria that each candidate's records do not meet."""
        missed = np.zeros(len(view.candidate), dtype=np.int64)
        for name, rule in self._require.items():
            values = view.covariates[:, view.names.index(name)]
            met = ~np.isnan(values)
            if rule.get("least") is not None:
                met &= values >= rule["least"]
            if rule.get("most") is not None:
                met &= values <= rule["most"]
            if rule.get("levels"):
                met &= np.isin(values, [view.levels[name].index(level) for level in rule["levels"]])
            missed += ~met
        return -missed, memory
