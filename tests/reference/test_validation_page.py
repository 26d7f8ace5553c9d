"""docs/validation.md shows what is compared here: no row outside its tolerance, none missing, none made up."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from tests.validation.rows import Row, page, rows


def shown(line: str) -> list[str]:
    """Return what a line of the page says, without what the last bits of a machine may change."""
    cells = [cell.strip() for cell in line.strip("|").split(" | ")]
    return [*cells[:3], cells[5].strip(" |")]


@pytest.mark.slow
def test_every_row_is_within_its_tolerance_and_on_the_page(root: Path) -> None:
    found = rows()
    outside = [row.quantity for row in found if not row.agrees]
    assert not outside
    assert len(found) > 500
    written = [
        line for line in (root / "docs" / "validation.md").read_text().splitlines() if line.startswith("|")
    ]
    made = [line for line in page().splitlines() if line.startswith("|")]
    assert [shown(line) for line in written if "---" not in line] == [
        shown(line) for line in made if "---" not in line
    ]
    assert not any("outside" in line for line in written)


def test_a_row_that_differs_is_outside() -> None:
    row = Row("", "", "", (1.0, math.inf), (1.0 + 1e-6, math.inf), 1e-5)
    assert row.agrees
    assert not dataclasses.replace(row, tolerance=1e-7).agrees
    assert not dataclasses.replace(row, ours=(1.0, 5.0)).agrees
    relative = Row("", "", "", (1000.0,), (1000.1,), 1e-3, relative=True)
    assert relative.agrees
    assert not dataclasses.replace(relative, relative=False).agrees
