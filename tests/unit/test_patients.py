"""Patients have the marginals and correlations that the scenario states, or are rows of its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.statistical.big_trial import RARE, share_error
from trialsim.draws import Purpose, uniform
from trialsim.engines.laws import build_source
from trialsim.population.patients import PatientSource
from trialsim.scenario.load import load_scenario, patient_table, scenario_from

ROOT = Path(__file__).resolve().parent.parent.parent
N = 20_000
MARGINALS: dict[str, Any] = {
    "age": {"normal": {"mean": 50, "sd": 10}},
    "crp": {"log_normal": {"median": 3, "sd_log": 0.8}},
    "fraction": {"beta": {"alpha": 2, "beta": 5}},
    "lesions": {"poisson": {"mean": 2.1}},
    "sex": {"categorical": {"female": 0.4, "male": 0.6}},
    "region": {"categorical": {"east": 0.5, "west": 0.3, "north": 0.2}},
}


def source_of(population: dict[str, Any]) -> PatientSource:
    tree = {
        "name": "people",
        "population": population,
        "accrual": {"uniform": {"over": "1 year"}},
        "arms": ["a", "b"],
        "endpoints": {
            "y": {"kind": "continuous", "readout": "1 day", "mean": 0, "sd": 1, "effect": {"b": 0}}
        },
        "hypotheses": {
            "h": {"endpoint": "y", "arms": ["b", "a"], "analysis": "t_test", "direction": "higher"}
        },
        "truths": {"world": {}},
        "designs": {
            "one": {
                "kind": "fixed",
                "n": 10,
                "allocation": "simple",
                "looks": [{"when": {"readouts": 10}}],
                "tests": {"h": {"alpha": 0.025}},
            }
        },
    }
    scenario = scenario_from(tree)
    return build_source(scenario, patient_table(scenario))


def row_numbers(source: PatientSource, replicate: int, n: int) -> np.ndarray:
    return source.row_numbers(1, np.full(n, replicate), np.arange(n))


def columns(source: PatientSource, replicate: int = 0, n: int = N) -> dict[str, np.ndarray]:
    return dict(zip(source.columns, source.records(1, replicate, n).T, strict=True))


def test_each_marginal_has_its_law() -> None:
    found = columns(source_of({"marginals": MARGINALS, "traits": {"prognosis": {"sd": 1.5}}}))
    assert stats.kstest(found["age"], stats.norm(50, 10).cdf).pvalue > RARE
    assert stats.kstest(found["crp"], stats.lognorm(0.8, scale=3).cdf).pvalue > RARE
    assert stats.kstest(found["fraction"], stats.beta(2, 5).cdf).pvalue > RARE
    assert stats.kstest(found["prognosis"], stats.norm(0, 1.5).cdf).pvalue > RARE
    poisson = stats.poisson(2.1)
    for count in range(9):
        assert abs((found["lesions"] == count).mean() - poisson.pmf(count)) < share_error(
            poisson.pmf(count), N
        )
    for code, share in enumerate([0.4, 0.6]):
        assert abs((found["sex"] == code).mean() - share) < share_error(share, N)
    for code, share in enumerate([0.5, 0.2, 0.3]):
        assert abs((found["region"] == code).mean() - share) < share_error(share, N)


def test_categories_have_codes_in_alphabetical_order() -> None:
    source = source_of({"marginals": MARGINALS})
    assert source.categories == {"sex": ("female", "male"), "region": ("east", "north", "west")}
    assert not source.finite
    assert not source.identical


def test_without_a_correlation_columns_are_independent() -> None:
    found = columns(
        source_of({"marginals": MARGINALS, "traits": {"prognosis": {"sd": 1}, "adherence": {"sd": 1}}})
    )
    names = list(found)
    for i, one in enumerate(names):
        for other in names[:i]:
            assert abs(stats.spearmanr(found[one], found[other])[0]) < 5 / np.sqrt(N), (one, other)


def test_the_copula_has_the_correlations_stated() -> None:
    found = columns(
        source_of(
            {
                "marginals": MARGINALS,
                "traits": {"prognosis": {"sd": 2}, "predictive": {"sd": 0.5}},
                "correlation": {
                    "age": {"crp": 0.5, "prognosis": -0.4},
                    "predictive": {"fraction": 0.7},
                    "sex": {"age": 0.3},
                },
            }
        )
    )

    def pearson(one: np.ndarray, other: np.ndarray, rho: float) -> None:
        # Fisher's transformation has the standard error 1 / sqrt(n - 3) under normality.
        assert abs(np.arctanh(np.corrcoef(one, other)[0, 1]) - np.arctanh(rho)) < 5 / np.sqrt(N - 3)

    pearson(found["age"], np.log(found["crp"]), 0.5)
    pearson(found["age"], found["prognosis"], -0.4)
    pearson(stats.norm.ppf(stats.beta.cdf(found["fraction"], 2, 5)), found["predictive"], 0.7)
    pearson(np.log(found["crp"]), found["prognosis"], 0.0)
    # A binary margin: P(male, age above its mean) of a bivariate normal with correlation 0.3.
    joint = stats.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]])
    expected = 0.6 - 0.5 + float(joint.cdf([stats.norm.ppf(0.4), 0.0]))
    both = ((found["sex"] == 1) & (found["age"] > 50)).mean()
    assert abs(both - expected) < share_error(expected, N)


@pytest.mark.parametrize("probability", [1e-9, 1 - 1e-9])
def test_rare_categories_do_not_break_the_others(probability: float) -> None:
    source = source_of({"marginals": {"rare": {"categorical": {"no": 1 - probability, "yes": probability}}}})
    found = columns(source, n=2000)["rare"]
    assert set(found) == {float(probability > 0.5)}


def test_patients_depend_on_seed_and_replicate_and_on_no_one_else() -> None:
    source = source_of({"marginals": MARGINALS})
    one = source.records(1, 3, 50)
    assert (one == source.records(1, 3, 200)[:50]).all()
    assert (one != source.records(1, 4, 50)).any(axis=0).all()
    assert (one != source.records(2, 3, 50)).any(axis=0).all()


def test_a_patient_is_found_by_key_whoever_stands_beside() -> None:
    source = source_of({"marginals": MARGINALS})
    keys = np.array([7, (3 << 32) | 5, 7], dtype=np.int64)
    replicates = np.array([2, 2, 4], dtype=np.int64)
    found = source.records_at(1, replicates, keys)
    assert (found[0] == source.records(1, 2, 8)[7]).all()
    assert (found[2] == source.records(1, 4, 8)[7]).all()
    assert (found[1] == source.records_at(1, replicates[1:2], keys[1:2])[0]).all()
    assert (found[1] != found[0]).any()


def test_a_further_trait_moves_no_other() -> None:
    fewer = columns(source_of({"marginals": MARGINALS, "traits": {"toxicity": {"sd": 1}}}))
    more = columns(
        source_of({"marginals": MARGINALS, "traits": {"prognosis": {"sd": 1}, "toxicity": {"sd": 1}}})
    )
    assert all((fewer[name] == more[name]).all() for name in fewer)


def test_rows_of_a_table_are_drawn_uniformly_and_whole() -> None:
    scenario = load_scenario(ROOT / "scenarios" / "actg175" / "actg175.yaml")
    source = build_source(scenario, patient_table(scenario))
    rows = len(source.rows)
    assert rows == 2139
    drawn = np.concatenate([row_numbers(source, replicate, rows) for replicate in range(40)])
    counts = np.bincount(drawn, minlength=rows)
    assert stats.chisquare(counts).pvalue > RARE
    assert (source.records(1, 0, 100) == source.rows[row_numbers(source, 0, 100)]).all()
    u = uniform(1, 5, 17, int(Purpose.TABLE_ROW), 0)
    assert row_numbers(source, 5, 18)[17] == int(u * rows)


def test_identical_patients_have_no_record() -> None:
    source = PatientSource(())
    assert source.identical
    assert source.finite
    assert source.records(1, 0, 4).shape == (4, 0)
    assert row_numbers(source, 0, 4).tolist() == [0, 0, 0, 0]
