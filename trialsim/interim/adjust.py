"""P values of several hypotheses, adjusted so that the familywise error holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from trialsim.errors import UsageError
from trialsim.scenario.wording import listed, unknown
from trialsim.stats.multiplicity import adjusted
from trialsim.stats.multiplicity.dunnett import control_loadings, dunnett
from trialsim.stats.multiplicity.graph import Graph, graph_test
from trialsim.stats.multiplicity.p_values import p_values

SOURCES = {
    "bonferroni": "Bonferroni; Dunn 1961; whatever the dependence",
    "holm": "Holm 1979; whatever the dependence",
    "hochberg": "Hochberg 1988; where Simes' inequality holds, as for positive dependence",
    "hommel": "Hommel 1988; where Simes' inequality holds, as for positive dependence",
    "fixed_sequence": "Maurer, Hothorn and Lehmacher 1995; in the order given",
    "graph": "Bretz, Maurer, Brannath and Posch 2009; whatever the dependence",
    "dunnett": "Dunnett 1955; one-sided comparisons of arms with one control, variance known",
}
MOST_HYPOTHESES = 50
MOST_PATIENTS = 1e9


@dataclass(frozen=True)
class Adjusted:
    """What a procedure concludes; lists are by hypothesis.

    Parameters
    ----------
    method
        The procedure.
    alpha
        Familywise level.
    names
        Of the hypotheses.
    p, adjusted_p
        One-sided p values as given, and adjusted: rejected at or below ``alpha``.
    weights
        Of a graph, the shares of the level once all that is rejected has passed on its own; None of others.
    """

    method: str
    alpha: float
    names: tuple[str, ...]
    p: tuple[float, ...]
    adjusted_p: tuple[float, ...]
    weights: tuple[float, ...] | None

    @property
    def rejected(self) -> tuple[bool, ...]:
        """Whether each hypothesis is rejected at the familywise level."""
        return tuple(value <= self.alpha for value in self.adjusted_p)

    def document(self) -> dict[str, Any]:
        """Return plain data for JSON: see ``schemas/adjust.json``."""
        return {
            "method": self.method,
            "source": SOURCES[self.method],
            "alpha": self.alpha,
            "names": list(self.names),
            "p": list(self.p),
            "adjusted_p": list(self.adjusted_p),
            "rejected": list(self.rejected),
            "weights": None if self.weights is None else list(self.weights),
        }


def adjust(
    p: Sequence[float],
    method: str = "holm",
    alpha: float = 0.025,
    names: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    transitions: Sequence[Sequence[float]] | None = None,
    patients: Sequence[float] | None = None,
) -> Adjusted:
    """Return adjusted p values of several hypotheses.

    Parameters
    ----------
    p
        One-sided p values.
    method
        A key of ``SOURCES``.
    alpha
        Familywise level.
    names
        Of the hypotheses; by default ``H1``, ``H2``, ....
    weights, transitions
        Of a graph: shares of the level, ``[hypothesis]``, and of a rejected one's share that pass on, ``[from, to]``.
    patients
        For ``dunnett``: patients of control and of each arm; by default as many in each.

    Raises
    ------
    UsageError
        With what is wrong.
    """
    given = p_values(list(p))
    m = len(given)
    told = tuple(names) if names is not None else tuple(f"H{place + 1}" for place in range(m))
    _check(m, method, alpha, told, weights, transitions, patients)
    shares = None
    if method == "graph":
        assert weights is not None and transitions is not None
        if len(weights) != m or any(len(row) != m for row in transitions) or len(transitions) != m:
            raise UsageError(f"The graph needs {m} weights, and {m} rows of {m} transitions each.")
        result = graph_test(Graph(np.array(weights), np.array(transitions)), given, alpha)
        found, shares = result.adjusted_p, tuple(np.clip(result.weights, 0.0, 1.0).tolist())
    elif method == "dunnett":
        sizes = [1.0] * (m + 1) if patients is None else list(patients)
        found = dunnett(-ndtri(np.clip(given, 1e-300, 1.0 - 1e-16)), control_loadings(sizes[0], sizes[1:]))
    else:
        found = getattr(adjusted, method)(given)
    return Adjusted(method, alpha, told, tuple(given.tolist()), tuple(found.tolist()), shares)


def _check(
    m: int,
    method: str,
    alpha: float,
    names: tuple[str, ...],
    weights: object,
    transitions: object,
    patients: Sequence[float] | None,
) -> None:
    """Refuse what does not fit together, every problem at once."""
    said = []
    if method not in SOURCES:
        said.append(unknown("the method", method, list(SOURCES)))
    if not 0.0 < alpha <= 0.5:
        said.append(f"alpha is {alpha:g}; it lies above 0, up to 0.5")
    if m > MOST_HYPOTHESES:
        said.append(f"{m} p values are given; at most {MOST_HYPOTHESES} are adjusted")
    if len(names) != m or len(set(names)) != len(names):
        said.append(f"{listed(names)} are the names of {m} hypotheses; give each a name of its own")
    for key, value, owner in (
        ("weights", weights, "graph"), ("transitions", transitions, "graph"), ("patients", patients, "dunnett"),
    ):  # fmt: skip
        if value is not None and method != owner:
            said.append(f"{key} are for the method {owner}; leave them out")
        if value is None and owner == method == "graph":
            said.append(f"a graph needs {key}")
    if method == "dunnett" and patients is not None:
        if len(patients) != m + 1:
            said.append(f"{len(patients)} numbers of patients are given; control and {m} arms are {m + 1}")
        if odd := [value for value in patients if not 0.0 < value < MOST_PATIENTS]:
            what = listed(f"{value:g}" for value in odd)
            said.append(f"numbers of patients lie above 0 and below {MOST_PATIENTS:g}, found {what}")
    if said:
        raise UsageError(f"Nothing is adjusted: {'; '.join(said)}.")
