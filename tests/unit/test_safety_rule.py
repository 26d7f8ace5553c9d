"""The table of a Bayesian safety rule against its definition, and what it does against every path of events."""

from __future__ import annotations

import itertools
import json

import pytest
from scipy.stats import beta

from tests.unit.shipped_schema import check_document
from trialsim.cli.main import main
from trialsim.stats.bayes.safety_rule import safety_rule


def test_each_row_is_the_least_number_that_passes_the_threshold() -> None:
    rule = safety_rule(0.2, 0.9, (0.4, 1.6), range(1, 41))
    for n, least in zip(rule.treated, rule.stop_at, strict=True):
        passes = [beta.sf(0.2, 0.4 + y, 1.6 + n - y) > 0.9 for y in range(n + 1)]
        assert least == (passes.index(True) if any(passes) else n + 1)
    rows = rule.rows()
    # Row by row, without gaps: as more are treated, more events are needed.
    assert [row[0] for row in rows] == list(range(rows[0][0], rows[-1][0] + 1))
    assert all(second[1] == first[2] + 1 for first, second in itertools.pairwise(rows))


@pytest.mark.parametrize("rate", [0.1, 0.35])
def test_what_it_does_is_the_sum_over_all_paths(rate: float) -> None:
    rule = safety_rule(0.2, 0.85, (0.5, 0.5), (3, 5, 8, 10))
    stops, treated = 0.0, 0.0
    for path in itertools.product((0, 1), repeat=10):
        chance = rate ** sum(path) * (1 - rate) ** (10 - sum(path))
        at = next(
            (n for n, least in zip(rule.treated, rule.stop_at, strict=True) if sum(path[:n]) >= least), None
        )
        stops += chance * (at is not None)
        treated += chance * (at or 10)
    assert rule.stopping(rate) == pytest.approx((stops, treated), abs=1e-12)


def test_the_command_prints_the_table_and_refuses_all_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["safety", "--limit", "0.2", "--patients", "20", "--threshold", "0.9", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    check_document("safety", found)
    assert found["rule"][0]["treated_from"] >= 1
    assert found["rates"][0]["stops"] < found["rates"][-1]["stops"]
    assert main(["safety", "--limit", "0.2", "--patients", "20"]) == 0
    assert "events at least   patients treated" in capsys.readouterr().out
    assert main(["safety", "--limit", "2", "--patients", "0", "--prior", "1"]) == 2
    said = capsys.readouterr().err
    assert all(option in said for option in ("--limit", "--patients", "--prior"))
