"""Multiplicity: identities between procedures, independent integrals, and sentences for what cannot be."""

from __future__ import annotations

from itertools import chain, combinations, pairwise

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from trialsim.errors import UsageError
from trialsim.stats.multiplicity.adjusted import bonferroni, fixed_sequence, hochberg, holm, hommel
from trialsim.stats.multiplicity.closure import (
    closed_adjusted,
    equal_weights,
    hochberg_intersections,
    intersections,
    parametric_intersections,
    simes_intersections,
)
from trialsim.stats.multiplicity.dunnett import above_any, control_loadings, dunnett, loadings_of
from trialsim.stats.multiplicity.graph import Graph, graph_test, intersection_weights

P = np.random.default_rng(5).beta(0.5, 4.0, (200, 4))


def complete(m: int) -> Graph:
    return Graph(np.full(m, 1 / m), (1 - np.eye(m)) / (m - 1))


def test_holm_is_the_graph_that_passes_to_all() -> None:
    assert graph_test(complete(4), P, 0.025).adjusted_p == pytest.approx(holm(P), abs=1e-14)


def test_a_fixed_sequence_is_the_graph_that_passes_to_the_next() -> None:
    chain_graph = Graph(np.array([1.0, 0, 0, 0]), np.eye(4, k=1))
    assert graph_test(chain_graph, P, 0.025).adjusted_p == pytest.approx(fixed_sequence(P), abs=1e-15)


def test_hommel_is_the_closed_test_by_simes() -> None:
    assert closed_adjusted(simes_intersections(P, equal_weights(4)), 4) == pytest.approx(hommel(P), abs=1e-14)


def test_hochberg_is_the_closed_test_by_its_own_intersections() -> None:
    closed = closed_adjusted(hochberg_intersections(P, equal_weights(4)), 4)
    assert closed == pytest.approx(hochberg(P), abs=1e-14)


def test_procedures_are_ordered_by_their_power() -> None:
    for stronger, weaker in pairwise([hommel(P), hochberg(P), holm(P), bonferroni(P)]):
        assert (stronger <= weaker + 1e-14).all()
        assert (stronger < weaker - 1e-6).any()


def test_weights_of_intersections_do_not_depend_on_the_order_of_removal() -> None:
    graph = Graph(np.array([0.4, 0.3, 0.2, 0.1]), np.array(
        [[0, 0.5, 0.3, 0.2], [0.1, 0, 0.6, 0.3], [0.7, 0.1, 0, 0.2], [0.3, 0.3, 0.4, 0]]
    ))  # fmt: skip
    turned = [3, 1, 0, 2]
    other = Graph(graph.weights[turned], graph.transitions[np.ix_(turned, turned)])
    found = {tuple(held): row for held, row in zip(intersections(4).tolist(), intersection_weights(graph))}
    for held, row in zip(intersections(4).tolist(), intersection_weights(other)):
        back = np.empty(4)
        back[turned] = row
        mine = np.zeros(4, dtype=bool)
        mine[turned] = held
        assert back == pytest.approx(found[tuple(mine.tolist())], abs=1e-14)
    assert intersection_weights(graph).sum(axis=1) == pytest.approx(np.ones(15), abs=1e-12)


def test_intersections_are_every_set_once() -> None:
    sets = {tuple(np.flatnonzero(row)) for row in intersections(4)}
    assert sets == set(chain.from_iterable(combinations(range(4), size) for size in range(1, 5)))


@pytest.mark.parametrize("arms", [(100, 100, 100), (50, 120, 200), (10, 1000, 40)])
def test_many_to_one_chances_are_those_of_the_multivariate_normal(arms: tuple[int, ...]) -> None:
    factors = control_loadings(90, np.array(arms))
    correlation = np.outer(factors, factors)
    np.fill_diagonal(correlation, 1.0)
    limits = np.array([1.8, 2.2, 2.5])
    normal = multivariate_normal(cov=correlation, seed=1, maxpts=2_000_000, abseps=1e-10, releps=1e-10)
    assert float(above_any(limits, factors)) == pytest.approx(1 - normal.cdf(limits), abs=2e-6)
    assert loadings_of(correlation) == pytest.approx(factors, abs=1e-12)


