"""Ranking by how likely a call is to end in a patient who tells something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.compiled import kernel
from trialsim.contracts import CandidateView, Floats, Ints, Memory
from trialsim.elementary import natural_exp, natural_log
from trialsim.policies.scores import on_grid

_STEEP = 36.0  # beyond it log(1 + exp(x)) is x to the last digit


class ExpectedCompletion:
    """Rank by the product of the chances of being eligible, consenting and staying, and of what the patient would tell.

    Each chance is a logistic formula of what the records hold, declared beforehand: a published or fitted model. It need
    not be true. A value that the records lack counts as its centre. What a patient would tell is stated by one of two
    kinds of model, which are not mixed: by a **prognostic** one, the chance of the event whatever the treatment, or by a
    **predictive** one, the chance of responding to the treatment. The first raises the number of events, and with a
    binary outcome may lower power; the second changes who the effect is an effect in.

    Parameters
    ----------
    eligible, consents, stays, prognostic, predictive
        Chances, ``{probability, covariates, centre}``: probability of the centred candidate, log odds ratio per unit or
        of a level, and centres.
    """

    name = "expected_completion"
    reference = "expected number of evaluable patients per call; enrichment as in FDA guidance 2019"
    decides_on = "candidate"
    as_they_come = False

    def __init__(self, **chances: Mapping[str, Any]) -> None:
        self._chances = [dict(chance) for chance in chances.values()]

    def decide(self, view: CandidateView, memory: Memory) -> tuple[Ints, Memory]:
        """Return the logarithm of the product of all chances on a fine grid."""
        total = np.zeros(len(view.candidate))
        for chance in self._chances:
            _add_log_chances(_log_odds(chance, view), total)
        return on_grid(total), memory


def _log_odds(chance: Mapping[str, Any], view: CandidateView) -> Floats:
    """Return the log odds of each candidate, ``[candidate]``."""
    probability = float(chance["probability"])
    if not chance.get("covariates"):
        # Certain or impossible for all alike, it moves nobody.
        odds = 0.0 if probability in (0.0, 1.0) else natural_log(probability) - natural_log(1.0 - probability)
        return np.full(len(view.candidate), odds)
    found = np.full(len(view.candidate), natural_log(probability) - natural_log(1.0 - probability))
    centre = chance.get("centre") or {}
    for name, coefficient in chance["covariates"].items():
        covariate, _, level = name.partition(".")
        values = view.covariates[:, view.names.index(covariate)]
        if level:
            values = np.where(np.isnan(values), np.nan, values == view.levels[covariate].index(level))
        found += coefficient * np.nan_to_num(values - centre.get(name, 0.0), nan=0.0)
    return found


@kernel
def _add_log_chances(log_odds, total):  # type: ignore[no-untyped-def]
    """Add the logarithm of each probability."""
    for i in range(len(log_odds)):
        x = -log_odds[i]
        total[i] -= x if x > _STEEP else natural_log(1.0 + natural_exp(x))
