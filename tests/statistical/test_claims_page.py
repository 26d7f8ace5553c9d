"""docs/claims.md is what scenarios/claims/run.py makes of claims.toml: each row, its verdict, and that of the claim."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
CLAIMS = tomllib.loads((ROOT / "scenarios" / "claims" / "claims.toml").read_text(encoding="utf-8"))
EXPERIMENTS = [(name, experiment) for name, claim in CLAIMS.items() for experiment in claim["experiments"]]
_GAIN = re.compile(r"(-?[\d.]+)%(?: \((-?[\d.]+) to (-?[\d.]+)\))?")


def row_of(name: str, experiment: dict[str, Any]) -> list[str]:
    """Return the cells of an experiment on the page, under its claim."""
    part = PAGE.split(f"\n## {CLAIMS[name]['claim']}\n")[1].split("\n## ")[0]
    (row,) = [line for line in part.splitlines() if line.startswith(f"| {experiment['says']} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_page_has_every_claim_and_experiment_and_no_other() -> None:
    titles = re.findall(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    assert titles == [claim["claim"] for claim in CLAIMS.values()]
    for claim in CLAIMS.values():
        for key in ("source", "measure", "falsified"):
            assert claim[key] in PAGE
    rows = [line for line in PAGE.splitlines() if re.search(r"\| (holds|fails|open) \|$", line)]
    assert len(rows) == len(EXPERIMENTS)


@pytest.mark.parametrize("name", CLAIMS)
def test_verdicts_follow_from_the_limits_beside_them(name: str) -> None:
    """By the rule that stands at the head of the page, from the digits that stand in its tables."""
    least, found = 100 * CLAIMS[name]["least"], []
    for experiment in CLAIMS[name]["experiments"]:
        *_, gain, verdict = row_of(name, experiment)
        value, low, high = (None if x is None else float(x) for x in _GAIN.fullmatch(gain).groups())  # type: ignore[union-attr]
        assert value is not None
        low, high = (value if low is None else low), (value if high is None else high)
        assert verdict == ("holds" if low >= least else "fails" if high < least else "open")
        found.append(verdict)
    kinds = set(found)
    whole = "supported" if kinds == {"holds"} else "not supported" if kinds == {"fails"} else "conditional"
    assert f"| {CLAIMS[name]['claim']} | **{whole}** |" in PAGE


@pytest.mark.slow
@pytest.mark.parametrize("says", ["arrivals limit", "AUC 0.7"])
def test_the_program_gives_the_row_again(says: str) -> None:
    """Digit by digit, of the experiments that take seconds."""
    program = runpy.run_path(str(ROOT / "scenarios" / "claims" / "run.py"))
    name, experiment = next(each for each in EXPERIMENTS if each[1]["says"] == says)
    found = program["MEASURES"][name](experiment, program["REPLICATES"])
    world, shown, gain, verdict = row_of(name, experiment)
    assert (world, shown) == (says, found.shown)
    assert gain.split("%")[0] == f"{100 * found.gain:.1f}"
    assert verdict == found.verdict(CLAIMS[name]["least"])
