"""The report is one file that needs nothing else, says the same each time and trusts no name."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.synthetic_records import Tables, cell_fact, simulated_cell, tables, trial
from trialsim.oc.characteristics import OperatingCharacteristics, operating_characteristics
from trialsim.oc.columns import Records, records_of
from trialsim.oc.error_claims import error_claims
from trialsim.report.answer import answer, comparison_sentences
from trialsim.report.figures import duration_picture, power_picture, stopping_picture
from trialsim.report.more_tables import finished_sentences, more_measures, stopping_table
from trialsim.report.numbers import with_error
from trialsim.report.page import page

POWER = {"none": 0.02, "effect": 0.85}
TARGETS = {(design, "primary"): 0.08 for design in ("fixed", "gs")}
EVIL = "<script>alert('x')</script>&\"'"


@pytest.fixture(scope="module")
def found() -> tuple[Records, OperatingCharacteristics]:
    cells = [(design, truth) for design in ("fixed", "gs") for truth in POWER]
    blocks = [simulated_cell(design, truth, 500, seed=1, power=POWER[truth]) for design, truth in cells]
    facts = [
        cell_fact(design=design, truth=truth, null=truth == "none", true_value=-0.3, estimand=EVIL)
        for design, truth in cells
    ]
    whole = [pa.concat_tables([block[name] for block in blocks]) for name in ("trials", "arms")]
    records = records_of(Tables(*whole, pa.Table.from_pylist(facts)))
    return records, operating_characteristics(records)


def html(found: tuple[Records, OperatingCharacteristics], **scenario: Any) -> str:
    given = {"name": "example", "assumed": {"accrual": "not in the data"}, **scenario}
    provenance = {
        "seed": 7,
        "digest": "ab" * 32,
        "command": "trialsim run x.yaml",
        "packages": {"numpy": "2"},
    }
    return page(given, provenance, found[1], found[0], TARGETS)


@pytest.fixture(scope="module")
def written(found: tuple[Records, OperatingCharacteristics]) -> str:
    """The page of the example, whose pictures take their time, drawn once."""
    return html(found)


class Outline(HTMLParser):
    """Collects tags, addresses and texts, and checks that tags close in order."""

    void = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")
        ]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def outline(text: str) -> Outline:
    parser = Outline()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_needs_nothing_from_outside(written: str) -> None:
    parser = outline(written)
    assert all(address.startswith("data:image/svg+xml;base64,") for address in parser.addresses)
    assert "<script" not in written
    assert "<link" not in written
    assert not re.search(r"@import|url\(|https?://", written)
    for image in parser.images:
        assert len(image["alt"] or "") > 40
        svg = base64.b64decode(str(image["src"]).partition(",")[2]).decode()
        assert "<script" not in svg
        references = re.findall(r'(?:href|src)="([^"]*)"', svg)
        assert all(reference.startswith("#") for reference in references)


def test_the_answer_comes_first(written: str) -> None:
    order = ["<h1>", 'class="answer"', "<table>", "<img", "<dl>", "Assumed, not known", "Provenance"]
    places = [written.index(part) for part in order]
    assert places == sorted(places)
    assert "not in the data" in written
    assert "trialsim run x.yaml" in written


def test_everything_is_escaped(found: tuple[Records, OperatingCharacteristics]) -> None:
    text = html(found, name=EVIL, description=EVIL, source=EVIL, assumed={EVIL: EVIL})
    assert "<script" not in text
    assert "alert('x')" not in text
    assert text.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;&quot;&#x27;") >= 6
    outline(text)


def test_the_same_records_give_the_same_bytes(
    found: tuple[Records, OperatingCharacteristics], written: str
) -> None:
    assert html((found[0], operating_characteristics(found[0]))) == written


def test_without_assumptions_there_is_no_such_section(
    found: tuple[Records, OperatingCharacteristics],
) -> None:
    assert "Assumed" not in html(found, assumed={})


def test_pictures_say_what_they_show(found: tuple[Records, OperatingCharacteristics]) -> None:
    records, characteristics = found
    power = power_picture(characteristics)
    value = characteristics.select("power_disjunctive", design="gs", truth="effect")[0].value
    assert f"gs under effect {100 * value:.1f}%" in power.alternative
    assert "(error)" in power.alternative
    assert "efficacy, look 1" in stopping_picture(characteristics).alternative
    assert "fixed under none: median" in duration_picture(records, characteristics).alternative


def test_a_legend_of_many_looks_leaves_room_for_the_bars(
    found: tuple[Records, OperatingCharacteristics],
) -> None:
    row = found[1].select("stop", design="gs", truth="effect")[0]
    many = [
        replace(row, look=look, reason=reason, value=1 / 75)
        for look in range(1, 26)
        for reason in ("efficacy", "futility", "equivalence")
    ]
    # Matplotlib warns where nothing is left for the axes, which fails the test.
    drawn = stopping_picture(replace(found[1], rows=tuple(many)))
    assert "equivalence, look 25" in drawn.alternative


def test_drawing_leaves_no_trace_in_the_settings_of_matplotlib(
    found: tuple[Records, OperatingCharacteristics],
) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    power_picture(found[1])
    assert dict(matplotlib.rcParams) == before


def test_the_answer_names_power_comparison_and_error(found: tuple[Records, OperatingCharacteristics]) -> None:
    sentences = answer(found[1], TARGETS)
    assert sentences[0].startswith("Under “effect”, “fixed” rejects its null hypothesis in 8")
    assert "95% interval" in sentences[0]
    compared = "“gs” against “fixed” under “effect”, on the same patients (Monte Carlo standard errors in parentheses)"
    assert sentences[1].startswith(f"{compared}: its power is")
    assert comparison_sentences(found[1]) == sentences[1:2]
    # Where candidates are screened, designs may differ in who of them become patients.
    screened = replace(found[1].select("enrolled")[0], name="candidates", truth="effect")
    among = replace(found[1], rows=(*found[1].rows, screened))
    assert comparison_sentences(among)[0].startswith(compared.replace("same patients", "same candidates"))
    assert re.search(r"its power is [0-9.]+ \([0-9.]+\) percentage points", sentences[1])
    assert sentences[2].startswith("Type I error of “primary” in “")
    assert sentences[2].endswith("controlled at the target 0.08.")
    assert sentences[3] == "That is the highest of 2: the others are controlled too."
    strict_targets = dict.fromkeys(TARGETS, 0.001)
    strict = answer(found[1], strict_targets)
    assert all(sentence.endswith(": exceeds the target 0.001.") for sentence in strict[2:])
    assert len(strict) == 2 + sum(claim.exceeds for claim in error_claims(found[1], strict_targets)) > 2
    between = answer(found[1], dict.fromkeys(TARGETS, 0.02))
    assert between[2].endswith("compatible with the target 0.02, not shown to be controlled.")
    assert len(between) == 3


def test_equal_chances_of_any_rejection_do_not_hide_powers_that_differ() -> None:
    rows = [
        trial(i, {"a": {"reject": True}, "b": {"reject": i < share}}, design=design)
        for design, share in (("fixed", 40), ("drop_arm", 10))
        for i in range(40)
    ]
    facts = [cell_fact(name, design=design) for design in ("fixed", "drop_arm") for name in "ab"]
    sentences = answer(operating_characteristics(tables(rows, facts)), {})
    assert "its power to reject at least one false null hypothesis is the same" in sentences[1]
    assert sentences[2] == (
        "Power by hypothesis, “drop_arm” against “fixed”: a 100.0% against 100.0%, b 25.0% against 100.0%."
    )


def test_endings_and_the_other_measures_have_tables(found: tuple[Records, OperatingCharacteristics]) -> None:
    records, _ = found
    dated = operating_characteristics(records, finished_by=[547.875])
    endings = stopping_table(dated)
    assert endings.headings[2:5] == ("look", "ends by", "probability (mcse)")
    (first,) = [
        row for row in endings.rows if [cell[0] for cell in row[:4]] == ["effect", "gs", "1", "efficacy"]
    ]
    assert first[4] == (
        with_error(dated.select("stop", design="gs", truth="effect", look=1, reason="efficacy")[0]),
    )
    assert first[6] != ("–",)
    more = more_measures(dated)
    assert {"analysed", "coverage", "finished by 18 months"} <= set(more.headings)
    (sentence,) = finished_sentences(dated)
    assert sentence.startswith("Finished by 18 months: fixed under none ")
    text = html((records, dated))
    assert "How trials end, by look and reason" in text
    assert "finished by 18 months" in text