def test_a_small_chance_keeps_its_digits() -> None:
    """Far out, the chance of any is the sum of the chances of each."""
    found = float(above_any([9.0, 9.0, 9.0], [0.5, 0.5, 0.5]))
    assert found == pytest.approx(3 * norm.sf(9.0), rel=1e-6)
    assert float(above_any([1.3], [0.999])) == pytest.approx(norm.sf(1.3), rel=1e-12)


def test_two_comparisons_of_any_correlation() -> None:
    for rho in (0.99, 0.3, 0.0, -0.7):
        factors = loadings_of([[1.0, rho], [rho, 1.0]])
        expected = 1 - multivariate_normal(cov=[[1, rho], [rho, 1]]).cdf([1.0, 1.5])
        assert float(above_any([1.0, 1.5], factors)) == pytest.approx(expected, abs=1e-8)


def test_correlations_with_negative_loadings_are_found() -> None:
    factors = np.array([0.8, -0.5, 0.4, -0.6])
    correlation = np.outer(factors, factors)
    np.fill_diagonal(correlation, 1.0)
    found = loadings_of(correlation)
    assert np.outer(found, found) == pytest.approx(np.outer(factors, factors), abs=1e-12)


def test_closed_dunnett_rejects_what_single_step_rejects_and_more() -> None:
    factors = control_loadings(80, np.array([60, 80, 100]))
    z = norm.isf(P[:, :3])
    closed = closed_adjusted(parametric_intersections(P[:, :3], equal_weights(3), factors), 3)
    single = dunnett(z, factors)
    assert (closed <= single + 1e-12).all() and (closed < single - 1e-6).any()
    smallest = np.arange(len(P)), P[:, :3].argmin(axis=1)
    assert closed[smallest] == pytest.approx(single[smallest], abs=1e-12)


def test_weights_that_do_not_add_to_one_keep_their_share_of_the_level() -> None:
    """One hypothesis with half the weight is tested at half the level, whatever it is correlated with."""
    weights = np.array([[0.5, 0.0], [0.0, 0.3], [0.5, 0.3]])
    found = parametric_intersections([0.01, 0.02], weights, [0.7, 0.7])
    assert found[:2] == pytest.approx([0.02, 0.02 / 0.3], rel=1e-12)
    both = multivariate_normal(cov=[[1, 0.49], [0.49, 1]]).cdf(norm.isf([0.01, 0.006]))
    assert found[2] == pytest.approx((1 - both) / 0.8, rel=1e-6)


def test_what_cannot_be_is_refused_with_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"add to at most 1.*each row.*diagonal"):
        Graph(np.array([0.7, 0.6]), np.array([[0.5, 0.9], [0.0, 0.0]]))
    with pytest.raises(UsageError, match=r"needs weights \[hypothesis\]"):
        Graph(np.array([0.5, 0.5]), np.eye(3))
    with pytest.raises(UsageError, match="the graph's 4 hypotheses"):
        graph_test(complete(4), P[:, :3], 0.025)
    with pytest.raises(UsageError, match="8,191 intersections; at most 12"):
        intersection_weights(complete(13))
    with pytest.raises(UsageError, match="not products of one loading"):
        loadings_of([[1, 0.8, 0.1, 0.1], [0.8, 1, 0.1, 0.1], [0.1, 0.1, 1, 0.8], [0.1, 0.1, 0.8, 1]])
    with pytest.raises(UsageError, match="square and symmetric"):
        loadings_of([[1, 0.5], [0.4, 1]])
    with pytest.raises(UsageError, match="between -1 and 1"):
        above_any([2.0, 2.0], [1.0, 0.5])
    with pytest.raises(UsageError, match="equal weights"):
        hochberg_intersections(P[:, :2], np.array([[0.3, 0.7]]))
