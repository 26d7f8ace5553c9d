"""Multiplicity against R's p.adjust, mvtnorm and graphicalMCP."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from trialsim.stats.multiplicity import adjusted
from trialsim.stats.multiplicity.closure import (
    bonferroni_intersections,
    closed_adjusted,
    hochberg_intersections,
    parametric_intersections,
    simes_intersections,
)
from trialsim.stats.multiplicity.dunnett import control_loadings, dunnett, dunnett_bound, loadings_of
from trialsim.stats.multiplicity.graph import Graph, graph_test, intersection_weights

HERE = Path(__file__).parent
ADJUSTED = pd.read_csv(HERE / "p_adjust.csv")
GRAPHS = pd.read_csv(HERE / "graph_mcp.csv")
POWERS = pd.read_csv(HERE / "graph_power.csv")
METHODS = ("bonferroni", "holm", "hochberg", "hommel")
DUNNETT_1A = [1.64, 1.92, 2.06, 2.16, 2.23, 2.29, 2.34, 2.38, 2.42]
HALF = np.full((4, 4), 0.5) + 0.5 * np.eye(4)


@pytest.mark.parametrize("call", sorted(set(ADJUSTED[ADJUSTED.method.isin(METHODS)].call)))
def test_adjusted_p_values_are_rs(call: str) -> None:
    rows = ADJUSTED[ADJUSTED.call == call]
    method = getattr(adjusted, rows.method.iloc[0])
    p = rows.p.to_numpy()
    assert method(p) == pytest.approx(rows.adjusted_p.to_numpy(), abs=1e-14)
    shuffled = np.random.default_rng(3).permutation(len(p))
    batch = method(np.stack([p, p[shuffled]]))
    assert batch[1] == pytest.approx(rows.adjusted_p.to_numpy()[shuffled], abs=1e-14)


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_single_step_dunnett_is_mvtnorms(k: int) -> None:
    rows = ADJUSTED[ADJUSTED.method.str.contains(f"k={k} ")]
    assert len(rows) == k
    z = norm.isf(rows.p.to_numpy())
    found = dunnett(z, control_loadings(100, np.full(k, 100)))
    assert found == pytest.approx(rows.adjusted_p.to_numpy(), abs=2e-8)


def graph_of(rows: Any) -> Graph:
    transitions = [[float(cell) for cell in row.split(",")] for row in rows.transitions.iloc[0].split(";")]
    return Graph(rows.weight.to_numpy(), np.array(transitions))


def adjusted_by(method: str, rows: Any) -> tuple[Any, float]:
    """Return adjusted p values by a method of the file, and how far they may be from it."""
    graph, p = graph_of(rows), rows.p.to_numpy()
    if method == "Bonferroni shortcut":
        return graph_test(graph, p, 0.025).adjusted_p, 1e-12
    weights = intersection_weights(graph)
    close = 1e-10  # closed tests are given to ten digits
    if method.startswith("parametric"):
        local = parametric_intersections(p, weights, loadings_of(HALF[: len(p), : len(p)]))
        close = (
            2e-5  # randomised integration: the file's rows at two levels, of one p value, differ by 1.6e-5
        )
    elif method.startswith("Simes"):
        local = simes_intersections(p, weights)
    else:
        local = hochberg_intersections(p, weights)
    return closed_adjusted(local, len(p)), close


@pytest.mark.parametrize(
    ("case", "method", "alpha"), sorted(set(zip(GRAPHS.case, GRAPHS.method, GRAPHS.alpha))), ids=str
)
def test_graphs_are_graphicalmcps(case: str, method: str, alpha: float) -> None:
    rows = GRAPHS[(GRAPHS.case == case) & (GRAPHS.method == method) & (GRAPHS.alpha == alpha)]
    found, close = adjusted_by(method, rows)
    assert found == pytest.approx(rows.adjusted_p.to_numpy(), abs=close)
    assert (found <= alpha).tolist() == rows.rejected.tolist()
    if method == "Bonferroni shortcut":
        graph, p = graph_of(rows), rows.p.to_numpy()
        result = graph_test(graph, p, alpha)
        assert result.rejected.tolist() == rows.rejected.tolist()
        assert result.weights == pytest.approx(rows.final_weight.to_numpy(), abs=1e-11)
        closed = closed_adjusted(bonferroni_intersections(p, intersection_weights(graph)), len(p))
        assert closed == pytest.approx(
            found, abs=1e-12
        )  # the shortcut is the closed test (Bretz et al. 2009)


@pytest.mark.parametrize("case", sorted(set(POWERS.case)))
def test_simulated_power_of_graphs_is_graphicalmcps(case: str) -> None:
    rows = POWERS[POWERS.case == case]
    n, m = 100_000, len(rows)
    rng = np.random.default_rng(811)
    correlated = math.sqrt(0.5) * (rng.standard_normal((n, 1)) + rng.standard_normal((n, m)))
    z = correlated + norm.isf(0.025) + norm.ppf(rows.marginal_power.to_numpy())
    rejected = graph_test(graph_of(rows), norm.sf(z), 0.025).rejected

    def close(share: Any, expected: Any) -> bool:
        both = math.sqrt(1 / n + 1 / rows.nrep.iloc[0])
        return bool(np.all(np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected)) * both))

    assert close(rejected.mean(axis=0), rows.power_local.to_numpy())
    assert close(rejected.any(axis=1).mean(), rows.power_at_least_1.iloc[0])
    assert close(rejected.all(axis=1).mean(), rows.power_all.iloc[0])


def test_the_bounds_of_dunnetts_table() -> None:
    """Dunnett (1955), table 1a: one-sided 5%, 1 to 9 arms against control, infinite degrees of freedom."""
    found = [dunnett_bound(0.05, control_loadings(1, np.ones(k))) for k in range(1, 10)]
    assert [round(each, 2) for each in found] == DUNNETT_1A


def test_every_method_of_the_file_is_compared_or_left_out_on_purpose() -> None:
    others = {name for name in set(ADJUSTED.method) - set(METHODS) if not re.match("Dunnett", name)}
    assert others == {"BH", "BY"}  # of the false discovery rate, which no confirmatory trial controls
