"""Graphical procedures: weights that pass on along the edges of a graph when hypotheses are rejected.

Bretz, Maurer, Brannath and Posch (2009, Stat. Med. 28, 586-604); with other tests of intersections Bretz et al. (2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trialsim.compiled import kernel
from trialsim.errors import UsageError

Floats = NDArray[np.float64]

MOST_CLOSED = 12
"""Hypotheses up to which every intersection is gone through: there are ``2**m - 1``."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Graph:
    """Weights of hypotheses, and where they pass when one is rejected.

    Parameters
    ----------
    weights
        Shares of the level, ``[hypothesis]``, adding to at most 1.
    transitions
        Share of its weight that hypothesis ``i`` passes to ``j``, ``[i, j]``; rows add to at most 1, none to itself.

    Raises
    ------
    UsageError
        Where they are no graph.
    """

    weights: Floats
    transitions: Floats

    def __post_init__(self) -> None:
        """Refuse what is no graph."""
        weights = np.array(self.weights, dtype=np.float64)
        transitions = np.array(self.transitions, dtype=np.float64)
        m = len(weights) if weights.ndim == 1 else 0
        problems = []
        if m == 0 or transitions.shape != (m, m):
            raise UsageError(
                f"A graph needs weights [hypothesis] and transitions [hypothesis, hypothesis]; shapes {weights.shape} and "
                f"{transitions.shape} are given."
            )
        if not (weights >= 0.0).all() or not weights.sum() <= 1.0 + _ROUNDING:
            problems.append(f"weights {weights.tolist()} must not be negative and add to at most 1")
        rows = transitions.sum(axis=1)
        if not (transitions >= 0.0).all() or not (rows <= 1.0 + _ROUNDING).all():
            problems.append("transitions must not be negative, and each row adds to at most 1")
        if np.diag(transitions).any():
            problems.append("no hypothesis passes weight to itself: the diagonal of transitions is 0")
        if problems:
            raise UsageError(f"The graph cannot be used: {'; '.join(problems)}.")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "transitions", transitions)


@dataclass(frozen=True)
class GraphResult:
    """What a graphical procedure concludes.

    Parameters
    ----------
    adjusted_p
        ``[..., hypothesis]``.
    rejected
        Where it is at or below the level.
    weights
        What the graph holds once all that is rejected has passed on its weight; of rejected hypotheses, 0.
    """

    adjusted_p: Floats
    rejected: NDArray[np.bool_]
    weights: Floats


@kernel
def without(weights: Floats, transitions: Floats, gone: int) -> None:
    """Pass on the weight of a hypothesis and close its edges, in place (Bretz et al. 2009, algorithm 1)."""
    m = len(weights)
    into = transitions[:, gone].copy()
    out = transitions[gone].copy()
    for j in range(m):
        if j != gone:
            weights[j] += weights[gone] * out[j]
    weights[gone] = 0.0
    for i in range(m):
        if i == gone:
            continue
        loop = into[i] * out[i]
        for j in range(m):
            if i != j and j != gone:
                passed = transitions[i, j] + into[i] * out[j]
                transitions[i, j] = passed / (1.0 - loop) if loop < 1.0 else 0.0
        transitions[i, gone] = 0.0
    transitions[gone, :] = 0.0


@kernel
def _shortcut(weights, transitions, p, level, adjusted, final):  # type: ignore[no-untyped-def]
    """Fill in adjusted p values and final weights of every row of p values."""
    m = len(weights)
    for r in range(len(p)):
        w, g = weights.copy(), transitions.copy()
        final[r] = w
        open_still = np.ones(m, dtype=np.bool_)
        largest = 0.0
        for _ in range(m):
            best, chosen = np.inf, -1
            for j in range(m):
                if open_still[j] and w[j] > 0.0 and p[r, j] / w[j] < best:
                    best, chosen = p[r, j] / w[j], j
            if chosen < 0:
                break
            largest = max(largest, best)
            adjusted[r, chosen] = min(largest, 1.0)
            open_still[chosen] = False
            without(w, g, chosen)
            if adjusted[r, chosen] <= level:
                final[r] = w


@kernel
def _of_intersections(weights, transitions, found):  # type: ignore[no-untyped-def]
    m = len(weights)
    for row in range(len(found)):
        w, g = weights.copy(), transitions.copy()
        for j in range(m):
            if not (row + 1) >> j & 1:
                without(w, g, j)
        found[row] = w


def graph_test(graph: Graph, p: ArrayLike, level: float) -> GraphResult:
    """Return the sequentially rejective procedure by Bonferroni tests (Bretz et al. 2009, algorithm 1).

    Parameters
    ----------
    graph
        The graph of ``m`` hypotheses.
    p
        p values, ``[..., m]``.
    level
        Familywise error rate.

    Examples
    --------
    Two primary hypotheses, each of which passes half of its weight to the other and half to a secondary one:

    >>> transitions = [[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5], [0, 1, 0, 0], [1, 0, 0, 0]]
    >>> graph = Graph(np.array([0.5, 0.5, 0.0, 0.0]), np.array(transitions))
    >>> graph_test(graph, [0.02, 0.011, 0.009, 0.003], 0.025).adjusted_p.round(4).tolist()
    [0.022, 0.022, 0.022, 0.022]
    """
    given = np.asarray(p, dtype=np.float64)
    m = len(graph.weights)
    if given.shape[-1:] != (m,):
        raise UsageError(
            f"p values have shape {given.shape}; the last axis holds the graph's {m} hypotheses."
        )
    flat = given.reshape(-1, m).copy()
    adjusted, final = np.ones_like(flat), np.empty_like(flat)
    _shortcut(graph.weights, graph.transitions, flat, level, adjusted, final)
    found = adjusted.reshape(given.shape)
    return GraphResult(found, found <= level, final.reshape(given.shape))


def intersection_weights(graph: Graph) -> Floats:
    """Return the weights of every intersection hypothesis, ``[2**m - 1, m]``, 0 outside (Bretz et al. 2011).

    Row ``r`` is the intersection of those hypotheses whose bit is set in ``r + 1``, the first in the lowest bit.
    """
    m = len(graph.weights)
    if m > MOST_CLOSED:
        raise UsageError(
            f"{m} hypotheses have {2**m - 1:,} intersections; at most {MOST_CLOSED} are gone through."
        )
    found = np.empty((2**m - 1, m))
    _of_intersections(graph.weights, graph.transitions, found)
    return found
